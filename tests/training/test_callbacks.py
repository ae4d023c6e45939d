"""scikit-learn's callbacks: told of the fit and of every epoch, able to stop training, and gone
when it ends."""

import copy
import pickle

import numpy as np
import pytest
from fruits import CODES, NAMES, NUMBERS, TARGETS, X
from joblib import parallel_config
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier, MLPRegressor

callbacks = pytest.importorskip("sklearn.callback")

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

SETTINGS = {"hidden_layer_sizes": 6, "max_iter": 5, "random_state": 0}
both_kinds = pytest.mark.parametrize("kind", TARGETS)
every_solver = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])


class Recorder:
    """Write down every call; on request stop in, or raise from, one of them."""

    def __init__(self, *, stop_in=None, raise_in=None):
        self.stop_in = stop_in
        self.raise_in = raise_in
        self.calls = []
        self.details = []

    def _note(self, hook, context, **details):
        self.calls.append((hook, context.task_name, context.task_id))
        self.details.append(details)
        if self.raise_in == self.calls[-1]:
            raise RuntimeError("raised by the callback")
        return self.stop_in == self.calls[-1]

    def setup(self, estimator, context):
        self._note("setup", context)

    def on_fit_task_begin(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self._note("begin", context, X=X, y=y, metadata=metadata, fitted_estimator=fitted_estimator)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        return self._note(
            "end", context, X=X, y=y, metadata=metadata, fitted_estimator=fitted_estimator
        )

    def teardown(self, estimator, context):
        self._note("teardown", context)

    def fitted_after_epochs(self):
        details = zip(self.calls, self.details, strict=True)
        return [
            detail["fitted_estimator"]
            for (hook, task, _), detail in details
            if (hook, task) == ("end", "epoch")
        ]


def expected_calls(n_epochs):
    epochs = [(hook, "epoch", epoch) for epoch in range(n_epochs) for hook in ("begin", "end")]
    return [
        ("setup", "fit", 0),
        ("begin", "fit", 0),
        *epochs,
        ("end", "fit", 0),
        ("teardown", "fit", 0),
    ]


def attributes_of(estimator):
    return set(vars(estimator)) - {"_skl_callbacks"}


def assert_same_network(one, other):
    for mine, reference in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        np.testing.assert_array_equal(mine, reference)


# ---- what callbacks are told -------------------------------------------------------------------


@both_kinds
@every_solver
@pytest.mark.parametrize("early_stopping", [False, True])
def test_one_task_a_fit_and_one_subtask_an_epoch(kind, solver, early_stopping):
    recorder = Recorder()
    network = (
        kind(solver=solver, early_stopping=early_stopping, **SETTINGS)
        .set_callbacks(recorder)
        .fit(X, TARGETS[kind])
    )
    assert recorder.calls == expected_calls(network.n_iter_)
    assert network.n_iter_ == 5


def test_several_callbacks_are_told_in_turn():
    recorders = [Recorder(), Recorder()]
    MLPRegressor(**SETTINGS).set_callbacks(*recorders).fit(X, NUMBERS)
    assert recorders[0].calls == recorders[1].calls == expected_calls(5)


@both_kinds
@every_solver
def test_callbacks_do_not_change_training(kind, solver):
    network = kind(solver=solver, **SETTINGS)
    silent = clone(network).fit(X, TARGETS[kind])
    watched = clone(network).set_callbacks(Recorder()).fit(X, TARGETS[kind])
    assert_same_network(watched, silent)
    assert watched.loss_curve_ == silent.loss_curve_


@both_kinds
def test_callbacks_get_the_data_as_it_was_given(kind):
    recorder = Recorder()
    table = X.tolist()
    weight = np.linspace(1, 2, 90)
    kind(**SETTINGS).set_callbacks(recorder).fit(table, TARGETS[kind], sample_weight=weight)
    for (hook, *_), details in zip(recorder.calls, recorder.details, strict=True):
        if hook in ("begin", "end"):
            assert details["X"] is table
            assert details["y"] is TARGETS[kind]  # with its original labels
            assert list(details["metadata"]) == ["sample_weight"]
            assert details["metadata"]["sample_weight"] is weight


@both_kinds
@every_solver
def test_fitted_estimator_predicts_as_if_training_had_stopped_there(kind, solver):
    recorder = Recorder()
    network = kind(solver=solver, **SETTINGS).set_callbacks(recorder).fit(X, TARGETS[kind])
    snapshots = recorder.fitted_after_epochs()
    assert len(snapshots) == 5
    for epoch, snapshot in enumerate(snapshots, start=1):
        stopped = kind(solver=solver, **{**SETTINGS, "max_iter": epoch}).fit(X, TARGETS[kind])
        assert_same_network(snapshot, stopped)
        np.testing.assert_array_equal(snapshot.predict(X), stopped.predict(X))
        assert snapshot.score(X, TARGETS[kind]) == stopped.score(X, TARGETS[kind])
    assert snapshots[0] is not network
    np.testing.assert_array_equal(snapshots[-1].predict(X), network.predict(X))


def test_the_first_task_begins_with_the_starting_weights():
    recorder = Recorder()
    network = MLPRegressor(**SETTINGS).set_callbacks(recorder).fit(X, NUMBERS)
    started = recorder.details[recorder.calls.index(("begin", "epoch", 0))]["fitted_estimator"]
    generator = np.random.RandomState(0)
    bound = np.sqrt(6 / (4 + 6))
    np.testing.assert_array_equal(started.coefs_[0], generator.uniform(-bound, bound, (4, 6)))
    assert not np.array_equal(started.predict(X), network.predict(X))


def test_the_next_task_begins_where_the_last_one_ended():
    recorder = Recorder()
    MLPRegressor(**SETTINGS).set_callbacks(recorder).fit(X, NUMBERS)
    for epoch in range(4):
        ended = recorder.details[recorder.calls.index(("end", "epoch", epoch))]["fitted_estimator"]
        begun = recorder.details[recorder.calls.index(("begin", "epoch", epoch + 1))][
            "fitted_estimator"
        ]
        assert_same_network(ended, begun)


class Watcher(Recorder):
    """Read the record of training in every epoch."""

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            assert len(estimator.loss_curve_) == estimator.n_iter_ == context.task_id + 1
            assert estimator.history_["epoch"][-1] == estimator.n_iter_
            self.calls.append(estimator.loss_)


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_estimators_record_is_up_to_date_in_every_epoch(kind, solver):
    watcher = Watcher()
    network = kind(solver=solver, **SETTINGS).set_callbacks(watcher).fit(X, TARGETS[kind])
    assert [call for call in watcher.calls if isinstance(call, float)] == network.loss_curve_


# ---- stopping ----------------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_callback_may_stop_training(kind, solver, early_stopping):
    recorder = Recorder(stop_in=("end", "epoch", 2))
    settings = {**SETTINGS, "solver": solver, "early_stopping": early_stopping}
    network = kind(**settings).set_callbacks(recorder).fit(X, TARGETS[kind])
    assert recorder.calls == expected_calls(3)
    assert network.n_iter_ == len(network.loss_curve_) == 3
    if solver != "lbfgs":
        assert_same_network(network, kind(**{**settings, "max_iter": 3}).fit(X, TARGETS[kind]))


def test_a_stopped_fit_does_not_warn_of_convergence(recwarn):
    MLPRegressor(**SETTINGS).set_callbacks(Recorder(stop_in=("end", "epoch", 2))).fit(X, NUMBERS)
    assert not recwarn.list


def test_training_that_was_stopped_can_go_on():
    settings = {**SETTINGS, "warm_start": True, "max_iter": 3}
    network = (
        MLPRegressor(**settings)
        .set_callbacks(Recorder(stop_in=("end", "epoch", 1)))
        .fit(X, NUMBERS)
    )
    network.set_callbacks().fit(X, NUMBERS)
    assert_same_network(network, MLPRegressor(**SETTINGS).fit(X, NUMBERS))


# ---- leaving nothing behind --------------------------------------------------------------------


@both_kinds
def test_no_state_of_callbacks_stays_on_the_estimator(kind):
    silent = kind(**SETTINGS).fit(X, TARGETS[kind])
    watched = kind(**SETTINGS).set_callbacks(Recorder()).fit(X, TARGETS[kind])
    assert attributes_of(watched) == attributes_of(silent)
    assert vars(watched.set_callbacks()).keys() == vars(silent).keys()
    assert pickle.loads(pickle.dumps(watched)).predict(X).tolist() == silent.predict(X).tolist()


def test_partial_fit_does_not_call_callbacks():
    recorder = Recorder()
    network = MLPRegressor(**SETTINGS).set_callbacks(recorder)
    network.partial_fit(X, NUMBERS)
    assert recorder.calls == []
    assert_same_network(network, MLPRegressor(**{**SETTINGS, "max_iter": 1}).fit(X, NUMBERS))


def test_callbacks_are_told_of_every_fit_anew():
    recorder = Recorder()
    network = MLPRegressor(warm_start=True, **SETTINGS).set_callbacks(recorder)
    network.fit(X, NUMBERS).fit(X, NUMBERS)
    assert recorder.calls == 2 * expected_calls(5)


@both_kinds
@every_solver
@pytest.mark.parametrize(
    "hook",
    [
        ("setup", "fit", 0),
        ("begin", "fit", 0),
        ("end", "epoch", 0),
        ("begin", "epoch", 3),
        ("end", "fit", 0),
    ],
    ids=str,
)
def test_an_error_in_a_callback_ends_the_fit(kind, solver, hook):
    recorder = Recorder(raise_in=hook)
    network = kind(solver=solver, **SETTINGS).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="raised by the callback"):
        network.fit(X, TARGETS[kind])
    assert recorder.calls[-1] == ("teardown", "fit", 0)
    assert ("end", "fit", 0) not in recorder.calls[:-2]
    assert attributes_of(network) == set(network.get_params())


