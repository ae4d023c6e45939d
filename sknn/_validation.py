"""What users give, checked before any state changes: parameters, tables, weights."""

import os
import warnings
from numbers import Integral, Number, Real

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import _check_sample_weight, validate_data

from .parts.activations import ACTIVATIONS
from .parts.custom import Activation, activation_part, loss_part
from .parts.initializers import INITIALIZERS
from .parts.losses import LOSSES
from .parts.optimizers import OPTIMIZERS
from .parts.regularizers import REGULARIZERS, regularizer_part
from .parts.schedules import SCHEDULES

SOLVERS = ("lbfgs", *OPTIMIZERS)
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_COUNT = Interval(Integral, 1, None, closed="left")
_RATE = Interval(Real, 0, 1, closed="left")

PARAMETER_CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", _COUNT],
    "activation": [StrOptions(set(ACTIVATIONS)), list, tuple, Activation],
    "solver": [StrOptions(set(SOLVERS))],
    "alpha": [_NOT_NEGATIVE],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "learning_rate": [StrOptions(set(SCHEDULES))],
    "learning_rate_init": [_POSITIVE],
    "power_t": [_NOT_NEGATIVE],
    "max_iter": [_COUNT],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [_NOT_NEGATIVE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both"), list, tuple],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [_RATE, HasMethods(["split", "get_n_splits"])],
    "beta_1": [_RATE],
    "beta_2": [_RATE],
    "epsilon": [_POSITIVE],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "max_fun": [_COUNT],
    "negative_slope": [_NOT_NEGATIVE],
    "elu_alpha": [_POSITIVE],
    "maxout_pieces": [Interval(Integral, 2, None, closed="left")],
    "initializer": [StrOptions(set(INITIALIZERS))],
    "rho": [_RATE],
    "decay_rate": [_NOT_NEGATIVE],
    "warmup_epochs": [_NOT_NEGATIVE],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "weight_decay": [_NOT_NEGATIVE],
    "dropout": [_RATE, list, tuple],
    "input_dropout": [_RATE],
    "batch_norm": ["boolean", StrOptions({"before", "after"})],
    "batch_norm_momentum": [_RATE],
    "max_grad_norm": [_POSITIVE, None],
    "scoring": [str, callable, None],
    "early_stopping_window": [_COUNT],
    "restore_best": ["boolean"],
    "dtype": [StrOptions({"float32", "float64"}), None],
}

_SMALL_TABLE = 1 << 14  # elements

# Parameters that scikit-learn's networks have too, without ever reporting that one has no effect.
_OF_SCIKIT_LEARN = {
    "alpha",
    "beta_1",
    "beta_2",
    "epsilon",
    "max_iter",
    "momentum",
    "nesterovs_momentum",
    "power_t",
}
_REGISTRIES = (ACTIVATIONS, LOSSES, OPTIMIZERS, REGULARIZERS, SCHEDULES)
_OF_PARTS = {
    name for registry in _REGISTRIES for part in registry.values() for name in part.parameters
} - _OF_SCIKIT_LEARN

# When the other added parameters act. One that was set and does not act is reported.
_ACTS = {
    "warmup_epochs": lambda est: est.solver != "lbfgs",
    "weight_decay": lambda est: est.solver != "lbfgs",
    "dropout": lambda est: est.solver != "lbfgs",
    "input_dropout": lambda est: est.solver != "lbfgs",
    "batch_norm_momentum": lambda est: est.batch_norm is not False and est.solver != "lbfgs",
    "max_grad_norm": lambda est: est.solver != "lbfgs",
    "scoring": lambda est: est.early_stopping,
    "early_stopping_window": lambda est: est.early_stopping,
    "restore_best": lambda est: est.early_stopping,
} | {name: lambda est, name=name: name in _parameters_of(est) for name in sorted(_OF_PARTS)}


def _parameters_of(estimator):
    """Return the constructor arguments that the chosen parts read.

    A classifier's loss depends on its classes, so all of those that it may choose count.
    """
    activation = estimator.activation
    several = isinstance(activation, (list, tuple))
    parts = [activation_part(choice) for choice in (activation if several else [activation])]
    parts.append(regularizer_part(estimator))
    if hasattr(estimator, "loss"):
        parts.append(loss_part(estimator.loss))
    else:
        parts += [part for part in LOSSES.values() if part.task == "classification"]
    if estimator.solver != "lbfgs":
        parts += [OPTIMIZERS[estimator.solver], SCHEDULES[estimator.learning_rate]]
    return {name for part in parts for name in part.parameters}


