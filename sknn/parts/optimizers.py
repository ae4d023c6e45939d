"""Stochastic optimizers: a kernel that moves a block of weights, the numbers it needs a step, and a
row in ``OPTIMIZERS``.

    step(w, g, state_0, state_1, state_2, h)            w and the states move, given the gradient g
    step_sizes(sizes, state_0, state_1, state_2, h)     what was multiplied with the gradient, weight by weight; for proximal steps
    hyperparameters(settings, first, rates, epochs)     array of shape (steps, numbers): h of every step

``settings`` is the estimator, ``first`` the number of the first step, from 1, ``rates`` the
learning rate of every step and ``epochs`` how many epochs lie before it. States are as long as the
weights, zero at the start; ``n_states`` says how many there are, the others are empty. To add one:
write the kernels and the function, add the row, add its formula to ``REFERENCE`` in
tests/test_optimizers.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._compiled.jit import jit


def _table(rates, *constants):
    h = np.empty((rates.size, 1 + len(constants)))
    h[:, 0] = rates
    h[:, 1:] = constants
    return h


@jit
def _sgd(w, g, velocity, state_1, state_2, h):
    rate = h[0]
    momentum = h[1]
    nesterov = h[2]
    for i in range(w.size):
        velocity[i] = momentum * velocity[i] - rate * g[i]
    if nesterov != 0:
        for i in range(w.size):
            w[i] += momentum * velocity[i] - rate * g[i]
    else:
        for i in range(w.size):
            w[i] += velocity[i]


@jit
def _rate_alone(sizes, state_0, state_1, state_2, h):
    for i in range(sizes.size):
        sizes[i] = h[0]


def _sgd_hyperparameters(settings, first, rates, epochs):
    h = _table(rates, 0.0, float(settings.nesterovs_momentum))
    if np.ndim(settings.momentum) == 0:
        h[:, 1] = settings.momentum
    else:
        start, end = settings.momentum
        h[:, 1] = start + (end - start) * np.minimum(1.0, epochs / (settings.max_iter / 2))
    return h


@jit
def _adagrad(w, g, squares, state_1, state_2, h):
    rate = h[0]
    epsilon = h[1]
    for i in range(w.size):
        squares[i] += g[i] * g[i]
        w[i] -= rate * g[i] / (math.sqrt(squares[i]) + epsilon)


@jit
def _over_root(sizes, squares, state_1, state_2, h):
    rate = h[0]
    epsilon = h[1]
    for i in range(sizes.size):
        sizes[i] = rate / (math.sqrt(squares[i]) + epsilon)


def _adagrad_hyperparameters(settings, first, rates, epochs):
    return _table(rates, settings.epsilon)


@jit
def _rmsprop(w, g, squares, state_1, state_2, h):
    rate = h[0]
    epsilon = h[1]
    rho = h[2]
    rest = h[3]
    for i in range(w.size):
        squares[i] = rho * squares[i] + rest * (g[i] * g[i])
        w[i] -= rate * g[i] / (math.sqrt(squares[i]) + epsilon)


def _rho_hyperparameters(settings, first, rates, epochs):
    return _table(rates, settings.epsilon, settings.rho, 1 - settings.rho)


@jit
def _adadelta(w, g, squares, moves, size, h):
    rate = h[0]
    epsilon = h[1]
    rho = h[2]
    rest = h[3]
    for i in range(w.size):
        squares[i] = rho * squares[i] + rest * (g[i] * g[i])
        size[i] = math.sqrt((moves[i] + epsilon) / (squares[i] + epsilon))
        move = size[i] * g[i]
        moves[i] = rho * moves[i] + rest * (move * move)
        w[i] -= rate * move


@jit
def _adadelta_sizes(sizes, squares, moves, size, h):
    for i in range(sizes.size):
        sizes[i] = h[0] * size[i]


@jit
def _adam(w, g, mean, square, state_2, h):
    rate = h[0]
    beta_1 = h[1]
    beta_2 = h[2]
    epsilon = h[3]
    # 1 - beta, rounded once
    rest_1 = h[4]
    rest_2 = h[5]
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + rest_1 * g[i]
        square[i] = beta_2 * square[i] + rest_2 * (g[i] * g[i])
        w[i] -= rate * mean[i] / (math.sqrt(square[i]) + epsilon)


@jit
def _adam_sizes(sizes, mean, square, state_2, h):
    rate = h[6]
    epsilon = h[3]
    for i in range(sizes.size):
        sizes[i] = rate / (math.sqrt(square[i]) + epsilon)


def _corrections(settings, first, rates):
    steps = np.arange(first, first + rates.size)
    return 1 - settings.beta_1**steps, 1 - settings.beta_2**steps


def _adam_constants(settings):
    return (
        settings.beta_1,
        settings.beta_2,
        settings.epsilon,
        1 - settings.beta_1,
        1 - settings.beta_2,
    )


def _adam_hyperparameters(settings, first, rates, epochs):
    first_moment, second_moment = _corrections(settings, first, rates)
    h = _table(rates * np.sqrt(second_moment) / first_moment, *_adam_constants(settings), 0.0)
    h[:, 6] = rates * np.sqrt(second_moment)  # per unit of the corrected mean
    return h


@jit
def _amsgrad(w, g, mean, square, largest, h):
    rate = h[0]
    beta_1 = h[1]
    beta_2 = h[2]
    epsilon = h[3]
    rest_1 = h[4]
    rest_2 = h[5]
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + rest_1 * g[i]
        square[i] = beta_2 * square[i] + rest_2 * (g[i] * g[i])
        largest[i] = largest[i] if largest[i] > square[i] else square[i]  # in this order NaN shows
        w[i] -= rate * mean[i] / (math.sqrt(largest[i]) + epsilon)


@jit
def _amsgrad_sizes(sizes, mean, square, largest, h):
    rate = h[6]
    epsilon = h[3]
    for i in range(sizes.size):
        sizes[i] = rate / (math.sqrt(largest[i]) + epsilon)


@jit
def _adamw(w, g, mean, square, state_2, h):
    rate = h[0]
    beta_1 = h[1]
    beta_2 = h[2]
    epsilon = h[3]
    rest_1 = h[4]
    rest_2 = h[5]
    root = h[6]
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + rest_1 * g[i]
        square[i] = beta_2 * square[i] + rest_2 * (g[i] * g[i])
        w[i] -= rate * mean[i] / (root * math.sqrt(square[i]) + epsilon)


@jit
def _adamw_sizes(sizes, mean, square, state_2, h):
    rate = h[7]
    epsilon = h[3]
    root = h[6]
    for i in range(sizes.size):
        sizes[i] = rate / (root * math.sqrt(square[i]) + epsilon)


def _adamw_hyperparameters(settings, first, rates, epochs):
    first_moment, second_moment = _corrections(settings, first, rates)
    h = _table(rates / first_moment, *_adam_constants(settings), 0.0, 0.0)
    h[:, 6] = 1 / np.sqrt(second_moment)
    h[:, 7] = rates
    return h


@jit
def _nadam(w, g, mean, square, state_2, h):
    rate = h[0]
    beta_1 = h[1]
    beta_2 = h[2]
    epsilon = h[3]
    rest_1 = h[4]
    rest_2 = h[5]
    root = h[6]
    ahead = h[8]
    now = h[9]
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + rest_1 * g[i]
        square[i] = beta_2 * square[i] + rest_2 * (g[i] * g[i])
        w[i] -= rate * (ahead * mean[i] + now * g[i]) / (root * math.sqrt(square[i]) + epsilon)


def _nadam_hyperparameters(settings, first, rates, epochs):
    first_moment, second_moment = _corrections(settings, first, rates)
    next_moment, _ = _corrections(settings, first + 1, rates)
    h = _table(rates, *_adam_constants(settings), 0.0, 0.0, 0.0, 0.0)
    h[:, 6] = 1 / np.sqrt(second_moment)
    h[:, 7] = rates
    h[:, 8] = settings.beta_1 / next_moment
    h[:, 9] = (1 - settings.beta_1) / first_moment
    return h


class OptimizerPart(NamedTuple):
    """A stochastic optimizer."""

    step: Callable
    step_sizes: Callable
    hyperparameters: Callable
    n_states: int
    formula: str


OPTIMIZERS = {
    "sgd": OptimizerPart(
        _sgd,
        _rate_alone,
        _sgd_hyperparameters,
        1,
        "v = momentum v - rate g; w += v, or with Nesterov's momentum w += momentum v - rate g",
    ),
    "adagrad": OptimizerPart(
        _adagrad,
        _over_root,
        _adagrad_hyperparameters,
        1,
        "s += g^2; w -= rate g / (sqrt(s) + epsilon), Duchi et al., JMLR 12, 2011; s begins at 0 (Keras: 0.1)",
    ),
    "rmsprop": OptimizerPart(
        _rmsprop,
        _over_root,
        _rho_hyperparameters,
        1,
        "s = rho s + (1 - rho) g^2; w -= rate g / (sqrt(s) + epsilon), Tieleman and Hinton, 2012; epsilon beside the root as in PyTorch",
    ),
    "adadelta": OptimizerPart(
        _adadelta,
        _adadelta_sizes,
        _rho_hyperparameters,
        3,
        "s = rho s + (1 - rho) g^2; d = g sqrt((u + epsilon) / (s + epsilon)); u = rho u + (1 - rho) d^2; w -= rate d, arXiv:1212.5701; "
        "the paper's rate is 1",
    ),
    "adam": OptimizerPart(
        _adam,
        _adam_sizes,
        _adam_hyperparameters,
        2,
        "m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2; w -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + "
        "epsilon) in step t, arXiv:1412.6980; epsilon stands beside the uncorrected root, as in scikit-learn and Keras",
    ),
    "adamw": OptimizerPart(
        _adamw,
        _adamw_sizes,
        _adamw_hyperparameters,
        2,
        "w -= rate m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon), as in PyTorch; meant for ``weight_decay``, arXiv:1711.05101",
    ),
    "amsgrad": OptimizerPart(
        _amsgrad,
        _amsgrad_sizes,
        _adam_hyperparameters,
        3,
        "adam with the largest v so far, Reddi et al., arXiv:1904.09237",
    ),
    "nadam": OptimizerPart(
        _nadam,
        _adamw_sizes,
        _nadam_hyperparameters,
        2,
        "adamw's step with beta_1 m / (1 - beta_1^(t+1)) + (1 - beta_1) g / (1 - beta_1^t) for m / (1 - beta_1^t), Dozat, 2016, with a "
        "constant beta_1",
    ),
}
