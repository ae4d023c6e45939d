"""Targets of every kind: labels of any type, one or more columns, and their predictions."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.multiclass import unique_labels

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

CODES = np.random.default_rng(0).integers(3, size=90)
CENTERS = np.array([[0.0, 4.0, 0.0, 0.0], [4.0, 0.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]])
X = CENTERS[CODES] + np.random.default_rng(1).normal(size=(90, 4))
SETTINGS = {"hidden_layer_sizes": 12, "learning_rate_init": 0.02, "max_iter": 25, "random_state": 0}

LABELS = {
    "strings": np.array(["apple", "pear", "quince and more"]),
    "objects": np.array(["x", "yy", "zzz"], dtype=object),
    "negative integers": np.array([-7, -1, 3]),
    "large integers": np.array([-(2**62), 5, 2**62]),
    "uint8": np.array([0, 7, 255], dtype=np.uint8),
    "uint64": np.array([0, 1, 2**64 - 1], dtype=np.uint64),
    "integers in floats": np.array([-1.0, 0.0, 2.0]),
    "big-endian": np.array([1, 2, 3], dtype=">i4"),
}


def fitted(y, **settings):
    return MLPClassifier(**{**SETTINGS, **settings}).fit(X, y)


# ---- label types -------------------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_type_train_the_same_network(name, early_stopping):
    labels = LABELS[name]
    network, reference = (fitted(y, early_stopping=early_stopping) for y in (labels[CODES], CODES))
    np.testing.assert_array_equal(network.classes_, labels)
    assert network.classes_.dtype == unique_labels(labels).dtype
    np.testing.assert_array_equal(network.coefs_[0], reference.coefs_[0])
    predictions = network.predict(X)
    assert predictions.dtype == network.classes_.dtype
    np.testing.assert_array_equal(predictions, labels[reference.predict(X)])
    assert network.score(X, labels[CODES]) == reference.score(X, CODES) > 0.75
    np.testing.assert_array_equal(network.predict_proba(X), reference.predict_proba(X))


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_type_stop_early(name):
    network = fitted(LABELS[name][CODES], early_stopping=True, max_iter=200)
    assert len(network.validation_scores_) == network.n_iter_ < 200
    assert network.best_validation_score_ > 0.8
    assert network.score(X, LABELS[name][CODES]) > 0.75


def test_labels_that_scikit_learn_does_not_know_are_refused():
    with pytest.raises(TypeError, match="labels represented as bytes is not supported"):
        fitted(np.array([b"a", b"bc", b"d"])[CODES])
    with pytest.raises(ValueError, match="Unknown label type: unknown"):
        fitted(np.array([1, 2, 3], dtype=object)[CODES])


@pytest.mark.parametrize("labels", [[False, True], ["no", "yes"], [-1, 1], [1, 0.0]], ids=str)
def test_two_classes(labels):
    y = np.array(labels)[(CODES == 1).astype(int)]
    network = fitted(y)
    assert network.out_activation_ == "logistic"
    assert network.n_outputs_ == 1
    np.testing.assert_array_equal(network.classes_, np.unique(y))
    assert network.classes_.dtype == network.predict(X).dtype == y.dtype
    assert network.score(X, y) > 0.9


def test_column_of_labels_is_flattened_with_a_warning():
    with pytest.warns(
        DataConversionWarning, match="A column-vector y was passed when a 1d array was expected"
    ):
        network = fitted(CODES[:, None])
    np.testing.assert_array_equal(network.coefs_[0], fitted(CODES).coefs_[0])
    assert network.predict(X).shape == (90,)


def test_column_of_numbers_is_flattened_with_a_warning():
    with pytest.warns(
        DataConversionWarning, match="A column-vector y was passed when a 1d array was expected"
    ):
        network = MLPRegressor(max_iter=2, random_state=0).fit(X, X[:, :1])
    np.testing.assert_array_equal(
        network.coefs_[0], MLPRegressor(max_iter=2, random_state=0).fit(X, X[:, 0]).coefs_[0]
    )
    assert network.predict(X).shape == (90,)


@pytest.mark.parametrize("label", [3, "only", True])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_single_class(label, solver):
    network = fitted(np.full(90, label), solver=solver)
    assert network.classes_.tolist() == [label]
    assert network.predict(X).tolist() == [label] * 90
    probabilities = network.predict_proba(X)
    assert probabilities.shape == (90, 1)
    assert np.isfinite(network.predict_log_proba(X)).all()
    assert network.score(X, np.full(90, label)) == 1


def test_three_hundred_classes():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(300, 20)) * 3
    codes = np.repeat(np.arange(300), 5)
    table = centers[codes] + rng.normal(size=(1500, 20)) * 0.3
    names = np.array([f"class {code:03}" for code in range(300)])
    network = MLPClassifier(learning_rate_init=0.01, max_iter=20, random_state=0).fit(
        table, names[codes]
    )
    np.testing.assert_array_equal(network.classes_, names)
    assert network.score(table, names[codes]) > 0.95
    probabilities = network.predict_proba(table)
    assert probabilities.shape == (1500, 300)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)


# ---- pandas ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        pd.Series,
        lambda y: pd.Series(y, index=np.arange(90)[::-1] + 5),
        lambda y: pd.Series(y, dtype="string"),
        pd.Categorical,
        lambda y: pd.Series(pd.Categorical(y, categories=["c", "b", "a", "unused"])),
        list,
        tuple,
    ],
    ids=[
        "series",
        "series with an index",
        "string series",
        "categorical",
        "categorical series",
        "list",
        "tuple",
    ],
)
def test_containers_of_labels(wrap):
    y = np.array(["a", "b", "c"])[CODES]
    network = fitted(wrap(y))
    reference = fitted(y)
    np.testing.assert_array_equal(network.coefs_[0], reference.coefs_[0])
    assert network.classes_.tolist() == ["a", "b", "c"]
    assert network.predict(X).tolist() == reference.predict(X).tolist()
    assert network.score(X, wrap(y)) == reference.score(X, y)


@pytest.mark.parametrize(
    "wrap",
    [
        pd.Series,
        list,
        lambda y: pd.Series(y, index=np.arange(90)[::-1]),
        lambda y: pd.Series(y, dtype="Float64"),
    ],
)
def test_containers_of_numbers(wrap):
    y = X[:, 0] * X[:, 1]
    network, reference = (MLPRegressor(**SETTINGS).fit(X, target) for target in (wrap(y), y))
    np.testing.assert_array_equal(network.coefs_[0], reference.coefs_[0])


# ---- multilabel --------------------------------------------------------------------------------

MULTILABEL = make_multilabel_classification(100, n_features=10, n_classes=4, random_state=0)


@pytest.mark.parametrize(
    "wrap",
    [
        sparse.csr_matrix,
        sparse.csc_array,
        sparse.coo_array,
        np.asfortranarray,
        lambda Y: Y.astype(bool),
        lambda Y: Y.astype("u1"),
        lambda Y: Y.astype(float),
        lambda Y: Y.tolist(),
        lambda Y: pd.DataFrame(Y, columns=list("abcd")),
    ],
    ids=[
        "csr_matrix",
        "csc_array",
        "coo_array",
        "Fortran",
        "bool",
        "uint8",
        "float",
        "list",
        "frame",
    ],
)
def test_containers_of_multilabel_targets(wrap):
    table, Y = MULTILABEL
    network, reference = (MLPClassifier(**SETTINGS).fit(table, target) for target in (wrap(Y), Y))
    np.testing.assert_array_equal(network.coefs_[0], reference.coefs_[0])
    predictions = network.predict(table)
    if sparse.issparse(wrap(Y)):  # as in scikit-learn
        predictions = predictions.toarray()
    assert isinstance(predictions, np.ndarray)
    assert predictions.shape == (100, 4)
    assert set(np.unique(predictions)) == {0, 1}
    np.testing.assert_array_equal(predictions, reference.predict(table))


def test_multilabel_predictions():
    table, Y = MULTILABEL
    network = MLPClassifier(
        hidden_layer_sizes=30, learning_rate_init=0.02, max_iter=200, random_state=0
    ).fit(table, Y)
    assert network.out_activation_ == "logistic"
    assert network.n_outputs_ == 4
    np.testing.assert_array_equal(network.classes_, np.arange(4))
    probabilities = network.predict_proba(table)
    assert probabilities.shape == (100, 4)
    np.testing.assert_array_equal(network.predict(table), probabilities > 0.5)
    np.testing.assert_allclose(probabilities, expit(network.logits(table)), rtol=1e-12)
    assert np.ptp(probabilities.sum(axis=1)) > 0.5  # labels, not classes
    assert network.score(table, Y) == accuracy_score(Y, network.predict(table)) > 0.8


def test_multilabel_partial_fit():
    table, Y = MULTILABEL
    network = MLPClassifier(random_state=0)
    for _ in range(3):
        network.partial_fit(table, Y, classes=np.arange(4))
    np.testing.assert_array_equal(
        network.coefs_[0], MLPClassifier(max_iter=3, random_state=0).fit(table, Y).coefs_[0]
    )


# ---- outputs and probabilities -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_of_several_classes(dtype):
    network = fitted(LABELS["strings"][CODES], dtype=dtype)
    probabilities = network.predict_proba(X)
    logits = network.logits(X)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert probabilities.shape == logits.shape == (90, 3)
    assert probabilities.dtype == logits.dtype == dtype
    assert probabilities.min() > 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=tolerance)
    np.testing.assert_allclose(probabilities, softmax(logits, axis=1), rtol=tolerance)
    np.testing.assert_array_equal(network.predict(X), network.classes_[logits.argmax(axis=1)])
    np.testing.assert_allclose(network.predict_log_proba(X), np.log(probabilities), rtol=tolerance)
    # Columns are in the order of classes_, so that each class has the highest probability around
    # its own center.
    np.testing.assert_array_equal(network.predict_proba(CENTERS).argmax(axis=1), [0, 1, 2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_of_two_classes(dtype):
    network = fitted(np.where(CODES == 1, "yes", "no"), dtype=dtype)
    probabilities = network.predict_proba(X)
    logits = network.logits(X)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert probabilities.shape == (90, 2)
    assert logits.shape == (90,)
    assert probabilities.dtype == logits.dtype == dtype
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=tolerance)
    np.testing.assert_allclose(
        probabilities, np.column_stack([expit(-logits), expit(logits)]), rtol=tolerance
    )
    np.testing.assert_array_equal(network.predict(X), np.where(logits > 0, "yes", "no"))
    assert network.predict_proba(CENTERS[[1]])[0, 1] > 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_probabilities_far_out_stay_inside_zero_and_one_and_keep_their_order(dtype, scale):
    network = fitted(CODES == 1, dtype=dtype)
    far = scale * np.random.default_rng(0).normal(size=(100, 4))
    probabilities = network.predict_proba(far)
    logits = network.logits(far)
    assert probabilities.min() > 0
    assert probabilities.max() < 1
    order = np.argsort(logits)
    assert (np.diff(probabilities[order, 1]) >= 0).all()
    np.testing.assert_array_equal(network.predict(far), logits > 0)


# ---- regression --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [int, bool, "u1", "f2", "f4", ">f8", object])
def test_numbers_of_any_type_are_regression_targets(dtype):
    y = CODES.clip(0, 1).astype(dtype)
    network, reference = (
        MLPRegressor(**SETTINGS).fit(X, target) for target in (y, CODES.clip(0, 1).astype(float))
    )
    np.testing.assert_array_equal(network.coefs_[0], reference.coefs_[0])
    assert network.predict(X).dtype == np.float64


def test_several_outputs():
    Y = np.column_stack([X[:, 0], X[:, 1] - X[:, 2], X[:, 3] ** 2])
    network = MLPRegressor(
        hidden_layer_sizes=50, learning_rate_init=0.01, max_iter=300, random_state=0
    ).fit(X, Y)
    predictions = network.predict(X)
    assert predictions.shape == Y.shape
    assert network.n_outputs_ == 3
    assert network.score(X, Y) == pytest.approx(r2_score(Y, predictions))
    assert min(r2_score(Y, predictions, multioutput="raw_values")) > 0.9
    for wrap in (np.asfortranarray, pd.DataFrame, list):
        other = MLPRegressor(
            hidden_layer_sizes=50, learning_rate_init=0.01, max_iter=3, random_state=0
        ).fit(X, wrap(Y))
        assert other.loss_curve_ == network.loss_curve_[:3]


def test_constant_target():
    network = MLPRegressor(solver="lbfgs", random_state=0).fit(X, np.full(90, 3.0))
    np.testing.assert_allclose(network.predict(X), 3, atol=0.05)


@pytest.mark.parametrize("shape", [(90,), (90, 2)])
def test_poisson_predictions_are_positive(shape):
    Y = np.random.default_rng(0).poisson(3, size=shape)
    network = MLPRegressor(loss="poisson", max_iter=50, random_state=0).fit(X, Y)
    assert network.out_activation_ == "exp"
    predictions = network.predict(np.vstack([X, 100 * X]))
    assert predictions.shape == (180, *shape[1:])
    assert predictions.min() > 0


# ---- fitted attributes that users have changed --------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_may_be_renamed_but_not_dropped(n_classes):
    network = fitted(CODES % n_classes)
    codes = network.predict(X)
    names = ["z", "a", "m"][:n_classes]
    network.classes_ = names
    np.testing.assert_array_equal(network.predict(X), np.array(names)[codes])
    for unusable in (names * 2, [], None, "names", [names] * n_classes):
        network.classes_ = unusable
        with pytest.raises(ValueError, match="classes_ must be"):
            network.predict(X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("names", [["c", "b", "a"], ["b", "a", "c"], ["a", "a", "a"]], ids=str)
def test_further_training_refuses_classes_out_of_order(method, names):
    network = fitted(CODES, warm_start=True)
    network.classes_ = np.array(names)
    with pytest.raises(ValueError, match="classes_ must be sorted"):
        getattr(network, method)(X, network.classes_[CODES])


@pytest.mark.parametrize("name", ["n_outputs_", "out_activation_"])
def test_attributes_that_only_describe_the_network_change_nothing(name):
    kept, changed = (fitted(CODES, early_stopping=True, warm_start=True) for _ in range(2))
    setattr(changed, name, 1)
    for method in ("predict", "predict_proba"):
        np.testing.assert_array_equal(getattr(changed, method)(X), getattr(kept, method)(X))
    assert changed.fit(X, CODES).validation_scores_ == kept.fit(X, CODES).validation_scores_


@pytest.mark.parametrize("name", ["y_mean_", "y_scale_"])
def test_scaling_that_does_not_fit_the_targets_is_named(name):
    settings = {**SETTINGS, "normalize_y": True}
    network = MLPRegressor(**settings).fit(X, X[:, :3])
    for unusable in (None, "word", np.ones(2), np.ones((90, 1)), np.array(["a", "b", "c"])):
        setattr(network, name, unusable)
        for use in (lambda: network.predict(X), lambda: network.partial_fit(X, X[:, :3])):
            with pytest.raises(ValueError, match=f"{name} must be"):
                use()


def test_scaling_of_several_targets_does_not_fit_several_quantiles_of_one():
    network = MLPRegressor(normalize_y=True, warm_start=True, **SETTINGS).fit(X, X[:, :3])
    network.set_params(loss="quantile", quantile=[0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match="y_mean_ must be an array of 1 numbers, got shape"):
        network.fit(X, X[:, 0])
