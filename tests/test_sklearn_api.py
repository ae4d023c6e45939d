"""scikit-learn's interface: estimator checks, subclasses, pipelines, searches, metadata routing."""

import json
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import sklearn.neural_network
from joblib import parallel_config
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils._testing import SkipTest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from sknn import MLPClassifier, MLPRegressor

SETTINGS = [
    {},
    {"solver": "lbfgs", "activation": "tanh"},
    {"solver": "sgd"},
    {"hidden_layer_sizes": (30, 20), "learning_rate_init": 0.01, "shuffle": False},
    {"activation": "maxout"},
    {"batch_norm": True},
    {"dropout": 0.1},
    {"dtype": "float32"},
    {"activation": "gelu", "solver": "adamw", "max_grad_norm": 1.0, "l1_ratio": 0.1},
]
OF_CLASSIFIER = [{"class_weight": "balanced"}, {"label_smoothing": 0.1}]
OF_REGRESSOR = [
    {"loss": "quantile"},
    {"loss": "huber", "normalize_y": True},
    {"numeric_embedding": "piecewise_linear"},
]
CHECKED = [
    *(MLPClassifier(**settings) for settings in SETTINGS + OF_CLASSIFIER),
    *(MLPRegressor(**settings) for settings in SETTINGS + OF_REGRESSOR),
]
ESTIMATORS = [MLPClassifier, MLPRegressor]
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


# ---- estimator checks --------------------------------------------------------------------------


# It has no decision_function either.
SKIPPED_FOR_SCIKIT_LEARNS_NETWORK = {"check_classifiers_multilabel_output_format_decision_function"}

WEIGHT_CHECKS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
PARTIAL_FIT_CHECKS = (
    "check_fit_score_takes_y",
    "check_n_features_in_after_fitting",
    "check_estimators_partial_fit_n_features",
)


def expected_to_fail(estimator):
    """Return the checks that a setting cannot pass by what it means, with the reason."""
    reasons = {}
    if estimator.dropout > 0:
        reasons |= dict.fromkeys(WEIGHT_CHECKS, "each row draws its own units to drop")
    if estimator.dtype == "float32":
        reasons |= dict.fromkeys(WEIGHT_CHECKS, "sums of float32 are compared to 1e-7")
    if estimator.numeric_embedding == "piecewise_linear":
        reasons |= dict.fromkeys(WEIGHT_CHECKS, "bins are between quantiles of the rows")
    if getattr(estimator, "class_weight", None) == "balanced":
        reasons |= dict.fromkeys(PARTIAL_FIT_CHECKS, "partial_fit sees some of the samples only")
    return reasons


@pytest.mark.filterwarnings("ignore")  # the checks themselves say where a warning is wrong
@parametrize_with_checks(CHECKED, expected_failed_checks=expected_to_fail)
def test_estimator_checks(estimator, check):
    try:
        check(estimator)
    except SkipTest:
        if check.func.__name__ not in SKIPPED_FOR_SCIKIT_LEARNS_NETWORK:
            assert check.func.__name__ == "check_array_api_input"
            assert not os.environ.get("SCIPY_ARRAY_API")
        raise


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_estimator_checks_with_balanced_classes(solver):
    """Only batches of ``partial_fit`` cannot be balanced, which lbfgs does not have."""
    network = MLPClassifier(class_weight="balanced", solver=solver, max_iter=50)
    results = check_estimator(network, on_fail=None)
    failed = [str(result["exception"]) for result in results if result["status"] == "failed"]
    refusal = "class_weight='balanced' cannot be used with partial_fit"
    assert [message for message in failed if refusal not in message] == []
    assert solver == "adam" or failed == []


def test_estimator_checks_with_the_array_api_switched_on():
    program = """
        import json, warnings
        from sklearn.utils.estimator_checks import check_estimator
        import sknn

        warnings.simplefilter("ignore")
        results = [
            (repr(estimator), result["check_name"], result["status"], str(result["exception"]))
            for kind in (sknn.MLPClassifier, sknn.MLPRegressor)
            for estimator in (kind(), kind(solver="lbfgs", activation="tanh"), kind(solver="sgd"))
            for result in check_estimator(estimator, on_fail=None, on_skip=None)
        ]
        print(json.dumps(results))
    """
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    results = json.loads(finished.stdout)
    if tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 9):  # older ones skip it
        assert "check_array_api_input" in {name for _, name, _, _ in results}
    others = [result for result in results if result[2] != "passed"]
    assert {name for _, name, _, _ in others} <= SKIPPED_FOR_SCIKIT_LEARNS_NETWORK
    assert {status for _, _, status, _ in others} <= {"skipped"}


