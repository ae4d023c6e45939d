"""Ctrl-C: raised at once, and the estimator is left as the last finished epoch made it."""

import copy
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from reference import assert_same_weights
from scipy import sparse

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

SECONDS = 0.5  # within which an interrupt must be raised
ENDLESS = {"max_iter": 100_000, "tol": 0, "n_iter_no_change": np.inf, "random_state": 0}

X = np.random.default_rng(0).normal(size=(20_000, 50))
TARGETS = {MLPClassifier: np.arange(20_000) % 4, MLPRegressor: X[:, 0] * X[:, 1]}
both_kinds = pytest.mark.parametrize("kind", TARGETS)


@pytest.fixture(autouse=True)
def the_usual_answer_to_interrupts():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(call, when):
    """Run ``call``, interrupt it once ``when()`` holds; return after how many seconds it ended."""
    finished = threading.Event()
    sent = []

    def interrupt():
        while not when():
            if finished.wait(0.002):
                return
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
        while not finished.wait(20):  # it was lost: the time tells, but the test comes to an end
            os.kill(os.getpid(), signal.SIGINT)

    gc.collect()  # finalizers cannot raise, and a compiler leaves many to be run
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
        raised = time.perf_counter()
    finally:
        finished.set()
        thread.join()
    return raised - sent[0]


def after(seconds):
    """Hold from that many seconds after the first question on."""
    started = []

    def holds():
        started.append(time.perf_counter())
        return started[-1] - started[0] > seconds

    return holds


def compiled(kind, table, y, **settings):
    """Return an estimator that trains endlessly, all of whose kernels are compiled."""
    kind(**{**settings, "hidden_layer_sizes": (1, 1), "max_iter": 1}).fit(table, y).predict(table)
    return kind(**{**ENDLESS, **settings})


def n_finished(network):
    return len(vars(network).get("loss_curve_", []))


def within_epoch(network, epoch):
    """Hold from some time after the previous epoch; epochs here take much longer than that."""
    elapsed = after(0.02)
    return lambda: n_finished(network) >= epoch - 1 and elapsed()


def assert_same_network(one, other):
    assert_same_weights(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert one.n_iter_ == other.n_iter_


# ---- at once -----------------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_layer_sizes": (1000, 1000)},
        {"hidden_layer_sizes": (1000, 1000), "dtype": "float32", "batch_size": 32},
        {"hidden_layer_sizes": (1000, 1000), "batch_size": 20_000},
        {"hidden_layer_sizes": (1000, 1000), "solver": "lbfgs"},
        {"hidden_layer_sizes": (2000, 2000), "dtype": "float32"},
        {"hidden_layer_sizes": (20,), "batch_size": 1},
        {"hidden_layer_sizes": (1000,), "early_stopping": True},
    ],
    ids=str,
)
def test_an_interrupt_of_training_is_raised_at_once(kind, settings):
    table = np.tile(X, (3, 1))
    y = np.tile(TARGETS[kind], 3)
    network = compiled(kind, table, y, **settings)
    assert interrupted(lambda: network.fit(table, y), after(0.3)) < SECONDS
    if n_finished(network) == 0:
        assert vars(network) == network.get_params()
    else:
        assert np.isfinite(network.predict(X[:5])).all()


def test_an_interrupt_of_training_on_a_sparse_table_is_raised_at_once():
    table = sparse.random_array(
        (100_000, 2000), density=0.01, format="csr", rng=np.random.default_rng(0)
    )
    y = np.arange(100_000) % 7
    network = compiled(MLPClassifier, table, y, hidden_layer_sizes=500)
    assert interrupted(lambda: network.fit(table, y), after(0.3)) < SECONDS


@both_kinds
def test_an_interrupt_of_a_prediction_is_raised_at_once(kind):
    network = kind(hidden_layer_sizes=(1500, 1500), max_iter=1).fit(X[:20], TARGETS[kind][:20])
    network.predict(X[:20])
    table = np.tile(X, (10, 1))
    assert interrupted(lambda: network.predict(table), after(0.2)) < SECONDS
    assert len(network.predict(X[:5])) == 5


