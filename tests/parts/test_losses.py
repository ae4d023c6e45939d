from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from reference import (
    DTYPES,
    FINITE,
    SIZES,
    bits,
    central_differences,
    compiled,
    compiled_only,
    partials,
)
from scipy.special import xlogy

from sknn._compiled.kinds import LINK, LOSS
from sknn.parts.losses import LOSSES, REGRESSION_LOSSES


def _softplus(z):
    return np.where(z.real > 0, z, 0) + np.log1p(np.exp(np.where(z.real > 0, -z, z)))


def _log_loss(z, y):
    gaps = z - z.real.max()
    return np.log(np.exp(gaps).sum(keepdims=True)) - gaps[int(y[0])]


def _softmax(z):
    powers = np.exp(z - z.max())
    return powers / powers.sum()


def _poisson(z, y):
    return np.where(y > 0, xlogy(y, y) - y * z, 0) - y + np.exp(z)


HUBER_DELTA = 1.3


def _huber(z, y):
    difference = z - y
    size = np.where(difference.real > 0, difference, -difference)
    return np.where(
        size.real <= HUBER_DELTA, difference**2 / 2, HUBER_DELTA * (size - HUBER_DELTA / 2)
    )


def _log_cosh(z, y):
    difference = z - y
    size = np.where(difference.real > 0, difference, -difference)
    return size + np.log1p(np.exp(-2 * size)) - np.log(2)


def _rising(z):
    return np.cumsum(np.concatenate([z[:1], _softplus(z[1:])]))


def _quantile(z, y):
    levels = np.array(parameters(len(z))["quantile"])
    difference = y - _rising(z)
    return np.where(difference.real > 0, levels * difference, (levels - 1) * difference) / len(z)


def _normal_targets(rng, n_rows, n_outputs):
    return rng.normal(0, 3, (n_rows, n_outputs))


class Formulas(NamedTuple):
    """The loss of one row, as terms to be summed, also for complex z; the prediction; targets that
    fit."""

    loss: object
    link: object
    targets: object  # f(rng, n_rows, n_outputs)
    clipped: bool = False  # terms are kept between -log(1 - eps) and -log(eps)


REFERENCE = {
    "log_loss": Formulas(
        _log_loss, _softmax, lambda rng, n, k: rng.integers(0, k, (n, 1)), clipped=True
    ),
    "binary_log_loss": Formulas(
        lambda z, y: np.where(y == 1, _softplus(-z), _softplus(z)),
        lambda z: 1 / (1 + np.exp(-z)),
        lambda rng, n, k: rng.integers(0, 2, (n, k)),
        clipped=True,
    ),
    "squared_error": Formulas(lambda z, y: (z - y) ** 2 / 2, lambda z: z, _normal_targets),
    "absolute_error": Formulas(
        lambda z, y: np.where(z.real > y, z - y, y - z), lambda z: z, _normal_targets
    ),
    "huber": Formulas(_huber, lambda z: z, _normal_targets),
    "log_cosh": Formulas(_log_cosh, lambda z: z, _normal_targets),
    "poisson": Formulas(_poisson, np.exp, lambda rng, n, k: rng.integers(0, 3, (n, k)) * 1.5),
    "gamma": Formulas(
        lambda z, y: z - np.log(y) + y * np.exp(-z) - 1,
        np.exp,
        lambda rng, n, k: rng.integers(1, 4, (n, k)) * 1.5,
    ),
    "quantile": Formulas(_quantile, _rising, lambda rng, n, k: rng.normal(0, 3, (n, 1))),
}


def parameters(n_outputs):
    """Return the losses' parameters, as the constructors take them, for so many outputs."""
    levels = np.arange(1, n_outputs + 1) / (n_outputs + 1)
    return {"huber_delta": HUBER_DELTA, "quantile": tuple(levels), "label_smoothing": 0.0}


def parameter_values(name, n_outputs, dtype):
    """Return the parameters that the kernel gets."""
    settings = SimpleNamespace(**parameters(n_outputs))
    return LOSSES[name].parameter_values(settings).astype(dtype)


