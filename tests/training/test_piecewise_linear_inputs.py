"""``numeric_embedding='piecewise_linear'``: bins of numbers as further inputs of the first layer.

A network that has them is one without them on a table that has the encoder's columns.
"""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import EnsembleRegressor, MLPClassifier, MLPRegressor, PiecewiseLinearEncoder
from sknn._runtime.architecture import LEARNED
from sknn._runtime.piecewise_linear import N_BINS, SCALE, encode, find_bins, piecewise_linear
from tests.reference import bits

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 5))
X[:, 1] = X[:, 1] > 0
X[:, 3] = np.maximum(X[:, 3].round(1), -0.5)  # with fewer bins, since quantiles are equal
Y = np.column_stack([np.sin(4 * X[:, 0]) + X[:, 1], X[:, 2] * X[:, 4]])
SETTINGS = {
    "hidden_layer_sizes": (4, 3),
    "activation": "tanh",
    "batch_size": 12,
    "max_iter": 3,
    "learning_rate_init": 0.02,
    "random_state": 0,
}
EMBEDDED = SETTINGS | {"numeric_embedding": "piecewise_linear"}


def values(model):
    return [array for name in LEARNED for array in getattr(model, name, [])]


def assert_same(one, other):
    for mine, theirs in zip(values(one), values(other), strict=True):
        np.testing.assert_array_equal(bits(mine), bits(theirs))
    assert one.loss_curve_ == other.loss_curve_


def with_bins(rows, table=X):
    """Return rows with the encoder's columns for a table behind theirs."""
    encoder = PiecewiseLinearEncoder().fit(table)
    counts = [max(1, len(edges)) for edges in encoder.edges_]
    firsts = np.cumsum([0, *counts[:-1]])
    added = np.delete(encoder.transform(rows), firsts, axis=1)
    return np.ascontiguousarray(np.column_stack([rows, added]))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"solver": "lbfgs"},
        {"input_dropout": 0.2, "dropout": 0.1, "shuffle": False},
        {"early_stopping": True, "batch_norm": "after"},
        {"input_scale": 6.0, "parametrization": "ntk", "max_grad_norm": 0.1},
        {"dtype": "float32", "batch_norm": True},
    ],
    ids=str,
)
def test_training_is_that_on_the_encoders_columns(changes):
    dtype = changes.get("dtype", "float64")
    inputs = with_bins(X.astype(dtype))
    expected = MLPRegressor(**SETTINGS | changes).fit(inputs, Y)
    model = MLPRegressor(**EMBEDDED | changes).fit(X, Y)
    assert_same(model, expected)
    np.testing.assert_array_equal(bits(model.predict(X)), bits(expected.predict(inputs)))
    new = 3 * RNG.normal(size=(50, 5))
    predictions = expected.predict(with_bins(new.astype(dtype)))
    np.testing.assert_array_equal(bits(model.predict(new)), bits(predictions))


def test_it_uses_the_defaults_of_the_encoder():
    encoder = PiecewiseLinearEncoder()
    assert (encoder.n_bins, encoder.scale) == (N_BINS, SCALE)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_classifier_with_weights_and_a_refit(early_stopping):
    labels = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    weight = RNG.uniform(0.5, 2, len(X))
    changes = {"early_stopping": early_stopping, "refit": early_stopping}
    model = MLPClassifier(**EMBEDDED).set_params(**changes).fit(X, labels, weight)
    expected = MLPClassifier(**SETTINGS).set_params(**changes).fit(with_bins(X), labels, weight)
    assert_same(model, expected)
    expected = expected.predict_proba(with_bins(X))
    np.testing.assert_array_equal(bits(model.predict_proba(X)), bits(expected))


def test_given_validation_samples_are_encoded_too():
    new = RNG.normal(size=(30, 5))
    y = new[:, :2]
    model = MLPRegressor(**EMBEDDED).fit(X, Y, X_val=new, y_val=y)
    expected = MLPRegressor(**SETTINGS).fit(with_bins(X), Y, X_val=with_bins(new), y_val=y)
    assert model.history_["val_loss"] == expected.history_["val_loss"]
    assert model.evaluate(new, y) == expected.evaluate(with_bins(new), y)


