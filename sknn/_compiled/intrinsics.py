"""What Numba's language lacks, as LLVM intrinsics: calls by address, places in vectors, NumPy's
random bits, flushing of denormals, atomic counters.

Each has a plain Python twin for ``NUMBA_DISABLE_JIT=1``, but for random bits, which NumPy then
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

# ---- places in vectors --------------------------------------------------------------------------
# A vector takes seven registers to be handed on, a place in it one.


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
"""Return the place of a vector's element ``offset``, or the place so many elements behind another
one.

Kernels may hand places on and read there, but not write: Numba may take that for dead code.
"""


@jit.jit(inline=True)
def part(vector, offset, size):
    """Return ``size`` elements of a vector."""
    return vector[offset : offset + size]


# ---- random numbers ----------------------------------------------------------------------------


@intrinsic
def draw(typing_context, next_uint32, state):
    """Return the next 32 random bits of a bit generator, by the addresses of its function and its
    state.
    """

    def codegen(context, builder, signature, values):
        pointer = ir.IntType(8).as_pointer()
        function = builder.inttoptr(
            values[0], ir.FunctionType(ir.IntType(32), [pointer]).as_pointer()
        )
        return builder.call(function, [builder.inttoptr(values[1], pointer)])

    return types.uint32(types.int64, types.int64), codegen


# ---- denormals ---------------------------------------------------------------------------------
# Moments of weights that no longer receive gradient decay into denormal numbers, on which x86 is
# many times slower.

_FLUSH_TO_ZERO = 0x8040  # the control register's bits "flush to zero" and "denormals are zero"
_IS_X86 = platform.machine().lower() in {"x86_64", "amd64", "x64"}


@intrinsic
def _swap_control(typing_context, control, keep):
    """Set the floating-point control register to ``control`` (or-ed to its value if ``keep``);
    return what it was.
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
"""Treat denormals as zero in this thread from here on; returns what :func:`restore_denormals`
takes."""

restore_denormals = _restore_interpreted if jit.INTERPRETED else _restore_compiled
"""Give this thread its floating-point mode back."""


# ---- threads -----------------------------------------------------------------------------------


def _yield_address():
    """Return the address of the system's function; cached kernels look it up under the name that it
    is given here.
    """
    library = ctypes.CDLL("kernel32") if sys.platform == "win32" else ctypes.CDLL(None)
    function = library.SwitchToThread if sys.platform == "win32" else library.sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value


current_core = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None
"""Return the number of the core that the calling thread runs on; None where the system has no such
function."""

llvmlite.binding.add_symbol("sknn_yield_thread", _yield_address())


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
"""Add to an element of a vector of int64; return what it was. What was written before is seen by
whoever reads the sum after."""

atomic_load = _atomic_load_interpreted if jit.INTERPRETED else _atomic_load
"""Return an element of a vector of int64 that other threads change."""

pause = _do_nothing if jit.INTERPRETED else _pause
"""Wait for a few cycles of the processor."""

yield_thread = _do_nothing if jit.INTERPRETED else _yield_thread
"""Let another thread have the core, if one wants it."""
