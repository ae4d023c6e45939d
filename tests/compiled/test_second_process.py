"""A second process that shares jobs: whatever happens to it, it ends and is reaped."""

import contextlib
import gc
import multiprocessing
import os
import pickle
import selectors
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from processes import start
from reference import compiled_only

from sknn._compiled import second_process
from sknn._compiled.cache import FILES
from sknn._compiled.second_process import SecondProcess, can_have_second_process

pytestmark = [
    compiled_only,
    pytest.mark.skipif(os.name != "posix", reason="there is a second process on POSIX only"),
]
LONG = 1000  # seconds


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Wait for a second process however slow this machine is."""
    monkeypatch.setattr(second_process, "_LEAST_PATIENCE", LONG)


def is_there(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def is_running(process):
    """Return whether a process is there and has not ended, which nobody may have waited for."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return is_there(process)  # on a system without this folder
    return status.rpartition(")")[2].split()[0] != "Z"


def open_descriptors():
    gc.collect()  # what earlier tests have left may be closed at any time
    return set(os.listdir("/dev/fd"))


@contextlib.contextmanager
def sharing(function, jobs, **settings):
    """Share jobs in the block; after it, neither the process nor a descriptor may be left."""
    before = open_descriptors()
    try:
        with SecondProcess(function, jobs, **settings) as second:
            process = second._process.pid
            assert is_there(process)
            yield second
    finally:
        assert not is_there(process)
        assert open_descriptors() <= before


def make_folder_when_allowed(path):
    """Make a folder as soon as there is a file beside it that is called "begin"."""
    deadline = time.monotonic() + LONG
    while not Path(path).with_name("begin").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    os.mkdir(path)


