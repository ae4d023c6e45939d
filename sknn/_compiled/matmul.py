"""Matrix products from register tiles.

Each element of C is one chain of fused multiply-adds in the order of the inner dimension, whichever
tile computes it: results have the same bits however C is cut into blocks, distributed to threads or
batched. The exception: if B is stored with at most half as many columns as a register has lanes,
and A is not transposed, an element is the sum of two chains.

Against OpenBLAS this is worth a factor of 1.3 to 4 on the small and flat matrices of multi-layer
perceptrons.

All kernels here have the arguments of :data:`product`, at the end of the file; some also have

    rest     number of columns that do not fill a register
"""

import numpy as np

from .emitter import MOST_ROWS
from .intrinsics import at
from .jit import INTERPRETED, jit
from .microkernels import lanes_of, memory_on_stack, plain_tile
from .narrow_tiles import narrow_tile
from .tall_tiles import TRANSPOSED, TWO_CHAINS, tall_tile
from .transpose import transpose_block

_DEPTH = 1024  # of the inner dimension at a time, so that a panel of B stays in the L2 cache
_WIDTH = np.int64(96)  # rows of C that are computed at once if its columns are few
_MOST_COLUMNS = 8  # half of the lanes of the largest register
# Sizes from which it pays to compute few columns as rows. The result has to be transposed.
_LEAST_ROWS = 32
_LEAST_DEPTH = 64
_ONE = np.int64(1)
_ZEROS = np.int64(-1)  # as ``start_row``
_TRANSPOSED = np.int64(TRANSPOSED)
_TWO_CHAINS = np.int64(TWO_CHAINS)
_SUMS = 8  # registers that a narrow tile adds to in turn, since each waits some cycles for its sum


