"""Divergence: an error in the first epoch, a warning later, which keeps the last finite weights."""

import copy
import itertools
import warnings

import numpy as np
import pytest
from problems import (
    CASES,
    PATIENT,
    assert_same_bits,
    classification,
    parts,
    regression,
)
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier, MLPRegressor
from sknn._warnings import NonFinitePredictionError
from sknn.callbacks import EarlyStopping, History

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)


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
    rate = network.learning_rate_init
    expected = f"learning_rate_init={rate!r} made the loss or the weights non-finite in epoch 1"
    with pytest.raises(ValueError, match=expected.replace("+", r"\+")):
        network.fit(X * x_scale, y * y_scale if kind is MLPRegressor else y)
    assert vars(network) == network.get_params()


# Weights of 1e300 are finite, but not the predictions.
@pytest.mark.filterwarnings("ignore:The score of the .* validation rows was not finite")
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


def _one_step_an_epoch(**settings):
    X, y = CASES[MLPClassifier]
    settings = {"hidden_layer_sizes": (8, 8), "solver": "sgd", "random_state": 0, **settings}
    return MLPClassifier(**PATIENT, **settings), X, y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [1e5, 1e9, 1e20, 1e80])
def test_weights_that_are_kept_predict(rate, dtype):
    """With one minibatch an epoch, a loss that is not finite is that of the weights before."""
    network, X, y = _one_step_an_epoch(dtype=dtype, max_iter=60, learning_rate_init=rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            network.fit(X, y)
        except ValueError:
            assert vars(network) == network.get_params()
            return
        n_kept = network.n_iter_ - np.isnan(network.loss_curve_).sum()
        assert np.isfinite(network.predict_proba(X)).all()
        network_until_then = clone(network).set_params(max_iter=n_kept).fit(X, y)
    assert_same_bits(network, network_until_then)


def test_a_good_fit_is_not_lost_to_weights_that_cannot_predict():
    network, X, y = _one_step_an_epoch(dtype="float32", max_iter=5, warm_start=True)
    network.set_params(learning_rate_init=0.01).fit(X, y)
    before = copy.deepcopy(network)
    network.set_params(learning_rate_init=1e30, max_iter=60)
    with pytest.warns(ConvergenceWarning, match="The weights of epoch 5 are kept"):
        network.fit(X, y)
    assert_same_bits(network, before)
    assert np.isfinite(network.predict_proba(X)).all()


@pytest.mark.parametrize(
    "solver", ["adagrad", "rmsprop", "adadelta", "adam", "adamw", "amsgrad", "nadam"]
)
def test_squares_that_overflow_are_said(solver):
    X, y = CASES[MLPRegressor]
    network = MLPRegressor(solver=solver, max_iter=3, random_state=0, dtype="float32")
    with pytest.warns(
        ConvergenceWarning, match=f"Squares of gradients .* solver='{solver}' .* weights any more"
    ):
        network.fit(X * 1e6, y * 1e15)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        network.set_params(max_grad_norm=1.0).fit(X * 1e6, y * 1e15)
        network.set_params(max_grad_norm=None).fit(X, y)


def test_squares_of_scales_may_overflow_too():
    X, y = CASES[MLPRegressor]
    network = MLPRegressor(input_scale=True, max_iter=3, random_state=0, dtype="float32")
    with pytest.warns(ConvergenceWarning, match="does not change [1-9][0-9]* weights any more"):
        network.fit(X * 1e6, y * 1e15)
    assert np.isfinite(network.predict(X)).all()


def test_diverging_partial_fit_keeps_the_last_finite_weights():
    X, y = regression()
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
    X, y = classification()
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
    X, y = classification(n_classes=n_classes)
    network = MLPClassifier(hidden_layer_sizes=4, max_iter=5, dtype=dtype).fit(X, y)
    far = 1e6 * np.random.default_rng(0).normal(size=(50, 5))
    assert np.abs(network.logits(far)).max() > 1000
    logarithms = network.predict_log_proba(far)
    assert np.isfinite(logarithms).all()
    assert logarithms.min() < -80
    np.testing.assert_array_equal(logarithms, np.log(network.predict_proba(far)))


class OverflowingRegressor(MLPRegressor):
    """Cannot predict when two epochs are recorded, as if it were on its way to divergence."""

    def predict(self, X):
        if self.n_iter_ == 2:
            raise NonFinitePredictionError("The predictions are not finite.")
        return super().predict(X)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_metrics_of_predictions_that_are_not_finite_are_nan(solver):
    pytest.importorskip("sklearn.callback")
    X, y = CASES[MLPRegressor]
    settings = {"hidden_layer_sizes": 6, "max_iter": 4, "random_state": 0, "solver": solver}
    network = OverflowingRegressor(**settings)
    network.set_callbacks(History(["r2"]), EarlyStopping(restore_best=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = network.fit(X, y, X_val=X, y_val=y).history_
    for name in ("r2", "val_r2"):
        assert np.isnan(history[name]).tolist() == [False, True, False, False]
    assert_same_bits(network, MLPRegressor(**settings).fit(X, y))


def test_lbfgs_survives_scores_of_predictions_that_are_not_finite():
    X, y = CASES[MLPRegressor]
    network = OverflowingRegressor(
        hidden_layer_sizes=6, max_iter=4, random_state=0, solver="lbfgs"
    ).set_params(early_stopping=True, scoring="r2")
    with pytest.warns(ConvergenceWarning, match="after 1 epochs.*The predictions are not finite"):
        network.fit(X, y)
    assert np.isnan(network.validation_scores_).tolist() == [False, False, True, False]


def test_a_scorer_may_show_that_training_has_diverged():
    X, y = CASES[MLPRegressor]
    network = OverflowingRegressor(hidden_layer_sizes=6, max_iter=4, random_state=0)
    network.set_params(early_stopping=True, scoring="r2")
    with pytest.warns(ConvergenceWarning, match="made the loss or the weights non-finite"):
        network.fit(X, y)
    assert network.n_iter_ == 3
