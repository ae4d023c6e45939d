"""Activations of the hidden layers: two scalar functions, and a row in ``ACTIVATIONS``.

    forward(z, parameter)             returns a = f(z)
    backward(da, z, a, parameter)     returns dz = da f'(z)

z is a pre-activation, a an activation, da = dL/da, dz = dL/dz. ``parameter`` is the value of the
constructor argument that the row names (a slope, say), 0 if it names none. In ``backward``, z holds
nothing unless the row says ``needs_z``. :func:`elementwise` compiles the two into kernels, loops
over contiguous values of one layer. An activation that computes one value from several has kernels
of its own:

    forward(z, parameter, a)
    backward(z, a, parameter, da, dz)

Outputs, a and dz, share no memory with inputs, or LLVM would not vectorize the loops.

Constants have the type of their operands, ``T = type(z); T(0.5)``, since Numba turns float32 times
a literal into float64. NaN must stay NaN, which decides the order of some comparisons.

To add an activation: write its functions, add its row, add its formula to ``REFERENCE`` in
tests/parts/test_activations.py.
"""

from collections.abc import Callable
from typing import NamedTuple

from .._compiled.elementary import exp, logistic, softplus, tanh
from .._compiled.jit import jit
from . import operators
from .operators import GELU_CUBE, GELU_ROOT, SELU_ALPHA, SELU_SCALE


class ActivationPart(NamedTuple):
    """An activation: its kernels and what else the network must know about it."""

    forward: Callable
    backward: Callable
    formula: str
    parameter: str | None = None  # the constructor argument that kernels get as ``parameter``
    needs_z: bool = False  # f' cannot be computed from f alone, so pre-activations are kept
    pieces: str | None = None  # the constructor argument: number of pre-activations for each unit
    onnx: Callable | None = None  # of (graph, z, parameter or pieces): f in ONNX

    @property
    def parameters(self):
        """The constructor arguments that it reads."""
        return tuple(name for name in (self.parameter, self.pieces) if name is not None)

    def parameter_value(self, settings):
        """Return what kernels get as ``parameter``."""
        return 0.0 if self.parameter is None else getattr(settings, self.parameter)


def elementwise(forward, backward, formula, **fields):
    """Return the row of an activation, compiled from two scalar functions.

    Parameters
    ----------
    forward, backward : functions of (z, parameter) and of (da, z, a, parameter)
        See the top of the file.
    formula : str
    **fields
        Other fields of :class:`ActivationPart`.
    """
    f = jit(forward, inline=True)
    df = jit(backward, inline=True)

    def forward_loop(z, parameter, a):
        for i in range(z.size):
            a[i] = f(z[i], parameter)

    def backward_loop(z, a, parameter, da, dz):
        for i in range(dz.size):
            dz[i] = df(da[i], z[i], a[i], parameter)

    # For error messages and the names of cache files.
    forward_loop.__qualname__ = forward.__qualname__
    backward_loop.__qualname__ = backward.__qualname__
    return ActivationPart(jit(forward_loop), jit(backward_loop), formula, **fields)


def _identity(z, parameter):
    return z


def _identity_backward(da, z, a, parameter):
    return da


def _logistic(z, parameter):
    return logistic(z)


def _logistic_backward(da, z, a, parameter):
    T = type(a)
    return da * a * (T(1) - a)


def _tanh(z, parameter):
    return tanh(z)


def _tanh_backward(da, z, a, parameter):
    T = type(a)
    return da * (T(1) - a * a)


def _relu(z, parameter):
    T = type(z)
    return T(0) if z < 0 else z  # in this order NaN stays NaN


def _relu_backward(da, z, a, parameter):
    T = type(da)
    return T(0) if a == 0 else da


def _leaky_relu(z, slope):
    return slope * z if z < 0 else z


def _leaky_relu_backward(da, z, a, slope):
    return slope * da if z < 0 else da


def _elu(z, alpha):
    T = type(z)
    return alpha * (exp(z) - T(1)) if z < 0 else z


def _elu_backward(da, z, a, alpha):
    return da * (a + alpha) if a < 0 else da  # a + alpha is alpha exp(z), without another exp


def _selu(z, parameter):
    T = type(z)
    return T(SELU_SCALE) * (T(SELU_ALPHA) * (exp(z) - T(1)) if z < 0 else z)


def _selu_backward(da, z, a, parameter):
    T = type(a)
    scale = T(SELU_SCALE)
    return da * (a + scale * T(SELU_ALPHA) if a < 0 else scale)


def _gelu(z, parameter):
    T = type(z)
    t = tanh(T(GELU_ROOT) * (z + T(GELU_CUBE) * z * z * z))
    return T(0.5) * z * (T(1) + t)


def _gelu_backward(da, z, a, parameter):
    T = type(z)
    root = T(GELU_ROOT)
    cube = T(GELU_CUBE)
    far = T(30)  # beyond, f' is 1 or 0, and squares would overflow
    x = far if z > far else (-far if z < -far else z)
    t = tanh(root * (x + cube * x * x * x))
    inner = root * (T(1) + T(3) * cube * x * x)
    return da * T(0.5) * (T(1) + t + x * (T(1) - t * t) * inner)


