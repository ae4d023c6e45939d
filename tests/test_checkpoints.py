"""Training goes on from a checkpoint with the same bits, wherever it was interrupted."""

import os
import pickle

import numpy as np
import pytest
from fruits import NAMES, NUMBERS, TARGETS, X
from kills import train_through_kills
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import Activation, MLPClassifier, MLPRegressor
from sknn.callbacks import Checkpoint, EarlyStopping, History, TimeLimit

pytest.importorskip("sklearn.callback")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

SETTINGS = {"hidden_layer_sizes": 6, "max_iter": 12, "random_state": 0}
CASES = [
    (MLPClassifier, {"dropout": 0.3, "batch_norm": True, "input_dropout": 0.1}),
    (MLPClassifier, {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.1}),
    (MLPClassifier, {"solver": "sgd", "learning_rate": "one_cycle", "momentum": (0.5, 0.9)}),
    (MLPClassifier, {"random_state": np.random.RandomState(5), "class_weight": "balanced"}),
    (MLPRegressor, {"solver": "nadam", "normalize_y": True, "batch_size": 17}),
    (MLPRegressor, {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1}),
    (MLPRegressor, {"dtype": "float32", "l1_ratio": 0.5, "shuffle": False}),
    (MLPClassifier, {"input_scale": 6.0, "skip": True, "parametrization": "ntk"}),
    (MLPClassifier, {"numeric_embedding": "pbld", "solver": "nadam"}),
    (MLPClassifier, {"numeric_embedding": "piecewise_linear"}),
]


class Interrupted(Exception):
    pass


class Interruption:
    """Raise when an epoch begins."""

    def __init__(self, epoch):
        self.epoch = epoch

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == self.epoch:
            raise Interrupted

    def on_fit_task_end(self, estimator, context):
        pass

    teardown = setup


def interrupt(estimator, epoch, y, **samples):
    """Fit until an epoch begins, which raises."""
    interrupted = clone(estimator)
    interrupted.set_callbacks(*interrupted._skl_callbacks, Interruption(epoch))
    with pytest.raises(Interrupted):
        interrupted.fit(X, y, **samples)


