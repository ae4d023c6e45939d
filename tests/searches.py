"""One search over hyperparameters, for every backend of joblib that can run it."""

import os
from typing import Any, NamedTuple

import joblib
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier

X, Y = load_wine(return_X_y=True)


class Results(NamedTuple):
    losses: Any  # of every candidate, one row a fold
    processes: set  # ids of those that have trained


def search(**backend):
    """Return the results of a search with a backend, such as ``backend="dask"``."""

    def process_id(estimator, X, y):  # a local function, which is sent to workers as a whole
        return os.getpid()

    network = MLPClassifier((8,), learning_rate_init=0.02, max_iter=10, random_state=0)
    with joblib.parallel_config(**backend):
        found = GridSearchCV(
            make_pipeline(StandardScaler(), network),
            {"mlpclassifier__alpha": [0.01, 1.0], "mlpclassifier__activation": ["relu", "tanh"]},
            scoring={"loss": "neg_log_loss", "process": process_id},
            refit=False,
            cv=2,
            error_score="raise",
        ).fit(X, Y)
    columns = found.cv_results_
    return Results(
        [columns[f"split{fold}_test_loss"].tolist() for fold in range(2)],
        {int(process) for fold in range(2) for process in columns[f"split{fold}_test_process"]},
    )


def assert_same_as_here(results):
    """Check that other processes have trained, and found what this one finds."""
    here = search(n_jobs=1)
    assert here.processes == {os.getpid()}
    assert results.losses == here.losses
    assert results.processes
    assert os.getpid() not in results.processes
