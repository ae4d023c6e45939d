"""scikit-learn's own networks with the weights of this package's."""

import pickle
import re
import warnings

import numpy as np
import pandas
import pytest
import sklearn
from scipy import sparse
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline

from sknn import Activation, MLPClassifier, MLPRegressor
from sknn.export import to_sklearn

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
CODES = rng.integers(3, size=60)
NAMES = np.array(["apple", "pear", "quince"])[CODES]
Y = np.exp(X[:, :2]) + 1
HAS_POISSON = "loss" in neural_network.MLPRegressor().get_params()


def fitted(estimator, y, X=X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.set_params(max_iter=3, random_state=0).fit(X, y)


CASES = {
    "relu": (MLPClassifier((6, 4)), CODES),
    "tanh": (MLPClassifier((6, 4), activation="tanh"), NAMES),
    "sigmoid and logistic": (MLPClassifier((6, 4), activation=["sigmoid", "logistic"]), CODES // 2),
    "no hidden layers": (MLPClassifier((), activation="mish"), NAMES),
    "labels": (MLPClassifier((6,), activation="identity"), (Y > 2).astype(int)),
    "two labels": (MLPClassifier((6,), dropout=0.5), np.column_stack([CODES > 0, CODES > 1])),
    "other options": (
        MLPClassifier((6,), solver="nadam", learning_rate="cosine", label_smoothing=0.1),
        CODES,
    ),
    "early stopping": (MLPClassifier((6,), early_stopping=True), CODES),
    "calibrated": (MLPClassifier((6,), early_stopping=True, calibrate=True), NAMES),
    "calibrated labels": (
        MLPClassifier((6,), early_stopping=True, calibrate=True),
        (Y > 2).astype(int),
    ),
    "one target": (MLPRegressor(hidden_layer_sizes=(6,), solver="lbfgs"), Y[:, 0]),
    "huber": (MLPRegressor("huber", (6,)), Y),
    "scaled": (MLPRegressor(hidden_layer_sizes=(6,), normalize_y=True), Y),
    "scaled, no hidden layers": (MLPRegressor(hidden_layer_sizes=(), normalize_y=True), Y[:, 0]),
    "median": (MLPRegressor("quantile", (6,)), Y[:, 0]),
    "median, calibrated": (
        MLPRegressor("quantile", (6,), early_stopping=True, calibrate=True, normalize_y=True),
        Y,
    ),
}
if HAS_POISSON:
    CASES["poisson"] = (MLPRegressor("poisson", (6,)), Y)


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:.*without hidden layers"
)
@pytest.mark.parametrize("case", CASES)
def test_predictions_are_equal(case):
    estimator, y = CASES[case]
    estimator = fitted(estimator, y)
    network = to_sklearn(estimator)
    assert type(network).__module__.startswith("sklearn.")
    for twin in (network, pickle.loads(pickle.dumps(network))):
        if isinstance(estimator, MLPClassifier):
            np.testing.assert_array_equal(twin.predict(X), estimator.predict(X))
            np.testing.assert_allclose(
                twin.predict_proba(X), estimator.predict_proba(X), rtol=1e-14, atol=1e-15
            )
        else:
            np.testing.assert_allclose(
                twin.predict(X), estimator.predict(X), rtol=1e-14, atol=4e-15
            )
        if "median" not in case:  # whose score is the pinball loss
            assert twin.score(X, y) == pytest.approx(estimator.score(X, y), rel=1e-12)
    sklearn.clone(network).set_params(max_iter=2).fit(X, y)
    network._validate_params()


def test_float32_and_names_of_features():
    frame = pandas.DataFrame(X.astype("float32"), columns=list("abcde"))
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(6,), normalize_y=True), Y, frame)
    network = to_sklearn(estimator)
    found = network.predict(frame)
    assert found.dtype == network.coefs_[0].dtype == "float32"
    np.testing.assert_allclose(found, estimator.predict(frame), rtol=1e-5)
    np.testing.assert_array_equal(network.feature_names_in_, list("abcde"))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_weights_are_copies_that_train_further(kind):
    y = CODES if kind is MLPClassifier else Y
    estimator = fitted(kind(hidden_layer_sizes=(6,)), y)
    before = estimator.predict(X)
    network = to_sklearn(estimator)
    loss = network.loss_
    for _ in range(20):
        network.partial_fit(X, y)
    assert network.loss_ < loss
    assert len(network.loss_curve_) == 23
    assert len(estimator.loss_curve_) == 3
    np.testing.assert_array_equal(estimator.predict(X), before)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("early_stopping", [False, True, "auto"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_training_goes_on_however_it_has_stopped(kind, early_stopping):
    y = CODES if kind is MLPClassifier else Y
    estimator = kind(hidden_layer_sizes=(6,), early_stopping=early_stopping, warm_start=True)
    estimator.set_params(max_iter=3, random_state=0)
    validation = {"X_val": X, "y_val": y} if early_stopping == "auto" else {}
    estimator.fit(X, y, **validation)
    network = to_sklearn(estimator)
    assert len(network.fit(X, y).loss_curve_) == 6
    assert len(network.validation_scores_ or []) == (6 if early_stopping is True else 0)
    if early_stopping is not True:
        assert len(to_sklearn(estimator).partial_fit(X, y).loss_curve_) == 4


def test_equal_values_of_alpha_are_one():
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(6,), alpha=(0.3, 0.3)), Y)
    assert to_sklearn(estimator).alpha == 0.3


