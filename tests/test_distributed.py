"""What a Dask cluster does, on a real local one of processes: data-parallel training, searches, and
blocks of rows one after the other.
"""

import os
import signal
import sys

import numpy as np
import pytest
import searches
from scipy import sparse
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

import sknn.distributed as module
from sknn import MLPClassifier, MLPRegressor
from sknn.distributed import ClusterLostError, fit_dask
from tests.reference import assert_same_weights

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
]

X, Y = load_digits(return_X_y=True)
X = X[:600] / 16
Y = Y[:600]
SETTINGS = {"hidden_layer_sizes": (16,), "max_iter": 6, "random_state": 0}


def new_cluster():
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    )


@pytest.fixture(scope="module")
def client():
    with new_cluster() as cluster, distributed.Client(cluster) as client:
        yield client


def parts(array, n_parts):
    return da.from_array(array, chunks=(-(-len(array) // n_parts), *array.shape[1:]))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_norm": True, "dropout": 0.2, "solver": "sgd", "learning_rate": "invscaling"},
        {"tol": 0.5, "n_iter_no_change": 2, "max_iter": 30},
        {"tol": 0.5, "n_iter_no_change": 2, "solver": "sgd", "learning_rate": "adaptive"},
        {"parametrization": "ntk", "bias_lr_factor": 0.1, "input_scale": 6.0, "skip": True},
        {"numeric_embedding": "pbld", "bias_lr_factor": 0.1},
        {"numeric_embedding": "piecewise_linear"},
        {"dropout": 0.2, "learning_rate": "coslog", "weight_decay": 0.1}
        | dict.fromkeys(["dropout_schedule", "weight_decay_schedule"], "flat_cos"),
    ],
    ids=str,
)
def test_one_partition_is_fit(client, settings):
    estimator = MLPClassifier(**SETTINGS | settings)
    fitted = fit_dask(estimator, parts(X, 1), parts(Y, 1), client=client)
    expected = MLPClassifier(**SETTINGS | settings).fit(X, Y)
    assert_same_weights(fitted, expected)
    assert fitted.loss_curve_ == expected.loss_curve_
    assert (fitted.n_iter_, fitted.t_) == (expected.n_iter_, expected.t_)
    assert not hasattr(estimator, "coefs_")


def average_by_hand(estimator, groups, n_rounds):
    """Train copies one after another and average them with NumPy."""
    copies = [MLPRegressor(**estimator.get_params()) for _ in groups]
    for copied, (X_part, y_part, weight) in zip(copies, groups, strict=True):
        copied.partial_fit(X_part, y_part, weight)
    for number in range(n_rounds):
        if number > 0:
            for copied, group in zip(copies, groups, strict=True):
                copied.partial_fit(*group)
        totals = [weight.sum() for *_, weight in groups]
        for name in ("coefs_", "intercepts_"):
            for layer in range(2):
                arrays = [getattr(copied, name)[layer] for copied in copies]
                mean = np.average(arrays, axis=0, weights=totals)
                for copied in copies:
                    getattr(copied, name)[layer] = mean
    return copies[0]


def test_weights_are_averaged_by_sample_weight(client):
    """Plain gradient descent on whole partitions has no other state, so NumPy's average agrees."""
    X, y = load_diabetes(return_X_y=True)
    X = X[:400] * 20
    y = y[:400] / 100
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y)) * (1 + 5 * (np.arange(400) < 200))
    estimator = MLPRegressor(
        hidden_layer_sizes=(5,),
        solver="sgd",
        momentum=0.0,
        learning_rate_init=0.05,
        batch_size=200,
        shuffle=False,
        random_state=0,
    )
    columns = (parts(array, 4) for array in (X, y, weight))
    X_parts, y_parts, weight_parts = columns
    fitted = fit_dask(
        estimator, X_parts, y_parts, sample_weight=weight_parts, rounds=3, client=client
    )
    groups = [(X[rows], y[rows], weight[rows]) for rows in (slice(0, 200), slice(200, 400))]
    expected = average_by_hand(estimator, groups, 3)
    for name in ("coefs_", "intercepts_"):
        for mine, theirs in zip(getattr(fitted, name), getattr(expected, name), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)
    assert (fitted.n_iter_, fitted.t_) == (3, 1200)


