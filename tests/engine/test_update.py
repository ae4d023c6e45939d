"""Weights are updated alike block by block and all at once."""

import numpy as np
import pytest
from reference import assert_same_weights

from sknn import MLPClassifier
from sknn._engine import plan
from sknn.parts.optimizers import OPTIMIZERS

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 100))
CLASSES = rng.integers(0, 3, len(X))
SETTINGS = {"hidden_layer_sizes": (130, 100), "batch_size": 30, "max_iter": 2, "random_state": 0}


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("changes", [{}, {"l1_ratio": 0.5, "alpha": 0.1}, {"batch_norm": True}])
def test_a_bound_that_is_never_reached_changes_nothing(solver, changes):
    """With gradient clipping, weights are updated all at once, without it block by block."""
    assert plan.partition_weights(plan.Shape(30, 100, 130, 2), False).n_blocks > 1
    settings = SETTINGS | {"solver": solver} | changes
    by_blocks = MLPClassifier(**settings).fit(X, CLASSES)
    at_once = MLPClassifier(**settings, max_grad_norm=1e30).fit(X, CLASSES)
    assert_same_weights(by_blocks, at_once)
    np.testing.assert_allclose(by_blocks.loss_curve_, at_once.loss_curve_, rtol=1e-12)


def test_a_clipped_step_has_the_length_that_the_bound_allows():
    settings = SETTINGS | {"solver": "sgd", "momentum": 0.0, "batch_size": 90, "max_iter": 1}
    start = MLPClassifier(**settings, learning_rate_init=1e-30).fit(X, CLASSES)
    clipped = MLPClassifier(**settings, learning_rate_init=0.5, max_grad_norm=0.01).fit(X, CLASSES)
    steps = [
        after - before
        for name in ("coefs_", "intercepts_")
        for after, before in zip(getattr(clipped, name), getattr(start, name), strict=True)
    ]
    length = np.sqrt(sum(np.sum(step**2) for step in steps))
    assert length == pytest.approx(0.5 * 0.01, rel=1e-6)
