"""Compilation: one signature for each dtype whatever is fitted, and options that keep NaN."""

import importlib
import itertools
import math
import os
import pkgutil
import signal
import warnings

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from processes import run
from reference import compiled_only
from scipy import sparse

import sknn
from sknn import MLPClassifier, MLPRegressor
from sknn._compiled import cache as cache_module
from sknn._compiled import jit as jit_module
from sknn._compiled.cache import GuardedCache, identity_of
from sknn._compiled.jit import MOST_THREADS, interrupts_held_back, jit, root
from sknn._compiled.kinds import ACTIVATION
from sknn._hyperparameters.training import SOLVERS
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.custom import Activation, activation_part
from sknn.parts.losses import REGRESSION_LOSSES

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(40, 5)
CLASSES = np.arange(40) % 3
TARGETS = {
    "binary": (MLPClassifier, CLASSES == 0, {}),
    "multiclass": (MLPClassifier, CLASSES, {}),
    "multilabel": (MLPClassifier, RANDOM.randint(0, 2, (40, 3)), {}),
    **{loss: (MLPRegressor, 0.1 + RANDOM.rand(40), {"loss": loss}) for loss in REGRESSION_LOSSES},
    "several outputs": (MLPRegressor, RANDOM.rand(40, 3), {}),
}


INGREDIENTS = (
    {},
    {"dropout": 0.2, "input_dropout": 0.1},
    {"batch_norm": "before"},
    {"batch_norm": "after", "dropout": 0.2},
    {"alpha": 1.0, "l1_ratio": 0.5},
    {"max_grad_norm": 1.0, "weight_decay": 0.1},
)  # six of them and fourteen activations, so every solver meets each


def every_kernel():
    """Return all compiled functions of the package."""
    names = ["sknn", *(module.name for module in pkgutil.walk_packages(sknn.__path__, "sknn."))]
    members = [member for name in names for member in vars(importlib.import_module(name)).values()]
    return list(
        {id(member): member for member in members if isinstance(member, Dispatcher)}.values()
    )


def fit_everything(dtype):
    """Fit, briefly, whatever could bring another type into the kernels."""
    warnings.simplefilter("ignore")
    dense = X.astype(dtype)
    forms = {"dense": dense, "csr": sparse.csr_array(dense)}
    others = itertools.cycle(itertools.product(forms, TARGETS, (False, True)))
    parts = itertools.product(SOLVERS, ACTIVATIONS)
    for (solver, activation), (form, target, early), ingredient in zip(
        parts, others, itertools.cycle(INGREDIENTS)
    ):
        kind, y, parameters = TARGETS[target]
        settings = {
            "solver": solver,
            "activation": activation,
            "early_stopping": early,
            **parameters,
            **ingredient,
        }
        model = kind(hidden_layer_sizes=(4,), max_iter=2, validation_fraction=0.3, **settings)
        model.fit(forms[form], y).predict(forms[form])
    fit_unusual_inputs(dense)
    MLPClassifier((4,), max_iter=2, skip=True, input_scale=6.0).fit(dense, CLASSES).predict(dense)
    for solver in ("adam", "lbfgs"):
        embedding = MLPClassifier((4,), max_iter=2, solver=solver, numeric_embedding="pbld")
        embedding.fit(dense, CLASSES).predict(dense)
    MLPClassifier((600,), max_iter=2, max_grad_norm=1.0).fit(
        np.tile(dense, (10, 1)), np.tile(CLASSES, 10)
    )  # in shards
    MLPClassifier((100,), max_iter=1).fit(np.tile(dense, (1, 20)), CLASSES)  # in halves of inputs