def test_the_linear_path_reads_features_alone():
    model = MLPRegressor(**EMBEDDED, skip=True, solver="lbfgs").fit(X, Y)
    assert model.skip_coefs_[0].shape == (5, 2)
    w_0, w_1, w_2 = model.coefs_
    b_0, b_1, b_2 = model.intercepts_
    outputs = np.tanh(np.tanh(with_bins(X) @ w_0 + b_0) @ w_1 + b_1) @ w_2 + b_2
    np.testing.assert_allclose(
        model.predict(X), outputs + X @ model.skip_coefs_[0], rtol=1e-11, atol=1e-12
    )
    assert np.abs(model.skip_coefs_[0]).min() > 0


def test_it_learns_what_jumps():
    x = np.linspace(-3, 3, 600)[:, np.newaxis]
    y = np.sign(np.sin(4 * x[:, 0]))
    settings = {"hidden_layer_sizes": 32, "learning_rate_init": 0.01, "batch_size": 100}
    settings |= {"max_iter": 60, "n_iter_no_change": 60, "random_state": 0, "tol": 0}
    scores = {
        embedding: MLPRegressor(**settings, numeric_embedding=embedding).fit(x, y).score(x, y)
        for embedding in ("none", "piecewise_linear")
    }
    assert scores["none"] < 0.4
    assert scores["piecewise_linear"] > 0.7


# ---- rows of tables ----------------------------------------------------------------------------


