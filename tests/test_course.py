"""Every ingredient of the course, tried through the constructor on digits."""

import math
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from sknn import Activation, MLPClassifier, MLPRegressor
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.initializers import INITIALIZERS
from sknn.parts.losses import REGRESSION_LOSSES
from sknn.parts.optimizers import OPTIMIZERS
from sknn.parts.schedules import SCHEDULES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    (X / 16).astype(np.float32), y, random_state=0, stratify=y
)
RATES = {"sgd": 0.05, "adagrad": 0.05, "adadelta": 1.0}


def accuracy(*sizes, **parameters):
    """Return the test accuracy of a network with plain settings."""
    settings = {
        "max_iter": 60,
        "batch_size": 64,
        "learning_rate_init": 0.003,
        "random_state": 0,
    } | parameters
    return MLPClassifier(sizes or (64,), **settings).fit(X_train, y_train).score(X_test, y_test)


def atan_slope(z):
    return 1 / (1 + z * z)


@pytest.mark.parametrize(
    "parameters",
    [
        *({"activation": name} for name in ACTIVATIONS),
        *({"initializer": name} for name in INITIALIZERS if name != "zeros"),
        *({"solver": name, "learning_rate_init": RATES.get(name, 0.003)} for name in OPTIMIZERS),
        *({"learning_rate": name} for name in SCHEDULES),
        {"solver": "lbfgs"},
        {"solver": "sgd", "momentum": (0.5, 0.9), "learning_rate_init": 0.05},
        {"activation": Activation(math.atan, atan_slope)},
        {"warmup_epochs": 5},
        {"solver": "adamw", "weight_decay": 0.01},
        {"dropout": 0.3},
        {"input_dropout": 0.2},
        {"batch_norm": "before"},
        {"batch_norm": "after"},
        {"max_grad_norm": 1.0},
        {"label_smoothing": 0.1},
        {"class_weight": "balanced"},
        {"alpha": 0.1, "l1_ratio": 0.5},
        {"solver": "lbfgs", "alpha": 0.1, "l1_ratio": 0.5, "max_iter": 30},
        {"solver": "lbfgs", "batch_norm": True, "max_iter": 30},
        {"early_stopping": True},
    ],
    ids=str,
)
def test_learns(parameters):
    assert accuracy(**parameters) >= 0.9


def test_relu_with_adam_learns_well():
    assert accuracy(activation="relu", solver="adam") >= 0.93


def test_zeros_never_break_symmetry():
    clf = MLPClassifier((8,), initializer="zeros", max_iter=20, random_state=0).fit(
        X_train, y_train
    )
    assert np.ptp(clf.coefs_[0], axis=1).max() == 0


def test_depth_needs_batch_norm():
    # Larger steps of smaller batches end anywhere between 0.5 and 0.95, by the last bits.
    deep = (50,) * 12
    settings = {"activation": "sigmoid", "batch_size": 200, "learning_rate_init": 0.001}
    assert accuracy(*deep, **settings) < 0.3
    assert accuracy(*deep, **settings, batch_norm=True) >= 0.95


def test_the_course_stack_learns():
    assert accuracy(512, 256, 64, 32, batch_norm="after", dropout=0.5, max_iter=40) >= 0.9


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_l1_makes_exact_zeros(solver):
    rate = 0.01 if solver == "sgd" else 0.001
    clf = MLPClassifier(
        alpha=2, l1_ratio=1, random_state=0, solver=solver, learning_rate_init=rate
    ).fit(X_train, y_train)
    assert (clf.coefs_[0] == 0).mean() > 0.3
    assert clf.score(X_test, y_test) > 0.85


def test_an_activation_for_each_layer():
    assert accuracy(32, 32, activation=["maxout", "gelu"]) >= 0.9


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_regression_losses_learn(loss):
    features, target = load_diabetes(return_X_y=True)
    target = target / target.mean()
    regressor = MLPRegressor(
        loss, (20,), max_iter=300, learning_rate_init=0.01, random_state=0, alpha=0.1
    )
    features = features / features.std()
    assert r2_score(target, regressor.fit(features, target).predict(features)) > 0.4


