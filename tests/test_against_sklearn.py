"""With equal options and ``random_state``, training gives the numbers of scikit-learn's."""

import importlib.util
import sys
from unittest import mock

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.datasets import load_diabetes, load_digits
from threadpoolctl import threadpool_limits

import sknn

# Too private to share: these set or call underscored members of scikit-learn's classes.
_PRIVATE = {"test_fit", "test_gradient"}

# Float32 sums in another order differ from scikit-learn's in the seventh digit, and training
# amplifies that.
TOLERANCES = {"float64": 1e-9, "float32": 1e-4}
LBFGS_TOLERANCES = {"float64": 1e-6, "float32": 1e-2}

# One of scikit-learn's tests stops early on constant targets, about which only this package warns.
pytestmark = pytest.mark.filterwarnings("ignore:The validation targets are all the same")
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
both_precisions = pytest.mark.parametrize("dtype", ["float64", "float32"])


# ---- scikit-learn's own tests of its perceptrons, run on ours ----------------------------------


def _scikit_learns_tests():
    """Return the tests of scikit-learn's test module, with our two estimators in it.

    They come from a copy that is not in ``sys.modules``. The names are replaced only while it
    imports them, because its decorators use them at once.
    """
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.multiple(
        sklearn.neural_network, MLPClassifier=sknn.MLPClassifier, MLPRegressor=sknn.MLPRegressor
    ):
        spec.loader.exec_module(module)
    return {
        name: value
        for name, value in vars(module).items()
        if name.startswith("test_") and name not in _PRIVATE
    }


_TESTS = _scikit_learns_tests()
globals().update(_TESTS)


def test_scikit_learns_tests_run_on_this_package_and_leave_no_trace():
    assert len(_TESTS) > 30
    for test in _TESTS.values():
        assert test.__globals__["MLPClassifier"] is sknn.MLPClassifier
        for mark in getattr(test, "pytestmark", []):
            values = mark.args[1] if mark.name == "parametrize" else []
            assert not any(
                getattr(value, "__module__", "").startswith("sklearn.neural_network")
                for value in values
            )
    assert sklearn.neural_network.MLPClassifier is not sknn.MLPClassifier
    assert "sklearn.neural_network.tests.test_mlp" not in sys.modules


# ---- the same data to both ---------------------------------------------------------------------


def _standardized(values):
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _data():
    pixels, digit = load_digits(return_X_y=True)
    measurements, progress = load_diabetes(return_X_y=True, scaled=False)
    X = _standardized(measurements)
    y = _standardized(progress)
    labels = np.column_stack([digit > 4, digit % 2 == 1, digit == 0]).astype(int)
    return {
        "digits, raw": ("MLPClassifier", pixels, digit),
        "digits": ("MLPClassifier", pixels / 16, digit),
        "two classes, raw": ("MLPClassifier", pixels, digit > 4),
        "two classes": ("MLPClassifier", pixels / 16, digit > 4),
        "labels": ("MLPClassifier", pixels / 16, labels),
        "diabetes": ("MLPRegressor", X, y),
        "diabetes, raw y": ("MLPRegressor", X, progress),
        "two outputs": ("MLPRegressor", X, np.column_stack([y, X[:, 0] * X[:, 1]])),
    }


DATA = _data()


@pytest.fixture(autouse=True)
def one_blas_thread():
    with threadpool_limits(1):
        yield


def fit_both(data, dtype, *, n_rows=None, sample_weight=None, **parameters):
    """Return our estimator and scikit-learn's, fitted to the same data with equal parameters."""
    kind, X, y = DATA[data]
    X = X[:n_rows].astype(dtype)
    y = y[:n_rows]
    settings = {"random_state": 3, **parameters}
    # Before version 1.7 scikit-learn's networks take no weights.
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return [
        getattr(package, kind)(**settings).fit(X, y, **weights)
        for package in (sknn, sklearn.neural_network)
    ]


def fit_both_for_20_epochs(data, dtype, **parameters):
    return fit_both(
        data, dtype, **{"max_iter": 20, "tol": 0, "n_iter_no_change": 1000, **parameters}
    )


def assert_same_weights(ours, theirs, tolerance):
    for mine, reference in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(mine, reference, rtol=tolerance, atol=tolerance)


# ---- loss curves -------------------------------------------------------------------------------

