"""``skip``, a linear path from the inputs to the outputs."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from test_optimizers import REFERENCE as STEPS

from sknn import MLPClassifier, MLPRegressor
from tests.reference import assert_same_weights, partials

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(36, 5))
Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] * X[:, 4]])
SETTINGS = {
    "hidden_layer_sizes": (4, 3),
    "activation": "tanh",
    "batch_size": 12,
    "max_iter": 3,
    "shuffle": False,
    "alpha": (0.1, 0.2, 0.7),
    "learning_rate_init": 0.02,
    "random_state": 0,
    "skip": True,
}


def assert_same(one, other):
    assert_same_weights(one, other)
    np.testing.assert_array_equal(one.skip_coefs_[0], other.skip_coefs_[0])
    assert one.loss_curve_ == other.loss_curve_


def values(model):
    """Return all that the model has learned, the coefficients first."""
    return [*model.coefs_, *model.skip_coefs_, *model.intercepts_]


def objective(learned, X, Y, alpha):
    *coefs, skip, b_0, b_1, b_2 = learned
    a = np.tanh(X @ coefs[0] + b_0)
    a = np.tanh(a @ coefs[1] + b_1)
    z = a @ coefs[2] + b_2 + X @ skip
    strengths = (*alpha, alpha[-1])  # that of the last layer is that of the skip too
    penalty = sum(s * np.sum(W**2) for s, W in zip(strengths, (*coefs, skip), strict=True))
    return (0.5 * np.sum((z - Y) ** 2) + 0.5 * penalty) / len(X)


def slowly_trained(model):
    """Return what the model should learn."""
    settings = SimpleNamespace(**model.get_params())
    start = clone(model).set_params(learning_rate_init=1e-30, max_iter=1, weight_decay=0).fit(X, Y)
    learned = [np.array(value) for value in values(start)]
    learned[3][...] = 0
    states = [[np.zeros_like(value)] * 3 for value in learned]
    rate = settings.learning_rate_init
    shapes = [value.shape for value in learned]
    ends = np.cumsum([value.size for value in learned])[:-1]

    def unpacked(flat):
        pieces = np.split(flat, ends)
        return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    for t in range(1, 3 * settings.max_iter + 1):
        first = 12 * ((t - 1) % 3)
        rows = slice(first, first + 12)
        flat = np.concatenate([value.ravel() for value in learned])
        gradient = partials(
            lambda flat, rows=rows: objective(unpacked(flat), X[rows], Y[rows], settings.alpha),
            flat,
        )
        for i, g in enumerate(unpacked(gradient)):
            decay = settings.weight_decay if learned[i].ndim == 2 else 0
            decayed = learned[i] * (1 - rate * decay)
            step = STEPS[settings.solver]
            learned[i], states[i] = step(decayed, g, states[i], settings, rate, t)
    return learned


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("max_grad_norm", [None, 1e30])
def test_training_is_that_of_the_formula(solver, max_grad_norm):
    model = MLPRegressor(
        **SETTINGS, solver=solver, max_grad_norm=max_grad_norm, weight_decay=0.1
    ).fit(X, Y)
    for mine, expected in zip(values(model), slowly_trained(model), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-12)
    coefs, intercepts = model.coefs_, model.intercepts_
    a = np.tanh(np.tanh(X @ coefs[0] + intercepts[0]) @ coefs[1] + intercepts[1])
    expected = a @ coefs[2] + intercepts[2] + X @ model.skip_coefs_[0]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)


def test_other_starting_weights_are_those_without_skip():
    with_skip, without = (
        MLPRegressor(**SETTINGS | {"skip": skip, "learning_rate_init": 1e-30}).fit(X, Y)
        for skip in (True, False)
    )
    assert_same_weights(with_skip, without)
    assert not hasattr(without, "skip_coefs_")


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_a_linear_target_takes_the_linear_path(solver):
    tails = X**3
    y = tails @ [1, 2, 0, -1, 3]
    model = MLPRegressor(
        hidden_layer_sizes=3,
        solver=solver,
        max_iter=500,
        learning_rate_init=0.05,
        alpha=0.0,
        random_state=0,
        skip=True,
        tol=1e-7,
    ).fit(tails, y)
    assert model.score(tails, y) > 0.999


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_l1_makes_zeros_in_the_linear_path(solver):
    settings = SETTINGS | {"alpha": (0.0, 0.0, 5.0), "max_iter": 60}
    model = MLPRegressor(**settings, solver=solver, l1_ratio=1.0).fit(X, Y)
    assert (model.skip_coefs_[0] == 0).any()
    assert not (model.coefs_[0] == 0).any()


@pytest.mark.parametrize("changes", [{}, {"input_dropout": 0.3}, {"solver": "lbfgs"}], ids=str)
def test_sparse_inputs_are_the_dense_ones(changes):
    scarce = X * (np.abs(X) > 0.5)
    dense = MLPRegressor(**SETTINGS | changes).fit(scarce, Y)
    rows = MLPRegressor(**SETTINGS | changes).fit(sparse.csr_array(scarce), Y)
    rtol = 1e-5 if "solver" in changes else 1e-9
    for mine, expected in zip(values(rows), values(dense), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(rows.predict(sparse.csc_array(scarce)), rows.predict(scarce))


@pytest.mark.parametrize(
    "changes",
    [
        {"parametrization": "ntk", "bias_lr_factor": 0.1, "input_scale": 6.0},
        {"batch_norm": True, "dropout": 0.2, "dtype": "float32"},
        {"early_stopping": True, "batch_norm": "after", "input_dropout": 0.2},
    ],
    ids=str,
)
def test_further_training_goes_on_bit_for_bit(changes):
    settings = SETTINGS | {"tol": 0, "max_iter": 4} | changes
    once = MLPRegressor(**settings | {"max_iter": 8}).fit(X, Y)
    half = MLPRegressor(**settings, warm_start=True).fit(X, Y)
    twice = pickle.loads(pickle.dumps(half)).fit(X, Y)
    assert_same(once, twice)


def test_a_network_without_it_cannot_go_on_with_it():
    model = MLPRegressor(**SETTINGS, warm_start=True).fit(X, Y).set_params(skip=False)
    with pytest.raises(ValueError, match="set warm_start=False"):
        model.fit(X, Y)


def test_assigned_weights_are_used():
    model = MLPRegressor(**SETTINGS).fit(X, Y)
    before = model.predict(X)
    shift = RNG.normal(size=(5, 2))
    model.skip_coefs_ = [model.skip_coefs_[0] + shift]
    np.testing.assert_allclose(model.predict(X), before + X @ shift)
    model.skip_coefs_ = [np.zeros((5, 3))]
    with pytest.raises(ValueError, match=r"skip_coefs_\[0\] has shape"):
        model.predict(X)


def test_it_counts_among_the_parameters():
    model = MLPClassifier((20,), skip=True, max_iter=2)
    rows = model.summary(n_features=4, n_outputs=3).layers
    assert rows[-2:] == [("dense 2", (None, 3), 63, 63), ("skip", (None, 3), 12, 12)]
    y = np.arange(36) % 3
    assert model.fit(X[:, :4], y).n_parameters_ == model.summary().n_trainable == 175


def test_a_search_takes_it():
    y = (X[:, 0] > 0).astype(int)
    network = MLPClassifier((4,), max_iter=3, random_state=0)
    search = GridSearchCV(network, {"skip": [False, True]}, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 2
