"""LLVM intrinsics for what Numba lacks.

These are pointers into vectors, NumPy's random bits, flushing of denormals, and atomic counters.
Each has a plain Python twin for ``NUMBA_DISABLE_JIT=1``, except for random bits, which NumPy then
draws itself.
"""

import ctypes
import platform
import sys

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import jit

# ---- pointers into vectors ----------------------------------------------------------------------
# Passing a vector to a function takes seven registers, passing a pointer one.


@intrinsic
def _at(typing_context, vector, offset):
    def codegen(context, builder, signature, values):
        start, offset = values
        if isinstance(vector, types.Array):
            start = context.make_array(vector)(context, builder, start).data
        return builder.gep(start, [offset])

    return types.CPointer(vector.dtype)(vector, types.int64), codegen


def _at_interpreted(vector, offset):
    return vector[offset:]


at = _at_interpreted if jit.INTERPRETED else _at
"""Return a pointer to element ``offset`` of a vector, or ``offset`` elements after a pointer.

Kernels may pass pointers on and read through them, but not write: Numba may remove such writes as
dead code. Interpreted, it is the rest of the vector.
"""


# Slices of Numba's own treat negative bounds and bounds beyond the end: much code for every kernel.


@intrinsic
def _segment(typing_context, vector, offset, size):
    def codegen(context, builder, signature, values):
        vector, offset, size = values
        return _make_vector(context, builder, signature.args[0], vector, offset, size)

    return vector(vector, types.int64, types.int64), codegen


@intrinsic
def _tail(typing_context, vector, offset):
    def codegen(context, builder, signature, values):
        vector, offset = values
        whole = context.make_array(signature.args[0])(context, builder, vector)
        size = builder.sub(whole.nitems, offset)
        return _make_vector(context, builder, signature.args[0], vector, offset, size)

    return vector(vector, types.int64), codegen


def _make_vector(context, builder, kind, vector, offset, size):
    """Emit code that makes a vector of ``size`` elements, from ``offset`` on, of another one."""
    make = context.make_array(kind)
    whole = make(context, builder, vector)
    part = make(context, builder)
    part.meminfo = cgutils.get_null_value(part.meminfo.type)
    part.parent = cgutils.get_null_value(part.parent.type)
    part.nitems = size
    part.itemsize = whole.itemsize
    part.data = builder.gep(whole.data, [offset])
    part.shape = cgutils.pack_array(builder, [size])
    part.strides = whole.strides
    return part._getvalue()


def _segment_interpreted(vector, offset, size):
    return vector[offset : offset + size]


segment = _segment_interpreted if jit.INTERPRETED else _segment
"""Return ``size`` elements of a vector, which must have them."""

tail = _at_interpreted if jit.INTERPRETED else _tail
"""Return a vector from an element on."""


# ---- random numbers ----------------------------------------------------------------------------


@intrinsic
def draw(typing_context, next_uint32, state):
    """Return the next 32 random bits of one of NumPy's bit generators.

    Parameters
    ----------
    next_uint32, state : int64
        Addresses of the generator's function and of its state.
    """

    def codegen(context, builder, signature, values):
        pointer = ir.IntType(8).as_pointer()
        function = builder.inttoptr(
            values[0], ir.FunctionType(ir.IntType(32), [pointer]).as_pointer()
        )
        return builder.call(function, [builder.inttoptr(values[1], pointer)])

    return types.uint32(types.int64, types.int64), codegen


# ---- denormals ---------------------------------------------------------------------------------
# An optimizer's moments of weights that no longer receive a gradient decay into denormal numbers,
# with which x86 processors compute many times more slowly.

_FLUSH_TO_ZERO = 0x8040  # the control register's bits "flush to zero" and "denormals are zero"
_IS_X86 = platform.machine().lower() in {"x86_64", "amd64", "x64"}


@intrinsic
def _swap_control(typing_context, control, keep):
    """Set the floating-point control register and return its previous value.

    Parameters
    ----------
    control : uint32
        Bits to set.
    keep : bool
        Whether to leave the other bits as they are, instead of clearing them.
    """

    def codegen(context, builder, signature, values):
        int32 = ir.IntType(32)
        if not _IS_X86:
            return ir.Constant(int32, 0)
        void = ir.VoidType()
        pointer = ir.IntType(8).as_pointer()
        slot = cgutils.alloca_once(builder, int32)
        raw = builder.bitcast(slot, pointer)

        def emit(name):
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(void, [pointer]), name
            )
            builder.call(function, [raw])

        emit("llvm.x86.sse.stmxcsr")
        before = builder.load(slot)
        after = builder.select(
            cgutils.is_true(builder, values[1]), builder.or_(before, values[0]), values[0]
        )
        builder.store(after, slot)
        emit("llvm.x86.sse.ldmxcsr")
        return before

    return types.uint32(types.uint32, types.boolean), codegen


def _flush_interpreted():
    return np.uint32(0)


def _restore_interpreted(control):
    return None


@jit.jit(inline=True)
def _flush_compiled():
    return _swap_control(np.uint32(_FLUSH_TO_ZERO), True)


@jit.jit(inline=True)
def _restore_compiled(control):
    _swap_control(control, False)


flush_denormals = _flush_interpreted if jit.INTERPRETED else _flush_compiled
"""Treat denormals as zero in this thread from now on; return the argument that
:func:`restore_denormals` takes."""

restore_denormals = _restore_interpreted if jit.INTERPRETED else _restore_compiled
"""Restore this thread's floating-point mode."""


# ---- threads -----------------------------------------------------------------------------------


def _yield_address():
    """Return the address of the system's function that yields the core to another thread."""
    library = ctypes.CDLL("kernel32") if sys.platform == "win32" else ctypes.CDLL(None)
    function = library.SwitchToThread if sys.platform == "win32" else library.sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value


# Compiled code, also code loaded from disk, finds the function by this name.
llvmlite.binding.add_symbol("sknn_yield_thread", _yield_address())

current_core = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None
"""Return the number of the core on which the calling thread runs; None if the system has no such
function."""


@intrinsic
def _atomic_add(typing_context, array, index, value):
    def codegen(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [values[1]]), values[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), codegen


@intrinsic
def _atomic_load(typing_context, array, index):
    def codegen(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.load_atomic(builder.gep(data, [values[1]]), "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.int64), codegen


@intrinsic
def _pause(typing_context):
    def codegen(context, builder, signature, values):
        if _IS_X86:
            builder.call(
                cgutils.get_or_insert_function(
                    builder.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause"
                ),
                [],
            )
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _yield_thread(typing_context):
    def codegen(context, builder, signature, values):
        function = ir.FunctionType(ir.IntType(32), [])
        builder.call(
            cgutils.get_or_insert_function(builder.module, function, "sknn_yield_thread"), []
        )
        return context.get_dummy_value()

    return types.void(), codegen


def _atomic_add_interpreted(array, index, value):
    array[index] += value
    return array[index] - value


def _atomic_load_interpreted(array, index):
    return array[index]


def _do_nothing():
    return None


atomic_add = _atomic_add_interpreted if jit.INTERPRETED else _atomic_add
"""Add to an element of a vector of int64 and return its previous value.

A thread that reads the sum also sees everything that this thread wrote before.
"""

atomic_load = _atomic_load_interpreted if jit.INTERPRETED else _atomic_load
"""Return an element of a vector of int64 that other threads may change."""

pause = _do_nothing if jit.INTERPRETED else _pause
"""Wait for a few cycles of the processor."""

yield_thread = _do_nothing if jit.INTERPRETED else _yield_thread
"""Let another thread run on this core, if one is waiting."""
