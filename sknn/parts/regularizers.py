"""Regularizers: the penalty on a block of weights, and a row in ``REGULARIZERS``.

    penalize(w, l1, l2, g, totals)
    shrink(w, step_sizes, l1)

``penalize`` adds the gradient of the smooth part of the penalty P to g and P(w) to ``totals[1]``.
``shrink``, for penalties that are not smooth, is the proximal step of the other part, in place:
w = argmin_v (v - w)^2 / (2 step_size) + l1 abs(v). Intercepts are never penalized.

w, g, step_sizes : vectors of shape (block_size,)
l1, l2 : scalars
    Strengths, alpha l1_ratio and alpha (1 - l1_ratio), over the total weight of the minibatch.
totals : vector of float64

To add a regularizer: write its kernels, add its row, say in :func:`regularizer_part` when it acts,
add its formula to ``REFERENCE`` in tests/parts/test_regularizers.py.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._compiled.jit import jit


@jit(reassociate=True)
def _l2(w, l1, l2, g, totals):
    """P(w) = l2 w^2 / 2. Arguments: see the top of the file."""
    squares = 0.0
    for i in range(w.size):
        squares += w[i] * w[i]
        g[i] += l2 * w[i]
    totals[1] += 0.5 * l2 * squares


@jit(reassociate=True)
def _elastic_net(w, l1, l2, g, totals):
    """P(w) = l2 w^2 / 2 + l1 abs(w). Arguments: see the top of the file."""
    squares = 0.0
    sizes = 0.0
    for i in range(w.size):
        squares += w[i] * w[i]
        sizes += abs(w[i])
        g[i] += l2 * w[i]
    totals[1] += 0.5 * l2 * squares + l1 * sizes


@jit
def _soft_threshold(w, step_sizes, l1):
    T = type(l1)
    for i in range(w.size):
        bound = step_sizes[i] * l1
        w[i] = w[i] - bound if w[i] > bound else (w[i] + bound if w[i] < -bound else T(0))


class RegularizerPart(NamedTuple):
    """A penalty on the weights."""

    penalize: Callable
    formula: str
    parameters: tuple  # the constructor arguments that it reads
    shrink: Callable | None = None


REGULARIZERS = {
    "l2": RegularizerPart(_l2, "l2 w^2 / 2", ("alpha",)),
    "elastic_net": RegularizerPart(
        _elastic_net, "l1 abs(w) + l2 w^2 / 2", ("alpha", "l1_ratio"), _soft_threshold
    ),
}


def penalty_strengths(settings, n_layers, mean_weight=1.0):
    """Return the strengths of L1 and L2 over the mean sample weight, of shape (n_layers, 2).

    ``alpha`` and ``l1_ratio`` are one number for all layers, or one for each.
    """
    alpha = np.broadcast_to(settings.alpha, n_layers) / mean_weight
    l1_ratio = np.broadcast_to(settings.l1_ratio, n_layers)
    return np.column_stack([alpha * l1_ratio, alpha * (1 - l1_ratio)])


def regularizer_part(settings):
    """Return the row that acts, which depends on ``alpha`` and ``l1_ratio``."""
    has_l1 = np.any(np.multiply(settings.alpha, settings.l1_ratio) > 0)
    return REGULARIZERS["elastic_net" if has_l1 else "l2"]
