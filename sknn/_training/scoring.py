"""Scores of the validation rows by a scorer of scikit-learn's kind."""

import inspect

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object

from .._validation.data import naming
from .._warnings import warn_user


class ValidationScorer:
    """Call the scorer that an estimator has as ``scoring``, as scikit-learn's searches do.

    It sees the rows as the user gave them: rows of a data frame are a data frame. It gets the
    weights of the rows if it takes any.

    Parameters
    ----------
    estimator : BaseMLP
    samples : Samples
    rows : ndarray of int
        Validation rows among the samples.
    """

    def __init__(self, estimator, samples, rows):
        self.scoring = estimator.scoring
        self._scorer = check_scoring(estimator, scoring=estimator.scoring)
        X, y = samples.given
        self._X = _rows_as_given(X, samples.X, rows)
        self._y = _rows_as_given(y, samples.y, rows)
        weight, largest = samples.weight
        weight = weight[rows]
        self._arguments = {}
        if (weight == weight[0]).all():
            return
        takes_weight = _takes_weight(self._scorer)
        if takes_weight:
            self._arguments["sample_weight"] = weight * largest
        elif takes_weight is None and estimator.early_stopping:
            warn_user(
                f"scoring={self.scoring!r} has no parameter sample_weight, so weights of samples "
                "and classes do not count in the score that early stopping watches; use a scorer "
                "that takes sample_weight."
            )

    def __call__(self, estimator):
        """Return the score of a fitted estimator, a copy that belongs to the call."""
        if not _has_columns(self._X):
            vars(estimator).pop("feature_names_in_", None)
        with naming(f"scoring={self.scoring!r} failed on the validation rows"):
            return float(self._scorer(estimator, self._X, self._y, **self._arguments))


def _takes_weight(scorer):
    """Return whether a scorer takes ``sample_weight``; None if it does not know the argument, False
    if the user has declined it by a metadata request.
    """
    if hasattr(scorer, "get_metadata_routing"):
        requests = getattr(get_routing_for_object(scorer), "score", None)
        if requests is None or "sample_weight" not in requests.requests:
            return None
        return requests.requests["sample_weight"] in (None, True)
    return True if "sample_weight" in inspect.signature(scorer).parameters else None


def _has_columns(table):
    return hasattr(table, "iloc") or hasattr(table, "__dataframe__")


def _rows_as_given(given, checked, rows):
    """Return rows of a data frame or series as such, and rows of the checked array for others."""
    return _safe_indexing(given if _has_columns(given) else checked, np.asarray(rows))
