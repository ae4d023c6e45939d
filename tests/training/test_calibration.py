"""Temperature scaling: the temperature has the least log loss on the validation rows."""

import pickle

import numpy as np
import pytest
from problems import assert_same_training
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from sknn import MLPClassifier
from sknn._training.calibration import find_temperature
from sknn.callbacks import Checkpoint, EarlyStopping
from sknn.distributed import fit_dask

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5))
NOISY = X + RNG.normal(size=X.shape)
TARGETS = {
    "classes": np.array(list("abc"))[NOISY[:, :3].argmax(axis=1)],
    "two classes": NOISY[:, 0] > 0,
    "labels": (NOISY[:, :2] > 0.3).astype(int),
}
TRAIN, VAL = slice(150), slice(150, 300)
SETTINGS = {"hidden_layer_sizes": 20, "learning_rate_init": 0.03, "max_iter": 40}
SETTINGS |= {"n_iter_no_change": np.inf, "random_state": 0, "calibrate": True}
cases = pytest.mark.parametrize("case", TARGETS)


def network(**settings):
    return MLPClassifier(**SETTINGS | settings)


def fitted(y, fit_arguments=None, **settings):
    rows = {"X_val": X[VAL], "y_val": y[VAL]} | (fit_arguments or {})
    return network(**settings).fit(X[TRAIN], y[TRAIN], **rows)


def log_loss_of(z, truth):
    """Return the log loss of a row with the logits ``z``."""
    if np.ndim(truth) == 1:
        return -sum(log_expit(a if on else -a) for a, on in zip(z, truth, strict=True))
    if np.ndim(z) == 0:
        return -log_expit(z if truth else -z)
    return -log_softmax(z)["abc".index(truth)]


def expected_log_loss(z, temperature):
    """Return the log loss at a temperature if classes are as likely as they are at 1."""
    if np.ndim(z) == 0:
        return expected_log_loss(np.array([z, 0.0]), temperature)
    return -(softmax(z) * log_softmax(z / temperature)).sum()


def mean_log_loss(logits, y, temperature, weight=None):
    """Return the log loss, a row and a class after the other, with ten rows for T = 1."""
    losses = [log_loss_of(z / temperature, truth) for z, truth in zip(logits, y, strict=True)]
    by_class = y.ndim == 2
    expected = [
        sum(expected_log_loss(a, temperature) for a in z)
        if by_class
        else expected_log_loss(z, temperature)
        for z in logits
    ]
    mean, mean_expected = np.average([losses, expected], weights=weight, axis=1)
    n_rows = len(logits) if weight is None else np.count_nonzero(weight)
    return mean + 10 / n_rows * mean_expected


def assert_is_best(temperature, logits, y, weight=None):
    best = mean_log_loss(logits, y, temperature, weight)
    others = temperature * np.array([0.01, 0.3, 0.9, 0.999, 1.001, 1.1, 3.0, 100.0])
    assert all(mean_log_loss(logits, y, other, weight) > best for other in others)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@cases
def test_the_temperature_has_the_least_log_loss(case, dtype):
    y = TARGETS[case]
    model = fitted(y, dtype=dtype)
    logits = model.logits(X[VAL])
    assert model.temperature_ > 1.2  # these networks are overconfident
    assert_is_best(model.temperature_, logits.astype(float), y[VAL])
    scaled = logits / model.temperature_
    expected = softmax(scaled, axis=1) if case == "classes" else expit(scaled)
    if case == "two classes":
        expected = np.column_stack([expit(-scaled), expected])
    tolerance = {"rtol": 1e-12 if dtype == "float64" else 1e-5}
    np.testing.assert_allclose(model.predict_proba(X[VAL]), expected, **tolerance)
    np.testing.assert_allclose(
        model.predict_log_proba(X[VAL]), np.log(expected), **tolerance, atol=1e-6
    )
    assert model.predict_proba(X[VAL]).dtype == dtype


@cases
def test_nothing_else_changes(case):
    y = TARGETS[case]
    model = fitted(y)
    plain = fitted(y, calibrate=False)
    assert_same_training(model, plain)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    np.testing.assert_array_equal(model.logits(X), plain.logits(X))
    assert model.evaluate(X, y) == plain.evaluate(X, y)
    assert not hasattr(plain, "temperature_")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("restore_best", [True, False])
def test_it_is_that_of_the_weights_that_predict(solver, restore_best):
    y = TARGETS["classes"]
    model = network(solver=solver, early_stopping=True, restore_best=restore_best).fit(X, y)
    held_out = model._split_kept[1]
    assert_is_best(model.temperature_, model.logits(X[held_out]), y[held_out])


def test_weights_of_samples_and_classes_count():
    y = TARGETS["two classes"]
    weight = RNG.integers(0, 3, 150).astype(float)
    class_weight = {False: 1.0, True: 5.0}
    model = fitted(y, {"sample_weight_val": weight}, class_weight=class_weight)
    of_rows = weight * np.where(y[VAL], 5.0, 1.0)
    assert_is_best(model.temperature_, model.logits(X[VAL]), y[VAL], of_rows)