def check_parameters(estimator):
    """Return the hidden layers' widths, after checking what depends on several parameters; warn of
    parameters without effect.
    """
    widths = _check_hidden_layer_sizes(estimator.hidden_layer_sizes)
    _check_per_layer(
        estimator,
        "activation",
        len(widths),
        lambda value: isinstance(value, Activation) or value in ACTIVATIONS,
    )
    _check_per_layer(
        estimator, "dropout", len(widths), lambda value: isinstance(value, Real) and 0 <= value < 1
    )
    if not isinstance(estimator.momentum, Real):
        pair = estimator.momentum
        if len(pair) != 2 or not all(isinstance(value, Real) and 0 <= value <= 1 for value in pair):
            raise ValueError(
                f"momentum must be in [0, 1] or a pair (start, end) of such, got {pair!r}."
            )
    known = estimator._constructor_parameters()
    if "quantile" in known:
        _check_quantile(estimator.quantile)
    for name, acts in _ACTS.items():
        if (
            name in known
            and not _is_default(getattr(estimator, name), known[name].default)
            and not acts(estimator)
        ):
            _warn_without_effect(estimator, name)
    if (
        estimator.solver == "lbfgs"
        and not SCHEDULES[estimator.learning_rate].sgd_only
        and estimator.learning_rate != "constant"
    ):
        _warn_without_effect(estimator, "learning_rate")
    if estimator.solver != "sgd" and not isinstance(estimator.momentum, Real):
        _warn_without_effect(estimator, "momentum")
    return widths


def _check_quantile(quantile):
    levels = np.atleast_1d(np.asarray(quantile, dtype=float))
    if (
        levels.ndim != 1
        or levels.size == 0
        or not ((levels > 0) & (levels < 1)).all()
        or (np.diff(levels) <= 0).any()
    ):
        raise ValueError(
            f"quantile must be in (0, 1), or a rising sequence of such levels, got {quantile!r}."
        )


def _is_default(value, default):
    return value is default or (isinstance(value, (Number, str)) and value == default)


def _warn_without_effect(estimator, name):
    warnings.warn(
        f"{name}={getattr(estimator, name)!r} has no effect with the other parameters as they are (solver={estimator.solver!r}).",
        UserWarning,
        stacklevel=8,
    )


def _check_hidden_layer_sizes(sizes):
    widths = list(np.atleast_1d(np.asarray(sizes, dtype=object)))
    if not all(isinstance(width, Integral) and not isinstance(width, bool) for width in widths):
        raise ValueError(f"hidden_layer_sizes must be an int or a sequence of ints, got {sizes!r}.")
    if any(width <= 0 for width in widths):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {widths}.")
    return [int(width) for width in widths]


def _check_per_layer(estimator, name, n_layers, is_valid):
    values = getattr(estimator, name)
    if isinstance(values, (list, tuple)) and (
        len(values) != n_layers or not all(map(is_valid, values))
    ):
        raise ValueError(
            f"{name} must be one valid value or one for each of the {n_layers} hidden layers, got {values!r}."
        )


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


def classes_in(y):
    """Return the sorted labels in checked targets of a classifier; for several labels, the numbers
    of the columns.
    """
    are_codes = (
        y.ndim == 1 and y.dtype.kind in "biu"
    )  # always classes; a closer look would take longer than many an epoch
    kind = "multiclass" if are_codes else type_of_target(y, input_name="y")
    if kind == "multiclass-multioutput":
        raise ValueError(
            "Multioutput target data is not supported: y must be one column of labels or a 0/1 indicator matrix."
        )
    if kind not in ("binary", "multiclass", "multilabel-indicator"):
        check_classification_targets(y)  # says what is wrong
    is_plain = (
        y.ndim == 1 and y.dtype.kind in "biuf" and y.dtype.isnative
    )  # no need to look for kinds again
    return np.unique(y) if is_plain else unique_labels(y)


def check_X(estimator, X):
    """Return the X of a prediction as an array or CSR of real numbers."""
    if _is_plain(estimator, X):
        return X
    return _real_numbers(
        validate_data(estimator, X, accept_sparse=["csr", "csc"], dtype="numeric", reset=False)
    )


def _is_plain(estimator, X):
    """Tell whether X is a small array that scikit-learn's checks would return as it is; they take
    longer than its prediction.
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
    """Return ``(weights over the largest one, the largest one)``, float64 of shape (n_samples,)."""
    if sample_weight is None:
        return np.broadcast_to(1.0, X.shape[0]), 1.0
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    largest = weight.max()
    if largest == 0:
        raise ValueError("sample_weight must have at least one positive weight, got only zeros.")
    return weight / largest, largest


def relative_weight(weight, largest, train_rows, dtype):
    """Return ``(weights with mean one over the training rows, dtype, the mean of the weights as
    they were given)``.
    """
    mean = (weight if train_rows is None else weight[train_rows]).mean()
    if mean == 0:
        raise ValueError(
            "sample_weight must have at least one positive weight among the rows that early_stopping leaves for training."
        )
    relative = np.empty(len(weight), dtype)
    np.divide(
        weight, mean, out=relative, casting="same_kind"
    )  # computed in float64, without a copy of it
    return relative, dtype, mean * largest


def arithmetic_dtype(estimator, X):
    """Return the dtype of the arithmetic: the parameter, or X's own."""
    if estimator.dtype is not None:
        return np.dtype(estimator.dtype)
    return np.dtype(np.float32 if X.dtype == np.float32 else np.float64)


def check_memory(estimator, n_bytes):
    """Raise MemoryError if this machine cannot hold ``n_bytes``, instead of being killed
    half-way.
    """
    if not hasattr(os, "sysconf"):
        return
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if n_bytes > available:
        raise MemoryError(
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} needs {n_bytes / 2**30:.1f} GiB for weights and optimizer, but this "
            f"machine has {available / 2**30:.1f} GiB; use fewer units."
        )