N_OUTPUTS = (1, 2, 3, 5, 17)
SCALE = 0.25
PROBABILITIES = [
    name for name, row in LOSSES.items() if row.out_activation in {"softmax", "logistic"}
]
rows_and_dtypes = pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name in LOSSES for dtype in DTYPES]
)


def _loss(name, z, y, weight, total=0.0):
    """Return ``(total, delta)``; the penalty's total is left alone."""
    dtype = z.dtype
    delta = np.full(z.size, 77, z.dtype)
    totals = np.array([total, 7.0])
    runs = [np.array(array, dtype).ravel() for array in (z, y, weight)]
    with np.errstate(all="ignore"):
        compiled(LOSSES[name].loss, LOSS, dtype)(
            *runs,
            z.shape[1],
            parameter_values(name, z.shape[1], dtype),
            dtype.type(SCALE),
            delta,
            totals,
        )
    assert totals[1] == 7
    return totals[0], delta.reshape(z.shape)


def _link(name, z):
    prediction = np.full(z.size, 77, z.dtype)
    with np.errstate(all="ignore"):
        compiled(LOSSES[name].link, LINK, z.dtype)(
            z.ravel(), z.shape[1], parameter_values(name, z.shape[1], z.dtype), prediction
        )
    return prediction.reshape(z.shape)


def _terms(name, z, y, dtype):
    """Return the terms of one row's loss by the formula, clipped as the kernel does in
    ``dtype``."""
    eps = float(np.finfo(dtype).eps)
    with np.errstate(all="ignore"):
        terms = REFERENCE[name].loss(z.astype(np.float64), y)
    return np.clip(terms, -np.log1p(-eps), -np.log(eps)) if REFERENCE[name].clipped else terms


def _case(name, n_rows, n_outputs, dtype):
    rng = np.random.default_rng(n_rows + n_outputs)
    z = rng.normal(0, 2, (n_rows, n_outputs)).astype(dtype)
    y = np.asarray(REFERENCE[name].targets(rng, n_rows, n_outputs), np.float64)
    weight = rng.choice([0, 0.5, 1, 2], n_rows)
    return z, y, weight


def test_every_row_has_a_reference():
    assert REFERENCE.keys() == LOSSES.keys()


def test_regression_losses_are_rows():
    assert set(REGRESSION_LOSSES) <= set(LOSSES)


