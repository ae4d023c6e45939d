"""A fit that fails leaves the estimator as it was."""

import copy
import warnings

import numpy as np
import pytest
from problems import (
    CASES,
    assert_same_training,
    both_kinds,
    regression,
)
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)


def _same(one, other):
    """Compare attributes in depth, bit for bit."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        )
    if isinstance(one, np.random.RandomState):
        return _same(one.get_state(legacy=False), other.get_state(legacy=False))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if hasattr(one, "__dict__") and not callable(one):
        return type(one) is type(other) and _same(vars(one), vars(other))
    return one == other or (one != one and other != other)


class RaisingCallback:
    """Raise in the end hook of the second epoch."""

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == 1:
            raise RuntimeError("the callback's own error")

    def __deepcopy__(self, memo):
        return self


FAILURES = {
    "y of wrong length": ({}, lambda X, y: (X, y[:-1], None), ValueError),
    "y not finite": ({}, lambda X, y: (X, np.where(y == y[0], np.nan, y), None), ValueError),
    "X not finite": ({}, lambda X, y: (np.where(X > 1, np.inf, X), y, None), ValueError),
    "X of other width": ({"warm_start": True}, lambda X, y: (X[:, :3], y, None), ValueError),
    "weights of wrong length": ({}, lambda X, y: (X, y, np.ones(3)), ValueError),
    "weights negative": ({}, lambda X, y: (X, y, -np.ones(len(y))), ValueError),
    "parameter": ({"alpha": -1.0}, lambda X, y: (X, y, None), ValueError),
    "layers too large": ({"hidden_layer_sizes": (10**9,)}, lambda X, y: (X, y, None), MemoryError),
    "layers changed": (
        {"warm_start": True, "hidden_layer_sizes": 3},
        lambda X, y: (X, y, None),
        ValueError,
    ),
    "validation too small": (
        {"early_stopping": True, "validation_fraction": 1e-9},
        lambda X, y: (X, y, None),
        ValueError,
    ),
    "divergence": (
        {"solver": "sgd", "learning_rate_init": 1e300, "batch_size": 10},
        lambda X, y: (X, y, None),
        ValueError,
    ),
    "lbfgs divergence": ({"solver": "lbfgs"}, lambda X, y: (X * 1e300, y, None), ValueError),
}


@pytest.mark.parametrize("trained_by", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    (
        "failure",
        "kind",
    ),  # a classifier's saturated probabilities are finite, so lbfgs has nothing to stumble over
    [
        (failure, kind)
        for failure in FAILURES
        for kind in CASES
        if (failure, kind) != ("lbfgs divergence", MLPClassifier)
    ],
)
def test_failing_fit_leaves_a_fitted_estimator_as_it_was(failure, trained_by, kind):
    parameters, spoil, error = FAILURES[failure]
    X, y = CASES[kind]
    network = kind(hidden_layer_sizes=8, max_iter=3, random_state=0)
    getattr(network, trained_by)(
        X,
        y,
        **({"classes": [0, 1, 2]} if trained_by == "partial_fit" and kind is MLPClassifier else {}),
    )
    network.set_params(**parameters)
    before = copy.deepcopy(vars(network))
    predictions = network.predict(X)
    spoiled_X, spoiled_y, weight = spoil(X, y)
    with pytest.raises(error):
        network.fit(spoiled_X, spoiled_y, sample_weight=weight)
    assert _same(vars(network), before)
    np.testing.assert_array_equal(network.predict(X), predictions)


@both_kinds
def test_failing_partial_fit_leaves_a_fitted_estimator_as_it_was(kind):
    X, y = CASES[kind]
    network = kind(hidden_layer_sizes=8, max_iter=3, random_state=0).fit(X, y)
    before = copy.deepcopy(vars(network))
    for bad_X, bad_y, weight in ((X[:, :2], y, None), (X, y[:3], None), (X, y, -np.ones(len(y)))):
        with pytest.raises(ValueError):  # noqa: PT011 - each says its own
            network.partial_fit(bad_X, bad_y, sample_weight=weight)
        assert _same(vars(network), before)


@both_kinds
@pytest.mark.parametrize(("warm_start", "shuffle"), [(False, True), (True, True), (True, False)])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_raising_callback_leaves_a_fitted_estimator_as_it_was(
    kind, warm_start, shuffle, early_stopping, solver
):
    pytest.importorskip("sklearn.callback")
    X, y = CASES[kind]
    settings = {
        "solver": solver,
        "warm_start": warm_start,
        "shuffle": shuffle,
        "early_stopping": early_stopping,
    }
    network = kind(hidden_layer_sizes=8, max_iter=5, random_state=0, **settings)
    network.fit(X, y).set_callbacks(RaisingCallback())
    before = copy.deepcopy(vars(network))
    with pytest.raises(RuntimeError, match="the callback's own error"):
        network.fit(X, y)
    assert _same(vars(network), before)
    if warm_start and solver == "adam":  # and training goes on as if nothing had been tried
        twin = clone(network).set_callbacks().fit(X, y).fit(X, y)
        assert_same_training(network.set_callbacks().fit(X, y), twin)


def test_the_comparison_of_attributes_sees_single_bits():
    X, y = regression()
    network = MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0).fit(X, y)
    before = copy.deepcopy(vars(network))
    assert _same(vars(network), before)
    network._training_state.random_state.uniform()
    assert not _same(vars(network), before)
    network = MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0).fit(X, y)
    network.coefs_[1][3, 0] = np.nextafter(network.coefs_[1][3, 0], np.inf)
    assert not _same(vars(network), before)


# ---- warnings as errors ------------------------------------------------------------------------


@pytest.fixture
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        yield


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_convergence_warning_that_is_an_error_leaves_what_was_trained(
    kind, solver, warnings_are_errors
):
    X, y = CASES[kind]
    network = kind(
        hidden_layer_sizes=(5,), solver=solver, max_iter=3, n_iter_no_change=2, random_state=0
    )
    with pytest.raises(ConvergenceWarning):
        network.fit(X, y)
    assert network.n_iter_ == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert_same_training(network, clone(network).fit(X, y))


def test_a_divergence_warning_that_is_an_error_leaves_the_last_finite_weights(warnings_are_errors):
    X, y = regression()
    network = MLPRegressor(batch_size=10, random_state=0).partial_fit(X, y)
    before = network.predict(X)
    network.set_params(learning_rate_init=1e300, solver="sgd")
    with pytest.raises(ConvergenceWarning, match="The weights of epoch 1 are kept"):
        network.partial_fit(X, y)
    np.testing.assert_array_equal(network.predict(X), before)
    assert len(network.loss_curve_) == 2
