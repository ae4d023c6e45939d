"""Archives of arrays and JSON: npz files that are verified before anything in them is used.

An archive holds the member ``header``, which is JSON as bytes, the member ``checksum``, and arrays.
The checksum is the SHA-256 of the header and of the names, types, shapes and bytes of all arrays.
Members are not compressed, so that none is larger than the file.
"""

import hashlib
import io
import json
import math
import os
import secrets
import zipfile

import numpy as np

_HEADER = "header"
_CHECKSUM = "checksum"
_READABLE_KINDS = "biufU"  # of dtypes: no objects, which only pickle could read


def write_archive(path, header, arrays):
    """Write a file, which appears under its name only when it is complete.

    Parameters
    ----------
    path : str or path-like
    header : dict
        What JSON can represent.
    arrays : dict of ndarray
    """
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    checksum = np.frombuffer(_checksum(text, arrays), np.uint8)
    path = os.fsdecode(path)
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            np.savez(file, **{_HEADER: text, _CHECKSUM: checksum}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def read_archive(path):
    """Return ``(header, arrays)`` of a file.

    The arrays are read-only, and together no larger than the file.

    Raises
    ------
    ValueError
        If it is no archive, or if a bit of its content has changed.
    """
    with open(path, "rb") as file:
        try:
            arrays = _read_members(file)
            text = arrays.pop(_HEADER)
            checksum = arrays.pop(_CHECKSUM)
            is_intact = checksum.tobytes() == _checksum(text, arrays)
            header = json.loads(text.tobytes()) if is_intact else None
        except Exception as error:  # parsers raise many kinds for bytes that are not theirs
            raise ValueError(f"it is not readable ({type(error).__name__}: {error})") from error
    if not is_intact:
        raise ValueError("its checksum is wrong")
    return header, arrays


def _checksum(text, arrays):
    digest = hashlib.sha256(text)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return digest.digest()


def _read_members(file):
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > os.fstat(file.fileno()).st_size:
            raise ValueError("its members are larger than the file")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or name in arrays:
                raise ValueError(f"{member.filename!r} is compressed or there twice")
            arrays[name] = _read_array(archive.read(member))
    return arrays


def _read_array(content):
    """Return the array in the bytes of an npy file, as a view of them."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"version {version} of the npy format")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    n_bytes = dtype.itemsize * math.prod(shape)
    if dtype.kind not in _READABLE_KINDS or is_fortran or n_bytes != len(content) - start:
        raise ValueError(f"an array of type {dtype} and shape {shape} in {len(content)} bytes")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)
