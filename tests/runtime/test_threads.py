"""Threads that share a fit: the same bits for any number of them, and what may go wrong."""

import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import processes
import pytest
from reference import assert_same_weights, compiled_only
from scipy import sparse

import sknn._runtime.passes
import sknn._runtime.thread_count
import sknn._runtime.threads
from sknn import MLPClassifier
from sknn._engine import plan
from sknn._engine.structs import Run
from sknn._runtime.threads import (
    HelperGate,
    ParallelRunner,
    ThreadPool,
    new_scheduler,
    thread_pool,
    usable_cores,
    worthwhile_threads,
)

pytestmark = [compiled_only, pytest.mark.filterwarnings("ignore:Stochastic Optimizer")]

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 100)).astype(np.float32)
TOO_LONG = 100  # seconds, after which something hangs
NO_WORK = Run(*[None] * len(Run._fields))
y = (X[:, :5] @ rng.normal(size=(5, 4))).argmax(axis=1)
SETTINGS = {
    "adam": {},
    "float64, odd batches": {"dtype": "float64", "batch_size": 67},
    "sgd, tanh": {"solver": "sgd", "activation": "tanh", "learning_rate_init": 0.1},
    "wide": {"hidden_layer_sizes": (300, 17)},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "dropout": {"dropout": 0.3, "input_dropout": 0.2},
    "batch norm before": {"batch_norm": "before", "activation": ["relu", "logistic"]},
    "batch norm after, dropout": {"batch_norm": "after", "dropout": [0.0, 0.5]},
    "maxout": {"activation": "maxout", "maxout_pieces": 3},
    "clipped": {"max_grad_norm": 0.1},
    "L1": {"alpha": 0.1, "l1_ratio": 0.7, "solver": "rmsprop"},
    "early stopping": {"early_stopping": True},
    "split-K": {"hidden_layer_sizes": (300, 110), "batch_size": 24},
    "split-K, dropout, maxout": {
        "hidden_layer_sizes": (200, 100),
        "batch_size": 24,
        "dropout": 0.3,
        "input_dropout": 0.2,
        "activation": "maxout",
    },
    "split-K, batch norm": {
        "hidden_layer_sizes": (300, 100),
        "batch_size": 29,  # of 300 rows, so the last minibatch takes 10 more
        "batch_norm": True,
        "shuffle": False,
    },
    "learned scales": {"input_scale": 6.0, "parametrization": "ntk", "bias_lr_factor": 0.1},
    "shards of rows, learned scales": {
        "hidden_layer_sizes": (40,),
        "batch_size": 240,
        "input_scale": 6.0,
    },
    "linear path": {"skip": True},
    "shards of rows, linear path": {"hidden_layer_sizes": (40,), "batch_size": 240, "skip": True},
    "embedding": {"numeric_embedding": "pbld", "skip": True},
    "embedding, clipped, split-K": {
        "numeric_embedding": "pbld",
        "hidden_layer_sizes": (110,),
        "batch_size": 24,
        "max_grad_norm": 0.1,
    },
    "shards of rows, embedding, learned scales": {
        "numeric_embedding": "pbld",
        "hidden_layer_sizes": (40,),
        "batch_size": 240,
        "input_scale": 6.0,
    },
    "embedding, batch norm": {"numeric_embedding": "pbld", "batch_norm": True, "dropout": 0.1},
    "shards of rows": {"hidden_layer_sizes": (40,), "batch_size": 240},
    "shards of rows, dropout, clipped": {
        "hidden_layer_sizes": (40, 9),
        "batch_size": 240,
        "dropout": 0.3,
        "max_grad_norm": 0.1,
    },
}


@pytest.fixture
def cores(monkeypatch):
    """Return a function that sets the number of cores, which nobody else seems to want."""

    def set_cores(size):
        monkeypatch.setattr(sknn._runtime.threads, "usable_cores", lambda: size)
        monkeypatch.setattr(sknn._runtime.threads, "library_limit", lambda: sys.maxsize)
        monkeypatch.setattr(sknn._runtime.threads, "got_their_cores", lambda *times: True)

    return set_cores


