"""Compilation: the one decorator and the addresses of kernels.

Every kernel is decorated with :func:`jit` and nothing else, so that all share one set of options:

- ``nogil``, so that threads train side by side;
- ``error_model="numpy"``, because a division that may raise keeps LLVM from vectorizing its loop;
- no reference counts, which kernels that only read and write their arguments do not need: they
  took half the time of small steps;
- fast-math without ``nnan`` and ``ninf``, because divergence is found by looking for NaN.
  ``reassoc`` lets sums be vectorized but ties their last bits to the vector width, so only sums
  that never reach a weight ask for it.

Compilation is lazy, and compiled code is kept on disk, see :mod:`cache`. ``NUMBA_DISABLE_JIT=1``
runs all kernels as plain Python.
"""

import contextlib
import functools
import gc
import hashlib
import signal
import threading
from types import FunctionType

import numba
from numba import types
from numba.core import config
from numba.core.errors import NumbaError
from numba.extending import overload, register_jitable

from .cache import GuardedCache, identity_of, python_function
from .pipeline import LinkedCompiler, RootCompiler
from .progress import compilation_report

INTERPRETED = bool(config.DISABLE_JIT)
MOST_THREADS = config.NUMBA_NUM_THREADS

_FASTMATH = ("contract", "nsz")
_OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
_INTERNAL = {"no_cpython_wrapper": True}


# ---- the decorator -----------------------------------------------------------------------------


def jit(function=None, *, entry=False, reassociate=False, inline=False, internal=False):
    """Compile ``function`` lazily, with the package's options.

    It may be a closure over functions of the package and plain constants; then it gets a qualified
    name of its own, see :func:`name_closure`.

    Parameters
    ----------
    function : callable
    entry : bool, default=False
        Set it for kernels that are called from Python: their compiled code is kept on disk, with
        all that they call. (Kernels that are called by address are kept too; see :mod:`kinds`.)
    reassociate : bool, default=False
        Let LLVM reorder sums, for loops whose result no weight depends on.
    inline : bool, default=False
        Only kernels call it, and it is inlined wherever that is: for small helpers.
    internal : bool, default=False
        Only kernels call it. Then it becomes a part of their machine code, see :mod:`pipeline`.
    """
    if function is None:
        return functools.partial(
            jit, entry=entry, reassociate=reassociate, inline=inline, internal=internal
        )
    if INTERPRETED:
        return function
    name_closure(function)
    fastmath = {*_FASTMATH, "reassoc"} if reassociate else set(_FASTMATH)
    own = {"forceinline": inline, "pipeline_class": LinkedCompiler, **_INTERNAL}
    own = own if internal or inline else {"pipeline_class": RootCompiler}
    dispatcher = numba.njit(fastmath=fastmath, **_OPTIONS, **own)(function)
    if entry:
        _set_private(dispatcher, "compile", _compiling()(dispatcher.compile))
        keep_on_disk(dispatcher)
    return dispatcher


def portable(function):
    """Let kernels call ``function``, which stays a plain Python function.

    For arithmetic on integers that Python needs as well, at no cost in compilation.
    """
    if INTERPRETED:
        return function
    return register_jitable(pipeline_class=LinkedCompiler, **_OPTIONS, **_INTERNAL)(function)


def name_closure(function):
    """Add what ``function`` closes over to its qualified name.

    Numba names compiled functions after the qualified name and a number that counts functions in
    the process. Two closures of one factory, compiled by two processes, may so get the same name,
    and a third process that loads both from disk would run one in place of the other. The added
    hash makes names unique, the names in front of it are for people.
    """
    identity = identity_of(function)
    if not function.__closure__ or identity is None:  # users' functions are not kept on disk
        return
    values = (python_function(cell.cell_contents) for cell in function.__closure__)
    names = [value.__name__ for value in values if isinstance(value, FunctionType)]
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    function.__qualname__ += f"[{', '.join([*names, digest])}]"


def scalar(function):
    """Make a user's function of one number callable from kernels.

    What Numba knows itself, like ``math.sin``, already is.
    """
    if INTERPRETED or not isinstance(function, FunctionType):
        return function
    options = _OPTIONS | {"_nrt": True}  # it may use lists and arrays
    return numba.njit(fastmath=set(_FASTMATH), **options)(function)


