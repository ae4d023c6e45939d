"""What a row of the table of hyperparameters holds, and what rows share.

Hyperparameters that scikit-learn's networks have too never warn where they are used as there, so
that a grid over solvers and schedules runs as before. Their rows have conditions only for values
that scikit-learn's networks do not take.
"""

from collections.abc import Callable
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
COUNT = Interval(Integral, 1, None, closed="left")
RATE = Interval(Real, 0, 1, closed="left")
FRACTION = Interval(Real, 0, 1, closed="both")

WITH_LBFGS = "with solver='lbfgs'"
WITHOUT_EARLY_STOPPING = "without early_stopping=True"
WITHOUT_HIDDEN_LAYERS = "without hidden layers"


class Choice(StrOptions):
    """One of several strings. Messages list them in order, since a set prints in random order."""

    def __init__(self, options):
        super().__init__(set(options))

    def __str__(self):
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


# What rates other than the learning rate may follow, by their names in parts/schedules.py.
SCHEDULE = Choice(["constant", "flat_cos"])


class Condition(NamedTuple):
    """Something without which a hyperparameter has no effect."""

    holds: Callable  # function of the estimator
    otherwise: str  # the reason in words, which ends "has no effect"
    # function of the estimator: whether validation samples given to fit are as good
    or_with_X_val: Callable = lambda estimator: False
    not_with_X_val: bool = False  # whether validation samples take the effect away


class Hyperparameter(NamedTuple):
    """A row: a constructor parameter without its name and default, which ``mlp.py`` has."""

    constraints: list  # for scikit-learn, which accepts a value that satisfies one of them
    kind: str  # valid types and options, for the first line of its documentation
    documentation: str  # the lines below it
    conditions: tuple = ()  # of Condition; it has an effect if all of them hold
    hint: Callable | None = None  # function of an invalid value: the way out, or an empty string
    # function of the estimator: None if the value is possible with its other parameters, else what
    # is valid instead, in words
    refusal: Callable | None = None
    other_names: tuple = ()  # what other libraries call it


def each(value):
    """Return the values for single hidden layers: a sequence's elements, or the value alone."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def join(options):
    """Return options in words: 'a', 'b' or 'c'."""
    *first, last = map(repr, options)
    return f"{', '.join(first)} or {last}" if first else last


def _is_auto(estimator):
    return isinstance(estimator.early_stopping, str)


def has_hidden_layers(estimator):
    """Return whether there is a hidden layer."""
    return np.size(estimator.hidden_layer_sizes) > 0


HAS_HIDDEN_LAYERS = Condition(has_hidden_layers, WITHOUT_HIDDEN_LAYERS)
IS_STOCHASTIC = Condition(lambda estimator: estimator.solver != "lbfgs", WITH_LBFGS)
STOPS_EARLY = Condition(
    lambda estimator: estimator.early_stopping and not _is_auto(estimator),
    WITHOUT_EARLY_STOPPING,
    or_with_X_val=_is_auto,
)


def read_by(registry, option, name):
    """Return the condition that a part is chosen which reads a hyperparameter.

    Parameters
    ----------
    registry : dict
        The parts among which ``option`` chooses.
    option : str
        Name of the hyperparameter that chooses the part, or a sequence of parts.
    name : str
        Name of the hyperparameter that has the condition.
    """
    readers = [key for key, part in registry.items() if name in part.parameters]

    def holds(estimator):
        parts = [registry.get(choice) for choice in each(getattr(estimator, option))]
        return any(part is not None and name in part.parameters for part in parts)

    return Condition(holds, f"without {option}={join(readers)}")
