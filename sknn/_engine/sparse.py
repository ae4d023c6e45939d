"""The first layer on CSR rows with sorted indices: sums over stored elements only; nothing is
densified.

Called by address, like batch norm and dropout, so that only who uses them compiles them.
"""

from .._compiled.jit import jit


@jit(inline=True)
def _first_position(indices, begin, end, start):
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
    """Compute columns ``start:stop`` of ``z = X W + b`` for CSR rows ``first:first + n_rows``, of
    whose inputs ``low:high`` are taken.

    The intercepts go with the first input.
    """
    for i in range(n_rows):
        out = z[i * fan_out + start : i * fan_out + stop]
        intercept = b[start:stop]
        for j in range(out.size):
            out[j] = intercept[j] if low == 0 else 0
        end = indptr[first + i + 1]
        position = _first_position(indices, indptr[first + i], end, low)
        while position < end and indices[position] < high:
            x = data[position]
            row = indices[position] * fan_out
            weights = w[row + start : row + stop]
            for j in range(out.size):
                out[j] += x * weights[j]
            position += 1


@jit
def weight_gradient(data, indices, indptr, first, n_rows, dz, fan_out, start, stop, add, g):
    """Compute rows ``start:stop`` of ``X' dz`` for CSR rows ``first:first + n_rows`` into ``g``
    (which begins there), or ``add`` them.
    """
    if not add:
        whole = g[: (stop - start) * fan_out]
        for i in range(whole.size):
            whole[i] = 0
    for i in range(n_rows):
        delta = dz[i * fan_out : (i + 1) * fan_out]
        end = indptr[first + i + 1]
        position = _first_position(indices, indptr[first + i], end, start)
        while position < end and indices[position] < stop:
            x = data[position]
            row = indices[position] - start
            out = g[row * fan_out : (row + 1) * fan_out]
            for j in range(delta.size):
                out[j] += x * delta[j]
            position += 1
