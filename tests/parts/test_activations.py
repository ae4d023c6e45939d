import numpy as np
import pytest
from reference import DTYPES, EXTREMES, FINITE, SIZES, bits, compiled, run, slope

from sknn._compiled.kinds import ACTIVATION, ACTIVATION_BACKWARD
from sknn.parts.activations import ACTIVATIONS


def _softplus(z):
    return np.where(z.real > 0, z, 0) + np.log1p(np.exp(np.where(z.real > 0, -z, z)))


# f(z, parameter), also for complex z.
REFERENCE = {
    "identity": lambda z, parameter: z,
    "logistic": lambda z, parameter: 1 / (1 + np.exp(-z)),
    "tanh": lambda z, parameter: np.tanh(z),
    "relu": lambda z, parameter: np.where((z.real > 0) | np.isnan(z), z, 0),
    "leaky_relu": lambda z, parameter: np.where(z.real < 0, parameter * z, z),
    "elu": lambda z, parameter: np.where(z.real < 0, parameter * (np.exp(z) - 1), z),
    "selu": lambda z, parameter: (
        1.0507009873554805 * np.where(z.real < 0, 1.6732632423543772 * (np.exp(z) - 1), z)
    ),
    "gelu": lambda z, parameter: z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
    "silu": lambda z, parameter: z / (1 + np.exp(-z)),
    "mish": lambda z, parameter: z * np.tanh(_softplus(z)),
    "softplus": lambda z, parameter: _softplus(z),
    "hard_sigmoid": lambda z, parameter: np.where(
        z.real < -3, 0, np.where(z.real > 3, 1, (z + 3) / 6)
    ),
    "maxout": lambda z, parameter: z,  # of one piece; for more, see below
}
REFERENCE["sigmoid"] = REFERENCE["logistic"]
# Where f has no derivative.
KINKS = {
    "relu": (0.0,),
    "leaky_relu": (0.0,),
    "elu": (0.0,),
    "selu": (0.0,),
    "hard_sigmoid": (-3.0, 3.0),
}
# Differences of nearly equal numbers lose relative precision: absolute errors, in units of eps.
LOSSES_OF_DIGITS = {"elu": 1, "selu": 2, "gelu": 8, "silu": 8, "mish": 8, "hard_sigmoid": 1}

PARAMETER = 0.3
rows_and_dtypes = pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name in ACTIVATIONS for dtype in DTYPES]
)


def _forward(name, z):
    a = np.full_like(z, 77)
    with np.errstate(all="ignore"):
        compiled(ACTIVATIONS[name].forward, ACTIVATION, z.dtype)(z, z.dtype.type(PARAMETER), a)
    return a


def _backward(name, z, da):
    a = _forward(name, z)
    dz = np.full_like(z, 77)
    given = z if ACTIVATIONS[name].needs_z else np.full_like(z, np.nan)
    compiled(ACTIVATIONS[name].backward, ACTIVATION_BACKWARD, z.dtype)(
        given, a, z.dtype.type(PARAMETER), da, dz
    )
    return dz


def _smooth(name, values):
    """Return the values that are no kinks, nor so near to one that float32 cannot tell."""
    return [z for z in values if all(abs(z - kink) > 1e-3 for kink in KINKS.get(name, ()))]


def test_every_row_has_a_reference():
    assert REFERENCE.keys() == ACTIVATIONS.keys()
    assert set(KINKS) <= set(ACTIVATIONS)


@rows_and_dtypes
@pytest.mark.parametrize("size", SIZES)
def test_forward_is_the_formula(name, dtype, size):
    z = run(
        [z for z in EXTREMES if not (name == "mish" and z == -np.inf)], size, dtype
    )  # -inf times the smallest number
    with np.errstate(all="ignore"):
        expected = REFERENCE[name](z.astype(np.float64), PARAMETER)
    limits = np.finfo(dtype)
    np.testing.assert_allclose(
        _forward(name, z),
        expected,
        rtol=4 * limits.eps,
        atol=max(2e4 * limits.tiny, LOSSES_OF_DIGITS.get(name, 0) * limits.eps),
    )


@rows_and_dtypes
@pytest.mark.parametrize("size", SIZES)
def test_backward_is_the_derivative_of_the_formula(name, dtype, size):
    z = run(_smooth(name, FINITE), size, dtype)
    da = run([1.0, -0.7, 3.0, 0.0, 1e-3], size, dtype)
    expected = da.astype(np.float64) * slope(REFERENCE[name], z.astype(np.float64), PARAMETER)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(
        _backward(name, z, da),
        expected,
        rtol=8 * eps,
        atol=(8 + 8 * LOSSES_OF_DIGITS.get(name, 0)) * eps,
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_is_the_central_difference_of_forward(name):
    z = np.array(_smooth(name, np.linspace(-6, 6, 101)))
    h = 1e-6
    differences = (_forward(name, z + h) - _forward(name, z - h)) / (2 * h)
    np.testing.assert_allclose(
        _backward(name, z, np.ones_like(z)), differences, rtol=1e-7, atol=1e-9
    )


@rows_and_dtypes
def test_backward_far_out_is_finite(name, dtype):
    z = np.array([1e4, -1e4, 1e30, -1e30, 0.0, -0.0], dtype)
    assert np.isfinite(_backward(name, z, np.ones_like(z))).all()


@rows_and_dtypes
def test_backward_passes_nan_of_the_layer_above(name, dtype):
    z = np.array([0.3, 1.9, 2.0], dtype)
    da = np.array([1, np.nan, 1], dtype)
    np.testing.assert_array_equal(np.isnan(_backward(name, z, da)), np.isnan(da))


@rows_and_dtypes
def test_bits_do_not_depend_on_the_run_that_an_element_is_in(name, dtype):
    z = np.random.default_rng(0).normal(0, 3, 101).astype(dtype)
    da = z[::-1].copy()
    one_by_one = [
        (_forward(name, z[i : i + 1]), _backward(name, z[i : i + 1], da[i : i + 1]))
        for i in range(z.size)
    ]
    forward, backward = np.squeeze(np.transpose(one_by_one, (1, 0, 2)), axis=2)
    np.testing.assert_array_equal(bits(_forward(name, z)), bits(forward))
    np.testing.assert_array_equal(bits(_backward(name, z, da)), bits(backward))


@pytest.mark.parametrize("dtype", DTYPES)
def test_maxout_takes_the_largest_piece(dtype):
    z = np.random.default_rng(0).normal(0, 3, (33, 4)).astype(dtype)
    z[5] = 1.0  # a tie: the first piece wins
    part = ACTIVATIONS["maxout"]
    a = np.empty(33, dtype)
    dz = np.empty(132, dtype)
    da = np.arange(1, 34).astype(dtype)
    compiled(part.forward, ACTIVATION, z.dtype)(z.ravel(), z.dtype.type(0), a)
    compiled(part.backward, ACTIVATION_BACKWARD, z.dtype)(z.ravel(), a, z.dtype.type(0), da, dz)
    np.testing.assert_array_equal(a, z.max(axis=1))
    expected = np.zeros_like(z)
    expected[np.arange(33), z.argmax(axis=1)] = da
    np.testing.assert_array_equal(dz.reshape(33, 4), expected)
