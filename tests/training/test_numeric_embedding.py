"""``numeric_embedding='pbld'``: learned waves of numbers as further inputs of the first layer."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from test_optimizers import REFERENCE as STEPS

from sknn import MLPClassifier, MLPRegressor
from sknn._runtime.architecture import LEARNED
from sknn._runtime.embedding import find_columns
from tests.reference import bits, partials

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(36, 5))
X[:, 1] = X[:, 1] > 0  # not embedded
Y = np.column_stack([np.sin(4 * X[:, 0]) + X[:, 1], X[:, 2] * X[:, 4]])
EMBEDDED = [0, 2, 3, 4]
SETTINGS = {
    "hidden_layer_sizes": (4, 3),
    "activation": "tanh",
    "batch_size": 12,
    "max_iter": 3,
    "shuffle": False,
    "alpha": 0.1,
    "learning_rate_init": 0.02,
    "random_state": 0,
    "numeric_embedding": "pbld",
}
OF_THE_EMBEDDING = [name for name in LEARNED if name.startswith("embedding_")]


def values(model):
    """Return all that the model has learned, what embeds last."""
    return [array for name in LEARNED for array in getattr(model, name, [])]


def learned_by(model):
    names = [*OF_THE_EMBEDDING, "coefs_", "intercepts_"]
    return [array for name in names for array in getattr(model, name)]


def assert_same(one, other):
    for mine, theirs in zip(values(one), values(other), strict=True):
        np.testing.assert_array_equal(bits(mine), bits(theirs))
    assert one.loss_curve_ == other.loss_curve_


def embed(X, frequencies, phases, coefs, intercepts):
    """Return the inputs of the first layer, one column after another."""
    columns = list(X.T)
    for w, p, c, b, i in zip(frequencies, phases, coefs, intercepts, EMBEDDED, strict=True):
        waves = [np.cos(2 * np.pi * w[k] * X[:, i] + p[k]) for k in range(16)]
        columns += [sum(waves[k] * c[k, j] for k in range(16)) + b[j] for j in range(3)]
    return np.column_stack(columns)


def predict(learned, X):
    w_0, w_1, w_2, b_0, b_1, b_2 = learned[4:]
    a = np.tanh(embed(X, *learned[:4]) @ w_0 + b_0)
    return np.tanh(a @ w_1 + b_1) @ w_2 + b_2


def objective(learned, X, Y, alpha):
    penalty = alpha * sum(np.sum(W**2) for W in learned[4:7])
    return (0.5 * np.sum((predict(learned, X) - Y) ** 2) + 0.5 * penalty) / len(X)


def slowly_trained(model):
    """Return what the model should learn."""
    settings = SimpleNamespace(**model.get_params())
    start = clone(model).set_params(learning_rate_init=1e-30, max_iter=1).fit(X, Y)
    learned = [np.array(value) for value in learned_by(start)]
    states = [[np.zeros_like(value)] * 3 for value in learned]
    ends = np.cumsum([value.size for value in learned])[:-1]

    def unpacked(flat):
        pieces = np.split(flat, ends)
        return [piece.reshape(value.shape) for piece, value in zip(pieces, learned, strict=True)]

    for t in range(1, 3 * settings.max_iter + 1):
        first = 12 * ((t - 1) % 3)
        rows = slice(first, first + 12)
        flat = np.concatenate([value.ravel() for value in learned])
        gradient = partials(
            lambda flat, rows=rows: objective(unpacked(flat), X[rows], Y[rows], settings.alpha),
            flat,
        )
        for i, g in enumerate(unpacked(gradient)):
            rate = settings.learning_rate_init * (0.1 if i < 4 else 1)
            step = STEPS[settings.solver]
            learned[i], states[i] = step(learned[i], g, states[i], settings, rate, t)
    return learned


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("max_grad_norm", [None, 1e30])
def test_training_is_that_of_the_formula(solver, max_grad_norm):
    model = MLPRegressor(**SETTINGS, solver=solver, max_grad_norm=max_grad_norm).fit(X, Y)
    for mine, expected in zip(learned_by(model), slowly_trained(model), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(model.predict(X), predict(learned_by(model), X), rtol=1e-11)


def test_it_starts_as_in_realmlp():
    wide = np.random.default_rng(1).normal(size=(5, 200))
    settings = {"learning_rate_init": 1e-30, "max_iter": 1, "batch_size": 5}
    model = MLPRegressor(**SETTINGS | settings).fit(wide, wide[:, 0])
    frequencies, phases, coefs, intercepts = (getattr(model, n)[0] for n in OF_THE_EMBEDDING)
    assert frequencies.shape == phases.shape == (200, 16)
    assert (coefs.shape, intercepts.shape) == ((200, 16, 3), (200, 3))
    assert abs(frequencies.std() - 0.1) < 0.01
    for array, bound in ((phases, np.pi), (coefs, 0.25), (intercepts, 0.25)):
        assert 0.97 * bound < np.abs(array).max() <= bound
        assert abs(array.mean()) < 0.1 * bound


def test_it_learns_what_changes_quickly():
    x = np.linspace(-3, 3, 600)[:, np.newaxis]
    y = np.sin(9 * x[:, 0])
    settings = {"hidden_layer_sizes": 32, "learning_rate_init": 0.05, "batch_size": 100}
    settings |= {"max_iter": 150, "n_iter_no_change": 150, "random_state": 0, "tol": 0}
    scores = [
        MLPRegressor(**settings, numeric_embedding=embedding).fit(x, y).score(x, y)
        for embedding in ("none", "pbld")
    ]
    assert scores[0] < 0.7
    assert scores[1] > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lbfgs_trains_it(dtype):
    settings = SETTINGS | {"solver": "lbfgs", "alpha": 0, "max_iter": 300, "tol": 1e-9}
    model = MLPRegressor(**settings | {"hidden_layer_sizes": 20}, dtype=dtype).fit(X, Y)
    assert model.score(X, Y) > 0.99
    start = clone(model).set_params(max_fun=1).fit(X, Y)
    for mine, initial in zip(values(model)[-4:], values(start)[-4:], strict=True):
        assert (mine != initial).any()


def test_whole_minibatches_and_parts_of_them_have_one_gradient(monkeypatch):
    """Minibatches that do not fit into memory are accumulated chunk by chunk."""
    settings = SETTINGS | {"batch_size": 36, "solver": "sgd"}
    whole = MLPRegressor(**settings).fit(X, Y)
    monkeypatch.setattr("sknn._runtime.data._BATCH_BYTES", 1)
    monkeypatch.setattr("sknn._runtime.compiled_network._BLOCK_ROWS", 10)
    in_parts = MLPRegressor(**settings).fit(X, Y)
    for mine, expected in zip(values(in_parts), values(whole), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-12)
    assert in_parts.loss_curve_ != whole.loss_curve_  # the sums have other orders


@pytest.mark.parametrize(
    "changes",
    [
        {"parametrization": "ntk", "bias_lr_factor": 0.1, "input_scale": 6.0, "skip": True},
        {"batch_norm": True, "dropout": 0.2, "dtype": "float32"},
        {"early_stopping": True, "batch_norm": "after"},
        {"hidden_layer_sizes": (), "activation": "relu"},
    ],
    ids=str,
)
def test_further_training_goes_on_bit_for_bit(changes):
    settings = SETTINGS | {"tol": 0, "max_iter": 4} | changes
    once = MLPRegressor(**settings | {"max_iter": 8}).fit(X, Y)
    half = MLPRegressor(**settings, warm_start=True).fit(X, Y)
    twice = pickle.loads(pickle.dumps(half)).fit(X, Y)
    assert_same(once, twice)


def test_tables_of_every_kind_have_the_same_bits():
    """Rows are read by their indices, or copied where the network cannot read them."""
    expected = MLPRegressor(**SETTINGS).fit(X, Y)
    for table in (np.asfortranarray(X), X.astype(">f8"), X[::1, ::-1][:, ::-1]):
        model = MLPRegressor(**SETTINGS).fit(table, Y)
        assert_same(model, expected)
        np.testing.assert_array_equal(bits(model.predict(table)), bits(expected.predict(X)))


def test_predictions_of_a_row_do_not_depend_on_the_others():
    model = MLPRegressor(**SETTINGS, dtype="float32").fit(X, Y)
    together = model.predict(np.tile(X, (20, 1)))
    alone = np.concatenate([model.predict(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_array_equal(bits(together[: len(X)]), bits(alone))
    np.testing.assert_array_equal(bits(together[-len(X) :]), bits(alone))


# ---- columns -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [1, 2, 3, 25])
def test_columns_with_more_than_two_values_are_embedded(monkeypatch, n_rows):
    monkeypatch.setattr("sknn._runtime.embedding._ROWS_AT_ONCE", 4)
    table = np.random.default_rng(n_rows).integers(0, np.arange(1, 9), size=(n_rows, 8))
    table[:, 3] = np.arange(n_rows) == n_rows - 1
    table[:, 4] = np.arange(n_rows) // (n_rows - 1) + np.arange(n_rows) // 2 if n_rows > 1 else 0
    expected = [i for i in range(8) if len(np.unique(table[:, i])) > 2]
    assert find_columns(table) == tuple(expected)
    assert find_columns(table.astype(np.float32, order="F")) == tuple(expected)


def test_columns_stay_when_training_goes_on():
    model = MLPRegressor(**SETTINGS | {"batch_size": 3})
    model.partial_fit(X[:5], Y[:5])
    embedded = model._architecture.embedded
    other = X.copy()
    other[:, 0] = 0
    model.partial_fit(other, Y)
    assert model._architecture.embedded == embedded == tuple(EMBEDDED)


def test_without_such_columns_it_warns():
    table = (X > 0).astype(float)
    model = MLPRegressor(**SETTINGS)
    with pytest.warns(UserWarning, match="numeric_embedding='pbld' has no effect"):
        model.fit(table, Y)
    assert not hasattr(model, "embedding_coefs_")
    plain = MLPRegressor(**SETTINGS | {"numeric_embedding": "none"}).fit(table, Y)
    assert_same(model, plain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(X, Y)


def test_a_network_without_it_cannot_go_on_with_it():
    model = MLPRegressor(**SETTINGS | {"numeric_embedding": "none"}, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="set warm_start=False"):
        model.set_params(numeric_embedding="pbld").fit(X, Y)
    other = MLPRegressor(**SETTINGS, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="set warm_start=False"):
        other.set_params(numeric_embedding="none").fit(X, Y)


# ---- what is refused, and what users change ----------------------------------------------------


def test_sparse_tables_are_refused():
    pd = pytest.importorskip("pandas")
    rows = sparse.csr_array(X)
    dense = MLPRegressor(**SETTINGS).fit(X, Y)
    before = values(clone(dense).fit(X, Y))
    for call in (
        lambda: dense.fit(rows, Y),
        lambda: dense.partial_fit(rows, Y),
        lambda: dense.fit(X, Y, X_val=rows, y_val=Y),
    ):
        with pytest.raises(ValueError, match=r"numeric_embedding='pbld' needs dense .*toarray"):
            call()
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X))
    with pytest.raises(ValueError, match="X_val is sparse"):
        dense.fit(X, Y, X_val=frame, y_val=Y)
    dense.set_params(numeric_embedding="none")
    for method in (dense.predict, dense.hidden_features):
        with pytest.raises(ValueError, match=r"numeric_embedding='pbld' needs dense .*toarray"):
            method(rows)
    for mine, expected in zip(values(dense), before, strict=True):
        np.testing.assert_array_equal(mine, expected)
    assert not MLPRegressor(**SETTINGS).__sklearn_tags__().input_tags.sparse


def test_input_dropout_is_refused():
    model = MLPRegressor(**SETTINGS, input_dropout=0.1)
    with pytest.raises(ValueError, match=r"'none' or 'piecewise_linear' with input_dropout=0.1"):
        model.fit(X, Y)


def test_predictions_are_those_of_the_fitted_network():
    model = MLPRegressor(**SETTINGS).fit(X, Y)
    before = model.predict(X)
    model.set_params(numeric_embedding="none", input_dropout=0.5)
    np.testing.assert_array_equal(model.predict(X), before)
    plain = MLPRegressor(**SETTINGS | {"numeric_embedding": "none"}).fit(X, Y)
    before = plain.predict(X)
    np.testing.assert_array_equal(plain.set_params(numeric_embedding="pbld").predict(X), before)


def test_assigned_values_are_used():
    model = MLPRegressor(**SETTINGS).fit(X, Y)
    shift = RNG.normal(size=(4, 3))
    model.embedding_intercepts_ = [model.embedding_intercepts_[0] + shift]
    np.testing.assert_allclose(model.predict(X), predict(learned_by(model), X), rtol=1e-11)
    model.embedding_phases_ = [np.zeros((5, 16))]
    with pytest.raises(ValueError, match=r"embedding_phases_\[0\] has shape"):
        model.predict(X)


def test_it_counts_among_the_parameters():
    model = MLPRegressor(**SETTINGS)
    first, second, *_ = model.summary(n_features=5, n_outputs=2).layers
    assert first == ("embedding", (None, None), None, None)
    model.fit(X, Y)
    first, second, *_ = model.summary().layers
    assert first == ("embedding", (None, 17), 4 * 83, 4 * 83)
    assert second == ("dense 1", (None, 4), 18 * 4, 18 * 4)
    assert model.n_parameters_ == model.summary().n_trainable
    assert model.coefs_[0].shape == (17, 4)


def test_a_search_takes_it():
    y = (X[:, 0] > 0).astype(int)
    network = MLPClassifier((4,), max_iter=3, random_state=0)
    search = GridSearchCV(network, {"numeric_embedding": ["none", "pbld"]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
