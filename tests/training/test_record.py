"""What users read of training: history, counts, prints, and a warning where it did not converge."""

import numpy as np
import pytest
from problems import (
    CASES,
    PATIENT,
    both_kinds,
    parts,
    regression,
)
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier, MLPRegressor
from sknn._training.record import TrainingRecord

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_history(kind, solver, early_stopping):
    X, y = CASES[kind]
    network = kind(
        solver=solver,
        early_stopping=early_stopping,
        hidden_layer_sizes=(6, 4),
        max_iter=9,
        random_state=0,
        **PATIENT,
    )
    history = network.fit(X, y).history_
    assert list(history) == ["epoch", "loss", "val_loss", "val_score", "learning_rate", "seconds"]
    assert {len(column) for column in history.values()} == {network.n_iter_} == {9}
    assert history["epoch"] == list(range(1, 10))
    assert history["loss"] == network.loss_curve_
    assert network.loss_ == pytest.approx(network.loss_curve_[-1], rel=1e-12)
    assert all(seconds > 0 for seconds in history["seconds"])
    assert (
        np.isnan(history["learning_rate"]).all()
        if solver == "lbfgs"
        else history["learning_rate"] == [0.001] * 9
    )
    if early_stopping:
        assert history["val_score"] == network.validation_scores_
        assert np.isfinite(history["val_loss"]).all()
        assert network.best_iter_ == 1 + np.argmax(network.validation_scores_)
    else:
        assert network.validation_scores_ is network.best_validation_score_ is None
        assert np.isnan(history["val_score"] + history["val_loss"]).all()
        assert network.best_loss_ == min(network.loss_curve_)
        assert network.best_iter_ == 1 + np.argmin(network.loss_curve_)


@both_kinds
def test_counts(kind):
    X, y = CASES[kind]
    network = kind(hidden_layer_sizes=(6, 4), max_iter=3).fit(X, y)
    n_outputs = 3 if kind is MLPClassifier else 1
    assert network.n_outputs_ == n_outputs
    assert network.n_layers_ == 4
    assert (
        network.n_parameters_
        == (5 * 6 + 6) + (6 * 4 + 4) + (4 * n_outputs + n_outputs)
        == sum(part.size for part in parts(network))
    )
    assert network.t_ == 3 * len(y)
    assert [coef.shape for coef in network.coefs_] == [(5, 6), (6, 4), (4, n_outputs)]


def test_verbose_prints_a_table(capsys):
    X, y = regression()
    settings = {"hidden_layer_sizes": 3, "max_iter": 2, "verbose": True}

    def printed(**further):
        network = MLPRegressor(**settings, **further).fit(X, y)
        heading, *lines = capsys.readouterr().out.splitlines()
        assert len({len(line) for line in (heading, *lines)}) == 1
        assert [int(line.split()[0]) for line in lines] == [1, 2]
        columns = zip(*(map(float, line.split()) for line in lines), strict=True)
        return network.history_, dict(zip(heading.split(), columns, strict=True))

    history, table = printed(early_stopping=True)
    names = {"val_r2": "val_score", "rate": "learning_rate"}
    assert list(table) == ["epoch", "loss", "val_loss", "val_r2", "rate", "seconds"]
    for name, column in table.items():
        np.testing.assert_allclose(column, history[names.get(name, name)], rtol=1e-4, atol=6e-4)
    assert list(printed(solver="lbfgs")[1]) == ["epoch", "loss", "seconds"]
    watched = printed(early_stopping=True, scoring="neg_mean_absolute_error")[1]
    assert list(watched)[3] == "val_neg_mean_absolute_error"
    assert "val_score" not in printed(early_stopping=True, scoring="loss")[1]


def test_calls_of_partial_fit_print_one_table(capsys):
    X, y = regression()
    network = MLPRegressor(hidden_layer_sizes=3, verbose=True).partial_fit(X, y)
    network.partial_fit(X, y).partial_fit(X, y)
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["epoch", "loss", "rate", "seconds"]
    assert [int(line.split()[0]) for line in lines] == [1, 2, 3]


def test_numbers_print_what_scikit_learn_prints(capsys):
    X, y = regression()
    network = MLPRegressor(hidden_layer_sizes=3, max_iter=2, early_stopping=True, verbose=1).fit(
        X, y
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Iteration 1, loss = {network.loss_curve_[0]:.8f}"
    assert lines[1] == f"Validation score: {network.validation_scores_[0]:f}"
    assert len(lines) == 4


def test_a_network_that_does_not_converge_says_so():
    X, y = regression()
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        MLPRegressor(max_iter=2, n_iter_no_change=1).fit(X, y)
    with pytest.warns(ConvergenceWarning, match=r"lbfgs failed to converge after 2 iteration"):
        MLPRegressor(max_iter=2, solver="lbfgs").fit(X, y)


@both_kinds
@pytest.mark.parametrize("early_stopping", [False, True])
def test_records_that_training_cannot_extend_are_named(kind, early_stopping):
    X, y = CASES[kind]
    network = kind(
        hidden_layer_sizes=3, max_iter=2, early_stopping=early_stopping, warm_start=True
    ).fit(X, y)
    record = TrainingRecord(early_stopping=early_stopping)
    for name in vars(record):
        value = getattr(network, name)
        for unusable in ("a word", {}, object()):
            setattr(network, name, unusable)
            with pytest.raises(ValueError, match=f"^{name} must be"):
                network.fit(X, y)
        delattr(network, name)
        with pytest.raises(ValueError, match=f"^{name} must be"):
            network.fit(X, y)
        setattr(network, name, value)
    assert len(network.fit(X, y).loss_curve_) == 4
