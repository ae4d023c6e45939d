"""Batch norm in training: minibatches of every size, and the averages that predictions use."""

import pickle
import warnings

import numpy as np
import pytest
from reference import bits
from scipy import sparse

import sknn._runtime.data
import sknn._training.stochastic
from sknn import MLPClassifier, MLPRegressor
from sknn._runtime.binding import LEAST_NORMALIZED
from sknn._training.minibatches import MinibatchLoop

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

N_COLUMNS = 10
FEW = "minibatches of fewer than 8 samples"


def problem(n_rows):
    X = np.random.default_rng(n_rows).normal(size=(n_rows, N_COLUMNS))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]


def network(**settings):
    return MLPRegressor(
        **{
            "hidden_layer_sizes": (32,),
            "batch_norm": True,
            "learning_rate_init": 0.003,
            "n_iter_no_change": np.inf,
            "random_state": 0,
        }
        | settings
    )


def values_before_batch_norm(model, X):
    """Return what each hidden layer normalizes, as predictions compute it."""
    values = []
    for coefs, intercepts in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        z = X @ coefs + intercepts
        if model.batch_norm == "after":
            z = np.maximum(z, 0)
        values.append(z)
        layer = len(values) - 1
        x_hat = (z - model.batch_norm_mean_[layer]) / np.sqrt(model.batch_norm_var_[layer] + 1e-5)
        X = model.batch_norm_scale_[layer] * x_hat + model.batch_norm_shift_[layer]
        if model.batch_norm != "after":
            X = np.maximum(X, 0)
    return values


def assert_averages_are_those_of(model, X, weight=None):
    """Assert that means and variances are those of the rows within a tenth, in most units."""
    for layer, z in enumerate(values_before_batch_norm(model, X)):
        mean = np.average(z, axis=0, weights=weight)
        variance = np.average((z - mean) ** 2, axis=0, weights=weight)
        is_alive = variance > 1e-6
        assert is_alive.mean() > 0.5
        ratio = model.batch_norm_var_[layer][is_alive] / variance[is_alive]
        assert 0.9 < np.median(ratio) < 1.1, layer
        error = np.abs(model.batch_norm_mean_[layer] - mean)[is_alive]
        assert np.median(error / np.sqrt(variance[is_alive])) < 0.1, layer


# ---- averages ----------------------------------------------------------------------------------

SIZES = [
    *[(n, 200) for n in (7, 20, 200, 201, 202, 205, 210, 299, 300, 401)],
    *[(n, 32) for n in (33, 47, 48, 100)],
    *[(100, size) for size in (1, 2, 3, 5, 7, 8, 9, 16, 33, 50, 99)],
]


@pytest.mark.filterwarnings("ignore:batch_norm", "ignore:Got `batch_size`")
@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize(("n_rows", "batch_size"), SIZES)
def test_averages_are_those_of_the_training_rows(n_rows, batch_size, position):
    X, y = problem(n_rows)
    n_steps = 300 if batch_size >= 32 else 1000
    max_iter = -(-n_steps * batch_size // n_rows)
    model = network(batch_norm=position, batch_size=batch_size, max_iter=max_iter).fit(X, y)
    assert_averages_are_those_of(model, X)
    if n_rows > 200:  # and training has not suffered
        whole = network(batch_norm=position, batch_size=200, max_iter=max_iter)
        whole.fit(X[:200], y[:200])
        assert model.score(X, y) > whole.score(X[:200], y[:200]) - 0.1


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_layer_sizes": (32, 20)},
        {"hidden_layer_sizes": (32, 20), "batch_norm": "after"},
        {"batch_norm_momentum": 0.0},
        {"batch_norm_momentum": 0.99},
        {"early_stopping": True, "validation_fraction": 0.3},
        {"solver": "sgd", "dtype": "float32"},
    ],
    ids=str,
)
def test_averages_with_other_settings(settings):
    X, y = problem(301)
    model = network(**{"batch_size": 100, "max_iter": 200} | settings).fit(X, y)
    assert_averages_are_those_of(model, X)


def test_averages_after_a_few_minibatches():
    X, y = problem(200)
    X += 1000
    model = network(batch_size=50, max_iter=1, learning_rate_init=1e-9).fit(X, y)
    assert_averages_are_those_of(model, X)