@pytest.mark.parametrize("sign", [1, -1], ids=["all right", "all wrong"])
def test_few_rows_do_not_go_far(sign):
    """Without more rows, the best temperatures would be 0 and infinity."""
    logits = sign * np.array([[4.0, 0.0, -1.0], [-2.0, 3.0, 0.0]])
    codes = np.array([[0.0], [1.0]])
    temperature = find_temperature(logits, codes, np.ones(2), is_softmax=True)
    assert_is_best(temperature, logits, np.array(["a", "b"]))
    assert 0.25 < temperature < 4
    assert find_temperature(0 * logits, codes, np.ones(2), is_softmax=True) == 1.0


def test_one_class_and_far_rows():
    model = network(early_stopping=True).fit(X, np.full(300, 7))
    assert model.predict_proba(X).shape == (300, 1)
    model = fitted(TARGETS["classes"], max_iter=2)
    model.temperature_ = 1e-300
    probabilities = model.predict_proba(X)
    assert np.isfinite(model.predict_log_proba(X)).all()
    np.testing.assert_array_equal(probabilities.argmax(axis=1), model.logits(X).argmax(axis=1))


def test_without_validation_rows_it_is_refused():
    y = TARGETS["classes"]
    for early_stopping in (False, "auto"):
        with pytest.raises(ValueError, match=r"early_stopping=True.*or pass X_val and y_val"):
            network(early_stopping=early_stopping).fit(X, y)
    with pytest.raises(ValueError, match="partial_fit does not support calibrate=True"):
        network().partial_fit(X, y, classes=list("abc"))
    with pytest.raises(ValueError, match="fit_dask does not support calibrate=True"):
        fit_dask(network(), X, y)


@pytest.mark.parametrize("temperature", [0, -1.0, np.nan, np.inf, "warm", None, True, [1.0]])
def test_an_assigned_temperature_is_checked(temperature):
    model = fitted(TARGETS["classes"], max_iter=2)
    model.temperature_ = temperature
    with pytest.raises(ValueError, match="temperature_ must be a positive number, got"):
        model.predict_proba(X)


def test_what_predicts_is_what_fit_built():
    y = TARGETS["classes"]
    model = fitted(y, warm_start=True, max_iter=10)
    before = model.predict_proba(X)
    for twin in (pickle.loads(pickle.dumps(model)), model.set_params(calibrate=False)):
        np.testing.assert_array_equal(twin.predict_proba(X), before)
    model.partial_fit(X[TRAIN], y[TRAIN])
    assert not hasattr(model, "temperature_")
    with pytest.raises(ValueError, match="needs validation rows"):
        model.set_params(calibrate=True).fit(X, y)
    assert not hasattr(model, "temperature_")


def test_training_goes_on_bit_for_bit():
    y = TARGETS["classes"]
    settings = {"early_stopping": True, "warm_start": True}
    halves = network(max_iter=8, **settings).fit(X, y)
    halves = pickle.loads(pickle.dumps(halves)).fit(X, y)
    whole = network(max_iter=16, **settings).fit(X, y)
    assert halves.temperature_ == whole.temperature_


def test_a_checkpoint_goes_on(tmp_path):
    pytest.importorskip("sklearn.callback")
    y = TARGETS["classes"]
    path = tmp_path / "checkpoint"
    settings = {"early_stopping": True, "scoring": "neg_log_loss"}
    network(max_iter=8, **settings).set_callbacks(Checkpoint(path)).fit(X, y)
    resumed = Checkpoint.resume(path, network(max_iter=16, **settings)).fit(X, y)
    whole = network(max_iter=16, **settings).fit(X, y)
    assert_same_training(resumed, whole)
    assert resumed.temperature_ == whole.temperature_
    np.testing.assert_array_equal(
        Checkpoint.resume(path, network(max_iter=8, **settings)).fit(X, y).predict_proba(X),
        network(max_iter=8, **settings).fit(X, y).predict_proba(X),
    )


def test_weights_that_a_callback_has_chosen():
    pytest.importorskip("sklearn.callback")
    y = TARGETS["classes"]
    model = network().set_callbacks(EarlyStopping("neg_log_loss", patience=3))
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VAL], y_val=y[VAL])
    assert model.n_iter_ - model.best_iter_ == 3
    assert_is_best(model.temperature_, model.logits(X[VAL]), y[VAL])


def test_probabilities_get_better_and_searches_see_it():
    y = TARGETS["classes"]
    model = network(early_stopping=True, validation_fraction=0.3, restore_best=False)
    plain, calibrated = (
        cross_val_score(clone(model).set_params(calibrate=on), X, y, scoring="neg_log_loss").mean()
        for on in (False, True)
    )
    assert calibrated > plain + 0.02
    search = GridSearchCV(model, {"calibrate": [False, True]}, scoring="neg_log_loss", cv=2)
    assert search.fit(X, y).best_params_ == {"calibrate": True}