def test_teardown_follows_training_that_was_stopped():
    recorder = Recorder(stop_in=("end", "epoch", 0))
    MLPRegressor(**SETTINGS).set_callbacks(recorder).fit(X, NUMBERS)
    assert recorder.calls[-1] == ("teardown", "fit", 0)


def test_callbacks_are_not_called_for_unusable_data():
    recorder = Recorder()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        MLPRegressor(**SETTINGS).set_callbacks(recorder).fit(X, NUMBERS[:-1])
    assert recorder.calls == []


# ---- snapshots ---------------------------------------------------------------------------------


class Keeper(Recorder):
    """Keep what every epoch's estimator is as a pickle."""

    def __getstate__(self):
        return {}

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.calls.append(pickle.dumps(fitted_estimator))


@both_kinds
def test_fitted_estimators_can_be_stored(kind):
    keeper = Keeper()
    network = kind(**SETTINGS).set_callbacks(keeper).fit(X, TARGETS[kind])
    stored = [call for call in keeper.calls if isinstance(call, bytes)]
    assert len(stored) == 6
    np.testing.assert_array_equal(pickle.loads(stored[-1]).predict(X), network.predict(X))
    first = kind(**{**SETTINGS, "max_iter": 1}).fit(X, TARGETS[kind])
    np.testing.assert_array_equal(pickle.loads(stored[0]).predict(X), first.predict(X))


