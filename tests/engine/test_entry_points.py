import numpy as np
import pytest
import reference
from reference import (
    DTYPES,
    Batch,
    Network,
    bits,
    coefs_and_intercepts,
    compiled_only,
)
from scipy import sparse
from test_activations import REFERENCE as ACTIVATIONS
from test_backward import ELEMENTWISE, SHAPE, settings_for
from test_losses import REFERENCE as LOSSES
from test_optimizers import REFERENCE as OPTIMIZERS
from test_optimizers import SETTINGS

import sknn._runtime.data
from sknn._runtime.compiled_network import CompiledNetwork
from sknn._runtime.data import Table
from sknn._runtime.layout import make_layout
from sknn._runtime.requested import make_architecture
from sknn._training.minibatches import MinibatchLoop
from sknn._training.optimizer_state import OptimizerState

RATE = 0.01


class Problem:
    """A network in training: a session, its optimizer and its data."""

    def __init__(
        self,
        solver,
        dtype,
        *,
        units=(6, 7, 5, 3),
        n_rows=23,
        activation="tanh",
        loss="log_loss",
        **changes,
    ):
        rng = np.random.default_rng(0)
        self.settings = settings_for(
            loss, units[-1], activation=activation, alpha=0.2, solver=solver, **changes
        )
        self.loss = loss
        self.dtype = np.dtype(dtype)
        architecture = make_architecture(self.settings, units[1:-1], units[0], units[-1], loss)
        self.layout = make_layout(architecture)
        self.flat = np.zeros(self.layout.size, dtype)
        for part in self.parts():
            part[...] = rng.uniform(-1, 1, part.shape) * np.sqrt(3 / units[0])
        self.X = (
            rng.integers(-8, 9, (n_rows, units[0])) * rng.integers(0, 2, (n_rows, units[0]))
        ) / 8
        self.y = np.asarray(LOSSES[loss].targets(rng, n_rows, units[-1]), np.float64)
        self.weight = rng.choice([0.0, 1.0, 2.0, 4.0], n_rows)
        self.optimizer = OptimizerState(solver, self.flat.size, self.dtype, RATE, seed=0)
        self.session = CompiledNetwork(self.flat, architecture, self.settings)

    def parts(self):
        return [part for parts in coefs_and_intercepts(self.flat, self.layout) for part in parts]

    def table(self, X=None):
        mean_weight = self.weight.mean()
        X = self.X if X is None else X
        return Table(
            X,
            self.y.astype(self.dtype),
            (self.weight / mean_weight).astype(self.dtype),
            self.dtype,
            mean_weight,
        )

    def train(self, orders, batch_size, X=None):
        """Train for an epoch in each of the orders; return the losses."""
        with np.errstate(all="ignore"):
            batches = MinibatchLoop(self.session, self.table(X), batch_size, self.optimizer)
            return [batches.train(np.array([order]))[0] for order in orders]

    def oracle(self, orders, batch_size):
        """Return ``(weights, losses)`` that training should lead to, from the weights as they
        are."""
        activation = ACTIVATIONS[self.settings.activation]
        coefs, intercepts = coefs_and_intercepts(self.flat.astype(np.float64), self.layout)
        network = Network(
            coefs,
            intercepts,
            lambda z: activation(z, SHAPE),
            LOSSES[self.loss].loss,
            self.settings.alpha,
        )
        batches = [
            order[start : start + batch_size]
            for order in orders
            for start in range(0, len(order), batch_size)
        ]
        tables = [
            Batch(self.X[rows], self.y[rows], self.weight[rows], self.weight.mean())
            for rows in batches
        ]
        trained, losses = reference.train(
            network, tables, OPTIMIZERS[self.settings.solver], self.settings, RATE
        )
        n_averaged = self.layout.fan_outs[-1] if self.loss == "squared_error" else 1
        totals = [
            len(rows) * (data / n_averaged + penalty)
            for rows, (data, penalty) in zip(batches, losses, strict=True)
        ]
        return [*trained.coefs, *trained.intercepts], np.sum(
            np.reshape(totals, (len(orders), -1)), axis=1
        ) / len(orders[0])