def _make_strip(vectors, *, masked):
    """Return a kernel for a strip of C as wide as ``vectors`` registers, tile below tile."""
    largest, four, single = (plain_tile(rows, vectors, masked=masked) for rows in (MOST_ROWS, 4, 1))

    @jit(internal=True)
    def strip(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest):
        """Compute the strip. See the end of the file for the arguments."""
        i = 0
        while m - i >= MOST_ROWS:
            largest(i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += MOST_ROWS
        if m - i >= 4:
            four(i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += 4
        while i < m:
            single(i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += 1

    return strip


_strip_1, _strip_2, _strip_3 = (_make_strip(vectors, masked=False) for vectors in (1, 2, 3))
_rest_strip = _make_strip(1, masked=True)


def _make_narrow(*, pairs_rows):
    """Return a kernel for a matrix C whose rows fit into half a register."""
    many, one = (narrow_tile(vectors, pairs_rows=pairs_rows) for vectors in (_SUMS, 1))
    height = 2 if pairs_rows else 1

    @jit(internal=True)
    def narrow(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest):
        """Compute C; return how many rows are done. See the end of the file for the arguments."""
        i = 0
        while m - i >= _SUMS * height:
            many(i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += _SUMS * height
        while m - i >= height:
            one(i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += height
        return i

    return narrow


_pairs_of_rows = _make_narrow(pairs_rows=True)
_pairs_of_sums = _make_narrow(pairs_rows=False)


@jit(internal=True)
def _rest(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, n):
    """Compute the last ``n`` columns of C, fewer than a register has lanes.

    Where possible a register holds two rows, or two sums of a row. See the end of the file for the
    arguments.
    """
    done = np.int64(0)
    if 2 * n <= lanes_of(c) and a_row == 1:
        done = _pairs_of_rows(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, n)
    elif 2 * n <= lanes_of(c) and a_step == 1 and b_step == n:
        done = _pairs_of_sums(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, n)
    if done < m:
        a = at(a, done * a_row)
        start = at(start, done * start_row)
        c = at(c, done * c_row)
        _rest_strip(m - done, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, n)


@jit(internal=True)
def _panels(m, n, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    """Compute C strip by strip. See the end of the file for the arguments."""
    lanes = lanes_of(c)
    left = n // lanes
    rest = n % lanes
    while left > 0:
        vectors = 2 if left == 4 else min(left, 3)
        if vectors == 3:
            _strip_3(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
        elif vectors == 2:
            _strip_2(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
        else:
            _strip_1(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
        left -= vectors
        b = at(b, vectors * lanes)
        start = at(start, vectors * lanes)
        c = at(c, vectors * lanes)
    if rest > 0:
        _rest(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)


_transposed_block = memory_on_stack(int(_MOST_COLUMNS * _WIDTH))


@jit(internal=True)
def _few_columns(m, n, depth, a, a_step, b, b_step, start, start_row, c, c_row):
    """Compute a C of few columns as the transpose of B' A', whose rows fill registers.

    The columns of A have to be contiguous (``a_row`` is 1). See the end of the file for the other
    arguments.
    """
    block = _transposed_block(c)
    for first in range(0, m, _WIDTH):
        count = min(_WIDTH, m - first)
        begin = _ZEROS
        if start_row >= 0:
            begin = _WIDTH
            transpose_block(at(start, first * start_row), count, n, start_row, block, _WIDTH)
        rows = at(a, first)
        _panels(n, count, depth, b, _ONE, b_step, rows, a_step, block, begin, block, _WIDTH)
        transpose_block(block, n, count, _WIDTH, at(c, first * c_row), c_row)


@jit(internal=True)
def _tall(m, n, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    """Compute a C of few columns if there are tiles for it; return how many rows are done.

    See the end of the file for the arguments.
    """
    lanes = lanes_of(c)
    i = np.int64(0)
    variant = i
    has_tiles = n == 5 or 9 <= n <= 10
    if a_row == 1:
        variant = _TRANSPOSED
        has_tiles = has_tiles or n == 3
    elif a_step != 1:
        return i
    elif n > 1 and 2 * n <= lanes and b_step == n:
        variant = _TWO_CHAINS
        has_tiles = 2 * n < lanes  # else narrow tiles use all lanes, too
    if not has_tiles or depth < lanes or start_row > 0:
        return i
    while m - i >= lanes:
        j = np.int64(0)
        while j < n:
            if n - j == 4 and j > 0:
                j -= 1  # computing a column again takes less time than two more tiles
            left = n - j
            columns = 5 if left == 5 or left > 6 else 3 if left % 3 == 0 else 2
            tall_tile(
                columns + variant,
                depth,
                at(a, i * a_row),
                a_row,
                a_step,
                at(b, j),
                b_step,
                at(start, j),
                start_row,
                at(c, i * c_row + j),
                c_row,
            )
            j += columns
        i += lanes
    return i


@jit(internal=True)
def _compiled_product(m, n, k, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    """See the end of the file for the arguments."""
    for first in range(0, max(k, _ONE), _DEPTH):
        depth = min(k - first, _DEPTH)
        done = _tall(m, n, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row)
        left = m - done
        rows = at(a, done * a_row)
        begin = at(start, done * start_row)
        into = at(c, done * c_row)
        if a_row == 1 and 2 * n <= lanes_of(c) and left >= _LEAST_ROWS and depth >= _LEAST_DEPTH:
            _few_columns(left, n, depth, rows, a_step, b, b_step, begin, start_row, into, c_row)
        elif left > 0:
            _panels(left, n, depth, rows, a_row, a_step, b, b_step, begin, start_row, into, c_row)
        a = at(a, depth * a_step)
        b = at(b, depth * b_step)
        start = c
        start_row = c_row


def _interpreted_product(m, n, k, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    """See the end of the file for the arguments."""

    def matrix(vector, shape, steps):
        return np.lib.stride_tricks.as_strided(
            vector, shape, [step * vector.itemsize for step in steps]
        )

    total = matrix(a, (m, k), (a_row, a_step)) @ matrix(b, (k, n), (b_step, 1))
    if start_row >= 0:
        total = total + matrix(start, (m, n), (start_row, 1))
    matrix(c, (m, n), (c_row, 1))[...] = total


product = _interpreted_product if INTERPRETED else _compiled_product
"""Compute ``C = start + A B``, for blocks of larger matrices.

Kernels call it by address, like a part, so that its many tiles are compiled once.

Parameters
----------
m, n, k : int64
    A is m x k, B is k x n, C and ``start`` are m x n. ``depth`` is k, or a part of it.
a, b, start, c : pointer
    To the first element of each block. C shares no memory with A and B, and may be ``start``.
a_row, a_step : int64
    Element (i, p) of A is ``a[i * a_row + p * a_step]``, so that A may be transposed.
b_step : int64
    Row p of B begins at ``b[p * b_step]``.
start_row : int64
    Row i of ``start`` begins at ``start[i * start_row]``: 0 repeats one row, and -1 stands for a
    matrix of zeros, whatever ``start`` points to.
c_row : int64
    Row i of C begins at ``c[i * c_row]``.
"""
