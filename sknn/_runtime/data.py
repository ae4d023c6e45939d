"""A table of rows that is read chunk by chunk, so that the data are never copied or cast as a
whole.
"""

import numpy as np
from scipy import sparse

from .._compiled.kinds import SPARSE_AFFINE, SPARSE_WEIGHT_GRADIENT
from .._engine import sparse as sparse_layer
from .._engine.structs import Rows
from .finiteness import refuse_overflow
from .layout import aligned_zeros
from .piecewise_linear import piecewise_linear

_CHUNK_BYTES = 4 << 20  # of rows at a time: they stay in the processor's caches
# of rows that go through the network together, with their values in its layers
_BATCH_BYTES = 128 << 20
# multiplications between two returns to Python: under 0.1 s on one slow core
_CHUNK_OPERATIONS = 2e9


def _cast_silently():
    return np.errstate(over="ignore", invalid="ignore")


class Table:
    """Rows of X with their targets and weights, returned as :class:`Rows` in the network's dtype.

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
    name : str, default="X"
        What errors call the table.
    bins : tuple, default=()
        Bins of the columns that are encoded; see piecewise_linear.py. What they become follows the
        columns of X in every row. It is computed anew whenever rows are read, since all of it may
        take 17 times the memory of X.
    """

    def __init__(self, X, y, weight, dtype, mean_weight=1.0, name="X", bins=()):
        self.name = name
        self.X = X
        self.y = y
        self.weight = weight
        self.dtype = dtype
        self.mean_weight = mean_weight
        self.is_sparse = sparse.issparse(X)
        self.n_rows, self.n_features = X.shape
        self._added = piecewise_linear(bins)
        self.n_columns = self.n_features + (len(self._added.columns) if bins else 0)
        self.n_stored = _usual_row(X) if self.is_sparse else self.n_columns
        is_plain = not self.is_sparse and not bins
        self._is_alike = is_plain and X.dtype == dtype and X.flags.c_contiguous
        # Kernels are compiled for aligned and writable arrays.
        self._is_readable = self._is_alike and X.flags.behaved
        self._nothing = np.empty(0, dtype)
        self._no_indices = np.empty(0, np.int64)
        self._copy = self._read = self._nothing

    def chunk_rows(self, n_operations):
        """Return how many rows a chunk may have if each takes ``n_operations`` multiplications."""
        return _rows_within(_CHUNK_BYTES, self._row_bytes, n_operations)

    def chunk_rows_of_epochs(self, n_operations):
        """Return how many rows a chunk of several whole epochs may have.

        Where X is read as it is, only indices, targets and weights of rows are copied, and more
        rows fit. A chunk of a part of an epoch has no more for that: sums of losses begin anew with
        every chunk, and are to keep their bits.
        """
        n_bytes = self._row_bytes
        if self._is_readable:
            n_values = self.y[:1].size + self.weight[:1].size
            n_bytes = self._no_indices.itemsize + n_values * self.dtype.itemsize
        return _rows_within(_CHUNK_BYTES, n_bytes, n_operations)

    def batch_rows(self, n_operations, n_values):
        """Return how many rows may go through a network together.

        Parameters
        ----------
        n_operations : int
            Multiplications that a row takes.
        n_values : int
            Values of a row in the network's layers.
        """
        return _rows_within(
            _BATCH_BYTES, self._row_bytes + n_values * self.dtype.itemsize, n_operations
        )

    @property
    def _row_bytes(self):
        return self.n_stored * (
            self.dtype.itemsize + (self._no_indices.itemsize if self.is_sparse else 0)
        )

    def rows(self, which, together, *, n_inputs=0, refuses_overflow=False):
        """Return rows, valid until the next call.

        Where the network can read X as it is, nothing is copied. Rows that are chosen by indices
        are gathered minibatch by minibatch, into memory that belongs to the result.

        Parameters
        ----------
        which : slice or ndarray of int
            Indices from 0.
        together : int
            How many of the rows go through the network together.
        n_inputs : int, default=0
            What the first layer reads of a row, where it is not the row itself.
        refuses_overflow : bool, default=False
            Whether values beyond the network's dtype are an error. In training they need none:
            they make the loss or the weights non-finite, which is reported.
        """
        casting = refuse_overflow(self.name, self.dtype) if refuses_overflow else _cast_silently()
        y = weight = self._nothing
        if self.y is not None:
            y = _take(self.y, which).ravel()
            weight = _take(self.weight, which)
        if self.is_sparse:
            part = self.X[which]
            if (
                self.y is not None and not part.has_sorted_indices
            ):  # training looks for elements by bisection
                part = part.sorted_indices()
            with casting:
                data = part.data.astype(self.dtype)
            csr = data, part.indices.astype(np.int64), part.indptr.astype(np.int64)
            addresses = (
                SPARSE_AFFINE.address(sparse_layer.affine, self.dtype),
                SPARSE_WEIGHT_GRADIENT.address(sparse_layer.weight_gradient, self.dtype),
            )
            return Rows(self._nothing, self._no_indices, self._nothing, *csr, y, weight, *addresses)
        no_csr = self._nothing, self._no_indices, self._no_indices
        dense, order, gathered = self._dense(which, together, casting)
        if n_inputs > 0:
            gathered = self._read = _with_room(self._read, together * n_inputs)
        return Rows(dense, order, gathered, *no_csr, y, weight, 0, 0)

    def _dense(self, which, together, casting):
        """Return dense rows, the order in which they are read, and memory for a batch of them."""
        is_slice = isinstance(which, slice)
        if self._is_readable and is_slice:
            return self.X[which].reshape(-1), self._no_indices, self._nothing
        n_rows = len(range(self.n_rows)[which]) if is_slice else len(which)
        if self._is_readable:
            self._read = _with_room(self._read, min(together, n_rows) * self.n_features)
            return self.X.reshape(-1), np.require(which, np.int64, ["C", "W"]), self._read
        self._copy = _with_room(self._copy, n_rows * self.n_columns)
        block = self._copy[: n_rows * self.n_columns].reshape(n_rows, self.n_columns)
        if self._is_alike and not is_slice:
            np.take(
                self.X, which, axis=0, out=block, mode="clip"
            )  # without "clip" NumPy buffers the output
        else:
            features = block[:, : self.n_features]
            with casting:
                np.copyto(features, self.X[which], casting="unsafe")
            if self._added is not None:
                self._added.encode(features, block[:, self.n_features :])
        return self._copy, self._no_indices, self._nothing


def _rows_within(n_bytes, row_bytes, n_operations):
    """Return how many rows, at least one, take no more memory than ``n_bytes`` and no more time
    than a chunk.
    """
    return int(max(1, min(n_bytes // row_bytes, _CHUNK_OPERATIONS / n_operations)))


def _usual_row(X):
    """Return how many elements a sparse row has: the mean over elements of what their rows have, so
    that a few long rows count.
    """
    sizes = np.diff(X.indptr).astype(np.float64)
    return int(max(1, np.ceil((sizes @ sizes) / max(1, sizes.sum()))))


def _take(array, which):
    """Return ``array[which]``, which takes NumPy twice as long for indices."""
    return array[which] if isinstance(which, slice) else array.take(which, axis=0)


def _with_room(vector, size):
    """Return the vector if it has so many elements, else a new one."""
    return vector if vector.size >= size else aligned_zeros(size, vector.dtype)
