"""Numbers as piecewise linear columns, one for each bin between quantiles: arXiv:2203.05556.

The formula is that of PiecewiseLinearEncoder, which uses it too. A network keeps its bins as a
tuple with ``(column, edges)`` for each column of the table that has some. They are fixed: the first
layer's weights are what is learned for them.
"""

import functools

import numpy as np

from .embedding import find_columns

N_BINS = 16  # of a column of a network; as in PiecewiseLinearEncoder, like the scale
SCALE = 0.3
_NUMBERS_AT_ONCE = 1 << 15  # whose intermediate values stay in the processor's caches


def find_edges(X, n_bins):
    """Return a list with the edges of each column's bins, which is an empty array where there are
    none.

    They are distinct quantiles. Columns with at most two distinct values have none, and those that
    would have a single bin.
    """
    chosen = set(find_columns(X))
    nothing = np.empty(0)
    return [_edges(X[:, i], n_bins) if i in chosen else nothing for i in range(X.shape[1])]


def _edges(column, n_bins):
    halves = np.quantile(column.astype(np.float64) / 2, np.linspace(0, 1, n_bins + 1))
    edges = np.unique(2 * halves)
    return edges if len(edges) > 2 else np.empty(0)


def find_bins(X):
    """Return the bins of a network that is trained on X."""
    found = enumerate(find_edges(X, N_BINS))
    return tuple((column, tuple(edges.tolist())) for column, edges in found if len(edges) > 0)


def encode(x, low, high, scale):
    """Return what numbers become in bins, from -scale / 2 to scale / 2.

    Parameters
    ----------
    x : ndarray
    low, high : ndarray of float64
        Edges of the bins, broadcast with ``x``. As arrays they make float64 of the result.
    scale : float
    """
    within = np.clip(x, low, high) / 2 - low / 2  # halves do not overflow
    return scale * (within / (high / 2 - low / 2) - 0.5)


class PiecewiseLinear:
    """The columns that a network adds behind those of a table.

    Parameters
    ----------
    bins : tuple of (int, tuple of float)

    Attributes
    ----------
    columns : ndarray of shape (n_added,)
        The column of the table of each one.
    low, high : ndarray of shape (n_added,)
        Edges of its bin.
    """

    def __init__(self, bins):
        counts = [len(edges) - 1 for _, edges in bins]
        self.columns = np.repeat([column for column, _ in bins], counts)
        self.low = np.array([edge for _, edges in bins for edge in edges[:-1]])
        self.high = np.array([edge for _, edges in bins for edge in edges[1:]])

    def encode(self, X, added):
        """Write the columns that follow those of X to ``added``."""
        n_rows = max(1, _NUMBERS_AT_ONCE // len(self.columns))
        for start in range(0, len(X), n_rows):
            rows = slice(start, start + n_rows)
            added[rows] = encode(X[rows, self.columns], self.low, self.high, SCALE)

    def add_gradient(self, X, of_added, of_features):
        """Add the gradient with respect to X to ``of_features``, given that of the added columns.

        At an edge, the slope is that of the bin which begins there.
        """
        is_within = (self.low <= X[:, self.columns]) & (X[:, self.columns] < self.high)
        # Slopes in narrower bins than the smallest normal number would be infinite.
        halves = np.maximum(self.high / 2 - self.low / 2, np.finfo(np.float64).tiny)
        slopes = SCALE / 2 / halves
        for column, gradient in zip(self.columns, (is_within * slopes * of_added).T, strict=True):
            of_features[:, column] += gradient


@functools.lru_cache(maxsize=64)
def piecewise_linear(bins):
    """Return the :class:`PiecewiseLinear` of a network's bins, or None if there are none."""
    return PiecewiseLinear(bins) if bins else None
