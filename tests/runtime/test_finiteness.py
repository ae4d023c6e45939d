"""Predictions are finite, or an error names what is not, or what is too large."""

import copy

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sknn import HiddenFeatures, MLPClassifier, MLPRegressor
from sknn.parts.activations import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
TARGETS = {
    "two classes": (MLPClassifier, (X[:, 0] > 0).astype(int)),
    "three classes": (MLPClassifier, X[:, :3].argmax(axis=1)),
    "labels": (MLPClassifier, (X[:, :2] > 0).astype(int)),
    "numbers": (MLPRegressor, np.abs(X[:, 0]) + 0.1),
}
METHODS = ("predict", "predict_proba", "predict_log_proba", "logits", "hidden_features")


def fitted(target, **settings):
    kind, y = TARGETS[target]
    return kind(**{"hidden_layer_sizes": 4, "max_iter": 2, "random_state": 0, **settings}).fit(X, y)


def assert_refuses(network, rows, cause):
    for method in METHODS:
        if hasattr(network, method):
            with pytest.raises(ValueError, match=cause):
                getattr(network, method)(rows)


@pytest.mark.parametrize(
    ("container", "wide"),
    [(np.asfortranarray, np.float64), (np.asarray, np.longdouble), (sparse.csr_array, np.float64)],
)
@pytest.mark.parametrize("target", TARGETS)
def test_samples_beyond_float32_are_refused(target, container, wide):
    network = fitted(target, dtype="float32", activation="tanh")  # which would hide an infinity
    rows = np.zeros((5, 4), wide)
    rows[3, 1] = 1e39
    cause = "X has values beyond float32, .* or fit with dtype='float64'"
    assert_refuses(network, container(rows), cause)
    with pytest.raises(ValueError, match=cause):
        network.score(container(rows), TARGETS[target][1][:5])


def test_one_row_too_large_in_a_table_of_several_chunks_is_refused():
    network = fitted("three classes", dtype="float32")
    rows = np.zeros((300_000, 4))
    network.predict(rows)
    rows[-1, 0] = 1e39
    with pytest.raises(ValueError, match="X has values beyond float32"):
        network.predict(rows)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"sigmoid"}))
def test_weights_that_are_not_finite_are_named(activation, target, bad):
    first = fitted(target, activation=activation)
    y = TARGETS[target][1]
    for name in ("coefs_", "intercepts_"):
        for layer in (0, 1):
            network = copy.deepcopy(first)
            network.predict(X[:1])  # keeps the compiled network
            getattr(network, name)[layer][..., -1] = bad
            cause = rf"{name}\[{layer}\] has {'NaN' if np.isnan(bad) else 'infinite values'}"
            assert_refuses(network, X[:2], cause)
            with pytest.raises(ValueError, match=cause):
                network.partial_fit(X, y)
            getattr(network, name)[layer] = np.full_like(getattr(network, name)[layer], bad)
            assert_refuses(network, X[:2], cause)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
def test_finite_weights_that_overflow_are_refused(target, dtype):
    network = fitted(target, dtype=dtype)
    huge = np.finfo(dtype).max / 10
    network.coefs_[0][...] = 1
    for sign in (1, -1):
        network.coefs_[1][:, 0] = sign * huge
        for method in set(METHODS) - {"hidden_features"}:
            if hasattr(network, method):
                with pytest.raises(
                    ValueError, match=rf"not finite: numbers grew beyond {dtype}.*coefs_\[1\]"
                ):
                    getattr(network, method)(100 * np.abs(X))


def test_hidden_features_that_overflow_are_refused():
    network = fitted("numbers", activation="identity")
    network.coefs_[0][...] = 1e300
    rows = np.full((3, 4), 1e30)
    with pytest.raises(ValueError, match="outputs of hidden layer 0 of 3 samples"):
        network.hidden_features(rows)
    features = HiddenFeatures(network).fit(X, TARGETS["numbers"][1])
    features.estimator_ = network
    with pytest.raises(ValueError, match="outputs of hidden layer 0 of 3 samples"):
        features.transform(rows)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_exponentials_that_overflow_are_refused(loss):
    network = fitted("numbers", loss=loss)
    network.coefs_ = [np.abs(coef) for coef in network.coefs_]
    with pytest.raises(ValueError, match=rf"loss='{loss}' predicts exp\(z\), and numbers grew"):
        network.predict(1e5 * np.abs(X))
    assert np.isfinite(network.predict(-1e5 * np.abs(X))).all()


def test_a_scale_of_targets_that_is_not_finite_is_named():
    network = fitted("numbers", normalize_y=True)
    network.y_scale_ = np.array([np.nan])
    with pytest.raises(ValueError, match=r"y_scale_ is \[nan\]"):
        network.predict(X)
    network = fitted("numbers", normalize_y=True, dtype="float32")
    network.y_scale_ = np.array([1e39])
    with pytest.raises(ValueError, match=r"not finite in float32: y_scale_ is \[1.e\+39\]"):
        network.predict(X)


def test_negative_variances_are_named():
    network = fitted("two classes", batch_norm=True)
    network.batch_norm_var_[0][0] = -3
    with pytest.raises(ValueError, match=r"batch_norm_var_\[0\] has negative values"):
        network.predict(X)


def test_probabilities_far_from_the_training_samples_are_finite():
    for target in ("two classes", "three classes", "labels"):
        for dtype in ("float32", "float64"):
            found = fitted(target, dtype=dtype).predict_proba(1e5 * X)
            assert (found > 0).all()
            assert (found <= 1).all()


@pytest.mark.filterwarnings("ignore:X_val lies far outside")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_validation_samples_beyond_float32_are_an_error_that_names_them(solver):
    kind, y = TARGETS["three classes"]
    network = kind(4, solver=solver, dtype="float32", activation="tanh", random_state=0)
    with pytest.raises(ValueError, match="X_val has values beyond float32"):
        network.fit(X, y, X_val=1e39 * X, y_val=y)
    assert vars(network) == network.get_params()


@pytest.mark.filterwarnings("ignore:X_val lies far outside")
def test_validation_samples_that_overflow_are_an_error_in_the_first_epoch():
    kind, y = TARGETS["numbers"]
    network = kind(hidden_layer_sizes=4, random_state=0, activation="identity")
    with pytest.raises(ValueError, match=r"The predictions of 60 samples, .* of X_val, are not"):
        network.fit(X, y, X_val=np.full_like(X, 1.7e308), y_val=y)
    assert vars(network) == network.get_params()


@pytest.mark.filterwarnings("ignore:X_val lies far outside")
def test_weights_that_grow_too_large_for_the_validation_samples_have_diverged():
    kind, y = TARGETS["numbers"]
    network = kind(
        hidden_layer_sizes=4,
        random_state=0,
        activation="identity",
        solver="sgd",
        learning_rate_init=0.1,
    )
    rows = np.full_like(X, 0.05 * np.finfo(float).max)
    with pytest.warns(ConvergenceWarning, match=r"in epoch 2; .* The weights of epoch 1 are kept"):
        network.fit(X, 40 * y, X_val=rows, y_val=y)
    assert np.isnan(network.loss_curve_[-1])
    assert np.isfinite(network.predict(rows)).all()