def test_one_class_is_refused():
    estimator = fitted(MLPClassifier((6,)), np.zeros(60, int))
    with pytest.raises(ValueError, match="one class"):
        to_sklearn(estimator)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(6,)), Y)
    estimator.coefs_[1][0, 0] = value
    with pytest.raises(ValueError, match=r"coefs_\[1\] has"):
        to_sklearn(estimator)


def test_sparse_targets_give_sparse_predictions():
    targets = sparse.csr_matrix((Y > 2).astype(int))
    estimator = fitted(MLPClassifier((6,)), targets)
    found = to_sklearn(estimator).predict(X)
    assert sparse.issparse(found)
    np.testing.assert_array_equal(found.toarray(), estimator.predict(X).toarray())


def test_assigned_weights_are_copied():
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(6,)), Y)
    estimator.coefs_ = [(2 * coefs).tolist() for coefs in estimator.coefs_]
    found = to_sklearn(estimator).predict(X)
    np.testing.assert_allclose(found, estimator.predict(X), rtol=1e-14, atol=4e-15)


REFUSED = [
    ({"activation": "maxout"}, ["activation='maxout'"]),
    ({"activation": "gelu", "batch_norm": True}, ["activation='gelu'", "batch_norm='before'"]),
    ({"activation": ["relu", "tanh"]}, ["different activations in different layers"]),
    ({"activation": ["relu", "elu"]}, ["activation='elu'"]),
    ({"activation": Activation(np.sin, np.cos)}, ["activation=Activation(sin, cos)"]),
    ({"skip": True}, ["skip=True"]),
    ({"numeric_embedding": "pbld"}, ["numeric_embedding='pbld'"]),
    ({"numeric_embedding": "piecewise_linear"}, ["numeric_embedding='piecewise_linear'"]),
    ({"batch_norm": "after"}, ["batch_norm='after'"]),
    ({"loss": "gamma"}, ["loss='gamma'"]),
    ({"alpha": [0.1, 0.1, 0.2]}, ["alpha=[0.1, 0.1, 0.2]"]),
    ({"loss": "quantile", "quantile": (0.1, 0.9)}, ["loss='quantile'"]),
    ({"clip_output": True}, ["clip_output=True"]),
]


@pytest.mark.parametrize(("settings", "reasons"), REFUSED, ids=str)
def test_what_scikit_learn_does_not_have_is_refused_by_name(settings, reasons):
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(6, 4)).set_params(**settings), Y[:, 0])
    with pytest.raises(ValueError, match="scikit-learn's network has no") as caught:
        to_sklearn(estimator)
    for reason in reasons:
        assert re.search(re.escape(reason), str(caught.value))


def test_what_is_no_fitted_network():
    with pytest.raises(NotFittedError):
        to_sklearn(MLPClassifier())
    with pytest.raises(TypeError, match="Pipeline"):
        to_sklearn(make_pipeline(MLPClassifier()))
