"""Ctrl-C: raised at the end of a chunk, which takes a tenth of a second at most, and the estimator
is left as the last finished epoch made it.
"""

import copy
import gc
import operator
import os
import signal
import subprocess
import sys
import textwrap
import threading
from unittest.mock import patch

import numpy as np
import pytest
from reference import assert_same_weights
from scipy import sparse

from sknn import MLPClassifier, MLPRegressor
from sknn._runtime.threads import ParallelRunner

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

MOST_OPERATIONS = 2e9  # multiplications of a chunk: under 0.1 s on one slow core
TOO_LONG = 100  # seconds, after which something hangs
ENDLESS = {"max_iter": 100_000, "tol": 0, "n_iter_no_change": np.inf, "random_state": 0}

X = np.random.default_rng(0).normal(size=(20_000, 50))
TARGETS = {MLPClassifier: np.arange(20_000) % 4, MLPRegressor: X[:, 0] * X[:, 1]}
both_kinds = pytest.mark.parametrize("kind", TARGETS)


@pytest.fixture(autouse=True)
def the_usual_answer_to_interrupts():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(call, when=lambda: True):
    """Run ``call``, and interrupt it while its second chunk is computed from when ``when()`` holds.

    Chunks are what is compiled, so Python reacts to the interrupt at the end of this one: no other
    chunk may begin. Return how many rows it has.
    """
    begun = threading.Event()
    sent = threading.Event()
    n_rows = []
    run = ParallelRunner.run

    def interrupt():
        begun.wait()
        if len(n_rows) < 2:
            return
        os.kill(os.getpid(), signal.SIGINT)
        sent.set()

    def run_and_count(runner, arguments, n_steps, n_rows_of_chunk, *others):
        if n_rows or when():
            n_rows.append(n_rows_of_chunk)
        if len(n_rows) < 2:
            return run(runner, arguments, n_steps, n_rows_of_chunk, *others)
        assert not begun.is_set(), "training goes on after an interrupt"
        begun.set()
        n_done = run(runner, arguments, n_steps, n_rows_of_chunk, *others)
        assert sent.wait(TOO_LONG)  # a chunk may be shorter than it takes a thread to wake up
        return n_done

    gc.collect()  # finalizers cannot raise, and a compiler leaves many to be run
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with patch.object(ParallelRunner, "run", run_and_count), pytest.raises(KeyboardInterrupt):
            call()
    finally:
        begun.set()
        thread.join()
    return n_rows[1]


def n_multiplications(*widths):
    """Return the multiplications of the forward and the backward pass of a row."""
    return 3 * sum(map(operator.mul, widths, widths[1:]))


def n_finished(network):
    return len(vars(network).get("loss_curve_", []))


def within_epoch(network, epoch):
    """Hold from the end of the previous epoch on; epochs here have several chunks."""
    return lambda: n_finished(network) >= epoch - 1


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
    network = kind(**ENDLESS, **settings)
    n_rows = interrupted(lambda: network.fit(X, TARGETS[kind]))
    assert n_rows * n_multiplications(50, *settings["hidden_layer_sizes"]) <= MOST_OPERATIONS
    assert vars(network) == network.get_params()  # no epoch is finished


def test_an_interrupt_of_training_on_a_sparse_table_is_raised_at_once():
    table = sparse.random_array(
        (100_000, 2000), density=0.01, format="csr", rng=np.random.default_rng(0)
    )
    y = np.arange(100_000) % 7
    network = MLPClassifier(hidden_layer_sizes=500, **ENDLESS)
    n_rows = interrupted(lambda: network.fit(table, y))
    assert n_rows * n_multiplications(20, 500, 7) <= MOST_OPERATIONS  # of elements that are stored


@both_kinds
def test_an_interrupt_of_a_prediction_is_raised_at_once(kind):
    network = kind(hidden_layer_sizes=(1500, 1500), max_iter=1).fit(X[:20], TARGETS[kind][:20])
    network.predict(X[:20])
    n_rows = interrupted(lambda: network.predict(X))
    assert n_rows * n_multiplications(50, 1500, 1500) <= MOST_OPERATIONS
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
            _, errors = process.communicate(timeout=TOO_LONG)
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
    settings = {"hidden_layer_sizes": (100, 50), **ENDLESS, **settings}
    network = kind(**settings)
    interrupted(lambda: network.fit(X, TARGETS[kind]), within_epoch(network, 4))
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
    settings = {"hidden_layer_sizes": (100, 50), **ENDLESS, **settings, "warm_start": True}
    network = kind(**settings)
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
    network = kind(hidden_layer_sizes=(100, 50), solver=solver, max_iter=2, random_state=0).fit(
        X[:100], TARGETS[kind][:100]
    )
    before = copy.deepcopy(network)
    attributes = dict(vars(network))
    interrupted(lambda: network.fit(X, TARGETS[kind]))
    assert vars(network).keys() == attributes.keys()
    assert all(vars(network)[name] is value for name, value in attributes.items())
    assert_same_network(network, before)
    np.testing.assert_array_equal(network.predict(X[:200]), before.predict(X[:200]))


@both_kinds
def test_a_fitted_model_survives_an_interrupt_of_partial_fit(kind):
    network = kind(hidden_layer_sizes=(100, 50), max_iter=2, random_state=0).fit(
        X[:100], TARGETS[kind][:100]
    )
    before = copy.deepcopy(network)
    interrupted(lambda: network.partial_fit(X, TARGETS[kind]))
    assert_same_network(network, before)
    np.testing.assert_array_equal(network.predict(X[:200]), before.predict(X[:200]))
