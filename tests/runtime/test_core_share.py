"""Threads that share their cores with others are recognized by their processor time."""

import math
import sys
import threading
import time

import numpy as np
import pytest

from sknn._runtime import core_share
from sknn._runtime.core_share import (
    got_their_cores,
    is_core_free,
    is_second_core_free,
    thread_seconds,
)


@pytest.mark.parametrize(
    ("n_threads", "used", "seconds", "expected"),
    [
        (1, 0.030, 0.030, True),
        (1, 0.015, 0.030, False),
        (3, 0.085, 0.030, True),
        (3, 0.045, 0.030, False),
        (1, 0.0, 0.001, True),  # too short to tell
        (1, math.nan, 0.030, True),  # unknown
    ],
)
def test_helpers_had_their_cores_if_they_used_most_of_the_time(n_threads, used, seconds, expected):
    assert got_their_cores(n_threads, used, seconds) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="known on Linux only")
def test_processor_time_of_a_thread():
    thread = threading.get_native_id()
    started = time.thread_time()
    before = thread_seconds(thread)
    np.sort(np.arange(200_000)[::-1])
    after = thread_seconds(thread)
    assert started <= before < after <= time.thread_time()  # the same clock
    assert math.isnan(thread_seconds(2**22 + 1))  # there is no such thread


@pytest.mark.parametrize(("share", "expected"), [(1.0, True), (0.9, True), (0.5, False)])
def test_a_core_is_free_if_work_gets_its_time(monkeypatch, share, expected):
    class Clock:
        now = 0.0

        def perf_counter(self):
            Clock.now += 0.001
            return Clock.now

        def thread_time(self):
            return share * Clock.now

    monkeypatch.setattr(core_share, "time", Clock())
    assert is_core_free() == expected


def test_both_cores_must_be_free(monkeypatch):
    looks = iter([True, False, True, True])
    monkeypatch.setattr(core_share, "is_core_free", lambda: next(looks))
    assert is_second_core_free()
    assert list(looks) == []
    monkeypatch.setattr(
        core_share, "is_core_free", lambda: threading.current_thread() is threading.main_thread()
    )
    assert not is_second_core_free()


def test_a_thread_that_cannot_start_means_no_core(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert not is_second_core_free()