@pytest.fixture
def sharing(monkeypatch, cores):
    """Return a function after which every fit runs on the given number of threads."""

    def share(size):
        cores(size)
        monkeypatch.setattr(sknn._runtime.threads, "_OPERATIONS", 1)
        monkeypatch.setattr(sknn._runtime.threads, "worthwhile_threads", lambda _, most: most)
        monkeypatch.setattr(sknn._runtime.passes, "MOST_THREADS", size)
        monkeypatch.setattr(sknn._runtime.thread_count, "_SLOW", np.inf)  # no trials
        monkeypatch.setattr(sknn._runtime.threads, "_DOUBTFUL_OPERATIONS", 0)
        monkeypatch.setattr(sknn._runtime.threads, "thread_pool", ThreadPool())
        sknn._runtime.threads.tuner_for.cache_clear()
        assert team_sizes(100) == {size}

    yield share
    sknn._runtime.threads.tuner_for.cache_clear()


def wait_for_helpers():
    """Return when all helpers have left what they were called for, and wait for more."""
    n_helpers = sknn._runtime.threads.usable_cores() - 1
    together = threading.Barrier(n_helpers + 1)
    sknn._runtime.threads.thread_pool.start(n_helpers, together.wait, TOO_LONG)
    together.wait(TOO_LONG)


def fit(data=X, kind=MLPClassifier, **settings):
    model = kind(
        **{"hidden_layer_sizes": (130, 100), "batch_size": 100, "max_iter": 3, "random_state": 0}
        | settings
    )
    return model.fit(data, y)


def assert_same(model, other):
    assert_same_weights(model, other)
    assert model.loss_curve_ == other.loss_curve_


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_weights_are_the_same_bits_for_any_number_of_threads(sharing, settings):
    sharing(1)
    alone = fit(**settings)
    for size in (2, 3, 8):
        sharing(size)
        assert_same(fit(**settings), alone)


@pytest.mark.parametrize("size", range(2, 9))
def test_blocks_that_follow_the_number_of_threads_change_no_bits(sharing, size):
    cuts = {
        plan.partition_weights(plan.Shape(100, 100, 200, n_threads), False)
        for n_threads in (1, size)
    }
    assert len(cuts) == (1 if size == 2 else 2)
    settings = {"hidden_layer_sizes": (200, 100), "alpha": 0.1}
    sharing(1)
    alone = fit(**settings)
    sharing(size)
    assert_same(fit(**settings), alone)


@pytest.mark.parametrize("batch_size", [24, 100])
def test_sparse_input_is_shared(sharing, batch_size):
    data = sparse.csr_array(X * (np.abs(X) > 1))
    sharing(1)
    alone = fit(data, input_dropout=0.2, batch_size=batch_size)
    for size in (2, 3):
        sharing(size)
        assert_same(fit(data, input_dropout=0.2, batch_size=batch_size), alone)


