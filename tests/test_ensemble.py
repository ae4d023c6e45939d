"""EnsembleClassifier and EnsembleRegressor: averages of their members, in scikit-learn's ways."""

import pickle
import re

import numpy as np
import pytest
import sklearn
from fruits import CODES, NAMES, NUMBERS, X
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import (
    EnsembleClassifier,
    EnsembleRegressor,
    MLPClassifier,
    MLPRegressor,
    PeriodicEncoder,
    PiecewiseLinearEncoder,
)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
LEARNS = {"hidden_layer_sizes": (20,), "learning_rate_init": 0.02, "max_iter": 60}
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 5}
CLASSIFIER = EnsembleClassifier(MLPClassifier(**SMALL), 3, random_state=0)
REGRESSOR = EnsembleRegressor(MLPRegressor(**SMALL), 3, random_state=0)


@pytest.mark.filterwarnings("ignore")  # the checks themselves say where a warning is wrong
@parametrize_with_checks(
    [
        EnsembleClassifier(
            MLPClassifier(hidden_layer_sizes=(20,), learning_rate_init=0.02, max_iter=60), 2
        ),
        EnsembleRegressor(
            MLPRegressor(hidden_layer_sizes=(20,), learning_rate_init=0.02, max_iter=60), 2
        ),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


def members(ensemble, y, **settings):
    """Return networks as the ensemble's, fitted one by one."""
    seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=3)
    return [
        clone(ensemble.estimator).set_params(random_state=seed, **settings).fit(X, y)
        for seed in seeds
    ]


def test_probabilities_are_means_of_the_members():
    model = clone(CLASSIFIER).fit(X, NAMES)
    slow = np.mean([member.predict_proba(X) for member in members(model, NAMES)], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), slow, rtol=1e-12)
    assert model.classes_.tolist() == ["apple", "pear", "quince"]
    assert model.predict(X).tolist() == [model.classes_[row.argmax()] for row in slow]
    assert model.score(X, NAMES) == np.mean(model.predict(X) == NAMES)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(slow), rtol=1e-9)


@pytest.mark.parametrize("y", [NUMBERS, np.c_[NUMBERS, -NUMBERS]], ids=["one", "two"])
def test_predictions_are_means_of_the_members(y):
    model = clone(REGRESSOR).fit(X, y)
    slow = np.mean([member.predict(X) for member in members(model, y)], axis=0)
    np.testing.assert_allclose(model.predict(X), slow, rtol=1e-12)
    assert model.predict(X).shape == y.shape


def test_multilabel():
    y = np.c_[CODES > 0, X[:, 0] > 0, X[:, 1] > 0].astype(int)
    model = clone(CLASSIFIER).fit(X, y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == y.shape
    assert np.array_equal(model.predict(X), (probabilities > 0.5).astype(int))


def test_weights_reach_the_members():
    weight = np.where(CODES == 2, 0.0, 1.0)
    model = clone(CLASSIFIER).fit(X, CODES, sample_weight=weight)
    slow = [
        clone(member).fit(X, CODES, sample_weight=weight).predict_proba(X)
        for member in members(model, CODES)
    ]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(slow, axis=0), rtol=1e-12)
    with sklearn.config_context(enable_metadata_routing=True):
        unset = EnsembleClassifier(MLPClassifier(**SMALL), 1)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            unset.fit(X, CODES, sample_weight=weight)


@pytest.mark.parametrize("with_weight", [False, True])
def test_a_pipeline_that_routes_metadata_scores_an_ensemble(with_weight):
    trees = EnsembleClassifier(DecisionTreeClassifier(max_depth=1), 2, random_state=0)
    weight = {"sample_weight": np.arange(len(X))} if with_weight else {}
    expected = clone(trees).fit(X, CODES).score(X, CODES, **weight)
    with sklearn.config_context(enable_metadata_routing=True):
        model = Pipeline([("last", trees.set_score_request(sample_weight=with_weight or None))])
        assert model.fit(X, CODES).score(X, CODES, **weight) == expected


def test_further_arguments_of_fit_reach_the_members():
    network = MLPClassifier(**SMALL, early_stopping="auto")
    model = EnsembleClassifier(network, 2, random_state=0)
    model.fit(X[:60], CODES[:60], X_val=X[60:], y_val=CODES[60:])
    assert all(len(member.validation_scores_) == 5 for member in model.estimators_)


