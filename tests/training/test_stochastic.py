"""Several epochs in one compiled call are the same as epochs one by one."""

import numpy as np
import pytest
from reference import bits
from sklearn.exceptions import ConvergenceWarning

import sknn._training.minibatches
from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:learning_rate='adaptive' has lowered the rate"
)

rng = np.random.default_rng(0)
X = rng.normal(size=(83, 6))
y = (X[:, 0] > 0) + (X[:, 1] > 0.5)
SETTINGS = {
    "ends before it stops": {"max_iter": 23},
    "stops": {"max_iter": 400, "tol": 1e-2, "n_iter_no_change": 3},
    "stops at once": {"max_iter": 50, "tol": 10.0, "n_iter_no_change": 1},
    "no shuffle": {"shuffle": False, "max_iter": 30},
    "sgd, ramped": {
        "solver": "sgd",
        "momentum": (0.5, 0.9),
        "max_iter": 20,
        "learning_rate_init": 0.05,
    },
    "step schedule": {"learning_rate": "step", "decay_rate": 0.37, "max_iter": 25},
    "warm-up": {"learning_rate": "one_cycle", "warmup_epochs": 2.5, "max_iter": 25},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1, "max_iter": 20},
    "batch norm": {"batch_norm": True, "max_iter": 20, "batch_size": 32},
    "clipped": {"max_grad_norm": 0.05, "max_iter": 20, "weight_decay": 0.01},
    "a plateau changes the rate": {
        "learning_rate": "adaptive",
        "solver": "sgd",
        "max_iter": 60,
        "tol": 1e-2,
        "n_iter_no_change": 2,
    },
    "early stopping": {"early_stopping": True, "max_iter": 20},
}


@pytest.fixture
def chunks(monkeypatch):
    """Return a list that notes how many epochs each call trains."""
    noted = []
    train = sknn._training.minibatches.MinibatchLoop.train

    def note(self, orders):
        noted.append(len(orders))
        return train(self, orders)

    monkeypatch.setattr(sknn._training.minibatches.MinibatchLoop, "train", note)
    return noted


def fit(kind=MLPClassifier, **settings):
    return kind(
        **{"hidden_layer_sizes": (7, 5), "batch_size": 20, "random_state": 0, "warm_start": True}
        | settings
    ).fit(X, y)


def assert_same(model, other):
    for name in (
        "coefs_",
        "intercepts_",
        "batch_norm_mean_",
        "batch_norm_var_",
        "batch_norm_scale_",
    ):
        for mine, theirs in zip(getattr(model, name, ()), getattr(other, name, ()), strict=True):
            np.testing.assert_array_equal(bits(mine), bits(theirs))
    columns = [name for name in model.history_ if name != "seconds"]
    np.testing.assert_equal(
        [model.history_[name] for name in columns], [other.history_[name] for name in columns]
    )
    for name in (
        "n_iter_",
        "t_",
        "loss_",
        "best_loss_",
        "best_iter_",
        "loss_curve_",
    ):
        assert getattr(model, name) == getattr(other, name), name
    assert model._training_state.n_stalled == other._training_state.n_stalled


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_epochs_at_once_are_those_one_by_one(settings, chunks, monkeypatch):
    model = fit(**settings)
    may_run_at_once = settings.get("learning_rate") != "adaptive" and not settings.get(
        "early_stopping"
    )
    assert (max(chunks) > 1) == may_run_at_once
    with monkeypatch.context() as patch:
        patch.setattr(sknn._training.minibatches, "_OPERATIONS_AT_ONCE", 0)
        chunks.clear()
        single = fit(**settings)
        assert set(chunks) == {1}
    assert_same(model, single)
    assert_same(
        model.set_params(max_iter=7).fit(X, y), single.set_params(max_iter=7).fit(X, y)
    )  # goes on with the same numbers


def test_calls_that_may_be_in_vain_are_short(chunks, monkeypatch):
    """Epochs are trained again only if a call goes beyond the earliest one to stop after."""
    expected = fit(max_iter=400, tol=1e-2, n_iter_no_change=5)
    chunks.clear()
    monkeypatch.setattr(sknn._training.minibatches, "_OPERATIONS_IN_VAIN", 0)
    model = fit(max_iter=400, tol=1e-2, n_iter_no_change=5)
    assert sum(chunks) == model.n_iter_ < 400
    assert max(chunks) == 6
    assert_same(model, expected)
    chunks.clear()
    fit(max_iter=40, n_iter_no_change=np.inf)
    assert chunks == [40]


