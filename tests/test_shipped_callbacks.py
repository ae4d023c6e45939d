"""The package's callbacks: what they watch, when they stop, what they leave on the estimator."""

import copy
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest
from fruits import NAMES, NUMBERS, TARGETS, X
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, make_scorer, mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from sknn import MLPClassifier, MLPRegressor
from sknn.callbacks import Checkpoint, EarlyStopping, History, LearningCurve, TimeLimit

pytest.importorskip("sklearn.callback")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

SETTINGS = {"hidden_layer_sizes": 6, "max_iter": 5, "random_state": 0}
LONG = {**SETTINGS, "max_iter": 80, "learning_rate_init": 0.1, "n_iter_no_change": np.inf}
X_TRAIN, X_VAL, N_TRAIN, N_VAL = X[::2], X[1::2], NAMES[::2], NAMES[1::2]
EVERY_CALLBACK = [
    EarlyStopping("neg_log_loss", patience=2),
    TimeLimit(1000),
    History(["accuracy"]),
    LearningCurve(),
]


def attributes_of(estimator):
    return set(vars(estimator)) - {"_skl_callbacks"}


def assert_same_network(one, other):
    for mine, reference in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        np.testing.assert_array_equal(mine, reference)


def losses_of_prefixes(settings, n_epochs, X_val, y_val):
    """Return the log loss of networks trained for 1, 2, ... epochs."""
    networks = [
        MLPClassifier(**{**settings, "max_iter": n}).fit(X_TRAIN, N_TRAIN)
        for n in range(1, n_epochs + 1)
    ]
    return [log_loss(y_val, network.predict_proba(X_val)) for network in networks], networks


# ---- early stopping ----------------------------------------------------------------------------


@pytest.mark.parametrize("on_validation", [True, False])
def test_early_stopping_by_the_losses_of_networks_trained_one_by_one(on_validation):
    samples = (X_VAL, N_VAL) if on_validation else (X_TRAIN, N_TRAIN)
    settings = {**LONG, "max_iter": 25, "learning_rate_init": 0.3}
    losses, networks = losses_of_prefixes(settings, 25, *samples)
    best = 0
    for epoch, loss in enumerate(losses):
        best = epoch if loss < losses[best] else best
        if epoch - best == 2:
            break
    assert epoch < 24
    given = {"X_val": X_VAL, "y_val": N_VAL} if on_validation else {}
    network = MLPClassifier(**settings).set_callbacks(EarlyStopping("neg_log_loss", patience=2))
    network.fit(X_TRAIN, N_TRAIN, **given)
    assert network.n_iter_ == epoch + 1
    assert network.best_iter_ == best + 1
    assert_same_network(network, networks[best])
    network.set_callbacks(EarlyStopping("neg_log_loss", patience=2, restore_best=False))
    assert_same_network(network.fit(X_TRAIN, N_TRAIN, **given), networks[epoch])


def test_early_stopping_needs_an_improvement_by_more_than_min_delta():
    network = MLPRegressor(**LONG).set_callbacks(EarlyStopping("loss", patience=3, min_delta=1e6))
    assert network.fit(X, NUMBERS).n_iter_ == 4
    assert network.best_iter_ == 1


@pytest.mark.parametrize(
    ("metric", "better"),
    [
        (mean_squared_error, None),
        (lambda y_true, y_pred: np.mean((y_true - y_pred) ** 2), False),
        (lambda y_true, y_pred: -np.mean((y_true - y_pred) ** 2), True),
        (lambda estimator, X, y: -np.mean((y - estimator.predict(X)) ** 2), None),
        (make_scorer(mean_squared_error, greater_is_better=False), None),
        ("neg_mean_squared_error", None),
        (None, None),  # R^2 of the same samples
    ],
)
def test_metrics_and_scorers_mean_the_same(metric, better):
    def fitted(callback):
        return (
            MLPRegressor(**LONG)
            .set_callbacks(callback)
            .fit(X[::2], NUMBERS[::2], X_val=X[1::2], y_val=NUMBERS[1::2])
        )

    network = fitted(EarlyStopping(metric, patience=2, greater_is_better=better))
    reference = fitted(EarlyStopping("neg_root_mean_squared_error", patience=2))
    assert network.n_iter_ == reference.n_iter_ < 80
    assert_same_network(network, reference)


