"""Minibatches that are cut into shards learn what whole ones learn, but for the last bits."""

import numpy as np
import pytest

import sknn._training.minibatches
from sknn import MLPClassifier, MLPRegressor
from sknn._engine import plan

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:.*lower it, or scale:UserWarning"
)

rng = np.random.default_rng(0)
X = rng.normal(size=(150, 6))
Y = np.tanh(X @ rng.normal(size=(6, 3)))
CLASSES = Y.argmax(axis=1)
CLASSIFIERS = {
    "one layer": {"hidden_layer_sizes": (7,)},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "three layers": {"hidden_layer_sizes": (9, 4, 8), "activation": ["relu", "tanh", "elu"]},
    "maxout": {"hidden_layer_sizes": (5, 4), "activation": "maxout", "maxout_pieces": 3},
    "dropout": {"dropout": [0.3, 0.0], "input_dropout": 0.2, "hidden_layer_sizes": (9, 5)},
    "L1": {"alpha": 0.1, "l1_ratio": 0.6, "solver": "rmsprop"},
    "clipped": {"max_grad_norm": 0.05, "solver": "sgd"},
    "in order": {"shuffle": False},
    "label smoothing": {"label_smoothing": 0.1},
    "early stopping": {"early_stopping": True, "max_iter": 4},
    "weight decay": {"weight_decay": 0.1, "solver": "adamw"},
}


@pytest.fixture
def shard_sizes(monkeypatch):
    """Cut minibatches into shards of at least 8 rows, whatever they are worth; return a list of the
    sizes that were chosen."""
    sizes = []

    def choose_shard_rows(*arguments):
        n_rows, n_weights, _, needs_all_samples = arguments
        sizes.append(plan.choose_shard_rows(n_rows, n_weights, 10**9, needs_all_samples))
        return sizes[-1]

    monkeypatch.setattr(sknn._training.minibatches, "choose_shard_rows", choose_shard_rows)
    monkeypatch.setattr(plan, "_LEAST_STEP_OPERATIONS", 0)
    monkeypatch.setattr(plan, "_SHARD_OPERATIONS", 1)
    monkeypatch.setattr(plan, "_LEAST_SHARD_ROWS", 8)
    return sizes


def assert_learned_alike(model, other):
    assert len(model.coefs_) == len(other.coefs_)
    for mine, theirs in zip(
        (*model.coefs_, *model.intercepts_), (*other.coefs_, *other.intercepts_), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-10)


@pytest.mark.parametrize("settings", CLASSIFIERS.values(), ids=CLASSIFIERS)
@pytest.mark.parametrize(("least_rows", "size"), [(8, 8), (24, 32)])
def test_classifiers_learn_the_same_in_shards(settings, least_rows, size, shard_sizes, monkeypatch):
    settings = {"batch_size": 64, "max_iter": 3, "random_state": 0} | settings
    monkeypatch.setattr(plan, "_LEAST_SHARD_ROWS", least_rows)
    model = MLPClassifier(**settings).fit(X, CLASSES)
    assert shard_sizes == [size]
    monkeypatch.undo()
    assert_learned_alike(model, MLPClassifier(**settings).fit(X, CLASSES))


@pytest.mark.parametrize("target", [Y, Y[:, 0]], ids=["three outputs", "one output"])
def test_regressors_learn_the_same_in_shards(target, shard_sizes, monkeypatch):
    settings = {"batch_size": 50, "max_iter": 3, "random_state": 0}
    weight = rng.integers(0, 3, len(X)).astype(float)
    model = MLPRegressor(**settings).fit(X, target, sample_weight=weight)
    assert shard_sizes == [16]
    monkeypatch.undo()
    assert_learned_alike(model, MLPRegressor(**settings).fit(X, target, sample_weight=weight))


def test_divergence_in_a_shard_is_noticed(shard_sizes):
    data = np.where(np.arange(len(X))[:, None] == 140, 1e300, X)
    model = MLPRegressor(batch_size=50, max_iter=3, random_state=0, dtype="float64")
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(data, Y)
    assert shard_sizes == [16]