# ---- kinds, copies, parameters -----------------------------------------------------------------


def test_kinds():
    assert is_classifier(MLPClassifier())
    assert not is_regressor(MLPClassifier())
    assert is_regressor(MLPRegressor())
    assert not is_classifier(MLPRegressor())


@quiet
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clone_copies_parameters_but_not_the_fit(estimator, iris):
    fitted = estimator(hidden_layer_sizes=(5, 3), alpha=0.5, max_iter=2, random_state=0).fit(*iris)
    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    assert set(vars(twin)) == set(fitted.get_params())
    assert np.array_equal(twin.fit(*iris).predict(iris[0]), fitted.predict(iris[0]))


def test_repr_shows_changed_parameters():
    assert repr(MLPClassifier(alpha=0.5, solver="sgd")) == "MLPClassifier(alpha=0.5, solver='sgd')"


# ---- subclasses with a constructor of their own ------------------------------------------------


class Width(MLPClassifier):
    """Fewer arguments, and one more."""

    def __init__(self, n_units=10, alpha=1e-4, random_state=None):
        super().__init__((n_units,), alpha=alpha, max_iter=20, random_state=random_state)
        self.n_units = n_units

    def set_params(self, **params):
        super().set_params(**params)
        self.hidden_layer_sizes = (self.n_units,)
        return self


class OtherDefaults(MLPRegressor):
    def __init__(self, hidden_layer_sizes=(10,), max_iter=20, dropout=0.1, random_state=None):
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            max_iter=max_iter,
            dropout=dropout,
            random_state=random_state,
        )


class Tagged(MLPClassifier):
    """Passes the rest on by ``**``."""

    def __init__(self, tag="", **rest):
        super().__init__(**rest)
        self.tag = tag


class NarrowWidth(Width):
    """A subclass of a subclass, with the constructor inherited."""


SUBCLASSES = {
    Width(random_state=0): MLPClassifier((10,), max_iter=20, random_state=0),
    NarrowWidth(n_units=3, random_state=0): MLPClassifier((3,), max_iter=20, random_state=0),
    OtherDefaults(random_state=0): MLPRegressor(
        hidden_layer_sizes=(10,), dropout=0.1, max_iter=20, random_state=0
    ),
}


@quiet
@pytest.mark.parametrize(("subclass", "plain"), SUBCLASSES.items(), ids=repr)
def test_subclass_with_its_own_constructor_trains_the_same_network(subclass, plain, iris):
    expected = clone(plain).fit(*iris)
    for copy in (clone(subclass), pickle.loads(pickle.dumps(subclass))):
        copy.fit(*iris)
        assert np.array_equal(copy.coefs_[0], expected.coefs_[0])
        assert np.array_equal(copy.predict(iris[0]), expected.predict(iris[0]))


@quiet
def test_subclass_that_passes_arguments_on(iris):
    tagged = Tagged("a", hidden_layer_sizes=(10,), max_iter=20, random_state=0).fit(*iris)
    plain = MLPClassifier((10,), max_iter=20, random_state=0).fit(*iris)
    assert tagged.get_params() == {"tag": "a"}
    assert np.array_equal(tagged.coefs_[0], plain.coefs_[0])


@quiet
def test_subclass_in_a_grid_search(iris):
    grid = {"n_units": [3, 20]}
    search = GridSearchCV(Width(random_state=0), grid, cv=2, error_score="raise").fit(*iris)
    units = search.best_params_["n_units"]
    assert search.best_estimator_.coefs_[0].shape == (4, units)


def test_parameters_that_a_subclass_hides_are_checked_too(iris):
    with pytest.raises(ValueError, match="The 'batch_size' parameter of Tagged must be"):
        Tagged(batch_size=-1).fit(*iris)
    with pytest.warns(UserWarning, match="dropout=0.1 has no effect"):
        Tagged(dropout=0.1, solver="lbfgs").fit(*iris)


# ---- pipelines and searches --------------------------------------------------------------------


@quiet
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_pipeline_does_what_its_steps_do(estimator, iris, diabetes):
    X, y = iris if estimator is MLPClassifier else diabetes
    network = estimator(hidden_layer_sizes=8, learning_rate_init=0.01, max_iter=50, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network).fit(5 * X + 1, y)
    by_hand = clone(network).fit(StandardScaler().fit_transform(5 * X + 1), y)
    assert np.array_equal(
        pipeline.predict(5 * X + 1), by_hand.predict(StandardScaler().fit_transform(5 * X + 1))
    )
    assert pipeline.score(5 * X + 1, y) > 0.1


@pytest.fixture(scope="module")
def serial_search(iris):
    return _search().fit(*iris)