def assert_same(one, other):
    for name in ("coefs_", "intercepts_", "batch_norm_mean_"):
        for mine, reference in zip(getattr(one, name, []), getattr(other, name, []), strict=True):
            np.testing.assert_array_equal(mine, reference)
    for name in ("n_iter_", "t_", "loss_", "best_iter_", "best_loss_", "best_validation_score_"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.history_.keys() == other.history_.keys()
    for column in one.history_.keys() - {"seconds"}:
        np.testing.assert_array_equal(one.history_[column], other.history_[column], column)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_resumed_training_has_the_bits_of_uninterrupted_training(case, tmp_path):
    kind, settings = case
    path = tmp_path / "training"
    y = TARGETS[kind]

    def network():
        own = {name: pickle.loads(pickle.dumps(value)) for name, value in settings.items()}
        return kind(**{**SETTINGS, **own}).set_callbacks(Checkpoint(path))

    whole = network().fit(X, y)
    path.unlink()
    interrupt(network(), 5, y)
    resumed = Checkpoint.resume(path, network())
    assert resumed.n_iter_ == 5
    interrupted_again = network()
    interrupted_again = Checkpoint.resume(path, interrupted_again)
    interrupted_again.set_callbacks(Checkpoint(path), Interruption(2))
    with pytest.raises(Interrupted):
        interrupted_again.fit(X, y)
    again = Checkpoint.resume(path, network())
    assert again.n_iter_ == 7
    assert_same(resumed.fit(X, y), whole)
    assert_same(again.fit(X, y), whole)
    assert os.listdir(tmp_path) == ["training"]


def test_callbacks_go_on_too(tmp_path):
    path = tmp_path / "training"
    settings = {**SETTINGS, "max_iter": 200, "learning_rate_init": 0.1}
    validation = {"X_val": X[::3], "y_val": NAMES[::3]}
    network = MLPClassifier(**settings).set_callbacks(
        Checkpoint(path), EarlyStopping("neg_log_loss", patience=4), History(["accuracy"])
    )
    whole = clone(network).fit(X, NAMES, **validation)
    assert whole.best_iter_ == whole.n_iter_ - 4
    for epoch in (whole.best_iter_ + 2, whole.best_iter_, 1):
        path.unlink()
        interrupt(network, epoch, NAMES, **validation)
        assert_same(Checkpoint.resume(path, network).fit(X, NAMES, **validation), whole)


def test_training_that_has_ended_changes_nothing(tmp_path):
    path = tmp_path / "training"
    network = MLPClassifier(**{**SETTINGS, "max_iter": 100}, early_stopping=True)
    network.set_callbacks(Checkpoint(path), EarlyStopping(patience=1))
    whole = clone(network).fit(X, NAMES)
    resumed = Checkpoint.resume(path, network).fit(X, NAMES)
    assert_same(resumed, whole)
    np.testing.assert_array_equal(resumed.fit(X, NAMES).coefs_[0], whole.coefs_[0])  # anew


def test_more_epochs_after_the_end(tmp_path):
    path = tmp_path / "training"
    network = MLPRegressor(**SETTINGS).set_callbacks(Checkpoint(path), EarlyStopping(patience=50))
    whole = clone(network).set_params(max_iter=20).fit(X, NUMBERS)
    network.fit(X, NUMBERS)
    resumed = Checkpoint.resume(path, network.set_params(max_iter=20))
    assert_same(resumed.fit(X, NUMBERS), whole)


def test_a_time_limit_does_not_end_training(tmp_path):
    path = tmp_path / "training"
    network = MLPRegressor(**SETTINGS).set_callbacks(Checkpoint(path))
    whole = clone(network).fit(X, NUMBERS)
    limited = clone(network).set_callbacks(Checkpoint(path), TimeLimit(0))
    for n_epochs in range(1, 4):
        limited = limited if n_epochs == 1 else Checkpoint.resume(path, limited)
        assert limited.fit(X, NUMBERS).n_iter_ == n_epochs
    assert_same(Checkpoint.resume(path, network).fit(X, NUMBERS), whole)


@pytest.mark.parametrize("place", [0, 1])
def test_time_that_is_over_when_training_stops_by_itself(place, tmp_path):
    path = tmp_path / "training"
    reasons = [
        {"n_iter_no_change": 2, "tol": 100},
        {"early_stopping": True, "n_iter_no_change": 1, "tol": 100},
    ]
    for reason in (*reasons, {}):
        network = MLPRegressor(**{**SETTINGS, **reason})
        others = [] if reason else [EarlyStopping(patience=1, min_delta=100)]
        stopping = clone(network).set_callbacks(*others).fit(X, NUMBERS)
        assert stopping.n_iter_ < SETTINGS["max_iter"]
        limits = [TimeLimit(0)]
        callbacks = limits + others if place else others + limits
        limited = clone(network).set_callbacks(Checkpoint(path), *callbacks).fit(X, NUMBERS)
        for _ in range(stopping.n_iter_ + 1):
            limited = Checkpoint.resume(path, limited).fit(X, NUMBERS)
        assert_same(limited, stopping)
        path.unlink()


def test_lbfgs_goes_on_from_its_weights(tmp_path):
    path = tmp_path / "training"
    network = MLPRegressor(**SETTINGS, solver="lbfgs").set_callbacks(Checkpoint(path))
    interrupt(network, 4, NUMBERS)
    short = MLPRegressor(**{**SETTINGS, "max_iter": 4}, solver="lbfgs").fit(X, NUMBERS)
    with pytest.warns(UserWarning, match="goes on from the weights alone"):
        resumed = Checkpoint.resume(path, network)
    np.testing.assert_array_equal(resumed.coefs_[0], short.coefs_[0])
    assert resumed.fit(X, NUMBERS).n_iter_ == 12
    assert resumed.loss_ < short.loss_
    converged = clone(network).set_params(tol=10.0).fit(X, NUMBERS)  # nothing is left to do
    assert converged.n_iter_ < 12
    again = Checkpoint.resume(path, converged).fit(X, NUMBERS)
    assert_same(again, converged)


def test_checkpoints_in_a_pipeline(tmp_path):
    path = tmp_path / "training"
    network = MLPClassifier(**SETTINGS).set_callbacks(Checkpoint(path))
    pipeline = make_pipeline(StandardScaler(), network)
    whole = clone(pipeline).fit(X, NAMES)
    interrupted = clone(pipeline)
    interrupted[-1].set_callbacks(Checkpoint(path), Interruption(5))
    with pytest.raises(Interrupted):
        interrupted.fit(X, NAMES)
    resumed = Checkpoint.resume(path, pipeline).fit(X, NAMES)
    assert_same(resumed[-1], whole[-1])
    np.testing.assert_array_equal(resumed.predict(X), whole.predict(X))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"every_epochs": 2}, [2, 4, 5]),
        ({"every_seconds": 0}, [1, 2, 3, 4, 5]),
        ({"every_seconds": 1000}, [5]),
        ({"every_epochs": 3, "every_seconds": 1000}, [3, 5]),
    ],
    ids=str,
)
def test_how_often_files_are_written(arguments, expected, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        "sknn.callbacks.checkpoint.write_checkpoint",
        lambda path, estimator, attributes, resumption: written.append(resumption.n_epochs),
    )
    callback = Checkpoint(tmp_path / "training", **arguments)
    MLPRegressor(**{**SETTINGS, "max_iter": 5}).set_callbacks(callback).fit(X, NUMBERS)
    assert written == expected