def by_precision(single, double, interpreted):
    """Return a scalar function for kernels that depends on the type of its argument.

    Parameters
    ----------
    single, double : function
        What to compute for float32 and for float64: plain functions of one number, inlined into
        the loops that use them, which LLVM then vectorizes.
    interpreted : callable
        What to compute under ``NUMBA_DISABLE_JIT=1``.
    """
    if INTERPRETED:
        return interpreted

    def function(x):
        # Naming the two makes them part of the closure, and so of the function's identity.
        raise NotImplementedError(f"{single} and {double} are for compiled kernels only")

    own = {"fastmath": set(_FASTMATH), "forceinline": True, "pipeline_class": LinkedCompiler}

    @overload(function, jit_options=_OPTIONS | _INTERNAL | own)
    def choose(x):
        return {types.float32: single, types.float64: double}.get(x)

    return function


# ---- kernels by address ------------------------------------------------------------------------

interpreted_kernels = []  # with NUMBA_DISABLE_JIT=1 an address is an index into this table


def interpreted_address(kernel):
    """Return the number of an interpreted kernel, from 1, since address 0 means none."""
    interpreted_kernels.append(kernel)
    return len(interpreted_kernels)


def compiled_address(kernel, signature):
    """Compile or load ``kernel`` for a tuple of Numba types and return its address.

    See :class:`kinds.Kind`, whose methods are the callers.
    """
    compiled = compile_kernel(root(kernel), signature)
    return compiled.library.get_pointer_to_function(compiled.fndesc.mangled_name)


def compiled_function(kernel, signature):
    """Compile or load ``kernel`` for calls from Python with such arguments, and return it."""
    compile_kernel(kernel, signature)
    return kernel


@functools.cache
def root(kernel):
    """Return the kernel to be called by address: with code of its own, but no wrappers for calls
    from Python, which would cost a third of the compilation.
    """
    options = {name: kernel.targetoptions[name] for name in ("fastmath", *_OPTIONS)}
    return numba.njit(pipeline_class=RootCompiler, **options, **_INTERNAL)(kernel.py_func)


def compile_kernel(dispatcher, signature):
    """Compile or load a kernel for a tuple of Numba types; return Numba's CompileResult."""
    try:
        with _compiling():
            keep_on_disk(dispatcher)
            if not isinstance(dispatcher._cache, GuardedCache):
                compilation_report.begin_kernel(can_be_kept=False)
            dispatcher.compile(signature)
    except NumbaError as error:
        name = dispatcher.py_func.__qualname__
        raise ValueError(f"{name} cannot be compiled for {signature}: {error}") from error
    return dispatcher.overloads[signature]


def keep_on_disk(dispatcher):
    """Give a kernel the cache on disk, unless it depends on code that the stamp does not cover."""
    if identity_of(dispatcher.py_func) is not None:
        variant = (
            "by address" if "no_cpython_wrapper" in dispatcher.targetoptions else "from Python"
        )
        _set_private(dispatcher, "_cache", GuardedCache(dispatcher.py_func, variant))


def _set_private(dispatcher, name, value):
    """Set a private attribute of Numba's, which must exist: a new one would have no effect."""
    if not hasattr(dispatcher, name):
        raise AttributeError(
            f"Numba {numba.__version__} has renamed {type(dispatcher).__name__}.{name}, which "
            "sknn/_compiled/jit.py sets; please report this, and use an earlier release of Numba"
        )
    setattr(dispatcher, name, value)


# ---- while Numba compiles ----------------------------------------------------------------------


@contextlib.contextmanager
def _compiling():
    """Compile in the block: without interrupts, and with a report of what takes long."""
    with interrupts_held_back(), compilation_report.compiling(), _no_garbage_collection():
        yield


@contextlib.contextmanager
def _no_garbage_collection():
    """Collect no garbage in the block: it takes a tenth of the time of compilation.

    What the block leaves behind is mostly kept for ever. It counts as old then, or the next
    collections would look through it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_freeze_count() == 0:  # else the user has frozen objects, which are to stay so
                gc.freeze()
                gc.unfreeze()
            gc.enable()


@contextlib.contextmanager
def interrupts_held_back():
    """Defer Ctrl-C (SIGINT) while Numba compiles: LLVM's callbacks would swallow it."""
    handler = signal.getsignal(signal.SIGINT)
    held = []
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    signal.signal(signal.SIGINT, lambda *call: held.append(call))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            handler(*held[0])