@pytest.mark.filterwarnings("ignore:batch_norm")
@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 8, 31])
def test_small_minibatches_predict_by_the_statistics_of_all_rows(batch_size, position):
    X, y = problem(501)
    settings = {"hidden_layer_sizes": (32, 16), "batch_norm": position, "batch_size": batch_size}
    model = network(**settings, max_iter=3, learning_rate_init=0.01).fit(X, y)
    for layer, z in enumerate(values_before_batch_norm(model, X)):
        np.testing.assert_allclose(model.batch_norm_mean_[layer], z.mean(axis=0), atol=1e-9)
        np.testing.assert_allclose(model.batch_norm_var_[layer], z.var(axis=0), rtol=1e-9)


@pytest.mark.filterwarnings("ignore:batch_norm")
def test_statistics_are_those_of_some_of_many_rows(monkeypatch):
    monkeypatch.setattr(sknn._training.stochastic, "_ROWS_OF_STATISTICS", 300)
    X, y = problem(2001)
    weight = np.where(np.arange(2001) % 2, 1.0, 0.0)
    model = network(batch_size=7, max_iter=1).fit(X, y, sample_weight=weight)
    [z] = values_before_batch_norm(model, X[weight > 0])
    ratio = model.batch_norm_var_[0] / z.var(axis=0)
    assert (ratio != 1).all()
    assert np.abs(ratio - 1).max() < 0.3
    assert_averages_are_those_of(model, X, weight)


@pytest.mark.filterwarnings("ignore:batch_norm")
@pytest.mark.parametrize("batch_size", [3, 8])
def test_small_minibatches_go_on_bit_for_bit(batch_size):
    X, y = problem(60)
    settings = {"batch_size": batch_size, "early_stopping": True}
    whole = network(**settings, max_iter=6).fit(X, y)
    halves = network(**settings, max_iter=3, warm_start=True).fit(X, y)
    halves = pickle.loads(pickle.dumps(halves)).fit(X, y)
    for name in ("coefs_", "batch_norm_mean_", "batch_norm_var_"):
        for mine, other in zip(getattr(halves, name), getattr(whole, name), strict=True):
            np.testing.assert_array_equal(bits(mine), bits(other))


@pytest.mark.filterwarnings("ignore:batch_norm")
@pytest.mark.parametrize("batch_size", [4, 50])
def test_intercepts_that_batch_norm_takes_away_stay(batch_size):
    X, y = problem(100)
    settings = {"batch_size": batch_size, "dtype": "float32", "hidden_layer_sizes": (8, 4)}
    after = {"batch_norm": "after"}
    first, last = (network(**settings, max_iter=n).fit(X, y).intercepts_ for n in (1, 5))
    trained = network(**settings, **after, max_iter=5).fit(X, y).intercepts_
    for layer in range(2):
        assert np.array_equal(first[layer], last[layer])
        assert not np.array_equal(first[layer], trained[layer])
    assert not np.array_equal(first[2], last[2])


def test_weights_count():
    X, y = problem(330)
    weight = np.where(X[:, 0] > 0.5, 5.0, 0.1)
    weight[:100] = 0
    X[:100] += 1000
    model = network(batch_size=100, max_iter=200).fit(X, y, sample_weight=weight)
    assert_averages_are_those_of(model, X, weight)


def test_a_row_of_weight_2_is_that_row_twice():
    X, y = problem(15)
    weight = np.r_[np.ones(10), np.full(5, 2)]
    settings = {"max_iter": 20, "shuffle": False}
    weighted = network(**settings).fit(X, y, sample_weight=weight)
    twice = network(**settings).fit(np.r_[X, X[10:]], np.r_[y, y[10:]])
    for name in ("coefs_", "batch_norm_mean_", "batch_norm_var_"):
        found = getattr(weighted, name)[0]
        np.testing.assert_allclose(found, getattr(twice, name)[0], rtol=1e-7, atol=1e-10)


def test_maxout_s_units_are_normalized_by_their_own_averages():
    X, y = problem(201)
    model = network(activation="maxout", batch_size=200, max_iter=200).fit(X, y)
    z = X @ model.coefs_[0] + model.intercepts_[0]
    assert np.median(model.batch_norm_var_[0] / z.var(axis=0)) == pytest.approx(1, abs=0.1)


