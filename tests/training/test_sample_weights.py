"""Sample weights: a row of weight two counts like two rows, and only ratios matter."""

import numpy as np
import pytest
from problems import (
    CASES,
    PATIENT,
    assert_close_weights,
    both_kinds,
)

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)


@both_kinds
@pytest.mark.parametrize("batch_size", [1, 5])
def test_batches_of_zero_weight_change_nothing(kind, batch_size):
    X, y = CASES[kind]
    weight = np.repeat([0.0, 1.0, 1.0], 5)
    X = X[: len(weight)]
    y = y[: len(weight)]
    settings = {
        "solver": "sgd",
        "momentum": 0,
        "alpha": 0,
        "shuffle": False,
        "batch_size": batch_size,
        "hidden_layer_sizes": 6,
    }
    settings |= {"max_iter": 8, "random_state": 0, **PATIENT}
    # A row counts w / mean(w), so that its share of the loss is 15 / 10 of what it is without the
    # rows of weight zero.
    weighted = kind(learning_rate_init=0.02, **settings).fit(X, y, sample_weight=weight)
    if kind is MLPClassifier:  # all classes are known to both
        y = np.where(weight > 0, y, y[-1])
        weighted = kind(learning_rate_init=0.02, **settings).fit(X, y, sample_weight=weight)
    absent = kind(learning_rate_init=0.03, **settings).fit(X[weight > 0], y[weight > 0])
    assert_close_weights(weighted, absent, 1e-10)


@both_kinds
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_weights_act_within_and_across_batches(kind, batch_size):
    X, y = CASES[kind]
    weight = np.random.default_rng(0).exponential(size=len(y))
    settings = {"batch_size": batch_size, "max_iter": 3, "hidden_layer_sizes": 6, "random_state": 0}
    weighted = kind(**settings).fit(X, y, sample_weight=weight)
    unweighted = kind(**settings).fit(X, y)
    assert np.abs(weighted.coefs_[0] - unweighted.coefs_[0]).max() > 1e-4
    constant = kind(**settings, alpha=0).fit(X, y, sample_weight=np.full(len(y), 0.25))
    assert_close_weights(constant, kind(**settings, alpha=0).fit(X, y), 1e-9)


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weight_zero_is_a_row_absent_and_weight_two_is_a_row_twice(kind, solver):
    X, y = CASES[kind]
    repeats = np.arange(len(y)) % 3 + (np.arange(len(y)) % 4 == 0)  # not 1 on average
    settings = {
        "solver": solver,
        "activation": "tanh",
        "hidden_layer_sizes": 6,
        "alpha": 0.1,
        "max_iter": 15,
        "random_state": 0,
    }
    weighted = kind(**settings, batch_size=len(y)).fit(X, y, sample_weight=repeats)
    repeated = kind(**settings, batch_size=repeats.sum()).fit(
        np.repeat(X, repeats, axis=0), np.repeat(y, repeats)
    )
    assert_close_weights(weighted, repeated, 1e-7)
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)
    unweighted = kind(**settings, batch_size=len(y)).fit(X, y)
    assert np.abs(weighted.coefs_[0] - unweighted.coefs_[0]).max() > 1e-4


@both_kinds
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_only_the_ratios_of_weights_matter_without_a_penalty(kind, scale, dtype):
    X, y = CASES[kind]
    weight = np.random.default_rng(0).uniform(1, 3, size=len(y))
    settings = {
        "alpha": 0,
        "hidden_layer_sizes": 6,
        "max_iter": 5,
        "random_state": 0,
        "dtype": dtype,
    }
    plain, scaled = (kind(**settings).fit(X, y, sample_weight=w) for w in (weight, weight * scale))
    assert_close_weights(plain, scaled, 1e-10 if dtype == "float64" else 1e-4)


@both_kinds
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.r_[-1.0, np.ones(119)], "[Nn]egative"),
        (np.zeros(120), "at least one (positive|non-zero)"),
        (np.r_[np.nan, np.ones(119)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(119)], "sample_weight contains infinity"),
        (np.ones(119), "sample_weight"),
        (np.full(120, 1e-320), "sample_weight must have a largest weight between 2.3e-308"),
        (np.ones((120, 2)), "[Ss]ample weights must be 1D"),
    ],
)
def test_unusable_weights_are_refused(kind, weight, message):
    for method in ("fit", "partial_fit"):
        estimator = kind()
        classes = (
            {"classes": [0, 1, 2]} if method == "partial_fit" and kind is MLPClassifier else {}
        )
        with pytest.raises(ValueError, match=message):
            getattr(estimator, method)(*CASES[kind], sample_weight=weight, **classes)
        assert vars(estimator) == kind().get_params()


def test_a_penalty_over_tiny_weights_is_named():
    X, y = CASES[MLPRegressor]
    settings = {"solver": "sgd", "hidden_layer_sizes": 6, "random_state": 0}
    weight = np.full(len(y), 1e-200)
    with pytest.raises(ValueError, match=r"penalty, which is alpha=0\.0001 over .* weight, 1e-200"):
        MLPRegressor(**settings).fit(X, y, sample_weight=weight)


# ---- partial_fit -------------------------------------------------------------------------------


def parts_of(*sizes):
    X, y = CASES[MLPRegressor]
    stops = np.cumsum(sizes)
    starts = stops - sizes
    return [(X[i:j], y[i:j]) for i, j in zip(starts, stops, strict=True)]


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_weights_act_from_call_to_call(solver):
    """Relative to the mean of all samples so far, as by hand with whatever mean a call has."""
    weights = [np.full(5, 1.0), np.full(10, 4.0), np.array([0.5, 2.0, 0.0])]
    network = MLPRegressor(hidden_layer_sizes=4, solver=solver, alpha=0, random_state=0)
    for (X, y), weight in zip(parts_of(5, 10, 3), weights, strict=True):
        network.partial_fit(X, y, weight)
    assert network._training_state.weighed == (pytest.approx(47.5 / 18), 18)
    expected = MLPRegressor(hidden_layer_sizes=4, solver=solver, alpha=0, random_state=0)
    means = [1.0, 45 / 15, 47.5 / 18]
    for (X, y), weight, mean in zip(parts_of(5, 10, 3), weights, means, strict=True):
        _step_with(expected, X, y, weight / mean)
    assert_close_weights(network, expected, 1e-12)


def _step_with(network, X, y, relative):
    """Train for an epoch with these weights as they are, as if they had a mean of 1."""
    state = vars(network).get("_training_state")
    if state is not None:
        # so many rows before, of a mean of 1, that these do not change it
        state.weighed = 1.0, 10**18
    network.partial_fit(X, y, relative)
