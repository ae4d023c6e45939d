"""Tables of every kind: only the numbers count. Tables are never changed, nor copied as a whole."""

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

# one batch of 200 and a smaller one
N_ROWS = 230
N_FEATURES = 7
# Small integers, which every dtype can hold, with many zeros.
X = np.random.default_rng(0).integers(0, 5, size=(N_ROWS, N_FEATURES)).clip(2) - 2.0
TARGETS = {
    MLPClassifier: (X[:, 0] + X[:, 1] > X[:, 2]).astype(int) + (X[:, 3] > 1),
    MLPRegressor: X[:, 0] * X[:, 1] - X[:, 2],
}
both_kinds = pytest.mark.parametrize("kind", TARGETS)
both_precisions = pytest.mark.parametrize("dtype", ["float32", "float64"])
SETTINGS = {"hidden_layer_sizes": 9, "max_iter": 4, "learning_rate_init": 0.01, "random_state": 0}


def outputs(network, table):
    return (
        network.predict_proba(table)
        if hasattr(network, "predict_proba")
        else network.predict(table)
    )


def assert_same_network(one, other, rtol=0.0):
    for mine, reference in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        assert mine.dtype == reference.dtype
        np.testing.assert_allclose(mine, reference, rtol=rtol, atol=rtol)


# ---- dense tables ------------------------------------------------------------------------------


def _strided(table):
    spread = np.full((2 * N_ROWS, 3 * N_FEATURES), np.nan)
    spread[::2, ::3] = table
    return spread[::2, ::3]


def _reversed(table):
    return np.ascontiguousarray(table[::-1, ::-1])[::-1, ::-1]


def _read_only(table):
    table = table.copy()
    table.flags.writeable = False
    return table


def _unaligned(table):
    buffer = bytearray(table.nbytes + 1)
    unaligned = np.frombuffer(buffer, dtype=table.dtype, offset=1, count=table.size).reshape(
        table.shape
    )
    unaligned[...] = table
    return unaligned


DENSE = {
    **{
        name: (lambda table, name=name: table.astype(name))
        for name in ["f2", ">f8", ">f4", "<i4", ">i2", "i1", "u1", "u8", "i8", "g"]
    },
    "bool": lambda table: table.astype(bool),
    "object": lambda table: table.astype(object),
    "Fortran": np.asfortranarray,
    "Fortran integers": lambda table: np.asfortranarray(table.astype("i2")),
    "strided": _strided,
    "reversed": _reversed,
    "read-only": _read_only,
    "unaligned": _unaligned,
    "matrix transposed twice": lambda table: table.T.copy().T,
    "list": np.ndarray.tolist,
    "tuples": lambda table: tuple(map(tuple, table)),
    "frame": pd.DataFrame,
    "frame of mixed columns": lambda table: pd.DataFrame(dict(enumerate(table.T))).astype(
        {0: "i1", 1: "u8", 2: "f4"}
    ),
    "nullable frame": lambda table: pd.DataFrame(table).astype("Int64"),
}


@both_kinds
@pytest.mark.parametrize("name", DENSE)
def test_dense_tables_of_equal_numbers_train_the_same_network(kind, name):
    values = (X > 0).astype(float) if name == "bool" else X
    table = DENSE[name](values)
    network = kind(**SETTINGS).fit(table, TARGETS[kind])
    reference = kind(**SETTINGS).fit(values, TARGETS[kind])
    assert network.coefs_[0].dtype == np.float64
    assert_same_network(network, reference)
    assert network.loss_curve_ == reference.loss_curve_
    np.testing.assert_array_equal(outputs(network, table), outputs(reference, values))
    if not isinstance(table, pd.DataFrame):
        np.testing.assert_array_equal(outputs(reference, table), outputs(reference, values))


