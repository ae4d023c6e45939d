"""Training goes on: by warm_start, by partial_fit, from copies and from snapshots."""

import copy
import pickle

import numpy as np
import pytest
from problems import (
    CASES,
    PATIENT,
    assert_same_training,
    both_kinds,
    classification,
    parts,
    regression,
    settings_name,
)
from sklearn.base import clone

from sknn import MLPClassifier, MLPRegressor
from sknn._runtime.layout import make_layout

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)


CONTINUED = [
    {},
    {"solver": "sgd"},
    {"solver": "sgd", "learning_rate": "invscaling", "nesterovs_momentum": False},
    {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.1,
        "tol": 0.01,
        "n_iter_no_change": 1,
    },
    {"dtype": "float32", "batch_size": 7, "activation": "tanh"},
    {"shuffle": False, "hidden_layer_sizes": (4, 3)},
]


@both_kinds
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("settings", CONTINUED, ids=settings_name)
def test_warm_start_of_10_and_10_epochs_is_20_epochs(kind, settings, early_stopping):
    X, y = CASES[kind]
    settings = {
        "hidden_layer_sizes": 8,
        "random_state": 3,
        "early_stopping": early_stopping,
        **PATIENT,
        **settings,
    }
    whole = kind(max_iter=20, **settings).fit(X, y)
    halves = kind(max_iter=10, warm_start=True, **settings).fit(X, y)
    assert len(halves.loss_curve_) == 10
    halves.fit(X, y)
    assert halves.n_iter_ == 10
    assert_same_training(halves, whole)
    rates = whole.history_["learning_rate"]
    assert (rates[0] == rates[-1]) == (settings.get("learning_rate", "constant") == "constant")


def test_warm_start_in_uneven_pieces_with_weights_and_a_generator():
    X, y = regression()
    weight = np.random.default_rng(0).exponential(size=len(y))
    settings = {"hidden_layer_sizes": 8, "early_stopping": True, **PATIENT}
    whole = MLPRegressor(max_iter=12, random_state=np.random.RandomState(5), **settings).fit(
        X, y, sample_weight=weight
    )
    pieces = MLPRegressor(warm_start=True, random_state=np.random.RandomState(5), **settings)
    for n_epochs in (1, 7, 4):
        pieces.set_params(max_iter=n_epochs).fit(X, y, sample_weight=weight)
    assert_same_training(pieces, whole)


@both_kinds
@pytest.mark.parametrize("settings", CONTINUED, ids=settings_name)
def test_partial_fit_k_times_is_fit_of_k_epochs(kind, settings):
    X, y = CASES[kind]
    settings = {"hidden_layer_sizes": 8, "random_state": 3, **PATIENT, **settings}
    whole = kind(max_iter=12, **settings).fit(X, y)
    pieces = kind(**settings)
    for call in range(12):
        classes = {"classes": np.unique(y)} if kind is MLPClassifier and call == 0 else {}
        assert pieces.partial_fit(X, y, **classes) is pieces
        assert pieces.n_iter_ == call + 1
    assert_same_training(pieces, whole)


def test_partial_fit_over_different_tables():
    X, y = classification(n_rows=90)
    network = MLPClassifier(random_state=0, learning_rate_init=0.02)
    for _ in range(20):
        for rows in (slice(0, 20), slice(20, 60), slice(60, 90)):
            network.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert network.n_iter_ == len(network.loss_curve_) == 60
    assert network.t_ == 20 * 90
    assert network.score(X, y) > 0.8


def test_a_fit_without_warm_start_begins_anew():
    X, y = regression()
    network = MLPRegressor(hidden_layer_sizes=8, max_iter=5, random_state=0).fit(X[:50], y[:50])
    assert_same_training(network.fit(X, y), clone(network).fit(X, y))


# ---- copies and pickles ------------------------------------------------------------------------


def fitted(**settings):
    X, y = CASES[MLPClassifier]
    settings = {"hidden_layer_sizes": 8, "max_iter": 4, "random_state": 0, **settings}
    return MLPClassifier(**settings).fit(X, y)


def arrays_of(network):
    """Return the arrays that training writes to or keeps from fit to fit."""
    state = network._training_state
    kept = [*state.optimizer.states, *parts(network), state.order, state.best_weights]
    return [array for array in kept if array is not None]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_deep_copies_share_no_memory(early_stopping):
    network = fitted(early_stopping=early_stopping)
    twin = copy.deepcopy(network)
    assert len(arrays_of(twin)) == len(arrays_of(network))
    for mine in arrays_of(twin):
        assert not any(np.shares_memory(mine, other) for other in arrays_of(network))
    assert twin._training_state.random_state is not network._training_state.random_state


