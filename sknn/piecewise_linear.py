"""Bins of numbers, with which a network can learn functions that jump or bend."""

from __future__ import annotations

import itertools
import numbers
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from ._runtime.piecewise_linear import encode, find_edges
from ._tabular.added import check_factor, names_with_added
from ._validation.explanations import explaining
from ._versions import DocumentationLinkMixin


class PiecewiseLinearEncoder(TransformerMixin, DocumentationLinkMixin, BaseEstimator):
    r"""Transformer that adds piecewise linear columns to numbers.

    A network learns smooth functions of its inputs first. Where the target jumps or bends within a
    column, it needs help [1]_. Here, each column x with more than two distinct values is followed
    by one column for each bin between quantiles :math:`e_0 < e_1 < \dots` of the training set,

    .. math::
        s \left(\min\left(1, \max\left(0, \frac{x - e_{j-1}}{e_j - e_{j-1}}\right)\right)
        - \frac{1}{2}\right),

    which rises from -s / 2 to s / 2 within the bin. Any linear combination of them is continuous,
    and linear in each bin. Other columns stay as they are.

    Parameters
    ----------
    n_bins : int, default=16
        Number of bins of a column, at least 2; fewer where quantiles are equal. 0 adds no columns.
    scale : float, default=0.3
        Factor s, > 0. With a smaller one, the network's functions are smoother.

    Attributes
    ----------
    edges_ : list of ndarray
        The edges of the bins of each column, empty if none were added.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen during ``fit``. Only if X has names that are all strings.

    See Also
    --------
    TabularPreprocessor : Scales numbers, and encodes categories and dates.
    PeriodicEncoder : Adds waves.
    sklearn.preprocessing.SplineTransformer : Smooth columns for linear models.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular
       Deep Learning", 2022, :arxiv:`2203.05556`.

    Examples
    --------
    >>> from sknn import PiecewiseLinearEncoder
    >>> encoder = PiecewiseLinearEncoder(n_bins=2, scale=1.0)
    >>> encoder.fit_transform([[0.0], [1.0], [2.0], [5.0], [8.0]])
    array([[ 0. , -0.5, -0.5],
           [ 1. ,  0. , -0.5],
           [ 2. ,  0.5, -0.5],
           [ 5. ,  0.5,  0. ],
           [ 8. ,  0.5,  0.5]])

    A network can do this itself, with the default parameters. It puts all bins after all columns:

    >>> from sknn import MLPRegressor
    >>> reg = MLPRegressor(numeric_embedding="piecewise_linear", random_state=0, tol=0.01)
    >>> reg = reg.fit([[0.0], [1.0], [2.0], [5.0], [8.0]], [0.0, 3.0, 1.0, 0.0, 0.0])
    >>> len(reg.embedding_edges_[0]) - 1, reg.coefs_[0].shape
    (16, (17, 100))
    """

    def __init__(self, n_bins: int = 16, *, scale: float = 0.3) -> None:
        self.n_bins = n_bins
        self.scale = scale

    def fit(self, X: Any, y: Any = None) -> PiecewiseLinearEncoder:
        """Learn the edges of the bins.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : None
            Ignored.

        Returns
        -------
        self : PiecewiseLinearEncoder
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is out of range, or if X is not finite.
        """
        n_bins = self.n_bins
        is_count = isinstance(n_bins, numbers.Integral) and not isinstance(n_bins, bool)
        if not is_count or n_bins < 0 or n_bins == 1:
            raise ValueError(f"n_bins={n_bins!r} must be 0, or an int of at least 2.")
        check_factor("scale", self.scale)
        with explaining(self, X):
            X = validate_data(self, X, dtype=(np.float64, np.float32))
        no_edges = [np.empty(0) for _ in range(X.shape[1])]
        self.edges_ = find_edges(X, n_bins) if n_bins > 0 else no_edges
        self._scale = self.scale  # set_params changes the next fit only
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Add the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            The columns of X, each followed by those of its bins, in X's dtype if it is float32, and
            float64 otherwise.
        """
        check_is_fitted(self)
        with explaining(self, X):
            X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        n_outputs = [max(1, len(edges)) for edges in self.edges_]
        encoded = np.empty((len(X), sum(n_outputs)), dtype=X.dtype)
        position = 0
        for column, edges in zip(X.T, self.edges_, strict=True):
            encoded[:, position] = column
            # Edges as arrays: with a number, NumPy 1 would compute in float32.
            for low, high in itertools.pairwise(edges[:, np.newaxis]):
                position += 1
                encoded[:, position] = encode(column, low, high, self._scale)
            position += 1
        return encoded

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Get the names of the outputs.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features, if X had none. By default 'x0', 'x1' and so on.

        Returns
        -------
        feature_names_out : ndarray of str objects
            The name of the feature, then that name with '_bin1', '_bin2' and so on. Where a feature
            has such a name already, the bin's ends with one more '_'.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        counts = [max(0, len(edges) - 1) for edges in self.edges_]
        return names_with_added(names, counts, "bin")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
