"""Threads claim every block once, steal from each other, and wait for each other."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
import threadpoolctl
from reference import bits, compiled_only

from sknn import MLPClassifier
from sknn._compiled.intrinsics import atomic_add
from sknn._compiled.jit import jit
from sknn._engine import entry_points
from sknn._engine.plan import count_phases, partition_in_order
from sknn._engine.scheduler import (
    CACHE_LINE,
    claim_block,
    count_counters,
    make_phase,
    number_thread,
)
from sknn._engine.structs import Scheduler

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

TOO_LONG = 100  # seconds, after which something hangs
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 100)).astype(np.float32)
y = (X[:, :5] @ rng.normal(size=(5, 4))).argmax(axis=1)


def new_scheduler(n_threads, n_phases):
    counters = np.zeros(count_counters(n_phases, n_threads), np.int64)
    n_begun = np.zeros(n_threads * CACHE_LINE, np.int64)
    discarded = np.zeros(n_threads * CACHE_LINE)
    n_arrived, stop = np.zeros((2, 1), np.int64)
    return Scheduler(n_threads, counters, n_begun, discarded, n_arrived, stop)


def count_done(scheduler):
    """Return how many blocks of each phase are done."""
    counters = scheduler.counters.reshape(-1, scheduler.n_threads + 1, CACHE_LINE)
    return counters[:, -1, 0].tolist()


def count_begun(scheduler):
    """Return how many phases each thread has begun."""
    return scheduler.n_begun[::CACHE_LINE].tolist()


# ---- claims --------------------------------------------------------------------------------------


@jit
def claim(scheduler, thread, phase, n_blocks, previous):
    return claim_block(scheduler, thread, phase, n_blocks, previous)


def claimed_by(scheduler, thread, phase, n_blocks):
    """Return the blocks that a thread claims if it is alone from now on."""
    blocks = [claim(scheduler, thread, phase, n_blocks, -1)]
    while blocks[-1] < n_blocks:
        blocks.append(claim(scheduler, thread, phase, n_blocks, blocks[-1]))
    assert blocks.pop() == n_blocks
    return blocks


def test_a_thread_claims_its_own_blocks_first_and_then_steals():
    scheduler = new_scheduler(3, 2)
    assert claimed_by(scheduler, 1, 0, 8) == [1, 4, 7, 2, 5, 0, 3, 6]
    assert claimed_by(scheduler, 2, 0, 8) == []
    assert claimed_by(scheduler, 2, 1, 8) == [2, 5, 0, 3, 6, 1, 4, 7]  # phases do not mix


def test_one_thread_claims_blocks_in_order_without_counters():
    nothing = np.zeros(0, np.int64)
    scheduler = Scheduler(1, nothing, nothing, np.zeros(0), nothing, nothing)
    assert claimed_by(scheduler, 0, 5, 4) == [0, 1, 2, 3]


@pytest.mark.parametrize("n_threads", [2, 3, 8, 64])
@pytest.mark.parametrize("n_blocks", [1, 2, 7, 100])
def test_threads_that_take_turns_claim_every_block_once(n_threads, n_blocks):
    scheduler = new_scheduler(n_threads, 1)
    claimed = []
    for turn in range(n_threads * n_blocks + n_threads):
        block = claim(scheduler, turn % n_threads, 0, n_blocks, -1)
        if block < n_blocks:
            claimed.append(block)
            if n_blocks >= n_threads and turn < n_threads:
                assert block == turn  # everyone starts with a block of its own
    assert sorted(claimed) == list(range(n_blocks))


# ---- phases --------------------------------------------------------------------------------------


class Counts(NamedTuple):
    scheduler: Scheduler
    blocks: np.ndarray  # how often each block has been computed
    alone: np.ndarray  # calls of what one thread does for all


class Caller(NamedTuple):
    thread: int
    n_blocks: int


@jit
def cut(run, batch):
    return partition_in_order(batch.n_blocks, 1)


@jit
def count_block(run, batch, blocks, number):
    atomic_add(run.blocks, number, 1)


@jit
def count_call(run, batch, blocks, number, increment):
    run.alone[0] += increment


run_all = make_phase(cut, count_block)
run_alone = make_phase(None, count_call)


@jit
def run_phases(run, n_phases, n_blocks):
    """Run phases of many blocks and, in between, phases of one."""
    thread = number_thread(run.scheduler)
    batch = Caller(thread, n_blocks)
    for _ in range(n_phases // 2):
        run_all(run, batch)
        run_alone(run, batch, np.int64(3))
    return thread


def new_counts(n_threads, n_phases, n_blocks):
    scheduler = new_scheduler(n_threads, n_phases)
    return Counts(scheduler, np.zeros(n_blocks, np.int64), np.zeros(1, np.int64))


@compiled_only
@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
@pytest.mark.parametrize("n_blocks", [1, 2, 50])
def test_every_block_of_every_phase_is_computed_once(n_threads, n_blocks):
    run = new_counts(n_threads, 40, n_blocks)
    with ThreadPoolExecutor(n_threads) as pool:
        numbers = list(pool.map(lambda _: run_phases(run, 40, n_blocks), range(n_threads)))
    assert sorted(numbers) == list(range(n_threads))
    assert run.blocks.tolist() == [20] * n_blocks
    assert run.alone[0] == 3 * 20
    if n_threads > 1:
        assert count_done(run.scheduler) == [n_blocks, 1] * 20
        assert count_begun(run.scheduler) == [40] * n_threads


def test_one_thread_does_everything_if_the_others_do_not_come():
    run = new_counts(3, 10, 8)
    assert run_phases(run, 10, 8) == 0
    assert run.blocks.tolist() == [5] * 8
    assert run.alone[0] == 3 * 5


def test_a_late_thread_finds_nothing_left():
    run = new_counts(2, 10, 8)
    run_phases(run, 10, 8)
    assert run_phases(run, 10, 8) == 1
    assert run.blocks.tolist() == [5] * 8


@compiled_only
def test_a_thread_waits_until_claimed_blocks_are_done_or_all_have_to_stop():
    run = new_counts(2, 2, 8)
    assert claim(run.scheduler, 1, 0, 8, -1) == 1  # by a thread that does not go on
    waiting = threading.Thread(target=run_phases, args=(run, 2, 8), daemon=True)
    waiting.start()
    deadline = time.monotonic() + TOO_LONG
    while run.blocks.sum() < 7 and time.monotonic() < deadline:
        time.sleep(0.001)
    waiting.join(0.05)  # in which it could go on
    assert waiting.is_alive()
    assert run.blocks.tolist() == [1, 0, 1, 1, 1, 1, 1, 1]
    assert run.alone[0] == 0
    run.scheduler.stop[0] = 1
    waiting.join(TOO_LONG)
    assert not waiting.is_alive()


# ---- training ------------------------------------------------------------------------------------


def vectors_of_training(run):
    """Return what training changes: weights and the optimizer's state."""
    return run.network.weights, run.update.state_0, run.update.state_1, run.update.state_2


