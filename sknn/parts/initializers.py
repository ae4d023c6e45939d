"""Initializers: a function that draws the weights of one layer, and a row in ``INITIALIZERS``.

    initialize(random_state, shape, fan_out, activation)

It returns weights of shape ``shape`` and intercepts of shape (shape[1],).

random_state : RandomState
shape : (int, int)
    (fan_in, fan_out), or (fan_in, pieces * fan_out) for activations of several linear pieces, each
    of which counts as a layer of its own.
fan_out : int
activation : str, Activation or None
    Activation of the layer. For the output layer it is that of the last hidden layer or, without
    hidden layers, the constructor's, as in scikit-learn.

Intercepts are 0 except for "auto" and "ntk". To add an initializer: write the function, add its
row, add its formula to ``REFERENCE`` in tests/parts/test_initializers.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


def _auto(random_state, shape, fan_out, activation):
    factor = 2.0 if activation in ("logistic", "sigmoid") else 6.0
    bound = math.sqrt(factor / (shape[0] + fan_out))
    weights = random_state.uniform(-bound, bound, shape)
    return weights, random_state.uniform(-bound, bound, shape[1])


def _scaled(variance, *, normal):
    """Return an initializer of mean 0 and ``variance(fan_in, fan_out)``, normal or uniform."""

    def initialize(random_state, shape, fan_out, activation):
        deviation = math.sqrt(variance(shape[0], fan_out))
        if normal:
            return random_state.normal(0.0, deviation, shape), np.zeros(shape[1])
        bound = math.sqrt(3.0) * deviation
        return random_state.uniform(-bound, bound, shape), np.zeros(shape[1])

    return initialize


def _orthogonal(random_state, shape, fan_out, activation):
    draws = random_state.normal(size=(max(shape), min(shape)))
    q, r = np.linalg.qr(draws)
    q *= np.sign(np.diag(r))  # makes the distribution uniform over all such matrices
    return (q if shape[0] >= shape[1] else q.T), np.zeros(shape[1])


def _ntk(random_state, shape, fan_out, activation):
    weights = random_state.normal(0.0, math.sqrt(1 / shape[0]), shape)
    return weights, random_state.normal(size=shape[1])


def _zeros(random_state, shape, fan_out, activation):
    return np.zeros(shape), np.zeros(shape[1])


class InitializerPart(NamedTuple):
    """How initial weights are drawn."""

    initialize: Callable
    formula: str


def _glorot(fan_in, fan_out):
    return 2 / (fan_in + fan_out)


def _he(fan_in, fan_out):
    return 2 / fan_in


def _he_fan_out(fan_in, fan_out):
    return 2 / fan_out


def _lecun(fan_in, fan_out):
    return 1 / fan_in


INITIALIZERS = {
    "auto": InitializerPart(
        _auto,
        "scikit-learn's: uniform within sqrt(6 / (fan_in + fan_out)), 2 for 6 with 'logistic', "
        "intercepts too",
    ),
    "glorot_uniform": InitializerPart(
        _scaled(_glorot, normal=False), "uniform, variance 2 / (fan_in + fan_out)"
    ),
    "glorot_normal": InitializerPart(
        _scaled(_glorot, normal=True),
        "normal, variance 2 / (fan_in + fan_out); Glorot and Bengio, 2010",
    ),
    "he_uniform": InitializerPart(_scaled(_he, normal=False), "uniform, variance 2 / fan_in"),
    "he_normal": InitializerPart(
        _scaled(_he, normal=True), "normal, variance 2 / fan_in; arXiv:1502.01852"
    ),
    "he_uniform_fan_out": InitializerPart(
        _scaled(_he_fan_out, normal=False), "uniform, variance 2 / fan_out"
    ),
    "he_normal_fan_out": InitializerPart(
        _scaled(_he_fan_out, normal=True), "normal, variance 2 / fan_out"
    ),
    "lecun_uniform": InitializerPart(_scaled(_lecun, normal=False), "uniform, variance 1 / fan_in"),
    "lecun_normal": InitializerPart(
        _scaled(_lecun, normal=True), "normal, variance 1 / fan_in; LeCun et al., 1998"
    ),
    "ntk": InitializerPart(
        _ntk, "normal, variance 1 / fan_in, intercepts with variance 1; arXiv:1806.07572"
    ),
    "orthogonal": InitializerPart(
        _orthogonal, "columns (or rows) at right angles; arXiv:1312.6120"
    ),
    "random_normal": InitializerPart(
        _scaled(lambda fan_in, fan_out: 1.0, normal=True), "normal, variance 1: signals explode"
    ),
    "random_uniform": InitializerPart(
        _scaled(lambda fan_in, fan_out: 0.05**2 / 3, normal=False),
        "uniform between -0.05 and 0.05: signals vanish",
    ),
    "zeros": InitializerPart(_zeros, "zeros: the units of a layer stay alike forever"),
}
