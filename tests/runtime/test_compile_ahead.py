"""What is compiled ahead of a first fit is what the fit needs, with the very same types."""

import numba
import numpy as np
import pytest
from reference import compiled_only

from sknn import MLPClassifier, MLPRegressor
from sknn._compiled.ahead import is_missing
from sknn._engine.structs import Run, make_empty
from sknn._runtime import ahead, passes
from sknn._runtime.compiled_network import CompiledNetwork

X = np.eye(6)
y = np.arange(6) % 3


def fit(kind=MLPClassifier, **settings):
    settings = {"hidden_layer_sizes": (2,), "random_state": 0, "max_iter": 1, **settings}
    return kind(n_iter_no_change=np.inf, **settings).fit(X, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_empty_structs_have_the_types_of_those_that_train(monkeypatch, dtype):
    runs = []
    bind_run = CompiledNetwork.bind_run

    def keep(*arguments, **named):
        runs.append(bind_run(*arguments, **named))
        return runs[-1]

    monkeypatch.setattr(CompiledNetwork, "bind_run", keep)
    fit(dtype=dtype).predict(X)
    expected = numba.typeof(make_empty(Run, np.dtype(dtype)))
    assert [numba.typeof(run) for run in runs] == [expected, expected]


@pytest.fixture
def tasks(monkeypatch):
    """The kernels that would be compiled ahead of fits."""
    tasks = []
    monkeypatch.setattr(ahead, "compile_together", lambda more, _: tasks.extend(more))
    monkeypatch.setattr(ahead, "usable_cores", lambda: 2)
    monkeypatch.setattr(ahead, "library_limit", lambda: 2)
    monkeypatch.setattr(ahead, "_dtypes", set())
    monkeypatch.setattr(ahead, "is_missing", lambda task: True)
    return tasks


@compiled_only
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("kind", "settings", "n_tasks", "n_closures"),
    [
        (MLPClassifier, {}, 9, 0),
        (MLPClassifier, {"solver": "lbfgs"}, 9, 0),
        (MLPRegressor, {"dtype": "float64", "max_grad_norm": 1.0}, 10, 1),
    ],
)
@pytest.mark.parametrize(("most_threads", "n_sums"), [(2, 0), (8, 1)])
def test_a_fit_needs_what_is_compiled_ahead(
    tasks, monkeypatch, kind, settings, n_tasks, n_closures, most_threads, n_sums
):
    """More than two threads sum penalties before they update weights."""
    monkeypatch.setattr(passes, "MOST_THREADS", most_threads)
    fit(kind, **settings)
    assert (len(tasks), tasks.count(None)) == (n_tasks + n_sums, n_closures)
    assert not any(task is not None and is_missing(task) for task in tasks)


def test_only_the_first_fit_in_a_dtype_compiles_ahead(tasks):
    fit(dtype="float32")
    n_tasks = len(tasks)
    fit(dtype="float32")
    assert 0 < n_tasks == len(tasks)
    fit(dtype="float64")
    assert len(tasks) == 2 * n_tasks


def test_what_another_process_has_compiled_is_loaded(tasks, monkeypatch):
    monkeypatch.setattr(ahead, "is_missing", lambda task: False)
    fit()
    assert tasks == []


@pytest.mark.parametrize("limit", ["usable_cores", "library_limit"])
def test_one_core_is_for_one_process(tasks, monkeypatch, limit):
    monkeypatch.setattr(ahead, limit, lambda: 1)
    fit()
    assert tasks == []


def test_other_fits_share_the_cores(tasks, monkeypatch):
    monkeypatch.setattr(ahead.thread_pool, "n_fits", 1)
    fit()
    assert tasks == []
