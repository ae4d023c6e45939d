import numpy as np
import pytest

from sknn.activations import ACTIVATIONS
from sknn.initializers import INITIALIZERS


def _auto(random_state, fan_in, fan_out, activation):
    bound = np.sqrt((2 if activation == "logistic" else 6) / (fan_in + fan_out))
    weights = random_state.random_sample((fan_in, fan_out)) * 2 * bound - bound
    return weights, random_state.random_sample(fan_out) * 2 * bound - bound


# (weights, intercepts) from the same random state.
REFERENCE = {"auto": _auto}


def test_every_row_has_a_reference():
    assert REFERENCE.keys() == INITIALIZERS.keys()


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (40, 60)])
@pytest.mark.parametrize("seed", [0, 1])
def test_draws_are_the_formula(name, activation, shape, seed):
    states = np.random.RandomState(seed), np.random.RandomState(seed)
    drawn = INITIALIZERS[name](states[0], *shape, activation)
    expected = REFERENCE[name](states[1], *shape, activation)
    assert [array.shape for array in drawn] == [shape, shape[1:]]
    for array, expected_array in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(array, expected_array, rtol=1e-12, atol=1e-15)
    assert states[0].random_sample() == states[1].random_sample()  # both have drawn as often


@pytest.mark.parametrize(("activation", "factor"), [("relu", 6), ("tanh", 6), ("identity", 6), ("logistic", 2)])
def test_auto_is_uniform_within_its_bound(activation, factor):
    weights, intercepts = INITIALIZERS["auto"](np.random.RandomState(0), 300, 200, activation)
    bound = np.sqrt(factor / 500)
    for drawn in (weights, intercepts):
        assert np.abs(drawn).max() <= bound
    counts, _ = np.histogram(weights, bins=10, range=(-bound, bound))
    np.testing.assert_allclose(counts, weights.size / 10, rtol=0.06)