def _orders(n_epochs, n_rows):
    rng = np.random.default_rng(1)
    return [rng.permutation(n_rows) for _ in range(n_epochs)]


def _check_training(problem, orders, batch_size, X=None):
    weights, losses = problem.oracle(orders, batch_size)
    found = problem.train(orders, batch_size, X)
    rtol, atol = (1e-10, 1e-12) if problem.dtype == np.float64 else (1e-4, 1e-5)
    np.testing.assert_allclose(found, losses, rtol=rtol)
    for part, expected in zip(problem.parts(), weights, strict=True):
        np.testing.assert_allclose(part, expected, rtol=rtol, atol=atol)


# ---- training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 5, 23])
@pytest.mark.parametrize("changes", SETTINGS)
def test_training_is_the_oracles(dtype, solver, batch_size, changes):
    _check_training(Problem(solver, dtype, **changes), _orders(2, 23), batch_size)


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("activation", ELEMENTWISE)
@pytest.mark.parametrize("loss", LOSSES)
def test_training_with_every_part(solver, activation, loss):
    _check_training(
        Problem(solver, "float64", activation=activation, loss=loss, epsilon=1e-3),
        _orders(2, 23),
        5,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("units", [(6, 3), (1, 1, 1), (6, 16, 32, 16), (70, 130, 101, 3)])
def test_training_of_other_shapes(dtype, solver, units):
    # With Adam's usual epsilon, rounding decides about the sign of steps along gradients near zero.
    _check_training(
        Problem(solver, dtype, units=units, n_rows=70, epsilon=1e-3), _orders(1, 70), 32
    )


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("convert", [sparse.csr_matrix, np.asfortranarray, np.float16])
def test_training_on_other_tables(solver, convert):
    problem = Problem(solver, "float64")
    _check_training(problem, _orders(2, 23), 5, X=convert(problem.X))


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_batches_do_not_depend_on_chunks(solver, monkeypatch):
    whole = Problem(solver, "float64")
    chunked = Problem(solver, "float64")
    losses = whole.train(_orders(3, 23), 4)
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 6 * 8 * 10)  # ten rows, so two batches
    np.testing.assert_allclose(chunked.train(_orders(3, 23), 4), losses, rtol=1e-14)
    np.testing.assert_array_equal(bits(chunked.flat), bits(whole.flat))


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [12, 23])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_batches_larger_than_a_chunk(solver, batch_size, is_sparse, monkeypatch):
    whole = Problem(solver, "float64")
    in_parts = Problem(solver, "float64")
    X = sparse.csr_matrix(whole.X) if is_sparse else whole.X
    losses = whole.train(_orders(3, 23), batch_size, X)
    table = in_parts.table(X)
    row_bytes = table.n_stored * (16 if is_sparse else 8)
    n_values = in_parts.session.n_values
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 5 * row_bytes)
    monkeypatch.setattr(sknn._runtime.data, "_BATCH_BYTES", 5 * (row_bytes + 8 * n_values))
    n_operations = in_parts.session.n_operations(table)
    assert table.chunk_rows(n_operations) == table.batch_rows(n_operations, n_values) == 5
    np.testing.assert_allclose(in_parts.train(_orders(3, 23), batch_size, X), losses, rtol=1e-12)
    np.testing.assert_allclose(in_parts.flat, whole.flat, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("chunk_bytes", [1, 4 << 20])
def test_padding_stays_zero(dtype, solver, chunk_bytes, monkeypatch):
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", chunk_bytes)
    problem = Problem(solver, dtype)
    problem.train(_orders(2, 23), 5)
    assert (np.concatenate([part.ravel() for part in problem.parts()]) != 0).all()
    for part in problem.parts():
        part[...] = 0
    np.testing.assert_array_equal(problem.flat, 0)


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
@pytest.mark.parametrize("chunk_bytes", [1, 4 << 20])
def test_training_stops_before_a_batch_without_finite_loss(solver, value, chunk_bytes, monkeypatch):
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", chunk_bytes)
    diverging, until_then = (Problem(solver, "float64", loss="squared_error") for _ in range(2))
    diverging.weight[:] = until_then.weight[:] = 1
    diverging.y[13, 0] = value
    assert np.isnan(diverging.train([np.arange(23)], 5))
    until_then.train([np.arange(10)], 5)
    np.testing.assert_array_equal(diverging.flat, until_then.flat)


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_a_batch_of_weight_zero_only_shrinks(solver):
    problem = Problem(solver, "float64")
    problem.weight[:5] = 0
    _check_training(problem, [np.arange(23)], 5)


def test_denormal_numbers_are_given_back():
    problem = Problem("adam", "float64")
    problem.train(_orders(1, 23), 5)
    problem.session.outputs(problem.table())
    problem.session.loss_and_gradient(problem.table(), np.arange(23))
    assert np.float64(1e-310) * 0.5 > 0


# ---- predictions -------------------------------------------------------------------------------

TABLES = {
    "float32": np.float32,
    "float16": np.float16,
    "int8": np.int8,
    "int64": np.int64,
    "big-endian": lambda X: X.astype(">f8"),
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
}
SPARSE_TABLES = {
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "int csr": lambda X: sparse.csr_matrix(X.astype(np.int16)),
    "int64 indices": lambda X: _with_int64_indices(sparse.csr_matrix(X)),
}


def _with_int64_indices(X):
    X.indices = X.indices.astype(np.int64)
    X.indptr = X.indptr.astype(np.int64)
    return X


def _whole_numbers(problem, n_rows=23):
    return np.random.default_rng(2).integers(-3, 4, (n_rows, problem.X.shape[1])) * 1.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", TABLES)
def test_dense_tables_of_the_same_values_give_the_same_predictions(kind, dtype):
    problem = Problem("sgd", dtype)
    X = _whole_numbers(problem)
    expected, found = (
        problem.session.outputs(problem.table(table)) for table in (X, TABLES[kind](X))
    )
    np.testing.assert_array_equal(bits(found), bits(expected))


@pytest.mark.parametrize("dtype", DTYPES)
def test_read_only_memmap_gives_the_same_predictions(dtype, tmp_path):
    problem = Problem("sgd", dtype)
    X = _whole_numbers(problem)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected, found = (problem.session.outputs(problem.table(table)) for table in (X, mapped))
    np.testing.assert_array_equal(bits(found), bits(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", SPARSE_TABLES)
def test_sparse_tables_of_the_same_values_give_the_same_predictions(kind, dtype):
    problem = Problem("sgd", dtype)
    X = _whole_numbers(problem)
    expected, found = (
        problem.session.outputs(problem.table(table)) for table in (X, SPARSE_TABLES[kind](X))
    )
    np.testing.assert_allclose(found, expected, rtol=50 * np.finfo(dtype).eps)


@compiled_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ELEMENTWISE)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
def test_predictions_of_rows_alone_or_together_have_the_same_bits(dtype, activation, loss, convert):
    problem = Problem("sgd", dtype, activation=activation, loss=loss, n_rows=41)
    X = convert(problem.X)
    together = problem.session.outputs(problem.table(X))
    alone = np.concatenate(
        [problem.session.outputs(Table(X[i : i + 1], None, None, problem.dtype)) for i in range(41)]
    )
    np.testing.assert_array_equal(bits(alone), bits(together))


@compiled_only
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_of_predictions_do_not_depend_on_chunks_or_blocks(dtype, monkeypatch):
    problem = Problem("sgd", dtype, units=(50, 130, 101, 3), n_rows=600)
    expected = problem.session.outputs(problem.table())
    np.testing.assert_array_equal(
        bits(problem.session.outputs(problem.table(), np.arange(600)[::-1])), bits(expected[::-1])
    )
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 50 * problem.dtype.itemsize * 7)
    np.testing.assert_array_equal(bits(problem.session.outputs(problem.table())), bits(expected))