@rows_and_dtypes
@pytest.mark.parametrize("n_rows", SIZES)
@pytest.mark.parametrize("n_outputs", N_OUTPUTS)
def test_value_and_delta_are_the_formula(name, dtype, n_rows, n_outputs):
    z, y, weight = _case(name, n_rows, n_outputs, dtype)
    value, delta = _loss(name, z, y, weight)
    exact = z.astype(np.float64)
    expected_value = sum(
        w * _terms(name, row, target, dtype).sum()
        for row, target, w in zip(exact, y, weight, strict=True)
    )
    expected_delta = [
        SCALE * w * partials(REFERENCE[name].loss, row, target)
        for row, target, w in zip(exact, y, weight, strict=True)
    ]
    rtol = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(value, expected_value, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(delta, np.reshape(expected_delta, z.shape), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("n_outputs", N_OUTPUTS)
def test_delta_is_the_central_difference_of_the_value(name, n_outputs):
    z, y, weight = _case(name, 7, n_outputs, np.float64)

    def value(flat):
        return _loss(name, flat.reshape(z.shape), y, weight)[0]

    expected = SCALE * central_differences(value, z.ravel(), h=1e-5).reshape(z.shape)
    np.testing.assert_allclose(_loss(name, z, y, weight)[1], expected, rtol=1e-6, atol=1e-8)


@rows_and_dtypes
@pytest.mark.parametrize("extreme", [*FINITE, 1e4, -1e4])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_extreme_outputs(name, dtype, extreme, n_outputs):
    z = np.resize(np.array([extreme, 0.5, -0.5], dtype), (1, n_outputs))
    for seed in range(4):  # several targets
        y = np.asarray(
            REFERENCE[name].targets(np.random.default_rng(seed), 1, n_outputs), np.float64
        )
        value, delta = _loss(name, z, y, np.ones(1))
        terms = _terms(name, z[0], y[0], dtype)
        eps = np.finfo(dtype).eps
        rounding = (
            np.exp(terms).sum() if REFERENCE[name].clipped else 1
        )  # of 1 - p, when p is nearly one
        np.testing.assert_allclose(value, terms.sum(), rtol=20 * eps, atol=4 * eps * rounding)
        assert not np.isnan(delta).any()


@rows_and_dtypes
@pytest.mark.parametrize("n_outputs", [1, 3, 17])
def test_nan_goes_through(name, dtype, n_outputs):
    for position in range(n_outputs):
        z = np.full((3, n_outputs), 0.5, dtype)
        z[1, position] = np.nan
        y = (
            np.ones((3, 1)) * (n_outputs - 1)
            if LOSSES[name].class_codes
            else np.ones((3, n_outputs))
        )
        value, delta = _loss(name, z, y, np.ones(3))
        prediction = _link(name, z)
        assert np.isnan(value)
        for array in (delta, prediction):
            assert np.isnan(array[1, position])
            assert np.isfinite(array[[0, 2]]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in LOSSES if REFERENCE[name].clipped])
@pytest.mark.parametrize("n_outputs", [2, 3])
def test_values_are_those_of_clipped_probabilities(name, dtype, n_outputs):
    z = np.full((1, n_outputs), -1e4, dtype)
    z[0, 0] = 1e4
    n_terms = 1 if LOSSES[name].class_codes else n_outputs
    right = np.zeros((1, 1)) if LOSSES[name].class_codes else np.eye(1, n_outputs)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(
        _loss(name, z, right, np.ones(1))[0], -n_terms * np.log1p(-eps), rtol=1e-6
    )
    np.testing.assert_allclose(
        _loss(name, z, 1 - right, np.ones(1))[0], -n_terms * np.log(eps), rtol=1e-6
    )


@rows_and_dtypes
def test_rows_of_weight_zero_count_for_nothing(name, dtype):
    z, y, _ = _case(name, 9, 3, dtype)
    weight = np.arange(9) % 2
    value, delta = _loss(name, z, y, weight)
    present_value, present_delta = _loss(name, z[1::2], y[1::2], weight[1::2])
    np.testing.assert_allclose(value, present_value, rtol=1e-12)
    np.testing.assert_array_equal(delta[1::2], present_delta)
    np.testing.assert_array_equal(delta[::2], 0)


@compiled_only
@rows_and_dtypes
def test_values_are_added_up_in_float64(name, dtype):
    z, y, _ = _case(name, 1, 3, dtype)
    many = 50_000
    value, _ = _loss(
        name, np.repeat(z, many, axis=0), np.repeat(y, many, axis=0), np.full(many, 0.7)
    )
    np.testing.assert_allclose(value, many * _loss(name, z, y, [0.7])[0], rtol=1e-9)


@rows_and_dtypes
def test_values_are_added_to_the_total(name, dtype):
    z, y, weight = _case(name, 7, 3, dtype)
    value = _loss(name, z, y, weight, total=0.0)[0]
    np.testing.assert_allclose(_loss(name, z, y, weight, total=5.0)[0], 5 + value, rtol=1e-12)


@rows_and_dtypes
@pytest.mark.parametrize("n_rows", SIZES)
@pytest.mark.parametrize("n_outputs", N_OUTPUTS)
def test_link_is_the_formula(name, dtype, n_rows, n_outputs):
    z = (
        np.random.default_rng(n_rows)
        .permutation(np.resize(FINITE, n_rows * n_outputs))
        .reshape(n_rows, n_outputs)
        .astype(dtype)
    )
    expected = [REFERENCE[name].link(row) for row in z.astype(np.float64)]
    eps = np.finfo(dtype).eps
    atol = 40 * eps * np.abs(z).max(initial=0) if name == "quantile" else 0  # sums may cancel
    np.testing.assert_allclose(
        _link(name, z), np.reshape(expected, z.shape), rtol=40 * eps, atol=atol
    )  # differences are rounded


@rows_and_dtypes
def test_link_may_overwrite_its_input(name, dtype):
    z = _case(name, 16, 3, dtype)[0]
    apart = _link(name, z)
    in_place = z.ravel().copy()
    compiled(LOSSES[name].link, LINK, dtype)(
        in_place, 3, parameter_values(name, 3, dtype), in_place
    )
    np.testing.assert_array_equal(bits(in_place.reshape(z.shape)), bits(apart))


@rows_and_dtypes
def test_bits_of_predictions_do_not_depend_on_other_rows(name, dtype):
    z = np.random.default_rng(0).normal(0, 5, (33, 5)).astype(dtype)
    one_by_one = np.concatenate([_link(name, z[i : i + 1]) for i in range(33)])
    np.testing.assert_array_equal(bits(_link(name, z)), bits(one_by_one))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_have_finite_logarithms(name, dtype):
    z = np.array(
        [[1e4, -1e4, 0], [-1e4, 1e4, 30], [-np.inf, 0, -30], [90, 0, -90], [-1e4, 0, 0]], dtype
    )
    p = _link(name, z)
    assert (p >= np.finfo(dtype).tiny).all()  # the engine takes denormal numbers for zero
    assert (p <= 1).all()
    if LOSSES[name].out_activation == "logistic":
        assert np.isfinite(np.log(1 - p)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", [name for name in LOSSES if LOSSES[name].out_activation == "softmax"]
)
def test_softmax_adds_up_to_one(name, dtype):
    z = np.random.default_rng(0).normal(0, 10, (33, 17)).astype(dtype)
    np.testing.assert_allclose(_link(name, z).sum(axis=1), 1, rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
@pytest.mark.parametrize(
    ("name", "n_outputs"),
    [("log_loss", 3), ("log_loss", 5), ("binary_log_loss", 1), ("binary_log_loss", 3)],
)
def test_smoothed_labels_are_mixed_targets(name, n_outputs, smoothing):
    z, y, weight = _case(name, 7, n_outputs, np.float64)
    delta = np.empty(z.size)
    totals = np.zeros(2)
    runs = [np.array(array, np.float64).ravel() for array in (z, y, weight)]
    compiled(LOSSES[name].loss, LOSS, np.float64)(
        *runs, n_outputs, np.array([smoothing]), SCALE, delta, totals
    )
    p = _link(name, z)
    if name == "log_loss":
        target = (1 - smoothing) * np.eye(n_outputs)[y[:, 0].astype(int)] + smoothing / n_outputs
        terms = -target * np.log(p)
    else:
        target = (1 - smoothing) * y + smoothing / 2
        terms = -target * np.log(p) - (1 - target) * np.log(1 - p)
    np.testing.assert_allclose(totals[0], weight @ terms.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(
        delta.reshape(z.shape), SCALE * weight[:, None] * (p - target), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_targets", [1, 2, 5])
@pytest.mark.parametrize("n_levels", [1, 3])
def test_quantiles_of_several_targets_are_those_of_each(n_levels, n_targets, dtype):
    z = np.random.default_rng(0).normal(0, 2, (7, n_targets, n_levels)).astype(dtype)
    y = np.random.default_rng(1).normal(0, 3, (7, n_targets)).astype(dtype)
    weight = np.array([1, 0, 2, 0.5, 1, 1, 3], dtype)
    delta = np.full(z.size, 77, dtype)
    totals = np.array([5.0, 7.0])
    levels = parameter_values("quantile", n_levels, dtype)
    together = n_targets * n_levels
    compiled(LOSSES["quantile"].loss, LOSS, dtype)(
        z.ravel(), y.ravel(), weight, together, levels, np.dtype(dtype).type(SCALE), delta, totals
    )
    prediction = np.full(z.size, 77, dtype)
    compiled(LOSSES["quantile"].link, LINK, dtype)(z.ravel(), together, levels, prediction)
    apart = [_loss("quantile", z[:, k], y[:, k], weight) for k in range(n_targets)]
    rtol = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(totals, [5 + sum(value for value, _ in apart), 7], rtol=rtol)
    for k, (_, expected) in enumerate(apart):
        np.testing.assert_array_equal(delta.reshape(z.shape)[:, k], expected)
        rising = _link("quantile", z[:, k])
        np.testing.assert_array_equal(prediction.reshape(z.shape)[:, k], rising)