def capture_run(monkeypatch, model):
    """Return the arguments of the first call of ``train`` in a fit with one thread, as they were,
    and the weights after it.
    """
    calls = []
    train = entry_points.train

    def catch(run, *arguments):
        before = [vector.copy() for vector in vectors_of_training(run)]
        n_done = train(run, *arguments)
        calls.append((run, arguments, before, run.network.weights.copy()))
        return n_done

    monkeypatch.setattr(entry_points, "train", catch)
    with threadpoolctl.threadpool_limits(1):
        model.fit(X, y)
    monkeypatch.undo()
    run, arguments, before, weights = calls[0]
    for vector, values in zip(vectors_of_training(run), before, strict=True):
        vector[:] = values
    return run, arguments, weights


@compiled_only
def test_any_threads_together_train_like_one(monkeypatch):
    model = MLPClassifier((130, 100), batch_size=100, max_iter=1, random_state=0, shuffle=False)
    run, (n_rows, *others, losses), expected = capture_run(monkeypatch, model)
    assert n_rows == 300
    assert (bits(run.network.weights) != bits(expected)).any()
    run = run._replace(scheduler=new_scheduler(3, 3 * count_phases(3)))
    with ThreadPoolExecutor(3) as pool:
        done = pool.map(
            lambda _: entry_points.train(run, n_rows, *others, np.zeros_like(losses)), range(3)
        )
    assert list(done) == [300] * 3
    np.testing.assert_array_equal(bits(run.network.weights), bits(expected))
    assert sum(count_done(run.scheduler)) > 3 * 8
    assert set(count_begun(run.scheduler)) == {3 * 7 + 1}
    assert 3 * count_phases(3) >= 21


@compiled_only
def test_training_by_a_late_thread_changes_nothing(monkeypatch):
    model = MLPClassifier((130,), batch_size=300, max_iter=1, random_state=0)
    run, (n_rows, *others, losses), expected = capture_run(monkeypatch, model)
    run = run._replace(scheduler=new_scheduler(2, count_phases(2)))
    run.scheduler.counters[:] = 10**6
    before = run.network.weights.copy()
    assert entry_points.train(run, n_rows, *others, losses) == n_rows
    np.testing.assert_array_equal(bits(run.network.weights), bits(before))
    assert (bits(before) != bits(expected)).any()