def test_several_fits_at_once_give_what_each_gives_alone(sharing):
    sharing(2)
    expected = [fit(random_state=seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        for model, other in zip(
            pool.map(lambda seed: fit(random_state=seed), range(6)), expected, strict=True
        ):
            assert_same(model, other)


# ---- what may go wrong -------------------------------------------------------------------------


def test_threads_that_cannot_start_are_not_needed(sharing, monkeypatch):
    sharing(1)
    alone = fit()
    sharing(3)

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert_same(fit(), alone)
    assert_same(fit(), alone)


def test_helpers_that_come_when_all_is_done_change_nothing(sharing, monkeypatch):
    sharing(1)
    alone = fit()
    sharing(2)
    late = []
    start = sknn._runtime.threads.thread_pool.start
    monkeypatch.setattr(sknn._runtime.threads.thread_pool, "start", lambda *job: late.append(job))
    model = fit()
    for job in late:
        start(*job)
    sknn._runtime.threads.thread_pool._executor.shutdown()
    assert late
    assert_same(model, alone)


def entry_that_raises(in_helper, stopped):
    """Return an entry point that raises in one kind of thread and waits to be stopped in the
    other, which is noted in ``stopped``."""
    caller = threading.get_ident()
    started = threading.Event()

    def entry(work, n_rows, batch_size):
        if (threading.get_ident() != caller) == in_helper:
            started.wait(TOO_LONG)
            raise FloatingPointError("this thread")
        started.set()
        deadline = time.monotonic() + TOO_LONG
        while work.scheduler.stop[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.001)
        stopped.append(bool(work.scheduler.stop[0]))
        return 0

    return entry


@pytest.mark.parametrize("in_helper", [False, True])
def test_an_error_stops_the_whole_team_and_is_raised(sharing, in_helper):
    sharing(2)
    stopped = []
    with pytest.raises(FloatingPointError, match="this thread"):
        ParallelRunner(entry_that_raises(in_helper, stopped), 10**9, 1).run(NO_WORK, 1, 10, 10)
    assert stopped == [True]


def test_divergence_ends_as_it_does_alone(sharing):
    for size in (1, 3):
        sharing(size)
        with pytest.raises(ValueError, match="learning_rate_init"):
            fit(learning_rate_init=1e30)
        with pytest.raises(ValueError, match="learning_rate_init"):
            fit(learning_rate_init=1e30, solver="sgd", batch_size=30)
    assert sknn._runtime.threads.thread_pool.n_fits == 0


def test_no_thread_is_busy_after_a_fit(sharing):
    sharing(3)
    fit()
    wait_for_helpers()


@pytest.mark.skipif(
    sknn._runtime.threads.current_core is None or len(os.sched_getaffinity(0)) < 2,
    reason="threads cannot be placed here",
)
@pytest.mark.parametrize("is_allowed", [True, False])
def test_helpers_leave_the_core_of_the_thread_that_calls_them(is_allowed, monkeypatch):
    monkeypatch.setattr(sknn._runtime.threads, "usable_cores", lambda: 2)  # so there is one helper
    cores = os.sched_getaffinity(0)
    helpers = ThreadPool()
    found = []
    placed = []
    if not is_allowed:
        monkeypatch.setattr(os, "sched_setaffinity", refuse)
    for core in (None, *sorted(cores)[:2]):  # the first call makes the thread
        monkeypatch.setattr(sknn._runtime.threads, "current_core", lambda core=core: core)
        finished = threading.Event()
        helpers.start(
            1, lambda finished=finished: (found.append(os.sched_getaffinity(0)), finished.set())
        )
        assert finished.wait(TOO_LONG)
        placed.append(cores - {core} if is_allowed else cores)
    assert found == placed
    assert os.sched_getaffinity(0) == cores


def refuse(thread, cores):
    raise PermissionError


def fit_in_child(queue):
    queue.put(fit().loss_)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_after_a_fit(sharing):
    sharing(2)
    model = fit()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=fit_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=TOO_LONG) == model.loss_
    child.join(TOO_LONG)
    assert child.exitcode == 0


# ---- how many ----------------------------------------------------------------------------------


def team_sizes(n_operations, n_chunks=1):
    """Return the sizes of the teams that a runner forms for its last chunk."""
    sizes = []

    def entry(work, n_rows, batch_size):
        sizes.append(work.scheduler.n_threads)
        return n_rows

    runner = ParallelRunner(entry, n_operations, 1)
    for _ in range(n_chunks):
        sizes.clear()
        runner.run(NO_WORK, 1, 10, 10)
    return set(sizes)


def test_small_steps_stay_on_one_thread(cores):
    cores(4)
    assert team_sizes(sknn._runtime.threads._OPERATIONS) == {1}
    assert team_sizes(3 * sknn._runtime.threads._OPERATIONS) == {3}
    assert team_sizes(30 * sknn._runtime.threads._OPERATIONS) == {4}


@pytest.mark.parametrize(
    ("n_operations", "most", "expected"),
    [(10**9, 1, 1), (10**9, 5, 4), (10**9, 60, 32), (10**10, 64, 64), (10**8, 64, 24)],
)
def test_large_steps_take_no_more_threads_than_make_them_faster(n_operations, most, expected):
    assert worthwhile_threads(n_operations, most) == expected


def test_fits_at_once_share_the_cores(cores):
    cores(4)
    with thread_pool.counted_fit():
        assert team_sizes(10**9) == {4}
        with thread_pool.counted_fit():
            assert team_sizes(10**9) == {2}
            with thread_pool.counted_fit(), thread_pool.counted_fit(), thread_pool.counted_fit():
                assert team_sizes(10**9) == {1}
    assert thread_pool.n_fits == 0


def test_a_failing_fit_is_no_longer_counted():
    with pytest.raises(ValueError, match="learning_rate_init"):
        fit(learning_rate_init=1e30)
    assert thread_pool.n_fits == 0


def count_cores():
    return usable_cores()


@pytest.mark.parametrize("variable", ["LOKY_MAX_CPU_COUNT", "NUMBA_NUM_THREADS"])
def test_limits_of_others_are_kept(variable):
    assert processes.run(count_cores, **{variable: "1"}).value == 1


def cores_under_later_limits():
    before = usable_cores()
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"
    by_variable = usable_cores()
    del os.environ["LOKY_MAX_CPU_COUNT"]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return before, by_variable, usable_cores()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_limits_that_are_set_later_are_kept():
    before, *after = processes.run(cores_under_later_limits).value
    assert before >= 1
    assert after == [1, 1]


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "SKNN_NUM_THREADS"])
def test_limits_in_the_environment_are_kept(variable, monkeypatch):
    monkeypatch.setattr(sknn._runtime.threads, "_count_cores", lambda *limits: 8)
    monkeypatch.setattr(sknn._runtime.threads, "MOST_THREADS", 8)
    for name in ("OMP_NUM_THREADS", "SKNN_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for value, expected in [("1", 1), ("3,2", 3), ("12", 8), ("", 8), ("0", 8), ("many", 8)]:
        monkeypatch.setenv(variable, value)
        assert usable_cores() == expected


def test_a_runner_leaves_the_cores_to_others_until_one_is_free(sharing, monkeypatch):
    sharing(2)
    free = [True]
    monkeypatch.setattr(sknn._runtime.threads, "is_core_free", lambda: free[-1])
    monkeypatch.setattr(sknn._runtime.threads, "got_their_cores", lambda *arguments: free[-1])
    runner = ParallelRunner(lambda work, n_rows, batch_size: n_rows, 10**9, 1)
    found = []
    for is_free in (True, False, False, False, True, True):
        free.append(is_free)
        found.append(runner._tuner.n_threads)
        runner.run(NO_WORK, 1, 10, 10)
        deadline = time.monotonic() + TOO_LONG
        while runner._is_looking and time.monotonic() < deadline:
            time.sleep(0.001)
    assert found == [2, 2, 1, 1, 1, 2]


def test_runners_of_equal_steps_share_a_tuner(sharing):
    sharing(2)
    runners = [
        ParallelRunner(sknn._training.minibatches.entry_points.train, n_operations, 3)
        for n_operations in (4_000_000, 4_000_000, 5_000_000)
    ]
    assert runners[0]._tuner is runners[1]._tuner is not runners[2]._tuner


def test_an_interrupt_while_helpers_start_lets_none_of_them_go_on(sharing, monkeypatch):
    sharing(3)
    expected = fit(max_iter=1)
    start = sknn._runtime.threads.thread_pool.start
    calls = []

    def interrupted(*job):
        start(*job)
        calls.append(job)
        if len(calls) == 2:  # epoch by epoch
            raise KeyboardInterrupt

    monkeypatch.setattr(sknn._training.minibatches, "_OPERATIONS_AT_ONCE", 0)
    monkeypatch.setattr(sknn._runtime.threads.thread_pool, "start", interrupted)
    model = MLPClassifier((130, 100), batch_size=100, max_iter=3, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    after = [coef.copy() for coef in model.coefs_]
    wait_for_helpers()
    for coef, kept, other in zip(model.coefs_, after, expected.coefs_, strict=True):
        np.testing.assert_array_equal(coef, kept)
        np.testing.assert_array_equal(coef, other)


def test_a_closed_gate_lets_no_helper_in():
    team = new_scheduler(2, 0)
    calls = []
    gate = HelperGate(team)
    gate.help(calls.append, ("in time",))
    gate.close(stop=False)
    gate.help(calls.append, ("too late",))
    assert calls == ["in time"]
