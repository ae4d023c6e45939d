"""What Numba's language lacks, as LLVM intrinsics: calls by address, matrix products, flushing of denormals.

Each has a plain Python twin for ``NUMBA_DISABLE_JIT=1``.
"""

import ctypes
import platform

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

from . import _jit

# ---- calls by address ------------------------------------------------------------------------------------------------


def _call_codegen(argument_types):
    def codegen(context, builder, signature, values):
        function_type = context.call_conv.get_function_type(types.none, argument_types)
        function = builder.inttoptr(values[0], ir.PointerType(function_type))
        arguments = cgutils.unpack_tuple(builder, values[1])
        status, _ = context.call_conv.call_function(builder, function, types.none, argument_types, arguments)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return codegen


@intrinsic
def _call(typing_context, address, *arguments):
    argument_types = tuple(arguments[0]) if isinstance(arguments[0], types.BaseTuple) else tuple(arguments)
    signature = types.void(types.int64, types.StarArgTuple(argument_types))
    return signature, _call_codegen(argument_types)


def _call_interpreted(address, *arguments):
    _jit._interpreted_kernels[address - 1](*arguments)


call = _call_interpreted if _jit.INTERPRETED else _call


# ---- matrix products -------------------------------------------------------------------------------------------------
# SciPy's BLAS, the one that scikit-learn itself uses, entered through the functions that SciPy exports for Cython. The symbols must
# be known to LLVM before any cached kernel is loaded, so this happens at import.


def _register_blas():
    """Make SciPy's gemm known to LLVM; False where its integers are not C ints (then products are loops)."""
    from scipy.linalg import cython_blas

    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    for symbol in ("sgemm", "dgemm"):
        declaration = get_name(cython_blas.__pyx_capi__[symbol]).decode()
        if declaration.count("int *") != 6:
            return False
        llvmlite.binding.add_symbol(
            f"sknn_{symbol}", get_cython_function_address("scipy.linalg.cython_blas", symbol)
        )
    return True


HAS_BLAS = _register_blas() and not _jit.INTERPRETED


@intrinsic
def _blas_gemm(typing_context, trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    scalar = c.dtype
    symbol = {types.float32: "sknn_sgemm", types.float64: "sknn_dgemm"}[scalar]
    integers = (types.int64,) * 5
    signature = types.void(*integers, a, types.int64, b, types.int64, scalar, c, types.int64)

    def codegen(context, builder, signature, values):
        trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc = values
        int32, char = ir.IntType(32), ir.IntType(8)
        real = context.get_value_type(scalar)

        def reference(value, kind):
            value = builder.trunc(value, kind) if isinstance(kind, ir.IntType) else value
            return cgutils.alloca_once_value(builder, value)

        def data(array_type, value):
            return context.make_array(array_type)(context, builder, value).data

        types_a, types_b, types_c = signature.args[5], signature.args[7], signature.args[10]
        # Row-major C = A B is column-major C' = B' A'.
        arguments = [
            reference(trans_b, char), reference(trans_a, char),
            reference(n, int32), reference(m, int32), reference(k, int32),
            reference(ir.Constant(real, 1.0), real),
            data(types_b, b), reference(ldb, int32), data(types_a, a), reference(lda, int32),
            reference(beta, real), data(types_c, c), reference(ldc, int32),
        ]  # fmt: skip
        function_type = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(builder.module, function_type, symbol)
        builder.call(function, arguments)
        return context.get_dummy_value()

    return signature, codegen


_N, _T = ord("N"), ord("T")


@_jit.jit
def _loop_gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    a_row, a_column = (1, lda) if trans_a == _T else (lda, 1)
    b_row, b_column = (1, ldb) if trans_b == _T else (ldb, 1)
    for i in range(m):
        row = c[i * ldc : i * ldc + n]
        for j in range(n):
            row[j] = beta * row[j] if beta != 0 else 0
        for p in range(k):
            factor = a[i * a_row + p * a_column]
            for j in range(n):
                row[j] += factor * b[p * b_row + j * b_column]


gemm = _blas_gemm if HAS_BLAS else _loop_gemm
"""Compute ``C = op(A) op(B) + beta C`` on row-major blocks of larger matrices.

``trans_a`` and ``trans_b`` are ``ord("N")`` or ``ord("T")``; ``a``, ``b`` and ``c`` are contiguous vectors that start at the block's
first element; ``lda``, ``ldb`` and ``ldc`` are the lengths of a whole row in memory; op(A) is m x k, op(B) k x n.
"""


# ---- denormals -------------------------------------------------------------------------------------------------------
# Moments of weights that no longer receive gradient decay into denormal numbers, on which x86 is many times slower.

_FLUSH_TO_ZERO = 0x8040  # the control register's bits "flush to zero" and "denormals are zero"
_IS_X86 = platform.machine().lower() in {"x86_64", "amd64", "x64"}


@intrinsic
def _swap_control(typing_context, control, keep):
    """Set the floating-point control register to ``control`` (or-ed to its value if ``keep``); return what it was."""

    def codegen(context, builder, signature, values):
        int32 = ir.IntType(32)
        if not _IS_X86:
            return ir.Constant(int32, 0)
        void, pointer = ir.VoidType(), ir.IntType(8).as_pointer()
        slot = cgutils.alloca_once(builder, int32)
        raw = builder.bitcast(slot, pointer)

        def emit(name):
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(void, [pointer]), name)
            builder.call(function, [raw])

        emit("llvm.x86.sse.stmxcsr")
        before = builder.load(slot)
        after = builder.select(cgutils.is_true(builder, values[1]), builder.or_(before, values[0]), values[0])
        builder.store(after, slot)
        emit("llvm.x86.sse.ldmxcsr")
        return before

    return types.uint32(types.uint32, types.boolean), codegen


def _flush_interpreted():
    return np.uint32(0)


def _restore_interpreted(control):
    return None


@_jit.jit(inline=True)
def _flush_compiled():
    return _swap_control(np.uint32(_FLUSH_TO_ZERO), True)


@_jit.jit(inline=True)
def _restore_compiled(control):
    _swap_control(control, False)


flush_denormals = _flush_interpreted if _jit.INTERPRETED else _flush_compiled
"""Treat denormals as zero in this thread from here on; returns what :func:`restore_denormals` takes."""

restore_denormals = _restore_interpreted if _jit.INTERPRETED else _restore_compiled
"""Give this thread its floating-point mode back."""
