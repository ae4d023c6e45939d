"""
Searching with optuna
=====================

``optuna_integration.OptunaSearchCV`` takes a pipeline with a network like any other estimator. With
a callback, which needs scikit-learn 1.9, bad trials end after a few epochs instead of all.

It needs ``pip install optuna optuna-integration``.
"""

import sys

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from sknn import MLPClassifier

try:
    import optuna
except ImportError:
    sys.exit("This example needs optuna: pip install optuna")


class Pruning:
    """Callback that reports the validation score of each epoch, and ends trials that lag behind."""

    def __init__(self, trial):
        self.trial = trial

    def setup(self, estimator, context):
        """Do nothing: there is nothing to prepare."""

    def teardown(self, estimator, context):
        """Do nothing: there is nothing to release."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing: no epoch has ended."""

    def on_fit_task_end(self, estimator, context):
        """Report an epoch's score; an error ends the fit, and optuna knows this one."""
        if context.task_name != "epoch":
            return
        history = estimator.history_
        self.trial.report(history["val_score"][-1], history["epoch"][-1])
        if self.trial.should_prune():
            raise optuna.TrialPruned


X, y = load_breast_cancer(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(scale(X), y, random_state=0)


def objective(trial):
    """Return the validation accuracy of one network."""
    rate = trial.suggest_float("learning_rate_init", 1e-6, 1e-1, log=True)
    network = MLPClassifier((8,), learning_rate_init=rate, max_iter=10, random_state=0)
    network.set_callbacks(Pruning(trial)).fit(X_train, y_train, X_val=X_val, y_val=y_val)
    return network.score(X_val, y_val)


study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
)
study.optimize(objective, n_trials=15)
n_pruned = sum(trial.state.name == "PRUNED" for trial in study.trials)
print(f"{n_pruned} of 15 trials were pruned; best: {study.best_value:.3f} {study.best_params}")
