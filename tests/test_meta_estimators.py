"""scikit-learn's meta-estimators, scorers and inspection give the same numbers with both networks.

Both get the same options and data, in float64. What they give may differ by rounding alone.
"""

import warnings
from inspect import signature

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import DecisionBoundaryDisplay, partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, RANSACRegressor, Ridge
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.semi_supervised import SelfTrainingClassifier

import sknn

# More rows than a minibatch has by itself would make sample weights act differently.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.skipif(
        "sample_weight" not in signature(sklearn.neural_network.MLPClassifier.fit).parameters,
        reason="scikit-learn's networks take no weights before version 1.7",
    ),
]
PACKAGES = (sklearn.neural_network, sknn)
SETTINGS = {
    "hidden_layer_sizes": (8,),
    "learning_rate_init": 0.02,
    "max_iter": 10,
    "random_state": 0,
}
RTOL = 1e-8


def _rows(X, y, n_rows):
    rows = np.random.default_rng(0).permutation(len(X))[:n_rows]
    return scale(X[rows]), y[rows]


def _data():
    wine = _rows(*load_wine(return_X_y=True), 120)
    X, y = load_breast_cancer(return_X_y=True)
    cancer = _rows(X[:, :6], y, 120)
    X, y = load_diabetes(return_X_y=True, scaled=False)
    diabetes = _rows(X, y / 50, 120)
    X, y = diabetes
    # weaker classes, so that probabilities are neither 0 nor 1
    noisy = np.where(np.random.default_rng(1).random(120) < 0.2, 1 - cancer[1], cancer[1])
    return {
        "classes": wine,
        "names": (wine[0], np.array(["red", "rose", "white"])[wine[1]]),
        "two classes": (cancer[0], noisy),
        "labels": (X, np.column_stack([y > 3, X[:, 0] > 0, X[:, 1] > X[:, 2]]).astype(int)),
        "numbers": diabetes,
        "several numbers": (X, np.column_stack([y, X[:, 2], X[:, 3] + 5])),
    }


DATA = _data()


def networks(data, **changes):
    """Return both networks for these data, not fitted."""
    numeric = data.endswith("numbers")
    name = "MLPRegressor" if numeric else "MLPClassifier"
    return [getattr(package, name)(**{**SETTINGS, **changes}) for package in PACKAGES]


