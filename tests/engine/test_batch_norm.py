"""Batch norm's kernels against the formula, in blocks of units."""

import numpy as np
import pytest
from reference import DTYPES, central_differences, compiled

from sknn._compiled.kinds import NORMALIZE, NORMALIZE_BACKWARD
from sknn._engine import batch_norm

N_ROWS, WIDTH = 9, 21
BLOCKS = ((0, 16), (16, 21))
rng = np.random.default_rng(0)
Z = rng.normal(2, 3, (N_ROWS, WIDTH))
WEIGHT = rng.choice([0.0, 0.5, 2.0], N_ROWS)
SCALE = rng.uniform(0.5, 2, WIDTH)
SHIFT = rng.normal(size=WIDTH)


def formula(z, weight=WEIGHT):
    """Return ``(mean, variance, out)``."""
    mean = np.average(z, axis=0, weights=weight)
    variance = np.average((z - mean) ** 2, axis=0, weights=weight)
    x_hat = (z - mean) / np.sqrt(variance + batch_norm.EPSILON)
    return mean, variance, SCALE * x_hat + SHIFT


class Vectors:
    """The arguments of the kernels."""

    def __init__(self, dtype, weight=WEIGHT, least=2, rate=0.01):
        self.dtype = np.dtype(dtype)
        self.z = Z.astype(dtype).ravel()
        self.weight = np.asarray(weight, dtype)
        self.least = least
        self.mean = np.zeros(WIDTH, dtype)
        self.deviation = np.zeros(WIDTH, dtype)
        self.running_mean = np.full(WIDTH, 0.25, dtype)
        self.running_variance = np.full(WIDTH, 4.0, dtype)
        self.rate = np.array([rate], dtype)
        self.scale = SCALE.astype(dtype)
        self.shift = SHIFT.astype(dtype)
        self.x_hat = np.zeros_like(self.z)

    def normalize(self, out):
        kernel = compiled(batch_norm.normalize, NORMALIZE, self.dtype)
        for start, stop in BLOCKS:
            kernel(
                self.z,
                N_ROWS,
                WIDTH,
                start,
                stop,
                self.weight,
                self.least,
                self.mean,
                self.deviation,
                self.running_mean,
                self.running_variance,
                self.rate,
                self.scale,
                self.shift,
                self.x_hat,
                out,
            )
        return out.reshape(N_ROWS, WIDTH)

    def normalize_backward(self, delta):
        g_scale = np.full(WIDTH, np.nan, self.dtype)
        g_shift = np.full(WIDTH, np.nan, self.dtype)
        kernel = compiled(batch_norm.normalize_backward, NORMALIZE_BACKWARD, self.dtype)
        for start, stop in BLOCKS:
            kernel(
                delta,
                N_ROWS,
                WIDTH,
                start,
                stop,
                self.weight,
                self.least,
                self.deviation,
                self.scale,
                self.x_hat,
                g_scale,
                g_shift,
            )
        return g_scale, g_shift


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("is_in_place", [False, True])
def test_training_takes_the_statistics_of_the_minibatch(dtype, is_in_place):
    vectors = Vectors(dtype)
    found = vectors.normalize(vectors.z if is_in_place else np.zeros_like(vectors.z))
    expected = formula(Z)[2]
    rtol = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", [0.0, 0.01, 0.08, 1.0])
def test_running_averages_are_those_of_all_samples_together(dtype, rate):
    """They are mean and variance of the old samples and the new ones, by their weights."""
    vectors = Vectors(dtype, rate=rate)
    vectors.normalize(np.zeros_like(vectors.z))
    move = min(1, rate * WEIGHT.sum())
    old = np.repeat([[0.25 - 2], [0.25 + 2]], WIDTH, axis=1)  # of mean 0.25 and variance 4
    weight = np.r_[[(1 - move) / 2] * 2, move * WEIGHT / WEIGHT.sum()]
    mean, variance, _ = formula(np.r_[old, Z], weight)
    rtol = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(vectors.running_mean, mean, rtol=rtol)
    np.testing.assert_allclose(vectors.running_variance, variance, rtol=rtol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_weighted", [1, 4])
def test_few_samples_are_normalized_by_the_running_averages_before_them(dtype, n_weighted):
    weight = np.r_[np.zeros(N_ROWS - n_weighted), np.full(n_weighted, 2.0)]
    vectors = Vectors(dtype, weight=weight, least=5)
    found = vectors.normalize(np.zeros_like(vectors.z))
    expected = SCALE * (Z - 0.25) / np.sqrt(4 + batch_norm.EPSILON) + SHIFT
    rtol = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)
    mean = np.average(Z, axis=0, weights=weight)
    move = 0.02 * n_weighted
    np.testing.assert_allclose(vectors.running_mean, (1 - move) * 0.25 + move * mean, rtol=rtol)


@pytest.mark.parametrize("weight", [[], np.zeros(N_ROWS)], ids=["prediction", "weight 0"])
def test_without_weights_the_running_averages_are_used_and_stay(weight):
    vectors = Vectors("float64", weight=weight)
    found = vectors.normalize(np.zeros_like(vectors.z))
    expected = SCALE * (Z - 0.25) / np.sqrt(4 + batch_norm.EPSILON) + SHIFT
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert set(vectors.running_mean) == {0.25}
    assert set(vectors.running_variance) == {4.0}


@pytest.mark.parametrize("least", [2, N_ROWS + 1], ids=["own statistics", "running averages"])
def test_gradients_are_central_differences(least):
    factors = rng.normal(size=Z.shape) * (WEIGHT > 0)[:, None]  # dL/dout, 0 for rows of weight 0

    def normalize(z):
        vectors = Vectors("float64", least=least)
        vectors.z = z
        return vectors, vectors.normalize(np.zeros_like(z))

    vectors, out = normalize(Z.ravel().copy())
    delta = factors.ravel().copy()
    g_scale, g_shift = vectors.normalize_backward(delta)
    expected = central_differences(lambda z: np.sum(factors * normalize(z)[1]), Z.ravel().copy())
    np.testing.assert_allclose(delta, expected, rtol=1e-5, atol=1e-7)
    x_hat = (out - SHIFT) / SCALE
    np.testing.assert_allclose(g_scale, np.sum(factors * x_hat, axis=0), rtol=1e-9)
    np.testing.assert_allclose(g_shift, factors.sum(axis=0), rtol=1e-9)