def test_early_stopping_with_held_out_rows_watches_these():
    network = MLPClassifier(**LONG, early_stopping=True, restore_best=False)
    reference = clone(network).set_params(scoring="loss").fit(X, NAMES)
    network.set_callbacks(EarlyStopping("loss", patience=80)).fit(X, NAMES)
    best = 1 + int(np.argmin(reference.history_["val_loss"]))
    assert network.best_iter_ == best
    assert_same_network(
        network, clone(network).set_callbacks().set_params(max_iter=best).fit(X, NAMES)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_early_stopping_by_a_metric_that_is_not_finite_is_reported(value):
    def undefined(estimator, X, y):
        return value

    network = MLPRegressor(**SETTINGS).set_callbacks(EarlyStopping(undefined, patience=2))
    with pytest.warns(ConvergenceWarning, match=r"metric of EarlyStopping.* after 2 epochs"):
        network.fit(X, NUMBERS)
    assert network.n_iter_ == 2


def test_early_stopping_with_lbfgs():
    network = MLPRegressor(**{**LONG, "max_iter": 60}, solver="lbfgs", tol=0)
    network.set_callbacks(EarlyStopping("r2", patience=3))
    network.fit(X[::2], NUMBERS[::2], X_val=X[1::2], y_val=NUMBERS[1::2])
    scores = network.history_["val_score"]
    assert network.best_iter_ == 1 + int(np.argmax(scores))
    assert network.score(X[1::2], NUMBERS[1::2]) == pytest.approx(max(scores), rel=1e-12)


def test_training_goes_on_from_the_last_weights_not_the_restored_ones():
    settings = {**LONG, "max_iter": 6, "warm_start": True}
    network = MLPClassifier(**settings).set_callbacks(EarlyStopping("neg_log_loss"))
    network.fit(X_TRAIN, N_TRAIN, X_val=X_VAL, y_val=N_VAL)
    whole = MLPClassifier(**{**LONG, "max_iter": 12}).fit(X_TRAIN, N_TRAIN)
    assert_same_network(network.set_callbacks().fit(X_TRAIN, N_TRAIN), whole)


@pytest.mark.parametrize(
    "arguments",
    [
        {"patience": 0},
        {"patience": 1.5},
        {"min_delta": -1},
        {"min_delta": "small"},
        {"metric": 3},
        {"metric": "no scorer"},
        {"metric": lambda y_true, y_pred: 0.0},
    ],
    ids=str,
)
def test_bad_arguments_of_early_stopping(arguments):
    [name] = arguments
    with pytest.raises(ValueError, match="greater_is_better|scoring|" + name):
        EarlyStopping(**arguments)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TimeLimit(-1),
        lambda: TimeLimit("1h"),
        lambda: Checkpoint(3),
        lambda: Checkpoint("x", every_epochs=0),
        lambda: Checkpoint("x", every_seconds=-1),
        lambda: LearningCurve(None),
        lambda: History("accuracy"),
        lambda: History(["loss"]),
        lambda: History([make_scorer(accuracy_score)]),
        lambda: History({"a": 1}),
    ],
)
def test_bad_arguments_of_the_others(make):
    with pytest.raises(ValueError, match=r"must|metrics"):
        make()


# ---- the other callbacks -----------------------------------------------------------------------


