"""Refit: training on all rows, for as many epochs as early stopping has found to be the best."""

import contextlib
import pickle

import numpy as np
import pytest
from problems import CASES, assert_same_bits, assert_same_training, both_kinds, without_seconds
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sknn import MLPClassifier, MLPRegressor
from sknn.callbacks import Checkpoint, TimeLimit

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")

X, y = CASES[MLPClassifier]
SETTINGS = {"hidden_layer_sizes": 6, "max_iter": 30, "learning_rate_init": 0.03, "random_state": 0}
SETTINGS |= {"early_stopping": True, "n_iter_no_change": 3, "validation_fraction": 0.3}
ALONE = {"early_stopping": False, "refit": False, "restore_best": True}
OPTIONS = [
    {},
    {"learning_rate": "coslog", "dropout": 0.2, "dropout_schedule": "flat_cos"},
    {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.1, "restore_best": False},
    {
        "batch_norm": True,
        "dtype": "float32",
        "weight_decay": 0.1,
        "weight_decay_schedule": "flat_cos",
    },
    {"restore_best": "latest", "batch_size": 13, "n_iter_no_change": np.inf},
]


def network(kind=MLPClassifier, **settings):
    return kind(**SETTINGS | {"refit": True} | settings)


def by_hand(model, sample_weight=None):
    """Train a clone on all rows, one epoch after the other."""
    alone = clone(model).set_params(**ALONE)
    is_classifier = isinstance(model, MLPClassifier)
    rows, targets = CASES[type(model)]
    classes = {"classes": np.unique(targets)} if is_classifier else {}
    for _ in range(model.best_iter_):
        alone.partial_fit(rows, targets, sample_weight, **classes)
    return alone


@both_kinds
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_training_on_all_rows_for_the_best_number_of_epochs(kind, options):
    weight = np.random.default_rng(0).uniform(0, 2, 120)
    model = network(kind, **options).fit(*CASES[kind], sample_weight=weight)
    first = network(kind, **options, refit=False).fit(*CASES[kind], sample_weight=weight)
    expected = by_hand(model, weight)
    assert_same_bits(model, expected)
    assert model.n_iter_ == model.best_iter_ == first.best_iter_ > 1
    for name in ("loss_curve_", "loss_", "t_"):
        assert getattr(model, name) == getattr(expected, name)
    np.testing.assert_equal(without_seconds(model.history_), without_seconds(expected.history_))
    np.testing.assert_equal(
        without_seconds(model.history_before_refit_), without_seconds(first.history_)
    )
    for name in ("validation_scores_", "best_validation_score_", "best_loss_"):
        assert getattr(model, name) == getattr(first, name)
    assert not hasattr(first, "history_before_refit_")


def test_lbfgs():
    model = network(solver="lbfgs", max_iter=6).fit(X, y)
    alone = clone(model).set_params(**ALONE, max_iter=model.best_iter_).fit(X, y)
    assert_same_bits(model, alone)


@contextlib.contextmanager
def global_seed(seed):
    """Let NumPy's global generator, which random_state=None stands for, begin anew."""
    generator = np.random.mtrand._rand
    before = generator.get_state()
    generator.set_state(np.random.RandomState(seed).get_state())
    yield
    generator.set_state(before)


@pytest.mark.parametrize("make", [lambda: np.random.RandomState(3), lambda: None])
def test_random_numbers_begin_as_they_began(make):
    with global_seed(3):
        model = network(random_state=make()).fit(X, y)
    alone = clone(model).set_params(**ALONE, random_state=np.random.RandomState(3))
    for _ in range(model.best_iter_):
        alone.partial_fit(X, y, classes=[0, 1, 2])
    assert_same_bits(model, alone)


def test_what_is_fitted_besides_stays():
    rows, targets = CASES[MLPRegressor]
    model = network(MLPRegressor, normalize_y=True, clip_output=True).fit(rows, targets)
    first = network(MLPRegressor, normalize_y=True, clip_output=True, refit=False)
    first.fit(rows, targets)
    assert (model.y_mean_, model.y_max_) == (first.y_mean_, first.y_max_)
    calibrated = network(calibrate=True).fit(X, y)
    assert calibrated.temperature_ == network(calibrate=True, refit=False).fit(X, y).temperature_
    assert_same_bits(calibrated, network().fit(X, y))
    assert calibrated.get_params() == network(calibrate=True).get_params()
    assert calibrated.early_stopping
    assert network(validation_fraction=TimeSeriesSplit(2)).fit(X, y).t_ % len(y) == 0


def test_pickles_and_further_training():
    model = pickle.loads(pickle.dumps(network().fit(X, y)))
    expected = by_hand(model)
    model.set_params(**ALONE, warm_start=True, max_iter=3)
    model.fit(X, y)
    for _ in range(3):
        expected.partial_fit(X, y)
    # Pickles do not keep the optimizer, unless training is meant to go on.
    assert len(model.loss_curve_) == len(expected.loss_curve_)
    in_one_process = network().fit(X, y).set_params(**ALONE)
    for _ in range(3):
        in_one_process.partial_fit(X, y)
    assert_same_bits(in_one_process, expected)
    assert in_one_process.loss_curve_ == expected.loss_curve_
    assert not hasattr(clone(model).fit(X, y), "history_before_refit_")
    assert not hasattr(in_one_process.fit(X, y), "history_before_refit_")


