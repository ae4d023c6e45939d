"""Validation of constructor arguments, before a fit changes the estimator.

Ranges of single parameters are constraints that scikit-learn checks; what depends on several
parameters, or on every element of a sequence, is checked here. Errors name the parameter, its value
and what would be valid.
"""

import operator
import os
import sys
from numbers import Integral, Number, Real

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

from .._warnings import warn_user
from ..parts.activations import ACTIVATIONS
from ..parts.custom import Activation, activation_part, loss_part
from ..parts.initializers import INITIALIZERS
from ..parts.losses import LOSSES
from ..parts.optimizers import OPTIMIZERS
from ..parts.regularizers import REGULARIZERS, regularizer_part
from ..parts.schedules import SCHEDULES

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
    "early_stopping": ["boolean", StrOptions({"auto"})],
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

_SMALLEST_ITEM = 4  # bytes of a float32

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
    """Check what depends on several parameters, and warn about parameters without effect.

    Returns
    -------
    widths : list of int
        Units of each hidden layer.

    Raises
    ------
    ValueError
        If a parameter is invalid.
    MemoryError
        If the hidden layers cannot fit into memory.
    """
    widths = check_hidden_layer_sizes(estimator.hidden_layer_sizes)
    # The layout counts in int64, which larger networks would overflow. These are Python's integers.
    n_weights = sum(map(operator.mul, [1, *widths], [*widths, 1]))  # one feature and one output
    check_memory(estimator, n_weights * _SMALLEST_ITEM)
    _check_per_layer(
        estimator,
        "activation",
        len(widths),
        lambda value: isinstance(value, Activation) or value in tuple(ACTIVATIONS),
    )
    _check_per_layer(
        estimator, "dropout", len(widths), lambda value: isinstance(value, Real) and 0 <= value < 1
    )
    _check_momentum(estimator.momentum)
    known = estimator._constructor_parameters()
    if "quantile" in known:
        _check_quantile(estimator.quantile)
    for name, acts in _ACTS.items():
        if name in known:
            is_default = _is_default(getattr(estimator, name), known[name].default)
            if not (is_default or acts(estimator)):
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


def _check_momentum(momentum):
    if isinstance(momentum, Real):
        return
    if len(momentum) != 2 or not all(isinstance(m, Real) and 0 <= m <= 1 for m in momentum):
        raise ValueError(
            "momentum must be a number in [0, 1] or a pair (start, end) of such numbers, "
            f"got {momentum!r}."
        )


def _check_quantile(quantile):
    levels = np.atleast_1d(np.asarray(quantile, dtype=float))
    if (
        levels.ndim != 1
        or levels.size == 0
        or not ((levels > 0) & (levels < 1)).all()
        or (np.diff(levels) <= 0).any()
    ):
        raise ValueError(
            "quantile must be a level in (0, 1) or a strictly increasing sequence of such levels, "
            f"got {quantile!r}."
        )


def _is_default(value, default):
    return value is default or (isinstance(value, (Number, str)) and value == default)


def _warn_without_effect(estimator, name):
    warn_user(
        f"{name}={getattr(estimator, name)!r} has no effect with the other parameters as they are "
        f"(solver={estimator.solver!r})."
    )


def check_hidden_layer_sizes(sizes):
    """Return the number of units in each hidden layer, as a list of int."""
    widths = list(np.atleast_1d(np.asarray(sizes, dtype=object)))
    if not all(isinstance(width, Integral) and not isinstance(width, bool) for width in widths):
        raise ValueError(f"hidden_layer_sizes must be an int or a sequence of ints, got {sizes!r}.")
    if not all(0 < width <= sys.maxsize for width in widths):
        raise ValueError(f"hidden_layer_sizes must be in [1, {sys.maxsize}], got {sizes!r}.")
    return [int(width) for width in widths]


def _check_per_layer(estimator, name, n_layers, is_valid):
    values = getattr(estimator, name)
    if isinstance(values, (list, tuple)) and (
        len(values) != n_layers or not all(map(is_valid, values))
    ):
        raise ValueError(
            f"{name} must be one valid value, or a sequence with one for each of the {n_layers} "
            f"hidden layers, got {values!r}."
        )


def check_memory(estimator, n_bytes):
    """Raise MemoryError if this machine has less than ``n_bytes`` of physical memory.

    Otherwise the system might kill the process halfway.
    """
    available = sys.maxsize
    if hasattr(os, "sysconf"):
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if n_bytes > available:
        raise MemoryError(
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} needs {n_bytes / 2**30:.1f} GiB "
            f"for weights and optimizer, but this machine has {available / 2**30:.1f} GiB; "
            "use fewer units, features or maxout_pieces."
        )
