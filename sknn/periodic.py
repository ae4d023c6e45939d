"""Waves of numbers, with which a network can learn functions that change quickly."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from ._tabular.added import check_factor, names_with_added
from ._validation.explanations import explaining
from ._validation.parameters import checked_random_state
from ._versions import DocumentationLinkMixin

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._validation.types import Table

_LARGEST = np.finfo(np.float64).max


class PeriodicEncoder(TransformerMixin, DocumentationLinkMixin, BaseEstimator):
    r"""Transformer that adds waves of random frequencies to numbers.

    A network learns smooth functions of its inputs first. With waves as inputs, it can learn
    functions that change quickly [1]_. Here, each column x with more than two distinct values is
    followed by the columns

    .. math::
        a \cos\left(2 \pi (w_j x + b_j)\right), \quad j = 1, 2, \dots

    with fixed frequencies :math:`w_j` and phases :math:`b_j`, which are drawn for each column:
    frequencies from a normal distribution with the standard deviation `frequency_scale`, and phases
    uniformly from 0 to 1. (In [2]_, training changes them.) Other columns stay as they are.
    Frequencies are in periods per unit, so scale columns first, as :class:`TabularPreprocessor`
    does.

    Parameters
    ----------
    n_frequencies : int, default=8
        Number of waves of a column. 0 adds no columns.
    frequency_scale : float, default=1.0
        Standard deviation of the frequencies, > 0. With a smaller one, the network's functions are
        smoother.
    amplitude : float, default=0.3
        Factor a, > 0. With a smaller one, the waves matter less beside x itself.
    random_state : int, RandomState instance or None, default=None
        Draws frequencies and phases. Pass an int for reproducible results.

    Attributes
    ----------
    frequencies_ : list of ndarray
        The frequencies of each column, empty if no waves were added.
    phases_ : list of ndarray
        The phases of each column, in periods.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen during ``fit``. Only if X has names that are all strings.

    See Also
    --------
    PiecewiseLinearEncoder : Adds columns that are linear in bins.
    sklearn.kernel_approximation.RBFSampler : Waves of all columns together.

    References
    ----------
    .. [1] M. Tancik, P. P. Srinivasan, B. Mildenhall, S. Fridovich-Keil, N. Raghavan, U. Singhal,
       R. Ramamoorthi, J. T. Barron, R. Ng, "Fourier Features Let Networks Learn High Frequency
       Functions in Low Dimensional Domains", 2020, :arxiv:`2006.10739`.
    .. [2] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular
       Deep Learning", 2022, :arxiv:`2203.05556`.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn import PeriodicEncoder
    >>> X = np.array([[-1.0], [0.0], [1.0]])
    >>> encoder = PeriodicEncoder(n_frequencies=4, random_state=0).fit(X)
    >>> encoder.transform(X).shape
    (3, 5)
    >>> encoder.get_feature_names_out()
    array(['x0', 'x0_wave1', 'x0_wave2', 'x0_wave3', 'x0_wave4'], dtype=object)
    """

    def __init__(
        self,
        n_frequencies: int = 8,
        *,
        frequency_scale: float = 1.0,
        amplitude: float = 0.3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_frequencies = n_frequencies
        self.frequency_scale = frequency_scale
        self.amplitude = amplitude
        self.random_state = random_state

    def fit(self, X: Table, y: Any = None) -> Self:
        """Draw the frequencies and phases of the columns that have more than two values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : None
            Ignored.

        Returns
        -------
        self : PeriodicEncoder
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is out of range, or if X is not finite.
        """
        self._check_parameters()
        random_state = checked_random_state(self.random_state)
        with explaining(self, X):
            X = validate_data(self, X, dtype=(np.float64, np.float32))
        counts = [self.n_frequencies * (len(np.unique(column)) > 2) for column in X.T]
        self.frequencies_ = [
            random_state.normal(scale=self.frequency_scale, size=count) for count in counts
        ]
        self.phases_ = [random_state.uniform(size=count) for count in counts]
        self._amplitude = self.amplitude  # set_params changes the next fit only
        return self

    def _check_parameters(self):
        """Raise a ValueError that names the parameter if one is out of range."""
        n = self.n_frequencies
        if not isinstance(n, numbers.Integral) or isinstance(n, bool) or n < 0:
            raise ValueError(f"n_frequencies={n!r} must be an int of at least 0.")
        for name in ("frequency_scale", "amplitude"):
            check_factor(name, getattr(self, name))

    def transform(self, X: Table) -> np.ndarray:
        """Add the waves.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            The columns of X, each followed by its waves, in X's dtype if it is float32, and float64
            otherwise.
        """
        check_is_fitted(self)
        with explaining(self, X):
            X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        n_outputs = X.shape[1] + sum(map(len, self.frequencies_))
        encoded = np.empty((len(X), n_outputs), dtype=X.dtype)
        position = 0
        for column, frequencies, phases in zip(X.T, self.frequencies_, self.phases_, strict=True):
            encoded[:, position] = column
            position += 1
            for frequency, phase in zip(frequencies, phases, strict=True):
                with np.errstate(over="ignore"):
                    cycles = np.multiply(column, frequency, dtype=np.float64)
                periods = np.clip(cycles, -_LARGEST, _LARGEST) % 1
                encoded[:, position] = self._amplitude * np.cos(2 * np.pi * (periods + phase))
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
            The name of the feature, then that name with '_wave1', '_wave2' and so on. Where a
            feature has such a name already, the wave's ends with one more '_'.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return names_with_added(names, [len(phases) for phases in self.phases_], "wave")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
