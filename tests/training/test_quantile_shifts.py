"""Calibrated quantiles: shifts are quantiles of the residuals on the validation rows."""

import itertools
import pickle

import numpy as np
import pytest
from problems import assert_same_training
from sklearn.model_selection import GridSearchCV

from sknn import MLPRegressor
from sknn._training.calibration import find_shifts
from sknn._warnings import NonFinitePredictionError
from sknn.callbacks import Checkpoint, EarlyStopping
from sknn.distributed import fit_dask

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5))
Y = 10 * (X[:, :2] + RNG.normal(size=(300, 2)))
TRAIN, VAL = slice(150), slice(150, 300)
LEVELS = [0.1, 0.5, 0.9]
SETTINGS = {"loss": "quantile", "hidden_layer_sizes": 20, "learning_rate_init": 0.03}
SETTINGS |= {"n_iter_no_change": np.inf, "max_iter": 40, "random_state": 0, "calibrate": True}
CASES = {
    "levels": ({"quantile": LEVELS}, Y[:, 0]),
    "standardized": ({"quantile": LEVELS, "normalize_y": True}, Y[:, 0]),
    "one level": ({"quantile": 0.3}, Y[:, 0]),
    "targets": ({"quantile": 0.8, "normalize_y": True}, Y),
}
cases = pytest.mark.parametrize("case", CASES)


def network(**settings):
    return MLPRegressor(**SETTINGS | settings)


def fitted(case="standardized", fit_arguments=None, **settings):
    of_case, y = CASES[case]
    rows = {"X_val": X[VAL], "y_val": y[VAL]} | (fit_arguments or {})
    return network(**of_case | settings).fit(X[TRAIN], y[TRAIN], **rows)


def uncalibrated(model, X):
    """Return predictions before shifts are added, one column for each."""
    plain = pickle.loads(pickle.dumps(model))
    plain.quantile_shifts_ = np.zeros(model.n_outputs_)
    return plain.predict(X).reshape(len(X), -1)


def shifts_of(model, X, y):
    """Return the shifts that validation rows lead to."""
    residuals = y.reshape(len(y), -1) - uncalibrated(model, X)
    levels = np.broadcast_to(model.quantile, residuals.shape[1])
    quantiles = [
        np.quantile(of_output, level, method="weibull")
        for of_output, level in zip(residuals.T, levels, strict=True)
    ]
    return len(y) / (len(y) + 30) * np.array(quantiles)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@cases
def test_shifts_are_quantiles_of_residuals(case, dtype):
    y = CASES[case][1]
    model = fitted(case, dtype=dtype)
    tolerance = {"rtol": 1e-9} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-5}
    assert model.quantile_shifts_.dtype == np.float64
    assert np.abs(model.quantile_shifts_).max() > 1
    np.testing.assert_allclose(
        model.quantile_shifts_, shifts_of(model, X[VAL], y[VAL]), **tolerance
    )
    predictions = model.predict(X)
    expected = uncalibrated(model, X) + model.quantile_shifts_
    expected = np.sort(expected, axis=1) if case != "targets" else expected
    np.testing.assert_allclose(predictions.reshape(300, -1), expected, **tolerance)
    assert predictions.dtype == dtype
    assert predictions.ndim == (1 if case == "one level" else 2)


@cases
def test_training_is_as_without(case):
    y = CASES[case][1]
    model = fitted(case)
    plain = fitted(case, calibrate=False)
    assert_same_training(model, plain)
    assert not hasattr(plain, "quantile_shifts_")
    np.testing.assert_array_equal(plain.predict(X).reshape(300, -1), uncalibrated(model, X))
    losses = [each.evaluate(X, y)["loss"] for each in (model, plain)]
    assert losses[0] == losses[1]


@cases
def test_as_many_targets_are_below_as_the_level_says(case):
    """Of rows that were not trained on; networks that have learned their rows are too sure."""
    y = CASES[case][1][VAL].reshape(150, -1)
    shares = [
        (y <= fitted(case, calibrate=on).predict(X[VAL]).reshape(150, -1)).mean(axis=0)
        for on in (False, True)
    ]
    errors = np.abs(np.array(shares) - np.broadcast_to(CASES[case][0]["quantile"], shares[0].shape))
    assert errors[1].max() < errors[0].max() / 2  # thirty rows say that they are right


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("restore_best", [True, False])
def test_they_are_those_of_the_weights_that_predict(solver, restore_best):
    y = Y[:, 0]
    settings = {"quantile": LEVELS, "solver": solver, "restore_best": restore_best}
    model = network(early_stopping=True, **settings).fit(X, y)
    rows = model._split_kept[1]
    np.testing.assert_allclose(model.quantile_shifts_, shifts_of(model, X[rows], y[rows]))


# ---- levels of residuals -----------------------------------------------------------------------


