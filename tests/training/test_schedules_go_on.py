"""Learning rates when training goes on: every schedule continues or begins anew, and says if it has
nothing left to give.
"""

import pickle
import warnings

import numpy as np
import pytest
from problems import PATIENT, classification
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier
from sknn.parts.schedules import SCHEDULES

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

X, y = classification(n_rows=60)
CYCLIC = {"cosine", "flat_cos", "one_cycle", "coslog"}
LOWERED = "has lowered the rate"


def network(**settings):
    return MLPClassifier(
        **{"hidden_layer_sizes": 8, "solver": "sgd", "batch_size": 20, "random_state": 0}
        | PATIENT
        | settings
    )


def rates(model):
    return model.history_["learning_rate"]


def movement(model, train):
    """Return how far training moves the weights."""
    before = model.coefs_[0].copy()
    train(X, y)
    return np.abs(model.coefs_[0] - before).max()


def test_schedules_that_read_max_iter_are_cyclic():
    assert {name for name, schedule in SCHEDULES.items() if schedule.is_cyclic} == CYCLIC


@pytest.mark.parametrize("name", SCHEDULES)
def test_fit_after_fit_goes_on_or_begins_anew(name):
    whole = network(learning_rate=name, max_iter=8).fit(X, y)
    halves = network(learning_rate=name, max_iter=4, warm_start=True).fit(X, y)
    halves = pickle.loads(pickle.dumps(halves))
    first = rates(halves)
    assert movement(halves, halves.fit) > 1e-4
    if name in CYCLIC:
        assert rates(halves) == [*first, *first]
    else:
        assert rates(halves) == rates(whole)
        np.testing.assert_array_equal(halves.coefs_[0], whole.coefs_[0])


@pytest.mark.parametrize("name", SCHEDULES)
def test_partial_fit_goes_on_after_max_iter_calls(name):
    model = network(learning_rate=name, max_iter=4)
    for _ in range(10):
        model.partial_fit(X, y, classes=[0, 1, 2])
    if name in CYCLIC:
        first = rates(network(learning_rate=name, max_iter=4).fit(X, y))
        assert rates(model) == [*first, *first, *first[:2]]
    else:
        assert rates(model) == rates(network(learning_rate=name, max_iter=10).fit(X, y))
    assert movement(model, model.partial_fit) > 1e-4


@pytest.mark.parametrize("name", sorted(CYCLIC))
def test_a_cycle_of_one_epoch(name):
    model = network(learning_rate=name, max_iter=1, warm_start=True, learning_rate_init=0.1)
    for _ in range(30):
        model.fit(X, y)
    assert model.score(X, y) > 0.8


def test_partial_fit_ends_the_cycle_of_a_fit_that_stopped_early():
    model = network(learning_rate="cosine", max_iter=10, tol=10.0, n_iter_no_change=2).fit(X, y)
    assert model.n_iter_ == 4
    for _ in range(8):
        model.partial_fit(X, y)
    cycle = rates(network(learning_rate="cosine", max_iter=10).fit(X, y))
    assert rates(model) == [*cycle, *cycle[:2]]


def test_a_new_cycle_has_the_usual_patience():
    """The loss is above the last cycle's while the rate is high."""
    settings = {"learning_rate": "cosine", "learning_rate_init": 0.5, "solver": "adam"}
    model = network(**settings, max_iter=30, tol=1e-4, n_iter_no_change=5, warm_start=True)
    n_epochs = model.fit(X, y).n_iter_
    assert n_epochs > 6
    assert model.fit(X, y).n_iter_ >= 6


@pytest.mark.parametrize("decay_rate", [0.1, 5.0])
@pytest.mark.parametrize("name", ["exponential", "step"])
def test_rates_of_nearly_0_are_said(name, decay_rate):
    model = network(learning_rate=name, max_iter=4, decay_rate=decay_rate, warm_start=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
        assert not [w for w in caught if LOWERED in str(w.message)]
        model.fit(X, y)
    said = [w.category for w in caught if LOWERED in str(w.message)]
    assert said == ([ConvergenceWarning] if decay_rate == 5 else [])


@pytest.mark.parametrize("name", ["adaptive", "plateau"])
def test_a_rate_lowered_to_nothing_is_said_and_can_be_raised(name):
    settings = {"learning_rate": name, "max_iter": 100, "tol": 10.0, "n_iter_no_change": 1}
    model = network(**settings, warm_start=True).fit(X, y)
    assert model.n_iter_ < 100
    for train in (model.fit, model.partial_fit):
        with pytest.warns(ConvergenceWarning, match=f"learning_rate='{name}' {LOWERED}"):
            train(X, y)
    assert rates(model)[-1] < 2e-6
    model.set_params(learning_rate="constant").fit(X, y)
    assert rates(model)[-1] == 1e-3
    model.set_params(learning_rate_init=0.05).fit(X, y)
    assert rates(model)[-1] == 0.05


def test_a_ramp_of_momentum_stays_where_it_ends():
    model = network(momentum=(0.5, 0.9), max_iter=4)
    for _ in range(6):
        model.partial_fit(X, y, classes=[0, 1, 2])
    constant = pickle.loads(pickle.dumps(model)).set_params(momentum=0.9)
    model.partial_fit(X, y)
    constant.partial_fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], constant.coefs_[0])