@both_kinds
@pytest.mark.parametrize("mode", ["r", "c", "r+"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_mapped_tables(kind, mode, order, tmp_path):
    path = tmp_path / "table.npy"
    np.save(path, np.asarray(X, order=order))
    stored = path.read_bytes()
    table = np.load(path, mmap_mode=mode)
    network = kind(**SETTINGS).fit(table, TARGETS[kind])
    reference = kind(**SETTINGS).fit(X, TARGETS[kind])
    assert_same_network(network, reference)
    np.testing.assert_array_equal(outputs(network, table), outputs(reference, X))
    assert path.read_bytes() == stored


@both_kinds
@pytest.mark.parametrize(
    "settings",
    [{}, {"solver": "lbfgs"}, {"early_stopping": True}, {"shuffle": False, "batch_size": 1}],
    ids=str,
)
def test_float32_tables_of_any_order_train_the_same_network(kind, settings):
    tables = [
        X.astype("f4"),
        np.asfortranarray(X, dtype="f4"),
        _strided(X).astype("f4")[:, ::-1][:, ::-1],
    ]
    first, *others = [
        kind(**{**SETTINGS, **settings}).fit(table, TARGETS[kind]) for table in tables
    ]
    assert first.coefs_[0].dtype == np.float32
    for network in others:
        assert_same_network(network, first)


@both_kinds
def test_tables_are_not_modified(kind):
    for table in (X.copy(), np.asfortranarray(X), X.astype("f4")):
        before = table.copy()
        y = TARGETS[kind].copy()
        weight = np.linspace(0, 2, N_ROWS)
        network = kind(early_stopping=True, **SETTINGS).fit(table, y, sample_weight=weight)
        network.set_params(early_stopping=False).partial_fit(table, y, sample_weight=weight)
        network.predict(table)
        network.set_params(solver="lbfgs").fit(table, y, sample_weight=weight)
        np.testing.assert_array_equal(table, before)
        np.testing.assert_array_equal(y, TARGETS[kind])
        np.testing.assert_array_equal(weight, np.linspace(0, 2, N_ROWS))


# ---- sparse tables -----------------------------------------------------------------------------


def _wide_indices(table):
    matrix = sparse.csr_array(table)
    matrix.indices = matrix.indices.astype(np.int64)
    matrix.indptr = matrix.indptr.astype(np.int64)
    return matrix


def _unsorted(table):
    matrix = sparse.csr_array(table)
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        matrix.indices[start:stop] = matrix.indices[start:stop][::-1]
        matrix.data[start:stop] = matrix.data[start:stop][::-1]
    matrix.has_sorted_indices = False
    return matrix


def _with_stored_zeros(table):
    return sparse.csr_array(
        (
            table.ravel(),
            np.tile(np.arange(N_FEATURES), N_ROWS),
            np.arange(0, table.size + 1, N_FEATURES),
        )
    )


def _with_duplicates(table):
    halves = sparse.csr_array(table / 2)
    indptr = 2 * halves.indptr
    return sparse.csr_array(
        (halves.data.repeat(2), halves.indices.repeat(2), indptr), shape=table.shape
    )


SPARSE = {
    "csr_matrix": sparse.csr_matrix,
    "csc_matrix": sparse.csc_matrix,
    "csr_array": sparse.csr_array,
    "csc_array": sparse.csc_array,
    "coo_array": sparse.coo_array,
    "lil_matrix": sparse.lil_matrix,
    "int64 indices": _wide_indices,
    "int64 indices, by column": lambda table: _wide_indices(table).tocsc(),
    "unsorted": _unsorted,
    "stored zeros": _with_stored_zeros,
    "duplicates": _with_duplicates,
    "integers": lambda table: sparse.csr_array(table.astype("i2")),
    "booleans": lambda table: sparse.csc_array(table.astype(bool)),
}


@both_kinds
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "sgd", "early_stopping": True},
        {"solver": "lbfgs"},
        {"hidden_layer_sizes": ()},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", SPARSE)
def test_sparse_tables_train_like_dense_ones(kind, name, settings):
    values = (X > 0).astype(float) if name == "booleans" else X
    table = SPARSE[name](values)
    before = table.toarray()
    network, reference = (
        kind(**{**SETTINGS, **settings}).fit(data, TARGETS[kind]) for data in (table, values)
    )
    assert_same_network(network, reference, rtol=1e-10)
    np.testing.assert_allclose(network.loss_curve_, reference.loss_curve_, rtol=1e-10)
    np.testing.assert_allclose(outputs(network, table), outputs(reference, values), rtol=1e-9)
    np.testing.assert_allclose(outputs(reference, table), outputs(reference, values), rtol=1e-10)
    np.testing.assert_array_equal(table.toarray(), before)


@both_kinds
@both_precisions
def test_sparse_float32_tables(kind, dtype):
    table = sparse.csr_array(X.astype("f4"))
    network = kind(dtype=dtype, **SETTINGS).fit(table, TARGETS[kind])
    reference = kind(dtype=dtype, **SETTINGS).fit(X.astype("f4"), TARGETS[kind])
    assert network.coefs_[0].dtype == dtype
    assert_same_network(network, reference, rtol=1e-10 if dtype == "float64" else 1e-5)


def test_sparse_rows_without_entries():
    table = sparse.csr_array((60, 5))
    network = MLPRegressor(max_iter=3, random_state=0).fit(table, np.ones(60))
    reference = MLPRegressor(max_iter=3, random_state=0).fit(np.zeros((60, 5)), np.ones(60))
    assert_same_network(network, reference, rtol=1e-10)


def test_partial_fit_takes_dense_and_sparse_tables_in_turn():
    y = TARGETS[MLPRegressor]
    network = MLPRegressor(**SETTINGS)
    reference = MLPRegressor(**SETTINGS)
    for table in (X, sparse.csr_array(X), X.astype("u1"), sparse.csc_matrix(X)):
        network.partial_fit(table, y)
        reference.partial_fit(X, y)
    assert_same_network(network, reference, rtol=1e-10)


# ---- precision ---------------------------------------------------------------------------------


@both_kinds
@both_precisions
@pytest.mark.parametrize("stored", ["f4", "f8", "f2", "i4", "u1"])
def test_dtype_decides_the_arithmetic(kind, dtype, stored):
    network = kind(dtype=dtype, **SETTINGS).fit(X.astype(stored), TARGETS[kind])
    assert {part.dtype for part in network.coefs_ + network.intercepts_} == {np.dtype(dtype)}
    assert outputs(network, X).dtype == dtype
    assert_same_network(network, kind(**SETTINGS).fit(X.astype(dtype), TARGETS[kind]))


@both_kinds
@pytest.mark.parametrize(
    ("stored", "expected"),
    [("f4", "f4"), (">f4", "f8"), ("f8", "f8"), ("f2", "f8"), ("i1", "f8"), ("?", "f8")],
)
def test_without_dtype_the_table_decides(kind, stored, expected):
    network = kind(**SETTINGS).fit(X.astype(stored), TARGETS[kind])
    assert {part.dtype for part in network.coefs_ + network.intercepts_} == {np.dtype(expected)}
    for table in (X, X.astype("f4"), X.astype("i8")):  # predictions are in the network's precision
        assert outputs(network, table).dtype == expected


@both_kinds
def test_float32_is_close_to_float64(kind):
    single, double = (
        kind(dtype=dtype, **SETTINGS).fit(X, TARGETS[kind]) for dtype in ("float32", "float64")
    )
    np.testing.assert_allclose(outputs(single, X), outputs(double, X), rtol=1e-3, atol=1e-4)
    assert not np.array_equal(single.coefs_[0], double.coefs_[0])


# ---- shapes at the edge ------------------------------------------------------------------------


@both_kinds
@both_precisions
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (230, 1), (2, 2), (1, 3000)], ids=str)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_tables_of_one_row_or_one_column(kind, dtype, solver, shape, container):
    table = container(np.random.default_rng(0).normal(size=shape))
    y = TARGETS[kind][: shape[0]]
    network = kind(dtype=dtype, **{**SETTINGS, "solver": solver}).fit(table, y)
    assert network.n_features_in_ == shape[1]
    assert network.coefs_[0].shape == (shape[1], 9)
    assert np.isfinite(outputs(network, table)).all()
    assert network.predict(table).shape == (shape[0],)
    assert np.isfinite(network.loss_curve_).all()