def test_an_interrupt_ends_a_process():
    program = """
        import signal
        import numpy
        import sknn

        # Whoever runs the tests may have set it to be ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        X = numpy.random.default_rng(0).normal(size=(2000, 50))
        sknn.MLPRegressor(
            hidden_layer_sizes=(300, 300), max_iter=100_000, tol=0, n_iter_no_change=numpy.inf,
            verbose=1,
        ).fit(X, X[:, 0])
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline().startswith("Iteration 1, loss = ")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT


# ---- the last finished epoch -------------------------------------------------------------------

FINISHED = [
    {},
    {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.01},
    {"solver": "lbfgs"},
    {"early_stopping": True},
    {"early_stopping": True, "solver": "lbfgs"},
    {"dtype": "float32", "batch_size": 37},
]


@both_kinds
@pytest.mark.parametrize("settings", FINISHED, ids=str)
def test_the_estimator_is_left_as_a_fit_of_the_finished_epochs(kind, settings):
    settings = {"hidden_layer_sizes": (300, 200), **ENDLESS, **settings}
    network = compiled(kind, X, TARGETS[kind], **settings)
    assert interrupted(lambda: network.fit(X, TARGETS[kind]), within_epoch(network, 4)) < SECONDS
    assert network.n_iter_ == len(network.loss_curve_) >= 3
    assert {len(column) for column in network.history_.values()} == {network.n_iter_}
    reference = kind(**{**settings, "max_iter": network.n_iter_}).fit(X, TARGETS[kind])
    assert_same_network(network, reference)
    np.testing.assert_array_equal(network.predict(X), reference.predict(X))
    assert network.validation_scores_ == reference.validation_scores_
    assert (network.best_iter_, network.t_) == (reference.best_iter_, reference.t_)
    assert network.loss_ == reference.loss_
    assert {name for name in vars(network) if name.endswith("_")} == {
        name for name in vars(reference) if name.endswith("_")
    }


@both_kinds
@pytest.mark.parametrize("settings", [s for s in FINISHED if s.get("solver") != "lbfgs"], ids=str)
def test_training_goes_on_after_an_interrupt_as_if_there_had_been_none(kind, settings):
    settings = {"hidden_layer_sizes": (300, 200), **ENDLESS, **settings, "warm_start": True}
    network = compiled(kind, X, TARGETS[kind], **settings)
    for _ in range(2):
        interrupted(
            lambda: network.fit(X, TARGETS[kind]), within_epoch(network, n_finished(network) + 3)
        )
    network.set_params(max_iter=2).fit(X, TARGETS[kind])
    n_epochs = len(network.loss_curve_)
    reference = kind(**{**settings, "max_iter": n_epochs}).fit(X, TARGETS[kind])
    for mine, other in zip(network.coefs_, reference.coefs_, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert network.loss_curve_ == reference.loss_curve_


# ---- a model that was there before -------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fitted_model_survives_an_interrupt_in_the_first_epoch(kind, solver):
    network = kind(hidden_layer_sizes=(800, 800), solver=solver, max_iter=2, random_state=0).fit(
        X[:100], TARGETS[kind][:100]
    )
    before = copy.deepcopy(network)
    attributes = dict(vars(network))
    table = np.tile(X, (3, 1))
    y = np.tile(TARGETS[kind], 3)
    assert interrupted(lambda: network.fit(table, y), after(0.1)) < SECONDS
    assert vars(network).keys() == attributes.keys()
    assert all(vars(network)[name] is value for name, value in attributes.items())
    assert_same_network(network, before)
    np.testing.assert_array_equal(network.predict(X[:200]), before.predict(X[:200]))


@both_kinds
def test_a_fitted_model_survives_an_interrupt_of_partial_fit(kind):
    network = kind(hidden_layer_sizes=(800, 800), max_iter=2, random_state=0).fit(
        X[:100], TARGETS[kind][:100]
    )
    before = copy.deepcopy(network)
    table = np.tile(X, (3, 1))
    y = np.tile(TARGETS[kind], 3)
    assert interrupted(lambda: network.partial_fit(table, y), after(0.1)) < SECONDS
    assert_same_network(network, before)
    np.testing.assert_array_equal(network.predict(X[:200]), before.predict(X[:200]))