@pytest.mark.parametrize(
    ("ensemble", "error", "message"),
    [
        (EnsembleClassifier(MLPRegressor()), TypeError, "classifier with predict_proba and the"),
        (EnsembleRegressor(MLPClassifier()), TypeError, "such as MLPRegressor()."),
        (EnsembleClassifier(LinearSVC()), TypeError, "must be a classifier with predict_proba"),
        (EnsembleRegressor(None), TypeError, "estimator=None must be a regressor"),
        (EnsembleRegressor(MLPRegressor), TypeError, "MLPRegressor'> must be a regressor"),
        (EnsembleRegressor(MLPRegressor(), 0), ValueError, "n_estimators=0 must be an int"),
        (EnsembleRegressor(MLPRegressor(), 2.0), ValueError, "n_estimators=2.0 must be"),
        (EnsembleRegressor(MLPRegressor(), variants={}), TypeError, "variants={} must be None, or"),
        (EnsembleRegressor(MLPRegressor(), variants=[1]), TypeError, "variants=[1] must be None"),
        (EnsembleRegressor(MLPRegressor(), variants=[{1: 1}]), TypeError, "variants=[{1: 1}] must"),
        (EnsembleRegressor(MLPRegressor(), variants=[{"a": 1}]), ValueError, "parameter 'a'"),
        (EnsembleRegressor(MLPRegressor(), True), ValueError, "n_estimators=True must be"),
        (EnsembleRegressor(MLPRegressor(), random_state=0.5), ValueError, "random_state=0.5 must"),
    ],
)
def test_errors_name_the_parameter(ensemble, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ensemble.fit(X, CODES)
    with pytest.raises(NotFittedError):
        ensemble.predict(X)


def test_variants_take_turns():
    variants = [{"hidden_layer_sizes": (3,)}, {"hidden_layer_sizes": (4,), "alpha": 0.1}]
    model = clone(REGRESSOR).set_params(variants=variants).fit(X, NUMBERS)
    assert [member.coefs_[0].shape[1] for member in model.estimators_] == [3, 4, 3]
    assert [member.alpha for member in model.estimators_] == [1e-4, 0.1, 1e-4]
    assert model.estimators_[0].random_state != model.estimators_[2].random_state


def test_a_search_over_the_number_of_members_uses_the_first_variants():
    variants = [{"hidden_layer_sizes": (width,)} for width in (3, 4, 5)]
    model = clone(REGRESSOR).set_params(variants=variants, n_estimators=2).fit(X, NUMBERS)
    assert [member.coefs_[0].shape[1] for member in model.estimators_] == [3, 4]


def test_seeds_that_a_variant_sets_are_kept():
    network = Pipeline([("waves", PeriodicEncoder()), ("network", MLPRegressor(**SMALL))])
    variants = [
        {"waves": PeriodicEncoder(random_state=5), "network__random_state": 6},
        {"waves": PeriodicEncoder(), "network__random_state": None},
        {"network": MLPRegressor(**SMALL, random_state=np.int64(7))},
    ]
    model = EnsembleRegressor(network, 3, variants=variants, random_state=0).fit(X, NUMBERS)
    seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=3)
    assert [(m[0].random_state, m[1].random_state) for m in model.estimators_] == [
        (5, 6),
        (seeds[1], seeds[1]),
        (seeds[2], 7),
    ]


@pytest.mark.parametrize("kind", [EnsembleClassifier, EnsembleRegressor])
def test_wrong_arguments_name_the_class_that_was_called(kind):
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.__init__\(\) got an unexpected"):
        kind(None, n_members=3)
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.__init__\(\) missing 1 required"):
        kind()


def test_variants_may_replace_steps():
    """Their random numbers are the members', and what a variant gives is not fitted."""
    variants = [{"first": PeriodicEncoder()}, {"first": "passthrough"}]
    network = Pipeline([("first", PiecewiseLinearEncoder()), ("network", MLPRegressor(**SMALL))])
    model = EnsembleRegressor(network, 3, variants=variants, random_state=0).fit(X, NUMBERS)
    assert model.estimators_[1][-1].n_features_in_ == X.shape[1]
    waves = [model.estimators_[i][0] for i in (0, 2)]
    assert not np.array_equal(waves[0].frequencies_[0], waves[1].frequencies_[0])
    assert not hasattr(variants[0]["first"], "frequencies_")
    again = clone(model).fit(X, NUMBERS)
    assert np.array_equal(again.predict(X), model.predict(X))