# ---- files -------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_replaced_stays_whole(tmp_path, monkeypatch):
    path = tmp_path / "training"
    network = MLPRegressor(**SETTINGS).set_callbacks(Checkpoint(path))
    interrupt(network, 5, NUMBERS)
    before = path.read_bytes()

    def full_disk(content, file):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("sknn.callbacks.checkpoint_file.joblib.dump", full_disk)
    old = clone(network).set_callbacks().fit(X, NUMBERS)
    weights = old.coefs_[0].copy()
    with pytest.raises(OSError, match="No space left"):
        old.set_callbacks(Checkpoint(path)).set_params(alpha=1.0).fit(X, NUMBERS)
    np.testing.assert_array_equal(old.coefs_[0], weights)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["training"]


def test_files_that_are_no_checkpoints(tmp_path):
    path = tmp_path / "training"
    network = MLPRegressor(**SETTINGS).set_callbacks(Checkpoint(path))
    with pytest.raises(FileNotFoundError):
        Checkpoint.resume(path, network)
    network.fit(X, NUMBERS)
    whole = path.read_bytes()
    for content in (b"", b"something else", whole[: len(whole) // 2], pickle.dumps([1, 2])):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is no checkpoint( of|, or is damaged: .)"):
            Checkpoint.resume(path, network)
    for descriptor in (1 << 20, None):  # an int would be a file that is open already
        with pytest.raises(ValueError, match=f"path must be a path, got {descriptor}"):
            Checkpoint.resume(descriptor, network)


def test_resuming_something_else(tmp_path):
    path = tmp_path / "training"
    network = MLPRegressor(**SETTINGS).set_callbacks(Checkpoint(path))
    interrupt(network, 5, NUMBERS)
    with pytest.raises(ValueError, match=r"alpha=1\.0, but .* was written with alpha=0\.0001"):
        Checkpoint.resume(path, clone(network).set_params(alpha=1.0))
    with pytest.raises(ValueError, match="is a checkpoint of MLPRegressor, not of MLPClassifier"):
        Checkpoint.resume(path, MLPClassifier(**SETTINGS))
    with pytest.raises(TypeError, match="estimator must be an MLPClassifier"):
        Checkpoint.resume(path, StandardScaler())
    resumed = Checkpoint.resume(path, network)
    with pytest.raises(ValueError, match="X has 89 rows, but the checkpoint"):
        resumed.fit(X[1:], NUMBERS[1:])
    assert resumed.fit(X, NUMBERS).n_iter_ == 12  # it still goes on
    assert not hasattr(network, "coefs_")


def test_parameters_that_mean_the_same_or_another_thing(tmp_path):
    path = tmp_path / "training"
    weights = {"class_weight": {"apple": 1, "pear": 2}, "alpha": (0.1, 0.2)}
    network = MLPClassifier(**SETTINGS, **weights).set_callbacks(Checkpoint(path))
    interrupt(network, 5, NAMES)
    other = clone(network).set_params(class_weight={"apple": 9, "pear": 2})
    with pytest.raises(ValueError, match=r"class_weight=.*'apple': 9.*was written with"):
        Checkpoint.resume(path, other)
    resumed = Checkpoint.resume(path, clone(network).set_params(alpha=[0.1, 0.2]))
    assert resumed.fit(X, NAMES).n_iter_ == 12


def test_folders_as_files(tmp_path):
    network = MLPRegressor(**SETTINGS).set_callbacks(Checkpoint(tmp_path), Interruption(1))
    with pytest.raises(IsADirectoryError, match="is a folder; give a file's name in it"):
        network.fit(X, NUMBERS)
    assert os.listdir(tmp_path) == []


def test_folders_that_do_not_exist(tmp_path):
    network = MLPRegressor(**SETTINGS).set_callbacks(Checkpoint(tmp_path / "nowhere" / "training"))
    with pytest.raises(FileNotFoundError, match="in a folder that does not exist"):
        network.fit(X, NUMBERS)


# ---- processes that are killed -----------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_killed_processes_resume_with_the_same_bits(tmp_path):
    path = tmp_path / "training"
    settings = {**SETTINGS, "max_iter": 60, "dropout": 0.2, "n_iter_no_change": np.inf}
    network = MLPClassifier(**settings).set_callbacks(
        Checkpoint(path), EarlyStopping(patience=60), History(["accuracy"])
    )
    whole = clone(network).fit(X, NAMES)
    n_kills, survivor = train_through_kills(
        network, X, NAMES, path, np.random.default_rng(0), seconds=0.1, most=10
    )
    assert n_kills > 0
    assert_same(survivor, whole)


def test_functions_that_have_no_place_in_a_file_are_named(tmp_path):
    activation = Activation(lambda z: z, lambda z: 1.0)
    network = MLPClassifier(activation=activation, **SETTINGS)
    network.set_callbacks(Checkpoint(tmp_path / "training.joblib"))
    with pytest.raises(pickle.PicklingError, match=r"defined by def at the top of a module"):
        network.fit(X, NAMES)
    assert list(tmp_path.iterdir()) == []
