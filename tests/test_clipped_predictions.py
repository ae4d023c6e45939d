"""Predictions that stay within the range of the training targets."""

import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sknn import MLPRegressor
from sknn.callbacks import Checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
FAR = 20 * RNG.normal(size=(50, 4))
Y = np.column_stack([X[:, 0] + 3, np.exp(X[:, 1]), 100 * X[:, 2]])
SETTINGS = {"hidden_layer_sizes": 12, "learning_rate_init": 0.02, "max_iter": 10, "random_state": 0}
LOSSES = {
    "several targets": ({"normalize_y": True}, Y),
    "one target": ({}, Y[:, 0]),
    "integers": ({"normalize_y": True}, (2 * X[:, 0]).astype(np.int8)),
    "poisson": ({"loss": "poisson"}, Y[:, 1]),
    "quantiles": ({"loss": "quantile", "quantile": [0.1, 0.5, 0.9], "normalize_y": True}, Y[:, 2]),
    "quantile of several targets": ({"loss": "quantile", "normalize_y": True}, Y),
}


def network(**settings):
    return MLPRegressor(**SETTINGS | settings)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", LOSSES)
def test_predictions_are_cut_off_at_the_range_of_each_target(case, dtype):
    settings, y = LOSSES[case]
    free = network(**settings, dtype=dtype).fit(X, y).predict(FAR)
    predictions = network(**settings, dtype=dtype, clip_output=True).fit(X, y).predict(FAR)
    low, high = y.min(axis=0), y.max(axis=0)
    assert predictions.dtype == free.dtype
    np.testing.assert_allclose(predictions, free.clip(low, high), rtol=1e-6)
    assert np.any(free < low)
    assert np.any(free > high)
    assert np.all(predictions >= low)  # also after rounding to float32
    assert np.all(predictions <= high)
    if case == "quantiles":
        assert (np.diff(predictions, axis=1) >= 0).all()


def test_a_constant_target_that_float32_does_not_have():
    model = network(clip_output=True, dtype="float32").fit(X, np.full(90, 0.1))
    np.testing.assert_allclose(model.predict(FAR), 0.1, rtol=1e-6)


def test_rows_of_weight_zero_are_absent():
    weight = np.ones(90)
    weight[[Y[:, 0].argmax(), Y[:, 0].argmin()]] = 0
    model = network(clip_output=True).fit(X, Y[:, 0], sample_weight=weight)
    inner = np.sort(Y[:, 0])[1:-1]
    assert (model.y_min_, model.y_max_) == (inner[0], inner[-1])


@pytest.mark.filterwarnings("ignore:X_val lies far outside")
@pytest.mark.parametrize("scoring", [None, "r2"])
def test_validation_scores_are_of_clipped_predictions(scoring):
    given = {"X_val": FAR, "y_val": FAR[:, 0]}
    model = network(clip_output=True, normalize_y=True, early_stopping=True, scoring=scoring)
    model.fit(X, Y[:, 0], **given)
    assert model.score(FAR, FAR[:, 0]) == pytest.approx(model.best_validation_score_, rel=1e-9)
    free = network(normalize_y=True, early_stopping=True, scoring=scoring)
    assert free.fit(X, Y[:, 0], **given).best_validation_score_ != model.best_validation_score_
    assert model.evaluate(FAR, FAR[:, 0])["r2"] == model.score(FAR, FAR[:, 0])


def test_training_is_as_without():
    clipped, free = (network(clip_output=clips).fit(X, Y) for clips in (True, False))
    np.testing.assert_array_equal(clipped.coefs_[0], free.coefs_[0])
    assert clipped.loss_curve_ == free.loss_curve_
    assert not hasattr(free, "y_min_")


def test_the_range_grows_while_training_goes_on():
    y = Y[:, 0]
    order = y.argsort()
    model = network(clip_output=True)
    for seen in (order[40:50], order[30:60], order[35:45]):
        model.partial_fit(X[seen], y[seen])
    assert (model.y_min_, model.y_max_) == (y[order[30]], y[order[59]])
    model = pickle.loads(pickle.dumps(model)).set_params(warm_start=True)
    model.fit(X[order[50:80]], y[order[50:80]])
    assert (model.y_min_, model.y_max_) == (y[order[30]], y[order[79]])
    model.set_params(warm_start=False).fit(X[order[:9]], y[order[:9]])
    assert (model.y_min_, model.y_max_) == (y[order[0]], y[order[8]])


def test_what_predicts_is_what_fit_built():
    model = network(clip_output=True, warm_start=True).fit(X, Y)
    before = model.predict(FAR)
    np.testing.assert_array_equal(model.set_params(clip_output=False).predict(FAR), before)
    model.fit(X, Y)
    assert not hasattr(model, "y_min_")
    assert model.predict(FAR)[:, 0].max() > Y[:, 0].max()
    np.testing.assert_array_equal(
        model.set_params(clip_output=True).fit(X, Y).y_max_, Y.max(axis=0)
    )


def test_a_chunk_is_not_taken_for_the_range_of_all_targets():
    model = network().fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="clip_output=True needs the range of all targets"):
        model.set_params(clip_output=True).partial_fit(X[:5], Y[:5])
    np.testing.assert_array_equal(model.predict(X), before)


def test_a_fit_that_fails_keeps_the_range():
    model = network(clip_output=True).fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(X, 1e300 * Y[:, 0])
    assert model.y_max_ == Y[:, 0].max()


def test_a_checkpoint_goes_on(tmp_path):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "checkpoint"
    model = network(clip_output=True, max_iter=3).set_callbacks(Checkpoint(path)).fit(X, Y)
    resumed = Checkpoint.resume(path, network(clip_output=True)).fit(X, Y)
    whole = network(clip_output=True).fit(X, Y)
    assert model.n_iter_ == 3
    np.testing.assert_array_equal(resumed.predict(FAR), whole.predict(FAR))


@pytest.mark.parametrize("name", ["y_min_", "y_max_"])
def test_a_range_that_does_not_fit_is_named(name):
    model = network(clip_output=True).fit(X, Y)
    for unusable in (None, "word", np.ones(2), np.ones((90, 1)), np.array(["a", "b", "c"])):
        setattr(model, name, unusable)
        for use in (lambda: model.predict(X), lambda: model.partial_fit(X, Y)):
            with pytest.raises(ValueError, match=f"{name} must be"):
                use()
    setattr(model, name, np.full(3, np.nan))
    with pytest.raises(ValueError, match="y_min_ must not be greater than y_max_"):
        model.predict(X)


def test_a_search_finds_out_whether_to_clip():
    search = GridSearchCV(network(normalize_y=True), {"clip_output": [False, True]}, cv=2)
    search.fit(X, Y)
    assert search.best_estimator_.clip_output == search.best_params_["clip_output"]