def _search(**options):
    network = MLPClassifier(
        hidden_layer_sizes=5, max_iter=30, tol=0.1, learning_rate_init=0.02, random_state=0
    )
    grid = {
        "alpha": [1e-4, 1.0],
        "solver": ["adam", "sgd", "lbfgs"],
        "learning_rate": ["constant", "adaptive"],
    }
    return GridSearchCV(network, grid, cv=3, error_score="raise", **options)


@quiet
def test_grid_search(serial_search):
    assert serial_search.best_score_ > 0.8
    assert len(serial_search.cv_results_["mean_test_score"]) == 12


@pytest.mark.filterwarnings(
    "ignore"
)  # convergence in the workers; joblib's own, of its worker processes
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_parallel_grid_search_equals_the_serial_one(backend, serial_search, iris):
    with parallel_config(backend=backend):
        search = _search(n_jobs=2).fit(*iris)
    assert np.array_equal(
        search.cv_results_["mean_test_score"], serial_search.cv_results_["mean_test_score"]
    )
    for parallel, serial in zip(
        search.best_estimator_.coefs_, serial_search.best_estimator_.coefs_, strict=True
    ):
        assert np.array_equal(parallel, serial)


@quiet
def test_halving_search_over_epochs(diabetes):
    network = MLPRegressor(hidden_layer_sizes=8, learning_rate_init=0.01, random_state=0)
    search = HalvingGridSearchCV(
        network,
        {"alpha": [1e-4, 0.1, 1.0, 10.0]},
        resource="max_iter",
        min_resources=3,
        max_resources=27,
        factor=3,
        cv=3,
        random_state=0,
    )
    search.fit(*diabetes)
    assert search.n_resources_ == [3, 9]
    assert search.best_estimator_.n_iter_ == 9
    assert search.best_score_ > 0.1


# ---- metadata routing --------------------------------------------------------------------------


@quiet
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_sample_weight_is_routed_where_requested(estimator, iris):
    X, y = iris
    weight = np.linspace(0, 2, len(X))
    network = estimator(hidden_layer_sizes=4, max_iter=5, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        requesting = clone(network).set_fit_request(sample_weight=True)
        ignoring = clone(network).set_fit_request(sample_weight=False)
        weighted = make_pipeline(FunctionTransformer(), requesting).fit(X, y, sample_weight=weight)
        with pytest.raises(TypeError, match="unexpected argument"):
            make_pipeline(FunctionTransformer(), ignoring).fit(X, y, sample_weight=weight)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            make_pipeline(FunctionTransformer(), network).fit(X, y, sample_weight=weight)
    by_hand = clone(network).fit(X, y, sample_weight=weight)
    unweighted = clone(network).fit(X, y)
    assert np.array_equal(weighted[-1].coefs_[0], by_hand.coefs_[0])
    assert not np.array_equal(weighted[-1].coefs_[0], unweighted.coefs_[0])


@quiet
def test_sample_weight_is_routed_through_cross_validation(iris):
    X, y = iris
    weight = np.where(y == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        network = (
            MLPClassifier(max_iter=20, random_state=0)
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True)
        )
        result = cross_validate(
            network,
            X,
            y,
            params={"sample_weight": weight},
            return_estimator=True,
            error_score="raise",
        )
    assert not any((fitted.predict(X) == 2).any() for fitted in result["estimator"])
    assert result["test_score"].min() > 0.9  # rows of weight 0 do not count


# ---- containers --------------------------------------------------------------------------------


@quiet
def test_set_output_of_the_steps_before_gives_feature_names(iris):
    X, y = iris
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier(max_iter=5, random_state=0)
    ).set_output(transform="pandas")
    table = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    pipeline.fit(table, y)
    assert list(pipeline[-1].feature_names_in_) == ["a", "b", "c", "d"]
    assert np.array_equal(
        pipeline.predict(table),
        make_pipeline(StandardScaler(), clone(pipeline[-1])).fit(X, y).predict(X),
    )


# ---- what meta-estimators prefer ---------------------------------------------------------------


def test_calibration_uses_probabilities_as_with_scikit_learns_network():
    """A ``decision_function`` would be preferred to them, and give worse probabilities."""
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    settings = {"hidden_layer_sizes": (8,), "max_iter": 300, "tol": 1e-2, "random_state": 0}
    ours, theirs = (
        CalibratedClassifierCV(kind(**settings), cv=3).fit(X, y).predict_proba(X)
        for kind in (MLPClassifier, sklearn.neural_network.MLPClassifier)
    )
    assert not hasattr(MLPClassifier, "decision_function")
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
