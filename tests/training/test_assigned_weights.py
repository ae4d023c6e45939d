"""Weights that users assign are those that predict and are trained."""

import copy

import numpy as np
import pytest
from problems import (
    CASES,
    both_kinds,
    parts,
    regression,
)

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)


@both_kinds
def test_predictions_follow_assigned_weights(kind):
    X, y = CASES[kind]
    one, other = (
        kind(hidden_layer_sizes=(8, 4), max_iter=3, random_state=seed).fit(X, y) for seed in (0, 1)
    )
    predict = "predict_proba" if kind is MLPClassifier else "predict"
    expected = getattr(other, predict)(X)
    assert not np.array_equal(getattr(one, predict)(X), expected)
    whole = copy.deepcopy(one)
    whole.coefs_ = [coef.copy() for coef in other.coefs_]
    whole.intercepts_ = list(other.intercepts_)
    np.testing.assert_array_equal(getattr(whole, predict)(X), expected)
    by_layer = copy.deepcopy(one)
    in_place = copy.deepcopy(one)
    for i, (coef, intercept) in enumerate(zip(other.coefs_, other.intercepts_, strict=True)):
        by_layer.coefs_[i] = np.asfortranarray(coef)
        by_layer.intercepts_[i] = intercept.tolist()
        in_place.coefs_[i][...] = coef
        in_place.intercepts_[i][...] = intercept
    np.testing.assert_array_equal(getattr(by_layer, predict)(X), expected)
    np.testing.assert_array_equal(getattr(in_place, predict)(X), expected)


def test_training_goes_on_from_assigned_weights():
    X, y = regression()
    one, other = (
        MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=seed).fit(X, y)
        for seed in (0, 1)
    )
    weights = (
        [coef.copy() for coef in other.coefs_],
        [intercept.copy() for intercept in other.intercepts_],
    )
    one.coefs_, one.intercepts_ = weights
    one.partial_fit(X, y)
    assert (
        max(np.abs(now - then).max() for now, then in zip(parts(one), parts(other), strict=True))
        < 0.05
    )


def test_assigned_weights_of_a_wrong_shape_are_named():
    X, y = regression()
    network = MLPRegressor(hidden_layer_sizes=8, max_iter=3).fit(X, y)
    network.coefs_[1] = np.zeros((8, 2))
    with pytest.raises(
        ValueError,
        match=r"coefs_\[1\] has shape \(8, 2\) and dtype float64, "
        r"but this network needs \(8, 1\) real numbers",
    ):
        network.predict(X)
