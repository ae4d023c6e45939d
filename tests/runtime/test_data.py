"""A table returns its rows in the network's dtype, and copies them only where it must."""

import numpy as np
import pytest
from reference import DTYPES
from scipy import sparse

import sknn._runtime.data
from sknn import MLPRegressor
from sknn._runtime.data import Table

X = np.random.default_rng(0).integers(-3, 4, (23, 5)).astype(np.float64) * np.random.default_rng(
    1
).integers(0, 2, (23, 5))
DENSE = {
    "float64": X,
    "float32": X.astype(np.float32),
    "float16": X.astype(np.float16),
    "int8": X.astype(np.int8),
    "int64": X.astype(np.int64),
    "big-endian": X.astype(">f8"),
    "big-endian int": X.astype(">i4"),
    "Fortran": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": X[::-1].copy()[::-1],
}
SPARSE = {
    "csr_matrix": sparse.csr_matrix(X),
    "csr_array": sparse.csr_array(X),
    "float32 csr": sparse.csr_matrix(X.astype(np.float32)),
    "int csr": sparse.csr_matrix(X.astype(np.int32)),
}
WHICH = (
    slice(0, 7),
    slice(7, 8),
    slice(20, 23),
    slice(3, 3),
    np.array([5, 0, 22, 5]),
    np.array([4]),
    np.arange(23)[::-1],
)


def _densified(rows, n_rows):
    if rows.order.size > 0:
        return rows.dense.reshape(-1, X.shape[1])[rows.order]
    if rows.sparse_affine == 0:
        return rows.dense[: n_rows * X.shape[1]].reshape(n_rows, X.shape[1])
    return sparse.csr_matrix(
        (rows.data, rows.indices, rows.indptr), shape=(n_rows, X.shape[1])
    ).toarray()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [*DENSE, *SPARSE])
def test_rows_of_any_table_come_in_the_networks_dtype(kind, dtype):
    table = Table({**DENSE, **SPARSE}[kind], None, None, np.dtype(dtype))
    for which in WHICH:
        rows = table.rows(which, 2)
        expected = X[which]
        np.testing.assert_array_equal(_densified(rows, len(expected)), expected)
        assert (rows.sparse_affine != 0) == (kind in SPARSE)
        assert {rows.dense.dtype, rows.data.dtype, rows.y.dtype, rows.sample_weight.dtype} == {
            np.dtype(dtype)
        }
        assert {rows.order.dtype, rows.indices.dtype, rows.indptr.dtype} == {np.dtype(np.int64)}
        assert all(column.flags.carray for column in rows[:8])


@pytest.mark.parametrize("dtype", DTYPES)
def test_targets_and_weights_come_with_their_rows(dtype):
    y = np.arange(46).reshape(23, 2).astype(dtype)
    weight = np.linspace(0, 2, 23).astype(dtype)
    table = Table(X, y, weight, np.dtype(dtype))
    for which in WHICH:
        rows = table.rows(which, 23)
        np.testing.assert_array_equal(rows.y, y[which].ravel())
        np.testing.assert_array_equal(rows.sample_weight, weight[which])


@pytest.mark.parametrize("shuffle", [True, False])
def test_input_dropout_leaves_the_table_alone(shuffle):
    table = np.random.default_rng(0).standard_normal((50, 4))
    before = table.copy()
    network = MLPRegressor(input_dropout=0.5, shuffle=shuffle, max_iter=300, tol=1.0)
    network.fit(table, table[:, 0])
    np.testing.assert_array_equal(table, before)


@pytest.mark.parametrize("kind", DENSE)
def test_memory_is_kept_between_chunks_and_holds_no_more_than_needed(kind):
    is_readable = kind == "float32"
    table = Table(DENSE[kind], None, None, np.dtype(np.float32))
    kept = table.rows(np.arange(7), 3)[2 if is_readable else 0]
    for which in (np.arange(7, 12), np.array([22, 3])):
        assert table.rows(which, 2)[2 if is_readable else 0] is kept
    assert kept.size == (3 if is_readable else 7) * X.shape[1]
    assert table.rows(np.arange(7), 8)[2 if is_readable else 0].size == 7 * X.shape[1]


def test_read_only_orders_are_copied():
    order = np.arange(4)
    order.setflags(write=False)
    rows = Table(X, None, None, np.dtype(np.float64)).rows(order, 2)
    assert rows.order.flags.writeable
    np.testing.assert_array_equal(rows.order, order)


