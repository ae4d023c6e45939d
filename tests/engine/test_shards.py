"""Batches whose rows go through the network shard by shard learn what whole batches learn, but for
the last bits."""

import numpy as np
import pytest
from reference import plain_layout

import sknn._training.minibatches
from sknn import MLPClassifier, MLPRegressor
from sknn._engine import shards

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


def fit_in_shards(monkeypatch, model, *data, least_rows=8, **arguments):
    """Return the fitted model and the sizes of the shards that its batches were cut into."""
    found = []

    def choose_shard_rows(layout, n_rows):
        found.append(shards.choose_shard_rows(layout, n_rows))
        return found[-1]

    with monkeypatch.context() as patch:
        patch.setattr(sknn._training.minibatches, "choose_shard_rows", choose_shard_rows)
        patch.setattr(shards, "_LEAST_OPERATIONS", 0)
        patch.setattr(shards, "_OPERATIONS", 1)
        patch.setattr(shards, "_LEAST_ROWS", least_rows)
        patch.setattr(shards, "_has_room", lambda *sizes: True)
        return model.fit(*data, **arguments), found


def assert_learned_alike(model, other):
    assert len(model.coefs_) == len(other.coefs_)
    for mine, theirs in zip(
        (*model.coefs_, *model.intercepts_), (*other.coefs_, *other.intercepts_), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-10)


@pytest.mark.parametrize("settings", CLASSIFIERS.values(), ids=CLASSIFIERS)
@pytest.mark.parametrize("least_rows", [8, 24])
def test_classifiers_learn_the_same_in_shards(settings, least_rows, monkeypatch):
    settings = {"batch_size": 64, "max_iter": 3, "random_state": 0} | settings
    model, shards = fit_in_shards(
        monkeypatch, MLPClassifier(**settings), X, CLASSES, least_rows=least_rows
    )
    assert shards == [{8: 8, 24: 32}[least_rows]]
    assert_learned_alike(model, MLPClassifier(**settings).fit(X, CLASSES))


@pytest.mark.parametrize("target", [Y, Y[:, 0]], ids=["three outputs", "one output"])
def test_regressors_learn_the_same_in_shards(target, monkeypatch):
    settings = {"batch_size": 50, "max_iter": 3, "random_state": 0}
    weight = rng.integers(0, 3, len(X)).astype(float)
    model, shards = fit_in_shards(
        monkeypatch, MLPRegressor(**settings), X, target, sample_weight=weight
    )
    assert shards == [16]
    assert_learned_alike(model, MLPRegressor(**settings).fit(X, target, sample_weight=weight))


def test_divergence_in_a_shard_is_noticed(monkeypatch):
    data = np.where(np.arange(len(X))[:, None] == 140, 1e300, X)
    with pytest.raises(ValueError, match="non-finite"):
        fit_in_shards(
            monkeypatch,
            MLPRegressor(batch_size=50, max_iter=3, random_state=0, dtype="float64"),
            data,
            Y,
        )


@pytest.mark.parametrize(
    ("units", "n_rows", "norm", "rows"),
    [
        ((64, 100, 10), 200, None, 104),  # two shards of whole tiles
        ((64, 100, 10), 2000, None, 200),
        ((64, 100, 10), 20_000, None, 1256),
        ((30, 128, 128, 3), 872, None, 73),  # an even number of shards
        ((64, 100, 10), 200, "before", 0),  # needs whole columns
        ((64, 20, 10), 200, None, 0),  # nothing to share
        ((64, 512, 512, 10), 200, None, 0),  # the shards' gradients would outweigh their rows
        ((64, 100, 10), 40, None, 0),
    ],
)
def test_which_batches_are_cut_depends_on_shapes(units, n_rows, norm, rows):
    layout = plain_layout(units, batch_norm=norm)
    assert shards.choose_shard_rows(layout, n_rows) == rows
