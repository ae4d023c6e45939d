"""Losses: a kernel for the value and its gradient, the link from outputs to predictions, and a row
in ``LOSSES``.

    loss(z, y, weight, n_outputs, shape, scale, delta, totals)     totals[0] += sum_i weight_i l_i,  delta = scale weight dl/dz
    link(z, n_outputs, shape, prediction)                          prediction = g(z)

``z`` holds the output layer's pre-activations of some rows, one row after another, ``y`` the
targets: one class code a row for ``softmax``, else one number an output; ``shape`` holds the
parameters of the loss. A loss may overwrite ``z``, which shares no memory with ``delta``, but may
with ``prediction``. Values are summed in float64. Probabilities are never 0, so that their
logarithms are finite. To add one: write its kernel, add its row, add its formula to ``REFERENCE``
in tests/test_losses.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._compiled.elementary import epsilon, exp, log, logistic, one, smallest, softplus, tanh
from .._compiled.intrinsics import at
from .._compiled.jit import jit


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
    return _bounded(p, epsilon(p), one(p) - epsilon(p))


@jit
def identity_link(z, n_outputs, shape, prediction):
    """Predict the outputs as they are."""
    for i in range(z.size):
        prediction[i] = z[i]


@jit
def _exp_link(z, n_outputs, shape, prediction):
    for i in range(z.size):
        prediction[i] = exp(z[i])


@jit
def _logistic_link(z, n_outputs, shape, prediction):
    for i in range(z.size):
        p = logistic(z[i])
        prediction[i] = _bounded(p, smallest(p), 1 - epsilon(p) / 2)


@jit(inline=True)
def _exp_of_gaps(z, n_outputs, gaps):
    # exp(z - max z) of every row: the loop over exponentials runs over all rows at once, since rows
    # are often short.
    for start in range(0, z.size, n_outputs):
        row = at(z, start)
        top = row[0]
        for j in range(1, n_outputs):
            top = max(top, row[j])
        out = gaps[start : start + n_outputs]
        for j in range(n_outputs):
            out[j] = row[j] - top
    for i in range(z.size):
        gaps[i] = exp(gaps[i])


@jit
def _softmax_link(z, n_outputs, shape, prediction):
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
def _log_loss(z, y, weight, n_outputs, shape, scale, delta, totals):
    _exp_of_gaps(z, n_outputs, delta)
    value = 0.0
    smoothing = shape[0]
    rest = smoothing / shape.dtype.type(n_outputs)
    keep = one(smoothing) - smoothing
    for i in range(weight.size):
        row = delta[i * n_outputs : (i + 1) * n_outputs]
        total = row[0]
        for j in range(1, n_outputs):
            total += row[j]
        code = int(y[i])
        share = one(total) / total
        factor = weight[i] * scale
        z[i] = _clipped(
            row[code] * share
        )  # z is not needed any more; logarithms are faster together
        if smoothing > 0:
            for j in range(n_outputs):
                value -= weight[i] * (rest * log(_clipped(row[j] * share)))
        for j in range(n_outputs):
            row[j] = factor * (row[j] * share - rest)
        row[code] -= factor * keep
    for i in range(weight.size):
        z[i] = weight[i] * (keep * log(z[i]))
    for i in range(weight.size):
        value -= z[i]
    totals[0] += value


@jit
def _binary_log_loss(z, y, weight, n_outputs, shape, scale, delta, totals):
    for i in range(z.size):
        delta[i] = logistic(z[i])
    value = 0.0
    smoothing = shape[0]
    half = smoothing / shape.dtype.type(2)
    keep = one(smoothing) - smoothing
    for i in range(z.size):
        p = _clipped(delta[i])
        target = keep * y[i] + half
        w = weight[i // n_outputs]
        value -= w * (target * log(p) + (one(p) - target) * log(one(p) - p))
        delta[i] = w * scale * (delta[i] - target)
    totals[0] += value


@jit
def _squared_error(z, y, weight, n_outputs, shape, scale, delta, totals):
    value = 0.0
    for i in range(z.size):
        w = weight[i // n_outputs]
        difference = z[i] - y[i]
        value += 0.5 * w * difference * difference
        delta[i] = w * scale * difference
    totals[0] += value


@jit
def _poisson(z, y, weight, n_outputs, shape, scale, delta, totals):
    value = 0.0
    for i in range(z.size):
        w = weight[i // n_outputs]
        mean = exp(z[i])
        surplus = y[i] * (math.log(y[i]) - z[i]) if y[i] > 0 else 0.0
        value += w * (surplus - y[i] + mean)
        delta[i] = w * scale * (mean - y[i])
    totals[0] += value


@jit
def _gamma(z, y, weight, n_outputs, shape, scale, delta, totals):
    value = 0.0
    for i in range(z.size):
        w = weight[i // n_outputs]
        ratio = y[i] * exp(-z[i])
        value += w * (z[i] - math.log(y[i]) + ratio - 1)
        delta[i] = w * scale * (one(ratio) - ratio)
    totals[0] += value


@jit
def _absolute_error(z, y, weight, n_outputs, shape, scale, delta, totals):
    value = 0.0
    for i in range(z.size):
        w = weight[i // n_outputs]
        difference = z[i] - y[i]
        value += w * abs(difference)
        sign = np.sign(difference)
        delta[i] = w * scale * sign
    totals[0] += value


@jit
def _huber(z, y, weight, n_outputs, shape, scale, delta, totals):
    value = 0.0
    bound = shape[0]
    for i in range(z.size):
        w = weight[i // n_outputs]
        difference = z[i] - y[i]
        slope = min(max(difference, -bound), bound) if difference == difference else difference
        value += w * slope * (difference - 0.5 * slope)
        delta[i] = w * scale * slope
    totals[0] += value


@jit
def _log_cosh(z, y, weight, n_outputs, shape, scale, delta, totals):
    value = 0.0
    for i in range(z.size):
        w = weight[i // n_outputs]
        difference = z[i] - y[i]
        size = abs(difference)
        value += w * (softplus(-(size + size)) + size - math.log(2.0))
        delta[i] = w * scale * tanh(difference)
    totals[0] += value


@jit
def _quantile_link(z, n_outputs, shape, prediction):
    # Levels are in rising order; each quantile but the first lies a positive step above the one
    # before it.
    for start in range(0, z.size, n_outputs):
        prediction[start] = z[start]
        for j in range(start + 1, start + n_outputs):
            prediction[j] = prediction[j - 1] + softplus(z[j])


@jit
def _quantile(z, y, weight, n_outputs, shape, scale, delta, totals):
    value = 0.0
    n_levels = shape.dtype.type(n_outputs)
    for i in range(weight.size):
        row = z[i * n_outputs : (i + 1) * n_outputs]
        slopes = delta[i * n_outputs : (i + 1) * n_outputs]
        quantile = row[0] * 0
        factor = weight[i] * scale / n_levels
        for j in range(n_outputs):
            quantile += row[j] if j == 0 else softplus(row[j])
            difference = y[i] - quantile
            value += weight[i] / n_levels * max(shape[j] * difference, (shape[j] - 1) * difference)
            slope = one(factor) - shape[j] if difference < 0 else -shape[j]
            slopes[j] = factor * (slope if difference == difference else difference)
        for j in range(n_outputs - 1, 0, -1):
            upper = slopes[j]
            slopes[j - 1] += upper
            slopes[j] = upper * logistic(row[j])
    totals[0] += value


class LossPart(NamedTuple):
    """A loss: its kernels and how its outputs and value are to be read."""

    loss: Callable
    link: Callable
    out_activation: str
    formula: str
    task: str = "regression"  # or "classification"
    parameters: tuple = ()  # the constructor arguments that it reads
    averages_outputs: bool = False  # reported as the mean over outputs; the gradient is the sum's
    class_codes: bool = False  # targets are one class code for each sample
    lowest_target: float = -math.inf
    excludes_lowest: bool = False

    def parameter_values(self, settings):
        """Return what kernels get as ``parameters``: one value after another, [0.0] for none."""
        values = [np.atleast_1d(getattr(settings, name)) for name in self.parameters]
        return np.concatenate(values or [[0.0]])


LOSSES = {
    "log_loss": LossPart(
        _log_loss,
        _softmax_link,
        "softmax",
        "-log p_y",
        "classification",
        ("label_smoothing",),
        class_codes=True,
    ),
    "binary_log_loss": LossPart(
        _binary_log_loss,
        _logistic_link,
        "logistic",
        "-y log p - (1 - y) log(1 - p), summed over outputs",
        "classification",
        ("label_smoothing",),
    ),
    "squared_error": LossPart(
        _squared_error, identity_link, "identity", "(z - y)^2 / 2", averages_outputs=True
    ),
    "absolute_error": LossPart(_absolute_error, identity_link, "identity", "abs(z - y)"),
    "huber": LossPart(
        _huber,
        identity_link,
        "identity",
        "(z - y)^2 / 2 up to abs(z - y) = huber_delta, linear beyond",
        parameters=("huber_delta",),
    ),
    "log_cosh": LossPart(_log_cosh, identity_link, "identity", "log(cosh(z - y))"),
    "poisson": LossPart(
        _poisson, _exp_link, "exp", "y log(y / exp(z)) - y + exp(z)", lowest_target=0.0
    ),
    "gamma": LossPart(
        _gamma,
        _exp_link,
        "exp",
        "log(exp(z) / y) + y / exp(z) - 1",
        lowest_target=0.0,
        excludes_lowest=True,
    ),
    "quantile": LossPart(
        _quantile,
        _quantile_link,
        "identity",
        "max(q (y - z), (q - 1) (y - z)) for q = ``quantile``, averaged over levels",
        parameters=("quantile",),
    ),
}
REGRESSION_LOSSES = tuple(name for name, part in LOSSES.items() if part.task == "regression")
