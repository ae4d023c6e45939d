"""Limits that threadpoolctl sets hold for networks, and the one of lbfgs is taken back."""

import multiprocessing
import os
import sys

import pytest
import threadpoolctl
from reference import compiled_only
from test_threads import fit, team_sizes

import sknn._runtime.threads
from sknn._runtime import thread_limits
from sknn._runtime.thread_limits import library_limit, single_blas_thread

pytestmark = [compiled_only, pytest.mark.filterwarnings("ignore:(Stochastic|lbfgs)")]


class Library:
    def __init__(self, number):
        self.num_threads = number


class Libraries:
    """Stands for a controller of threadpoolctl."""

    def __init__(self, *numbers):
        self.lib_controllers = [Library(number) for number in numbers]


@pytest.fixture
def four_cores(monkeypatch):
    """Return a function that sets the numbers of threads of two BLAS libraries and of OpenMP."""

    def set_numbers(first, second, openmp):
        monkeypatch.setattr(thread_limits, "_blas", Libraries(first, second))
        monkeypatch.setattr(thread_limits, "_openmp", Libraries(openmp))

    monkeypatch.setattr(sknn._runtime.threads, "usable_cores", lambda: 4)
    monkeypatch.setattr(thread_limits, "_blas_at_import", [4, 2])
    monkeypatch.setattr(thread_limits, "_openmp_without_limits", [4])
    set_numbers(4, 2, 4)
    return set_numbers


def test_limits_count_that_have_been_lowered(four_cores):
    for numbers, expected in [
        ((4, 2, 4), sys.maxsize),
        ((4, 1, 4), 1),
        ((3, 2, 4), 3),
        ((4, 2, 2), 2),
        ((4, 2, 8), sys.maxsize),
        ((None, 2, None), sys.maxsize),
        ((8, 8, 8), sys.maxsize),
    ]:
        four_cores(*numbers)
        assert library_limit() == expected, numbers


def test_a_limit_holds_for_the_chunks_within_it_only(four_cores):
    assert team_sizes(10**9) == {4}
    four_cores(3, 2, 4)
    assert team_sizes(10**9) == {3}
    four_cores(4, 2, 4)
    assert team_sizes(10**9) == {4}


@pytest.fixture
def without_limits(monkeypatch):
    """Let the libraries seem to have begun with two threads, also where they have only one."""
    for name in ("_blas_at_import", "_openmp_without_limits"):
        monkeypatch.setattr(thread_limits, name, [2] * len(getattr(thread_limits, name)))


@pytest.mark.usefixtures("without_limits")
@pytest.mark.parametrize("settings", [{}, {"user_api": "blas"}, {"user_api": "openmp"}])
def test_limits_of_threadpoolctl_hold(settings):
    if not threadpoolctl.ThreadpoolController().select(**settings or {"user_api": "blas"}):
        pytest.skip("no such library is loaded")
    before = library_limit()
    with threadpoolctl.threadpool_limits(1, **settings):
        assert library_limit() == 1
    assert library_limit() == before


@pytest.mark.usefixtures("without_limits")
def test_lbfgs_is_not_limited_by_its_own_limit_on_blas(monkeypatch):
    before = library_limit()
    seen = set()

    def note():
        seen.add(library_limit())
        return 2

    monkeypatch.setattr(sknn._runtime.threads, "library_limit", note)
    monkeypatch.setattr(sknn._runtime.threads, "usable_cores", lambda: 2)
    fit(solver="lbfgs", hidden_layer_sizes=(256, 256), max_iter=2)
    assert seen == {before}
    with threadpoolctl.threadpool_limits(1, user_api="blas"), single_blas_thread:
        assert library_limit() == 1
    assert library_limit() == before


def blas_threads_of_a_child(queue):
    queue.put((thread_limits._read(thread_limits._blas), single_blas_thread.others))
    with single_blas_thread:
        queue.put(thread_limits._read(thread_limits._blas))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_does_not_inherit_the_limit_of_its_parents_fits():
    before = thread_limits._read(thread_limits._blas)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with single_blas_thread, single_blas_thread._lock:  # as if another thread held it
        child = context.Process(target=blas_threads_of_a_child, args=(queue,))
        child.start()
        child.join(100)
    assert child.exitcode == 0
    assert queue.get() == (before, None)
    assert set(queue.get()) <= {1}
    assert thread_limits._read(thread_limits._blas) == before