@pytest.mark.parametrize("twin", [lambda model: model, lambda m: pickle.loads(pickle.dumps(m))])
def test_further_early_stopping_compares_scores_of_the_new_network_alone(twin):
    model = twin(network().fit(X, y))
    n_before = len(model.validation_scores_)
    worse = {"solver": "sgd", "learning_rate_init": 1.0, "alpha": 100.0, "momentum": 0.0}
    model.set_params(refit=False, warm_start=True, max_iter=4, scoring="loss", **worse)
    model.best_validation_score_ = 2.0  # better than all to come
    model.fit(X, y)
    scores = model.validation_scores_[n_before:]
    assert model.best_validation_score_ == max(scores)
    assert model.best_iter_ == len(model.loss_curve_) - len(scores) + 1 + np.argmax(scores)


def test_verbose_tells_of_both(capsys):
    model = network(verbose=1).fit(X, y)
    printed = capsys.readouterr().out
    assert f"Training anew on all 120 rows for {model.n_iter_} epochs." in printed
    assert printed.count("Iteration ") == model.n_iter_ + len(model.validation_scores_)


def test_options_that_it_cannot_repeat():
    with pytest.raises(ValueError, match=r"refit=True.*warm_start=True.*set one of them to False"):
        network(warm_start=True).fit(X, y)
    for settings in ({"learning_rate": "plateau"}, {"learning_rate": "adaptive", "solver": "sgd"}):
        with pytest.raises(ValueError, match=r"refit=True.*learning_rate='\w+' could be lowered"):
            network(**settings).fit(X, y)
    assert network(learning_rate="adaptive").fit(X, y).n_iter_ > 0  # without effect with 'adam'


def test_given_validation_rows_are_not_trained_on():
    given = {"X_val": X[:40], "y_val": y[:40]}
    with pytest.warns(UserWarning, match=r"^refit=True has no effect with X_val\.$"):
        model = network().fit(X[40:], y[40:], **given)
    assert_same_training(model, network(refit=False).fit(X[40:], y[40:], **given))


def test_a_search():
    search = GridSearchCV(network(), {"refit": [False, True]}, cv=2).fit(X, y)
    assert hasattr(search.best_estimator_, "history_before_refit_") == search.best_params_["refit"]


# ---- callbacks and interrupts --------------------------------------------------------------------


class Interruption:
    """Raise KeyboardInterrupt as the second training begins."""

    def __init__(self, monkeypatch):
        make = MLPClassifier._make_training

        def interrupt(estimator, *arguments, **options):
            training = make(estimator, *arguments, **options)
            if not estimator.early_stopping:
                training.run = self._interrupt
            return training

        monkeypatch.setattr(MLPClassifier, "_make_training", interrupt)

    def _interrupt(self, *arguments, **options):
        raise KeyboardInterrupt


def test_an_interrupt_leaves_the_first_training(monkeypatch):
    expected = network(refit=False, calibrate=True).fit(X, y)
    Interruption(monkeypatch)
    model = network(calibrate=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_same_training(model, expected)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.early_stopping


def test_checkpoints(tmp_path, monkeypatch):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "checkpoint"
    whole = network(calibrate=True).fit(X, y)

    def watched():
        return network(calibrate=True).set_callbacks(Checkpoint(path))

    with monkeypatch.context() as patch:
        Interruption(patch)
        with pytest.raises(KeyboardInterrupt):
            watched().fit(X, y)
    resumed = Checkpoint.resume(path, watched()).fit(X, y)
    finished = Checkpoint.resume(path, watched()).fit(X, y)
    for model in (resumed, finished):
        assert_same_training(model, whole)
        assert model.temperature_ == whole.temperature_
        assert len(model.history_before_refit_["loss"]) == len(whole.history_before_refit_["loss"])
    longer = Checkpoint.resume(path, watched().set_params(max_iter=60)).fit(X, y)
    assert_same_training(longer, whole)


def test_a_limit_of_time_leaves_the_first_training():
    pytest.importorskip("sklearn.callback")
    model = network().set_callbacks(TimeLimit(0)).fit(X, y)
    assert model.n_iter_ == 1
    assert not hasattr(model, "history_before_refit_")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 1000}, "it is clipped"),
        ({"batch_size": 4, "batch_norm": True}, "fewer than"),
    ],
)
def test_what_is_said_of_minibatches_is_said_once(settings, message):
    with pytest.warns(UserWarning, match=message) as caught:
        network(**settings).fit(X, y)
    assert len([warning for warning in caught if message in str(warning.message)]) == 1
