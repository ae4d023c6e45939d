"""What users give, checked before any state changes: parameters, tables, targets, weights."""

import os
from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data

from .activations import ACTIVATIONS
from .optimizers import OPTIMIZERS
from .schedules import SCHEDULES

SOLVERS = ("lbfgs", *OPTIMIZERS)

PARAMETER_CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "solver": [StrOptions(set(SOLVERS))],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions(set(SCHEDULES))],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dtype": [StrOptions({"float32", "float64"}), None],
}


def check_hidden_layer_sizes(sizes):
    """Return the hidden layers' widths as a list of ints."""
    widths = list(np.atleast_1d(np.asarray(sizes, dtype=object)))
    if not all(isinstance(width, Integral) and not isinstance(width, bool) for width in widths):
        raise ValueError(f"hidden_layer_sizes must be an int or a sequence of ints, got {sizes!r}.")
    if any(width <= 0 for width in widths):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {widths}.")
    return [int(width) for width in widths]


def check_training_data(estimator, X, y, *, reset, y_numeric):
    """Return X as it came, but as an array or CSR of real numbers, and y as an array."""
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


def check_X(estimator, X):
    """Return the X of a prediction as an array or CSR of real numbers."""
    return _real_numbers(validate_data(estimator, X, accept_sparse=["csr", "csc"], dtype="numeric", reset=False))


def _real_numbers(X):
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X must hold real numbers, got dtype {X.dtype}; convert it to float64 or float32.")
    return X.tocsr() if hasattr(X, "tocsr") else X


def check_sample_weight(sample_weight, X):
    """Return ``(weights over the largest one, the largest one)``, float64 of shape (n_samples,)."""
    if sample_weight is None:
        return np.ones(X.shape[0]), 1.0
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    largest = weight.max()
    if largest == 0:
        raise ValueError("sample_weight must have at least one positive weight, got only zeros.")
    return weight / largest, largest


def relative_weight(weight, largest, train_rows, dtype):
    """Return ``(weights with mean one over the training rows, dtype, the mean of the weights as they were given)``."""
    mean = weight[train_rows].mean()
    if mean == 0:
        raise ValueError("sample_weight must have at least one positive weight among the rows that early_stopping leaves for training.")
    return (weight / mean).astype(dtype), dtype, mean * largest


def split_rows(n_rows, validation_fraction, random_state, labels):
    """Return ``(training rows, validation rows)``, drawn as scikit-learn draws them, stratified by ``labels`` where possible.

    With two classes the split is scikit-learn's, errors included. With more, the only row of a class is trained on, and labels are
    ignored if there are more classes than validation rows.
    """
    if validation_fraction == 0:
        raise ValueError("validation_fraction must be in (0, 1) with early_stopping=True, got 0.")
    rows, alone = np.arange(n_rows), np.empty(0, dtype=np.int64)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if labels is not None and len(classes) > 2:
        single = counts[codes] == 1
        rows, alone, labels = rows[~single], rows[single], labels[~single]
        n_validation = int(np.ceil(validation_fraction * len(rows)))
        if min(n_validation, len(rows) - n_validation) < (counts > 1).sum():
            labels = None
    train_rows, validation_rows = train_test_split(rows, test_size=validation_fraction, random_state=random_state, stratify=labels)
    if len(validation_rows) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return np.concatenate([train_rows, alone]), validation_rows


def arithmetic_dtype(estimator, X):
    """Return the dtype of the arithmetic: the parameter, or X's own."""
    if estimator.dtype is not None:
        return np.dtype(estimator.dtype)
    return np.dtype(np.float32 if X.dtype == np.float32 else np.float64)


def check_memory(estimator, n_bytes):
    """Raise MemoryError if this machine cannot hold ``n_bytes``, instead of being killed half-way."""
    if not hasattr(os, "sysconf"):
        return
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if n_bytes > available:
        raise MemoryError(
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} needs {n_bytes / 2**30:.1f} GiB for weights and optimizer, but this "
            f"machine has {available / 2**30:.1f} GiB; use fewer units."
        )
