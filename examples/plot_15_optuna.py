"""
Searching with optuna
=====================

optuna chooses each trial's hyperparameters by what the trials before have found. Its
``OptunaSearchCV`` takes a pipeline with a network like any other estimator. With a callback, which
needs scikit-learn 1.9, bad trials end after a few epochs instead of all.

It needs ``pip install optuna optuna-integration``.
"""

import sys
import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier

try:
    import optuna
    from optuna_integration import OptunaSearchCV
except ImportError:
    sys.exit("This example needs optuna: pip install optuna optuna-integration")

optuna.logging.set_verbosity(optuna.logging.WARNING)
for category in (optuna.exceptions.ExperimentalWarning, FutureWarning):  # about optuna itself
    warnings.simplefilter("ignore", category)

X, y = load_breast_cancer(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, random_state=0)

# %%
# A search in place of GridSearchCV
# ---------------------------------
# Ranges instead of lists, and a number of trials instead of all combinations.

network = MLPClassifier((8,), max_iter=10, n_iter_no_change=10, random_state=0)
search = OptunaSearchCV(
    make_pipeline(StandardScaler(), network),
    {
        "mlpclassifier__learning_rate_init": optuna.distributions.FloatDistribution(
            1e-6, 1e-1, log=True
        ),
        "mlpclassifier__activation": optuna.distributions.CategoricalDistribution(["relu", "tanh"]),
    },
    cv=3,
    n_trials=10,
    random_state=0,
).fit(X_train, y_train)
print(f"OptunaSearchCV: {search.best_score_:.3f} {search.best_params_}")

# %%
# Pruning by a callback
# ---------------------
# The callback reports the validation score after every epoch. The pruner ends a trial whose score
# is below the median of the earlier trials in the same epoch; the first three are left alone.


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


scaler = StandardScaler().fit(X_train)


def objective(trial):
    """Return the validation accuracy of one network."""
    rate = trial.suggest_float("learning_rate_init", 1e-6, 1e-1, log=True)
    network.set_params(learning_rate_init=rate).set_callbacks(Pruning(trial))
    network.fit(scaler.transform(X_train), y_train, X_val=scaler.transform(X_val), y_val=y_val)
    return network.score(scaler.transform(X_val), y_val)


study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
)
study.optimize(objective, n_trials=15)
pruned = [trial for trial in study.trials if trial.state.name == "PRUNED"]
print(f"{len(pruned)} of 15 trials were pruned; best: {study.best_value:.3f} {study.best_params}")

# %%
# What the trials have cost
# -------------------------
# The trials that were pruned have trained for few epochs.

figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
ended = [trial for trial in study.trials if trial not in pruned]
for trials, color, marker, label in (
    (pruned, "tab:red", "x", "pruned"),
    (ended, "tab:blue", "o", "trained to the end"),
):
    curves = [trial.intermediate_values for trial in trials]
    for scores in curves:
        axis.plot(scores.keys(), scores.values(), color=color, alpha=0.4)
    epochs, last_scores = zip(*[max(scores.items()) for scores in curves], strict=True)
    axis.plot(epochs, last_scores, marker, color=color, label=label)
axis.set(xlabel="epoch", ylabel="validation accuracy", title="15 trials, and where they ended")
axis.legend(loc="lower right")
plt.show()
