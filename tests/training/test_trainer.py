"""What training promises beyond scikit-learn's: weights, early stopping, continuation, divergence,
failure, determinism."""

import copy
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from sknn import MLPClassifier, MLPRegressor
from sknn._training.validation_set import split_rows

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

PATIENT = {"tol": 0, "n_iter_no_change": np.inf}


def _classification(n_rows=120, n_classes=3):
    return make_blobs(n_rows, n_features=5, centers=n_classes, cluster_std=4.0, random_state=1)


def _regression(n_rows=120, n_outputs=1):
    X, y = make_regression(n_rows, 5, n_targets=n_outputs, noise=10, random_state=1)
    return X, (y - y.mean(axis=0)) / y.std(axis=0)


CASES = {MLPClassifier: _classification(), MLPRegressor: _regression()}
both_kinds = pytest.mark.parametrize("kind", CASES)


def parts(estimator):
    return [*estimator.coefs_, *estimator.intercepts_]


def assert_same_bits(one, other):
    for mine, reference in zip(parts(one), parts(other), strict=True):
        assert mine.dtype == reference.dtype
        np.testing.assert_array_equal(mine, reference)


def assert_close_weights(one, other, rtol):
    for mine, reference in zip(parts(one), parts(other), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=rtol, atol=rtol)


def without_seconds(history):
    return {column: values for column, values in history.items() if column != "seconds"}


def assert_same_training(one, other):
    """Compare weights and the whole record of training, bit for bit."""
    assert_same_bits(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_scores_ == other.validation_scores_
    np.testing.assert_equal(without_seconds(one.history_), without_seconds(other.history_))
    for name in (
        "loss_",
        "best_loss_",
        "best_validation_score_",
        "best_iter_",
        "t_",
        "n_parameters_",
    ):
        assert getattr(one, name) == getattr(other, name), name


# ---- sample weights ----------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize("batch_size", [1, 5])
def test_batches_of_zero_weight_change_nothing(kind, batch_size):
    X, y = CASES[kind]
    weight = np.repeat([0.0, 1.0, 1.0], 5)
    X = X[: len(weight)]
    y = y[: len(weight)]
    settings = {
        "solver": "sgd",
        "momentum": 0,
        "alpha": 0,
        "shuffle": False,
        "batch_size": batch_size,
        "hidden_layer_sizes": 6,
    }
    settings |= {"max_iter": 8, "random_state": 0, **PATIENT}
    # A row counts w / mean(w), so that its share of the loss is 15 / 10 of what it is without the
    # rows of weight zero.
    weighted = kind(learning_rate_init=0.02, **settings).fit(X, y, sample_weight=weight)
    if kind is MLPClassifier:  # all classes are known to both
        y = np.where(weight > 0, y, y[-1])
        weighted = kind(learning_rate_init=0.02, **settings).fit(X, y, sample_weight=weight)
    absent = kind(learning_rate_init=0.03, **settings).fit(X[weight > 0], y[weight > 0])
    assert_close_weights(weighted, absent, 1e-10)


@both_kinds
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_weights_act_within_and_across_batches(kind, batch_size):
    X, y = CASES[kind]
    weight = np.random.default_rng(0).exponential(size=len(y))
    settings = {"batch_size": batch_size, "max_iter": 3, "hidden_layer_sizes": 6, "random_state": 0}
    weighted = kind(**settings).fit(X, y, sample_weight=weight)
    unweighted = kind(**settings).fit(X, y)
    assert np.abs(weighted.coefs_[0] - unweighted.coefs_[0]).max() > 1e-4
    constant = kind(**settings, alpha=0).fit(X, y, sample_weight=np.full(len(y), 0.25))
    assert_close_weights(constant, kind(**settings, alpha=0).fit(X, y), 1e-9)


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weight_zero_is_a_row_absent_and_weight_two_is_a_row_twice(kind, solver):
    X, y = CASES[kind]
    repeats = np.arange(len(y)) % 3 + (np.arange(len(y)) % 4 == 0)  # not 1 on average
    settings = {
        "solver": solver,
        "activation": "tanh",
        "hidden_layer_sizes": 6,
        "alpha": 0.1,
        "max_iter": 15,
        "random_state": 0,
    }
    weighted = kind(**settings, batch_size=len(y)).fit(X, y, sample_weight=repeats)
    repeated = kind(**settings, batch_size=repeats.sum()).fit(
        np.repeat(X, repeats, axis=0), np.repeat(y, repeats)
    )
    assert_close_weights(weighted, repeated, 1e-7)
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)
    unweighted = kind(**settings, batch_size=len(y)).fit(X, y)
    assert np.abs(weighted.coefs_[0] - unweighted.coefs_[0]).max() > 1e-4


