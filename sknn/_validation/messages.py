"""Errors about single parameters: in scikit-learn's words, and then the way out."""

import ast
import difflib
import functools
import inspect
from numbers import Number, Real

import numpy as np
from sklearn.utils._param_validation import (
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

from .._hyperparameters import HYPERPARAMETERS
from .._hyperparameters.rows import join
from .types import Function

# What arguments of other libraries' fit are here.
_OTHER_WAYS = {
    "validation_data": ["X_val and y_val"],
    "eval_set": ["X_val and y_val"],
    "callbacks": ["set_callbacks, a method to call before fit"],
}
# What arguments of other libraries' constructors are here, if they are no hyperparameters.
_NO_HYPERPARAMETERS = {
    "callbacks": " Did you mean set_callbacks, a method to call before fit?",
    "metrics": " Did you mean set_callbacks(sknn.callbacks.History(metrics)), before fit?",
    "loss": " A classifier's loss is always the cross-entropy.",
}


def check_constraints(parameters, caller_name):
    """Check each hyperparameter by itself.

    Parameters
    ----------
    parameters : dict
        Values by name.
    caller_name : str
        Name of the estimator, for the message.

    Raises
    ------
    InvalidParameterError
        If a value satisfies none of the constraints in its row.
    """
    for name, value in parameters.items():
        check_value(name, value, name, HYPERPARAMETERS[name].constraints, caller_name)


def check_value(label, value, name, constraints, caller_name):
    """Check one value, perhaps that of a single layer.

    Parameters
    ----------
    label : str
        What the message calls the value: a hyperparameter, or an element of it.
    value : object
    name : str
        Name of the hyperparameter.
    constraints : list
        What the value may be.
    caller_name : str
        Name of the estimator.

    Raises
    ------
    InvalidParameterError
        If the value satisfies none of the constraints.
    """
    try:
        validate_parameter_constraints({label: constraints}, {label: value}, caller_name)
    except InvalidParameterError as error:
        hint = _way_out(label, value, HYPERPARAMETERS[name])
        raise InvalidParameterError(f"{error}{hint}") from None


def explain_unknown_names(method: Function) -> Function:
    """Decorate a constructor or a method, to say what an unknown keyword argument may have
    meant.
    """
    known = inspect.signature(method).parameters
    explain = _known_name if method.__name__ == "__init__" else _known_elsewhere

    @functools.wraps(method)
    def checked(self, *args, **kwargs):
        for name in kwargs:
            if name not in known:
                raise TypeError(
                    f"{type(self).__name__}.{method.__name__}() got an unexpected keyword argument "
                    f"{name!r}.{explain(name, known, type(self))}"
                )
        return method(self, *args, **kwargs)

    return checked


def _known_name(name, known, kind):
    """Return a sentence with what a name of another library is here, or an empty string."""
    closest = _closest_hyperparameter(name, known)
    return f" Did you mean {closest!r}?" if closest else _NO_HYPERPARAMETERS.get(name, "")


def _known_elsewhere(name, known, kind):
    """Return a sentence that translates an unknown argument of a method, or an empty string.

    Parameters
    ----------
    name : str
        The unknown argument.
    known : iterable of str
        Arguments of the method.
    kind : type
        The class of the estimator.
    """
    ways = _OTHER_WAYS if "X_val" in known else {}
    for_data = ways.get(name) or difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if for_data:
        return f" Did you mean {for_data[0]}?"
    closest = _closest_hyperparameter(name, kind._constructor_parameters())
    return f" Did you mean {closest!r} of the constructor, {kind.__name__}()?" if closest else ""


def _closest_hyperparameter(name, known):
    by_name = {other: key for key in known if key in HYPERPARAMETERS for other in _names(key)}
    closest = difflib.get_close_matches(name.lower(), by_name, n=1, cutoff=0.75)
    return by_name[closest[0]] if closest else None


def _names(key):
    return key, *HYPERPARAMETERS[key].other_names


def refuse(estimator, name, valid, hint=""):
    """Raise the error that scikit-learn raises for a parameter out of range.

    Parameters
    ----------
    estimator : BaseMLP
    name : str
        Name of the parameter.
    valid : str
        What would be valid, to follow "must be".
    hint : str
        The way out, to follow a period.
    """
    raise InvalidParameterError(
        f"The {name!r} parameter of {type(estimator).__name__} must be {valid}. "
        f"Got {getattr(estimator, name)!r} instead.{hint}"
    )


def _way_out(label, value, row):
    """Return a sentence with what may have been meant, after a space, or an empty string."""
    hint = "" if row.hint is None else row.hint(value)
    if not hint and isinstance(value, str):
        closest = _closest_options(row.constraints, value)
        hint = f"Did you mean {join(closest)}?" if closest else ""
    if not hint:
        meant = [other for other in _other_types(value) if _is_valid(other, row.constraints)]
        hint = f"Did you mean {label}={meant[0]!r}?" if meant else ""
    return hint and f" {hint}"


def _is_valid(value, constraints):
    """Return whether a value satisfies one of the constraints."""
    try:
        validate_parameter_constraints({"value": constraints}, {"value": value}, "")
    except InvalidParameterError:
        return False
    return True


def _closest_options(constraints, value):
    """Return the option that is spelled most alike, or else those that begin with ``value``."""
    options = sorted(
        option
        for constraint in constraints
        if isinstance(constraint, StrOptions)
        for option in constraint.options
    )
    word = value.lower()
    beginning = [option for option in options if word and option.startswith(word)]
    return difflib.get_close_matches(word, options, n=1) or beginning


def _other_types(value):
    """Return what a value of another type or unit may stand for: '0.1' for 0.1, 100.0 for 100, or
    50 percent for 0.5.
    """
    if isinstance(value, str):
        try:
            return [ast.literal_eval(value.strip())]
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return []
    if isinstance(value, np.ndarray):
        return [value.tolist()]
    if isinstance(value, Number) and value in (0, 1):
        return [bool(value), int(value.real)]
    if isinstance(value, Real):
        whole = [int(value)] if float(value).is_integer() else []
        return [*whole, from_percent(value)] if 2 <= value < 100 else whole
    return []


def from_percent(value):
    """Return the fraction, in as few digits as the percentage: 0.9999 for 99.99."""
    return round(float(value) / 100, 12)
