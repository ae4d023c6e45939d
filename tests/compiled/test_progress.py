"""Messages about compilation: which calls say what, and which stay silent."""

import logging
import os
import threading

import numpy as np
import pytest
from reference import compiled_only

from sknn import Activation, MLPClassifier, _prediction
from sknn._compiled import cache as cache_module
from sknn._compiled import cache_folder, progress
from sknn._compiled.cache_folder import FileSet, cache_directory
from sknn._compiled.jit import jit
from sknn._compiled.progress import CompilationReport
from sknn._runtime.prediction_cache import network_for

X = np.eye(6)
CLASSES = np.arange(6) % 3


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, "sknn")
    return caplog


@pytest.fixture
def clock(monkeypatch):
    """Return a list with the time, in seconds, that the reports see."""
    now = [0.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])
    return now


@pytest.fixture
def slow_clock(monkeypatch):
    """Let 2 seconds pass between any two looks at the clock."""
    seconds = iter(range(0, 10**6, 2))
    monkeypatch.setattr(progress, "perf_counter", lambda: next(seconds))


@pytest.fixture
def report(monkeypatch):
    monkeypatch.setattr(progress, "reason_for_no_cache", lambda: None)
    return CompilationReport()


def compile_kernel(report, clock, seconds, *, is_kept=True, is_first=False):
    with report.compiling():
        report.begin_kernel(is_first=is_first)
        clock[0] += seconds
        if is_kept:
            report.keep_kernel()


def test_a_second_is_not_worth_a_message(report, clock, log, capsys):
    with report.during(verbose=True):
        compile_kernel(report, clock, 0.5)
        compile_kernel(report, clock, 0.5)
    assert log.messages == []
    assert capsys.readouterr().out == ""


def test_long_compilation_is_announced_and_summed_up_once(report, clock, log):
    with report.during(verbose=False):
        for _ in range(4):
            compile_kernel(report, clock, 0.75)
            clock[0] += 100.0  # of something else
    announcement, summary = log.messages
    assert announcement.startswith("Compiling kernels")
    assert f"kept in {cache_directory()}" in announcement
    assert summary == f"Compiled 4 kernels in 3.0 s, kept in {cache_directory()}."
    assert {record.name for record in log.records} == {"sknn"}
    assert {record.levelno for record in log.records} == {logging.INFO}


def test_the_announcement_comes_before_the_kernel_is_compiled(report, clock, log):
    with report.during(verbose=False), report.compiling():
        report.begin_kernel(is_first=True)
        assert len(log.messages) == 1


def test_a_single_long_kernel_is_told_of_afterwards(report, clock, log):
    with report.during(verbose=False):
        compile_kernel(report, clock, 1.5)
        assert log.messages == []
    assert log.messages == [f"Compiled 1 kernel in 1.5 s, kept in {cache_directory()}."]


@pytest.mark.parametrize("verbose", [False, 0, True, 1, np.True_])
def test_verbose_calls_print_the_same(report, clock, log, capsys, verbose):
    with report.during(verbose):
        compile_kernel(report, clock, 3.0, is_first=True)
    printed = capsys.readouterr().out.splitlines()
    assert len(log.messages) == 2
    assert printed == (log.messages if verbose else [])


def test_every_call_begins_to_count_anew(report, clock, log):
    for _ in range(3):
        with report.during(verbose=False):
            compile_kernel(report, clock, 0.75)
    assert log.messages == []


def test_nothing_is_said_outside_of_calls(report, clock, log):
    compile_kernel(report, clock, 5.0, is_first=True)
    with report.during(verbose=False):
        report.finish()
    assert log.messages == []


def test_a_call_within_a_call_leaves_the_message_to_it(report, clock, log):
    with report.during(verbose=False):
        with report.during(verbose=False):
            compile_kernel(report, clock, 1.5)
            report.finish()
        assert log.messages == []
    assert len(log.messages) == 1


def test_a_kernel_within_a_kernel_takes_no_time_of_its_own(report, clock, log):
    with report.during(verbose=False), report.compiling():
        report.begin_kernel()
        compile_kernel(report, clock, 2.0)
        clock[0] += 1.0
        report.keep_kernel()
    assert log.messages[-1].startswith("Compiled 2 kernels in 3.0 s")


def test_waiting_for_another_thread_is_no_compilation(report, clock, log):
    with report.during(verbose=False), report.compiling():
        clock[0] += 5.0  # and then the kernel is there
    assert log.messages == []