@pytest.mark.parametrize(
    "change",
    [{"alpha": 1.0}, {"activation": "tanh"}, {"solver": "lbfgs"}, {"dtype": "float32"}],
    ids=str,
)
def test_fitted_estimators_of_a_second_fit(change):
    recorder = Recorder()
    network = MLPClassifier(**SETTINGS).fit(X, CODES)
    network.set_params(**change).set_callbacks(recorder).fit(X, NAMES)
    reference = MLPClassifier(**{**SETTINGS, **change}).fit(X, NAMES)
    assert_same_network(network, reference)
    np.testing.assert_array_equal(
        recorder.fitted_after_epochs()[-1].predict_proba(X), reference.predict_proba(X)
    )


# ---- scikit-learn's own callbacks --------------------------------------------------------------


@both_kinds
@every_solver
def test_scoring_monitor(kind, solver):
    monitor = callbacks.ScoringMonitor(scoring="neg_log_loss" if kind is MLPClassifier else "r2")
    network = kind(solver=solver, **SETTINGS).set_callbacks(monitor).fit(X, TARGETS[kind])
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in rows] == list(range(5))
    name = "neg_log_loss" if kind is MLPClassifier else "r2"
    expected = (
        -log_loss(NAMES, network.predict_proba(X))
        if kind is MLPClassifier
        else network.score(X, NUMBERS)
    )
    assert rows[-1][name] == pytest.approx(expected, rel=1e-12)
    assert rows[-1][name] > rows[0][name]


