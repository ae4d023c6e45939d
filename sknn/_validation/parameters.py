"""Validation of constructor arguments, before a fit changes the estimator.

Ranges of single parameters are constraints in the table of hyperparameters. What depends on several
parameters, or on every element of a sequence, is checked here, and whether a parameter has an
effect. Errors name the parameter, its value and what would be valid.
"""

import operator
import os
import sys
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.utils import check_random_state

from .._hyperparameters import HYPERPARAMETERS
from .._warnings import warn_user
from .messages import check_value, from_percent, refuse

_SMALLEST_ITEM = 4  # bytes of a float32
_FOR_EACH_HIDDEN_LAYER = ("activation", "dropout")
_FOR_EACH_LAYER = ("alpha", "l1_ratio")


def check_parameters(estimator):
    """Check what depends on several parameters, or on every element of a sequence.

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
    widths = check_elements(estimator)
    # The layout counts in int64, which larger networks would overflow. These are Python's integers.
    n_weights = sum(map(operator.mul, [1, *widths], [*widths, 1]))  # one feature and one output
    check_memory(estimator, n_weights * _SMALLEST_ITEM)
    for name in _FOR_EACH_HIDDEN_LAYER:
        _check_length(estimator, name, len(widths), "one for each hidden layer")
    for name in _FOR_EACH_LAYER:
        layers = "one for each layer, the output layer included"
        _check_length(estimator, name, len(widths) + 1, layers)
    _check_together(estimator)
    return widths


def check_elements(estimator):
    """Check every element of the parameters that are sequences, but not whether these are as long
    as others ask for; see :func:`check_parameters`.
    """
    widths = check_hidden_layer_sizes(estimator)
    for name in (*_FOR_EACH_HIDDEN_LAYER, *_FOR_EACH_LAYER):
        _check_per_layer(estimator, name)
    _check_momentum(estimator)
    if "quantile" in estimator._constructor_parameters():
        _check_quantile(estimator)
    return widths


def warn_of_no_effect(estimator, has_X_val):
    """Warn about parameters that were set, but have no effect.

    Parameters
    ----------
    estimator : BaseMLP
        Its parameters, checked.
    has_X_val : bool
        Whether validation samples are given.
    """
    for name, parameter in estimator._constructor_parameters().items():
        if not _is_default(getattr(estimator, name), parameter.default):
            _warn_without_effect(estimator, name, has_X_val)


def _check_length(estimator, name, n_layers, layers):
    """Check a parameter that is one value or a sequence of ``n_layers``, which ``layers`` names."""
    values = getattr(estimator, name)
    if isinstance(values, (list, tuple)) and len(values) != n_layers:
        refuse(estimator, name, f"one value, or a sequence of {n_layers}, {layers}")


def _check_per_layer(estimator, name):
    """Check the elements of a parameter that is one value or a sequence."""
    values = getattr(estimator, name)
    if not isinstance(values, (list, tuple)):
        return
    constraints = [c for c in HYPERPARAMETERS[name].constraints if c not in (list, tuple)]
    for i, value in enumerate(values):
        check_value(f"{name}[{i}]", value, name, constraints, type(estimator).__name__)


def _check_momentum(estimator):
    momentum = estimator.momentum
    if isinstance(momentum, Real):
        return
    if len(momentum) != 2 or not all(isinstance(m, Real) and 0 <= m <= 1 for m in momentum):
        refuse(estimator, "momentum", "a number in [0, 1] or a pair (start, end) of such numbers")


def _check_together(estimator):
    """Raise for parameters that are not possible with others, as their rows say."""
    for name in estimator._constructor_parameters():
        refusal = HYPERPARAMETERS[name].refusal
        expected = refusal and refusal(estimator)
        if expected:
            refuse(estimator, name, expected)


def _check_quantile(estimator):
    levels = np.atleast_1d(np.asarray(estimator.quantile, dtype=object))
    if (
        levels.ndim != 1
        or levels.size == 0
        or not all(isinstance(level, Real) and 0 < level < 1 for level in levels)
        or (np.diff(levels) <= 0).any()
    ):
        are_percent = all(isinstance(level, Real) and 2 <= level < 100 for level in levels.flat)
        in_units = sorted({from_percent(level) for level in levels.flat}) if are_percent else []
        refuse(
            estimator,
            "quantile",
            "a level in (0, 1) or a strictly increasing sequence of such levels",
            f" Did you mean quantile={in_units}?" if in_units else "",
        )


def stops_early(estimator, validation):
    """Return whether a fit stops by its validation score: 'auto' does if samples were given.

    Parameters
    ----------
    estimator : BaseMLP
    validation : object
        The validation samples that were given to ``fit``, or None.
    """
    setting = estimator.early_stopping
    return validation is not None if isinstance(setting, str) else bool(setting)


def calibrates(estimator):
    """Return whether a fit ends with a calibration, which not all losses have."""
    return bool(estimator.calibrate) and not reasons_without_effect(estimator, "calibrate", False)


def check_calibration(estimator, incremental, has_X_val):
    """Raise ValueError if there are no validation rows to calibrate predictions on."""
    if not calibrates(estimator):
        return
    if incremental:
        raise ValueError(
            "partial_fit does not support calibrate=True, since it has no validation rows; set "
            "calibrate=False, or call fit."
        )
    if not has_X_val and not stops_early(estimator, None):
        raise ValueError(
            "calibrate=True needs validation rows: set early_stopping=True to hold some out, or "
            "pass X_val and y_val to fit."
        )


def check_clipping(estimator, incremental):
    """Raise ValueError if only some of the targets, those to come, are known for clipping."""
    has_range = "y_min_" in vars(estimator) or not hasattr(estimator, "coefs_")
    if incremental and getattr(estimator, "clip_output", False) and not has_range:
        raise ValueError(
            "clip_output=True needs the range of all targets, but the network was trained with "
            "clip_output=False, so it is not known; set clip_output=False, or call fit."
        )


def settings_of(estimator):
    """Return the constructor parameters as a namespace, with Python's own numbers.

    NumPy's scalars would give their precision to what is computed from them: 1 - np.float32(0.1) is
    rounded to float32, and np.int8(100) + np.int8(100) overflows.
    """
    names = estimator._constructor_parameters()
    return SimpleNamespace(**{name: _as_python(getattr(estimator, name)) for name in names})


def _as_python(value):
    if isinstance(value, (list, tuple)):
        return type(value)(map(_as_python, value))
    return value.item() if isinstance(value, np.generic) else value


def _is_default(value, default):
    return value is default or (np.isscalar(value) and value == default)


def _warn_without_effect(estimator, name, has_X_val):
    """Warn about a parameter that was set, if a condition of its row does not hold."""
    reasons = reasons_without_effect(estimator, name, has_X_val)
    if reasons:
        value = getattr(estimator, name)
        warn_user(f"{name}={value!r} has no effect {' and '.join(reasons)}.")


def reasons_without_effect(estimator, name, has_X_val):
    """Return in words which conditions of a parameter's row do not hold.

    Parameters
    ----------
    estimator : BaseMLP
    name : str
        Of the parameter.
    has_X_val : bool
        Whether validation samples are given.
    """
    return [
        condition.otherwise
        for condition in HYPERPARAMETERS[name].conditions
        if not _holds(condition, estimator, has_X_val)
    ]


def _holds(condition, estimator, has_X_val):
    if has_X_val and (condition.not_with_X_val or condition.or_with_X_val(estimator)):
        return not condition.not_with_X_val
    return condition.holds(estimator)


def check_hidden_layer_sizes(estimator):
    """Return the number of units in each hidden layer, as a list of int."""
    sizes = estimator.hidden_layer_sizes
    widths = list(np.atleast_1d(np.asarray(sizes, dtype=object)))
    if not all(isinstance(width, Integral) and not isinstance(width, bool) for width in widths):
        refuse(estimator, "hidden_layer_sizes", "an int or a sequence of ints, such as (100, 50)")
    if not all(0 < width <= sys.maxsize for width in widths):
        refuse(estimator, "hidden_layer_sizes", f"in the range [1, {sys.maxsize}]")
    return [int(width) for width in widths]


def checked_random_state(random_state):
    """Return what the parameter ``random_state`` of a transformer or ensemble stands for."""
    try:
        return check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            f"random_state={random_state!r} must be None, an int in the range [0, 4294967295], or "
            "a numpy.random.RandomState."
        ) from error


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
