"""A slow, obvious reference implementation in float64, one sample at a time.

A formula is a plain NumPy function that also takes complex numbers, so that its derivative needs no
second formula: to machine precision f'(z) = Im f(z + ih) / h. (Where a formula branches, it asks
for ``z.real``.)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from sknn._compiled.jit import INTERPRETED
from sknn._runtime.architecture import COEFS, INTERCEPTS, Architecture, HiddenLayer
from sknn._runtime.layout import make_layout, views

compiled_only = pytest.mark.skipif(
    INTERPRETED, reason="a property of compiled kernels, which NumPy's do not have"
)

DTYPES = ("float32", "float64")
SIZES = (
    0,
    1,
    7,
    16,
    33,
)  # of runs: empty, one element, less than a vector register, whole ones, whole ones and a rest
FINITE = (0.0, -0.0, 1e-30, -1e-30, 0.3, -0.7, 1.9, -2.6, 30.0, -30.0)
EXTREMES = (*FINITE, 1e4, -1e4, np.nan, np.inf, -np.inf)

_TINY_STEP = 1e-30


def compiled(kernel, kind, dtype):
    """Return ``kernel``, compiled as the engine has it compiled, to be called from Python."""
    return kind.function(kernel, np.dtype(dtype))


def run(values, size, dtype):
    """Return a run of ``size`` elements that repeats ``values``."""
    return np.resize(np.array(values, dtype), size)


def bits(array):
    """Return the array's bytes as integers, to compare them to the last bit."""
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")


def assert_same_weights(one, other):
    """Check that two estimators have learned the same bits."""
    for mine, theirs in zip(
        (*one.coefs_, *one.intercepts_), (*other.coefs_, *other.intercepts_), strict=True
    ):
        np.testing.assert_array_equal(bits(mine), bits(theirs))


# ---- derivatives -------------------------------------------------------------------------------


def slope(formula, z, *rest):
    """Return f'(z), element by element."""
    return np.imag(formula(z + 1j * _TINY_STEP, *rest)) / _TINY_STEP


def partials(formula, z, *rest):
    """Return the derivative of the sum of f(z) by each element of z."""
    return np.array(
        [
            np.imag(np.sum(formula(z + 1j * step, *rest))) / _TINY_STEP
            for step in _TINY_STEP * np.eye(len(z))
        ]
    )


def central_differences(function, flat, h=1e-5):
    """Return the gradient of a function of a vector."""
    gradient = np.empty_like(flat)
    for i in range(len(flat)):
        step = np.zeros_like(flat)
        step[i] = h
        gradient[i] = (function(flat + step) - function(flat - step)) / (2 * h)
    return gradient


# ---- the network -------------------------------------------------------------------------------


class Network(NamedTuple):
    """Weights and formulas.

    A loss formula takes the outputs and targets of one row and returns terms to be summed.
    """

    coefs: list
    intercepts: list
    activation: Callable
    loss: Callable
    alpha: float


class Batch(NamedTuple):
    """Rows of X, y and sample weights, and the mean weight of the whole training set."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    mean_weight: float


def forward(network, x):
    """Return ``(pre-activations, activations)`` of all layers for one row x.

    The first activations are x itself.
    """
    pre_activations = []
    activations = [x]
    for W, b in zip(network.coefs, network.intercepts, strict=True):
        pre_activations.append(activations[-1] @ W + b)
        activations.append(network.activation(pre_activations[-1]))
    return pre_activations, activations


def outputs(network, X):
    """Return the last layer's pre-activations."""
    return np.array([forward(network, x)[0][-1] for x in X])


def data_loss(network, batch):
    """Return sum_i w_i l_i / (|B| mean(w))."""
    rows = zip(outputs(network, batch.X), batch.y, batch.weight, strict=True)
    return sum(w * np.sum(network.loss(z, y)) for z, y, w in rows) / (
        len(batch.X) * batch.mean_weight
    )


def penalty(network, batch):
    """Return alpha / (|B| mean(w)) ||W||^2 / 2."""
    squares = sum(np.sum(W**2) for W in network.coefs)
    return network.alpha / (len(batch.X) * batch.mean_weight) * squares / 2


def objective(network, batch):
    """Return what is minimized."""
    return data_loss(network, batch) + penalty(network, batch)


def gradient(network, batch):
    """Return the gradients of coefs and of intercepts, by the chain rule."""
    of_coefs = [network.alpha * W for W in network.coefs]
    of_intercepts = [np.zeros_like(b) for b in network.intercepts]
    for x, y, w in zip(batch.X, batch.y, batch.weight, strict=True):
        z, a = forward(network, x)
        delta = w * partials(network.loss, z[-1], y)
        for layer in reversed(range(len(z))):
            of_coefs[layer] += np.outer(a[layer], delta)
            of_intercepts[layer] += delta
            if layer > 0:
                delta = (network.coefs[layer] @ delta) * slope(network.activation, z[layer - 1])
    weight_of_batch = len(batch.X) * batch.mean_weight
    return [g / weight_of_batch for g in of_coefs], [g / weight_of_batch for g in of_intercepts]


def train(network, batches, step, settings, rate):
    """Train for one step per batch.

    Return ``(trained network, [(data loss, penalty) of each batch before its step])``.

    ``step(w, g, states, settings, rate, t)`` returns ``(w, states)``; t counts steps from 1.
    """
    n_layers = len(network.coefs)
    weights = [np.array(w, dtype=np.float64) for w in (*network.coefs, *network.intercepts)]
    states = [[np.zeros_like(w)] * 3 for w in weights]
    losses = []
    for t, batch in enumerate(batches, start=1):
        network = network._replace(coefs=weights[:n_layers], intercepts=weights[n_layers:])
        losses.append((data_loss(network, batch), penalty(network, batch)))
        of_coefs, of_intercepts = gradient(network, batch)
        for i, g in enumerate((*of_coefs, *of_intercepts)):
            weights[i], states[i] = step(weights[i], g, states[i], settings, rate, t)
    return network._replace(coefs=weights[:n_layers], intercepts=weights[n_layers:]), losses


# ---- the package's own layout ------------------------------------------------------------------


def architecture(units, *, loss="squared_error", pieces=1, **others):
    """Return the architecture of a network of these widths, from n_features to n_outputs."""
    hidden = tuple(HiddenLayer(width, "relu", pieces=pieces) for width in units[1:-1])
    return Architecture(units[0], hidden, units[-1], loss, **others)


def plain_layout(units, **others):
    """Return the layout of such a network."""
    return make_layout(architecture(units, **others))


def coefs_and_intercepts(flat, layout):
    """Return ``(coefs, intercepts)``, views of the flat vector."""
    parts = views(flat, layout)
    return parts[COEFS], parts[INTERCEPTS]
