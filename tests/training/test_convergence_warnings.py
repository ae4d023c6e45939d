"""A fit that ends at ``max_iter`` warns only if it might have ended sooner, and says what to do."""

import warnings

import numpy as np
import pytest
from problems import CASES, both_kinds
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPRegressor
from sknn.parts.schedules import SCHEDULES

UNTIL_MAX_ITER = {"cosine", "flat_cos", "one_cycle", "coslog"}


def warnings_of(kind=MLPRegressor, **settings):
    """Return the texts of the warnings of a fit, and check that it ended at ``max_iter``."""
    network = kind(**{"hidden_layer_sizes": (3,), "random_state": 0, "max_iter": 3} | settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network.fit(*CASES[kind])
    assert network.n_iter_ == network.max_iter
    assert all(w.category is ConvergenceWarning for w in caught)
    return [str(w.message) for w in caught]


@both_kinds
@pytest.mark.parametrize("early_stopping", [False, True])
def test_epochs_that_were_not_enough(kind, early_stopping):
    [text] = warnings_of(kind, n_iter_no_change=2, early_stopping=early_stopping)
    # Users' filters name these words of scikit-learn's.
    assert text.startswith(
        "Stochastic Optimizer: Maximum iterations (3) reached and the optimization hasn't "
        "converged yet."
    )
    for way_out in ("Raise max_iter", "StandardScaler", "n_iter_no_change=np.inf"):
        assert way_out in text


@pytest.mark.parametrize("n_iter_no_change", [3, 10, np.int8(3), np.inf])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_number_of_epochs_that_is_intended(n_iter_no_change, early_stopping):
    assert not warnings_of(n_iter_no_change=n_iter_no_change, early_stopping=early_stopping)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_schedules_that_end_at_max_iter(schedule, solver):
    texts = warnings_of(learning_rate=schedule, solver=solver, n_iter_no_change=1)
    assert len(texts) == (schedule not in UNTIL_MAX_ITER)


def test_other_rates_that_end_at_max_iter():
    settings = {"weight_decay": 0.1, "weight_decay_schedule": "flat_cos", "n_iter_no_change": 1}
    assert not warnings_of(**settings)
    assert not warnings_of(dropout=0.1, dropout_schedule="flat_cos", n_iter_no_change=1)


def test_lbfgs_has_no_schedule():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "learning_rate='cosine' has no effect")
        network = MLPRegressor(
            hidden_layer_sizes=3, solver="lbfgs", learning_rate="cosine", max_iter=1
        )
        with pytest.warns(ConvergenceWarning, match="Increase max_iter or max_fun, or scale X"):
            network.fit(*CASES[MLPRegressor])


def test_a_clipped_batch_size_says_what_it_is_clipped_to():
    X, y = CASES[MLPRegressor]
    network = MLPRegressor(
        hidden_layer_sizes=3, batch_size=np.int16(1000), early_stopping=True, max_iter=2
    )
    n_rows = len(X) - len(X) // 10
    with pytest.warns(
        UserWarning, match=rf"Got `batch_size`=1000, more than the {n_rows} .* clipped to {n_rows} "
    ):
        network.fit(X, y)
