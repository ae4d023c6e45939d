"""What is compiled, and how: one signature for each dtype whatever is fitted, and options that keep
NaN."""

import importlib
import itertools
import math
import pkgutil
import warnings
from collections import Counter

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from processes import run
from scipy import sparse

import sknn
from sknn import MLPClassifier, MLPRegressor
from sknn._compiled import cache as cache_module
from sknn._compiled.cache import GuardedCache
from sknn._compiled.jit import jit
from sknn._compiled.kinds import ACTIVATION, Kind, call_activation
from sknn._validation import SOLVERS
from sknn.parts.activations import ACTIVATIONS
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
    """Fit over all that could bring another type into the kernels, with few weights and few
    epochs."""
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
    MLPClassifier((600,), max_iter=2, max_grad_norm=1.0).fit(
        np.tile(dense, (10, 1)), np.tile(CLASSES, 10)
    )  # in shards


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
    """Return the number of signatures of every compiled function, but of those that exist inside
    their callers only."""
    kernels = [kernel for kernel in every_kernel() if kernel.targetoptions["inline"] != "always"]
    return [
        (f"{kernel.__module__}.{kernel.__qualname__}", len(kernel.signatures)) for kernel in kernels
    ]


def count_signatures():
    """Fit everything in float64, then in float32; return the signatures after each."""
    counts = []
    for dtype in ("float64", "float32"):
        fit_everything(dtype)
        counts.append(signatures_by_kernel())
    return counts


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    """Return ``(signatures after float64, after float32 too)`` in a process that compiles
    everything itself."""
    counts = run(count_signatures, NUMBA_CACHE_DIR=tmp_path_factory.mktemp("empty")).value
    assert "sknn._engine.backward.backward" in dict(counts[0])
    return counts


@pytest.mark.parametrize("n_dtypes", [1, 2])
def test_each_kernel_has_one_signature_for_each_dtype(signatures, n_dtypes):
    without_numbers = {
        "sknn._engine.dense._block_size": 1,
        "sknn._engine.dense.bounds_of": 1,
        "sknn._engine.dense.half_of": 1,
        "sknn._engine.dense.n_blocks_of": 1,
        "sknn._engine.scheduler._claim_shared": 1,
        "sknn._engine.scheduler._wait_for_others": 1,
        "sknn._compiled.shuffle._shuffle": 1,
        "sknn._engine.entry_points.accept_denormals": 0,  # only after errors
    }
    expected = {name: n_dtypes for name, _ in signatures[n_dtypes - 1]} | without_numbers
    others = [(name, count) for name, count in signatures[n_dtypes - 1] if count != expected[name]]
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


def test_only_entry_points_and_kernels_called_by_address_are_kept_on_disk():
    kept = {
        kernel.__qualname__ for kernel in every_kernel() if isinstance(kernel._cache, GuardedCache)
    }
    assert {"train", "accumulate", "apply", "evaluate"} <= kept
    assert not kept & {"affine_block", "_panels"}


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
    out = np.zeros(4)
    kernel(np.array([1.0, 0.0, np.nan, np.inf]), out)
    np.testing.assert_array_equal(out, [np.inf, 1, 0, np.nan])


def test_jit_keeps_the_function_and_compiles_lazily():
    kernel = jit(divide_and_compare)
    assert kernel.py_func is divide_and_compare
    assert kernel.__name__ == "divide_and_compare"
    assert kernel.signatures == []


# ---- kernels by address ------------------------------------------------------------------------


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "cache_directory", lambda: tmp_path)


@jit(entry=True)
def call_part(function, z, shape, a):
    call_activation(function, z, shape, a)


@jit
def scale_or_fail(z, shape, a):
    if shape == 0:
        raise ValueError("shape is 0")
    for i in range(z.size):
        a[i] = shape * z[i]


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_call_by_address(dtype):
    z = np.array([1, np.nan, -np.inf], dtype)
    a = np.zeros(3, dtype)
    call_part(ACTIVATION.address(scale_or_fail, np.dtype(dtype)), z, dtype(2), a)
    np.testing.assert_array_equal(a, 2 * z)


@pytest.mark.usefixtures("own_cache")
def test_an_error_passes_through_a_call_by_address():
    function = ACTIVATION.address(scale_or_fail, np.dtype(float))
    z = np.ones(1)
    with pytest.raises(ValueError, match="shape is 0"):
        call_part(function, z, 0.0, z.copy())


def test_addresses_are_one_for_each_kernel_and_dtype():
    kernels = {part.forward for part in ACTIVATIONS.values()}
    addresses = [
        ACTIVATION.address(kernel, np.dtype(dtype))
        for kernel in kernels
        for dtype in ("f4", "f8")
        for _ in range(2)
    ]
    assert set(Counter(addresses).values()) == {2}
    assert 0 not in addresses  # the engine's "none"


@pytest.mark.parametrize(("dtype", "scalar"), [("f4", "float32"), ("f8", "float64")])
def test_names_of_argument_types(dtype, scalar):
    names = [
        str(kind)
        for kind in Kind("of this test", "vector scalar int64 float64_vector").numba_types(
            np.dtype(dtype)
        )
    ]
    assert names == [f"array({scalar}, 1d, C)", scalar, "int64", "array(float64, 1d, C)"]
