"""Losses: value and gradient, the link from outputs to predictions, and a row in ``LOSSES``.

A loss of single outputs, l(z, y), is a scalar function, which :func:`pointwise` makes a kernel. It
returns both numbers, since they often share an exponential:

    function(weight, z, y, parameter)     returns (weight l, dl/dz)

A loss that reads several outputs of a sample at once has a kernel of its own, as every link has:

    loss(z, y, weight, n_outputs, parameters, scale, delta, totals)
    link(z, n_outputs, parameters, prediction)

z : vector of shape (n_rows * n_outputs,)
    Outputs before the link, one sample after another. A loss may overwrite them.
y : vector of shape (n_rows,) or (n_rows * n_outputs,)
    Targets: one class code for each sample if the row says ``class_codes``, one number for all
    quantiles of a target, else one number for each output.
weight : vector of shape (n_rows,)
    Sample weights.
parameters : vector
    Values of the constructor arguments that the row names, [0] for none. Scalar functions get the
    first as ``parameter``.
scale : scalar
delta : vector like z
    Gets the gradient, scale weight dl/dz. Shares no memory with z.
totals : vector of float64
    The sum of weight l is added to ``totals[0]``; other elements stay as they are.
prediction : vector like z
    Gets the predictions. May be z itself.

Values are summed in float64. So in a value a literal, which turns float32 arithmetic into float64,
is right; elsewhere constants have the type of their operands. Probabilities are never 0, so that
their logarithms are finite.

To add a loss: write its function, add its row, add its formula to ``REFERENCE`` in
tests/parts/test_losses.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._compiled.elementary import epsilon, exp, log, logistic, softplus, tanh
from .._compiled.intrinsics import segment
from .._compiled.jit import jit
from . import operators
from .links import (
    bounded,
    exp_link,
    exp_of_differences,
    identity_link,
    logistic_link,
    quantile_link,
    softmax_link,
)


class LossPart(NamedTuple):
    """A loss: its kernels and how its outputs and value are to be read."""

    loss: Callable
    formula: str
    link: Callable = identity_link
    out_activation: str = "identity"
    task: str = "regression"  # or "classification"
    parameters: tuple = ()  # the constructor arguments that it reads
    averages_outputs: bool = False  # reported as the mean over outputs; the gradient is the sum's
    class_codes: bool = False  # targets are one class code for each sample
    lowest_target: float = -math.inf
    excludes_lowest: bool = False
    onnx: Callable = operators.identity  # of (graph, z, parameters): the link in ONNX

    def parameter_values(self, settings):
        """Return what kernels get as ``parameters``: one value after another, [0.0] for none."""
        values = [np.atleast_1d(getattr(settings, name)) for name in self.parameters]
        return np.concatenate(values or [[0.0]])


def pointwise(function):
    """Return the kernel of a loss of single outputs, compiled from a scalar function.

    Parameters
    ----------
    function : function of (weight, z, y, parameter)
        See the top of the file.
    """
    weighted_loss_and_slope = jit(function, inline=True)

    def loss(z, y, weight, n_outputs, parameters, scale, delta, totals):
        total = 0.0
        parameter = parameters[0]
        for i in range(z.size):
            w = weight[i // n_outputs]
            value, slope = weighted_loss_and_slope(w, z[i], y[i], parameter)
            total += value
            delta[i] = w * scale * slope
        totals[0] += total

    loss.__qualname__ = function.__qualname__  # for error messages
    return jit(loss)


@jit(inline=True)
def _clipped(p):
    # scikit-learn takes logarithms of probabilities inside [eps, 1 - eps].
    T = type(p)
    return bounded(p, epsilon(p), T(1) - epsilon(p))


@jit
def _log_loss(z, y, weight, n_outputs, parameters, scale, delta, totals):
    """-log p_y of softmax outputs. Arguments: see the top of the file."""
    exp_of_differences(z, n_outputs, delta)
    value = 0.0
    smoothing = parameters[0]
    T = type(smoothing)
    rest = smoothing / T(n_outputs)
    keep = T(1) - smoothing
    for i in range(weight.size):
        row = segment(delta, i * n_outputs, n_outputs)
        total = row[0]
        for j in range(1, n_outputs):
            total += row[j]
        code = int(y[i])
        inverse = T(1) / total
        factor = weight[i] * scale
        # z is not needed any more; the loop over all logarithms at once, below, is faster.
        z[i] = _clipped(row[code] * inverse)
        if smoothing > 0:
            for j in range(n_outputs):
                value -= weight[i] * (rest * log(_clipped(row[j] * inverse)))
        for j in range(n_outputs):
            row[j] = factor * (row[j] * inverse - rest)
        row[code] -= factor * keep
    for i in range(weight.size):
        z[i] = weight[i] * (keep * log(z[i]))
    for i in range(weight.size):
        value -= z[i]
    totals[0] += value


@jit
def _binary_log_loss(z, y, weight, n_outputs, parameters, scale, delta, totals):
    """-y log p - (1 - y) log(1 - p). Arguments: see the top of the file."""
    # Not pointwise: a loop with a sum in it is not vectorized, and this way the exponentials are.
    for i in range(z.size):
        delta[i] = logistic(z[i])
    value = 0.0
    smoothing = parameters[0]
    T = type(smoothing)
    half = smoothing / T(2)
    keep = T(1) - smoothing
    for i in range(z.size):
        p = _clipped(delta[i])
        target = keep * y[i] + half
        w = weight[i // n_outputs]
        value -= w * (target * log(p) + (T(1) - target) * log(T(1) - p))
        delta[i] = w * scale * (delta[i] - target)
    totals[0] += value


def _squared_error(weight, z, y, parameter):
    difference = z - y
    return 0.5 * weight * difference * difference, difference


def _absolute_error(weight, z, y, parameter):
    difference = z - y
    slope = np.sign(difference)
    return weight * abs(difference), slope


def _huber(weight, z, y, bound):
    difference = z - y
    slope = min(max(difference, -bound), bound) if difference == difference else difference
    return weight * slope * (difference - 0.5 * slope), slope


def _log_cosh(weight, z, y, parameter):
    difference = z - y
    slope = tanh(difference)
    size = abs(difference)
    return weight * (softplus(-(size + size)) + size - math.log(2.0)), slope


def _poisson(weight, z, y, parameter):
    mean = exp(z)
    surplus = y * (math.log(y) - z) if y > 0 else 0.0
    return weight * (surplus - y + mean), mean - y


def _gamma(weight, z, y, parameter):
    T = type(z)
    ratio = y * exp(-z)
    return weight * (z - math.log(y) + ratio - 1), T(1) - ratio


@jit
def _quantile(z, y, weight, n_outputs, levels, scale, delta, totals):
    """Pinball loss of quantiles that do not cross. Arguments: see the top of the file."""
    value = 0.0
    T = type(scale)
    n_levels = T(levels.size)
    n_targets = n_outputs // levels.size
    for i in range(z.size // levels.size):  # the targets of all samples
        row = segment(z, i * levels.size, levels.size)
        slopes = segment(delta, i * levels.size, levels.size)
        quantile = 0.0
        w = weight[i // n_targets]
        factor = w * scale / n_levels
        for j in range(levels.size):
            quantile += row[j] if j == 0 else softplus(row[j])
            difference = y[i] - quantile
            value += w / n_levels * max(levels[j] * difference, (levels[j] - 1) * difference)
            slope = T(1) - levels[j] if difference < 0 else -levels[j]
            slopes[j] = factor * (slope if difference == difference else difference)
        for j in range(levels.size - 1, 0, -1):
            upper = slopes[j]
            slopes[j - 1] += upper
            slopes[j] = upper * logistic(row[j])
    totals[0] += value


LOSSES = {
    "log_loss": LossPart(
        _log_loss,
        "-log p_y",
        softmax_link,
        "softmax",
        task="classification",
        parameters=("label_smoothing",),
        class_codes=True,
        onnx=operators.softmax,
    ),
    "binary_log_loss": LossPart(
        _binary_log_loss,
        "-y log p - (1 - y) log(1 - p), summed over outputs",
        logistic_link,
        "logistic",
        task="classification",
        parameters=("label_smoothing",),
        onnx=operators.logistic,
    ),
    "squared_error": LossPart(pointwise(_squared_error), "(z - y)^2 / 2", averages_outputs=True),
    "absolute_error": LossPart(pointwise(_absolute_error), "abs(z - y)"),
    "huber": LossPart(
        pointwise(_huber),
        "(z - y)^2 / 2 up to abs(z - y) = huber_delta, linear beyond",
        parameters=("huber_delta",),
    ),
    "log_cosh": LossPart(pointwise(_log_cosh), "log(cosh(z - y))"),
    "poisson": LossPart(
        pointwise(_poisson),
        "y log(y / exp(z)) - y + exp(z)",
        exp_link,
        "exp",
        lowest_target=0.0,
        onnx=operators.exp,
    ),
    "gamma": LossPart(
        pointwise(_gamma),
        "log(exp(z) / y) + y / exp(z) - 1",
        exp_link,
        "exp",
        lowest_target=0.0,
        excludes_lowest=True,
        onnx=operators.exp,
    ),
    "quantile": LossPart(
        _quantile,
        "max(q (y - z), (q - 1) (y - z)) for q = ``quantile``, averaged over levels",
        quantile_link,
        parameters=("quantile",),
        onnx=operators.quantiles,
    ),
}
REGRESSION_LOSSES = tuple(name for name, part in LOSSES.items() if part.task == "regression")
