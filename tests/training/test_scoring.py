"""Scores that early stopping watches: by scorers, with weights, and where they are not defined."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    accuracy_score,
    d2_pinball_score,
    get_scorer,
    make_scorer,
    max_error,
    mean_pinball_loss,
)
from sklearn.model_selection import GridSearchCV

from sknn import Loss, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4))
NUMBERS = X[:, :2] @ [1.0, 2.0] + 0.3 * rng.normal(size=80)
POSITIVE = np.exp(NUMBERS)
CODES = np.digitize(NUMBERS, [-1.0, 1.0])
X_VAL = rng.normal(size=(30, 4))
NUMBERS_VAL = X_VAL[:, :2] @ [1.0, 2.0] + 0.3 * rng.normal(size=30)
CODES_VAL = np.digitize(NUMBERS_VAL, [-1.0, 1.0])
WEIGHT_VAL = rng.uniform(0, 5, 30)
SETTINGS = {"hidden_layer_sizes": 5, "max_iter": 3, "random_state": 0, "early_stopping": True}
SETTINGS |= {"learning_rate_init": 0.05, "restore_best": False}


def given(y_val=CODES_VAL, weight=None):
    return {"X_val": X_VAL, "y_val": y_val, "sample_weight_val": weight}


# ---- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro", "roc_auc_ovr", "neg_log_loss"])
@pytest.mark.parametrize("class_weight", [None, {0: 3.0, 2: 0.5}], ids=str)
def test_weights_reach_the_scorer(scoring, class_weight):
    network = MLPClassifier(scoring=scoring, class_weight=class_weight, **SETTINGS)
    network.fit(X, CODES, **given(weight=WEIGHT_VAL))
    of_class = [(class_weight or {}).get(code, 1.0) for code in CODES_VAL]
    expected = get_scorer(scoring)(
        network, X_VAL, CODES_VAL, sample_weight=WEIGHT_VAL * np.array(of_class)
    )
    assert network.validation_scores_[-1] == pytest.approx(expected, rel=1e-9)
    assert network.validation_scores_[-1] != pytest.approx(
        get_scorer(scoring)(network, X_VAL, CODES_VAL), rel=1e-3
    )


def test_weights_of_rows_held_back_reach_the_scorer():
    weight = rng.uniform(1, 5, 80)
    network = MLPRegressor(scoring="neg_mean_absolute_error", hidden_layer_sizes=5, max_iter=3)
    network.set_params(early_stopping=True, restore_best=False, random_state=0)
    network.fit(X, NUMBERS, weight)
    rows = network._split_kept[1]
    error = np.abs(network.predict(X[rows]) - NUMBERS[rows])
    expected = -np.average(error, weights=weight[rows])
    assert network.validation_scores_[-1] == pytest.approx(expected, rel=1e-12)


def test_a_function_gets_the_weights_as_they_were_given():
    seen = []

    def scorer(network, table, y, sample_weight=None):
        seen.append(sample_weight)
        return 0.0

    MLPClassifier(scoring=scorer, **SETTINGS).fit(X, CODES, **given(weight=WEIGHT_VAL))
    np.testing.assert_allclose(seen[0], WEIGHT_VAL, rtol=1e-15)
    MLPClassifier(scoring=scorer, **SETTINGS).fit(X, CODES, **given())
    assert seen[-1] is None


@pytest.mark.parametrize(
    ("scoring", "name"),
    [
        (lambda network, table, y: network.score(table, y), "function"),
        ("neg_max_error", "'neg_max_error'"),
        (make_scorer(max_error, greater_is_better=False), r"make_scorer\(max_error"),
    ],
    ids=["function", "name", "scorer"],
)
def test_a_scorer_that_takes_no_weights_is_reported(scoring, name):
    network = MLPRegressor(scoring=scoring, **SETTINGS)
    network.fit(X, NUMBERS, **given(NUMBERS_VAL))
    with pytest.warns(UserWarning, match=f"scoring=.*{name}.*has no parameter sample_weight"):
        network.fit(X, NUMBERS, **given(NUMBERS_VAL, WEIGHT_VAL))


@pytest.mark.parametrize("request_", [True, False, None, "weights_of_others"])
def test_metadata_requests_of_a_scorer_are_respected(request_):
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=request_)
        network = MLPClassifier(scoring=scorer, **SETTINGS)
        network.fit(X, CODES, **given(weight=WEIGHT_VAL))
    weight = WEIGHT_VAL if request_ in (True, None) else None
    expected = accuracy_score(CODES_VAL, network.predict(X_VAL), sample_weight=weight)
    assert network.validation_scores_[-1] == pytest.approx(expected, rel=1e-12)


# ---- what the scorer sees ----------------------------------------------------------------------


@pytest.mark.parametrize("are_given", [False, True])
def test_a_scorer_sees_data_frames(are_given):
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(80) + 1000)
    y = pd.Series(np.array(["no", "yes"])[(NUMBERS > 0).astype(int)], index=frame.index)
    seen = []

    def scorer(network, table, labels):
        seen.append((table, labels))
        return network.score(table[list("abcd")], labels)  # warns if names were lost

    validation = {"X_val": frame[:20], "y_val": y[:20]} if are_given else {}
    network = MLPClassifier(scoring=scorer, **SETTINGS).fit(frame, y, **validation)
    rows = np.arange(20) if are_given else network._split_kept[1]
    pd.testing.assert_frame_equal(seen[0][0], frame.iloc[rows])
    pd.testing.assert_series_equal(seen[0][1], y.iloc[rows])
    assert network.validation_scores_[-1] == network.score(frame.iloc[rows], y.iloc[rows])


def test_arrays_beside_a_data_frame_are_scored_without_names():
    frame = pd.DataFrame(X, columns=list("abcd"))
    network = MLPClassifier(scoring="accuracy", **SETTINGS)
    with pytest.warns(UserWarning, match="does not have valid feature names") as warned:
        network.fit(frame, CODES, **given())
    messages = [str(warning.message) for warning in warned]
    # scikit-learn's, for X_val; none for every epoch
    assert sum("feature names" in message for message in messages) == 1


# ---- scores that are not defined ---------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_a_score_that_is_not_defined_is_no_improvement(solver):
    network = MLPClassifier(
        scoring=lambda *_: np.nan, solver=solver, n_iter_no_change=2, **SETTINGS | {"max_iter": 30}
    )
    with pytest.warns(ConvergenceWarning, match="score of the 8 validation rows was not finite"):
        network.fit(X, CODES)
    assert network.n_iter_ == 3
    assert network.best_validation_score_ == -np.inf
    assert np.isfinite(network.predict_proba(X)).all()


def test_scores_that_are_defined_later_count():
    scores = iter([np.nan, -np.inf, 0.5, np.nan, 0.25])
    network = MLPClassifier(
        scoring=lambda *_: next(scores), n_iter_no_change=9, **SETTINGS | {"max_iter": 5}
    )
    with pytest.warns(ConvergenceWarning, match="not finite after 3 epochs"):
        network.fit(X, CODES)
    assert network.best_validation_score_ == 0.5
    assert network.best_iter_ == 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_one_class_among_the_validation_rows():
    is_high = NUMBERS > 0
    network = MLPClassifier(scoring="roc_auc", **SETTINGS)
    with pytest.warns(ConvergenceWarning, match="scoring='roc_auc' gave nan.*or lack a class"):
        network.fit(X, is_high, X_val=X[is_high], y_val=is_high[is_high])


def test_a_warning_turned_into_an_error_leaves_a_fitted_network():
    network = MLPClassifier(scoring=lambda *_: np.nan, **SETTINGS)
    with pytest.raises(ConvergenceWarning, match="not finite"):
        network.fit(X, CODES)  # the tests turn warnings into errors
    assert network.predict(X).shape == (80,)


@pytest.mark.parametrize(
    ("scoring", "kind"),
    [
        (lambda *_: {"a": 1.0}, TypeError),
        (lambda *_: None, TypeError),
        (lambda *_: [1.0, 2.0], TypeError),
        (lambda *_: int("x"), ValueError),
        (lambda network: 1.0, TypeError),
        (make_scorer(accuracy_score, response_method="predict_proba"), ValueError),
    ],
)
def test_a_scorer_that_fails_is_named(scoring, kind):
    network = MLPClassifier(scoring=scoring, **SETTINGS)
    with pytest.raises(kind, match=r"scoring=.* failed on the validation rows: "):
        network.fit(X, CODES)
    assert vars(network) == network.get_params()


@pytest.mark.parametrize("scoring", [None, "r2", "explained_variance"])
def test_r2_of_one_row_is_refused(scoring):
    network = MLPRegressor(scoring=scoring, **SETTINGS)
    with pytest.raises(ValueError, match="R\\^2 of one row is not defined"):
        network.fit(X, NUMBERS, X_val=X[:1], y_val=NUMBERS[:1])
    with pytest.raises(ValueError, match="R\\^2 of one row is not defined"):
        network.fit(X, NUMBERS, **given(NUMBERS_VAL, np.arange(30) == 3))
    network.set_params(scoring="loss").fit(X, NUMBERS, X_val=X[:1], y_val=NUMBERS[:1])
    assert np.isfinite(network.best_validation_score_)


def test_r2_of_one_row_that_is_only_recorded():
    network = MLPRegressor(hidden_layer_sizes=5, max_iter=2, random_state=0)
    network.fit(X, NUMBERS, X_val=X[:1], y_val=NUMBERS[:1])
    assert np.isnan(network.history_["val_score"]).all()
    assert np.isfinite(network.history_["val_loss"]).all()


@pytest.mark.parametrize("scoring", [None, "r2", "explained_variance"])
@pytest.mark.parametrize("shape", [(80,), (80, 2)])
def test_r2_of_constant_targets_is_reported(scoring, shape):
    network = MLPRegressor(scoring=scoring, **SETTINGS)
    with pytest.warns(RuntimeWarning, match="cannot tell epochs apart.*set scoring='loss'"):
        network.fit(X, np.ones(shape))


def test_targets_that_other_scores_tell_apart_are_not_reported():
    for scoring in ("loss", "neg_mean_squared_error"):
        MLPRegressor(scoring=scoring, **SETTINGS).fit(X, np.ones(80))
    MLPRegressor("absolute_error", **SETTINGS).fit(X, np.ones(80))
    MLPRegressor(**SETTINGS).fit(X, np.column_stack([np.ones(80), NUMBERS]))
    MLPRegressor(hidden_layer_sizes=5, max_iter=2).fit(X, np.ones(80), X_val=X, y_val=np.ones(80))


# ---- the loss's own score ----------------------------------------------------------------------


def absolute(z, y):
    return abs(z - y)


def sign(z, y):
    return 1.0 if z > y else -1.0


@pytest.mark.parametrize(
    "loss",
    ["absolute_error", "huber", "log_cosh", "poisson", "gamma", "quantile", Loss(absolute, sign)],
    ids=str,
)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_other_losses_are_scored_by_themselves(loss, n_targets):
    y = POSITIVE if n_targets == 1 else np.column_stack([POSITIVE, POSITIVE[::-1]])
    networks = [
        MLPRegressor(loss, scoring=scoring, **SETTINGS).fit(X, y) for scoring in (None, "loss")
    ]
    scores, losses = (network.validation_scores_ for network in networks)
    scale = n_targets if loss == "quantile" else 1  # its score is a mean over targets
    np.testing.assert_allclose(np.multiply(scores, scale), losses, rtol=1e-9)
    assert networks[0].best_validation_score_ == max(scores)


def test_squared_errors_are_scored_by_r2():
    network = MLPRegressor(**SETTINGS).fit(X, NUMBERS, **given(NUMBERS_VAL, WEIGHT_VAL))
    expected = network.score(X_VAL, NUMBERS_VAL, sample_weight=WEIGHT_VAL)
    assert network.validation_scores_[-1] == pytest.approx(expected, rel=1e-10)


QUANTILES = [(0.2, 1), (0.9, 3), ([0.4], 2), ([0.1, 0.5, 0.8], 1)]


@pytest.mark.parametrize(("quantile", "n_targets"), QUANTILES, ids=str)
@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("weight", [None, WEIGHT_VAL], ids=["unweighted", "weighted"])
def test_quantiles_are_scored_by_their_pinball_loss(quantile, n_targets, normalize_y, weight):
    y, y_val = (
        np.column_stack([values, 10 * values[::-1], values**2])[:, :n_targets].squeeze()
        for values in (NUMBERS, NUMBERS_VAL)
    )
    network = MLPRegressor("quantile", quantile=quantile, normalize_y=normalize_y, **SETTINGS)
    network.fit(X, y, **given(y_val, weight))
    predictions = network.predict(X_VAL).reshape(30, -1)
    levels = np.atleast_1d(quantile)
    targets = y_val.reshape(30, -1)
    losses = [
        mean_pinball_loss(targets[:, j], predictions[:, i + j], alpha=level, sample_weight=weight)
        for i, level in enumerate(levels)
        for j in range(n_targets)
    ]
    score = network.score(X_VAL, y_val, sample_weight=weight)
    assert score == pytest.approx(-np.mean(losses), rel=1e-12)
    assert network.validation_scores_[-1] == pytest.approx(score, rel=1e-9)


def test_scores_of_quantiles_can_be_searched():
    """The median of these targets is not their mean, which R^2 would prefer."""
    search = GridSearchCV(
        MLPRegressor("quantile", (5,), quantile=0.95, max_iter=5, random_state=0),
        {"learning_rate_init": [1e-6, 0.05]},
        cv=2,
    ).fit(X, POSITIVE)
    assert search.best_params_ == {"learning_rate_init": 0.05}
    assert search.best_score_ < 0
    best = search.best_estimator_
    as_list = best.score(X.tolist(), POSITIVE.tolist())
    assert as_list == best.score(X, POSITIVE.reshape(-1, 1)) == best.score(X, pd.Series(POSITIVE))
    d2 = d2_pinball_score(POSITIVE, best.predict(X), alpha=0.95)
    worst = mean_pinball_loss(POSITIVE, np.full(80, np.percentile(POSITIVE, 95)), alpha=0.95)
    assert as_list == pytest.approx((d2 - 1) * worst, rel=1e-9)


def test_the_score_is_that_of_the_fitted_loss():
    network = MLPRegressor("quantile", **SETTINGS).fit(X, NUMBERS)
    score = network.score(X, NUMBERS)
    assert network.set_params(loss="squared_error", quantile=0.9).score(X, NUMBERS) == score
    for wrong in (NUMBERS[:-1], np.column_stack([NUMBERS, NUMBERS]), np.full(80, np.nan)):
        with pytest.raises(
            ValueError, match=r"inconsistent|different number|NaN|must have 1 columns"
        ):
            network.score(X, wrong)