def test_tables_of_every_kind_have_the_same_bits():
    expected = MLPRegressor(**EMBEDDED).fit(X, Y)
    before = X.copy()
    for table in (np.asfortranarray(X), X.astype(">f8"), X[::1, ::-1][:, ::-1]):
        model = MLPRegressor(**EMBEDDED).fit(table, Y)
        assert_same(model, expected)
        np.testing.assert_array_equal(bits(model.predict(table)), bits(expected.predict(X)))
    np.testing.assert_array_equal(X, before)
    whole = (10 * X).astype(np.int16)
    model = MLPRegressor(**EMBEDDED).fit(whole, Y)
    assert_same(model, MLPRegressor(**EMBEDDED).fit(whole.astype(float), Y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_that_are_read_together_do_not_matter(monkeypatch, dtype):
    model = MLPRegressor(**EMBEDDED, dtype=dtype).fit(X, Y)
    together = model.predict(X)
    alone = np.concatenate([model.predict(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_array_equal(bits(together), bits(alone))
    monkeypatch.setattr("sknn._runtime.piecewise_linear._NUMBERS_AT_ONCE", 100)
    np.testing.assert_array_equal(bits(model.predict(X)), bits(together))
    assert_same(MLPRegressor(**EMBEDDED, dtype=dtype).fit(X, Y), model)
    monkeypatch.setattr("sknn._runtime.data._CHUNK_BYTES", 1)
    np.testing.assert_array_equal(bits(model.predict(X)), bits(together))
    in_chunks = MLPRegressor(**EMBEDDED, dtype=dtype).fit(X, Y)
    for mine, expected in zip(values(in_chunks), values(model), strict=True):
        np.testing.assert_array_equal(bits(mine), bits(expected))


def test_chunks_of_rows_have_as_many_bytes_as_without():
    """Rows with bins are longer, so chunks have fewer of them."""
    network, table = MLPRegressor(**EMBEDDED).fit(X, Y)._for_prediction(np.tile(X, (3000, 1)))
    n_rows = table.chunk_rows(1)
    rows = network.read_rows(table, slice(0, n_rows), 256)
    assert rows.dense.size == n_rows * network.architecture.n_inputs
    assert 2 << 20 < rows.dense.nbytes <= 4 << 20


def test_minibatches_that_are_accumulated(monkeypatch):
    whole = MLPRegressor(**EMBEDDED | {"batch_size": 90, "solver": "sgd"}).fit(X, Y)
    monkeypatch.setattr("sknn._runtime.data._BATCH_BYTES", 1)
    monkeypatch.setattr("sknn._runtime.compiled_network._BLOCK_ROWS", 10)
    in_parts = clone(whole).fit(X, Y)
    for mine, expected in zip(values(in_parts), values(whole), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-12)


def test_numbers_far_from_all_edges_and_between_close_ones():
    huge = np.finfo(float).max
    tiny = 5e-324
    column = np.array([-huge, -1.0, 0.0, tiny, 2 * tiny, 1.0, 1.0 + 2**-52, huge])
    bins = find_bins(column[:, np.newaxis])
    low, high = (np.array(edges) for edges in (bins[0][1][:-1], bins[0][1][1:]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoded = encode(column[:, np.newaxis], low, high, 2.0)
        gradient = np.zeros((8, 1))
        added = piecewise_linear(bins)
        added.add_gradient(column[:, np.newaxis], np.ones_like(encoded), gradient)
    assert np.isfinite(gradient).all()
    assert (np.abs(encoded) <= 1).all()
    assert (np.diff(encoded, axis=0) >= 0).all()
    assert (encoded[0] == -1).all()
    assert (encoded[-1] == 1).all()
    # Edges that float32 cannot tell apart.
    narrow = np.column_stack([1e6 + np.arange(40.0) / 1000, X[:40, 0]])
    model = MLPRegressor(**EMBEDDED, dtype="float32").fit(narrow - 1e6, Y[:40])
    assert np.isfinite(model.predict(narrow)).all()
    assert np.isfinite(MLPRegressor(**EMBEDDED).fit(narrow, Y[:40]).predict(1e9 * narrow)).all()


# ---- bins --------------------------------------------------------------------------------------


def test_edges_are_those_of_the_encoder():
    model = MLPRegressor(**EMBEDDED).fit(X, Y)
    assert [len(edges) for edges in model.embedding_edges_][:3] == [17, 0, 17]
    assert 3 < len(model.embedding_edges_[3]) < 17
    for mine, expected in zip(
        model.embedding_edges_, PiecewiseLinearEncoder().fit(X).edges_, strict=True
    ):
        np.testing.assert_array_equal(mine, expected)
    with pytest.raises(AttributeError):
        model.embedding_edges_ = []
    model.embedding_edges_[0][:] = 0  # a copy
    assert model.embedding_edges_[0][0] == X[:, 0].min()


@pytest.mark.parametrize("embedding", ["none", "pbld"])
def test_other_networks_have_no_edges(embedding):
    model = MLPRegressor(**EMBEDDED)
    with pytest.raises(AttributeError, match=r"is not fitted|fitted with numeric_embedding"):
        model.embedding_edges_  # noqa: B018
    model.fit(X, Y).set_params(numeric_embedding=embedding).fit(X, Y)
    with pytest.raises(AttributeError, match="fitted with numeric_embedding='piecewise_linear'"):
        model.embedding_edges_  # noqa: B018


def test_edges_stay_when_training_goes_on():
    model = MLPRegressor(**EMBEDDED).partial_fit(X, Y)
    expected = MLPRegressor(**SETTINGS).partial_fit(with_bins(X), Y)
    other = 2 * X + 1
    assert_same(model.partial_fit(other, Y), expected.partial_fit(with_bins(other), Y))
    model.fit(other, Y)
    assert model.embedding_edges_[0][0] == other[:, 0].min()


@pytest.mark.parametrize(
    "changes",
    [
        {"parametrization": "ntk", "bias_lr_factor": 0.1, "input_scale": 6.0, "skip": True},
        {"batch_norm": True, "dropout": 0.2, "input_dropout": 0.1, "dtype": "float32"},
        {"early_stopping": True},
        {"hidden_layer_sizes": (), "activation": "relu"},
    ],
    ids=str,
)
def test_further_training_goes_on_bit_for_bit(changes):
    settings = EMBEDDED | {"tol": 0, "max_iter": 4} | changes
    once = MLPRegressor(**settings | {"max_iter": 8}).fit(X, Y)
    half = MLPRegressor(**settings, warm_start=True).fit(X, Y)
    twice = pickle.loads(pickle.dumps(half)).fit(X, Y)
    assert_same(once, twice)


def test_without_bins_it_warns():
    table = np.column_stack([X > 0, np.arange(90) == 0, 2 * (np.arange(90) == 0)]).astype(float)
    table[1, -1] = 1  # three values, but quantiles are 0 or 2
    model = MLPRegressor(**EMBEDDED)
    with pytest.warns(UserWarning, match=r"'piecewise_linear' has no effect.*distinct quantiles"):
        model.fit(table, Y)
    assert all(len(edges) == 0 for edges in model.embedding_edges_)
    assert_same(model, MLPRegressor(**SETTINGS).fit(table, Y))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(np.hstack([X, X[:, :2]]), Y)


# ---- with other parameters ---------------------------------------------------------------------


@pytest.mark.parametrize("before", ["none", "pbld", "piecewise_linear"])
def test_training_does_not_go_on_with_another_embedding(before):
    model = MLPRegressor(**SETTINGS, numeric_embedding=before, warm_start=True).fit(X, Y)
    learned = [array.copy() for array in values(model)]
    for after in {"none", "pbld", "piecewise_linear"} - {before}:
        model.set_params(numeric_embedding=after)
        message = rf"numeric_embedding='{after}' does not fit .* has '{before}'; set warm_start"
        for train in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=message):
                train(X, Y)
    model.set_params(numeric_embedding=before).predict(X)
    for mine, expected in zip(values(model), learned, strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_sparse_tables_are_refused():
    rows = sparse.csr_array(X)
    model = MLPRegressor(**EMBEDDED).fit(X, Y)
    for call in (
        lambda: model.fit(rows, Y),
        lambda: model.partial_fit(rows, Y),
        lambda: model.fit(X, Y, X_val=rows, y_val=Y),
        lambda: model.predict(rows),
        lambda: model.gradients(rows, Y),
    ):
        with pytest.raises(
            ValueError, match=r"numeric_embedding='piecewise_linear' needs dense .*toarray"
        ):
            call()
    assert not model.__sklearn_tags__().input_tags.sparse


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    table = X.copy()
    table[3, 2] = bad
    model = MLPRegressor(**EMBEDDED)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.fit(table, Y)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.fit(X, Y).predict(table)


def test_predictions_are_those_of_the_fitted_network():
    model = MLPRegressor(**EMBEDDED).fit(X, Y)
    before = model.predict(X)
    for after in ("none", "pbld"):
        model.set_params(numeric_embedding=after, input_dropout=0.5)
        np.testing.assert_array_equal(model.predict(X), before)
        twin = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(twin.predict(X), before)
    np.testing.assert_array_equal(twin.embedding_edges_[3], model.embedding_edges_[3])


def test_the_summary_names_it():
    model = MLPRegressor(**EMBEDDED, input_dropout=0.1)
    first, second, third, *_ = model.summary(n_features=5, n_outputs=2).layers
    assert first == ("piecewise linear", (None, None), 0, 0)
    model.fit(X, Y)
    first, second, third, *_ = model.summary().layers
    n_inputs = with_bins(X).shape[1]
    assert first == ("piecewise linear", (None, n_inputs), 0, 0)
    assert second == ("input dropout 0.1", (None, n_inputs), 0, 0)
    assert third == ("dense 1", (None, 4), (n_inputs + 1) * 4, (n_inputs + 1) * 4)
    assert model.coefs_[0].shape == (n_inputs, 4)
    assert model.n_features_in_ == 5


def test_a_search_and_an_ensemble_take_it():
    grid = {"mlpregressor__numeric_embedding": ["none", "pbld", "piecewise_linear"]}
    pipeline = make_pipeline(StandardScaler(), MLPRegressor(**SETTINGS))
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    ensemble = EnsembleRegressor(MLPRegressor(**EMBEDDED), n_estimators=2).fit(X, Y)
    assert np.isfinite(ensemble.predict(X)).all()
