"""Dense layers, in blocks: each function computes some columns or rows of a product and nothing
else.

Blocks are fixed by the shapes alone, so that whoever computes one, the result has the same bits.
"""

import numpy as np

from .._compiled.intrinsics import at
from .._compiled.jit import jit
from .._compiled.kinds import call_product
from .._compiled.transpose import transpose

# of a block: whole tiles of every width
COLUMNS = 96
ROWS = 32
_SMALL_PRODUCT = 1 << 17  # multiplications under which a product is not worth cutting
# of a sparse first layer's gradient, since each looks for its elements in all rows of the batch
SPARSE_BLOCKS = 8
_VECTOR = 16  # elements in the largest vector register


@jit(inline=True)
def count_blocks(width, size):
    """Return how many blocks of ``size`` columns or rows there are, the last of which may be
    smaller.
    """
    return (width + size - 1) // size


@jit(internal=True)
def half_of(width, size):
    """Return how many of ``width`` columns or rows, cut into blocks of ``size``, the first of two
    threads has.
    """
    return (
        width if size >= width else min(width, (width + 2 * _VECTOR - 1) // (2 * _VECTOR) * _VECTOR)
    )


@jit(internal=True)
def _block_size(width, largest):
    half = half_of(width, np.int64(1))
    return min(
        width, count_blocks(count_blocks(half, count_blocks(half, largest)), _VECTOR) * _VECTOR
    )


@jit(inline=True)
def block_size(n_operations, width, largest):
    """Return how many of ``width`` columns or rows make a block of a product of so many
    multiplications: about ``largest``, or all.
    """
    return width if n_operations <= _SMALL_PRODUCT else _block_size(width, np.int64(largest))


@jit(internal=True)
def n_blocks_of(width, size):
    """Return the number of blocks in both halves of ``width`` columns or rows."""
    half = half_of(width, size)
    return count_blocks(half, size) + count_blocks(width - half, size)


@jit(internal=True)
def bounds_of(number, width, size):
    """Return where the ``number``-th block to be claimed begins and ends: two threads that take
    turns have one half each.
    """
    half = half_of(width, size)
    n_last = count_blocks(width - half, size)
    if number < 2 * n_last and number % 2 == 1:
        start = half + number // 2 * size
        return start, min(width, start + size)
    start = (number // 2 if number < 2 * n_last else number - n_last) * size
    return start, min(half, start + size)


@jit(inline=True)
def input_block_size(n_rows, fan_in, fan_out):
    """Return how many of a layer's inputs, and so rows of its weights, make a block."""
    return block_size(n_rows * fan_in * fan_out, fan_in, COLUMNS)


@jit(inline=True)
def shares_rows(n_rows, fan_in, fan_out):
    """Tell whether blocks of a layer's inputs and outputs are rows, for which all of W is read, or
    columns, for which all rows are.
    """
    return n_rows * (fan_in + fan_out) >= fan_in * fan_out


@jit(inline=True)
def adds_halves(n_rows, fan_in, fan_out):
    """Tell whether W is so much larger than the pre-activations that it had better stay in the
    caches of those who move its rows.

    Pre-activations are written twice and added then. Smaller matrices would make too few blocks.
    """
    is_cut = n_rows * fan_in * fan_out > _SMALL_PRODUCT and min(fan_in, fan_out) >= COLUMNS
    return is_cut and fan_in >= 2 * n_rows


def most_blocks(width):
    """Return a bound of the number of blocks of ``width`` columns or rows."""
    return width // _VECTOR + 1 + SPARSE_BLOCKS


@jit(internal=True)
def compute_z_block(product, a_in, n_rows, fan_in, low, high, w, b, fan_out, start, stop, z):
    """Compute columns ``start:stop`` of ``z = a_in W + b``, or what the inputs ``low:high`` add to
    it; intercepts go with the first one.

    Parameters
    ----------
    product : int
        Address of :data:`_products.product`.
    a_in : ndarray of shape (n_rows * fan_in,)
    low, high : int
    w : ndarray of shape (fan_in * fan_out,)
    b : ndarray of shape (fan_out,)
    start, stop : int
    z : ndarray of shape (n_rows * fan_out,)
        Written in columns ``start:stop``.
    """
    x = at(a_in, low)
    rows_of_w = at(w, low * fan_out + start)
    target = at(z, start)
    b_row = 0 if low == 0 else -1  # the same for all rows, or zeros instead
    call_product(
        product,
        n_rows,
        stop - start,
        high - low,
        x,
        fan_in,
        1,
        rows_of_w,
        fan_out,
        at(b, start),
        b_row,
        target,
        fan_out,
    )


@jit(internal=True)
def compute_da_block(product, dz, n_rows, fan_out, w, fan_in, start, stop, w_t, da):
    """Compute columns ``start:stop`` of ``da = dz W'``, the gradient of the layer's input, by way
    of ``w_t``, the rows' transpose.
    """
    count = stop - start
    transpose(w[start * fan_out :], count, fan_out, fan_out, w_t, count)
    target = at(da, start)
    call_product(
        product,
        n_rows,
        count,
        fan_out,
        at(dz, 0),
        fan_out,
        1,
        at(w_t, 0),
        count,
        target,
        -1,
        target,
        fan_in,
    )


@jit(internal=True)
def compute_da_block_transposed(product, dz_t, n_rows, fan_out, w, fan_in, start, stop, da_t, da):
    """Compute the same from dz' (fan_out x n_rows), by way of ``da_t``, the block's transpose."""
    count = stop - start
    target = at(da_t, 0)
    call_product(
        product,
        count,
        n_rows,
        fan_out,
        at(w, start * fan_out),
        fan_out,
        1,
        at(dz_t, 0),
        n_rows,
        target,
        -1,
        target,
        n_rows,
    )
    transpose(da_t, count, n_rows, n_rows, da[start:], fan_in)


@jit(internal=True)
def compute_weight_gradient_block(product, a_in, n_rows, fan_in, dz, fan_out, start, stop, add, g):
    """Compute rows ``start:stop`` of ``a_in' dz`` into ``g``, which begins at row ``start``, or
    ``add`` them to it.
    """
    target = at(g, 0)
    before = fan_out if add else -1
    call_product(
        product,
        stop - start,
        fan_out,
        n_rows,
        at(a_in, start),
        1,
        fan_in,
        at(dz, 0),
        fan_out,
        target,
        before,
        target,
        fan_out,
    )


@jit(internal=True)
def compute_bias_gradient(product, one, dz, n_rows, fan_out, add, g):
    """Compute the column sums of dz into ``g``, or ``add`` them to it: a row of ones, which is
    ``one`` again and again, times dz.
    """
    target = at(g, 0)
    before = fan_out if add else -1
    call_product(
        product,
        1,
        fan_out,
        n_rows,
        at(one, 0),
        0,
        0,
        at(dz, 0),
        fan_out,
        target,
        before,
        target,
        fan_out,
    )