def test_indices_are_sorted_where_gradients_are_wanted_whatever_the_table_says_of_itself():
    table = sparse.csr_matrix(X)
    y = np.zeros((23, 1))
    assert table.has_sorted_indices
    for start, stop in zip(table.indptr[:-1], table.indptr[1:], strict=True):
        table.indices[start:stop] = table.indices[start:stop][::-1].copy()
        table.data[start:stop] = table.data[start:stop][::-1].copy()
    assert table.has_sorted_indices  # as it was
    rows = Table(table, y, y[:, 0], np.dtype(np.float64)).rows(np.arange(23), 23)
    for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        assert (np.diff(rows.indices[start:stop]) > 0).all()
    np.testing.assert_array_equal(_densified(rows, 23), X)


@pytest.mark.parametrize("kind", [*DENSE, *SPARSE])
def test_what_training_writes_to_is_a_copy(kind):
    table = {**DENSE, **SPARSE}[kind]
    before = table.copy()
    for which in WHICH[4:]:
        rows = Table(table, None, None, np.dtype(np.float64)).rows(which, 2)
        for column in (
            rows.gathered if rows.order.size > 0 else rows.dense,
            rows.data,
            rows.indices,
            rows.indptr,
        ):
            column[...] = 99
    assert (table != before).sum() == 0


@pytest.mark.parametrize("which", [slice(3, 9), np.arange(3, 9)], ids=["slice", "order"])
def test_tables_are_read_as_they_are_where_nothing_needs_a_copy(which):
    for kind, data in DENSE.items():
        is_ready = data.dtype == np.float64 and data.flags.c_contiguous
        assert (
            np.shares_memory(
                Table(data, None, None, np.dtype(np.float64)).rows(which, 2).dense, data
            )
            == is_ready
        ), kind
    data = X.copy()
    data.setflags(write=False)
    assert not np.shares_memory(
        Table(data, None, None, np.dtype(np.float64)).rows(which, 2).dense, data
    )


def test_read_only_memmap(tmp_path):
    np.save(tmp_path / "X.npy", X)
    table = Table(np.load(tmp_path / "X.npy", mmap_mode="r"), None, None, np.dtype(np.float64))
    for which in WHICH:
        expected = X[which]
        np.testing.assert_array_equal(_densified(table.rows(which, 2), len(expected)), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_chunks_are_bounded_by_memory_and_by_work(dtype, monkeypatch):
    table = Table(X, None, None, np.dtype(dtype))
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 1000)
    monkeypatch.setattr(sknn._runtime.data, "_BATCH_BYTES", 3000)
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_OPERATIONS", 1e4)
    assert table.chunk_rows(1) == 1000 // (5 * np.dtype(dtype).itemsize)
    assert table.batch_rows(1, 10) == 3000 // (15 * np.dtype(dtype).itemsize)
    assert table.batch_rows(900, 0) == 11
    assert table.chunk_rows(900) == 11
    assert table.chunk_rows(10**9) == 1
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 1)
    assert table.chunk_rows(1) == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_chunks_of_several_epochs_are_bounded_by_what_is_copied(dtype, monkeypatch):
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 1000)
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_OPERATIONS", 1e4)
    others = np.zeros((23, 3), dtype), np.ones(23, dtype), np.dtype(dtype)
    table = Table(X.astype(dtype), *others)
    assert table.chunk_rows_of_epochs(1) == 1000 // (8 + 4 * np.dtype(dtype).itemsize)
    assert table.chunk_rows_of_epochs(900) == 11
    copied = Table(np.asfortranarray(X), *others)
    assert copied.chunk_rows_of_epochs(1) == copied.chunk_rows(1)


def test_chunks_of_sparse_rows_are_bounded_by_what_they_store(monkeypatch):
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 1000)
    rows = sparse.random_array(
        (50, 4000), density=0.001, format="csr", rng=np.random.default_rng(0)
    )
    table = Table(rows, None, None, np.dtype(np.float32))
    assert rows.nnz == 200
    assert 4 <= table.n_stored <= 8
    assert table.chunk_rows(1) == 1000 // (table.n_stored * (4 + 8))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([0, 0, 0], 1), ([4, 4, 4], 4), ([0] * 90 + [100] * 10, 100), ([3, 4], 4)],
)
def test_a_few_long_sparse_rows_count(sizes, expected):
    rows = sparse.csr_array(
        (
            np.ones(sum(sizes)),
            np.concatenate([np.arange(size) for size in sizes]),
            np.cumsum([0, *sizes]),
        ),
        (len(sizes), 200),
    )
    assert Table(rows, None, None, np.dtype(np.float32)).n_stored == expected
