"""Matrix products from register tiles, written as LLVM IR for the vector registers of this processor.

A tile is a block of C of ``rows`` x ``vectors`` registers. It starts from given values (zeros, the intercepts, or C itself) and adds one
outer product after another: a column of A, element by element, times a row of B. So an element of C is one chain of fused
multiply-adds in the order of the inner dimension, whatever tile it falls into: results have the same bits however C is cut
into blocks, shared among threads or batched. Nothing is packed; the rows of B are read where they are.

Against OpenBLAS this is worth a factor of 1.3 to 4 on the small and flat matrices of multi-layer perceptrons.
"""

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import _jit

_INT, _FLAG, _INDEX = ir.IntType(64), ir.IntType(1), ir.IntType(32)
_DEPTH = 1024  # inner dimension a pass: a panel of B stays in the second-level cache


def _vector_unit():
    """Return ``(bytes of a vector register, rows of the largest tile)`` of this processor."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 8
    if features.get("avx2"):
        return 32, 4
    return 16, 8 if features.get("neon") else 4


_REGISTER_BYTES, _MOST_ROWS = _vector_unit()


class _TileBuilder:
    """Emit one tile function: ``rows`` x ``vectors`` registers, the last of them ``masked`` to its first ``rest`` lanes."""

    def __init__(self, module, scalar, rows, vectors, masked):
        self.module, self.rows, self.vectors, self.masked = module, rows, vectors, masked
        self.size = 4 if isinstance(scalar, ir.FloatType) else 8
        self.lanes = _REGISTER_BYTES // self.size
        self.scalar, self.vector = scalar, ir.VectorType(scalar, self.lanes)
        self.tag = f"v{self.lanes}f{8 * self.size}"
        self.name = f"sknn_tile_{rows}x{vectors}{'m' if masked else ''}_{self.tag}"

    def function(self):
        """Return the function, built once a module."""
        known = self.module.globals.get(self.name)
        if known is not None:
            return known
        pointer = self.scalar.as_pointer()
        arguments = [_INT, pointer, _INT, _INT, pointer, _INT, _FLAG, pointer, _INT, pointer, _INT, _INT]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), arguments), self.name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        self._build(function)
        return function

    def _build(self, function):
        depth, a, a_row, a_step, b, b_step, has_start, start, start_row, c, c_row, rest = function.args
        entry, load, loop, body, done = (function.append_basic_block(name) for name in ("entry", "load", "loop", "body", "done"))
        self.ir = ir.IRBuilder(entry)
        self.mask = self._lane_mask(rest) if self.masked else None
        a_rows = [self._at(a, self.ir.mul(a_row, _INT(i))) for i in range(self.rows)]
        self.ir.cbranch(has_start, load, loop)

        self.ir.position_at_end(load)
        started = [[self._load(self._element(start, start_row, i, v), v) for v in self._vectors()] for i in range(self.rows)]
        self.ir.branch(loop)

        self.ir.position_at_end(loop)
        step = self._phi(_INT, [(_INT(0), entry), (_INT(0), load)])
        a_offset = self._phi(_INT, [(_INT(0), entry), (_INT(0), load)])
        b_row = self._phi(b.type, [(b, entry), (b, load)])
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        sums = [[self._phi(self.vector, [(zero, entry), (value, load)]) for value in row] for row in started]
        self.ir.cbranch(self.ir.icmp_signed("<", step, depth), body, done)

        self.ir.position_at_end(body)
        b_vectors = [self._load(self._at(b_row, _INT(v * self.lanes)), v) for v in self._vectors()]
        fma = self._external(f"llvm.fma.{self.tag}", self.vector, [self.vector] * 3)
        for a_start, row in zip(a_rows, sums, strict=True):
            factor = self._spread(self.ir.load(self._at(a_start, a_offset)), self.vector)
            for total, b_vector in zip(row, b_vectors, strict=True):
                total.add_incoming(self.ir.call(fma, [factor, b_vector, total]), body)
        step.add_incoming(self.ir.add(step, _INT(1)), body)
        a_offset.add_incoming(self.ir.add(a_offset, a_step), body)
        b_row.add_incoming(self._at(b_row, b_step), body)
        self.ir.branch(loop)

        self.ir.position_at_end(done)
        for i, row in enumerate(sums):
            for v, total in enumerate(row):
                self._store(total, self._element(c, c_row, i, v), v)
        self.ir.ret_void()

    # ---- pieces ------------------------------------------------------------------------------------------------------

    def _vectors(self):
        return range(self.vectors)

    def _at(self, pointer, offset):
        return self.ir.gep(pointer, [offset])

    def _element(self, pointer, row_length, i, v):
        return self._at(pointer, self.ir.add(self.ir.mul(row_length, _INT(i)), _INT(v * self.lanes)))

    def _phi(self, kind, incoming):
        phi = self.ir.phi(kind)
        for value, block in incoming:
            phi.add_incoming(value, block)
        return phi

    def _spread(self, value, vector):
        """Return a vector with ``value`` in every lane."""
        first = self.ir.insert_element(ir.Constant(vector, ir.Undefined), value, _INDEX(0))
        return self.ir.shuffle_vector(first, first, ir.Constant(ir.VectorType(_INDEX, self.lanes), [0] * self.lanes))

    def _lane_mask(self, rest):
        numbers = ir.VectorType(_INT, self.lanes)
        return self.ir.icmp_signed("<", ir.Constant(numbers, list(range(self.lanes))), self._spread(rest, numbers))

    def _external(self, name, result, arguments):
        return cgutils.get_or_insert_function(self.module, ir.FunctionType(result, arguments), name)

    def _is_masked(self, v):
        return self.masked and v == self.vectors - 1

    def _load(self, pointer, v):
        pointer = self.ir.bitcast(pointer, self.vector.as_pointer())
        if self._is_masked(v):
            arguments = [pointer, _INDEX(self.size), self.mask, ir.Constant(self.vector, [0.0] * self.lanes)]
            load = self._external(f"llvm.masked.load.{self.tag}.p0", self.vector, [argument.type for argument in arguments])
            return self.ir.call(load, arguments)
        value = self.ir.load(pointer)
        value.align = self.size
        return value

    def _store(self, value, pointer, v):
        pointer = self.ir.bitcast(pointer, self.vector.as_pointer())
        if self._is_masked(v):
            arguments = [value, pointer, _INDEX(self.size), self.mask]
            store = self._external(f"llvm.masked.store.{self.tag}.p0", ir.VoidType(), [argument.type for argument in arguments])
            self.ir.call(store, arguments)
            return
        self.ir.store(value, pointer).align = self.size


def _make_tile(rows, vectors, masked):
    @intrinsic
    def tile(typing_context, i, j, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest):
        """Compute the tile of C whose first element is (i, j)."""
        scalar, integer = c.dtype, types.int64
        signature = types.void(*[integer] * 3, a, integer, integer, b, integer, start, integer, c, integer, integer)

        def codegen(context, builder, signature, values):
            i, j, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest = values
            arrays = [
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(np.take(signature.args, [3, 6, 8, 10]), (a, b, start, c), strict=True)
            ]
            has_start = builder.icmp_signed(">", arrays[2].nitems, _INT(0))
            function = _TileBuilder(builder.module, context.get_value_type(scalar), rows, vectors, masked).function()
            offsets = builder.mul(i, a_row), j, builder.add(builder.mul(i, start_row), j), builder.add(builder.mul(i, c_row), j)
            a, b, start, c = (builder.gep(array.data, [offset]) for array, offset in zip(arrays, offsets, strict=True))
            builder.call(function, [depth, a, a_row, a_step, b, b_step, has_start, start, start_row, c, c_row, rest])
            return context.get_dummy_value()

        return signature, codegen

    return tile


def _make_strip(vectors, masked):
    """Return a kernel for a strip of C from column j, as wide as ``vectors`` registers, cut into tiles of as many rows as fit."""
    largest, four, single = (_make_tile(rows, vectors, masked) for rows in (_MOST_ROWS, 4, 1))

    @_jit.jit(internal=True)
    def strip(j, m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest):
        i = 0
        while m - i >= _MOST_ROWS:
            largest(i, j, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += _MOST_ROWS
        if m - i >= 4:
            four(i, j, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += 4
        while i < m:
            single(i, j, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += 1

    return strip


_strip_1, _strip_2, _strip_3 = (_make_strip(vectors, False) for vectors in (1, 2, 3))
_rest_strip = _make_strip(1, True)


@_jit.jit(internal=True)
def _panels(m, n, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    lanes = _REGISTER_BYTES // c.itemsize
    left, rest, j = n // lanes, n % lanes, np.int64(0)  # for a literal 0 strips would be compiled twice
    while left > 0:
        vectors = 2 if left == 4 else min(left, 3)
        if vectors == 3:
            _strip_3(j, m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
        elif vectors == 2:
            _strip_2(j, m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
        else:
            _strip_1(j, m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
        left -= vectors
        j += vectors * lanes
    if rest > 0:
        _rest_strip(j, m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)


@_jit.jit
def _compiled_product(m, n, k, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    depth = min(k, _DEPTH)
    _panels(m, n, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row)
    for done in range(depth, k, _DEPTH):
        depth = min(k - done, _DEPTH)
        _panels(m, n, depth, a[done * a_step :], a_row, a_step, b[done * b_step :], b_step, c, c_row, c, c_row)


def _interpreted_product(m, n, k, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    def matrix(vector, shape, steps):
        return np.lib.stride_tricks.as_strided(vector, shape, [step * vector.itemsize for step in steps])

    total = matrix(a, (m, k), (a_row, a_step)) @ matrix(b, (k, n), (b_step, 1))
    if start.size > 0:
        total = total + matrix(start, (m, n), (start_row, 1))
    matrix(c, (m, n), (c_row, 1))[...] = total


PRODUCT = "int int int run int int run int run int run int"
product = _interpreted_product if _jit.INTERPRETED else _compiled_product
"""Compute ``C = start + A B`` for an m x k matrix A and a k x n matrix B, blocks of larger matrices.

