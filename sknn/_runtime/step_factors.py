"""Factors on learning rates and epsilons: what of a network learns faster or slower than the rest.

The steps' hyperparameters are a table, and each pair of factors has a table of its own. The engine
looks up which table a segment of the weights has, so no optimizer knows of factors, and a network
without them has one table, with the same bits.

With ``parametrization="ntk"``, training is that of V, where W = s V with s = 1 / sqrt(fan_in). In
terms of W, an optimizer's step for V is its step for W with another rate and epsilon, since dL/dV =
s dL/dW and dW = s dV:

    sgd         dW = -rate s^2 g, so the rate is multiplied by s^2
    adam        dW = -s rate s m / (s sqrt(v) + epsilon), so the rate is multiplied by s and
                epsilon by 1 / s; the same holds wherever epsilon stands beside a root of squares
    adadelta    would need one epsilon multiplied by s^2 and another by 1 / s^2
"""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ..parts.optimizers import OPTIMIZERS
from .architecture import COEFS, INTERCEPTS
from .reparametrizations import REPARAMETRIZATIONS, find_reparametrization


class StepFactors(NamedTuple):
    """Which factors there are, and what they belong to.

    Parameters
    ----------
    tables : list of (float, float)
        Factors of the learning rate and of epsilon, for each table of hyperparameters.
    of_weights, of_others : ndarray of int64
        Numbers of tables: of each layer's W, and of each other segment that is updated.
    of_first_layer_values : int
        The same for what the first layer's weights are made of.
    """

    tables: list
    of_weights: np.ndarray
    of_others: np.ndarray
    of_first_layer_values: int


def find_step_factors(settings, layout):
    """Return the :class:`StepFactors` of a network's learned values.

    Parameters
    ----------
    settings : namespace of constructor parameters
        Of a stochastic solver.
    layout : Layout
    """
    updated = [value for value in layout.learned if value.is_trained and not value.is_frozen]
    factors = [_factors(settings, value) for value in updated]
    name = find_reparametrization(settings)
    if name is None:
        of_values = factors[0]
    else:
        of_values = REPARAMETRIZATIONS[name].rate_factor(getattr(settings, name)), 1.0
    tables = list(dict.fromkeys([*factors, of_values]))
    pairs = list(zip(updated, map(tables.index, factors), strict=True))
    return StepFactors(
        tables,
        np.array([table for value, table in pairs if value.name == COEFS], np.int64),
        np.array([table for value, table in pairs if value.name != COEFS], np.int64),
        tables.index(of_values),
    )


def _factors(settings, value):
    """Return the factors of a learned value's learning rate and epsilon."""
    if value.name == INTERCEPTS:
        return float(settings.bias_lr_factor), 1.0
    if value.is_penalized and settings.parametrization == "ntk":
        scale = 1 / np.sqrt(value.shape[0])
        has_epsilon = "epsilon" in OPTIMIZERS[settings.solver].parameters
        return (float(scale), float(1 / scale)) if has_epsilon else (float(scale**2), 1.0)
    return value.rate_factor, 1.0


def make_tables(part, settings, first_step, rates, epochs, factors):
    """Return the hyperparameters of some steps, of shape (n_factors, n_steps, n_hyperparameters).

    Parameters
    ----------
    part : OptimizerPart
    settings, first_step, rates, epochs
        As its ``hyperparameters`` takes them.
    factors : list of (float, float)
        Of learning rate and epsilon.
    """
    if factors == [(1.0, 1.0)]:
        return part.hyperparameters(settings, first_step, rates, epochs)[np.newaxis]
    tables = []
    for of_rate, of_epsilon in factors:
        scaled = SimpleNamespace(**vars(settings) | {"epsilon": settings.epsilon * of_epsilon})
        tables.append(part.hyperparameters(scaled, first_step, rates * of_rate, epochs))
    return np.array(tables)