def fit_unusual_inputs(dense):
    read_only = dense.copy()
    read_only.flags.writeable = False
    swapped = dense.astype(dense.dtype.newbyteorder())
    wide_indices = sparse.csr_array(dense)
    wide_indices.indices = wide_indices.indices.astype(np.int64)
    wide_indices.indptr = wide_indices.indptr.astype(np.int64)
    name = dense.dtype.name
    for data in (
        np.asfortranarray(dense),
        dense[::2],
        dense[:, ::2],
        read_only,
        swapped,
        wide_indices,
        (10 * dense).astype(np.int32),
    ):
        rows = data.shape[0]
        weight = np.arange(rows)
        model = MLPClassifier(hidden_layer_sizes=(), batch_size=7, max_iter=2, dtype=name).fit(
            data, CLASSES[:rows], weight
        )
        model.coefs_ = [np.asfortranarray(coef) for coef in model.coefs_]
        model.partial_fit(data, CLASSES[:rows])
        model.predict_proba(data[:1])
        MLPRegressor(hidden_layer_sizes=(3, 2), max_iter=2, dtype=name).fit(
            data, np.asfortranarray(X[:rows, :2])
        )


def signatures_by_kernel():
    """Return the number of signatures of every compiled function that is not inlined.

    Those that others call by address, and those that they call themselves, count once.
    """
    kernels = [kernel for kernel in every_kernel() if not kernel.targetoptions.get("forceinline")]
    return [
        (
            f"{kernel.__module__}.{kernel.__qualname__}",
            len({*kernel.signatures, *root(kernel).signatures}),
        )
        for kernel in kernels
    ]


def count_signatures():
    """Fit everything in float64, then in float32; return the signatures after each, and the largest
    number of threads.
    """
    counts = []
    for dtype in ("float64", "float32"):
        fit_everything(dtype)
        counts.append(signatures_by_kernel())
    return counts, MOST_THREADS


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    """Return what :func:`count_signatures` does in a process with an empty cache."""
    settings = {"NUMBA_CACHE_DIR": tmp_path_factory.mktemp("empty")}
    # With two threads, a second process would compile for this one.
    counts, most_threads = run(count_signatures, SKNN_NUM_THREADS=1, **settings).value
    assert "sknn._engine.backward.backward" in dict(counts[0])
    return counts, most_threads


@pytest.mark.parametrize("n_dtypes", [1, 2])
def test_each_kernel_has_one_signature_for_each_dtype(signatures, n_dtypes):
    counts, most_threads = signatures
    without_numbers = {
        "sknn._engine.scheduler._claim_shared_block": 1,
        "sknn._engine.scheduler._wait_for_other_threads": 1,
        "sknn._compiled.shuffle._shuffle": 1,
        "sknn._engine.entry_points.accept_denormals": 0,  # only after errors
        # only where more than two threads may share a step
        "sknn._engine.update.sum_penalties": n_dtypes if most_threads > 2 else 0,
    }
    found = counts[n_dtypes - 1]
    expected = {name: n_dtypes for name, _ in found} | without_numbers
    others = [(name, count) for name, count in found if count != expected[name]]
    assert others == []


# ---- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", every_kernel(), ids=lambda kernel: kernel.__qualname__)
def test_options_of_every_kernel(kernel):
    options = kernel.targetoptions
    assert options["nopython"]
    assert options["nogil"]
    assert options["error_model"] == "numpy"
    assert not options.get("parallel")
    assert {"contract", "nsz"} <= options["fastmath"] <= {"contract", "nsz", "reassoc"}


def test_only_entry_points_are_kept_on_disk():
    kept = {
        kernel.__qualname__ for kernel in every_kernel() if isinstance(kernel._cache, GuardedCache)
    }
    assert kept == {"_enter", "_shuffle", "accept_denormals"}


@compiled_only
def test_kernels_called_by_address_are_kept_on_disk():
    relu = ACTIVATIONS["relu"].forward
    ACTIVATION.address(relu, np.dtype(float))
    assert isinstance(root(relu)._cache, GuardedCache)


def divide_and_compare(x, out):
    out[0] = x[0] / x[1]
    out[1] = math.isnan(x[2])
    out[2] = math.isfinite(x[3])
    total = x[0]
    for i in range(1, x.size):
        total += x[i] * x[0]
    out[3] = total


