"""Sample weights: a row of weight two counts like two rows, and only ratios matter."""

import numpy as np
import pytest
from problems import (
    CASES,
    PATIENT,
    assert_close_weights,
    both_kinds,
)

from sknn import MLPClassifier

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