def test_calls_have_a_limited_number_of_steps(chunks):
    """Ctrl-C waits for the end of a call, and every step takes time, however few rows it has."""
    rows = X[:3, :1]
    settings = {"batch_size": 1, "max_iter": 7000, "n_iter_no_change": np.inf, "tol": 0}
    MLPRegressor(hidden_layer_sizes=(1,), **settings, random_state=0).fit(rows, rows[:, 0])
    assert 300 < max(chunks) <= 10_000 // 3


def test_verbose_prints_epoch_by_epoch(chunks, capsys):
    fit(verbose=True, max_iter=3)
    assert chunks == [1, 1, 1]
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3


def test_divergence_keeps_the_last_finite_epoch(chunks, monkeypatch):
    settings = {
        "kind": MLPRegressor,
        "solver": "sgd",
        "activation": "identity",
        "learning_rate_init": 0.35,
        "max_iter": 300,
    }
    models = []
    for at_once in (sknn._training.minibatches._OPERATIONS_AT_ONCE, 0):
        monkeypatch.setattr(sknn._training.minibatches, "_OPERATIONS_AT_ONCE", at_once)
        with pytest.warns(ConvergenceWarning, match=r"learning_rate_init=0\.35 made the loss"):
            models.append(fit(**settings))
    assert max(chunks) > 1
    assert np.isfinite(models[0].coefs_[0]).all()
    assert len(models[0].loss_curve_) >= 2
    for mine, theirs in zip(*(model.coefs_ for model in models), strict=True):
        np.testing.assert_array_equal(bits(mine), bits(theirs))
    np.testing.assert_array_equal(models[0].loss_curve_, models[1].loss_curve_)


def test_an_interrupt_rolls_back_all_epochs_not_yet_recorded(monkeypatch):
    """Training goes on, after an interrupt between kernel and record, as if there had been none."""
    expected = fit(max_iter=400)
    train = sknn._training.minibatches.MinibatchLoop.train
    calls = []

    def interrupted(self, orders):
        losses = train(self, orders)
        calls.append(len(orders))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return losses

    monkeypatch.setattr(sknn._training.minibatches, "_OPERATIONS_AT_ONCE", 1e6)
    model = MLPClassifier((7, 5), batch_size=20, random_state=0, warm_start=True, max_iter=400)
    with monkeypatch.context() as patch:
        patch.setattr(sknn._training.minibatches.MinibatchLoop, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
    assert model.n_iter_ == calls[0] > 1
    model.set_params(max_iter=400 - calls[0]).fit(X, y)
    assert len(model.loss_curve_) == len(expected.loss_curve_)
    for mine, theirs in zip(model.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(bits(mine), bits(theirs))


@pytest.mark.parametrize("is_numpys", [False, True])
def test_others_random_numbers_are_drawn_as_if_epochs_ran_one_by_one(chunks, is_numpys):
    generator = np.random.mtrand._rand if is_numpys else np.random.RandomState()
    before = generator.get_state()
    drawn = []
    for verbose in (False, True):
        generator.seed(0)
        random_state = None if is_numpys else generator
        fit(random_state=random_state, max_iter=400, tol=1e-2, n_iter_no_change=3, verbose=verbose)
        drawn.append(generator.randint(10**9))
        is_alone = max(chunks) == 1
        chunks.clear()
        assert is_alone == verbose
    generator.set_state(before)
    assert drawn[0] == drawn[1]


def test_the_default_random_state_stops_where_the_record_says(chunks):
    model = fit(random_state=None, max_iter=400, tol=1e-2, n_iter_no_change=3)
    assert max(chunks) > 1
    assert model.n_iter_ < 400
    best = np.inf
    n_stalled = 0
    ends = []
    for loss in model.loss_curve_:
        n_stalled = n_stalled + 1 if loss > best - 1e-2 else 0
        best = min(best, loss)
        ends.append(n_stalled > 3)
    assert ends.index(True) == len(ends) - 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_input_dropout_leaves_the_users_table_as_it_was(dtype, order):
    table = np.array(X, dtype, order=order)
    MLPClassifier(7, input_dropout=0.5, shuffle=False, max_iter=3, batch_size=83).fit(table, y)
    np.testing.assert_array_equal(table, X.astype(dtype))
