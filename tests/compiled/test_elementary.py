import numpy as np
import pytest
from reference import DTYPES, compiled_only

from sknn._compiled import elementary
from sknn._compiled.jit import jit


@jit
def _exp(x, y):
    for i in range(x.size):
        y[i] = elementary.exp(x[i])


@jit
def _logistic(x, y):
    for i in range(x.size):
        y[i] = elementary.logistic(x[i])


@jit
def _tanh(x, y):
    for i in range(x.size):
        y[i] = elementary.tanh(x[i])


@jit
def _log(x, y):
    for i in range(x.size):
        y[i] = elementary.log(x[i])


@jit
def _cosine(x, y):
    for i in range(x.size):
        y[i] = elementary.cosine(x[i])


@jit
def _limits(x, y):
    y[0] = elementary.epsilon(x[0])
    y[1] = elementary.smallest(x[0])


def _exact_cosine(x):
    """Return cos(2 pi x), with small relative errors near its zeros too."""
    pi = 4 * np.arctan(np.ones((), x.dtype))
    return np.sin(2 * pi * (x.dtype.type(0.25) - np.abs(x - np.rint(x))))


LOOPS = {"exp": _exp, "logistic": _logistic, "tanh": _tanh, "log": _log, "cosine": _cosine}
REFERENCE = {
    "exp": np.exp,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "cosine": _exact_cosine,
}
LARGEST_ERROR = {
    "float32": {"exp": 1.3e-7, "logistic": 2e-7, "tanh": 2e-7, "cosine": 3e-7},
    "float64": {"exp": 2.5e-16, "logistic": 4e-16, "tanh": 4e-16, "cosine": 5e-16},
}


def _apply(name, x):
    y = np.empty_like(x)
    with np.errstate(all="ignore"):
        LOOPS[name](x, y)
    return y


def _grid(dtype):
    """Return numbers of all sizes with normal results, densely where polynomials are used."""
    bound = 87.2 if dtype == "float32" else 708.2
    tiny = np.geomspace(1e-30, 1, 2_000)
    large = np.linspace(0, bound, 20_001)
    positive = np.concatenate([tiny, np.linspace(0, 2, 20_001), large])
    return np.concatenate([-positive, positive]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REFERENCE)
def test_relative_error(name, dtype):
    x = _grid(dtype)
    exact = REFERENCE[name](x.astype(np.longdouble))
    wrong = np.abs(_apply(name, x) - exact) > LARGEST_ERROR[dtype][name] * np.abs(exact)
    assert not wrong.any(), x[wrong]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("size", [1, 16, 33])
def test_nan_goes_through_alone(name, dtype, size):
    for position in {0, size // 2, size - 1}:
        x = np.full(size, 0.5, dtype)
        x[position] = np.nan
        np.testing.assert_array_equal(np.isnan(_apply(name, x)), np.isnan(x))


@pytest.mark.parametrize(("dtype", "last"), [("float32", 88.7228), ("float64", 709.7827)])
def test_exp_overflows_to_inf_where_the_exact_value_does(dtype, last):
    x = np.array([last, last + 2e-4, 1e4, np.inf], dtype)
    np.testing.assert_array_equal(np.isinf(_apply("exp", x)), [False, True, True, True])


@compiled_only
@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_underflows_to_the_smallest_normal_number(dtype):
    x = np.array([-88 if dtype == "float32" else -710, -1e4, -np.inf], dtype)
    y = _apply("exp", x)
    smallest = np.finfo(dtype).tiny
    assert (y >= smallest).all()
    assert (y <= 1.2 * smallest).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_logistic_and_tanh_saturate(dtype):
    x = np.array([-np.inf, -1e30, -1e4, 1e4, 1e30, np.inf], dtype)
    np.testing.assert_array_equal(_apply("logistic", x), [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(_apply("tanh", x), [-1, -1, -1, 1, 1, 1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_of_positive_normal_numbers(dtype):
    limits = np.finfo(dtype)
    x = np.concatenate(
        [np.geomspace(limits.tiny, 1, 20_001), 1 + np.linspace(-0.5, 1, 20_001), [limits.max]]
    ).astype(dtype)
    x = x[x >= limits.tiny]
    exact = np.log(x.astype(np.longdouble))
    np.testing.assert_allclose(
        _apply("log", x), exact.astype(np.float64), rtol=2 * limits.eps, atol=0
    )
    assert _apply("log", np.ones(1, dtype)) == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 37])
def test_log_of_nan_is_nan_alone(dtype, size):
    x = np.full(size, 0.5, dtype)
    x[size // 2] = np.nan
    np.testing.assert_array_equal(np.isnan(_apply("log", x)), np.isnan(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_limits_are_those_of_the_dtype(dtype):
    y = np.empty(2, dtype)
    _limits(np.ones(1, dtype), y)
    limits = np.finfo(dtype)
    np.testing.assert_array_equal(y, [limits.eps, limits.tiny])
