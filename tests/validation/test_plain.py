"""NumPy's numbers as parameters: as good as Python's, though they wrap around and round."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone

from sknn import MLPClassifier, MLPRegressor
from sknn._validation.plain import plain_settings

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
NUMBERS = X[:, 0] + rng.normal(size=60)
CODES = np.arange(60) % 3

SETTINGS = {"hidden_layer_sizes": 5, "max_iter": 3, "random_state": 0}
INVERSE = {"solver": "sgd", "learning_rate": "invscaling"}
# value in each of these types, and the other parameters with which it acts
CASES = [
    ("hidden_layer_sizes", 5, {}),
    ("alpha", 1, {}),
    ("alpha", 0.1, {"l1_ratio": 0.5}),
    ("batch_size", 7, {}),
    ("learning_rate_init", 0.1, INVERSE),
    ("power_t", 1, INVERSE),  # 181 batches in int8
    ("power_t", 0.3, INVERSE),
    ("max_iter", 3, {}),
    ("shuffle", False, {}),
    ("random_state", 3, {}),
    ("tol", 0.1, {"early_stopping": True}),
    ("momentum", 0.3, {"solver": "sgd"}),
    ("early_stopping", True, {}),
    ("validation_fraction", 0.3, {"early_stopping": True}),
    ("early_stopping_window", 2, {"early_stopping": True}),
    ("restore_best", False, {"early_stopping": True}),
    ("restore_best", True, {}),
    ("beta_1", 0.3, {}),
    ("n_iter_no_change", 1, {"tol": 10.0}),
    ("rho", 0.3, {"solver": "rmsprop"}),
    ("decay_rate", 1, {"learning_rate": "exponential"}),
    ("decay_rate", 0.3, {"learning_rate": "inverse_time"}),
    ("warmup_epochs", 2, {}),
    ("weight_decay", 0.3, {}),
    ("dropout", 0.3, {}),
    ("max_grad_norm", 1, {}),
    ("normalize_y", True, {}),
    ("quantile", 0.3, {"loss": "quantile"}),
    ("huber_delta", 1, {"loss": "huber"}),
]
TYPES = {
    bool: [np.bool_],
    int: [np.int8, np.uint8, np.uint64],
    float: [np.float16, np.float32, np.float64],
}


@pytest.mark.parametrize(("name", "value", "others"), CASES, ids=str)
def test_numbers_of_numpy_are_as_good_as_pythons(name, value, others):
    kind = next(
        kind
        for kind in (MLPClassifier, MLPRegressor)
        if {name, *others} <= set(inspect.signature(kind).parameters)
    )
    y = CODES if kind is MLPClassifier else NUMBERS
    for dtype in TYPES[type(value)]:
        given = dtype(value)
        network = kind(**{**SETTINGS, **others, name: given}).fit(X, y)
        expected = kind(**{**SETTINGS, **others, name: given.item()}).fit(X, y)
        assert getattr(network, name) is given
        assert network.loss_curve_ == expected.loss_curve_
        assert all(map(np.array_equal, network.coefs_, expected.coefs_))
        assert network.best_iter_ == expected.best_iter_


def test_numbers_in_sequences():
    settings = plain_settings({"momentum": (np.float32(0.5), 1), "dropout": [np.uint8(0)]})
    assert settings.momentum == [0.5, 1]
    assert {type(value) for value in (*settings.momentum, *settings.dropout)} == {float, int}


def test_a_parameter_at_its_default_is_reported_in_no_type():
    for default in (True, np.True_):
        clone(MLPRegressor(restore_best=default, **SETTINGS)).fit(X, NUMBERS)
