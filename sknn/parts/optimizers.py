"""Stochastic optimizers: the weight update for a block of weights, and a row in ``OPTIMIZERS``.

    step(w, g, state_0, state_1, state_2, h)
    step_sizes(sizes, state_0, state_1, state_2, h)
    hyperparameters(settings, first_step, rates, epochs)

``step`` updates the weights w and the states in place, given the gradient g. ``step_sizes`` writes
what a gradient is multiplied with in the end, momentum included, which proximal steps need.
``hyperparameters``, plain Python, returns h of many steps, an array of shape (n_steps, len(h)).

w, g, sizes, state_0, state_1, state_2 : vectors of shape (block_size,)
    States are what the optimizer remembers, 0 at first; empty beyond the first ``n_states``.
h : vector
    Hyperparameters of this step; ``_RATE`` and the other positions below say which is where.
settings, first_step : the estimator's parameters, and the number of the first step, from 1
rates, epochs : ndarray of shape (n_steps,)
    Learning rate of each step, and how many epochs (with fractions) lie before it.

To add an optimizer: write the two kernels and the function, add the row, add its formula to
``REFERENCE`` in tests/parts/test_optimizers.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._compiled.jit import jit


class OptimizerPart(NamedTuple):
    """A stochastic optimizer."""

    step: Callable
    step_sizes: Callable
    hyperparameters: Callable
    n_states: int
    parameters: tuple  # the constructor arguments that it reads
    formula: str
    has_ntk: bool = True  # whether parametrization="ntk" is defined; see _runtime/step_factors.py


# Positions in h. Those of one optimizer follow each other without a gap.
_RATE = 0
_MOMENTUM, _NESTEROV = range(1, 3)
_EPSILON, _RHO, _ONE_MINUS_RHO = range(1, 4)
_BETA_1, _BETA_2, _ONE_MINUS_BETA_1, _ONE_MINUS_BETA_2 = range(2, 6)
_SIZE_RATE, _ROOT_CORRECTION, _MEAN_FACTOR, _GRADIENT_FACTOR = range(6, 10)


def _table(n_steps, columns):
    """Return h of all steps from ``{position: its value, or its values in all steps}``."""
    h = np.empty((n_steps, len(columns)))
    for position, values in columns.items():
        h[:, position] = values
    return h


@jit
def _sgd(w, g, velocity, state_1, state_2, h):
    rate = h[_RATE]
    momentum = h[_MOMENTUM]
    for i in range(w.size):
        velocity[i] = momentum * velocity[i] - rate * g[i]
    if h[_NESTEROV] != 0:
        for i in range(w.size):
            w[i] += momentum * velocity[i] - rate * g[i]
    else:
        for i in range(w.size):
            w[i] += velocity[i]


@jit
def _sgd_sizes(sizes, velocity, state_1, state_2, h):
    rest = h.dtype.type(1) - h[_MOMENTUM]
    for i in range(sizes.size):
        sizes[i] = h[_RATE] / rest if rest > 0 else h[_RATE]


def _sgd_hyperparameters(settings, first_step, rates, epochs):
    momentum = settings.momentum
    if np.ndim(momentum) == 1:
        start, end = momentum
        momentum = start + (end - start) * np.minimum(1.0, epochs / (settings.max_iter / 2))
    nesterov = settings.nesterovs_momentum
    return _table(rates.size, {_RATE: rates, _MOMENTUM: momentum, _NESTEROV: nesterov})


@jit
def _adagrad(w, g, squares, state_1, state_2, h):
    rate = h[_RATE]
    epsilon = h[_EPSILON]
    for i in range(w.size):
        squares[i] += g[i] * g[i]
        w[i] -= rate * g[i] / (math.sqrt(squares[i]) + epsilon)


@jit
def _rate_over_root(sizes, squares, state_1, state_2, h):
    rate = h[_RATE]
    epsilon = h[_EPSILON]
    for i in range(sizes.size):
        sizes[i] = rate / (math.sqrt(squares[i]) + epsilon)


def _adagrad_hyperparameters(settings, first_step, rates, epochs):
    return _table(rates.size, {_RATE: rates, _EPSILON: settings.epsilon})


@jit
def _rmsprop(w, g, squares, state_1, state_2, h):
    rate = h[_RATE]
    epsilon = h[_EPSILON]
    rho = h[_RHO]
    one_minus_rho = h[_ONE_MINUS_RHO]
    for i in range(w.size):
        squares[i] = rho * squares[i] + one_minus_rho * (g[i] * g[i])
        w[i] -= rate * g[i] / (math.sqrt(squares[i]) + epsilon)


def _rho_hyperparameters(settings, first_step, rates, epochs):
    rho = settings.rho
    columns = {_RATE: rates, _EPSILON: settings.epsilon, _RHO: rho, _ONE_MINUS_RHO: 1 - rho}
    return _table(rates.size, columns)


@jit
def _adadelta(w, g, squares, squared_updates, ratio, h):
    rate = h[_RATE]
    epsilon = h[_EPSILON]
    rho = h[_RHO]
    one_minus_rho = h[_ONE_MINUS_RHO]
    for i in range(w.size):
        squares[i] = rho * squares[i] + one_minus_rho * (g[i] * g[i])
        ratio[i] = math.sqrt((squared_updates[i] + epsilon) / (squares[i] + epsilon))
        update = ratio[i] * g[i]
        squared_updates[i] = rho * squared_updates[i] + one_minus_rho * (update * update)
        w[i] -= rate * update


@jit
def _adadelta_sizes(sizes, squares, squared_updates, ratio, h):
    for i in range(sizes.size):
        sizes[i] = h[_RATE] * ratio[i]


@jit(inline=True)
def _of_moments(h):
    betas = h[_BETA_1], h[_BETA_2], h[_ONE_MINUS_BETA_1], h[_ONE_MINUS_BETA_2]
    return h[_RATE], h[_EPSILON], *betas


@jit
def _adam(w, g, mean, square, state_2, h):
    rate, epsilon, beta_1, beta_2, one_minus_beta_1, one_minus_beta_2 = _of_moments(h)
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + one_minus_beta_1 * g[i]
        square[i] = beta_2 * square[i] + one_minus_beta_2 * (g[i] * g[i])
        w[i] -= rate * mean[i] / (math.sqrt(square[i]) + epsilon)


@jit
def _adam_sizes(sizes, mean, square, state_2, h):
    rate = h[_SIZE_RATE]
    epsilon = h[_EPSILON]
    for i in range(sizes.size):
        sizes[i] = rate / (math.sqrt(square[i]) + epsilon)


def _bias_corrections(settings, first_step, rates):
    steps = np.arange(first_step, first_step + rates.size)
    return 1 - settings.beta_1**steps, 1 - settings.beta_2**steps


def _moment_columns(settings):
    return {
        _EPSILON: settings.epsilon,
        _BETA_1: settings.beta_1,
        _BETA_2: settings.beta_2,
        _ONE_MINUS_BETA_1: 1 - settings.beta_1,  # computed in float64 and rounded once
        _ONE_MINUS_BETA_2: 1 - settings.beta_2,
    }


def _adam_hyperparameters(settings, first_step, rates, epochs):
    of_mean, of_square = _bias_corrections(settings, first_step, rates)
    size_rates = rates * np.sqrt(of_square)
    columns = {_RATE: size_rates / of_mean, _SIZE_RATE: size_rates}
    return _table(rates.size, _moment_columns(settings) | columns)


@jit
def _amsgrad(w, g, mean, largest, square, h):
    rate, epsilon, beta_1, beta_2, one_minus_beta_1, one_minus_beta_2 = _of_moments(h)
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + one_minus_beta_1 * g[i]
        square[i] = beta_2 * square[i] + one_minus_beta_2 * (g[i] * g[i])
        largest[i] = largest[i] if largest[i] > square[i] else square[i]  # so that NaN shows
        w[i] -= rate * mean[i] / (math.sqrt(largest[i]) + epsilon)


@jit
def _adamw(w, g, mean, square, state_2, h):
    rate, epsilon, beta_1, beta_2, one_minus_beta_1, one_minus_beta_2 = _of_moments(h)
    correction = h[_ROOT_CORRECTION]
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + one_minus_beta_1 * g[i]
        square[i] = beta_2 * square[i] + one_minus_beta_2 * (g[i] * g[i])
        w[i] -= rate * mean[i] / (correction * math.sqrt(square[i]) + epsilon)


@jit
def _adamw_sizes(sizes, mean, square, state_2, h):
    rate = h[_SIZE_RATE]
    epsilon = h[_EPSILON]
    correction = h[_ROOT_CORRECTION]
    for i in range(sizes.size):
        sizes[i] = rate / (correction * math.sqrt(square[i]) + epsilon)


def _adamw_columns(settings, first_step, rates):
    of_mean, of_square = _bias_corrections(settings, first_step, rates)
    correction = 1 / np.sqrt(of_square)
    columns = {_RATE: rates / of_mean, _SIZE_RATE: rates, _ROOT_CORRECTION: correction}
    return _moment_columns(settings) | columns


def _adamw_hyperparameters(settings, first_step, rates, epochs):
    return _table(rates.size, _adamw_columns(settings, first_step, rates))


@jit
def _nadam(w, g, mean, square, state_2, h):
    rate, epsilon, beta_1, beta_2, one_minus_beta_1, one_minus_beta_2 = _of_moments(h)
    correction = h[_ROOT_CORRECTION]
    of_mean = h[_MEAN_FACTOR]
    of_g = h[_GRADIENT_FACTOR]
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + one_minus_beta_1 * g[i]
        square[i] = beta_2 * square[i] + one_minus_beta_2 * (g[i] * g[i])
        direction = of_mean * mean[i] + of_g * g[i]
        w[i] -= rate * direction / (correction * math.sqrt(square[i]) + epsilon)


def _nadam_hyperparameters(settings, first_step, rates, epochs):
    of_mean, _ = _bias_corrections(settings, first_step, rates)
    of_next_mean, _ = _bias_corrections(settings, first_step + 1, rates)
    columns = {
        _RATE: rates,
        _MEAN_FACTOR: settings.beta_1 / of_next_mean,
        _GRADIENT_FACTOR: (1 - settings.beta_1) / of_mean,
    }
    return _table(rates.size, _adamw_columns(settings, first_step, rates) | columns)


_MOMENTS = ("beta_1", "beta_2", "epsilon")

OPTIMIZERS = {
    "sgd": OptimizerPart(
        _sgd,
        _sgd_sizes,
        _sgd_hyperparameters,
        1,
        ("momentum", "nesterovs_momentum"),
        "v = momentum v - rate g; w += v, or with Nesterov's momentum w += momentum v - rate g",
    ),
    "adagrad": OptimizerPart(
        _adagrad,
        _rate_over_root,
        _adagrad_hyperparameters,
        1,
        ("epsilon",),
        "s += g^2, from 0 (Keras: 0.1); w -= rate g / (sqrt(s) + epsilon); Duchi et al., 2011",
    ),
    "rmsprop": OptimizerPart(
        _rmsprop,
        _rate_over_root,
        _rho_hyperparameters,
        1,
        ("epsilon", "rho"),
        "s = rho s + (1 - rho) g^2; w -= rate g / (sqrt(s) + epsilon), as in PyTorch; Hinton, 2012",
    ),
    "adadelta": OptimizerPart(
        _adadelta,
        _adadelta_sizes,
        _rho_hyperparameters,
        3,
        ("epsilon", "rho"),
        "s = rho s + (1 - rho) g^2; d = g sqrt((u + epsilon) / (s + epsilon)); "
        "u = rho u + (1 - rho) d^2; w -= rate d, arXiv:1212.5701; the paper's rate is 1",
        has_ntk=False,
    ),
    "adam": OptimizerPart(
        _adam,
        _adam_sizes,
        _adam_hyperparameters,
        2,
        _MOMENTS,
        "m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2; "
        "w -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon) in step t, "
        "arXiv:1412.6980; epsilon stands beside the uncorrected root, as in scikit-learn and Keras",
    ),
    "adamw": OptimizerPart(
        _adamw,
        _adamw_sizes,
        _adamw_hyperparameters,
        2,
        _MOMENTS,
        "w -= rate m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon), as in PyTorch; "
        "meant for ``weight_decay``, arXiv:1711.05101",
    ),
    "amsgrad": OptimizerPart(
        _amsgrad,
        _adam_sizes,
        _adam_hyperparameters,
        3,
        _MOMENTS,
        "adam with the largest v so far, Reddi et al., arXiv:1904.09237",
    ),
    "nadam": OptimizerPart(
        _nadam,
        _adamw_sizes,
        _nadam_hyperparameters,
        2,
        _MOMENTS,
        "adamw's step with beta_1 m / (1 - beta_1^(t+1)) + (1 - beta_1) g / (1 - beta_1^t) "
        "for m / (1 - beta_1^t), Dozat, 2016, with a constant beta_1",
    ),
}