def slow_shift(residuals, level, weight):
    """Return the shift of one level, a row after the other."""
    rows = sorted(zip(residuals, weight, strict=True))
    total = sum(weight)
    n_rows = total**2 / sum(w**2 for w in weight)
    found = []
    below = 0.0
    for residual, w in rows:
        middle = (below + w / 2) / total * n_rows  # rows below, and half of this one
        found.append(((middle + 0.5) / (n_rows + 1), residual))
        below += w
    shift = found[0][1]
    for (low, at_low), (high, at_high) in itertools.pairwise(found):
        if low <= level:
            shift = at_low + (at_high - at_low) * min(1, (level - low) / (high - low))
    return shift * n_rows / (n_rows + 30)


@pytest.mark.parametrize("level", [0.001, 0.1, 0.35, 0.5, 0.95, 0.999])
def test_weights_of_rows_count(level):
    residuals = RNG.normal(size=(40, 1))
    weight = RNG.exponential(size=40)
    found = find_shifts(residuals, [level], weight)
    np.testing.assert_allclose(found, slow_shift(residuals[:, 0], level, weight))
    np.testing.assert_allclose(found, find_shifts(residuals, [level], 7 * weight))
    np.testing.assert_array_equal(found, find_shifts(residuals, [level], weight * 2.0**-700))
    np.testing.assert_allclose(found, -find_shifts(-residuals, [1 - level], weight))
    equal = np.quantile(residuals, level, method="weibull") * 40 / 70
    np.testing.assert_allclose(find_shifts(residuals, [level], np.full(40, 3.0)), equal)


def test_weights_of_validation_rows_count():
    weight = RNG.integers(0, 3, 150).astype(float)
    model = fitted("levels", {"sample_weight_val": weight})
    residuals = Y[VAL, :1] - uncalibrated(model, X[VAL])
    kept = weight > 0
    expected = [
        slow_shift(residuals[kept, k], level, weight[kept]) for k, level in enumerate(LEVELS)
    ]
    np.testing.assert_allclose(model.quantile_shifts_, expected)


def test_few_rows_do_not_go_far():
    residuals = np.array([[3.0], [5.0]])
    for level, residual in {0.01: 3.0, 0.5: 4.0, 0.99: 5.0}.items():
        [shift] = find_shifts(residuals, [level], np.ones(2))
        assert shift == pytest.approx(2 / 32 * residual)
    assert find_shifts(residuals[:1], [0.9], np.ones(1)) == pytest.approx(3 / 31)


def test_coverage_is_right_on_average_whatever_the_distribution():
    """Without the rows that count for 0, of which the factor is taken back."""
    below = []
    for _ in range(2000):
        residuals = RNG.exponential(size=(19, 1))
        shifts = find_shifts(np.tile(residuals, 2), [0.1, 0.9], np.ones(19)) * 49 / 19
        below.append(RNG.exponential(size=(10, 1)) < shifts)
    np.testing.assert_allclose(np.mean(below, axis=(0, 1)), [0.1, 0.9], atol=0.01)


# ---- predictions -------------------------------------------------------------------------------


def test_quantiles_stay_in_order():
    model = fitted(max_iter=2)
    before = uncalibrated(model, X)
    model.quantile_shifts_ = np.array([60.0, -20.0, -10.0])
    crossing = before + model.quantile_shifts_
    assert (np.diff(crossing, axis=1) < 0).any()
    np.testing.assert_allclose(model.predict(X), np.sort(crossing, axis=1))


def test_they_are_clipped_last():
    model = fitted(max_iter=2, clip_output=True)
    expected = (uncalibrated(fitted(max_iter=2), X) + model.quantile_shifts_).clip(
        model.y_min_, model.y_max_
    )
    model.quantile_shifts_ += 1000.0
    assert (model.predict(X) == model.y_max_).all()
    model.quantile_shifts_ -= 1000.0
    np.testing.assert_allclose(model.predict(X), expected)


UNUSABLE = [
    0.0,
    None,
    "far",
    [1.0, 2.0],
    [0.0, 1.0, np.nan],
    [0, 1, np.inf],
    [[0, 1, 2]],
    [True] * 3,
]


@pytest.mark.parametrize("shifts", UNUSABLE, ids=str)
def test_assigned_shifts_are_checked(shifts):
    model = fitted(max_iter=2)
    model.quantile_shifts_ = shifts
    with pytest.raises(ValueError, match="quantile_shifts_ must be an array of 3 finite numbers"):
        model.predict(X)
    model.quantile_shifts_ = [2, 2, 2]
    np.testing.assert_allclose(model.predict(X), uncalibrated(model, X) + 2)


def test_predictions_that_overflow():
    model = fitted(max_iter=2, dtype="float32")
    model.quantile_shifts_ = np.array([0.0, 0.0, 1e39])
    with pytest.raises(NonFinitePredictionError, match=r"quantile_shifts_=.*not finite in float32"):
        model.predict(X)


# ---- when there are none -----------------------------------------------------------------------


