"""Matrix products from register tiles.

An element of C is one chain of fused multiply-adds in the order of the inner dimension, whatever
tile it falls into: results have the same bits however C is cut into blocks, shared among threads or
batched. Only where B is stored with no more columns than half a register has lanes, and A is not
transposed, are there two chains, whose sums are added.

Against OpenBLAS this is worth a factor of 1.3 to 4 on the small and flat matrices of multi-layer
perceptrons.
"""

import numpy as np

from .intrinsics import at
from .jit import INTERPRETED, jit
from .microkernels import MOST_ROWS, SUMS, lanes_of, narrow_tile, plain_tile

_DEPTH = 1024  # inner dimension a pass: a panel of B stays in the second-level cache


def _make_strip(vectors, *, masked):
    """Return a kernel for a strip of C as wide as ``vectors`` registers, cut into tiles of as many
    rows as fit.
    """
    largest, four, single = (plain_tile(rows, vectors, masked=masked) for rows in (MOST_ROWS, 4, 1))

    @jit(internal=True)
    def strip(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest):
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
    """Return a kernel for a matrix C that fits into half a register; it returns how many rows it
    has computed.
    """
    many, one = (narrow_tile(vectors, pairs_rows=pairs_rows) for vectors in (SUMS, 1))
    height = 2 if pairs_rows else 1

    @jit(internal=True)
    def narrow(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest):
        i = 0
        while m - i >= SUMS * height:
            many(i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += SUMS * height
        while m - i >= height:
            one(i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest)
            i += height
        return i

    return narrow


_pairs_of_rows = _make_narrow(pairs_rows=True)
_pairs_of_sums = _make_narrow(pairs_rows=False)


@jit(internal=True)
def _rest(m, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, n):
    """Compute the last ``n`` columns of C, which do not fill a register; two rows, or two sums of a
    row, at a time if they may be.
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


@jit(internal=True)
def _compiled_product(m, n, k, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    depth = min(k, _DEPTH)
    _panels(m, n, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row)
    for done in range(depth, k, _DEPTH):
        depth = min(k - done, _DEPTH)
        _panels(
            m,
            n,
            depth,
            at(a, done * a_step),
            a_row,
            a_step,
            at(b, done * b_step),
            b_step,
            c,
            c_row,
            c,
            c_row,
        )


def _interpreted_product(m, n, k, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    def matrix(vector, shape, steps):
        return np.lib.stride_tricks.as_strided(
            vector, shape, [step * vector.itemsize for step in steps]
        )

    total = matrix(a, (m, k), (a_row, a_step)) @ matrix(b, (k, n), (b_step, 1))
    if start_row >= 0:
        total = total + matrix(start, (m, n), (start_row, 1))
    matrix(c, (m, n), (c_row, 1))[...] = total


product = _interpreted_product if INTERPRETED else _compiled_product
"""Compute ``C = start + A B`` for an m x k matrix A and a k x n matrix B, blocks of larger
matrices.

All are given by the places of their first elements. Element (i, p) of A stands at ``i * a_row + p *
a_step``, so that A may be transposed; row p of B begins at ``p * b_step``, row i of C at ``i *
c_row`` and of ``start`` at ``i * start_row``: 0 repeats one row, and -1 stands for zeros, wherever
``start`` is. Kernels call it by address, like a part, so that its many tiles are compiled once.
"""