def test_the_second_process_does_what_this_one_does_not_take(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    jobs = [str(tmp_path / str(i)) for i in range(300)]
    with sharing(make_folder_when_allowed, jobs, is_light=False) as second:
        own = [next(second.numbers()) for _ in range(3)]
        assert list(second.finished()) == []
        (tmp_path / "begin").touch()
        done, seconds = zip(*second.finished(wait=True), strict=True)
        assert list(second.numbers()) == []
    assert own == [0, 1, 2]
    assert list(done) == list(range(299, 2, -1))
    assert min(seconds) >= 0
    assert len(list(tmp_path.glob("[0-9]*"))) == 297


class SlowToLoad:
    """A job that takes a second process a long time to read, before it can take it."""

    def __reduce__(self):
        return time.sleep, (LONG,)


def test_nobody_waits_for_jobs_of_its_own():
    with sharing(time.sleep, [SlowToLoad(), SlowToLoad()]) as second:
        assert list(second.numbers()) == [0, 1]
        assert list(second.finished(wait=True)) == []


def test_a_second_process_that_fails_leaves_the_rest():
    with sharing(os._exit, [1, 1, 1]) as second:
        assert list(second.finished(wait=True)) == []
        assert list(second.numbers()) == [0, 1]


def test_a_second_process_that_is_killed(monkeypatch):
    with sharing(time.sleep, [LONG, 0]) as second:
        finished = second.finished(wait=True)
        assert next(finished)[0] == 1
        os.kill(second._process.pid, signal.SIGKILL)
        assert list(finished) == []


def test_a_second_process_that_hangs_is_waited_for_as_long_as_it_has_lasted(monkeypatch):
    monkeypatch.setattr(second_process, "_LEAST_PATIENCE", 0.1)
    started = time.monotonic()
    with sharing(time.sleep, [LONG]) as second:
        assert list(second.finished(wait=True)) == []
    assert time.monotonic() - started < 60


def test_other_sources_than_those_of_the_first_process_are_not_compiled(monkeypatch):
    monkeypatch.setattr(second_process, "STAMP", "of older sources")
    with sharing(time.sleep, [0]) as second:
        assert list(second.finished(wait=True)) == []


@pytest.mark.parametrize(
    ("where", "name", "error"),
    [
        (subprocess, "Popen", PermissionError),
        (pickle, "dump", pickle.PicklingError),
        (os, "pipe", OSError),
    ],
)
def test_without_a_second_process_this_one_does_all(monkeypatch, where, name, error):
    def refuse(*command, **settings):
        raise error("no more processes")

    monkeypatch.setattr(where, name, refuse)
    before = open_descriptors()
    with SecondProcess(time.sleep, [0, 0]) as second:
        assert list(second.numbers()) == [0, 1]
        assert list(second.finished(wait=True)) == []
    assert open_descriptors() <= before


@pytest.fixture
def interruptible():
    """Let SIGINT interrupt this process, also where a shell has started it in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_of_the_wait_leaves_no_process(interruptible, monkeypatch):
    select = selectors.DefaultSelector.select

    def select_and_be_interrupted(selector, patience):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        return select(selector, patience)

    monkeypatch.setattr(selectors.DefaultSelector, "select", select_and_be_interrupted)
    with sharing(time.sleep, [LONG]) as second, pytest.raises(KeyboardInterrupt):
        list(second.finished(wait=True))


@pytest.mark.parametrize("here", ["", "."])
def test_modules_in_the_current_folder_are_not_imported(tmp_path, monkeypatch, here):
    """A notebook looks there first, but has imported the standard library before."""
    for name in ("pickle", "types", "random", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [here, *filter(None, sys.path)])
    with sharing(time.sleep, [0]) as second:
        assert [number for number, _ in second.finished(wait=True)] == [0]
    assert not (tmp_path / "imported").exists()


def test_what_is_printed_is_no_result(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "utf-16")
    with sharing(print, ["nothing", "0 1.0"]) as second:
        assert [number for number, _ in second.finished(wait=True)] == [1, 0]


def test_an_interrupt_of_the_start_leaves_no_process(monkeypatch):
    processes = []
    start_process = subprocess.Popen

    def start_and_be_interrupted(*command, **settings):
        processes.append(start_process(*command, **settings))
        raise KeyboardInterrupt

    monkeypatch.setattr(FILES, "may_be_written", lambda: True)
    monkeypatch.setattr(subprocess, "Popen", start_and_be_interrupted)
    before = open_descriptors()
    second = SecondProcess(time.sleep, [0, 0])
    assert can_have_second_process()  # an interrupt before the block would leave it as it is
    with pytest.raises(KeyboardInterrupt), second:
        pass
    assert open_descriptors() <= before
    assert can_have_second_process()
    processes[0].wait(LONG)  # it ends by itself, as nobody takes its results


def share_and_be_killed():
    second_process._LEAST_PATIENCE = LONG
    with SecondProcess(time.sleep, 100 * [0.1]) as second:
        next(second.finished(wait=True))
        print(second._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_second_process_ends_after_its_parent():
    output, _ = start(share_and_be_killed).communicate()
    deadline = time.monotonic() + 60
    while is_running(int(output)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- where there may be one ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (sys, "executable", ""),
        (sys, "executable", None),
        (sys, "executable", "/usr/bin/uwsgi"),
        (sys, "frozen", True),
        (second_process, "_IS_POSIX", False),
        (second_process, "INTERPRETED", True),
        (multiprocessing, "parent_process", lambda: "a process"),
        (FILES, "may_be_written", lambda: False),
    ],
    ids=str,
)
def test_where_there_is_no_second_process(monkeypatch, where, name, value):
    monkeypatch.setattr(FILES, "may_be_written", lambda: True)
    assert can_have_second_process()
    monkeypatch.setattr(where, name, value, raising=False)
    assert not can_have_second_process()


def test_one_second_process_is_enough(monkeypatch):
    monkeypatch.setattr(FILES, "may_be_written", lambda: True)
    assert can_have_second_process()
    with sharing(time.sleep, [0]) as second:
        assert not can_have_second_process()
        list(second.finished(wait=True))
    assert can_have_second_process()


def refuse_a_third(_):
    if can_have_second_process():
        os._exit(1)


def test_a_second_process_starts_no_third(monkeypatch):
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    with sharing(refuse_a_third, [0], is_light=False) as second:
        assert len(list(second.finished(wait=True))) == 1
