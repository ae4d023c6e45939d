"""The same settings give the same bits, whatever runs at the same time."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from problems import (
    CASES,
    assert_same_training,
    both_kinds,
    settings_name,
)
from sklearn.base import clone

from sknn import MLPClassifier

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)


WIDE = {"hidden_layer_sizes": (150, 70), "max_iter": 4, "batch_size": 50, "random_state": 0}


@both_kinds
@pytest.mark.parametrize(
    "settings",
    [{}, {"solver": "sgd"}, {"solver": "lbfgs"}, {"early_stopping": True}, {"dtype": "float32"}],
    ids=settings_name,
)
def test_two_fits_give_the_same_bits(kind, settings):
    X, y = CASES[kind]
    assert_same_training(*(kind(**{**WIDE, **settings}).fit(X, y) for _ in range(2)))


@both_kinds
def test_other_seeds_give_other_weights(kind):
    X, y = CASES[kind]
    one, other = (kind(**{**WIDE, "random_state": seed}).fit(X, y) for seed in (0, 1))
    assert not np.array_equal(one.coefs_[0], other.coefs_[0])


@both_kinds
def test_concurrent_fits_give_the_same_bits(kind):
    X, y = CASES[kind]
    networks = [kind(**WIDE, dtype=dtype) for dtype in ["float32", "float64"] * 8]
    with ThreadPoolExecutor(8) as pool:
        fitted = list(pool.map(lambda network: network.fit(X, y), networks))
    for network, alone in zip(
        fitted, [clone(network).fit(X, y) for network in networks], strict=True
    ):
        assert_same_training(network, alone)


@both_kinds
def test_concurrent_predictions_of_one_estimator(kind):
    X, y = CASES[kind]
    network = kind(**WIDE).fit(X, y)
    method = network.predict_proba if kind is MLPClassifier else network.predict
    tables = [X[start:] for start in range(40)]
    expected = [method(table) for table in tables]
    with ThreadPoolExecutor(8) as pool:
        for prediction, alone in zip(pool.map(method, tables * 5), expected * 5, strict=True):
            np.testing.assert_array_equal(prediction, alone)
