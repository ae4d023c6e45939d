"""Dense layers, in blocks: each function computes some columns or rows of a product and nothing else.

Blocks are fixed by the shapes alone, so that whoever computes one, the result has the same bits.
"""

from .._jit import jit
from .._native import gemm

_PLAIN, _TRANSPOSED = ord("N"), ord("T")
_SMALL_PRODUCT = 1 << 17  # multiplications under which a product is not worth cutting


@jit(inline=True)
def block_width(n_rows, fan_in, fan_out, width):
    """Return how many of ``width`` columns (or rows of W) make a block of the layer's products.

    OpenBLAS is fastest on narrow blocks for small batches and on 128 columns for large ones.
    """
    if n_rows * fan_in * fan_out <= _SMALL_PRODUCT:
        return width
    return min(width, 32 if n_rows <= 64 else 128)


@jit
def affine_block(a_in, n_rows, fan_in, w, b, fan_out, start, stop, z):
    """Compute columns ``start:stop`` of ``z = a_in W + b``.

    Parameters
    ----------
    a_in : ndarray of shape (n_rows * fan_in,)
    w : ndarray of shape (fan_in * fan_out,)
    b : ndarray of shape (fan_out,)
    start, stop : int
    z : ndarray of shape (n_rows * fan_out,)
        Written in columns ``start:stop``.
    """
    bias = b[start:stop]
    for i in range(n_rows):
        row = z[i * fan_out + start : i * fan_out + stop]
        for j in range(row.size):
            row[j] = bias[j]
    one = b.dtype.type(1)
    gemm(_PLAIN, _PLAIN, n_rows, stop - start, fan_in, a_in, fan_in, w[start:], fan_out, one, z[start:], fan_out)


@jit
def input_gradient_block(dz, n_rows, fan_out, w, fan_in, start, stop, da):
    """Compute columns ``start:stop`` of ``da = dz W'``, the gradient of the layer's input."""
    zero = w.dtype.type(0)
    gemm(_PLAIN, _TRANSPOSED, n_rows, stop - start, fan_out, dz, fan_out, w[start * fan_out :], fan_out, zero, da[start:], fan_in)


@jit
def weight_gradient_block(a_in, n_rows, fan_in, dz, fan_out, start, stop, beta, g):
    """Compute rows ``start:stop`` of ``beta G + a_in' dz`` into ``g``, which begins at row ``start``."""
    gemm(_TRANSPOSED, _PLAIN, stop - start, fan_out, n_rows, a_in[start:], fan_in, dz, fan_out, beta, g, fan_out)


@jit
def bias_gradient(dz, n_rows, fan_out, beta, g):
    """Compute ``beta g + column sums of dz``."""
    for j in range(fan_out):
        g[j] = beta * g[j] if beta != 0 else 0
    for i in range(n_rows):
        row = dz[i * fan_out : (i + 1) * fan_out]
        for j in range(fan_out):
            g[j] += row[j]