def test_training_a_shallow_copy_writes_to_nothing_of_the_original():
    X, y = CASES[MLPClassifier]
    network = fitted(early_stopping=True, warm_start=True)
    before = [array.copy() for array in arrays_of(network)]
    draws = network._training_state.random_state.get_state(legacy=False)
    copy.copy(network).fit(X, y)
    for array, kept in zip(arrays_of(network), before, strict=True):
        np.testing.assert_array_equal(array, kept)
    np.testing.assert_equal(network._training_state.random_state.get_state(legacy=False), draws)
    assert len(network.loss_curve_) == len(network.validation_scores_) == 4


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))]
)
@pytest.mark.parametrize("settings", [{}, {"warm_start": True}, {"batch_norm": True}], ids=str)
def test_weights_of_a_copy_are_views_of_one_vector(duplicate, settings):
    twin = duplicate(fitted(**settings))
    [flat] = {id(part.base): part.base for part in parts(twin)}.values()
    assert flat.shape == (make_layout(twin._architecture).size,)
    if "batch_norm" in settings:
        assert twin.batch_norm_mean_[0].base is flat


@pytest.mark.parametrize("settings", [{}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str)
@pytest.mark.parametrize("warm_start", [False, True])
def test_pickled_state_has_only_plain_types(settings, warm_start):
    network = fitted(warm_start=warm_start, **settings)
    assert isinstance(network.__getstate__().get("_training_state", {}), dict)
    assert ("_training_state" in network.__getstate__()) == warm_start
    assert b"sknn._training" not in pickle.dumps(network)


def test_a_copy_with_a_generator_of_its_own_draws_the_same():
    X, y = CASES[MLPClassifier]
    network = fitted(random_state=np.random.RandomState(3), warm_start=True)
    twin = copy.deepcopy(network)
    assert twin.random_state is twin._training_state.random_state
    assert_same_training(twin.fit(X, y), network.fit(X, y))


# ---- snapshots ---------------------------------------------------------------------------------


class SnapshotAfter:
    """Keep the estimator as it is after an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.snapshot = None

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch" and context.task_id + 1 == self.epoch:
            self.snapshot = fitted_estimator


@both_kinds
@pytest.mark.parametrize("settings", CONTINUED, ids=settings_name)
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("is_pickled", [False, True])
def test_training_goes_on_from_a_snapshot_bit_for_bit(kind, settings, early_stopping, is_pickled):
    pytest.importorskip("sklearn.callback")
    X, y = CASES[kind]
    settings = {
        "hidden_layer_sizes": 8,
        "random_state": 3,
        "dropout": 0.1,
        "early_stopping": early_stopping,
        "warm_start": True,
        **PATIENT,
        **settings,
    }
    callback = SnapshotAfter(7)
    whole = kind(max_iter=12, **settings).set_callbacks(callback).fit(X, y)
    snapshot = callback.snapshot.set_callbacks()
    assert len(snapshot.loss_curve_) == 7
    if is_pickled:
        snapshot = pickle.loads(pickle.dumps(snapshot))
    assert_same_training(snapshot.set_params(max_iter=5).fit(X, y), whole)


def test_an_optimizer_that_lacks_a_vector_begins_anew():
    X, y = regression()
    network = MLPRegressor(hidden_layer_sizes=3, max_iter=2, warm_start=True).fit(X, y)
    attributes = network.__getstate__()
    attributes["_training_state"]["optimizer"]["states"].pop()
    twin = MLPRegressor.__new__(MLPRegressor)
    twin.__setstate__(attributes)
    assert np.isfinite(twin.fit(X, y).loss_)
    assert len(twin._training_state.optimizer.states) == 3  # two moments, and scales of inputs


@pytest.mark.parametrize("name", ["order", "orders_ahead", "split"])
@pytest.mark.parametrize("rows", [[-(10**6)] * 120, [10**6] * 120, [0.5] * 120, [[0]] * 120])
def test_rows_that_a_table_does_not_have_are_not_loaded(name, rows):
    X, y = regression()
    network = MLPRegressor(
        hidden_layer_sizes=3, max_iter=2, warm_start=True, early_stopping=True
    ).fit(X, y)
    attributes = network.__getstate__()
    rows = np.array(rows)
    values = {"order": rows, "orders_ahead": [rows], "split": (rows, rows)}
    attributes["_training_state"][name] = values[name]
    with pytest.raises(ValueError, match="_training_state holds"):
        MLPRegressor.__new__(MLPRegressor).__setstate__(attributes)


def test_last_weights_of_another_size_are_not_trained():
    X, y = regression()
    network = MLPRegressor(
        hidden_layer_sizes=3, max_iter=5, warm_start=True, early_stopping=True
    ).fit(X, y)
    expected = network._training_state.best_weights.size
    network._training_state.last_weights = np.zeros(3)
    assert network.fit(X, y)._training_state.last_weights.size == expected
