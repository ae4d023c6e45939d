"""Rates of dropout and weight decay that follow a schedule, step by step.

What they are is told by training one step after another with rates that are set by hand.
"""

import pickle

import numpy as np
import pytest
from problems import PATIENT, assert_close_weights, assert_same_bits, assert_same_training
from scipy import sparse
from sklearn.model_selection import GridSearchCV

from sknn import MLPClassifier, MLPRegressor

N_EPOCHS = 4
N_BATCHES = 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5))
y = X[:, 0] - X[:, 1]
DROPPED = {"dropout": [0.4, 0.2], "input_dropout": 0.3, "dropout_schedule": "flat_cos"}
DECAYED = {"weight_decay": 0.8, "weight_decay_schedule": "flat_cos"}
NEITHER = {"dropout_schedule": "constant", "weight_decay_schedule": "constant"}


def network(**settings):
    common = {
        "hidden_layer_sizes": (8, 8),
        "alpha": 0,
        "batch_size": 20,
        "max_iter": N_EPOCHS,
        "shuffle": False,
        "learning_rate_init": 0.01,
        "random_state": 0,
    }
    return MLPRegressor(**common | PATIENT | settings)


def factor(epoch):
    half = N_EPOCHS / 2
    return 1.0 if epoch < half else (1 + np.cos(np.pi * (epoch - half) / half)) / 2


def step_by_step(n_epochs=N_EPOCHS, table=X, targets=y, **settings):
    """Train with one call for each minibatch, before which the rates are set."""
    size = len(targets) // N_BATCHES
    model = network(**settings | {"batch_size": size} | NEITHER)
    for step in range(n_epochs * N_BATCHES):
        now = factor(step / N_BATCHES)
        model.set_params(
            dropout=[rate * now for rate in settings.get("dropout", [0.0, 0.0])],
            input_dropout=settings.get("input_dropout", 0.0) * now,
            weight_decay=settings.get("weight_decay", 0.0) * now,
        )
        start = step % N_BATCHES * size
        model.partial_fit(table[start : start + size], targets[start : start + size])
    return model


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("settings", [DROPPED, DECAYED], ids=["dropout", "weight decay"])
def test_every_step_has_its_rate(settings, dtype):
    trained = network(**settings, dtype=dtype).fit(X, y)
    expected = step_by_step(**settings, dtype=dtype)
    if dtype == "float64":
        assert_same_bits(trained, expected)
    else:  # the product of rate and factor is rounded
        assert_close_weights(trained, expected, rtol=1e-5)
    constant = network(**settings | NEITHER, dtype=dtype).fit(X, y)
    assert np.abs(trained.coefs_[0] - constant.coefs_[0]).max() > 1e-4


def test_sparse_rows_and_shards():
    trained = network(**DROPPED).fit(sparse.csr_array(X), y)
    assert_close_weights(trained, network(**DROPPED).fit(X, y), rtol=1e-9)
    many = RNG.normal(size=(1200, 5))
    small = {"hidden_layer_sizes": (2, 2), "batch_size": 600} | DROPPED
    trained = network(**small).fit(many, many[:, 0])
    assert_same_bits(trained, step_by_step(table=many, targets=many[:, 0], **small))


@pytest.mark.parametrize("settings", [DROPPED, DECAYED], ids=["dropout", "weight decay"])
def test_training_goes_on(settings):
    whole = network(**settings).fit(X, y)
    halves = network(**settings)
    for _ in range(N_EPOCHS // 2):
        halves.partial_fit(X, y)
    halves = pickle.loads(pickle.dumps(halves))
    for _ in range(N_EPOCHS // 2):
        halves.partial_fit(X, y)
    assert_same_training(halves, whole)


def test_watched_training_is_the_same(capsys):
    watched = network(**DROPPED | DECAYED, verbose=True).fit(X, y)
    assert_same_training(watched, network(**DROPPED | DECAYED).fit(X, y))
    assert "rate" in capsys.readouterr().out


def test_schedules_begin_anew_with_every_fit():
    """As the learning rate's do: at the end of the first fit, nothing is dropped any more."""
    twice = network(**DROPPED, warm_start=True).fit(X, y).fit(X, y)
    many = network(**DROPPED)
    for _ in range(2 * N_EPOCHS):
        many.partial_fit(X, y)
    assert_same_bits(twice, many)
    longer = network(**DROPPED, max_iter=2 * N_EPOCHS).fit(X, y)
    assert np.abs(twice.coefs_[0] - longer.coefs_[0]).max() > 1e-4


def test_a_search_over_schedules():
    grid = {"dropout_schedule": ["constant", "flat_cos"]}
    model = MLPClassifier((8, 8), dropout=0.3, max_iter=2, **PATIENT, random_state=0)
    search = GridSearchCV(model, grid, cv=2).fit(X, y > 0)
    assert set(search.cv_results_["param_dropout_schedule"]) == set(grid["dropout_schedule"])


@pytest.mark.parametrize("name", ["dropout_schedule", "weight_decay_schedule"])
def test_other_schedules_are_refused(name):
    with pytest.raises(ValueError, match=rf"'{name}'.*'constant', 'flat_cos'.*'cosine'"):
        network(**{name: "cosine"}).fit(X, y)
