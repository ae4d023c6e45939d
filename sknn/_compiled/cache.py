"""Compiled code kept on disk, guarded against whatever can go wrong with files.

One file holds one kernel, compiled for one signature. Its name ends in a hash of all that shapes
the code: the kernel, the signature, the processor, the sources of all kernels, the versions of the
libraries that take part in compilation, and Numba's options. The file starts with a checksum over
its name and content. Whatever goes wrong with it (missing, truncated, flipped bits, renamed, full
disk, nothing writable), the process warns once and compiles the kernel: a cache must never be the
reason why a fit fails. Where the files are, whose are loaded and when they go is told in
:mod:`cache_folder`.

Only kernels in this package's folders of kernels are kept: the hash covers no other sources. A
kernel may close over functions in these folders and plain constants, which are then part of its
identity.

Nothing is ever overwritten by another version. Several processors, installations and versions may
share one folder, and each finds its own files.
"""

import hashlib
import pickle
import re
import sys
import threading
from pathlib import Path
from types import CodeType, FunctionType

import llvmlite
import numba
import numpy as np
import scipy
from numba.core import compiler, config
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from .._warnings import warn_user
from .cache_folder import FileSet, cache_directory
from .progress import compilation_report

PACKAGE = Path(__file__).resolve().parent.parent

# Kernels, and all that they call or close over, stand in these folders of the package.
FOLDERS_OF_KERNELS = ("_compiled", "_engine", "parts")

_DIGEST_SIZE = hashlib.sha256().digest_size
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
    digest.update(repr((sys.version, versions, _options())).encode())
    return digest.hexdigest()


def installation():
    """Return a hash that stays the same when the package or a library is replaced by a new release.

    Containers and machines that share a cache may have the same path, hence the number of the
    folder.
    """
    place = (str(PACKAGE), PACKAGE.parent.stat().st_ino, sys.prefix, sys.version_info[:2])
    return hashlib.sha256(repr((place, _options())).encode()).hexdigest()[:16]


def _options():
    return [str(getattr(config, name)) for name in _OPTIONS]


# Taken at import: later edits of the files do not change what this process runs.
STAMP = stamp()
FILES = FileSet(STAMP, installation())


# ---- files -------------------------------------------------------------------------------------


class GuardedCache:
    """Numba's cache interface over checksummed files; every failure means "compile instead".

    Parameters
    ----------
    function : function of this package
    variant : str
        Tells apart kernels that are compiled in different ways from one function.
    """

    def __init__(self, function, variant):
        self._identity = variant, identity_of(function)
        name = re.sub(r"[^\w.]+", "-", f"{function.__module__}.{function.__qualname__}")
        self._prefix = name[:150].rstrip("-")  # file names may have 255 bytes

    @property
    def cache_path(self):
        """Folder of the cache, or None if there is no place for it."""
        return cache_directory()

    def enable(self):
        """Do nothing: part of Numba's interface, but this cache is always on."""

    def disable(self):
        """Do nothing: part of Numba's interface, but this cache is always on."""

    def flush(self):
        """Remove every file of this kernel."""
        FILES.remove(f"{self._prefix}-*.nbc")

    def holds(self, signature, target_context):
        """Return whether there is a file of the kernel, compiled for these types."""
        return FILES.holds(self._file_name(signature, target_context.codegen()))

    def load_overload(self, signature, target_context):
        """Return the compiled kernel from disk, or None if it has to be compiled."""
        compiled = self._load(signature, target_context)
        if compiled is None:
            compilation_report.begin_kernel(is_first=FILES.is_empty())
        return compiled

    def _load(self, signature, target_context):
        # Numba's own cache also loads all that is known of types, which takes a tenth of a second;
        # machine code only calls functions of the runtime.
        rtsys.initialize(target_context)
        try:
            name = self._file_name(signature, target_context.codegen())
            raw = FILES.read(name)
            payload = raw[_DIGEST_SIZE:]
            if _checksum(name, payload) != raw[:_DIGEST_SIZE]:
                raise ValueError("its checksum does not match")
            loaded = compiler.CompileResult._rebuild(target_context, *pickle.loads(payload))
            # It has stubs only. Without it, Numba refuses to make the kernel a part of another.
            loaded.library._shared_module = None
            return loaded
        except FileNotFoundError:
            return None
        except Exception as error:
            return warn_once("read", error)

    def save_overload(self, signature, compiled):
        """Write the compiled kernel."""
        try:
            name = self._file_name(signature, compiled.codegen)
            payload = dumps(compiled._reduce())
            FILES.write(name, _checksum(name, payload) + payload)
            compilation_report.keep_kernel()
        except Exception as error:
            warn_once("written", error)

    def _file_name(self, signature, codegen):
        identity = (STAMP, str(signature), codegen.magic_tuple(), self._identity)
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
        return f"{self._prefix}-{digest}.nbc"


def _checksum(name, payload):
    """Return a hash of a file's content and name, so that no file is taken for another one."""
    return hashlib.sha256(name.encode() + payload).digest()


_warned = threading.Event()


def warn_once(action, error):
    """Warn of the first fault of the cache in this process; later ones have the same cause."""
    if not _warned.is_set():
        _warned.set()
        warn_user(
            f"the compile cache could not be {action} ({type(error).__name__}: {error}); "
            "kernels are compiled in this process. NUMBA_CACHE_DIR is where else it can be",
            RuntimeWarning,
        )
