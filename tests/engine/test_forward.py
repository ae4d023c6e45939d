"""Layers whose product is split along the inputs (split-K) learn what others learn."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from sknn import MLPClassifier
from sknn._engine.plan import Shape, uses_split_k

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 100))
CLASSES = rng.integers(0, 3, len(X))
SPLIT = {
    "two layers": {},
    "odd widths": {"hidden_layer_sizes": (131, 97)},
    "maxout": {"activation": "maxout", "maxout_pieces": 3},
    "dropout": {"dropout": [0.3, 0.1], "input_dropout": 0.2},
    "batch norm": {"batch_norm": "before"},
    "batch norm after": {"batch_norm": "after"},
    "clipped": {"max_grad_norm": 0.05},
}


def split_layers(n_rows, hidden_layer_sizes, maxout_pieces=1, **others):
    """Return for each hidden layer whether its product is split in a minibatch of so many rows."""
    units = X.shape[1], *hidden_layer_sizes
    return [
        uses_split_k(Shape(n_rows, fan_in, width * maxout_pieces, 1))
        for fan_in, width in itertools.pairwise(units)
    ]


@pytest.mark.parametrize("settings", SPLIT.values(), ids=SPLIT)
def test_layers_learn_the_same_with_split_k(settings):
    settings = {
        "hidden_layer_sizes": (128, 100),
        "max_iter": 2,
        "shuffle": False,
        "random_state": 0,
    } | settings
    n_more = 50
    assert all(split_layers(30, **settings))
    assert not any(split_layers(30 + n_more, **settings))
    split = MLPClassifier(batch_size=30, **settings).fit(X, CLASSES)
    # With rows of weight 0 at its end, a minibatch is the same to the loss, but too large to split.
    more = [
        np.concatenate([rows, np.ones_like(rows[:1]).repeat(n_more, axis=0)])
        for rows in np.split(X, 3)
    ]
    y = np.concatenate([[*classes, *[0] * n_more] for classes in np.split(CLASSES, 3)])
    weight = np.tile([1.0] * 30 + [0.0] * n_more, 3)
    as_whole = MLPClassifier(batch_size=30 + n_more, **settings).fit(
        np.concatenate(more), y, sample_weight=weight
    )
    for mine, theirs in zip(
        (*split.coefs_, *split.intercepts_),
        (*as_whole.coefs_, *as_whole.intercepts_),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)


def test_sparse_rows_learn_the_same_with_split_k():
    rows = np.where(np.abs(X) > 1, X, 0)
    settings = {"hidden_layer_sizes": (128,), "batch_size": 30, "max_iter": 2, "random_state": 0}
    assert split_layers(30, settings["hidden_layer_sizes"]) == [True]
    model = MLPClassifier(**settings).fit(sparse.csr_array(rows), CLASSES)
    expected = MLPClassifier(**settings).fit(rows, CLASSES)
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-7, atol=1e-9)