@pytest.mark.parametrize("embedding", ["pbld", "piecewise_linear"])
def test_rows_of_the_first_worker_decide_what_is_embedded(client, embedding):
    table = X.copy()
    table[:300, 10] = 0
    estimator = MLPClassifier(**SETTINGS, numeric_embedding=embedding)
    fitted = fit_dask(estimator, parts(table, 2), parts(Y, 2), rounds=1, client=client)
    alone = estimator.fit(table[:300], Y[:300])
    assert fitted._architecture == alone._architecture
    assert fitted.predict(table).shape == Y.shape


def test_weights_of_classes_are_weights_of_samples(client):
    order = np.argsort(Y > 4, kind="stable")
    X_sorted = parts(X[order], 4)
    is_large = (Y > 4)[order].astype(int)
    weigh = {0: 1, 1: 50}
    settings = SETTINGS | {"hidden_layer_sizes": (), "alpha": 0.0}
    by_class, by_sample = (
        fit_dask(
            MLPClassifier(**settings, class_weight=class_weight),
            X_sorted,
            parts(is_large, 4),
            sample_weight=sample_weight,
            client=client,
        )
        for class_weight, sample_weight in [
            (weigh, None),
            (None, parts(np.where(is_large == 1, 50.0, 1.0), 4)),
        ]
    )
    np.testing.assert_allclose(by_class.coefs_[0], by_sample.coefs_[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("by", ["sample_weight", "class_weight", "empty partitions"])
def test_workers_without_weight_are_left_out(client, by):
    labels = np.r_[Y[:300] % 5, np.full(300, 9)]
    X_parts = parts(X, 2)
    y_parts = parts(labels, 2)
    estimator = MLPClassifier(**SETTINGS)
    weight = None
    if by == "sample_weight":
        weight = parts(np.r_[np.ones(300), np.zeros(300)], 2)
    elif by == "class_weight":
        estimator.set_params(class_weight={9: 0})
    else:
        X_parts = da.concatenate([X_parts[:300], parts(X[:0], 1)])
        y_parts = da.concatenate([y_parts[:300], parts(labels[:0], 1)])
    fitted = fit_dask(estimator, X_parts, y_parts, sample_weight=weight, client=client)
    alone = MLPClassifier(**SETTINGS)
    classes = fitted.classes_
    assert classes.tolist() == [0, 1, 2, 3, 4] + [9] * (by != "empty partitions")
    for _ in range(6):
        alone.partial_fit(X[:300], labels[:300], classes=classes)
    assert_same_weights(fitted, alone)


def test_no_weight_at_all_is_an_error(client):
    weight = parts(np.zeros(600), 2)
    with pytest.raises(ValueError, match="at least one row with a positive weight"):
        fit_dask(
            MLPClassifier(**SETTINGS), parts(X, 2), parts(Y, 2), sample_weight=weight, client=client
        )


def test_two_workers_learn_and_repeat(client):
    settings = SETTINGS | {"max_iter": 40, "batch_norm": True, "learning_rate_init": 0.01}
    one, two = (
        fit_dask(MLPClassifier(**settings), parts(X, 4), parts(Y, 4), client=client, local_epochs=4)
        for _ in range(2)
    )
    assert_same_weights(one, two)
    assert one.score(X, Y) > 0.95
    assert len(one.history_["loss"]) == one.n_iter_ <= 40
    assert one.predict(X[:1]) == one.partial_fit(X, Y).predict(X[:1])


def test_partitions_need_not_have_all_classes(client):
    order = np.argsort(Y, kind="stable")
    labels = np.array(list("abcdefghij"))[Y]
    fitted = fit_dask(
        MLPClassifier(**SETTINGS), parts(X[order], 4), parts(labels[order], 4), client=client
    )
    assert fitted.classes_.tolist() == list("abcdefghij")


def test_targets_are_scaled_alike_on_all_workers(client):
    y = np.r_[np.full(300, 100.0), np.full(300, 500.0)] + X[:, 10]
    model = MLPRegressor(normalize_y=True, clip_output=True, **SETTINGS)
    fitted = fit_dask(model, parts(X, 4), parts(y, 4), client=client)
    assert (fitted.y_min_, fitted.y_max_) == (y.min(), y.max())
    np.testing.assert_allclose(fitted.y_mean_, y.mean(), rtol=1e-12)
    np.testing.assert_allclose(fitted.y_scale_, y.std(), rtol=1e-12)


def test_data_frames_and_sparse_partitions(client):
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    frames = dd.from_pandas(frame, npartitions=2)
    labels = dd.from_pandas(pd.Series(Y), npartitions=2)
    fitted = fit_dask(MLPClassifier(**SETTINGS), frames, labels, client=client)
    assert fitted.feature_names_in_[1] == "pixel 1"
    rows = parts(X, 4).map_blocks(sparse.csr_array)
    from_sparse = fit_dask(MLPClassifier(**SETTINGS), rows, parts(Y, 4), client=client)
    dense = fit_dask(MLPClassifier(**SETTINGS), parts(X, 4), parts(Y, 4), client=client)
    np.testing.assert_allclose(from_sparse.coefs_[0], dense.coefs_[0], rtol=1e-6, atol=1e-9)


def test_warns_when_rounds_are_not_enough(client):
    with pytest.warns(ConvergenceWarning, match=r"Maximum rounds \(2\)"):
        fit_dask(MLPClassifier(**SETTINGS), parts(X, 2), parts(Y, 2), client=client, rounds=2)


def test_parameters_without_effect_are_warned_of_here(client):
    estimator = MLPClassifier(**SETTINGS, refit=True)
    with pytest.warns(UserWarning, match="refit=True has no effect without early_stopping") as seen:
        fit_dask(estimator, parts(X, 1), parts(Y, 1), client=client, rounds=1)
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rounds": 0}, "rounds must be a positive integer, got 0"),
        ({"local_epochs": 1.5}, "local_epochs must be a positive integer, got 1.5"),
        ({"y": parts(Y, 3)}, "the same partitions, got 2, 3 and 2"),
        ({"X": X}, "X must be a dask Array or DataFrame, got ndarray"),
        ({"estimator": MLPClassifier(early_stopping=True)}, "early_stopping=True"),
        ({"estimator": MLPClassifier(solver="lbfgs")}, "solver='lbfgs'"),
        ({"estimator": MLPClassifier(alpha=-1)}, "'alpha' parameter"),
        ({"estimator": MLPClassifier(max_iter="a")}, "'max_iter' parameter"),
        ({"estimator": make_pipeline(MLPClassifier())}, "estimator must be an MLP"),
    ],
    ids=str,
)
def test_errors_name_the_argument(client, arguments, message):
    given = {"estimator": MLPClassifier(**SETTINGS), "X": parts(X, 2), "y": parts(Y, 2)}
    with pytest.raises((ValueError, TypeError), match=message):
        fit_dask(**given | arguments, client=client)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "dask\[complete\]"'):
        fit_dask(MLPClassifier(**SETTINGS), parts(X, 2), parts(Y, 2))