@both_kinds
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_only_the_ratios_of_weights_matter_without_a_penalty(kind, scale, dtype):
    X, y = CASES[kind]
    weight = np.random.default_rng(0).uniform(1, 3, size=len(y))
    settings = {
        "alpha": 0,
        "hidden_layer_sizes": 6,
        "max_iter": 5,
        "random_state": 0,
        "dtype": dtype,
    }
    plain, scaled = (kind(**settings).fit(X, y, sample_weight=w) for w in (weight, weight * scale))
    assert_close_weights(plain, scaled, 1e-10 if dtype == "float64" else 1e-4)


@both_kinds
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.r_[-1.0, np.ones(119)], "[Nn]egative"),
        (np.zeros(120), "at least one (positive|non-zero)"),
        (np.r_[np.nan, np.ones(119)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(119)], "sample_weight contains infinity"),
        (np.ones(119), "sample_weight"),
        (np.ones((120, 2)), "[Ss]ample weights must be 1D"),
    ],
)
def test_unusable_weights_are_refused(kind, weight, message):
    for method in ("fit", "partial_fit"):
        estimator = kind()
        classes = (
            {"classes": [0, 1, 2]} if method == "partial_fit" and kind is MLPClassifier else {}
        )
        with pytest.raises(ValueError, match=message):
            getattr(estimator, method)(*CASES[kind], sample_weight=weight, **classes)
        assert vars(estimator) == kind().get_params()