def test_time_limit(monkeypatch):
    clock = iter(range(1000))
    fake = types.SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr("sknn.callbacks.stopping.time", fake)
    network = MLPRegressor(**SETTINGS).set_callbacks(TimeLimit(3)).fit(X, NUMBERS)
    assert network.n_iter_ == 3
    assert network.set_callbacks(TimeLimit(0)).fit(X, NUMBERS).n_iter_ == 1


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_history_of_metrics(solver):
    network = MLPClassifier(**SETTINGS, solver=solver).set_callbacks(
        History(["accuracy", accuracy_score]), History({"cross_entropy": "neg_log_loss"})
    )
    history = network.fit(X_TRAIN, N_TRAIN, X_val=X_VAL, y_val=N_VAL).history_
    names = ("accuracy", "accuracy_score", "cross_entropy")
    assert set(history) - set(clone(network).set_callbacks().fit(X, NAMES).history_) == {
        *names,
        *(f"val_{name}" for name in names),
    }
    assert history["accuracy"] == history["accuracy_score"]
    assert history["val_accuracy"] == history["val_score"]
    for epoch in (0, 4):
        prefix = MLPClassifier(**{**SETTINGS, "max_iter": epoch + 1}, solver=solver)
        prefix.fit(X_TRAIN, N_TRAIN)
        assert history["accuracy"][epoch] == prefix.score(X_TRAIN, N_TRAIN)
        assert -history["val_cross_entropy"][epoch] == pytest.approx(
            log_loss(N_VAL, prefix.predict_proba(X_VAL)), rel=1e-12
        )


@pytest.mark.parametrize("kind", TARGETS)
def test_history_of_the_rows_that_are_trained_on(kind):
    network = kind(**SETTINGS, early_stopping=True, restore_best=False)
    network.set_callbacks(History()).fit(X, TARGETS[kind])
    rows = network._training_state.split[0]
    name = "accuracy" if kind is MLPClassifier else "r2"
    assert network.history_[name][-1] == network.score(X[rows], TARGETS[kind][rows])
    assert network.history_[f"val_{name}"] == network.validation_scores_


def test_history_has_nan_for_epochs_without_the_callback():
    network = MLPClassifier(**{**SETTINGS, "max_iter": 2}, warm_start=True).fit(X, NAMES)
    network.set_callbacks(History()).fit(X, NAMES)
    network.set_callbacks().fit(X, NAMES).partial_fit(X, NAMES)
    assert [value == value for value in network.history_["accuracy"]] == [
        *(False, False, True, True, False, False, False)
    ]
    assert set(map(len, network.history_.values())) == {7}


def test_metrics_of_an_epoch_that_diverged_are_nan():
    settings = {**SETTINGS, "max_iter": 20, "solver": "sgd", "learning_rate_init": 0.1}
    network = MLPRegressor(**settings).set_callbacks(History(), EarlyStopping(patience=100))
    with pytest.warns(UserWarning, match="non-finite"):
        network.fit(X, NUMBERS)
    assert np.isnan(network.history_["r2"][-1])
    assert not np.isnan(network.history_["r2"][:-1]).any()
    assert np.isfinite(network.coefs_[0]).all()


class Notebook:
    """Stands in for IPython in a notebook: keeps what is shown."""

    kernel = "is there"

    def __init__(self):
        self.pictures = []
        display = types.SimpleNamespace(Image=bytes, display=self.display)
        self.modules = {
            "IPython": types.SimpleNamespace(
                get_ipython=lambda: self, display=display, version_info=(9, 0)
            ),
            "IPython.display": display,
        }

    def display(self, picture, *, display_id):
        assert display_id
        self.pictures.append([picture])
        return types.SimpleNamespace(update=self.pictures[-1].append)


@pytest.mark.parametrize(("every_seconds", "n_pictures"), [(0, 6), (1000, 2)])
def test_learning_curve_in_a_notebook(every_seconds, n_pictures, monkeypatch):
    pytest.importorskip("matplotlib")
    notebook = Notebook()
    for name, module in notebook.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    network = MLPClassifier(**SETTINGS).set_callbacks(LearningCurve(every_seconds))
    network.fit(X, NAMES).fit(X, NAMES)
    assert [len(pictures) for pictures in notebook.pictures] == 2 * [n_pictures]
    assert all(
        picture.startswith(b"\x89PNG") for pictures in notebook.pictures for picture in pictures
    )
    assert notebook.pictures[0][0] != notebook.pictures[0][-1]


