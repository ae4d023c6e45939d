"""Compiled code kept on disk, guarded against whatever can go wrong with files.

One file holds one kernel, compiled for one signature. Its name ends in a hash of all that shapes
the code: the kernel, the signature, the processor, the sources of all kernels, the versions of the
libraries that take part in compilation, and Numba's options. The file starts with a checksum.
Whatever goes wrong with it (missing, truncated, flipped bits, full disk, nothing writable), the
process warns once and compiles the kernel: a cache must never be the reason why a fit fails.

Only kernels in this package's folders of kernels are kept: the hash covers no other sources. A
kernel may close over functions in these folders and plain constants, which are then part of its
identity.

Nothing is ever overwritten by another version. Several processors, installations and versions may
share one folder, and each finds its own files. Each release or edit adds a set of about 110 files
(6.6 MB), so files that have not been used for 30 days are removed when another one is written. A
file counts as used when it is written or loaded. That rule needs no knowledge of who else uses the
folder: it cannot remove what another processor or another installation is using.

``NUMBA_CACHE_DIR`` moves the cache.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import re
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from types import CodeType, FunctionType

import llvmlite
import numba
import numpy as np
import scipy
from numba.core import compiler, config
from numba.core.serialize import dumps

from .._warnings import warn_user

PACKAGE = Path(__file__).resolve().parent.parent

# Kernels, and all that they call or close over, stand in these folders of the package.
FOLDERS_OF_KERNELS = ("_compiled", "_engine", "parts")

_DIGEST_SIZE = hashlib.sha256().digest_size
_SECONDS_A_DAY = 86_400
_DAYS_KEPT = 30
_CONSTANTS = (bool, int, float, str, type(None), np.generic)
_OPTIONS = ("BOUNDSCHECK", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE")  # of Numba, that shape code


# ---- what a kernel is --------------------------------------------------------------------------


def identity_of(value):
    """Return a string that identifies a kernel, or a value that a kernel closes over.

    It is the same in every process. Functions with equal identities compute the same, as long as
    the sources of the package's kernels are the same.

    Returns
    -------
    str or None
        None if the value depends on other code than the package's kernels.

    Raises
    ------
    TypeError
        If the value is neither a constant nor callable.
    """
    if isinstance(value, _CONSTANTS):
        return f"{type(value).__name__}({value!r})"
    if not callable(value):
        raise TypeError(f"kernels close over functions, numbers and strings only, not {value!r}")
    function = python_function(value)
    if not isinstance(function, FunctionType) or not _is_in_the_stamp(function):
        return None
    closed_over = [identity_of(cell.cell_contents) for cell in function.__closure__ or ()]
    if None in closed_over:
        return None
    code = _describe_code(function.__code__)
    return repr((function.__module__, function.__qualname__, code, closed_over))


def python_function(value):
    """Return the Python function behind one of Numba's objects, or ``value`` itself."""
    return value.__wrapped__ if type(value).__module__.startswith("numba.") else value


def _is_in_the_stamp(function):
    """Return whether :func:`stamp` covers the source of a function."""
    package, *folders = function.__module__.split(".")
    is_own = package == __package__.partition(".")[0]
    return is_own and bool(folders) and folders[0] in FOLDERS_OF_KERNELS


def _describe_code(code):
    """Return what a function does, without where it stands: lambdas have no other name."""
    constants = [
        _describe_code(constant) if isinstance(constant, CodeType) else repr(constant)
        for constant in code.co_consts
    ]
    return code.co_code.hex(), constants, code.co_names, code.co_freevars


def stamp():
    """Return a hash of what shapes all compiled code: sources, versions, Numba's options."""
    digest = hashlib.sha256()
    for folder in FOLDERS_OF_KERNELS:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            digest.update(path.relative_to(PACKAGE).as_posix().encode())
            digest.update(path.read_bytes())
    versions = [module.__version__ for module in (numba, llvmlite, np, scipy)]
    options = [str(getattr(config, name)) for name in _OPTIONS]
    digest.update(repr((sys.version, versions, options)).encode())
    return digest.hexdigest()