def test_without_validation_rows_it_is_refused():
    y = Y[:, 0]
    for early_stopping in (False, "auto"):
        with pytest.raises(ValueError, match=r"early_stopping=True.*or pass X_val and y_val"):
            network(early_stopping=early_stopping).fit(X, y)
    with pytest.raises(ValueError, match="partial_fit does not support calibrate=True"):
        network().partial_fit(X, y)
    with pytest.raises(ValueError, match="fit_dask does not support calibrate=True"):
        fit_dask(network(), X, y)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_other_losses_have_no_quantiles(early_stopping):
    model = network(loss="squared_error", early_stopping=early_stopping, max_iter=2)
    with pytest.warns(UserWarning, match="calibrate=True has no effect without loss='quantile'"):
        model.fit(X, Y)
    assert not hasattr(model, "quantile_shifts_")
    with pytest.warns(UserWarning, match="calibrate=True has no effect without loss='quantile'"):
        model.set_params(early_stopping=False).partial_fit(X, Y)


# ---- training that goes on ---------------------------------------------------------------------


def test_what_predicts_is_what_fit_built():
    y = Y[:, 0]
    model = fitted(warm_start=True, max_iter=10)
    before = model.predict(X)
    for twin in (pickle.loads(pickle.dumps(model)), model.set_params(calibrate=False)):
        np.testing.assert_array_equal(twin.predict(X), before)
    model.partial_fit(X[TRAIN], y[TRAIN])
    assert not hasattr(model, "quantile_shifts_")
    with pytest.raises(ValueError, match="needs validation rows"):
        model.set_params(calibrate=True).fit(X, y)
    assert not hasattr(model, "quantile_shifts_")
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VAL], y_val=y[VAL])
    np.testing.assert_allclose(model.quantile_shifts_, shifts_of(model, X[VAL], y[VAL]))


def test_a_fit_that_fails_keeps_the_shifts():
    model = fitted(max_iter=3)
    before = model.quantile_shifts_
    with pytest.raises(ValueError, match="divide y by a constant"):
        model.fit(X, 1e300 * Y[:, 0], X_val=X, y_val=Y[:, 0])
    assert model.quantile_shifts_ is before


def test_training_goes_on_bit_for_bit():
    settings = {"quantile": LEVELS, "early_stopping": True, "warm_start": True}
    halves = network(max_iter=8, **settings).fit(X, Y[:, 0])
    halves = pickle.loads(pickle.dumps(halves)).fit(X, Y[:, 0])
    whole = network(max_iter=16, **settings).fit(X, Y[:, 0])
    np.testing.assert_array_equal(halves.quantile_shifts_, whole.quantile_shifts_)


def test_a_checkpoint_goes_on(tmp_path):
    pytest.importorskip("sklearn.callback")
    y = Y[:, 0]
    path = tmp_path / "checkpoint"
    settings = {"quantile": LEVELS, "early_stopping": True, "normalize_y": True}
    short = network(max_iter=8, **settings).set_callbacks(Checkpoint(path)).fit(X, y)
    resumed = Checkpoint.resume(path, network(max_iter=16, **settings)).fit(X, y)
    whole = network(max_iter=16, **settings).fit(X, y)
    assert_same_training(resumed, whole)
    np.testing.assert_array_equal(resumed.quantile_shifts_, whole.quantile_shifts_)
    finished = Checkpoint.resume(path, network(max_iter=8, **settings)).fit(X, y)
    np.testing.assert_array_equal(finished.predict(X), short.predict(X))


def test_a_refit_keeps_the_shifts():
    settings = {"quantile": LEVELS, "early_stopping": True, "normalize_y": True}
    first = network(**settings).fit(X, Y[:, 0])
    model = network(**settings, refit=True).fit(X, Y[:, 0])
    np.testing.assert_array_equal(model.quantile_shifts_, first.quantile_shifts_)
    plain = network(**settings, refit=True).set_params(calibrate=False).fit(X, Y[:, 0])
    np.testing.assert_allclose(model.predict(X), plain.predict(X) + model.quantile_shifts_)


def test_weights_that_a_callback_has_chosen():
    pytest.importorskip("sklearn.callback")
    y = Y[:, 0]
    model = network(quantile=LEVELS, normalize_y=True, batch_size=10)
    model.set_callbacks(EarlyStopping("loss", patience=3))
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VAL], y_val=y[VAL])
    assert model.n_iter_ - model.best_iter_ == 3
    np.testing.assert_allclose(model.quantile_shifts_, shifts_of(model, X[VAL], y[VAL]))


def test_searches_see_it():
    model = network(quantile=LEVELS, early_stopping=True, validation_fraction=0.3)
    search = GridSearchCV(model.set_params(restore_best=False), {"calibrate": [False, True]}, cv=2)
    assert search.fit(X, Y[:, 0]).best_params_ == {"calibrate": True}