# ---- at home in scikit-learn -------------------------------------------------------------------


def test_callbacks_leave_nothing_but_the_record():
    silent = MLPClassifier(**SETTINGS).fit(X, NAMES)
    watched = MLPClassifier(**SETTINGS).set_callbacks(*EVERY_CALLBACK).fit(X, NAMES)
    assert attributes_of(watched) == attributes_of(silent)
    loaded = pickle.loads(pickle.dumps(watched))
    for twin in (loaded, copy.deepcopy(watched), clone(watched).fit(X, NAMES)):
        assert repr(twin._skl_callbacks) == repr(EVERY_CALLBACK)
        np.testing.assert_array_equal(twin.predict(X), watched.predict(X))


def test_one_callback_in_many_fits():
    callback = EarlyStopping("neg_log_loss", patience=3)
    before = pickle.dumps(callback)
    given = {"X_val": X_VAL, "y_val": N_VAL}
    alone = [
        MLPClassifier(**{**LONG, "random_state": seed})
        .set_callbacks(EarlyStopping("neg_log_loss", patience=3))
        .fit(X_TRAIN, N_TRAIN, **given)
        for seed in range(3)
    ]
    shared = MLPClassifier(**LONG).set_callbacks(callback)
    for seed, reference in enumerate(alone):
        shared.set_params(random_state=seed).fit(X_TRAIN, N_TRAIN, **given)
        assert shared.n_iter_ == reference.n_iter_
        assert_same_network(shared, reference)
    assert pickle.dumps(callback) == before


@pytest.mark.filterwarnings("ignore")  # convergence in the workers
@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_callbacks_in_a_pipeline_in_a_search(backend, tmp_path):
    checkpoint = Checkpoint(tmp_path / "training", every_epochs=20)
    network = MLPClassifier(**LONG, early_stopping=True)
    network.set_callbacks(*EVERY_CALLBACK, checkpoint)
    pipeline = make_pipeline(StandardScaler(), network)
    grid = {"mlpclassifier__alpha": [1e-4, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise")
    with parallel_config(backend=backend):
        search.fit(X, NAMES)
    found = search.best_estimator_[-1]
    alone = clone(network).set_params(alpha=search.best_params_["mlpclassifier__alpha"])
    assert_same_network(found, alone.fit(StandardScaler().fit_transform(X), NAMES))
    assert "accuracy" in found.history_
    assert found.n_iter_ < 80
    assert [path.name for path in tmp_path.iterdir()] == ["training"]


def test_callbacks_in_a_pipeline():
    network = MLPClassifier(**LONG).set_callbacks(EarlyStopping(patience=3), History())
    pipeline = make_pipeline(StandardScaler(), network).fit(X, NAMES)
    alone = clone(network).fit(StandardScaler().fit_transform(X), NAMES)
    assert_same_network(pipeline[-1], alone)
    assert max(alone.history_["accuracy"]) == pipeline.score(X, NAMES)


@pytest.mark.parametrize("callback", EVERY_CALLBACK, ids=repr)
def test_callbacks_must_be_set_on_a_network(callback):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**SETTINGS)).set_callbacks(callback)
    with pytest.raises(TypeError, match=r"must be set on an MLPClassifier .* not on a Pipeline"):
        pipeline.fit(X, NAMES)


def broken_metric(y_true, y_pred):
    raise KeyError("the metric is broken")