@both_kinds
@pytest.mark.parametrize("batch_size", [1, 2, 10, 115])
def test_every_row_is_used_once_an_epoch_whatever_the_batches(kind, batch_size):
    settings = {
        "hidden_layer_sizes": 9,
        "solver": "sgd",
        "momentum": 0,
        "alpha": 0,
        "max_iter": 1,
        "random_state": 0,
    }
    # At so small a rate all batches see the same weights, whose movement is then the sum of the
    # batches' mean gradients.
    start, whole, pieces = (
        kind(learning_rate_init=rate, batch_size=size, **settings).fit(X, TARGETS[kind])
        for rate, size in (
            (1e-300, N_ROWS),
            (1e-6, N_ROWS),
            (1e-6 * batch_size / N_ROWS, batch_size),
        )
    )
    movement = whole.coefs_[0] - start.coefs_[0]
    np.testing.assert_allclose(
        pieces.coefs_[0] - start.coefs_[0], movement, atol=1e-4 * np.abs(movement).max()
    )


@both_kinds
def test_prediction_does_not_depend_on_the_other_rows(kind):
    network = kind(**SETTINGS).fit(X, TARGETS[kind])
    whole = outputs(network, X)
    assert len(whole) == N_ROWS
    for rows in (slice(0, 1), slice(17, 18), slice(5, 105), slice(None, None, 3)):
        np.testing.assert_allclose(outputs(network, X[rows]), whole[rows], rtol=1e-12)
    many = np.tile(X, (9, 1))  # over several blocks of rows
    np.testing.assert_allclose(outputs(network, many), np.concatenate([whole] * 9), rtol=1e-12)