def test_callbacks_are_refused_by_name(client):
    callbacks = pytest.importorskip("sknn.callbacks")
    pytest.importorskip("sklearn.callback")
    estimator = MLPClassifier(**SETTINGS).set_callbacks(callbacks.TimeLimit(60))
    with pytest.raises(ValueError, match=r"callbacks, got \['TimeLimit'\]"):
        fit_dask(estimator, parts(X, 2), parts(Y, 2), client=client)


# ---- other ways to use a cluster ---------------------------------------------------------------


def test_a_search_finds_the_same_on_a_cluster(client):
    client.wait_for_workers(2)
    searches.assert_same_as_here(searches.search(backend="dask"))


def test_incremental_passes_the_blocks_on_to_partial_fit(client):
    wrappers = pytest.importorskip("dask_ml.wrappers", reason="dask-ml is not installed")
    network = MLPClassifier(**SETTINGS)
    incremental = wrappers.Incremental(network, shuffle_blocks=False, random_state=0)
    for _ in range(2):  # epochs
        incremental.partial_fit(parts(X, 3), parts(Y, 3), classes=range(10))
    expected = MLPClassifier(**SETTINGS)
    for _ in range(2):
        for rows in np.split(np.arange(600), 3):
            expected.partial_fit(X[rows], Y[rows], classes=range(10))
    assert_same_weights(incremental.estimator_, expected)
    predicted = incremental.predict(parts(X, 3)).compute()
    np.testing.assert_array_equal(predicted, expected.predict(X))


