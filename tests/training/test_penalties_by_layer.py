"""``alpha`` and ``l1_ratio`` with a value for each layer."""

import numpy as np
import pytest
from sklearn.base import clone

from sknn import MLPClassifier, MLPRegressor
from tests.reference import assert_same_weights

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")


def fitted(alpha, l1_ratio=0.0, **settings):
    """Train for one epoch of one minibatch, so that layers do not mix, unless said otherwise."""
    settings = {"solver": "sgd", "max_iter": 1, "batch_size": 60, "random_state": 0} | settings
    return MLPClassifier((6, 4), alpha=alpha, l1_ratio=l1_ratio, **settings).fit(X, Y)


@pytest.mark.parametrize("l1_ratio", [0.1, 0.5])
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "sgd"},
        {"solver": "adam"},
        {"solver": "adam", "max_grad_norm": 0.1},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
def test_equal_values_are_one_value(settings, l1_ratio):
    settings = settings | {"max_iter": 5}
    one = fitted(0.3, l1_ratio, **settings)
    each = fitted([0.3] * 3, (l1_ratio,) * 3, **settings)
    assert_same_weights(one, each)
    assert one.loss_curve_ == each.loss_curve_


@pytest.mark.parametrize("clip", [None, 1e6])
def test_each_layer_has_its_own_strength(clip):
    strengths = [0.0, 1.0, 5.0]
    together = fitted(strengths, max_grad_norm=clip)
    for layer, strength in enumerate(strengths):
        alone = fitted(strength, max_grad_norm=clip)
        np.testing.assert_array_equal(together.coefs_[layer], alone.coefs_[layer])
    without = fitted(0.0).loss_
    expected = sum(fitted(list(row)).loss_ - without for row in np.diag(strengths))
    np.testing.assert_allclose(together.loss_ - without, expected, rtol=1e-10)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_l1_makes_zeros_in_its_layer_only(solver):
    model = fitted(
        2.0, [0.0, 1.0, 0.0], solver=solver, max_iter=50, learning_rate_init=0.1, tol=0.0
    )
    n_zeros = [int((coef == 0).sum()) for coef in model.coefs_]
    assert n_zeros[0] == n_zeros[2] == 0
    assert n_zeros[1] > 0


@pytest.mark.parametrize("name", ["alpha", "l1_ratio"])
@pytest.mark.parametrize("values", [[0.1], [0.1] * 4, [0.1, 0.1, -1], [0.1, 0.1, "a"], [[0.1]] * 3])
def test_errors_name_the_parameter(name, values):
    model = MLPClassifier((6, 4), **{name: values})
    with pytest.raises((ValueError, TypeError), match=f"'{name}"):
        model.fit(X, Y)
    assert not hasattr(model, "coefs_")


def test_clones_and_searches():
    model = MLPClassifier((6, 4), alpha=[0.1, 0.2, 0.3])
    assert clone(model).alpha == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("nesterov", [True, False])
def test_momentum_leaves_the_minimum_of_the_penalty_where_it_is(momentum, nesterov):
    """A linear network has one minimum, which lbfgs finds in another way."""
    target = X[:, 0] + 0.3 * X[:, 1]
    shared = {"hidden_layer_sizes": (), "alpha": 6.0, "l1_ratio": 0.9, "tol": 0, "random_state": 0}
    expected = MLPRegressor(solver="lbfgs", max_iter=500, **shared).fit(X, target)
    found = MLPRegressor(
        solver="sgd",
        momentum=momentum,
        nesterovs_momentum=nesterov,
        learning_rate_init=0.05,
        batch_size=60,
        max_iter=600,
        n_iter_no_change=600,
        **shared,
    ).fit(X, target)
    assert 1 < (expected.coefs_[0] == 0).sum() < 5
    np.testing.assert_array_equal(found.coefs_[0] == 0, expected.coefs_[0] == 0)
    np.testing.assert_allclose(found.coefs_[0], expected.coefs_[0], atol=1e-4)