# Every value of every option, every schedule with and without Nesterov's momentum, and each kind of
# target with both solvers.
SGD = {"solver": "sgd", "learning_rate_init": 0.05}
PLAIN = {**SGD, "nesterovs_momentum": False}
ADAPTIVE = {
    "learning_rate": "adaptive",
    "tol": 0.05,
    "n_iter_no_change": 2,
}  # so impatient that the rate falls within 20 epochs
INVSCALING = {"learning_rate": "invscaling", "power_t": 0.2}
CURVES = [
    ("digits", SGD),
    ("digits", {**PLAIN, "activation": "tanh", "alpha": 1, "batch_size": 37}),
    (
        "digits",
        {
            **SGD,
            **INVSCALING,
            "activation": "tanh",
            "hidden_layer_sizes": (40, 20),
            "batch_size": 37,
        },
    ),
    (
        "digits",
        {**PLAIN, **ADAPTIVE, "hidden_layer_sizes": (50, 30), "alpha": 0, "batch_size": 200},
    ),
    (
        "digits, raw",
        {**SGD, **ADAPTIVE, "activation": "logistic", "alpha": 1, "learning_rate_init": 0.001},
    ),
    (
        "digits, raw",
        {
            **PLAIN,
            "hidden_layer_sizes": 30,
            "learning_rate_init": 0.001,
            "batch_size": 200,
            "momentum": 0.5,
        },
    ),
    (
        "digits",
        {**SGD, "momentum": 0, "activation": "identity", "shuffle": False, "batch_size": 37},
    ),
    ("digits", {**SGD, "momentum": 1, "learning_rate_init": 0.001}),
    (
        "two classes",
        {
            **PLAIN,
            **INVSCALING,
            "activation": "identity",
            "alpha": 0,
            "hidden_layer_sizes": 30,
            "shuffle": False,
        },
    ),
    (
        "two classes, raw",
        {
            **SGD,
            "learning_rate_init": 0.001,
            "activation": "logistic",
            "hidden_layer_sizes": (40, 20),
        },
    ),
    ("labels", {**SGD, "activation": "logistic", "hidden_layer_sizes": (50, 30), "batch_size": 37}),
    ("labels", {**PLAIN, **INVSCALING, "batch_size": 200, "alpha": 1}),
    ("diabetes", {**SGD, "hidden_layer_sizes": (20, 10), "alpha": 0}),
    ("diabetes", {**PLAIN, **ADAPTIVE, "activation": "tanh", "alpha": 1, "batch_size": 37}),
    ("diabetes", {**SGD, **INVSCALING, "activation": "logistic", "shuffle": False}),
    ("two outputs", {**SGD, "activation": "tanh", "batch_size": 37}),
    (
        "diabetes, raw y",
        {**SGD, "loss": "poisson", "learning_rate_init": 1e-4, "hidden_layer_sizes": (20, 10)},
    ),
    ("digits", {}),
    ("digits", {"hidden_layer_sizes": (50, 30), "alpha": 1, "batch_size": 37}),
    (
        "digits",
        {"hidden_layer_sizes": (144, 100), "batch_size": 20},
    ),  # weights that outweigh a batch
    (
        "digits",
        {"activation": "identity", "alpha": 0, "shuffle": False, "beta_1": 0, "beta_2": 0.9},
    ),
    ("digits", {"learning_rate": "invscaling", "learning_rate_init": 0.01}),
    ("digits, raw", {}),
    ("digits, raw", {"activation": "tanh", "hidden_layer_sizes": (40, 20)}),
    ("digits, raw", {"activation": "logistic", "alpha": 0, "batch_size": 37}),
    (
        "two classes",
        {
            "activation": "logistic",
            "hidden_layer_sizes": (40, 20),
            "batch_size": 37,
            "epsilon": 1e-4,
        },
    ),
    ("two classes, raw", {"hidden_layer_sizes": (50, 30), "alpha": 0, "batch_size": 200}),
    ("digits", {"activation": "logistic", "hidden_layer_sizes": ()}),
    ("labels", {"activation": "tanh", "alpha": 1, "shuffle": False}),
    ("labels", {"hidden_layer_sizes": (30, 20), "batch_size": 37}),
    ("diabetes", {"activation": "logistic", "hidden_layer_sizes": (20, 10), "batch_size": 37}),
    (
        "diabetes",
        {"activation": "tanh", "learning_rate": "adaptive", "learning_rate_init": 0.01, "alpha": 1},
    ),
    ("diabetes, raw y", {"activation": "identity", "learning_rate_init": 0.1}),
    ("diabetes, raw y", {"learning_rate_init": 0.01, "batch_size": 37, "alpha": 0}),
    ("two outputs", {"hidden_layer_sizes": (20, 10), "batch_size": 37}),
    ("diabetes, raw y", {"loss": "poisson", "activation": "tanh", "learning_rate_init": 0.01}),
]


