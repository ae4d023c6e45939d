"""Transposition of blocks of matrices, in squares of vector registers."""

from numba import types
from numba.extending import intrinsic

from .emitter import INT, Emitter
from .intrinsics import at, segment, tail
from .jit import INTERPRETED, jit

_SIDE = 8


@intrinsic
def _transpose_square(typing_context, source, source_row, target, target_row):
    """Write the transpose of a square of side 8.

    Parameters
    ----------
    source, target : pointer
        To the first elements of the square and of its transpose.
    source_row, target_row : int64
        Elements from one row to the next.
    """

    def codegen(context, builder, signature, values):
        source, source_row, target, target_row = values
        emitter = Emitter(builder, context.get_value_type(signature.args[0].dtype), _SIDE)
        rows = [
            emitter.load(emitter.at(source, builder.mul(source_row, INT(i)))) for i in range(_SIDE)
        ]
        # Swap the off-diagonal quarters of squares of side 2, 4 and 8.
        for half in (1, 2, 4):
            upper = [lane if lane & half == 0 else _SIDE + lane - half for lane in range(_SIDE)]
            lower = [lane + half if lane & half == 0 else _SIDE + lane for lane in range(_SIDE)]
            for i in range(_SIDE):
                if i & half == 0:
                    pair = rows[i], rows[i + half]
                    rows[i], rows[i + half] = (
                        emitter.shuffle(*pair, lanes) for lanes in (upper, lower)
                    )
        for i, row in enumerate(rows):
            emitter.store(row, emitter.at(target, builder.mul(target_row, INT(i))))
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), codegen


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