@pytest.mark.parametrize("options", [{}, {"reassociate": True}, {"inline": True}], ids=str)
def test_kernels_see_nan_and_inf(options):
    kernel = jit(**options)(divide_and_compare)

    @jit
    def call(x, out):
        kernel(x, out)

    out = np.zeros(4)
    call(np.array([1.0, 0.0, np.nan, np.inf]), out)
    np.testing.assert_array_equal(out, [np.inf, 1, 0, np.nan])


@compiled_only
@pytest.mark.parametrize("options", [{"internal": True}, {"inline": True}], ids=str)
def test_functions_that_only_kernels_call_cannot_be_called_from_python(options):
    kernel = jit(**options)(divide_and_compare)
    with pytest.raises(TypeError):
        kernel(np.zeros(4), np.zeros(4))


def test_jit_keeps_the_function_and_compiles_lazily():
    kernel = jit(divide_and_compare)
    assert kernel.py_func is divide_and_compare
    assert kernel.__name__ == "divide_and_compare"
    assert kernel.signatures == []


# ---- closures ----------------------------------------------------------------------------------


def scaled(factor):
    @jit
    def scale(x):
        return factor * x

    return scale


def halved(f):
    @jit
    def half(x):
        return f(x) / 2

    return half


@pytest.fixture
def is_of_the_package(monkeypatch):
    """Functions of this module count as the package's."""
    monkeypatch.setattr(cache_module, "_is_in_the_stamp", lambda function: True)


@compiled_only
@pytest.mark.usefixtures("is_of_the_package")
def test_closures_have_names_that_say_what_they_close_over():
    name = halved(divide_and_compare).py_func.__qualname__
    assert name.startswith("halved.<locals>.half[divide_and_compare, ")
    assert halved(divide_and_compare).py_func.__qualname__ == name
    assert halved(jit(divide_and_compare)).py_func.__qualname__ == name
    assert halved(lambda x: x).py_func.__qualname__ != halved(lambda x: -x).py_func.__qualname__
    names = {scaled(factor).py_func.__qualname__ for factor in (1, 2, 1.0, np.float32(1), True)}
    assert len(names) == 5


@compiled_only
@pytest.mark.usefixtures("is_of_the_package")
def test_closures_over_arrays_are_rejected():
    with pytest.raises(TypeError, match="functions, numbers and strings only, not array"):
        scaled(np.ones(3))


@compiled_only
def test_closures_over_foreign_functions_keep_their_names_and_are_not_kept_on_disk():
    kernel = activation_part(Activation(math.sin, math.cos)).forward
    assert "[" not in kernel.py_func.__qualname__
    assert identity_of(kernel) is None


# ---- what Numba might rename -------------------------------------------------------------------


@compiled_only
def test_a_private_attribute_that_numba_has_renamed_is_an_error():
    """An assignment to a name that no longer exists would turn the cache off without a word."""
    kernel = jit(divide_and_compare)
    with pytest.raises(AttributeError, match=r"renamed CPUDispatcher\._store, .*_compiled/jit\.py"):
        jit_module._set_private(kernel, "_store", None)
    assert not hasattr(kernel, "_store")


@compiled_only
def test_private_attributes_are_set_with_that_check_only(monkeypatch):
    seen = []
    monkeypatch.setattr(jit_module, "_set_private", lambda *assignment: seen.append(assignment))
    monkeypatch.setattr(cache_module, "_is_in_the_stamp", lambda function: True)
    kernel = jit(entry=True)(divide_and_compare)
    assert [(dispatcher, name) for dispatcher, name, _ in seen] == [
        (kernel, "compile"),
        (kernel, "_cache"),
    ]
    assert "compile" not in vars(kernel)
    assert not isinstance(kernel._cache, GuardedCache)


# ---- Ctrl-C ------------------------------------------------------------------------------------


def test_an_interrupt_while_something_is_compiled_is_raised_after_it():
    done = []

    def compile_and_be_interrupted():
        with interrupts_held_back():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(True)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            compile_and_be_interrupted()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == [True]