def _identify(value):
    return (
        "-".join(f"{name}={option}" for name, option in value.items()) or "defaults"
        if isinstance(value, dict)
        else None
    )


@quiet
@both_precisions
@pytest.mark.parametrize(("data", "parameters"), CURVES, ids=_identify)
def test_loss_curve(data, parameters, dtype):
    ours, theirs = fit_both_for_20_epochs(data, dtype, **parameters)
    assert len(ours.loss_curve_) == 20
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=TOLERANCES[dtype])
    assert ours.loss_ == ours.loss_curve_[-1]
    assert ours.t_ == theirs.t_
    assert ours.n_iter_ == theirs.n_iter_


@quiet
@pytest.mark.parametrize("data", DATA)
def test_weights_and_predictions_after_20_epochs(data):
    ours, theirs = fit_both_for_20_epochs(data, "float64", hidden_layer_sizes=20)
    assert_same_weights(ours, theirs, 1e-9)
    X = DATA[data][1]
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9, atol=1e-9)
    if hasattr(theirs, "predict_proba"):
        np.testing.assert_allclose(
            ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-7, atol=1e-12
        )
        assert np.array_equal(ours.classes_, theirs.classes_)
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name)


@quiet
@both_precisions
@pytest.mark.parametrize("parameters", [SGD, {}, {"alpha": 1, "activation": "tanh"}], ids=_identify)
@pytest.mark.parametrize("data", ["digits", "two classes", "labels", "diabetes", "two outputs"])
def test_loss_curve_with_sample_weights_and_full_batches(data, parameters, dtype):
    n_rows = 400
    weight = np.random.default_rng(0).exponential(size=n_rows)
    ours, theirs = fit_both_for_20_epochs(
        data, dtype, n_rows=n_rows, sample_weight=weight, batch_size=n_rows, **parameters
    )
    unweighted, _ = fit_both_for_20_epochs(
        data, dtype, n_rows=n_rows, batch_size=n_rows, **parameters
    )
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=TOLERANCES[dtype])
    assert not np.allclose(ours.loss_curve_, unweighted.loss_curve_, rtol=1e-3)


def test_random_state_instances_are_used_like_scikit_learn_does():
    kind, X, y = DATA["diabetes"]
    ours, theirs = (
        getattr(package, kind)(
            max_iter=3, n_iter_no_change=2, random_state=np.random.RandomState(5)
        )
        for package in (sknn, sklearn.neural_network)
    )
    for _ in range(2):  # the second fit takes up the generator where the first left it
        with pytest.warns(sklearn.exceptions.ConvergenceWarning):
            ours.fit(X, y)
        with pytest.warns(sklearn.exceptions.ConvergenceWarning):
            theirs.fit(X, y)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)


# ---- when training stops -----------------------------------------------------------------------

STOPS = [
    ("digits", {"tol": 0.01}),
    ("two classes", {"tol": 0.003, "n_iter_no_change": 5}),
    ("diabetes", {**SGD, "tol": 0.003, "n_iter_no_change": 2, "learning_rate": "invscaling"}),
    ("diabetes", {**SGD, "tol": 0.003, "learning_rate": "adaptive"}),
    (
        "diabetes, raw y",
        {
            "loss": "poisson",
            "activation": "tanh",
            "learning_rate_init": 0.1,
            "tol": 0.1,
            "n_iter_no_change": 3,
        },
    ),
]


@both_precisions
@pytest.mark.parametrize(("data", "parameters"), STOPS, ids=_identify)
def test_stopping_by_tol_in_the_same_epoch(data, parameters, dtype):
    ours, theirs = fit_both(data, dtype, **parameters)
    assert ours.n_iter_ == theirs.n_iter_ < ours.max_iter
    np.testing.assert_allclose(
        ours.best_loss_, theirs.best_loss_, rtol=1e-6 if dtype == "float64" else 1e-3
    )


