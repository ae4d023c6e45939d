"""Stochastic optimizers: a kernel that moves a block of weights, the numbers it needs a step, and a row in ``OPTIMIZERS``.

    step(w, g, state_0, state_1, state_2, h)     w and the states move, given the gradient g
    hyperparameters(settings, first, rates)      array of shape (steps, numbers): h of every step

``settings`` is the estimator, ``first`` the number of the first step, from 1, ``rates`` the learning rate of every step. States are as long
as the weights, zero at the start; ``n_states`` says how many there are, the others are empty.
To add one: write the kernel and the function, add the row, add its formula to ``REFERENCE`` in tests/test_optimizers.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._jit import jit

STEP = "run run run run run run"


@jit
def _sgd(w, g, velocity, state_1, state_2, h):
    rate, momentum, nesterov = h[0], h[1], h[2]
    for i in range(w.size):
        velocity[i] = momentum * velocity[i] - rate * g[i]
    if nesterov != 0:
        for i in range(w.size):
            w[i] += momentum * velocity[i] - rate * g[i]
    else:
        for i in range(w.size):
            w[i] += velocity[i]


def _sgd_hyperparameters(settings, first, rates):
    h = np.empty((rates.size, 3))
    h[:, 0] = rates
    h[:, 1:] = settings.momentum, settings.nesterovs_momentum
    return h


@jit
def _adam(w, g, mean, square, state_2, h):
    rate, beta_1, beta_2, epsilon = h[0], h[1], h[2], h[3]
    rest_1, rest_2 = h[4], h[5]  # 1 - beta, rounded once
    for i in range(w.size):
        mean[i] = beta_1 * mean[i] + rest_1 * g[i]
        square[i] = beta_2 * square[i] + rest_2 * (g[i] * g[i])
        w[i] -= rate * mean[i] / (math.sqrt(square[i]) + epsilon)


def _adam_hyperparameters(settings, first, rates):
    steps = np.arange(first, first + rates.size)
    h = np.empty((rates.size, 6))
    h[:, 0] = rates * np.sqrt(1 - settings.beta_2**steps) / (1 - settings.beta_1**steps)
    h[:, 1:] = settings.beta_1, settings.beta_2, settings.epsilon, 1 - settings.beta_1, 1 - settings.beta_2
    return h


class Optimizer(NamedTuple):
    """A stochastic optimizer."""

    step: Callable
    hyperparameters: Callable
    n_states: int
    source: str


OPTIMIZERS = {
    "sgd": Optimizer(_sgd, _sgd_hyperparameters, 1, "v = momentum v - rate g; w += v, or with Nesterov w += momentum v - rate g"),
    "adam": Optimizer(_adam, _adam_hyperparameters, 2, "Kingma and Ba, arXiv:1412.6980"),
}