# ---- minibatches -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 7, 8, 20])
def test_fewer_rows_than_half_a_minibatch_join_the_one_before(batch_size):
    for n_rows in range(batch_size, 4 * batch_size):
        n_whole, n_left = divmod(n_rows, batch_size)
        expected = n_whole if n_left < batch_size / 2 else n_whole + 1
        X, y = problem(n_rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = network(batch_size=batch_size, max_iter=1).fit(X, y)
            plain = network(batch_size=batch_size, max_iter=1, batch_norm=False).fit(X, y)
        assert model._training_state.optimizer.n_steps == expected
        assert plain._training_state.optimizer.n_steps == -(-n_rows // batch_size)


def test_a_joined_minibatch_is_one_of_that_size():
    X, y = problem(62)
    settings = {"shuffle": False, "max_iter": 3, "batch_norm_momentum": 0.5}
    joined = network(batch_size=50, **settings).fit(X, y)
    whole = network(batch_size=62, **settings).fit(X, y)
    np.testing.assert_allclose(joined.coefs_[0], whole.coefs_[0], rtol=1e-9)
    assert joined.loss_curve_ == pytest.approx(whole.loss_curve_, rel=1e-9)


@pytest.mark.parametrize("convert", [np.asarray, np.float32, sparse.csr_array])
def test_minibatches_do_not_depend_on_chunks(convert, monkeypatch):
    X, y = problem(103)
    X = convert(np.where(X > 0, X, 0))
    settings = {"batch_size": 20, "max_iter": 3, "dtype": "float64"}
    whole = network(**settings).fit(X, y)
    calls = []
    train = MinibatchLoop._train_chunk

    def count(self, bound, scratch, update, chunk, *others):
        calls.append(len(chunk))
        return train(self, bound, scratch, update, chunk, *others)

    monkeypatch.setattr(MinibatchLoop, "_train_chunk", count)
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 1)
    chunked = network(**settings).fit(X, y)
    assert calls == 3 * [20, 20, 20, 20, 23]
    for name in ("coefs_", "batch_norm_mean_", "batch_norm_var_"):
        for mine, theirs in zip(getattr(whole, name), getattr(chunked, name), strict=True):
            np.testing.assert_array_equal(bits(mine), bits(theirs))


SCHEDULES = {
    "ramps": {"solver": "sgd", "momentum": (0.5, 0.9), "learning_rate_init": 0.05},
    "tables": {"bias_lr_factor": 0.5, "parametrization": "ntk", "learning_rate": "one_cycle"},
    "dropout": {"dropout": 0.3, "dropout_schedule": "flat_cos", "solver": "nadam"},
    "decay": {"weight_decay": 0.1, "weight_decay_schedule": "flat_cos", "warmup_epochs": 1.5},
}


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("n_together", [1, 2])
def test_steps_of_several_chunks_are_scheduled_as_each_by_itself(settings, n_together, monkeypatch):
    X, y = problem(103)
    settings = {"batch_size": 20, "max_iter": 3, "dtype": "float64", "alpha": 0} | settings
    whole = network(**settings).fit(X, y)
    schedule = sknn._training.minibatches.schedule_update
    calls = []

    def count(*arguments):
        calls.append(arguments[4])
        return schedule(*arguments)

    monkeypatch.setattr(sknn._training.minibatches, "schedule_update", count)
    monkeypatch.setattr(sknn._training.minibatches, "_STEPS_SCHEDULED", n_together)
    monkeypatch.setattr(sknn._runtime.data, "_CHUNK_BYTES", 1)
    chunked = network(**settings).fit(X, y)
    assert calls == 3 * {1: [1, 1, 1, 1, 1], 2: [2, 2, 1]}[n_together]
    for name in ("coefs_", "intercepts_", "batch_norm_mean_", "batch_norm_var_"):
        for mine, theirs in zip(getattr(whole, name), getattr(chunked, name), strict=True):
            np.testing.assert_array_equal(bits(mine), bits(theirs))


# ---- too few samples ---------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2, LEAST_NORMALIZED - 1])
def test_small_minibatches_are_said_and_learn(batch_size):
    X, y = problem(300)
    with pytest.warns(UserWarning, match=FEW):
        model = network(batch_size=batch_size, max_iter=15).fit(X, y)
    assert model.score(X, y) > 0.5


@pytest.mark.parametrize("n_rows", [1, 3, 50])
def test_partial_fit_in_pieces(n_rows):
    X, _ = problem(300)
    labels = (X[:, 0] > 0).astype(int)
    model = MLPClassifier((32,), batch_norm=True, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(max(3, n_rows // 2)):
            for start in range(0, len(X), n_rows):
                rows = slice(start, start + n_rows)
                model.partial_fit(X[rows], labels[rows], classes=[0, 1])
    assert {FEW in str(warning.message) for warning in caught} == ({True} if n_rows < 8 else set())
    assert model.score(X, labels) > 0.8
    assert_averages_are_those_of(model, X)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore:batch_norm")
def test_a_single_sample_keeps_predictions_in_range(solver):
    X, y = problem(1)
    model = network(solver=solver, max_iter=20).fit(X, y)
    assert np.abs(model.predict(np.vstack([X, X + 1]))).max() < 10
    assert model.batch_norm_var_[0].min() > 0.1