@pytest.mark.parametrize(
    "callback", [EarlyStopping(broken_metric, greater_is_better=True), History([broken_metric])]
)
def test_a_callback_that_raises_keeps_the_old_fit(callback):
    network = MLPClassifier(**SETTINGS).fit(X, NAMES)
    before = dict(vars(network))
    with pytest.raises(KeyError, match="the metric is broken"):
        network.set_params(alpha=1.0).set_callbacks(callback).fit(X, NAMES)
    assert vars(network).pop("_skl_callbacks") == [callback]
    assert vars(network.set_params(alpha=0.0001)) == before


class TornDownBadly(TimeLimit):
    def teardown(self, estimator, context):
        raise RuntimeError("raised in the teardown")


def test_a_callback_that_raises_in_its_teardown_keeps_the_old_fit():
    network = MLPClassifier(**SETTINGS).fit(X, NAMES)
    old = copy.copy(network)
    with pytest.raises(RuntimeError, match="raised in the teardown"):
        network.set_params(max_iter=2).set_callbacks(TornDownBadly(9)).fit(X, NAMES)
    assert network.n_iter_ == 5
    assert_same_network(network, old)
    assert attributes_of(network) == attributes_of(old)


class Interruption(TimeLimit):
    def _end_epoch(self, fit):
        if fit.record.n_epochs == 3:
            raise KeyboardInterrupt
        fit.end_with(fit.record.n_epochs, fit.training.network.flat.copy())


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_in_a_callback_keeps_the_last_finished_epoch(solver):
    network = MLPClassifier(**SETTINGS, solver=solver).set_callbacks(Interruption(9))
    with pytest.raises(KeyboardInterrupt):
        network.fit(X, NAMES)
    two = MLPClassifier(**{**SETTINGS, "max_iter": 2}, solver=solver).fit(X, NAMES)
    assert_same_network(network, two)
    assert network.n_iter_ == network.best_iter_ == 2
    assert attributes_of(network) == attributes_of(two)


WITHOUT_CALLBACKS = """
import sys, sklearn, sklearn.pipeline, sklearn.model_selection
sklearn.__version__ = "1.6.1"
sys.modules["sklearn.callback"] = None
import sknn, sknn.callbacks
try:
    sknn.MLPClassifier().set_callbacks(sknn.callbacks.TimeLimit(1))
except ImportError as error:
    print(error)
"""


def test_before_scikit_learn_1_9_an_error_says_so():
    command = [sys.executable, "-c", WITHOUT_CALLBACKS]
    folder = next(iter(sknn.__path__)) + "/.."
    output = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert output.startswith("set_callbacks needs scikit-learn 1.9 or later, and this is 1.6.1")


# ---- early_stopping='auto' ---------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_automatic_early_stopping(solver):
    given = {"X_val": X_VAL, "y_val": N_VAL}
    settings = {**SETTINGS, "solver": solver, "scoring": "neg_log_loss", "max_iter": 30}
    automatic = MLPClassifier(**settings, early_stopping="auto")
    explicit = MLPClassifier(**settings, early_stopping=True).fit(X_TRAIN, N_TRAIN, **given)
    assert_same_network(automatic.fit(X_TRAIN, N_TRAIN, **given), explicit)
    assert automatic.validation_scores_ == explicit.validation_scores_
    without = MLPClassifier(**{**settings, "scoring": None}).fit(X_TRAIN, N_TRAIN)
    with pytest.warns(UserWarning, match="scoring='neg_log_loss' has no effect"):
        automatic.fit(X_TRAIN, N_TRAIN)
    assert_same_network(automatic, without)
    assert automatic.validation_scores_ is None
    if solver == "adam":
        automatic.set_params(scoring=None).partial_fit(X_TRAIN, N_TRAIN)


@pytest.mark.parametrize(
    ("loss", "name"),
    [("squared_error", "r2"), ("huber", "r2"), ("quantile", "neg_mean_pinball_loss")],
)
def test_history_names_the_score_of_the_network(loss, name):
    network = MLPRegressor(loss, **SETTINGS).set_callbacks(History()).fit(X, NUMBERS)
    assert network.history_[name][-1] == network.score(X, NUMBERS)