def test_kernels_that_are_not_kept(report, clock, log):
    with report.during(verbose=False):
        compile_kernel(report, clock, 0.5)
        compile_kernel(report, clock, 1.0, is_kept=False)
        report.finish()
        compile_kernel(report, clock, 2.0, is_kept=False)
    partly, not_at_all = log.messages
    assert "1 of them kept" in partly
    assert "functions of your own" in partly
    assert "Nothing is kept (such as kernels with functions of your own)" in not_at_all


def test_without_a_cache_the_reason_is_given(report, clock, log, monkeypatch):
    monkeypatch.setattr(progress, "reason_for_no_cache", lambda: "no home")
    with report.during(verbose=False):
        compile_kernel(report, clock, 2.0, is_kept=False, is_first=True)
    assert ["(no home), so every process" in message for message in log.messages] == [True, True]


def test_what_a_helper_compiles_is_reported_by_the_call(report, clock, log, capsys):
    with report.during(verbose=True):
        helper = threading.Thread(target=compile_kernel, args=(report, clock, 2.0))
        helper.start()
        helper.join()
    assert capsys.readouterr().out.startswith("Compiled 1 kernel in 2.0 s")


def test_a_message_is_given_before_an_error_is_raised(report, clock, log):
    def compile_and_be_interrupted():
        with report.during(verbose=False):
            compile_kernel(report, clock, 2.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile_and_be_interrupted()
    assert len(log.messages) == 1


def test_a_child_process_begins_without_calls(report, clock, log):
    with report.during(verbose=False):
        compile_kernel(report, clock, 2.0)
        report.__init__()  # what a fork does in the child
    assert log.messages == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forks_are_followed(monkeypatch):
    """A lock that another thread holds during the fork is free in the child."""
    with progress.compilation_report._lock:
        child = os.fork()
        if child == 0:
            is_free = progress.compilation_report._lock.acquire(blocking=False)
            os._exit(0 if is_free else 1)
    assert os.waitpid(child, 0)[1] == 0


# ---- in the package ------------------------------------------------------------------------------


def add_one(x):
    x[0] += 1


@compiled_only
def test_only_what_is_not_in_the_cache_is_reported(slow_clock, log, monkeypatch, tmp_path):
    monkeypatch.setattr(cache_module, "_is_in_the_stamp", lambda function: True)
    for module in (cache_folder, progress):
        monkeypatch.setattr(module, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(cache_module.FILES, "is_empty", lambda: False)
    for n_messages in (1, 1):
        with progress.compilation_report.during(verbose=False):
            jit(entry=True)(add_one)(np.zeros(1))
        assert len(log.messages) == n_messages
    assert log.messages == [f"Compiled 1 kernel in 2.0 s, kept in {tmp_path}."]


def test_a_set_without_a_folder_is_empty(tmp_path, monkeypatch):
    monkeypatch.setattr("sknn._compiled.cache_folder.cache_directory", lambda: tmp_path)
    files = FileSet("0" * 32, "someone")
    assert files.is_empty()
    files.write("kernel.nbc", b"")
    assert not files.is_empty()
    monkeypatch.setattr("sknn._compiled.cache_folder.cache_directory", lambda: None)
    assert files.is_empty()


def fit(activation, **settings):
    network = MLPClassifier((2,), activation=activation, random_state=0, n_iter_no_change=np.inf)
    return network.set_params(max_iter=2, **settings).fit(X, CLASSES)


@compiled_only
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fit_reports_before_its_first_epoch(slow_clock, log, capsys, solver):
    fit("relu", solver=solver).predict(X)  # whatever else has to be compiled
    log.clear()
    own = Activation(lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2)
    network = fit(own, solver=solver, verbose=True)
    announcement, summary, *table = capsys.readouterr().out.splitlines()[-5:]
    assert log.messages == [announcement, summary]
    assert announcement.startswith("Compiling kernels")
    assert "Every process compiles those that contain functions of your own." in announcement
    assert summary.startswith("Compiled 2 kernels in 4.0 s. Nothing is kept (")
    assert table[0].split()[0] == "epoch"
    log.clear()
    network.fit(X, CLASSES).predict(X)
    assert log.messages == []


@compiled_only
@pytest.mark.parametrize("method", ["predict", "hidden_features", "evaluate", "gradients"])
def test_predictions_report_too(log, monkeypatch, method):
    network = fit("relu")
    log.clear()

    def slow_network_for(estimator):
        progress.compilation_report.begin_kernel(is_first=True)
        return network_for(estimator)

    monkeypatch.setattr(_prediction, "network_for", slow_network_for)
    arguments = (X, CLASSES) if method in ("evaluate", "gradients") else (X,)
    getattr(network, method)(*arguments)
    assert len(log.messages) == 2