# ---- early stopping ----------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(50, 50, 50), (100, 30, 20), (40, 40, 40, 40, 40)])
def test_validation_rows_have_the_classes_shares(counts):
    labels = np.repeat([f"class {i}" for i in range(len(counts))], counts)
    for seed in range(5):
        train, validation = split_rows(None, labels, 0.1, np.random.RandomState(seed), labels)
        assert sorted([*train, *validation]) == list(range(len(labels)))
        shares = np.unique(labels[validation], return_counts=True)[1]
        assert np.array_equal(shares, np.array(counts) // 10)


@pytest.mark.parametrize("seed", range(8))
def test_the_only_row_of_a_class_is_trained_on(seed):
    X, y = _classification()
    y[0] = 7
    weight = np.where(
        y == 7, 1.0, 1e-12
    )  # so that this row alone, if trained on, decides where weights go
    settings = {
        "early_stopping": True,
        "validation_fraction": 0.5,
        "batch_size": 60,
        "solver": "sgd",
        "max_iter": 1,
        "random_state": seed,
    }
    start, network = (
        MLPClassifier(learning_rate_init=rate, **settings).fit(X, y, sample_weight=weight)
        for rate in (1e-12, 0.1)
    )
    assert network.intercepts_[-1][3] > start.intercepts_[-1][3] + 1e-3
    train, validation = split_rows(None, y, 0.5, np.random.RandomState(seed), y)
    assert 0 in train
    assert sorted([*train, *validation]) == list(range(len(y)))


def test_more_classes_than_validation_rows():
    X, _ = _classification(n_rows=100)
    network = MLPClassifier(
        early_stopping=True, validation_fraction=0.1, max_iter=3, random_state=0
    ).fit(X, np.arange(100) // 2)
    assert len(network.validation_scores_) == 3
    assert len(network.classes_) == 50


def _validation_rows(estimator, n_rows):
    """Draw what ``fit`` draws before training: starting weights, then the split."""
    generator = np.random.RandomState(estimator.random_state)
    for coef, intercept in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        generator.uniform(size=coef.shape)
        generator.uniform(size=intercept.shape)
    return train_test_split(
        np.arange(n_rows), test_size=estimator.validation_fraction, random_state=generator
    )[1]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_early_stopping_keeps_the_best_weights(solver):
    X, y = _regression(60)
    y = y + np.random.default_rng(0).normal(
        size=60
    )  # so noisy that the network soon fits the noise
    settings = {
        "solver": solver,
        "hidden_layer_sizes": (60, 60),
        "learning_rate_init": 0.01,
        "alpha": 0,
        "random_state": 0,
    }
    network = MLPRegressor(
        early_stopping=True, validation_fraction=0.4, max_iter=300, **settings
    ).fit(X, y)
    assert network.n_iter_ < 300
    assert len(network.validation_scores_) == len(network.loss_curve_) == network.n_iter_
    assert (
        network.best_validation_score_
        == max(network.validation_scores_)
        > network.validation_scores_[-1]
    )
    assert network.best_iter_ == 1 + np.argmax(network.validation_scores_)
    assert network.best_loss_ is None
    patient = clone(network).set_params(n_iter_no_change=np.inf).fit(X, y)
    assert patient.n_iter_ > network.n_iter_ > network.best_iter_ + 10
    assert patient.validation_scores_[: network.n_iter_] == network.validation_scores_
    held_back = _validation_rows(network, 60)
    assert r2_score(y[held_back], network.predict(X[held_back])) == pytest.approx(
        network.best_validation_score_, rel=1e-12
    )
    # The record of loss and score of one epoch belong together, and the score is of held-back rows
    # only.
    assert network.history_["val_loss"][network.best_iter_ - 1] == pytest.approx(
        np.mean((y[held_back] - network.predict(X[held_back])) ** 2) / 2, rel=1e-10
    )


def test_weights_on_held_back_rows_alone_are_refused():
    X, y = _regression(20)
    network = MLPRegressor(
        early_stopping=True, validation_fraction=0.5, max_iter=2, random_state=0
    ).fit(X, y)
    weight = np.zeros(20)
    weight[_validation_rows(network, 20)] = 1
    with pytest.raises(ValueError, match="among the rows that early_stopping leaves for training"):
        clone(network).fit(X, y, sample_weight=weight)


# ---- continuing --------------------------------------------------------------------------------

CONTINUED = [
    {},
    {"solver": "sgd"},
    {"solver": "sgd", "learning_rate": "invscaling", "nesterovs_momentum": False},
    {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.1,
        "tol": 0.01,
        "n_iter_no_change": 1,
    },
    {"dtype": "float32", "batch_size": 7, "activation": "tanh"},
    {"shuffle": False, "hidden_layer_sizes": (4, 3)},
]


def _name(settings):
    return "-".join(map(str, settings.values())) or "defaults"


@both_kinds
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("settings", CONTINUED, ids=_name)
def test_warm_start_of_10_and_10_epochs_is_20_epochs(kind, settings, early_stopping):
    X, y = CASES[kind]
    settings = {
        "hidden_layer_sizes": 8,
        "random_state": 3,
        "early_stopping": early_stopping,
        **PATIENT,
        **settings,
    }
    whole = kind(max_iter=20, **settings).fit(X, y)
    halves = kind(max_iter=10, warm_start=True, **settings).fit(X, y)
    assert len(halves.loss_curve_) == 10
    halves.fit(X, y)
    assert halves.n_iter_ == 10
    assert_same_training(halves, whole)
    rates = whole.history_["learning_rate"]
    assert (rates[0] == rates[-1]) == (settings.get("learning_rate", "constant") == "constant")


def test_warm_start_in_uneven_pieces_with_weights_and_a_generator():
    X, y = _regression()
    weight = np.random.default_rng(0).exponential(size=len(y))
    settings = {"hidden_layer_sizes": 8, "early_stopping": True, **PATIENT}
    whole = MLPRegressor(max_iter=12, random_state=np.random.RandomState(5), **settings).fit(
        X, y, sample_weight=weight
    )
    pieces = MLPRegressor(warm_start=True, random_state=np.random.RandomState(5), **settings)
    for n_epochs in (1, 7, 4):
        pieces.set_params(max_iter=n_epochs).fit(X, y, sample_weight=weight)
    assert_same_training(pieces, whole)


@both_kinds
def test_warm_start_of_lbfgs_goes_on_from_its_weights(kind):
    X, y = CASES[kind]
    network = kind(
        solver="lbfgs", hidden_layer_sizes=8, max_iter=5, warm_start=True, random_state=0
    ).fit(X, y)
    losses = [network.loss_]
    for _ in range(3):
        losses.append(network.fit(X, y).loss_)
    assert all(after < before for before, after in itertools.pairwise(losses))
    assert len(network.loss_curve_) == 20


@both_kinds
@pytest.mark.parametrize("settings", CONTINUED, ids=_name)
def test_partial_fit_k_times_is_fit_of_k_epochs(kind, settings):
    X, y = CASES[kind]
    settings = {"hidden_layer_sizes": 8, "random_state": 3, **PATIENT, **settings}
    whole = kind(max_iter=12, **settings).fit(X, y)
    pieces = kind(**settings)
    for call in range(12):
        classes = {"classes": np.unique(y)} if kind is MLPClassifier and call == 0 else {}
        assert pieces.partial_fit(X, y, **classes) is pieces
        assert pieces.n_iter_ == call + 1
    assert_same_training(pieces, whole)


def test_partial_fit_over_different_tables():
    X, y = _classification(n_rows=90)
    network = MLPClassifier(random_state=0, learning_rate_init=0.02)
    for _ in range(20):
        for rows in (slice(0, 20), slice(20, 60), slice(60, 90)):
            network.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert network.n_iter_ == len(network.loss_curve_) == 60
    assert network.t_ == 20 * 90
    assert network.score(X, y) > 0.8


def test_a_fit_without_warm_start_begins_anew():
    X, y = _regression()
    network = MLPRegressor(hidden_layer_sizes=8, max_iter=5, random_state=0).fit(X[:50], y[:50])
    assert_same_training(network.fit(X, y), clone(network).fit(X, y))


# ---- the record --------------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_history(kind, solver, early_stopping):
    X, y = CASES[kind]
    network = kind(
        solver=solver,
        early_stopping=early_stopping,
        hidden_layer_sizes=(6, 4),
        max_iter=9,
        random_state=0,
        **PATIENT,
    )
    history = network.fit(X, y).history_
    assert list(history) == ["epoch", "loss", "val_loss", "val_score", "learning_rate", "seconds"]
    assert {len(column) for column in history.values()} == {network.n_iter_} == {9}
    assert history["epoch"] == list(range(1, 10))
    assert history["loss"] == network.loss_curve_
    assert network.loss_ == pytest.approx(network.loss_curve_[-1], rel=1e-12)
    assert all(seconds > 0 for seconds in history["seconds"])
    assert (
        np.isnan(history["learning_rate"]).all()
        if solver == "lbfgs"
        else history["learning_rate"] == [0.001] * 9
    )
    if early_stopping:
        assert history["val_score"] == network.validation_scores_
        assert np.isfinite(history["val_loss"]).all()
        assert network.best_iter_ == 1 + np.argmax(network.validation_scores_)
    else:
        assert network.validation_scores_ is network.best_validation_score_ is None
        assert np.isnan(history["val_score"] + history["val_loss"]).all()
        assert network.best_loss_ == min(network.loss_curve_)
        assert network.best_iter_ == 1 + np.argmin(network.loss_curve_)


@both_kinds
def test_counts(kind):
    X, y = CASES[kind]
    network = kind(hidden_layer_sizes=(6, 4), max_iter=3).fit(X, y)
    n_outputs = 3 if kind is MLPClassifier else 1
    assert network.n_outputs_ == n_outputs
    assert network.n_layers_ == 4
    assert (
        network.n_parameters_
        == (5 * 6 + 6) + (6 * 4 + 4) + (4 * n_outputs + n_outputs)
        == sum(part.size for part in parts(network))
    )
    assert network.t_ == 3 * len(y)
    assert [coef.shape for coef in network.coefs_] == [(5, 6), (6, 4), (4, n_outputs)]


def test_verbose_prints_every_epoch(capsys):
    X, y = _regression()
    network = MLPRegressor(hidden_layer_sizes=3, max_iter=2, early_stopping=True, verbose=True).fit(
        X, y
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Iteration 1, loss = {network.loss_curve_[0]:.8f}"
    assert lines[1] == f"Validation score: {network.validation_scores_[0]:f}"
    assert len(lines) == 4


def test_a_network_that_does_not_converge_says_so():
    X, y = _regression()
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        MLPRegressor(max_iter=2).fit(X, y)
    with pytest.warns(ConvergenceWarning, match=r"lbfgs failed to converge after 2 iteration"):
        MLPRegressor(max_iter=2, solver="lbfgs").fit(X, y)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_linear_network_is_ridge_regression(n_outputs):
    X, y = _regression(n_outputs=n_outputs)
    network = MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", alpha=7.0, tol=1e-9, max_iter=1000, random_state=0
    ).fit(X, y)
    ridge = Ridge(alpha=7.0).fit(X, y)
    np.testing.assert_allclose(network.predict(X), ridge.predict(X), rtol=1e-4, atol=1e-5)


# ---- divergence --------------------------------------------------------------------------------


def _divergences():
    for dtype, solver in itertools.product(["float32", "float64"], ["sgd", "adam"]):
        yield MLPRegressor, {"solver": solver, "dtype": dtype}, 1.0, 1e300
        yield MLPRegressor, {"solver": solver, "dtype": "float64"}, 1e200, 1.0
    yield MLPRegressor, {"solver": "sgd", "learning_rate_init": 1e6, "batch_size": 2}, 1.0, 1.0
    yield MLPRegressor, {"solver": "adam", "learning_rate_init": 1e300, "batch_size": 10}, 1.0, 1.0
    yield MLPClassifier, {"solver": "sgd", "learning_rate_init": 1e300, "batch_size": 10}, 1.0, 1.0


@pytest.mark.parametrize(("kind", "settings", "x_scale", "y_scale"), list(_divergences()))
def test_divergence_in_the_first_epoch_is_an_error(kind, settings, x_scale, y_scale):
    X, y = CASES[kind]
    network = kind(hidden_layer_sizes=(8, 8), random_state=0, **settings)
    expected = f"learning_rate_init={network.learning_rate_init!r} made the loss or the weights non-finite in epoch 1"
    with pytest.raises(ValueError, match=expected.replace("+", r"\+")):
        network.fit(X * x_scale, y * y_scale if kind is MLPRegressor else y)
    assert vars(network) == network.get_params()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (MLPRegressor, {"learning_rate_init": 10}),
        (MLPRegressor, {"learning_rate_init": 1e6}),
        (MLPClassifier, {"learning_rate_init": 1e6}),
        (MLPClassifier, {"learning_rate_init": 1e6, "early_stopping": True}),
    ],
    ids=str,
)
def test_divergence_later_keeps_the_last_finite_weights(kind, settings, dtype):
    X, y = CASES[kind]
    settings = {"solver": "sgd", "random_state": 0, "dtype": dtype, **PATIENT, **settings}
    rate = settings["learning_rate_init"]
    with pytest.warns(
        ConvergenceWarning,
        match=f"learning_rate_init={rate!r} made the loss or the weights non-finite in epoch",
    ):
        network = kind(**settings).fit(X, y)
    n_finite = network.n_iter_ - 1
    assert 1 <= n_finite < 40
    assert np.isnan(network.loss_curve_[-1])
    assert np.isfinite(network.loss_curve_[:-1]).all()
    assert network.loss_ == network.loss_curve_[-2]
    assert all(np.isfinite(part).all() for part in parts(network))
    assert_same_bits(network, kind(**{**settings, "max_iter": n_finite}).fit(X, y))


