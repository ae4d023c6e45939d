"""Transposition of blocks of matrices, in squares of vector registers."""

import numpy as np
from numba import types
from numba.extending import intrinsic

from .emitter import INT, Emitter
from .intrinsics import at, segment, tail
from .jit import INTERPRETED, jit

_SIDE = 8
_WHOLE = np.int64(_SIDE)


@intrinsic
def _transpose_square(typing_context, source, source_row, target, target_row, n_rows, n_columns):
    """Write the transpose of a square of side 8, or of a part of it.

    Parameters
    ----------
    source, target : pointer
        To the first elements of the square and of its transpose.
    source_row, target_row : int64
        Elements from one row to the next.
    n_rows, n_columns : int64
        Of the square, what is to be read.
    """

    def codegen(context, builder, signature, values):
        source, source_row, target, target_row, n_rows, n_columns = values
        emitter = Emitter(builder, context.get_value_type(signature.args[0].dtype), _SIDE)

        n = INT(_SIDE)
        is_whole = builder.and_(
            builder.icmp_signed("==", n_rows, n), builder.icmp_signed("==", n_columns, n)
        )
        with builder.if_else(is_whole) as (whole, part):
            with whole:
                rows = [
                    emitter.load(emitter.at(source, builder.mul(source_row, INT(i))))
                    for i in range(_SIDE)
                ]
                for i, row in enumerate(transpose_squares(emitter, rows)):
                    emitter.store(row, emitter.at(target, builder.mul(target_row, INT(i))))
            with part:
                _emit_part(emitter, *values)
        return context.get_dummy_value()

    n = types.int64
    return types.void(source, n, target, n, n, n), codegen


def transpose_squares(emitter, rows):
    """Emit the transposition of a square in registers, or of several side by side.

    Parameters
    ----------
    emitter : Emitter
        Of registers that hold a row of each square.
    rows : list of llvmlite.ir.Value
        As many as a square has; a power of 2.

    Returns
    -------
    list of llvmlite.ir.Value
        The rows of the transposed squares.
    """
    rows = list(rows)
    n = emitter.lanes
    half = 1
    # Swap the off-diagonal quarters of squares of side 2, 4, 8 and so on.
    while half < len(rows):
        upper = [lane if lane & half == 0 else n + lane - half for lane in range(n)]
        lower = [lane + half if lane & half == 0 else n + lane for lane in range(n)]
        for i in range(len(rows)):
            if i & half == 0:
                pair = rows[i], rows[i + half]
                rows[i], rows[i + half] = (
                    emitter.shuffle(*pair, lanes) for lanes in (upper, lower)
                )
        half *= 2
    return rows


def _emit_part(emitter, source, source_row, target, target_row, n_rows, n_columns):
    """Emit the transposition of a part of a square.

    In place of rows that it lacks, the last one is read again, and written before its own values.
    """
    builder = emitter.ir

    def row_of(first, row, n_of_all, i):
        last = builder.sub(n_of_all, INT(1))
        i = builder.select(builder.icmp_signed("<", INT(i), n_of_all), INT(i), last)
        return emitter.at(first, builder.mul(row, i))

    read = emitter.first_lanes(n_columns)
    written = emitter.first_lanes(n_rows)
    rows = [emitter.load(row_of(source, source_row, n_rows, i), read) for i in range(_SIDE)]
    for i, row in reversed(list(enumerate(transpose_squares(emitter, rows)))):
        emitter.store(row, row_of(target, target_row, n_columns, i), written)


@jit(internal=True)
def transpose_block(matrix, n_rows, n_columns, row, transposed, transposed_row):
    """Do what :data:`transpose` does, with pointers to the first elements instead of vectors."""
    # Two squares by two, so that whole cache lines are written.
    for first in range(0, n_rows, 2 * _SIDE):
        for start in range(0, n_columns, 2 * _SIDE):
            for j in range(start, min(start + 2 * _SIDE, n_columns), _SIDE):
                for i in range(first, min(first + 2 * _SIDE, n_rows), _SIDE):
                    _transpose_square(
                        at(matrix, i * row + j),
                        row,
                        at(transposed, j * transposed_row + i),
                        transposed_row,
                        min(_SIDE, n_rows - i),
                        min(_SIDE, n_columns - j),
                    )


@jit(internal=True)
def _compiled_transpose(matrix, n_rows, n_columns, row, transposed, transposed_row):
    """See the end of the file for the arguments."""
    whole_rows = n_rows - n_rows % _SIDE
    whole_columns = n_columns - n_columns % _SIDE
    # Two squares by two, so that whole cache lines are written.
    for first in range(0, whole_rows, 2 * _SIDE):
        for start in range(0, whole_columns, 2 * _SIDE):
            for j in range(start, min(start + 2 * _SIDE, whole_columns), _SIDE):
                for i in range(first, min(first + 2 * _SIDE, whole_rows), _SIDE):
                    _transpose_square(
                        at(matrix, i * row + j),
                        row,
                        at(transposed, j * transposed_row + i),
                        transposed_row,
                        _WHOLE,
                        _WHOLE,
                    )
    for j in range(whole_columns, n_columns):
        source = at(matrix, j)
        target = segment(transposed, j * transposed_row, n_rows)
        for i in range(target.size):
            target[i] = source[i * row]
    for i in range(whole_rows, n_rows):
        source = at(matrix, i * row)
        target = tail(transposed, i)
        for j in range(whole_columns):
            target[j * transposed_row] = source[j]


def _interpreted_transpose(matrix, n_rows, n_columns, row, transposed, transposed_row):
    """See the end of the file for the arguments."""
    for i in range(n_rows):
        for j in range(n_columns):
            transposed[j * transposed_row + i] = matrix[i * row + j]


transpose = _interpreted_transpose if INTERPRETED else _compiled_transpose
"""Write the transpose of a block of a matrix.

Parameters
----------
matrix : vector
    From the block's first element on.
n_rows, n_columns : int64
    Of the block.
row : int64
    Elements from one row of ``matrix`` to the next.
transposed : vector
    To write to, from the first element on; shares no memory with ``matrix``.
transposed_row : int64
    Elements from one row of ``transposed`` to the next.
"""