def _silu(z, parameter):
    return z * logistic(z)


def _silu_backward(da, z, a, parameter):
    T = type(z)
    p = logistic(z)
    return da * p * (T(1) + z * (T(1) - p))


def _mish(z, parameter):
    """Mish by one exponential: with u = exp(-|z|), tanh(softplus(z)) is a fraction of sums."""
    T = type(z)
    u = exp(-abs(z))
    numerator = T(1) + T(2) * u if z > T(0) else u * (u + T(2))
    rest = T(2) * u * u if z > T(0) else T(2)  # denominator - numerator
    return z * numerator / (numerator + rest)


def _mish_backward(da, z, a, parameter):
    """With t = tanh(softplus(z)): dz = da (t + z logistic(z) (1 - t^2))."""
    T = type(z)
    u = exp(-abs(z))
    numerator = T(1) + T(2) * u if z > T(0) else u * (u + T(2))
    rest = T(2) * u * u if z > T(0) else T(2)
    slope = T(2) * rest * (T(1) + u) * (T(1) if z > T(0) else u)
    inverse = T(1) / (numerator + rest)
    return da * (numerator * inverse + z * slope * inverse * inverse)


def _softplus(z, parameter):
    return softplus(z)


def _softplus_backward(da, z, a, parameter):
    T = type(a)
    return da * (T(1) - exp(-a))


def _hard_sigmoid(z, parameter):
    T = type(z)
    p = (z + T(3)) / T(6)
    return T(0) if p < T(0) else (T(1) if p > T(1) else p)


def _hard_sigmoid_backward(da, z, a, parameter):
    T = type(a)
    return da / T(6) if (a > T(0)) & (a < T(1)) else T(0)


@jit
def _maxout(z, parameter, a):
    pieces = z.size // a.size
    for i in range(a.size):
        largest = z[i * pieces]
        for k in range(1, pieces):
            piece = z[i * pieces + k]
            if piece > largest or piece != piece:
                largest = piece
        a[i] = largest


@jit
def _maxout_backward(z, a, parameter, da, dz):
    """Dz = da for the largest piece, else 0. Arguments: see the top of the file."""
    pieces = z.size // a.size
    for i in range(a.size):
        taken = False
        for k in range(pieces):
            wins = (not taken) and z[i * pieces + k] == a[i]
            taken = taken or wins
            dz[i * pieces + k] = da[i] if wins else 0


_LOGISTIC = elementwise(
    _logistic, _logistic_backward, "f(z) = 1 / (1 + exp(-z))", onnx=operators.logistic
)

ACTIVATIONS = {
    "identity": elementwise(_identity, _identity_backward, "f(z) = z", onnx=operators.identity),
    "logistic": _LOGISTIC,
    "sigmoid": _LOGISTIC,
    "tanh": elementwise(_tanh, _tanh_backward, "f(z) = tanh(z)", onnx=operators.tanh),
    "relu": elementwise(_relu, _relu_backward, "f(z) = max(0, z)", onnx=operators.relu),
    "leaky_relu": elementwise(
        _leaky_relu,
        _leaky_relu_backward,
        "f(z) = z if z > 0 else negative_slope z",
        parameter="negative_slope",
        onnx=operators.leaky_relu,
        needs_z=True,
    ),
    "elu": elementwise(
        _elu,
        _elu_backward,
        "f(z) = z if z > 0 else elu_alpha (exp(z) - 1), arXiv:1511.07289",
        parameter="elu_alpha",
        onnx=operators.elu,
    ),
    "selu": elementwise(
        _selu,
        _selu_backward,
        "f(z) = 1.0507 (z if z > 0 else 1.6733 (exp(z) - 1)), arXiv:1706.02515",
        onnx=operators.selu,
    ),
    "gelu": elementwise(
        _gelu,
        _gelu_backward,
        "f(z) = z / 2 (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))), arXiv:1606.08415",
        needs_z=True,
        onnx=operators.gelu,
    ),
    "silu": elementwise(
        _silu,
        _silu_backward,
        "f(z) = z / (1 + exp(-z)), arXiv:1702.03118",
        needs_z=True,
        onnx=operators.silu,
    ),
    "mish": elementwise(
        _mish,
        _mish_backward,
        "f(z) = z tanh(log(1 + exp(z))), arXiv:1908.08681",
        needs_z=True,
        onnx=operators.mish,
    ),
    "softplus": elementwise(
        _softplus, _softplus_backward, "f(z) = log(1 + exp(z))", onnx=operators.softplus
    ),
    "hard_sigmoid": elementwise(
        _hard_sigmoid,
        _hard_sigmoid_backward,
        "f(z) = min(1, max(0, (z + 3) / 6))",
        onnx=operators.hard_sigmoid,
    ),
    "maxout": ActivationPart(
        _maxout,
        _maxout_backward,
        "f = max_k(w_k x + b_k) over ``maxout_pieces`` linear pieces, arXiv:1302.4389",
        needs_z=True,
        pieces="maxout_pieces",
        onnx=operators.maxout,
    ),
}