def test_diverging_partial_fit_keeps_the_last_finite_weights():
    X, y = _regression()
    network = MLPRegressor(max_iter=3, batch_size=10, random_state=0).fit(X, y)
    before = copy.deepcopy(network)
    with pytest.warns(
        ConvergenceWarning,
        match=r"learning_rate_init=1e\+300 .* in epoch 4.* The weights of epoch 3 are kept",
    ):
        network.set_params(solver="sgd", learning_rate_init=1e300).partial_fit(X, y)
    assert_same_bits(network, before)
    assert network.loss_curve_[:-1] == before.loss_curve_


@pytest.mark.filterwarnings("ignore:learning_rate_init")
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1.0, 1e5, 1e30])
def test_no_fit_leaves_weights_that_are_not_finite(solver, dtype, scale):
    X, y = _classification()
    network = MLPClassifier(
        solver=solver,
        learning_rate_init=1e6,
        hidden_layer_sizes=(8, 8),
        random_state=0,
        dtype=dtype,
    )
    try:
        network.fit(X * scale, y)
    except ValueError:
        assert vars(network) == network.get_params()
    else:
        assert all(np.isfinite(part).all() for part in parts(network))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_logarithms_of_probabilities_are_finite(dtype, n_classes):
    X, y = _classification(n_classes=n_classes)
    network = MLPClassifier(hidden_layer_sizes=4, max_iter=5, dtype=dtype).fit(X, y)
    far = 1e6 * np.random.default_rng(0).normal(size=(50, 5))
    assert np.abs(network.decision_function(far)).max() > 1000
    logarithms = network.predict_log_proba(far)
    assert np.isfinite(logarithms).all()
    assert logarithms.min() < -80
    np.testing.assert_array_equal(logarithms, np.log(network.predict_proba(far)))