def test_quantiles_do_not_cross():
    features, target = load_diabetes(return_X_y=True)
    levels = (0.1, 0.5, 0.9)
    regressor = MLPRegressor(
        "quantile",
        (20,),
        quantile=levels,
        normalize_y=True,
        max_iter=300,
        learning_rate_init=0.01,
        random_state=0,
    ).fit(features / features.std(), target)
    predictions = regressor.predict(features / features.std())
    assert (np.diff(predictions, axis=1) > 0).all()
    np.testing.assert_allclose((target[:, None] <= predictions).mean(axis=0), levels, atol=0.08)


FORMULAS = {
    "identity": lambda z: z,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "maxout": None,
}


@pytest.mark.parametrize("batch_norm", [False, "before", "after"])
@pytest.mark.parametrize("activation", FORMULAS)
def test_predictions_recomputed_by_hand(activation, batch_norm):
    clf = MLPClassifier(
        (9, 7), activation, batch_norm=batch_norm, max_iter=5, random_state=0, dropout=0.1
    ).fit(X[:200], y[:200])

    def normalized(values, layer):
        deviation = np.sqrt(clf.batch_norm_var_[layer] + 1e-5)
        return (
            clf.batch_norm_scale_[layer] * (values - clf.batch_norm_mean_[layer]) / deviation
            + clf.batch_norm_shift_[layer]
        )

    a = X
    for layer in range(2):
        z = a @ clf.coefs_[layer] + clf.intercepts_[layer]
        if batch_norm == "before":
            z = normalized(z, layer)
        a = (
            z.reshape(len(z), -1, 2).max(axis=2)
            if activation == "maxout"
            else FORMULAS[activation](z)
        )
        if batch_norm == "after":
            a = normalized(a, layer)
        np.testing.assert_allclose(clf.hidden_features(X, layer), a, rtol=1e-9, atol=1e-12)
    z = a @ clf.coefs_[2] + clf.intercepts_[2]
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        clf.predict_proba(X), powers / powers.sum(axis=1, keepdims=True), rtol=1e-9, atol=1e-300
    )


def test_maxout_pieces_stand_side_by_side():
    clf = MLPClassifier((5,), "maxout", maxout_pieces=3, max_iter=1).fit(X[:50], y[:50])
    assert clf.coefs_[0].shape == (64, 15)
    assert clf.coefs_[1].shape == (5, 10)


@pytest.mark.parametrize(
    "parameters",
    [
        {"negative_slope": 0.2},
        {"elu_alpha": 2.0},
        {"maxout_pieces": 3},
        {"rho": 0.5},
        {"decay_rate": 0.2},
        {"l1_ratio": 0.5, "alpha": 0.0},
        {"dropout": 0.5, "solver": "lbfgs"},
        {"weight_decay": 0.1, "solver": "lbfgs"},
        {"learning_rate": "cosine", "solver": "lbfgs"},
        {"momentum": (0.5, 0.9)},
        {"batch_norm_momentum": 0.5},
        {"scoring": "accuracy"},
        {"early_stopping_window": 3},
        {"restore_best": False},
    ],
    ids=str,
)
def test_parameter_without_effect_warns_by_name(parameters):
    with pytest.warns(UserWarning, match=next(iter(parameters))):
        MLPClassifier((4,), max_iter=2, **parameters).fit(X[:40], y[:40] % 2)


def test_what_scikit_learn_accepts_does_not_warn():
    for solver in ("lbfgs", "sgd", "adam"):
        for schedule in ("constant", "invscaling", "adaptive"):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", ConvergenceWarning)
                MLPClassifier((4,), solver=solver, learning_rate=schedule, max_iter=2).fit(
                    X[:40], y[:40]
                )
