"""A table of rows that is read chunk by chunk, so that the data are never copied or cast as a whole."""

import numpy as np
from scipy import sparse

from ._engine import sparse as sparse_layer
from ._engine.network import Rows
from ._jit import address

_CHUNK_BYTES = 4 << 20  # of dense rows at a time: they stay in the processor's caches
_CHUNK_OPERATIONS = 2e9  # multiplications between two returns to Python: under 0.1 s on one slow core


def _cast_silently():
    return np.errstate(over="ignore", invalid="ignore")  # what becomes inf makes the loss so, which is reported


class Table:
    """Rows of X with their targets and weights, handed out as :class:`Rows` in the network's dtype.

    Parameters
    ----------
    X : ndarray or CSR of shape (n_samples, n_features)
        Any real dtype, order or byte order; memmaps are read as they are used.
    y : ndarray of shape (n_samples, y_width) or None
    weight : ndarray of shape (n_samples,) or None
        With mean one over the training set.
    dtype : numpy.dtype
    mean_weight : float, default=1.0
        Mean of the sample weights as they were given.
    """

    def __init__(self, X, y, weight, dtype, mean_weight=1.0):
        self.X, self.y, self.weight, self.dtype, self.mean_weight = X, y, weight, dtype, mean_weight
        self.is_sparse = sparse.issparse(X)
        self.n_rows, self.n_features = X.shape
        self._nothing = np.empty(0, dtype)
        self._no_indices = np.empty(0, np.int64)
        self._dense = self._nothing

    def chunk_rows(self, n_weights):
        """Return how many rows may be handed out at a time to a network of ``n_weights`` weights."""
        by_bytes = _CHUNK_BYTES // (self.n_features * self.dtype.itemsize)
        by_time = _CHUNK_OPERATIONS / (3 * n_weights)
        return int(max(1, min(by_bytes, by_time)))

    def rows(self, which):
        """Return the rows ``which``, a slice, which may be a view, or an array of indices, a copy valid until the next call."""
        y = weight = self._nothing
        if self.y is not None:
            y, weight = self.y[which].ravel(), self.weight[which]
        if self.is_sparse:
            part = self.X[which]
            with _cast_silently():
                data = part.data.astype(self.dtype)
            return Rows(
                self._nothing,
                data,
                part.indices.astype(np.int64),
                part.indptr.astype(np.int64),
                y,
                weight,
                address(sparse_layer.affine, sparse_layer.AFFINE, self.dtype),
                address(sparse_layer.weight_gradient, sparse_layer.WEIGHT_GRADIENT, self.dtype),
            )
        return Rows(self._gather(which), self._nothing, self._no_indices, self._no_indices, y, weight, 0, 0)

    def _gather(self, which):
        is_slice, is_alike = isinstance(which, slice), self.X.dtype == self.dtype and self.X.flags.c_contiguous
        if is_slice and is_alike and self.X.flags.behaved:  # aligned and writable, as kernels are compiled for
            return self.X[which].reshape(-1)
        n_rows = len(range(self.n_rows)[which]) if is_slice else len(which)
        size = n_rows * self.n_features
        if self._dense.size < size:
            self._dense = np.empty(size, self.dtype)
        block = self._dense[:size].reshape(n_rows, self.n_features)
        if is_alike and not is_slice:
            np.take(self.X, which, axis=0, out=block, mode="clip")  # without "clip" NumPy buffers the output
        else:
            with _cast_silently():
                np.copyto(block, self.X[which], casting="unsafe")
        return self._dense