# ---- failures leave what was there -------------------------------------------------------------


def _same(one, other):
    """Compare attributes in depth, bit for bit."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        )
    if isinstance(one, np.random.RandomState):
        return _same(one.get_state(legacy=False), other.get_state(legacy=False))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if hasattr(one, "__dict__") and not callable(one):
        return type(one) is type(other) and _same(vars(one), vars(other))
    return one == other or (one != one and other != other)


class RaisingCallback:
    """Raise in the end hook of the second epoch."""

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == 1:
            raise RuntimeError("the callback's own error")

    def __deepcopy__(self, memo):
        return self


FAILURES = {
    "y of wrong length": ({}, lambda X, y: (X, y[:-1], None), ValueError),
    "y not finite": ({}, lambda X, y: (X, np.where(y == y[0], np.nan, y), None), ValueError),
    "X not finite": ({}, lambda X, y: (np.where(X > 1, np.inf, X), y, None), ValueError),
    "X of other width": ({"warm_start": True}, lambda X, y: (X[:, :3], y, None), ValueError),
    "weights of wrong length": ({}, lambda X, y: (X, y, np.ones(3)), ValueError),
    "weights negative": ({}, lambda X, y: (X, y, -np.ones(len(y))), ValueError),
    "parameter": ({"alpha": -1.0}, lambda X, y: (X, y, None), ValueError),
    "layers too large": ({"hidden_layer_sizes": (10**9,)}, lambda X, y: (X, y, None), MemoryError),
    "layers changed": (
        {"warm_start": True, "hidden_layer_sizes": 3},
        lambda X, y: (X, y, None),
        ValueError,
    ),
    "validation too small": (
        {"early_stopping": True, "validation_fraction": 1e-9},
        lambda X, y: (X, y, None),
        ValueError,
    ),
    "divergence": (
        {"solver": "sgd", "learning_rate_init": 1e300, "batch_size": 10},
        lambda X, y: (X, y, None),
        ValueError,
    ),
    "lbfgs divergence": ({"solver": "lbfgs"}, lambda X, y: (X * 1e300, y, None), ValueError),
}


@pytest.mark.parametrize("trained_by", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    (
        "failure",
        "kind",
    ),  # a classifier's saturated probabilities are finite, so lbfgs has nothing to stumble over
    [
        (failure, kind)
        for failure in FAILURES
        for kind in CASES
        if (failure, kind) != ("lbfgs divergence", MLPClassifier)
    ],
)
def test_failing_fit_leaves_a_fitted_estimator_as_it_was(failure, trained_by, kind):
    parameters, spoil, error = FAILURES[failure]
    X, y = CASES[kind]
    network = kind(hidden_layer_sizes=8, max_iter=3, random_state=0)
    getattr(network, trained_by)(
        X,
        y,
        **({"classes": [0, 1, 2]} if trained_by == "partial_fit" and kind is MLPClassifier else {}),
    )
    network.set_params(**parameters)
    before = copy.deepcopy(vars(network))
    predictions = network.predict(X)
    spoiled_X, spoiled_y, weight = spoil(X, y)
    with pytest.raises(error):
        network.fit(spoiled_X, spoiled_y, sample_weight=weight)
    assert _same(vars(network), before)
    np.testing.assert_array_equal(network.predict(X), predictions)


@both_kinds
def test_failing_partial_fit_leaves_a_fitted_estimator_as_it_was(kind):
    X, y = CASES[kind]
    network = kind(hidden_layer_sizes=8, max_iter=3, random_state=0).fit(X, y)
    before = copy.deepcopy(vars(network))
    for bad_X, bad_y, weight in ((X[:, :2], y, None), (X, y[:3], None), (X, y, -np.ones(len(y)))):
        with pytest.raises(ValueError):  # noqa: PT011 - each says its own
            network.partial_fit(bad_X, bad_y, sample_weight=weight)
        assert _same(vars(network), before)


@both_kinds
@pytest.mark.parametrize(("warm_start", "shuffle"), [(False, True), (True, True), (True, False)])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_raising_callback_leaves_a_fitted_estimator_as_it_was(
    kind, warm_start, shuffle, early_stopping, solver
):
    pytest.importorskip("sklearn.callback")
    X, y = CASES[kind]
    settings = {
        "solver": solver,
        "warm_start": warm_start,
        "shuffle": shuffle,
        "early_stopping": early_stopping,
    }
    network = kind(hidden_layer_sizes=8, max_iter=5, random_state=0, **settings)
    network.fit(X, y).set_callbacks(RaisingCallback())
    before = copy.deepcopy(vars(network))
    with pytest.raises(RuntimeError, match="the callback's own error"):
        network.fit(X, y)
    assert _same(vars(network), before)
    if warm_start and solver == "adam":  # and training goes on as if nothing had been tried
        twin = clone(network).set_callbacks().fit(X, y).fit(X, y)
        assert_same_training(network.set_callbacks().fit(X, y), twin)


def test_the_comparison_of_attributes_sees_single_bits():
    X, y = _regression()
    network = MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0).fit(X, y)
    before = copy.deepcopy(vars(network))
    assert _same(vars(network), before)
    network._training_state.random_state.uniform()
    assert not _same(vars(network), before)
    network = MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0).fit(X, y)
    network.coefs_[1][3, 0] = np.nextafter(network.coefs_[1][3, 0], np.inf)
    assert not _same(vars(network), before)


# ---- assigned weights --------------------------------------------------------------------------


@both_kinds
def test_predictions_follow_assigned_weights(kind):
    X, y = CASES[kind]
    one, other = (
        kind(hidden_layer_sizes=(8, 4), max_iter=3, random_state=seed).fit(X, y) for seed in (0, 1)
    )
    predict = "predict_proba" if kind is MLPClassifier else "predict"
    expected = getattr(other, predict)(X)
    assert not np.array_equal(getattr(one, predict)(X), expected)
    whole = copy.deepcopy(one)
    whole.coefs_ = [coef.copy() for coef in other.coefs_]
    whole.intercepts_ = list(other.intercepts_)
    np.testing.assert_array_equal(getattr(whole, predict)(X), expected)
    by_layer = copy.deepcopy(one)
    in_place = copy.deepcopy(one)
    for i, (coef, intercept) in enumerate(zip(other.coefs_, other.intercepts_, strict=True)):
        by_layer.coefs_[i] = np.asfortranarray(coef)
        by_layer.intercepts_[i] = intercept.tolist()
        in_place.coefs_[i][...] = coef
        in_place.intercepts_[i][...] = intercept
    np.testing.assert_array_equal(getattr(by_layer, predict)(X), expected)
    np.testing.assert_array_equal(getattr(in_place, predict)(X), expected)


def test_training_goes_on_from_assigned_weights():
    X, y = _regression()
    one, other = (
        MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=seed).fit(X, y)
        for seed in (0, 1)
    )
    weights = (
        [coef.copy() for coef in other.coefs_],
        [intercept.copy() for intercept in other.intercepts_],
    )
    one.coefs_, one.intercepts_ = weights
    one.partial_fit(X, y)
    assert (
        max(np.abs(now - then).max() for now, then in zip(parts(one), parts(other), strict=True))
        < 0.05
    )


def test_assigned_weights_of_a_wrong_shape_are_named():
    X, y = _regression()
    network = MLPRegressor(hidden_layer_sizes=8, max_iter=3).fit(X, y)
    network.coefs_[1] = np.zeros((8, 2))
    with pytest.raises(
        ValueError,
        match=r"coefs_\[1\] has shape \(8, 2\) and dtype float64, but this network needs \(8, 1\) real numbers",
    ):
        network.predict(X)


# ---- determinism -------------------------------------------------------------------------------

WIDE = {"hidden_layer_sizes": (150, 70), "max_iter": 4, "batch_size": 50, "random_state": 0}


@both_kinds
@pytest.mark.parametrize(
    "settings",
    [{}, {"solver": "sgd"}, {"solver": "lbfgs"}, {"early_stopping": True}, {"dtype": "float32"}],
    ids=_name,
)
def test_two_fits_give_the_same_bits(kind, settings):
    X, y = CASES[kind]
    assert_same_training(*(kind(**{**WIDE, **settings}).fit(X, y) for _ in range(2)))


@both_kinds
def test_other_seeds_give_other_weights(kind):
    X, y = CASES[kind]
    one, other = (kind(**{**WIDE, "random_state": seed}).fit(X, y) for seed in (0, 1))
    assert not np.array_equal(one.coefs_[0], other.coefs_[0])


@both_kinds
def test_concurrent_fits_give_the_same_bits(kind):
    X, y = CASES[kind]
    networks = [kind(**WIDE, dtype=dtype) for dtype in ["float32", "float64"] * 8]
    with ThreadPoolExecutor(8) as pool:
        fitted = list(pool.map(lambda network: network.fit(X, y), networks))
    for network, alone in zip(
        fitted, [clone(network).fit(X, y) for network in networks], strict=True
    ):
        assert_same_training(network, alone)


@both_kinds
def test_concurrent_predictions_of_one_estimator(kind):
    X, y = CASES[kind]
    network = kind(**WIDE).fit(X, y)
    method = network.predict_proba if kind is MLPClassifier else network.predict
    tables = [X[start:] for start in range(40)]
    expected = [method(table) for table in tables]
    with ThreadPoolExecutor(8) as pool:
        for prediction, alone in zip(pool.map(method, tables * 5), expected * 5, strict=True):
            np.testing.assert_array_equal(prediction, alone)
