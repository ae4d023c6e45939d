"""Activations of the hidden layers: two kernels over contiguous runs of one layer's values, and a
row in ``ACTIVATIONS``.

    forward(z, shape, a)              a = f(z)
    backward(z, a, shape, da, dz)     dz = da f'(z)

``z`` are pre-activations, ``a`` activations, ``da`` = dL/da, ``dz`` = dL/dz; ``shape`` is the
activation's parameter (a slope, say), 0 if it has none. What is written shares no memory with what
is read, or LLVM would not vectorise the loops; in ``backward``, ``z`` holds nothing unless the row
says ``needs_z``. To add one: write the pair, add its row, add its formula to ``REFERENCE`` in
tests/test_activations.py. Validation, docstrings and tests follow the registry.
"""

from collections.abc import Callable
from typing import NamedTuple

from .._compiled.elementary import constant, exp, logistic, one, softplus, tanh
from .._compiled.jit import jit


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


@jit
def _leaky_relu(z, shape, a):
    for i in range(z.size):
        a[i] = shape * z[i] if z[i] < 0 else z[i]


@jit
def _leaky_relu_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        dz[i] = shape * da[i] if z[i] < 0 else da[i]


@jit
def _elu(z, shape, a):
    for i in range(z.size):
        a[i] = shape * (exp(z[i]) - one(shape)) if z[i] < 0 else z[i]


@jit
def _elu_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        dz[i] = da[i] * (a[i] + shape) if a[i] < 0 else da[i]  # alpha exp(z), without another exp


_SELU_SCALE = constant(1.0507009873554805)
_SELU_ALPHA = constant(1.6732632423543772)


@jit
def _selu(z, shape, a):
    scale = _SELU_SCALE(shape)
    alpha = _SELU_ALPHA(shape)
    for i in range(z.size):
        a[i] = scale * (alpha * (exp(z[i]) - one(shape)) if z[i] < 0 else z[i])


@jit
def _selu_backward(z, a, shape, da, dz):
    scale = _SELU_SCALE(shape)
    alpha = _SELU_ALPHA(shape)
    for i in range(dz.size):
        dz[i] = da[i] * (a[i] + scale * alpha if a[i] < 0 else scale)


_THREE = constant(3)
_SIX = constant(6)
# root: sqrt(2 / pi)
_HALF = constant(0.5)
_CUBE = constant(0.044715)
_ROOT = constant(0.7978845608028654)
_FAR = constant(30)


@jit
def _gelu(z, shape, a):
    half = _HALF(shape)
    cube = _CUBE(shape)
    root = _ROOT(shape)
    for i in range(z.size):
        t = tanh(root * (z[i] + cube * z[i] * z[i] * z[i]))
        a[i] = half * z[i] * (one(shape) + t)


@jit
def _gelu_backward(z, a, shape, da, dz):
    half = _HALF(shape)
    cube = _CUBE(shape)
    root = _ROOT(shape)
    three = _THREE(shape)
    far = _FAR(shape)
    for i in range(dz.size):
        x = (
            far if z[i] > far else (-far if z[i] < -far else z[i])
        )  # beyond, f' is 1 or 0, and squares would overflow
        t = tanh(root * (x + cube * x * x * x))
        inner = root * (one(shape) + three * cube * x * x)
        dz[i] = da[i] * half * (one(shape) + t + x * (one(shape) - t * t) * inner)


@jit
def _silu(z, shape, a):
    for i in range(z.size):
        a[i] = z[i] * logistic(z[i])


@jit
def _silu_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        p = logistic(z[i])
        dz[i] = da[i] * p * (one(shape) + z[i] * (one(shape) - p))


@jit
def _mish(z, shape, a):
    for i in range(z.size):
        a[i] = z[i] * tanh(softplus(z[i]))


@jit
def _mish_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        t = tanh(softplus(z[i]))
        dz[i] = da[i] * (t + z[i] * logistic(z[i]) * (one(shape) - t * t))


@jit
def _softplus(z, shape, a):
    for i in range(z.size):
        a[i] = softplus(z[i])


@jit
def _softplus_backward(z, a, shape, da, dz):
    for i in range(dz.size):
        dz[i] = da[i] * (one(shape) - exp(-a[i]))


