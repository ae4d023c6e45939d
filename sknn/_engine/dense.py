"""Dense layers: matrix products of the forward and the backward pass, block by block.

A block is some columns or rows of a product. Matrices are vectors, row after row:

    a_in (n_rows x fan_in)      what the layer reads
    w (fan_in x fan_out)        its weights, and b (fan_out) its intercepts
    z, dz (n_rows x fan_out)    its pre-activations and dL/dz
    da (n_rows x fan_in)        dL/da of what it reads
    g                           a gradient, laid out like what it is the gradient of

``product`` is the address of :data:`sknn._compiled.matmul.product`. Names that end in ``_t`` are
transposes.
"""

from .._compiled.intrinsics import at, tail
from .._compiled.jit import jit
from .._compiled.kinds import call_product
from .._compiled.transpose import transpose

_ZEROS = -1  # instead of the row length of a product's starting values: start from zeros


@jit(internal=True)
def compute_z_block(product, a_in, n_rows, fan_in, low, high, w, b, fan_out, start, stop, z):
    """Compute columns ``start:stop`` of ``z = a_in W + b``, or of the terms of some inputs.

    Parameters
    ----------
    product, a_in, n_rows, fan_in, w, b, fan_out
        See the top of the file.
    low, high : int
        Inputs over which the product sums. The intercepts are added with the first of all inputs.
    start, stop : int
        Columns.
    z : ndarray of shape (n_rows * fan_out,)
        Written in these columns.
    """
    z_block = at(z, start)
    call_product(
        product,
        n_rows,
        stop - start,
        high - low,
        at(a_in, low),
        fan_in,
        1,
        at(w, low * fan_out + start),
        fan_out,
        at(b, start),
        0 if low == 0 else _ZEROS,  # 0: the same starting values for all rows
        z_block,
        fan_out,
    )


@jit(internal=True)
def compute_da_block(product, dz, n_rows, fan_out, w, fan_in, start, stop, w_t, da):
    """Compute columns ``start:stop`` of ``da = dz W'``.

    Parameters
    ----------
    product, dz, n_rows, fan_out, w, fan_in
        See the top of the file.
    start, stop : int
        Columns of ``da``, which are rows of W.
    w_t : ndarray
        Written: the transpose of these rows, fan_out x (stop - start).
    da : ndarray of shape (n_rows * fan_in,)
        Written in these columns.
    """
    count = stop - start
    transpose(tail(w, start * fan_out), count, fan_out, fan_out, w_t, count)
    da_block = at(da, start)
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
        da_block,
        _ZEROS,
        da_block,
        fan_in,
    )


@jit(internal=True)
def compute_da_block_from_dz_t(product, dz_t, n_rows, fan_out, w, fan_in, start, stop, da_t, da):
    """Compute columns ``start:stop`` of ``da = dz W'`` as the transpose of ``W dz'``.

    Parameters
    ----------
    product, n_rows, fan_out, w, fan_in
        See the top of the file.
    dz_t : ndarray of shape (fan_out * n_rows,)
        The transpose of dz.
    start, stop : int
        Columns of ``da``, which are rows of W.
    da_t : ndarray
        Written: the transpose of the result, (stop - start) x n_rows.
    da : ndarray of shape (n_rows * fan_in,)
        Written in these columns.
    """
    count = stop - start
    da_t_block = at(da_t, 0)
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
        da_t_block,
        _ZEROS,
        da_t_block,
        n_rows,
    )
    transpose(da_t, count, n_rows, n_rows, tail(da, start), fan_in)


@jit(internal=True)
def compute_weight_gradient_block(
    product, a_in, n_rows, fan_in, dz, fan_out, start, stop, accumulate, g
):
    """Compute rows ``start:stop`` of ``a_in' dz``, the gradient of W.

    Parameters
    ----------
    product, a_in, n_rows, fan_in, dz, fan_out
        See the top of the file.
    start, stop : int
        Rows of W, which are inputs.
    accumulate : int
        1 to add to what ``g`` holds, 0 to overwrite it.
    g : ndarray
        Written: the gradient from row ``start`` on.
    """
    g_block = at(g, 0)
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
        g_block,
        fan_out if accumulate else _ZEROS,
        g_block,
        fan_out,
    )


@jit(internal=True)
def compute_bias_gradient(product, one, dz, n_rows, fan_out, accumulate, g):
    """Compute the gradient of the intercepts: a row of ones times dz.

    Parameters
    ----------
    product, dz, n_rows, fan_out
        See the top of the file.
    one : ndarray of shape (1,)
        A 1, which is read again and again.
    accumulate : int
        1 to add to what ``g`` holds, 0 to overwrite it.
    g : ndarray of shape (fan_out,)
        Written.
    """
    g_row = at(g, 0)
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
        g_row,
        fan_out if accumulate else _ZEROS,
        g_row,
        fan_out,
    )
