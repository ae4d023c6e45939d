"""The first layer on CSR rows with sorted indices: sums over stored elements only.

Nothing is made dense. The kernels are called by address, like batch norm and dropout, so that only
fits that use them compile them.
"""

from .._compiled.intrinsics import segment
from .._compiled.jit import jit


@jit(inline=True)
def _find_position(indices, begin, end, start):
    """Return the first position from ``begin`` whose index is at least ``start``, or ``end``."""
    while begin < end:
        middle = (begin + end) // 2
        if indices[middle] < start:
            begin = middle + 1
        else:
            end = middle
    return begin


@jit
def affine(data, indices, indptr, first, n_rows, low, high, w, b, fan_out, start, stop, z):
    """Compute columns ``start:stop`` of ``z = X W + b``, or of the terms of some inputs.

    Parameters
    ----------
    data, indices, indptr : ndarray
        CSR rows X.
    first, n_rows : int
        The first row to be taken, and how many.
    low, high : int
        Inputs over which the product sums. The intercepts are added with the first of all inputs.
    w : ndarray of shape (fan_in * fan_out,)
    b : ndarray of shape (fan_out,)
    fan_out : int
    start, stop : int
        Columns.
    z : ndarray of shape (n_rows * fan_out,)
        Written in these columns.
    """
    for i in range(n_rows):
        out = segment(z, i * fan_out + start, stop - start)
        intercept = segment(b, start, stop - start)
        for j in range(out.size):
            out[j] = intercept[j] if low == 0 else 0
        end = indptr[first + i + 1]
        position = _find_position(indices, indptr[first + i], end, low)
        while position < end and indices[position] < high:
            x = data[position]
            row = indices[position] * fan_out
            weights = segment(w, row + start, stop - start)
            for j in range(out.size):
                out[j] += x * weights[j]
            position += 1


@jit
def weight_gradient(data, indices, indptr, first, n_rows, dz, fan_out, start, stop, accumulate, g):
    """Compute rows ``start:stop`` of ``X' dz``, the gradient of W.

    Parameters
    ----------
    data, indices, indptr : ndarray
        CSR rows X.
    first, n_rows : int
        The first row to be taken, and how many.
    dz : ndarray of shape (n_rows * fan_out,)
    fan_out : int
    start, stop : int
        Rows of W, which are inputs.
    accumulate : int
        1 to add to what ``g`` holds, 0 to overwrite it.
    g : ndarray
        Written: the gradient from row ``start`` on.
    """
    if not accumulate:
        whole = segment(g, 0, (stop - start) * fan_out)
        for i in range(whole.size):
            whole[i] = 0
    for i in range(n_rows):
        delta = segment(dz, i * fan_out, fan_out)
        end = indptr[first + i + 1]
        position = _find_position(indices, indptr[first + i], end, start)
        while position < end and indices[position] < stop:
            x = data[position]
            row = indices[position] - start
            out = segment(g, row * fan_out, fan_out)
            for j in range(delta.size):
                out[j] += x * delta[j]
            position += 1
