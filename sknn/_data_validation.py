"""Validation of tables, targets and sample weights, before a fit or prediction reads them."""

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import _check_sample_weight, validate_data

_SMALL_TABLE = 1 << 14  # elements


def check_training_data(estimator, X, y, *, reset, y_numeric):
    """Check X and y of a fit.

    Parameters
    ----------
    estimator : BaseMLP
    X, y : as given by the user
    reset : bool
        Whether to set ``n_features_in_`` and ``feature_names_in_``, instead of checking X against
        them.
    y_numeric : bool
        Whether y must hold numbers.

    Returns
    -------
    X : ndarray or CSR of real numbers, the user's own if it is one
    y : ndarray
    """
    if not reset:
        _check_was_fitted(estimator)
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse=["csr", "csc"],
        dtype="numeric",
        multi_output=True,
        y_numeric=y_numeric,
        reset=reset,
    )
    if hasattr(y, "toarray"):
        y = y.toarray()
    return _real_numbers(X), y


def _check_was_fitted(estimator):
    """Raise if there are weights, but no network, because the user assigned them."""
    if not hasattr(estimator, "n_features_in_"):
        raise NotFittedError(
            f"coefs_ were assigned before this {type(estimator).__name__} was fitted; call fit or "
            "partial_fit once, with warm_start=False, and assign them afterwards."
        )


def classes_in(y):
    """Return the sorted class labels in y, or the column numbers of an indicator matrix.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Targets from :func:`check_training_data`.

    Raises
    ------
    ValueError
        If y holds neither classes nor an indicator matrix.
    """
    # Integers are always classes. type_of_target would take longer than many an epoch.
    are_codes = y.ndim == 1 and y.dtype.kind in "biu"
    kind = "multiclass" if are_codes else type_of_target(y, input_name="y")
    if kind == "multiclass-multioutput":
        raise ValueError(
            "Multioutput target data is not supported: y must be one column of labels or a 0/1 "
            "indicator matrix."
        )
    if kind not in ("binary", "multiclass", "multilabel-indicator"):
        check_classification_targets(y)  # its error names the kind
    # unique_labels would ask for the type of target once more
    is_plain = y.ndim == 1 and y.dtype.kind in "biuf" and y.dtype.isnative
    return np.unique(y) if is_plain else unique_labels(y)


def check_X(estimator, X):
    """Return the X of a prediction as an ndarray or CSR of real numbers."""
    if _is_plain(estimator, X):
        return X
    _check_was_fitted(estimator)
    return _real_numbers(
        validate_data(estimator, X, accept_sparse=["csr", "csc"], dtype="numeric", reset=False)
    )


def _is_plain(estimator, X):
    """Return whether X is a small array that scikit-learn's checks would return unchanged.

    The checks take longer than the prediction for such an array.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim == 2
        and 0 < X.size <= _SMALL_TABLE
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
        and bool(np.isfinite(X).all())
    )


def _real_numbers(X):
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"X must hold real numbers, got dtype {X.dtype}; convert it to float64 or float32."
        )
    return X.tocsr() if hasattr(X, "tocsr") else X


def check_sample_weight(sample_weight, X):
    """Check sample weights and scale them to a maximum of 1, so that sums cannot overflow.

    Returns
    -------
    weight : ndarray of shape (n_samples,), float64
    largest : float
        What they were divided by.
    """
    if sample_weight is None:
        return np.broadcast_to(1.0, X.shape[0]), 1.0
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    largest = weight.max()
    if largest == 0:
        raise ValueError("sample_weight must have at least one positive weight, got only zeros.")
    return weight / largest, largest


def relative_weight(weight, largest, train_rows, dtype):
    """Scale sample weights to a mean of 1 over the training rows.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
    largest : float
        As :func:`check_sample_weight` returns them.
    train_rows : ndarray of int or None
        None stands for all rows.
    dtype : dtype
        Of the result.

    Returns
    -------
    relative : ndarray of shape (n_samples,)
    dtype : dtype
    mean : float
        Mean of the weights as the user gave them.
    """
    mean = (weight if train_rows is None else weight[train_rows]).mean()
    if mean == 0:
        raise ValueError(
            "sample_weight must have at least one positive weight among the rows that "
            "early_stopping leaves for training."
        )
    relative = np.empty(len(weight), dtype)
    # computed in float64, but without a float64 array of its own
    np.divide(weight, mean, out=relative, casting="same_kind")
    return relative, dtype, mean * largest


def arithmetic_dtype(estimator, X):
    """Return the dtype to compute in: the parameter ``dtype``, or X's own."""
    if estimator.dtype is not None:
        return np.dtype(estimator.dtype)
    return np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