# Taken at import: later edits of the files do not change what this process runs.
STAMP = stamp()


# ---- files -------------------------------------------------------------------------------------


class GuardedCache:
    """Numba's cache interface over checksummed files; every failure means "compile instead".

    Parameters
    ----------
    function : function of this package
    """

    def __init__(self, function):
        self._identity = identity_of(function)
        name = re.sub(r"[^\w.]+", "-", f"{function.__module__}.{function.__qualname__}")
        self._prefix = f"sknn-{name[:150].rstrip('-')}"  # file names may have 255 bytes

    @property
    def cache_path(self):
        """Folder of the cache, or None where nothing is writable."""
        return cache_directory()

    def enable(self):
        """Do nothing: part of Numba's interface, but this cache is always on."""

    def disable(self):
        """Do nothing: part of Numba's interface, but this cache is always on."""

    def flush(self):
        """Remove every file of this kernel."""
        if self.cache_path is not None:
            for path in Path(self.cache_path).glob(f"{self._prefix}-*.nbc"):
                path.unlink(missing_ok=True)

    def load_overload(self, signature, target_context):
        """Return the compiled kernel from disk, or None."""
        target_context.refresh()
        try:
            path = self._path(signature, target_context.codegen())
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        except Exception as error:
            return warn_once("read", error)
        try:
            payload = raw[_DIGEST_SIZE:]
            if hashlib.sha256(payload).digest() != raw[:_DIGEST_SIZE]:
                raise ValueError("its checksum does not match")
            compiled = compiler.CompileResult._rebuild(target_context, *pickle.loads(payload))
        except Exception as error:
            return warn_once("read", error)
        _mark_used(path)
        return compiled

    def save_overload(self, signature, compiled):
        """Write the compiled kernel, atomically, so that no reader ever sees half a file."""
        temporary = None
        try:
            path = self._path(signature, compiled.codegen)
            payload = dumps(compiled._reduce())
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".sknn-{os.getpid()}-{uuid.uuid4().hex}")
            temporary.write_bytes(hashlib.sha256(payload).digest() + payload)
            os.replace(temporary, path)
            remove_unused_files(path.parent)
        except Exception as error:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            warn_once("written", error)

    def _path(self, signature, codegen):
        directory = cache_directory()
        if directory is None:
            raise PermissionError("no writable folder; set NUMBA_CACHE_DIR to one")
        identity = (STAMP, str(signature), codegen.magic_tuple(), self._identity)
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
        return Path(directory) / f"{self._prefix}-{digest}.nbc"


def _mark_used(path):
    """Set the time of a file to now, at most once a day, so that loading rarely writes."""
    with contextlib.suppress(OSError):  # a read-only folder, from which nobody removes files either
        if time.time() - path.stat().st_mtime > _SECONDS_A_DAY:
            os.utime(path)


@functools.cache  # once a process is enough
def remove_unused_files(directory):
    """Remove the cache's files in ``directory`` that nobody has used for 30 days."""
    oldest = time.time() - _DAYS_KEPT * _SECONDS_A_DAY
    for pattern in ("sknn-*.nbc", ".sknn-*"):  # the latter from processes that were killed
        for path in directory.glob(pattern):
            with contextlib.suppress(OSError):  # another process was faster, or has it open
                if path.stat().st_mtime < oldest:
                    path.unlink()


@functools.cache
def cache_directory():
    """Return the first writable folder among the candidates, or None.

    They are NUMBA_CACHE_DIR alone if it is set, else the package's __pycache__ and the user's cache
    folder.
    """
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    candidates = [PACKAGE / "__pycache__", Path(user, "sknn")]
    if config.CACHE_DIR:
        candidates = [Path(config.CACHE_DIR)]
    for directory in candidates:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                return directory
        except OSError:
            continue
    return None


_warned = threading.Event()


def warn_once(action, error):
    """Warn of the first fault of the cache in this process; later ones have the same cause."""
    if not _warned.is_set():
        _warned.set()
        warn_user(
            f"the compile cache could not be {action} ({type(error).__name__}: {error}); "
            "kernels are compiled in this process",
            RuntimeWarning,
        )
