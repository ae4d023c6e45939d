"""The first layer on CSR rows: sums over stored elements only; nothing is densified.

Called by address, like batch norm and dropout, so that only who uses them compiles them.
"""

from .._jit import jit

AFFINE = "run ints ints int int run run int run"
WEIGHT_GRADIENT = "run ints ints int int run int int run"


@jit
def affine(data, indices, indptr, first, n_rows, w, b, fan_out, z):
    """Compute ``z = X W + b`` for CSR rows ``first:first + n_rows``."""
    for i in range(n_rows):
        out = z[i * fan_out : (i + 1) * fan_out]
        for j in range(fan_out):
            out[j] = b[j]
        for position in range(indptr[first + i], indptr[first + i + 1]):
            x = data[position]
            start = indices[position] * fan_out
            weights = w[start : start + fan_out]
            for j in range(fan_out):
                out[j] += x * weights[j]


@jit
def weight_gradient(data, indices, indptr, first, n_rows, dz, fan_out, add, g):
    """Compute ``X' dz`` for CSR rows ``first:first + n_rows`` into ``g``, or ``add`` it."""
    if not add:
        g[:] = 0
    for i in range(n_rows):
        delta = dz[i * fan_out : (i + 1) * fan_out]
        for position in range(indptr[first + i], indptr[first + i + 1]):
            x = data[position]
            start = indices[position] * fan_out
            out = g[start : start + fan_out]
            for j in range(fan_out):
                out[j] += x * delta[j]