# ---- faults ------------------------------------------------------------------------------------


@pytest.fixture
def before_third_round(monkeypatch):
    """Return a function that takes a fault, which then happens before the third round."""

    def install(fault):
        rounds = []
        run = module._Groups.run

        def run_with_fault(self, function, *arguments):
            if function is module.on_workers.train:
                rounds.append(function)
                if len(rounds) == 3:
                    fault()
            return run(self, function, *arguments)

        monkeypatch.setattr(module._Groups, "run", run_with_fault)
        return rounds

    return install


def kill_a_worker(client):
    os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)


def test_partitions_of_a_killed_worker_are_computed_again(client, before_third_round):
    estimator = MLPClassifier(**SETTINGS)
    expected = fit_dask(estimator, parts(X, 4), parts(Y, 4), client=client)
    rounds = before_third_round(lambda: kill_a_worker(client))
    fitted = fit_dask(estimator, parts(X, 4), parts(Y, 4), client=client)
    assert len(rounds) == 6
    assert_same_weights(fitted, expected)


def test_training_goes_on_without_lost_rows(client, before_third_round):
    """Rows that were scattered to one worker cannot be computed again."""
    client.wait_for_workers(2)

    def scattered(array):
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        halves = [
            da.from_delayed(client.scatter(half, workers=[worker]), half.shape, half.dtype)
            for half, worker in zip(np.split(array, 2), workers, strict=True)
        ]
        return da.concatenate(halves)

    rounds = before_third_round(lambda: kill_a_worker(client))
    with pytest.warns(RuntimeWarning, match="rows of 1 of 2 workers are lost"):
        fitted = fit_dask(MLPClassifier(**SETTINGS), scattered(X), scattered(Y), client=client)
    assert len(rounds) == fitted.n_iter_ == 6
    assert np.isfinite(fitted.loss_curve_).all()
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]


def test_a_lost_scheduler_keeps_the_last_round(before_third_round, monkeypatch):
    with new_cluster() as cluster, distributed.Client(cluster) as client:

        def close_scheduler():
            # From now on it is waited for in vain.
            monkeypatch.setitem(dask.config.get("distributed.comm.timeouts"), "connect", "2s")
            monkeypatch.setattr(client, "_timeout", 2)
            cluster.sync(cluster.scheduler.close)

        before_third_round(close_scheduler)
        with pytest.raises(ClusterLostError, match="estimator") as caught:
            fit_dask(MLPClassifier(**SETTINGS), parts(X, 4), parts(Y, 4), client=client)
    assert caught.value.estimator.n_iter_ == 2
    assert caught.value.estimator.predict(X).shape == Y.shape