@jit
def _hard_sigmoid(z, shape, a):
    zero = one(shape) - one(shape)
    three = _THREE(shape)
    six = _SIX(shape)
    for i in range(z.size):
        p = (z[i] + three) / six
        a[i] = zero if p < zero else (one(shape) if p > one(shape) else p)


@jit
def _hard_sigmoid_backward(z, a, shape, da, dz):
    zero = one(shape) - one(shape)
    six = _SIX(shape)
    for i in range(dz.size):
        dz[i] = da[i] / six if (a[i] > zero) & (a[i] < one(shape)) else zero


@jit
def _maxout(z, shape, a):
    pieces = z.size // a.size
    for i in range(a.size):
        largest = z[i * pieces]
        for k in range(1, pieces):
            piece = z[i * pieces + k]
            if piece > largest or piece != piece:
                largest = piece
        a[i] = largest


@jit
def _maxout_backward(z, a, shape, da, dz):
    pieces = z.size // a.size
    for i in range(a.size):
        taken = False
        for k in range(pieces):
            wins = (not taken) and z[i * pieces + k] == a[i]
            taken = taken or wins
            dz[i * pieces + k] = da[i] if wins else 0


class ActivationPart(NamedTuple):
    """An activation: its kernels and what else the network must know of it."""

    forward: Callable
    backward: Callable
    formula: str
    parameter: str | None = None  # the constructor argument that kernels get as ``parameter``
    needs_z: bool = False  # f' cannot be told from f alone, so pre-activations are kept
    pieces: str | None = None  # the constructor argument: pre-activations for each activation

    @property
    def parameters(self):
        """The constructor arguments that it reads."""
        return tuple(name for name in (self.parameter, self.pieces) if name is not None)

    def parameter_value(self, settings):
        """Return what kernels get as ``parameter``."""
        return 0.0 if self.parameter is None else getattr(settings, self.parameter)


_LOGISTIC = ActivationPart(_logistic, _logistic_backward, "f(z) = 1 / (1 + exp(-z))")

ACTIVATIONS = {
    "identity": ActivationPart(_identity, _identity_backward, "f(z) = z"),
    "logistic": _LOGISTIC,
    "sigmoid": _LOGISTIC,
    "tanh": ActivationPart(_tanh, _tanh_backward, "f(z) = tanh(z)"),
    "relu": ActivationPart(_relu, _relu_backward, "f(z) = max(0, z)"),
    "leaky_relu": ActivationPart(
        _leaky_relu,
        _leaky_relu_backward,
        "f(z) = max(negative_slope z, z)",
        parameter="negative_slope",
        needs_z=True,
    ),
    "elu": ActivationPart(
        _elu,
        _elu_backward,
        "f(z) = z if z > 0 else elu_alpha (exp(z) - 1), arXiv:1511.07289",
        parameter="elu_alpha",
    ),
    "selu": ActivationPart(
        _selu,
        _selu_backward,
        "f(z) = 1.0507 (z if z > 0 else 1.6733 (exp(z) - 1)), arXiv:1706.02515",
    ),
    "gelu": ActivationPart(
        _gelu,
        _gelu_backward,
        "f(z) = z / 2 (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))), arXiv:1606.08415",
        needs_z=True,
    ),
    "silu": ActivationPart(
        _silu, _silu_backward, "f(z) = z / (1 + exp(-z)), arXiv:1702.03118", needs_z=True
    ),
    "mish": ActivationPart(
        _mish, _mish_backward, "f(z) = z tanh(log(1 + exp(z))), arXiv:1908.08681", needs_z=True
    ),
    "softplus": ActivationPart(_softplus, _softplus_backward, "f(z) = log(1 + exp(z))"),
    "hard_sigmoid": ActivationPart(
        _hard_sigmoid, _hard_sigmoid_backward, "f(z) = min(1, max(0, (z + 3) / 6))"
    ),
    "maxout": ActivationPart(
        _maxout,
        _maxout_backward,
        "f = max_k(w_k x + b_k) over ``maxout_pieces`` linear pieces, arXiv:1302.4389",
        needs_z=True,
        pieces="maxout_pieces",
    ),
}
