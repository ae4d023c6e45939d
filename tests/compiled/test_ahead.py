"""Compilation of several kernels by two processes, and when that is not worth it."""

import numpy as np
import pytest
from numba.core import event
from processes import finish, run, start
from reference import compiled_only

from sknn._compiled import ahead, second_process
from sknn._compiled.ahead import compile_together, is_missing, task_of_part
from sknn._compiled.kinds import OPTIMIZER_STEP, PENALTY
from sknn._compiled.progress import compilation_report
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.optimizers import OPTIMIZERS
from sknn.parts.regularizers import REGULARIZERS

pytestmark = compiled_only
SINGLE = np.dtype("float32")


def tasks():
    steps = [task_of_part(OPTIMIZER_STEP, part.step, SINGLE) for part in OPTIMIZERS.values()]
    penalties = [task_of_part(PENALTY, part.penalize, SINGLE) for part in REGULARIZERS.values()]
    return [*steps, *penalties]


def compile_some():
    """Return whether all was missing, what this process compiled, what is missing, the message."""
    second_process._LEAST_PATIENCE = 1000  # seconds: wait for it however slow this machine is
    kernels = tasks()
    was_missing = all(map(is_missing, kernels))
    messages = []
    compilation_report._say = messages.append
    with (
        event.install_recorder("numba:compile") as recorder,
        compilation_report.during(verbose=False),
    ):
        compile_together(kernels, lambda: True)
    compiled = {note.data["dispatcher"].py_func.__name__ for _, note in recorder.buffer}
    own = [task.name for task in kernels if task.name in compiled]
    return was_missing, own, sum(map(is_missing, kernels)), messages


def test_a_process_and_its_second_one(tmp_path):
    was_missing, own, n_missing, messages = run(compile_some, NUMBA_CACHE_DIR=tmp_path).value
    assert was_missing
    assert own  # it does not only wait for the other one
    assert n_missing == 0
    assert f"Compiled {len(tasks())} kernels in" in messages[-1]
    later = run(compile_some, NUMBA_CACHE_DIR=tmp_path).value
    assert later == [False, [], 0, []]


def test_two_processes_with_an_empty_cache(tmp_path):
    """Both may begin at once: each has a second process, and all may compile the same."""
    processes = [start(compile_some, NUMBA_CACHE_DIR=tmp_path) for _ in range(2)]
    outcomes = [finish(process) for process in processes]
    assert [(outcome.value[2], outcome.n_warnings) for outcome in outcomes] == [(0, 0), (0, 0)]
    was_missing, own, n_missing, messages = run(compile_some, NUMBA_CACHE_DIR=tmp_path).value
    assert (was_missing, own, n_missing, messages) == (False, [], 0, [])


def test_closures_have_no_name_that_other_processes_know():
    part = ACTIVATIONS["relu"]
    assert task_of_part(PENALTY, part.forward, SINGLE) is None


@pytest.mark.parametrize(
    ("n_missing", "can_have", "is_core_free", "is_compiled"),
    [
        (ahead._LEAST_KERNELS, True, True, True),
        (ahead._LEAST_KERNELS - 1, True, True, False),
        (ahead._LEAST_KERNELS, False, True, False),
        (ahead._LEAST_KERNELS, True, False, False),
    ],
)
def test_what_a_second_process_takes(monkeypatch, n_missing, can_have, is_core_free, is_compiled):
    started = []

    class Second:
        def __init__(self, function, jobs):
            started.append(jobs)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def numbers(self):
            return []

        def finished(self, *, wait):
            return []

    monkeypatch.setattr(ahead, "SecondProcess", Second)
    monkeypatch.setattr(ahead, "can_have_second_process", lambda: can_have)
    missing = [task for task in tasks() if task is not None][:n_missing]
    monkeypatch.setattr(ahead, "is_missing", lambda task: task in missing)
    compile_together([*tasks(), None], lambda: is_core_free)
    assert started == ([missing] if is_compiled else [])
