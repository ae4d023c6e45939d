"""Validation of tables, targets and sample weights, before a fit or prediction reads them."""

import contextlib
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import validate_data

from .._warnings import NonFinitePredictionError, warn_user
from ..parts.custom import loss_part
from .containers import refuse_lazy_frames, refuse_tensors
from .explanations import explaining
from .parameters import stops_early
from .scales import warn_of_other_scale
from .weights import check_sample_weight

_SMALL_TABLE = 1 << 14  # elements
_COLUMN_VECTOR = (  # scikit-learn's words, which its tests look for
    "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
    "(n_samples, ), for example using ravel()."
)


class Samples(NamedTuple):
    """Checked samples, and what they were made of."""

    X: Any  # ndarray or CSR
    y: np.ndarray
    weight: tuple  # weights over the largest one, and the largest one
    given: tuple  # X and y as the user gave them


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
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), with more than one output
    """
    refuse_tensors(estimator, X=X, y=y)
    refuse_lazy_frames(X=X, y=y)
    with explaining(estimator, X, y, y_numeric=y_numeric):
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
        X = _real_numbers(X)
        if y_numeric:
            if y.dtype.kind not in "biuf":
                raise ValueError(f"y must hold real numbers, got dtype {y.dtype}.")
            # scikit-learn has checked y, but what was None then is NaN by now
            assert_all_finite(y, input_name="y")
    if y_numeric and sparse.issparse(y):
        raise TypeError("y must be dense for regression, got a sparse matrix; pass y.toarray().")
    if reset:
        estimator._targets_are_sparse = sparse.issparse(y)
    if sparse.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        warn_user(_COLUMN_VECTOR, DataConversionWarning)
        y = y.ravel()
    return X, y


def check_was_fitted(estimator):
    """Raise if there are weights, but no network, because the user assigned them."""
    if not hasattr(estimator, "_architecture"):
        raise NotFittedError(
            f"coefs_ were assigned before this {type(estimator).__name__} was fitted; call fit or "
            "partial_fit once, with warm_start=False, and assign them afterwards."
        )


def scaled(estimator, y):
    """Return targets in units of ``y_scale_``, from ``y_mean_``."""
    mean, scale = _fitted_scaling(estimator, y.shape[1])
    return (y - mean) / scale


def unscaled(estimator, predictions):
    """Return predictions in the units of the targets that were given."""
    mean, scale = _fitted_scaling(estimator, predictions.shape[1])
    with np.errstate(over="ignore"):
        scaled_back = (predictions * scale + mean).astype(predictions.dtype)
    if not np.isfinite(scaled_back).all():
        raise NonFinitePredictionError(
            f"Predictions in the units of y are not finite in {predictions.dtype}: y_scale_ is "
            f"{np.asarray(scale)} and y_mean_ is {np.asarray(mean)}; assign finite numbers, or fit "
            "with dtype='float64' or with y in other units."
        )
    return scaled_back


def _fitted_scaling(estimator, n_targets):
    """Return ``y_mean_`` and ``y_scale_``, after checking that they fit so many targets."""
    scaling = [getattr(estimator, name, None) for name in ("y_mean_", "y_scale_")]
    for name, value in zip(("y_mean_", "y_scale_"), map(np.asarray, scaling), strict=True):
        if value.shape not in ((), (1,), (n_targets,)) or value.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} must be an array of {n_targets} numbers, got shape {value.shape} and "
                f"dtype {value.dtype}; assign one number for each target, or call fit with "
                "warm_start=False."
            )
    return scaling


def target_range(estimator, dtype):
    """Return the numbers of ``dtype`` between which predictions of each target stay.

    They are ``y_min_`` and ``y_max_``, rounded towards each other.
    """
    lows, highs = (np.asarray(getattr(estimator, name, None)) for name in ("y_min_", "y_max_"))
    n_targets = estimator._architecture.n_targets
    for name, value in {"y_min_": lows, "y_max_": highs}.items():
        if value.shape not in ((), (1,), (n_targets,)) or value.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} must be an array of {n_targets} numbers, got shape {value.shape} and "
                f"dtype {value.dtype}; assign one number for each target, or call fit."
            )
    if not (lows <= highs).all():  # or NaN
        raise ValueError(
            f"y_min_ must not be greater than y_max_, got {lows} and {highs}; assign the smallest "
            "and the largest prediction of each target, or call fit."
        )
    low, high = lows.astype(dtype), highs.astype(dtype)
    low = np.where(low < lows, np.nextafter(low, dtype.type(np.inf)), low)
    return low, np.where(high > highs, np.nextafter(high, dtype.type(-np.inf)), high)


def check_targets_of_loss(loss, y):
    """Raise ValueError if there are targets for which the loss is not defined."""
    part = loss_part(loss)
    lowest = y.min()
    if lowest < part.lowest_target or (part.excludes_lowest and lowest == part.lowest_target):
        sign = ">" if part.excludes_lowest else ">="
        raise ValueError(
            f"loss={loss!r} requires y {sign} 0, got a minimum of {lowest}; choose another loss."
        )


def check_scored_targets(y, n_samples, n_targets):
    """Return targets to compare predictions with, of shape (n_samples, n_targets)."""
    with naming("y must hold one real number for each target"):
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
    columns = y.reshape(-1, 1) if y.ndim == 1 else y
    if columns.shape != (n_samples, n_targets):
        raise ValueError(
            f"y of shape {y.shape} must have {n_targets} columns for {n_samples} samples."
        )
    return columns


def check_regression_targets(estimator, y):
    """Raise ValueError if the loss, ``normalize_y`` or ``quantile`` does not admit the targets."""
    check_targets_of_loss(estimator.loss, y)
    if estimator.normalize_y and loss_part(estimator.loss).lowest_target == 0:
        raise ValueError(
            f"normalize_y=True cannot be used with loss={estimator.loss!r}, whose predictions are "
            "positive; set normalize_y=False."
        )
    if estimator.loss == "quantile" and y.ndim == 2 and np.size(estimator.quantile) > 1:
        raise ValueError(
            f"quantile={estimator.quantile!r} has several levels, which requires one target, "
            f"got y of shape {y.shape}."
        )


def check_X(estimator, X):
    """Return the X of a prediction as an ndarray or CSR of real numbers."""
    if _is_plain(estimator, X):
        return X
    refuse_tensors(estimator, X=X)
    refuse_lazy_frames(X=X)
    with explaining(estimator, X):
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
        and "feature_names_in_" not in vars(estimator)
        and bool(np.isfinite(X).all())
    )


def _real_numbers(X):
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X must hold real numbers, got dtype {X.dtype}.")
    return X.tocsr() if hasattr(X, "tocsr") else X


def check_validation_samples(estimator, X_val, y_val, sample_weight_val, samples, class_weights):
    """Check the validation samples of a fit.

    Kernels read them as they read the training samples, so they must have the same columns.

    Parameters
    ----------
    estimator : BaseMLP
    X_val, y_val, sample_weight_val : as given by the user
    samples : Samples
        To train on.
    class_weights : list of ndarray or None
        Weights of the classes, which are those of the training samples.

    Returns
    -------
    validation : Samples, or None if none were given
    """
    if (X_val is None) != (y_val is None):
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"X_val and y_val must be given together, but {missing} is missing.")
    if X_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val was given without X_val and y_val.")
        return None
    with naming(
        "X_val and y_val must be like X and y (a Pipeline transforms X_val only with "
        "transform_input=['X_val'])"
    ):
        X, y = estimator._check_data(X_val, y_val, fresh=False, incremental=True)
    if X.shape[1] != samples.X.shape[1]:
        raise ValueError(f"X_val has {X.shape[1]} features, but X has {samples.X.shape[1]}.")
    if y.shape[1:] != samples.y.shape[1:]:
        raise ValueError(
            f"y_val of shape {y.shape} must have as many columns as y of shape {samples.y.shape}."
        )
    warn_of_other_scale(estimator, samples.X, X)
    with naming("sample_weight_val must be weights of the rows of X_val"):
        weight = estimator._weigh(check_sample_weight(sample_weight_val, X), y, class_weights)
    return Samples(X, y, weight, (X_val, y_val))


def check_groups(estimator, groups, validation):
    """Warn about groups that nothing reads."""
    if groups is None:
        return
    splits = stops_early(estimator, None) and hasattr(estimator.validation_fraction, "split")
    if validation is not None or not splits:
        warn_user(
            "groups have no effect: they are for early_stopping=True with a splitter as "
            f"validation_fraction, such as GroupShuffleSplit(), and without X_val; got "
            f"early_stopping={estimator.early_stopping!r} and "
            f"validation_fraction={estimator.validation_fraction!r}."
        )


@contextlib.contextmanager
def naming(arguments):
    """Put ``arguments`` in front of errors that speak of X, y or sample_weight.

    Predictions that are not finite are no fault of these, and training can survive them.
    """
    try:
        yield
    except NonFinitePredictionError:
        raise
    except ValueError as error:
        raise ValueError(f"{arguments}: {error}") from error
    except TypeError as error:
        raise TypeError(f"{arguments}: {error}") from error


def arithmetic_dtype(estimator, X):
    """Return the dtype to compute in: the parameter ``dtype``, or X's own."""
    if estimator.dtype is not None:
        return np.dtype(estimator.dtype)
    return np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
