import numpy as np
import pytest

from sknn.parts.initializers import INITIALIZERS


def _auto(random_state, fan_in, fan_out, activation):
    bound = np.sqrt((2 if activation in ("logistic", "sigmoid") else 6) / (fan_in + fan_out))
    weights = random_state.random_sample((fan_in, fan_out)) * 2 * bound - bound
    return weights, random_state.random_sample(fan_out) * 2 * bound - bound


def _uniform(variance):
    return lambda random_state, a, b, _: (
        (random_state.random_sample((a, b)) - 0.5) * np.sqrt(12 * variance(a, b)),
        np.zeros(b),
    )


def _normal(variance):
    return lambda random_state, a, b, _: (
        random_state.standard_normal((a, b)) * np.sqrt(variance(a, b)),
        np.zeros(b),
    )


def _orthogonal(random_state, a, b, _):
    # Gram and Schmidt, one column of the taller matrix after another.
    columns = []
    for column in random_state.standard_normal((max(a, b), min(a, b))).T:
        rest = column - sum((other @ column) * other for other in columns)
        columns.append(rest / np.linalg.norm(rest))
    tall = np.array(columns).T
    return (tall if a >= b else tall.T), np.zeros(b)


# (weights, intercepts) from the same random state.
REFERENCE = {
    "auto": _auto,
    "glorot_uniform": _uniform(lambda a, b: 2 / (a + b)),
    "glorot_normal": _normal(lambda a, b: 2 / (a + b)),
    "he_uniform": _uniform(lambda a, b: 2 / a),
    "he_normal": _normal(lambda a, b: 2 / a),
    "he_uniform_fan_out": _uniform(lambda a, b: 2 / b),
    "he_normal_fan_out": _normal(lambda a, b: 2 / b),
    "lecun_uniform": _uniform(lambda a, b: 1 / a),
    "lecun_normal": _normal(lambda a, b: 1 / a),
    "ntk": lambda random_state, a, b, _: (
        random_state.standard_normal((a, b)) / np.sqrt(a),
        random_state.standard_normal(b),
    ),
    "orthogonal": _orthogonal,
    "random_normal": _normal(lambda a, b: 1),
    "random_uniform": _uniform(lambda a, b: 0.05**2 / 3),
    "zeros": lambda random_state, a, b, _: (np.zeros((a, b)), np.zeros(b)),
}


def test_every_row_has_a_reference():
    assert REFERENCE.keys() == INITIALIZERS.keys()


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("activation", ["relu", "logistic", "sigmoid"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (40, 60)])
@pytest.mark.parametrize("seed", [0, 1])
def test_draws_are_the_formula(name, activation, shape, seed):
    states = np.random.RandomState(seed), np.random.RandomState(seed)
    drawn = INITIALIZERS[name].initialize(states[0], shape, shape[1], activation)
    expected = REFERENCE[name](states[1], *shape, activation)
    assert [array.shape for array in drawn] == [shape, shape[1:]]
    for array, expected_array in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(array, expected_array, rtol=1e-9, atol=1e-12)
    assert states[0].random_sample() == states[1].random_sample()  # both have drawn as often


@pytest.mark.parametrize(
    ("activation", "factor"), [("relu", 6), ("tanh", 6), ("identity", 6), ("logistic", 2)]
)
def test_auto_is_uniform_within_its_bound(activation, factor):
    weights, intercepts = INITIALIZERS["auto"].initialize(
        np.random.RandomState(0), (300, 200), 200, activation
    )
    bound = np.sqrt(factor / 500)
    for drawn in (weights, intercepts):
        assert np.abs(drawn).max() <= bound
    counts, _ = np.histogram(weights, bins=10, range=(-bound, bound))
    np.testing.assert_allclose(counts, weights.size / 10, rtol=0.06)


def test_pieces_count_as_layers_of_their_own():
    weights, _ = INITIALIZERS["glorot_normal"].initialize(
        np.random.RandomState(0), (300, 400), 200, "maxout"
    )
    assert weights.std() == pytest.approx(np.sqrt(2 / 500), rel=0.02)