EARLY_STOPS = [
    ("two classes", {}),
    ("two classes", {**SGD, "n_iter_no_change": 3, "validation_fraction": 0.25}),
    ("two classes, raw", {"activation": "tanh", "tol": 0.01}),
    ("labels", {"activation": "tanh", "tol": 0.01}),
    ("diabetes", {"learning_rate_init": 0.01}),
    ("diabetes", {**SGD, "learning_rate": "adaptive", "activation": "logistic"}),
    ("two outputs", {"learning_rate_init": 0.01}),
]


@pytest.mark.parametrize(("data", "parameters"), EARLY_STOPS, ids=_identify)
def test_early_stopping_in_the_same_epoch_with_the_same_best_weights(data, parameters):
    ours, theirs = fit_both(data, "float64", early_stopping=True, **parameters)
    assert ours.n_iter_ == theirs.n_iter_ < ours.max_iter
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-8)
    np.testing.assert_allclose(
        ours.best_validation_score_, theirs.best_validation_score_, rtol=1e-8
    )
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    assert ours.best_loss_ is theirs.best_loss_ is None
    assert_same_weights(ours, theirs, 1e-8)


@pytest.mark.parametrize(("data", "parameters"), [EARLY_STOPS[0], EARLY_STOPS[4]], ids=_identify)
def test_early_stopping_in_the_same_epoch_in_float32(data, parameters):
    ours, theirs = fit_both(data, "float32", early_stopping=True, **parameters)
    assert ours.n_iter_ == theirs.n_iter_ < ours.max_iter
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-3)
    assert_same_weights(ours, theirs, 1e-4)


def test_early_stopping_of_poisson_by_scikit_learns_score():
    _, X, y = DATA["diabetes, raw y"]
    settings = {"loss": "poisson", "learning_rate_init": 0.01, "early_stopping": True}
    settings |= {"random_state": 0}
    ours = sknn.MLPRegressor(scoring="r2", **settings).fit(X, y)
    theirs = sklearn.neural_network.MLPRegressor(**settings).fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_ < ours.max_iter
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-8)
    assert_same_weights(ours, theirs, 1e-8)


def test_early_stopping_with_sample_weights():
    weight = np.random.default_rng(0).exponential(size=442)
    ours, theirs = fit_both(
        "diabetes",
        "float64",
        sample_weight=weight,
        early_stopping=True,
        batch_size=397,
        learning_rate_init=0.01,
    )
    assert ours.n_iter_ == theirs.n_iter_ < ours.max_iter
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-8)
    assert_same_weights(ours, theirs, 1e-8)


# ---- lbfgs -------------------------------------------------------------------------------------


@quiet
@both_precisions
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize(
    ("data", "parameters"),
    [
        ("digits", {"alpha": 1, "hidden_layer_sizes": 20, "max_iter": 20}),
        ("two classes", {"alpha": 0, "hidden_layer_sizes": (10, 5), "max_iter": 15}),
        ("labels", {"alpha": 1, "hidden_layer_sizes": (20, 10), "max_iter": 20}),
        ("diabetes", {"alpha": 1, "hidden_layer_sizes": 20, "max_iter": 20}),
        (
            "diabetes",
            {"alpha": 30, "hidden_layer_sizes": 5, "max_iter": 1000, "tol": 1e-6},
        ),  # to convergence
    ],
    ids=_identify,
)
def test_lbfgs_reaches_the_same_loss(data, parameters, activation, dtype):
    ours, theirs = fit_both(
        data, dtype, n_rows=300, solver="lbfgs", activation=activation, **parameters
    )
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=LBFGS_TOLERANCES[dtype])


@pytest.mark.parametrize("data", ["digits", "diabetes"])
def test_lbfgs_stops_in_the_same_iteration(data):
    ours, theirs = fit_both(
        data,
        "float64",
        n_rows=300,
        solver="lbfgs",
        activation="identity",
        alpha=10,
        hidden_layer_sizes=10,
    )
    assert ours.n_iter_ == theirs.n_iter_ < ours.max_iter
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
    assert_same_weights(ours, theirs, 1e-5)


@quiet
def test_lbfgs_with_sample_weights():
    weight = np.random.default_rng(0).exponential(size=300)
    ours, theirs = fit_both(
        "digits",
        "float64",
        n_rows=300,
        sample_weight=weight,
        solver="lbfgs",
        hidden_layer_sizes=10,
        max_iter=10,
    )
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
