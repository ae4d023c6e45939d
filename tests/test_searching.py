"""Searches over hyperparameters, on real tables: what they choose, and that it is used.

test_meta_estimators.py compares single meta-estimators with scikit-learn's networks; here several
stand together, as in practice.
"""

import os
import signal
import warnings
from unittest.mock import patch

import numpy as np
import pytest
import searches
from scipy.stats import loguniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import BaggingClassifier, StackingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

WINE = load_wine(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True, scaled=False)


def classifier(**settings):
    return make_pipeline(
        StandardScaler(),
        MLPClassifier(
            (8,), random_state=0, **{"max_iter": 10, "learning_rate_init": 0.02} | settings
        ),
    )


def regressor(**settings):
    network = MLPRegressor(hidden_layer_sizes=(8,), random_state=0, normalize_y=True, **settings)
    return make_pipeline(StandardScaler(), network)


def test_several_quantiles_are_searched_by_their_pinball_loss():
    network = regressor(loss="quantile", quantile=[0.1, 0.5, 0.9], max_iter=30)
    grid = {"mlpregressor__learning_rate_init": [1e-6, 0.02]}
    search = GridSearchCV(network, grid, cv=3, error_score="raise").fit(*DIABETES)
    assert search.best_params_["mlpregressor__learning_rate_init"] == 0.02
    assert search.best_score_ < 0
    X, y = DIABETES
    levels = np.array([0.1, 0.5, 0.9])
    errors = y[:, np.newaxis] - search.predict(X)
    losses = np.maximum(levels * errors, (levels - 1) * errors)
    np.testing.assert_allclose(search.score(X, y), -losses.mean())


def test_grid_search_in_a_pipeline():
    grid = {
        "mlpclassifier__learning_rate_init": [1e-6, 0.02],
        "mlpclassifier__activation": ["relu", "tanh"],
    }
    search = GridSearchCV(classifier(), grid, cv=3, error_score="raise").fit(*WINE)
    assert search.best_params_["mlpclassifier__learning_rate_init"] == 0.02
    assert search.best_score_ > 0.8
    assert search.best_estimator_[-1].learning_rate_init == 0.02


def test_randomized_search_from_distributions():
    distributions = {
        "mlpregressor__alpha": loguniform(1e-5, 1e-1),
        "mlpregressor__hidden_layer_sizes": [(8,), (7, 5)],
        "mlpregressor__loss": ["squared_error", "huber"],
    }
    search = RandomizedSearchCV(
        regressor(max_iter=15, learning_rate_init=0.02),
        distributions,
        n_iter=4,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(*DIABETES)
    assert len(set(search.cv_results_["param_mlpregressor__alpha"])) == 4
    assert search.best_score_ > 0.3


def test_halving_over_epochs():
    """Candidates that are left train for more epochs, and the best one was trained for the most."""
    search = HalvingGridSearchCV(
        classifier(),
        {"mlpclassifier__learning_rate_init": [1e-6, 1e-5, 0.02]},
        resource="mlpclassifier__max_iter",
        min_resources=4,
        max_resources=12,
        factor=3,
        cv=3,
        random_state=0,
        error_score="raise",
    ).fit(*WINE)
    assert search.n_resources_ == [4, 12]
    assert search.n_candidates_ == [3, 1]
    assert search.best_estimator_[-1].n_iter_ == 12
    assert search.best_params_["mlpclassifier__learning_rate_init"] == 0.02


def test_halving_over_samples():
    search = HalvingGridSearchCV(
        classifier(),
        {"mlpclassifier__learning_rate_init": [1e-6, 1e-5, 0.02]},
        min_resources=50,
        factor=3,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(*WINE)
    assert search.n_resources_[0] == 50
    assert search.best_params_["mlpclassifier__learning_rate_init"] == 0.02
    assert search.score(*WINE) > 0.9


def test_several_metrics_of_one_cross_validation():
    scores = cross_validate(
        classifier(early_stopping=True, scoring="roc_auc"),
        *CANCER,
        cv=3,
        scoring=["roc_auc", "neg_log_loss"],
        return_estimator=True,
        error_score="raise",
    )
    assert scores["test_roc_auc"].min() > 0.9
    for pipeline in scores["estimator"]:
        assert len(pipeline[-1].validation_scores_) == pipeline[-1].n_iter_


def test_a_searched_and_calibrated_bag():
    bag = BaggingClassifier(classifier(), 2, random_state=0)
    search = GridSearchCV(
        CalibratedClassifierCV(bag, cv=2),
        {"estimator__estimator__mlpclassifier__alpha": [1e-4, 1e-2]},
        cv=2,
        scoring="neg_log_loss",
        error_score="raise",
    ).fit(*CANCER)
    assert search.best_score_ > -0.3
    np.testing.assert_allclose(search.predict_proba(CANCER[0]).sum(axis=1), 1)


def test_a_stack_on_transformed_targets():
    X, y = DIABETES
    stack = StackingRegressor(
        [("network", regressor(max_iter=20, learning_rate_init=0.02))], RidgeCV(), cv=2
    )
    model = TransformedTargetRegressor(stack, func=np.log, inverse_func=np.exp).fit(X, y)
    assert model.score(X, y) > 0.3
    assert (model.predict(X) > 0).all()


def test_one_network_for_each_label():
    X, y = WINE
    one_versus_rest = OneVsRestClassifier(classifier()).fit(X, y)
    assert one_versus_rest.score(X, y) > 0.9
    labels = np.column_stack([y == 0, y > 0, X[:, 0] > 13]).astype(int)
    chain = ClassifierChain(classifier(), order="random", random_state=0).fit(X, labels)
    assert chain.score(X, labels) > 0.7


def test_inspection_finds_the_feature_that_matters():
    X, y = DIABETES
    model = regressor(max_iter=30, learning_rate_init=0.02).fit(X, y)
    importance = permutation_importance(model, X, y, n_repeats=3, random_state=0).importances_mean
    assert set(np.argsort(importance)[-3:]) & {2, 8}  # body mass index, and a blood value
    [curve] = partial_dependence(model, X, [2], grid_resolution=5)["average"]
    assert curve[-1] > curve[0]


def test_a_schedule_and_a_number_of_epochs_are_searched_without_a_warning():
    grid = [
        {"mlpclassifier__learning_rate": ["cosine", "one_cycle"]},
        {"mlpclassifier__n_iter_no_change": [np.inf]},
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GridSearchCV(classifier(max_iter=12), grid, cv=2, error_score="raise").fit(*WINE)


# ---- with other packages -----------------------------------------------------------------------


def test_a_search_finds_the_same_on_ray():
    ray = pytest.importorskip("ray", reason="ray is not installed")
    register_ray = pytest.importorskip("ray.util.joblib").register_ray
    handler = signal.getsignal(signal.SIGTERM)
    with patch.dict(os.environ):  # ray changes both, and leaves them so
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            register_ray()
            results = searches.search(backend="ray", n_jobs=-1)
        finally:
            ray.shutdown()
            signal.signal(signal.SIGTERM, handler)
    searches.assert_same_as_here(results)
