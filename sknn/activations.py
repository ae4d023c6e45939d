"""Activations of the hidden layers: two kernels over contiguous runs of one layer's values, and a row in ``ACTIVATIONS``.

    forward(z, shape, a)              a = f(z)
    backward(z, a, shape, da, dz)     dz = da f'(z)

``z`` are pre-activations, ``a`` activations, ``da`` = dL/da, ``dz`` = dL/dz; ``shape`` is the activation's parameter (a slope, say), 0 if
it has none. What is written shares no memory with what is read, or LLVM would not vectorise the loops; in ``backward``, ``z`` holds
nothing unless the row says ``needs_z``. To add one: write the pair, add its row, add its formula to ``REFERENCE`` in
tests/test_activations.py. Validation, docstrings and tests follow the registry.
"""

from collections.abc import Callable
from typing import NamedTuple

from ._jit import jit
from ._math import logistic, one, tanh

FORWARD = "run scalar run"
BACKWARD = "run run scalar run run"


@jit
def _identity(z, shape, a):
    for i in range(z.size):
        a[i] = z[i]


@jit
def _identity_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        dz[i] = da[i]


@jit
def _logistic(z, shape, a):
    for i in range(z.size):
        a[i] = logistic(z[i])


@jit
def _logistic_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        dz[i] = da[i] * a[i] * (one(shape) - a[i])


@jit
def _tanh(z, shape, a):
    for i in range(z.size):
        a[i] = tanh(z[i])


@jit
def _tanh_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        dz[i] = da[i] * (one(shape) - a[i] * a[i])


@jit
def _relu(z, shape, a):
    for i in range(z.size):
        a[i] = 0 if z[i] < 0 else z[i]  # in this order NaN stays NaN


@jit
def _relu_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        dz[i] = 0 if a[i] == 0 else da[i]


class Activation(NamedTuple):
    """An activation: its kernels and what else the network must know of it."""

    forward: Callable
    backward: Callable
    formula: str
    needs_z: bool = False  # f' cannot be told from f alone, so pre-activations are kept


ACTIVATIONS = {
    "identity": Activation(_identity, _identity_backward, "f(z) = z"),
    "logistic": Activation(_logistic, _logistic_backward, "f(z) = 1 / (1 + exp(-z))"),
    "tanh": Activation(_tanh, _tanh_backward, "f(z) = tanh(z)"),
    "relu": Activation(_relu, _relu_backward, "f(z) = max(0, z)"),
}