def test_members_may_be_pipelines():
    weight = np.where(CODES == 2, 0.0, 1.0)
    plain = clone(CLASSIFIER).fit(X, CODES, sample_weight=weight)
    piped = clone(CLASSIFIER).set_params(estimator=make_pipeline("passthrough", plain.estimator))
    piped.fit(X, CODES, sample_weight=weight)
    assert np.array_equal(piped.predict_proba(X), plain.predict_proba(X))
    labels = np.c_[CODES > 0, X[:, 0] > 0].astype(int)
    assert piped.fit(X, labels).predict(X).shape == labels.shape


def test_other_estimators_are_members_too():
    trees = EnsembleClassifier(DecisionTreeClassifier(), 2).fit(X, NAMES)
    assert set(trees.predict(X)) == set(NAMES)
    assert set(trees.predict_log_proba(X).ravel()) == {-np.inf, 0.0}
    trees = EnsembleRegressor(DecisionTreeRegressor(), 2).fit(X, NUMBERS)
    assert trees.score(X, NUMBERS) > 0.99


NESTINGS = {
    "ensemble": lambda ensemble, network: ensemble(network, 1),
    "search": lambda ensemble, network: GridSearchCV(network, {"tol": [0.0]}, cv=2),
    "pipelines": lambda ensemble, network: make_pipeline(make_pipeline(network)),
}


@pytest.mark.parametrize("nest", NESTINGS.values(), ids=NESTINGS)
def test_networks_deep_inside_members_decide_what_predictions_mean(nest):
    labels = np.c_[CODES > 0, X[:, 0] > 0].astype(int)
    model = EnsembleClassifier(nest(EnsembleClassifier, MLPClassifier(**SMALL)), 1)
    model.fit(X, labels)
    assert np.array_equal(model.predict(X), (model.predict_proba(X) > 0.5).astype(int))
    quantiles = MLPRegressor("quantile", quantile=(0.1, 0.9), **SMALL)
    model = EnsembleRegressor(nest(EnsembleRegressor, quantiles), 1).fit(X, NUMBERS)
    low, high = (NUMBERS[:, None] - model.predict(X)).T
    losses = np.maximum(0.1 * low, -0.9 * low) + np.maximum(0.9 * high, -0.1 * high)
    assert model.score(X, NUMBERS) == pytest.approx(-losses.mean() / 2, rel=1e-9)


def test_weights_reach_networks_in_pipelines_of_pipelines():
    weight = np.where(CODES == 2, 0.0, 1.0)
    plain = clone(CLASSIFIER).fit(X, CODES, sample_weight=weight)
    piped = clone(plain).set_params(estimator=make_pipeline(make_pipeline(plain.estimator)))
    piped.fit(X, CODES, sample_weight=weight)
    assert np.array_equal(piped.predict_proba(X), plain.predict_proba(X))


def test_predictions_are_sparse_where_the_targets_were():
    labels = np.c_[CODES > 0, X[:, 0] > 0].astype(int)
    dense = clone(CLASSIFIER).fit(X, labels).predict(X)
    predicted = clone(CLASSIFIER).fit(X, sparse.csr_matrix(labels)).predict(X)
    assert sparse.issparse(predicted)
    assert np.array_equal(predicted.toarray(), dense)


def test_lists_of_probabilities_are_refused():
    labels = np.c_[CODES > 0, X[:, 0] > 0].astype(int)
    model = EnsembleClassifier(DecisionTreeClassifier(), 1).fit(X, labels)
    with pytest.raises(TypeError, match="predict_proba of DecisionTreeClassifier returns a list"):
        model.predict(X)


def test_a_failing_fit_changes_nothing():
    model = clone(REGRESSOR).fit(X, NUMBERS)
    expected = model.predict(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), NUMBERS)
    assert np.array_equal(model.predict(X), expected)


def test_pickled_and_seeded():
    model = clone(CLASSIFIER).fit(X, NAMES)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))
    other = clone(model).set_params(random_state=1).fit(X, NAMES)
    assert not np.array_equal(other.predict_proba(X), model.predict_proba(X))