# ---- names of features -------------------------------------------------------------------------

NAMES = [f"feature {i}" for i in range(N_FEATURES)]


@both_kinds
def test_feature_names_are_kept_and_checked(kind):
    frame = pd.DataFrame(X, columns=NAMES)
    network = kind(**SETTINGS).fit(frame, TARGETS[kind])
    assert network.feature_names_in_.tolist() == NAMES
    np.testing.assert_array_equal(
        outputs(network, frame), outputs(kind(**SETTINGS).fit(X, TARGETS[kind]), X)
    )
    for method in (network.predict, network.score, network.partial_fit):
        target = [] if method == network.predict else [TARGETS[kind]]
        with pytest.raises(
            ValueError, match="The feature names should match those that were passed during fit"
        ):
            method(frame.rename(columns={"feature 2": "other"}), *target)
        with pytest.raises(
            ValueError, match="Feature names must be in the same order as they were in fit"
        ):
            method(frame[NAMES[::-1]], *target)
    with pytest.warns(
        UserWarning,
        match=re.escape(
            f"X does not have valid feature names, but {kind.__name__} was fitted with"
        ),
    ):
        network.predict(X)


@both_kinds
def test_feature_names_are_forgotten_by_a_fit_without_names(kind):
    network = kind(**SETTINGS).fit(pd.DataFrame(X, columns=NAMES), TARGETS[kind])
    network.fit(X, TARGETS[kind])
    assert not hasattr(network, "feature_names_in_")


# ---- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "settings",
    [{"dtype": "float32"}, {"dtype": "float32", "early_stopping": True}, {"solver": "lbfgs"}],
    ids=str,
)
def test_a_large_table_is_not_copied(settings, order):
    table = np.zeros((25_000, 500), order=order)
    table[:] = np.linspace(0, 1, 500)
    assert table.nbytes == 100_000_000
    y = np.arange(25_000) % 7 / 7.0
    network = MLPRegressor(hidden_layer_sizes=4, max_iter=1, **settings)
    network.fit(table[:300], y[:300])  # compiles
    tracemalloc.start()
    try:
        network.fit(table, y)
        network.predict(table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 2**20
