"""Losses: a kernel for the value and its gradient, the link from outputs to predictions, and a row in ``LOSSES``.

    loss(z, y, weight, n_outputs, scale, delta, totals)     totals[0] += sum_i weight_i l_i,  delta = scale weight dl/dz
    link(z, n_outputs, prediction)                          prediction = g(z)

``z`` holds the output layer's pre-activations of some rows, one row after another, ``y`` the targets: one class code a row for ``softmax``,
else one number an output. ``delta`` may not share memory with ``z``; ``prediction`` may. Values are summed in float64. Links of
probabilities stay inside (0, 1), so that their logarithms are finite.
To add one: write its kernel, add its row, add its formula to ``REFERENCE`` in tests/test_losses.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from ._jit import jit
from ._math import epsilon, exp, logistic, smallest

LOSS = "run run run int scalar run totals"
LINK = "run int run"


@jit(inline=True)
def _bounded(p, low, high):
    # NaN goes through.
    if p < low:
        return low
    if p > high:
        return high
    return p


@jit(inline=True)
def _clipped(p):
    # scikit-learn takes logarithms of probabilities inside [eps, 1 - eps].
    return _bounded(p, epsilon(p), 1 - epsilon(p))


@jit
def _identity_link(z, n_outputs, prediction):
    for i in range(z.size):
        prediction[i] = z[i]


@jit
def _exp_link(z, n_outputs, prediction):
    for i in range(z.size):
        prediction[i] = exp(z[i])


@jit
def _logistic_link(z, n_outputs, prediction):
    for i in range(z.size):
        p = logistic(z[i])
        prediction[i] = _bounded(p, smallest(p), 1 - epsilon(p) / 2)


@jit(inline=True)
def _exp_of_gaps(z, n_outputs, gaps):
    # exp(z - max z) of every row: the loop over exponentials runs over all rows at once, since rows are often short.
    for start in range(0, z.size, n_outputs):
        row = z[start : start + n_outputs]
        top = row[0]
        for j in range(1, n_outputs):
            top = max(top, row[j])
        out = gaps[start : start + n_outputs]
        for j in range(n_outputs):
            out[j] = row[j] - top
    for i in range(z.size):
        gaps[i] = exp(gaps[i])


@jit
def _softmax_link(z, n_outputs, prediction):
    _exp_of_gaps(z, n_outputs, prediction)
    for start in range(0, z.size, n_outputs):
        row = prediction[start : start + n_outputs]
        total = row[0]
        for j in range(1, n_outputs):
            total += row[j]
        for j in range(n_outputs):
            p = row[j] / total
            row[j] = smallest(p) if p < smallest(p) else p


@jit
def _log_loss(z, y, weight, n_outputs, scale, delta, totals):
    _exp_of_gaps(z, n_outputs, delta)
    value = 0.0
    for i in range(weight.size):
        row = delta[i * n_outputs : (i + 1) * n_outputs]
        total = row[0]
        for j in range(1, n_outputs):
            total += row[j]
        code = int(y[i])
        value -= weight[i] * math.log(_clipped(row[code] / total))
        factor = weight[i] * scale
        for j in range(n_outputs):
            row[j] *= factor / total
        row[code] -= factor
    totals[0] += value


@jit
def _binary_log_loss(z, y, weight, n_outputs, scale, delta, totals):
    for i in range(z.size):
        delta[i] = logistic(z[i])
    value = 0.0
    for i in range(z.size):
        p = _clipped(delta[i])
        w = weight[i // n_outputs]
        value -= w * (y[i] * math.log(p) + (1 - y[i]) * math.log(1 - p))
        delta[i] = w * scale * (delta[i] - y[i])
    totals[0] += value


@jit
def _squared_error(z, y, weight, n_outputs, scale, delta, totals):
    value = 0.0
    for i in range(z.size):
        w = weight[i // n_outputs]
        difference = z[i] - y[i]
        value += 0.5 * w * difference * difference
        delta[i] = w * scale * difference
    totals[0] += value


@jit
def _poisson(z, y, weight, n_outputs, scale, delta, totals):
    value = 0.0
    for i in range(z.size):
        w = weight[i // n_outputs]
        mean = exp(z[i])
        surplus = y[i] * (math.log(y[i]) - z[i]) if y[i] > 0 else 0.0
        value += w * (surplus - y[i] + mean)
        delta[i] = w * scale * (mean - y[i])
    totals[0] += value


class Loss(NamedTuple):
    """A loss: its kernels and how its outputs and value are to be read."""

    loss: Callable
    link: Callable
    out_activation: str
    formula: str
    averages_outputs: bool = False  # the reported value is the mean over outputs; the gradient is that of the sum
    class_codes: bool = False  # targets are one class code a row
    nonnegative_targets: bool = False


LOSSES = {
    "log_loss": Loss(_log_loss, _softmax_link, "softmax", "-log p_y", class_codes=True),
    "binary_log_loss": Loss(_binary_log_loss, _logistic_link, "logistic", "-y log p - (1 - y) log(1 - p), summed over outputs"),
    "squared_error": Loss(_squared_error, _identity_link, "identity", "(z - y)^2 / 2", averages_outputs=True),
    "poisson": Loss(_poisson, _exp_link, "exp", "y log(y / exp(z)) - y + exp(z)", nonnegative_targets=True),
}
REGRESSION_LOSSES = ("squared_error", "poisson")