All are contiguous vectors that begin at the block's first element. Element (i, p) of A stands at ``i * a_row + p * a_step``, so that A may
be transposed; row p of B begins at ``p * b_step``, row i of C at ``i * c_row`` and of ``start`` at ``i * start_row`` (0 repeats one row).
An empty ``start`` is zero. Kernels call it by address, like a part, so that its many tiles are compiled once.
"""


# ---- transposition ---------------------------------------------------------------------------------------------------

_SIDE = 8


@intrinsic
def _transpose_square(typing_context, source, source_row, target, target_row):
    """Write the transpose of the square of side 8 that begins at ``source`` to ``target``."""
    scalar, integer = source.dtype, types.int64

    def codegen(context, builder, signature, values):
        source, source_row, target, target_row = values
        source, target = (context.make_array(signature.args[0])(context, builder, array).data for array in (source, target))
        vector = ir.VectorType(context.get_value_type(scalar), _SIDE)

        def row(pointer, length, i):
            return builder.bitcast(builder.gep(pointer, [builder.mul(length, _INT(i))]), vector.as_pointer())

        rows = [builder.load(row(source, source_row, i)) for i in range(_SIDE)]
        for load in rows:
            load.align = scalar.bitwidth // 8
        # Swap the off-diagonal quarters of squares of side 2, 4 and 8.
        for half in (1, 2, 4):
            upper = [lane if lane & half == 0 else _SIDE + lane - half for lane in range(_SIDE)]
            lower = [lane + half if lane & half == 0 else _SIDE + lane for lane in range(_SIDE)]
            for i in range(_SIDE):
                if i & half == 0:
                    pair = rows[i], rows[i + half]
                    rows[i], rows[i + half] = (
                        builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(_INDEX, _SIDE), lanes)) for lanes in (upper, lower)
                    )
        for i, value in enumerate(rows):
            builder.store(value, row(target, target_row, i)).align = scalar.bitwidth // 8
        return context.get_dummy_value()

    return types.void(source, integer, target, integer), codegen


@_jit.jit(inline=True)
def _transpose_rest(matrix, row, transposed, transposed_row, first, last, start, stop):
    for i in range(first, last):
        for j in range(start, stop):
            transposed[j * transposed_row + i] = matrix[i * row + j]


@_jit.jit
def _compiled_transpose(matrix, n_rows, n_columns, row, transposed, transposed_row):
    whole_rows, whole_columns = n_rows - n_rows % _SIDE, n_columns - n_columns % _SIDE
    for first in range(0, whole_rows, 2 * _SIDE):  # two squares by two, so that whole cache lines are written
        for start in range(0, whole_columns, 2 * _SIDE):
            for j in range(start, min(start + 2 * _SIDE, whole_columns), _SIDE):
                for i in range(first, min(first + 2 * _SIDE, whole_rows), _SIDE):
                    _transpose_square(matrix[i * row + j :], row, transposed[j * transposed_row + i :], transposed_row)
    _transpose_rest(matrix, row, transposed, transposed_row, 0, whole_rows, whole_columns, n_columns)
    _transpose_rest(matrix, row, transposed, transposed_row, whole_rows, n_rows, 0, n_columns)


def _interpreted_transpose(matrix, n_rows, n_columns, row, transposed, transposed_row):
    _transpose_rest(matrix, row, transposed, transposed_row, 0, n_rows, 0, n_columns)


transpose = _interpreted_transpose if _jit.INTERPRETED else _compiled_transpose
"""Write the transpose of a block of ``n_rows`` x ``n_columns``.

Rows of ``matrix`` begin at multiples of ``row``, rows of ``transposed`` at multiples of ``transposed_row``.
"""
