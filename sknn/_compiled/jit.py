"""Compilation: the one decorator, kernels' addresses, and the guarded compile cache.

Every kernel is decorated with :func:`jit` and nothing else, so that all share one set of options:

- ``nogil``, so that threads train side by side;
- ``error_model="numpy"``, because a division that may raise keeps LLVM from vectorising its loop;
- no reference counts, which kernels that only read and write what they are given do not need: they
  took half the time of small steps;
- fast-math without ``nnan`` and ``ninf``, because divergence is found by looking for NaN.
  ``reassoc`` lets sums be
  vectorised but ties their last bits to the vector width, so only sums that never reach a weight
  ask for it.

Compilation is lazy. Compiled code is kept on disk, one file for each kernel and signature, named by
a hash of the signature, the processor, the sources of the whole package, the options and the
versions of everything that shapes code. A file starts with its checksum. Whatever goes wrong with
it (missing, truncated, flipped bits, full disk, nothing writable), one warning is given and the
kernel is compiled: a cache must never be the reason why a fit fails.

``NUMBA_DISABLE_JIT=1`` runs all of it as plain Python; ``NUMBA_CACHE_DIR`` moves the cache.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import sys
import tempfile
import threading
import uuid
from pathlib import Path
from types import FunctionType

import llvmlite
import numba
import numpy as np
import scipy
from numba import types
from numba.core import compiler, config
from numba.core.errors import NumbaError
from numba.core.serialize import dumps
from numba.extending import overload, register_jitable

from .._warnings import warn_user
from .interrupts import interrupts_held_back

INTERPRETED = bool(config.DISABLE_JIT)
PACKAGE = Path(__file__).resolve().parent.parent

_FASTMATH = ("contract", "nsz")
_OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}
_INTERNAL = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_DIGEST_SIZE = hashlib.sha256().digest_size


def jit(function=None, *, entry=False, reassociate=False, inline=False, internal=False):
    """Compile ``function`` lazily, with the package's options.

    Parameters
    ----------
    function : callable
    entry : bool, default=False
        It is called from Python, so its compiled code is kept on disk, with all that it calls.
        (Kernels that are called by address are kept too; see :mod:`kinds`.)
    reassociate : bool, default=False
        Let LLVM reorder sums, for loops whose result no weight depends on.
    inline : bool, default=False
        Compile it only into its callers: for small helpers, which then cost no compilation of their
        own.
    internal : bool, default=False
        Only kernels call it: the ways in from Python, which unpack NamedTuples, would cost a third
        of the compilation.
    """
    if function is None:
        return functools.partial(
            jit, entry=entry, reassociate=reassociate, inline=inline, internal=internal
        )
    if INTERPRETED:
        return function
    fastmath = {*_FASTMATH, "reassoc"} if reassociate else set(_FASTMATH)
    options = _OPTIONS | (_INTERNAL if internal else {})
    dispatcher = numba.njit(fastmath=fastmath, inline="always" if inline else "never", **options)(
        function
    )
    if entry:
        dispatcher.compile = interrupts_held_back()(dispatcher.compile)
        _kept_on_disk(dispatcher)
    return dispatcher


def portable(function):
    """Let kernels call ``function``, which stays a plain Python function.

    For arithmetic on integers that Python needs as well, at no cost in compilation.
    """
    if INTERPRETED:
        return function
    return register_jitable(**_OPTIONS, **_INTERNAL)(function)


def scalar(function):
    """Make a user's function of one number callable from kernels; what Numba knows itself, like
    ``math.sin``, already is.
    """
    if INTERPRETED or not isinstance(function, FunctionType):
        return function
    return numba.njit(fastmath=set(_FASTMATH), **_OPTIONS | {"_nrt": True})(
        function
    )  # it may use lists and arrays


def _kept_on_disk(dispatcher):
    function = dispatcher.py_func
    # The stamp knows the package's sources; closures and users' own functions depend on more.
    if (
        function.__closure__ is None
        and function.__module__.split(".")[0] == __package__.split(".")[0]
    ):
        dispatcher._cache = GuardedCache(function)
    return dispatcher


MOST_THREADS = config.NUMBA_NUM_THREADS


# ---- kernels by address ------------------------------------------------------------------------

interpreted_kernels = []  # with NUMBA_DISABLE_JIT=1 an address is an index into this table


@functools.cache
def compiled_address(kernel, signature):
    """Compile or load ``kernel`` for a tuple of Numba types and return its address.

    See :class:`kinds.Kind`, whose methods are the callers.
    """
    if INTERPRETED:
        interpreted_kernels.append(kernel)
        return len(interpreted_kernels)  # from 1, since address 0 means none
    try:
        with interrupts_held_back():
            _kept_on_disk(kernel).compile(signature)
    except NumbaError as error:
        raise ValueError(
            f"{kernel.py_func.__qualname__} cannot be compiled for {signature}: {error}"
        ) from error
    compiled = kernel.overloads[signature]
    return compiled.library.get_pointer_to_function(compiled.fndesc.mangled_name)


def by_precision(single, double, interpreted):
    """Return a scalar function for kernels: ``single`` for float32 arguments, ``double`` for
    float64.

    Both are plain functions of one number, compiled into the loops that use them, which LLVM then
    vectorises.
    """
    if INTERPRETED:
        return interpreted

    def function(x):
        raise NotImplementedError("only for compiled kernels")

    @overload(function, inline="always", jit_options={"fastmath": set(_FASTMATH), **_OPTIONS})
    def choose(x):
        return {types.float32: single, types.float64: double}.get(x)

    return function


# ---- the guarded cache -------------------------------------------------------------------------


class GuardedCache:
    """Numba's cache interface over checksummed files; every failure means "compile instead"."""

    def __init__(self, function):
        self._function = function

    @property
    def cache_path(self):
        """Folder of the cache, or None where nothing is writable."""
        return cache_directory()

    def enable(self):
        """Part of Numba's interface; this cache is always on."""

    def disable(self):
        """Part of Numba's interface; this cache is always on."""

    def flush(self):
        """Remove every file of this kernel."""
        if self.cache_path is not None:
            for path in Path(self.cache_path).glob(f"{self._prefix()}-*.nbc"):
                path.unlink(missing_ok=True)

    def load_overload(self, signature, target_context):
        """Return the compiled kernel from disk, or None."""
        target_context.refresh()
        try:
            raw = self._path(signature, target_context.codegen()).read_bytes()
        except FileNotFoundError:
            return None
        except Exception as error:
            return warn_once("read", error)
        try:
            payload = raw[_DIGEST_SIZE:]
            if hashlib.sha256(payload).digest() != raw[:_DIGEST_SIZE]:
                raise ValueError("its checksum does not match")
            return compiler.CompileResult._rebuild(target_context, *pickle.loads(payload))
        except Exception as error:
            return warn_once("read", error)

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
        except Exception as error:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            warn_once("written", error)

    def _prefix(self):
        return f"sknn-{self._function.__module__}.{self._function.__qualname__}"

    def _path(self, signature, codegen):
        identity = (STAMP, str(signature), codegen.magic_tuple(), self._function.__code__.co_code)
        directory = cache_directory()
        if directory is None:
            raise PermissionError("no writable folder; set NUMBA_CACHE_DIR to one")
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
        return Path(directory) / f"{self._prefix()}-{digest}.nbc"


def stamp():
    """Hash everything that shapes compiled code: the package's sources, versions, options."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    versions = [module.__version__ for module in (numba, llvmlite, np, scipy)]
    options = (
        sys.version,
        versions,
        sorted(_OPTIONS.items()),
        _FASTMATH,
        config.BOUNDSCHECK,
        str(config.OPT),
    )
    digest.update(repr(options).encode())
    return digest.hexdigest()


STAMP = (
    stamp()
)  # at import, so that it is of the sources that this process runs, whatever happens to them later


@functools.cache
def cache_directory():
    """Return the first folder that can be written: NUMBA_CACHE_DIR, the package's __pycache__, the
    user's cache.
    """
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    candidates = (
        [config.CACHE_DIR] if config.CACHE_DIR else [PACKAGE / "__pycache__", Path(user, "sknn")]
    )
    for directory in map(Path, candidates):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                return directory
        except OSError:
            continue
    return None


_warned = threading.Event()


def warn_once(action, error):
    """Warn of the first fault of the cache in this process; later ones are the same story."""
    if not _warned.is_set():
        _warned.set()
        warn_user(
            f"the compile cache could not be {action} ({type(error).__name__}: {error}); kernels "
            "are compiled in this process",
            RuntimeWarning,
        )