def assert_same(ours, theirs):
    """Compare arrays of numbers or labels, or sequences and dicts of them."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert_same(ours[name], value)
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    elif np.asarray(theirs).dtype.kind == "f":
        np.testing.assert_allclose(ours, theirs, rtol=RTOL, atol=1e-10)
    else:
        np.testing.assert_array_equal(ours, theirs)


def compare(data, evaluate, **changes):
    """Compare what ``evaluate(network, X, y)`` returns for both networks."""
    theirs, ours = (evaluate(network, *DATA[data]) for network in networks(data, **changes))
    assert_same(ours, theirs)


# ---- meta-estimators ---------------------------------------------------------------------------

CLASSIFIERS = {
    "sigmoid calibration": lambda network: CalibratedClassifierCV(network, cv=2),
    "isotonic calibration": lambda network: CalibratedClassifierCV(
        network, method="isotonic", cv=2
    ),
    "calibration without an ensemble": lambda network: CalibratedClassifierCV(
        network, cv=2, ensemble=False
    ),
    "one versus rest": OneVsRestClassifier,
    "one versus one": OneVsOneClassifier,
    "output codes": lambda network: OutputCodeClassifier(network, random_state=0),
    "stacking": lambda network: StackingClassifier(
        [("network", network), ("linear", LogisticRegression())], cv=2
    ),
    "stacking of predictions": lambda network: StackingClassifier(
        [("network", network)], cv=2, stack_method="predict", passthrough=True
    ),
    "soft voting": lambda network: VotingClassifier(
        [("network", network), ("linear", LogisticRegression())], voting="soft"
    ),
    "hard voting": lambda network: VotingClassifier(
        [("network", network), ("linear", LogisticRegression())], weights=[1, 2]
    ),
    "bagging": lambda network: BaggingClassifier(
        network, 3, max_samples=0.7, max_features=0.8, random_state=0
    ),
    "boosting": lambda network: AdaBoostClassifier(network, n_estimators=3, random_state=0),
    "search": lambda network: GridSearchCV(
        network, {"alpha": [1e-4, 10.0], "activation": ["relu", "tanh"]}, cv=2
    ),
    "pipeline": lambda network: make_pipeline(StandardScaler(), network),
}
if "temperature" in str(CalibratedClassifierCV._parameter_constraints["method"]):  # from 1.8 on
    CLASSIFIERS["temperature calibration"] = lambda network: CalibratedClassifierCV(
        network, method="temperature", cv=2
    )
FOR_TWO_CLASSES = {
    "tuned threshold": lambda network: TunedThresholdClassifierCV(
        network, scoring="balanced_accuracy", cv=2, thresholds=20, random_state=0
    ),
    "fixed threshold": lambda network: FixedThresholdClassifier(network, threshold=0.3),
}
FOR_LABELS = {
    "chain": lambda network: ClassifierChain(network, random_state=0),
    "chain of probabilities": lambda network: ClassifierChain(
        network, order=[2, 0, 1], cv=2, chain_method="predict_proba"
    ),
    "one for each label": MultiOutputClassifier,
    "one versus rest": OneVsRestClassifier,
}
FOR_NUMBERS = {
    "stacking": lambda network: StackingRegressor(
        [("network", network), ("linear", Ridge())], cv=2
    ),
    "voting": lambda network: VotingRegressor([("network", network), ("linear", Ridge())]),
    "bagging": lambda network: BaggingRegressor(network, 3, random_state=0),
    "boosting": lambda network: AdaBoostRegressor(network, n_estimators=3, random_state=0),
    "targets transformed": lambda network: TransformedTargetRegressor(
        network, func=np.sqrt, inverse_func=np.square
    ),
    "targets scaled": lambda network: TransformedTargetRegressor(
        network, transformer=StandardScaler()
    ),
    "outliers left out": lambda network: RANSACRegressor(
        network, min_samples=60, max_trials=4, random_state=0
    ),
}
FOR_SEVERAL_NUMBERS = {
    "chain": lambda network: RegressorChain(network, order=[1, 0, 2]),
    "chain by cross-validation": lambda network: RegressorChain(network, cv=2),
    "one for each target": MultiOutputRegressor,
    "bagging": lambda network: BaggingRegressor(network, 2, random_state=0),
    "targets scaled": lambda network: TransformedTargetRegressor(
        network, transformer=StandardScaler()
    ),
}
KINDS = {
    "classes": CLASSIFIERS,
    "names": {"boosting": CLASSIFIERS["boosting"], "stacking": CLASSIFIERS["stacking"]},
    "two classes": {**CLASSIFIERS, **FOR_TWO_CLASSES},
    "labels": FOR_LABELS,
    "numbers": FOR_NUMBERS,
    "several numbers": FOR_SEVERAL_NUMBERS,
}


def _answers(estimator, X, y):
    methods = ("predict", "predict_proba", "decision_function")
    answers = {name: getattr(estimator, name)(X) for name in methods if hasattr(estimator, name)}
    return {**answers, "score": estimator.score(X, y)}


@pytest.mark.parametrize(
    ("data", "kind"), [(data, kind) for data, kinds in KINDS.items() for kind in kinds]
)
def test_meta_estimator(data, kind):
    def evaluate(network, X, y):
        return _answers(KINDS[data][kind](network).fit(X[:80], y[:80]), X, y)

    compare(data, evaluate)


@pytest.mark.parametrize("data", ["classes", "two classes"])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_calibration_of_a_fitted_network(data, solver):
    def evaluate(network, X, y):
        network.fit(X[:60], y[:60])
        calibrated = CalibratedClassifierCV(FrozenEstimator(network)).fit(X[60:], y[60:])
        answers = _answers(calibrated, X, y)
        if data == "two classes":
            answers["curve"] = calibration_curve(y, answers["predict_proba"][:, 1])
        return answers

    compare(data, evaluate, solver=solver, max_iter=4)


def test_self_training():
    def evaluate(network, X, y):
        some = np.where(np.arange(len(y)) % 3 > 0, -1, y)
        trained = SelfTrainingClassifier(network, threshold=0.8, max_iter=3).fit(X, some)
        return {**_answers(trained, X, y), "labels": trained.transduction_}

    compare("classes", evaluate)


def test_selection_of_features():
    def evaluate(network, X, y):
        selector = SequentialFeatureSelector(network, n_features_to_select=2, cv=2)
        return selector.fit(X, y).get_support()

    compare("two classes", evaluate)


def test_weights_through_meta_estimators():
    weight = np.random.default_rng(0).exponential(size=120)

    def evaluate(network, X, y):
        return [
            _answers(kind.fit(X, y, sample_weight=weight), X, y)
            for kind in (
                CalibratedClassifierCV(network, cv=2),
                VotingClassifier([("network", network)], voting="soft"),
                AdaBoostClassifier(network, n_estimators=2, random_state=0),
            )
        ]

    compare("two classes", evaluate)


# ---- model selection ---------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["classes", "names", "two classes", "labels"])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_predictions_by_cross_validation(data, method):
    compare(data, lambda network, X, y: cross_val_predict(network, X, y, cv=3, method=method))


def test_no_decision_function_for_cross_validation():
    for network in networks("two classes"):
        with pytest.raises(AttributeError, match="decision_function"):
            cross_val_predict(network, *DATA["two classes"], method="decision_function")


@pytest.mark.parametrize("data", ["two classes", "numbers"])
def test_curves_and_cross_validation(data):
    scoring = ["roc_auc", "neg_log_loss"] if data == "two classes" else ["r2", "max_error"]
    scoring = [name if name in get_scorer_names() else f"neg_{name}" for name in scoring]

    def evaluate(network, X, y):
        scores = cross_validate(network, X, y, scoring=scoring, cv=2, return_train_score=True)
        return {
            "learning curve": learning_curve(network, X, y, train_sizes=[0.5, 1.0], cv=2),
            "validation curve": validation_curve(
                network, X, y, param_name="alpha", param_range=[1e-4, 10], cv=2
            ),
            "scores": {name: scores[name] for name in scores if not name.endswith("_time")},
            "permutations": permutation_test_score(
                network, X, y, n_permutations=2, cv=2, random_state=0
            ),
        }

    compare(data, evaluate)


def test_incremental_learning_curve():
    def evaluate(network, X, y):
        return learning_curve(
            network, X, y, train_sizes=[0.3, 0.7, 1.0], cv=2, exploit_incremental_learning=True
        )

    compare("classes", evaluate, shuffle=False)


# ---- scorers -----------------------------------------------------------------------------------


def _scores(network, X, y, *, weighted):
    """Return the score by each of scikit-learn's scorers, or the type of its error."""
    weight = {"sample_weight": np.arange(len(y)) % 4} if weighted else {}
    scores = {}
    for name in get_scorer_names():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                scores[name] = get_scorer(name)(network, X, y, **weight)
            except (TypeError, ValueError, AttributeError) as error:
                scores[name] = type(error).__name__
    return scores


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("data", DATA)
def test_every_scorer(data, weighted):
    X, y = DATA[data]
    theirs, ours = (
        _scores(network.fit(X[:80], y[:80]), X, y, weighted=weighted) for network in networks(data)
    )
    assert ours.keys() == theirs.keys()
    assert sum(isinstance(score, float) for score in theirs.values()) > 5
    for name, score in theirs.items():
        if isinstance(score, str):
            assert ours[name] == score, name
        else:
            np.testing.assert_allclose(ours[name], score, rtol=RTOL, err_msg=name)


# ---- inspection --------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["classes", "labels", "numbers", "several numbers"])
def test_permutation_importance(data):
    def evaluate(network, X, y):
        network.fit(X, y)
        return permutation_importance(network, X, y, n_repeats=2, random_state=0).importances

    compare(data, evaluate)


@pytest.mark.parametrize("data", ["classes", "two classes", "numbers", "several numbers"])
def test_partial_dependence(data):
    def evaluate(network, X, y):
        network.fit(X, y)
        return [
            partial_dependence(network, X, features, grid_resolution=5)["average"]
            for features in ([0], [1, 2])
        ]

    compare(data, evaluate)


@pytest.mark.parametrize("data", ["classes", "two classes"])
def test_decision_boundaries(data):
    def evaluate(network, X, y):
        network.fit(X[:, :2], y)
        return DecisionBoundaryDisplay.from_estimator(network, X[:, :2], grid_resolution=8).response

    compare(data, evaluate)