def test_scoring_monitor_in_a_pipeline():
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier(**SETTINGS).set_callbacks(monitor)
    ).fit(X, NAMES)
    log = monitor.get_logs()
    assert log.estimator_name == "Pipeline"
    rows = [row for row in log.data if row["task_name"] == "epoch"]
    assert len(rows) == 5
    assert rows[-1]["accuracy"] == pipeline.score(X, NAMES)
    assert not hasattr(pipeline[-1], "_parent_callback_ctx")


@pytest.mark.filterwarnings("ignore")  # convergence in the workers
@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_scoring_monitor_in_a_grid_search(backend):
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    network = MLPClassifier(**SETTINGS).set_callbacks(monitor)
    search = GridSearchCV(network, {"alpha": [1e-4, 1.0]}, cv=3, n_jobs=2, error_score="raise")
    with parallel_config(backend=backend):
        search.fit(X, NAMES)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 5 * (2 * 3 + 1)
    assert attributes_of(search.best_estimator_) == attributes_of(
        MLPClassifier(**SETTINGS).fit(X, NAMES)
    )


class PropagatedRecorder(Recorder):
    """A recorder that meta-estimators hand on."""

    max_propagation_depth = None


def test_propagated_callbacks_see_the_epochs_inside_a_pipeline():
    recorder = PropagatedRecorder()
    pipeline = (
        make_pipeline(StandardScaler(), MLPClassifier(**SETTINGS))
        .set_callbacks(recorder)
        .fit(X, NAMES)
    )
    assert [call for call in recorder.calls if call[1] == "epoch"] == [
        call for call in expected_calls(5) if call[1] == "epoch"
    ]
    assert not hasattr(pipeline[-1], "_skl_callbacks")
    assert attributes_of(pipeline[-1]) == attributes_of(MLPClassifier(**SETTINGS).fit(X, NAMES))
    np.testing.assert_array_equal(
        recorder.fitted_after_epochs()[-1].predict(StandardScaler().fit_transform(X)),
        pipeline.predict(X),
    )


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_progress_bar(in_pipeline, capsys):
    pytest.importorskip("rich")
    network = MLPClassifier(**SETTINGS)
    estimator = make_pipeline(StandardScaler(), network) if in_pipeline else network
    estimator.set_callbacks(callbacks.ProgressBar()).fit(X, NAMES)
    shown = capsys.readouterr().out
    assert "MLPClassifier - fit" in shown
    assert "100%" in shown


def test_clones_share_callbacks_but_no_state():
    recorder = Recorder()
    network = MLPRegressor(**SETTINGS).set_callbacks(recorder)
    twins = [clone(network), clone(network)]
    for twin in twins:
        twin.fit(X, NUMBERS)
    assert recorder.calls == 2 * expected_calls(5)
    assert not hasattr(network, "coefs_")
    assert_same_network(*twins)
    assert copy.copy(twins[0]).predict(X).tolist() == twins[1].predict(X).tolist()
