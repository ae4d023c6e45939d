"""tabular_pipeline: what it is made of, where overrides go, and that it learns tables."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from fruits import CODES, NAMES, NUMBERS, X
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split

from sknn import (
    EnsembleClassifier,
    EnsembleRegressor,
    MLPClassifier,
    MLPRegressor,
    PeriodicEncoder,
    PiecewiseLinearEncoder,
    TabularPreprocessor,
    tabular_pipeline,
)

TARGETS = {"classifier": NAMES, "regressor": NUMBERS}
NETWORKS = {"classifier": MLPClassifier, "regressor": MLPRegressor}
ENSEMBLES = {"classifier": EnsembleClassifier, "regressor": EnsembleRegressor}
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 3, "batch_size": 16, "random_state": 0}
TABLE = pd.DataFrame(X, columns=list("abcd")).assign(
    city=np.where(X[:, 0] > 0, "Rome", "Oslo"), seen=pd.Timestamp("2024-01-01")
)
TABLE.loc[::7, "a"] = np.nan


@pytest.mark.parametrize("task", TARGETS)
def test_steps_show_the_recipe(task):
    fast = tabular_pipeline(task)
    assert [(name, type(step)) for name, step in fast.steps] == [
        ("preprocessor", TabularPreprocessor),
        ("encoder", PiecewiseLinearEncoder),
        ("network", NETWORKS[task]),
    ]
    assert fast.get_params()["network__activation"] == "mish"
    best = tabular_pipeline(task, "best")
    assert [(name, type(step)) for name, step in best.steps] == [
        ("preprocessor", TabularPreprocessor),
        ("ensemble", ENSEMBLES[task]),
    ]
    member = best[-1].estimator
    assert [(name, type(step)) for name, step in member.steps] == [
        ("encoder", PiecewiseLinearEncoder),
        ("network", NETWORKS[task]),
    ]
    assert best.get_params()["ensemble__n_estimators"] > 1


def test_overrides_reach_their_step():
    overrides = {
        "max_categories": 7,
        "dropout": 0.4,
        "n_estimators": 2,
        "random_state": 3,
        "dtype": "float64",
    }
    model = tabular_pipeline("classifier", "best", **overrides)
    parameters = model.get_params()
    assert parameters["preprocessor__max_categories"] == 7
    assert parameters["preprocessor__dtype"] == "float64"
    assert parameters["ensemble__n_estimators"] == 2
    assert parameters["ensemble__random_state"] == 3
    assert parameters["ensemble__estimator__network__dropout"] == 0.4
    assert parameters["ensemble__estimator__network__dtype"] is None
    assert tabular_pipeline("regressor", random_state=3)[-1].random_state == 3
    assert tabular_pipeline("regressor", activation="relu")[-1].activation == "relu"


def encoders_of_members(task, **overrides):
    """Return what is before the networks of a fitted ensemble."""
    model = tabular_pipeline(task, "best", **overrides, **SMALL).fit(TABLE, TARGETS[task])
    return [member.named_steps["encoder"] for member in model[-1].estimators_]


def test_members_differ_in_their_encoders():
    encoders = encoders_of_members("classifier", n_estimators=5)
    assert [type(encoder) is PeriodicEncoder for encoder in encoders] == [0, 0, 1, 0, 0]
    assert [encoders[i].n_bins for i in (0, 1, 3, 4)] == [48, 0, 16, 48]
    encoders = encoders_of_members("regressor", n_estimators=4)
    assert [getattr(encoder, "n_bins", None) for encoder in encoders] == [48, 16, None, 16]
    assert len(encoders_of_members("classifier", n_estimators=1)) == 1


def test_the_number_of_members_can_be_set_later():
    model = tabular_pipeline("classifier", "best", **SMALL).set_params(ensemble__n_estimators=2)
    assert len(model.fit(TABLE, NAMES)[-1].estimators_) == 2


@pytest.mark.parametrize("overrides", [{"n_bins": 4}, {"scale": 0.5}], ids=str)
def test_members_have_the_encoder_that_is_asked_for(overrides):
    name, value = next(iter(overrides.items()))
    encoders = encoders_of_members("classifier", n_estimators=3, **overrides)
    assert [getattr(encoder, name) for encoder in encoders] == [value] * 3


def test_pipelines_share_no_encoders():
    first = tabular_pipeline("classifier", "best")[-1].variants[0]["encoder"].set_params(n_bins=3)
    other = tabular_pipeline("classifier", "best")[-1].variants[0]["encoder"]
    assert other.n_bins != first.n_bins


def test_best_classifiers_are_calibrated():
    assert tabular_pipeline("classifier", "best")[-1].estimator[-1].calibrate
    assert not tabular_pipeline("classifier")[-1].calibrate
    without = tabular_pipeline("classifier", "best", early_stopping=False)
    assert not without[-1].estimator[-1].calibrate


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_positive_losses_keep_their_units(loss):
    assert not tabular_pipeline("regressor", loss=loss)[-1].normalize_y
    assert tabular_pipeline("regressor", loss=loss, normalize_y=True)[-1].normalize_y


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_quantiles_are_trained_without_dropout(effort):
    def dropout_of(**overrides):
        last = tabular_pipeline("regressor", effort, **overrides)[-1]
        return (last if effort == "fast" else last.estimator[-1]).dropout

    assert dropout_of(loss="quantile") == 0.0
    assert dropout_of(loss="quantile", dropout=0.1) == 0.1
    assert dropout_of(loss="absolute_error") > 0.0


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_quantiles_are_calibrated(effort):
    def is_calibrated(**overrides):
        last = tabular_pipeline("regressor", effort, **overrides)[-1]
        return (last if effort == "fast" else last.estimator[-1]).calibrate

    assert is_calibrated(loss="quantile", quantile=[0.1, 0.9])
    assert not is_calibrated(loss="quantile", calibrate=False)
    assert not is_calibrated(loss="quantile", early_stopping=False)
    assert not is_calibrated(loss="absolute_error")
    assert not is_calibrated()


def test_networks_of_quantiles_have_shifts():
    levels = {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}
    model = tabular_pipeline("regressor", "best", n_estimators=2, **levels, **SMALL)
    members = model.fit(TABLE, NUMBERS)[-1].estimators_
    shifts = [member[-1].quantile_shifts_ for member in members]
    assert not np.array_equal(*shifts)  # each holds out rows of its own
    assert (np.diff(model.predict(TABLE), axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("overrides", "idle"),
    [
        ({"early_stopping": False}, {"scoring": None}),
        ({"hidden_layer_sizes": ()}, {"activation": "relu", "dropout": 0.0}),
        (
            {"solver": "lbfgs"},
            {
                "learning_rate": "constant",
                "input_scale": False,
                "weight_decay": 0.0,
                "parametrization": "standard",
            },
        ),
        ({"solver": "adadelta"}, {"parametrization": "standard", "bias_lr_factor": 0.1}),
    ],
    ids=str,
)
def test_what_has_no_effect_beside_overrides_is_not_set(overrides, idle):
    """Warnings are errors in the tests, so a fit would tell."""
    model = tabular_pipeline("regressor", **{**SMALL, "max_iter": 100, "tol": 10.0, **overrides})
    parameters = model.fit(TABLE, NUMBERS)[-1].get_params()
    assert {name: parameters[name] for name in idle} == idle
    waiting = tabular_pipeline("regressor", early_stopping="auto")
    assert waiting[-1].scoring == "loss"


@pytest.mark.parametrize(
    ("arguments", "overrides", "error", "message"),
    [
        (["classification"], {}, ValueError, "task='classification' must be 'classifier' or"),
        (["classification"], {}, ValueError, "Did you mean 'classifier'?"),
        ([MLPClassifier], {}, ValueError, "must be 'classifier' or 'regressor'"),
        (["regressor", "good"], {}, ValueError, "effort='good' must be 'fast' or 'best'."),
        (["regressor"], {"droput": 0.1}, TypeError, "argument 'droput'. Did you mean 'dropout'?"),
        (["regressor"], {"network__dropout": 0}, TypeError, "Did you mean 'dropout'?"),
        (["regressor"], {"n_estimators": 9}, TypeError, "LinearEncoder, MLPRegressor."),
        (["regressor"], {"loss": np.ones(2)}, ValueError, "The 'loss' parameter of MLPRegressor"),
        (["classifier", "best"], {"early_stopping": np.ones(2)}, ValueError, "'early_stopping'"),
        (["regressor"], {"class_weight": {}}, TypeError, "of TabularPreprocessor, Piece"),
        (
            ["regressor", "best"],
            {"estimator": 1},
            TypeError,
            "MLPRegressor, EnsembleRegressor.",
        ),
    ],
)
def test_errors_name_the_way_out(arguments, overrides, error, message):
    with pytest.raises(error, match=re.escape(message)):
        tabular_pipeline(*arguments, **overrides)


@pytest.mark.parametrize("effort", ["fast", "best"])
@pytest.mark.parametrize("task", TARGETS)
def test_random_state_fixes_everything(task, effort):
    y = TARGETS[task]
    model = tabular_pipeline(task, effort, **SMALL).fit(TABLE, y)
    again = clone(model).fit(TABLE, y)
    other = clone(model).set_params(**{f"{model.steps[-1][0]}__random_state": 1}).fit(TABLE, y)
    method = "predict_proba" if task == "classifier" else "predict"
    expected = getattr(model, method)(TABLE)
    assert np.array_equal(getattr(again, method)(TABLE), expected)
    assert not np.array_equal(getattr(other, method)(TABLE), expected)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(getattr(copy, method)(TABLE), expected)


def test_arithmetic_is_float32():
    model = tabular_pipeline("regressor", **SMALL).fit(TABLE, NUMBERS)
    assert {coefs.dtype for coefs in model[-1].coefs_} == {np.dtype("float32")}


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_model_selection(effort):
    model = tabular_pipeline("classifier", effort, **SMALL)
    assert np.isfinite(cross_validate(model, TABLE, NAMES, cv=2)["test_score"]).all()
    name = "network" if effort == "fast" else "ensemble__estimator__network"
    search = GridSearchCV(model, {f"{name}__dropout": [0.0, 0.5]}, cv=2).fit(TABLE, NAMES)
    importances = permutation_importance(search, TABLE, NAMES, n_repeats=2, random_state=0)
    assert importances.importances_mean.shape == (TABLE.shape[1],)


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_weights_count(effort):
    """Rows of weight 0 of the target's rarest class: it is not predicted any more."""
    heavy = tabular_pipeline("classifier", effort, **SMALL)
    weight = np.where(CODES == 2, 0.0, 1.0)
    key = f"{heavy.steps[-1][0]}__sample_weight"
    without = heavy.fit(TABLE, CODES, **{key: weight}).predict_proba(TABLE)[:, 2].mean()
    more = clone(heavy).fit(TABLE, CODES, **{key: 1 + 9 * (1 - weight)})
    weighed = tabular_pipeline("classifier", effort, class_weight={2: 10}, **SMALL)
    expected = weighed.fit(TABLE, CODES).predict_proba(TABLE)
    assert without < 0.3 < expected[:, 2].mean()
    np.testing.assert_allclose(more.predict_proba(TABLE), expected, rtol=1e-5)


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_several_targets(effort):
    labels = np.c_[CODES > 0, X[:, 0] > 0].astype(int)
    model = tabular_pipeline("classifier", effort, **SMALL).fit(TABLE, labels)
    assert model.predict(TABLE).shape == labels.shape
    assert set(np.unique(model.predict(TABLE))) <= {0, 1}
    numbers = np.c_[NUMBERS, -NUMBERS]
    model = tabular_pipeline("regressor", effort, **SMALL).fit(TABLE, numbers)
    assert model.predict(TABLE).shape == numbers.shape


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_quantiles_are_scored_as_quantiles(effort):
    model = tabular_pipeline("regressor", effort, loss="quantile", quantile=[0.1, 0.9], **SMALL)
    predictions = model.fit(TABLE, NUMBERS).predict(TABLE)
    assert (predictions[:, 0] < predictions[:, 1]).all()
    excess = NUMBERS[:, np.newaxis] - predictions
    losses = np.maximum([0.1, 0.9] * excess, [-0.9, -0.1] * excess)
    assert model.score(TABLE, NUMBERS) == pytest.approx(-losses.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("task", "effort", "load", "least"),
    [
        ("classifier", "fast", load_digits, 0.96),
        ("regressor", "fast", load_diabetes, 0.25),
        ("regressor", "best", load_diabetes, 0.25),
    ],
)
def test_recipe_learns(task, effort, load, least):
    data, y = load(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(data, y, random_state=1)
    few = {"n_estimators": 2, "n_bins": 4, "max_iter": 16} if effort == "best" else {}
    model = tabular_pipeline(task, effort, random_state=0, **few).fit(X_train, y_train)
    assert model.score(X_test, y_test) > least


def test_routing_of_weights():
    with sklearn.config_context(enable_metadata_routing=True):
        model = tabular_pipeline("classifier", "best", **SMALL)
        model[-1].estimator[-1].set_fit_request(sample_weight=True)
        model[-1].set_fit_request(sample_weight=True)
        model.fit(TABLE, CODES, sample_weight=np.where(CODES == 2, 0.0, 1.0))
    assert model.predict_proba(TABLE)[:, 2].mean() < 0.3
