"""
Callbacks: watch, stop and resume training
==========================================

Callbacks are told of every epoch. They record further metrics, stop training by any metric or by
the time, and store it in a file, from which it goes on if the process dies. They are set on the
network, also in a pipeline or a search, and need scikit-learn 1.9.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknn import MLPClassifier, TrainingHistoryDisplay
from sknn.callbacks import Checkpoint, EarlyStopping, History, TimeLimit

# %%
# Data
# ----

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X / 16, y, stratify=y, random_state=0)
validation = {"X_val": X_val, "y_val": y_val}

# %%
# Stop by a metric of your choice
# -------------------------------
# The cross-entropy of the validation samples is watched. When it has not improved for ten epochs,
# training stops, and the network gets the weights of its best epoch. ``History`` adds the accuracy
# on the training samples to ``history_``.

network = MLPClassifier((64,), learning_rate_init=0.01, random_state=0)
network.set_callbacks(
    EarlyStopping("neg_log_loss", patience=10), History(["accuracy"]), TimeLimit(seconds=60)
)
network.fit(X_train, y_train, **validation)
print(f"{network.n_iter_} epochs, the best was {network.best_iter_}")
print(f"validation accuracy: {network.score(X_val, y_val):.3f}")

# %%
# The picture marks the best epoch and the last one.

display = TrainingHistoryDisplay.from_estimator(network)

# %%
# Resume
# ------
# Here a limit of time stops training after one epoch; killing the process would do as well. The
# resumed network ends with the same bits as one that was never interrupted.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "training.joblib"
    short = MLPClassifier((64,), learning_rate_init=0.01, tol=0.01, random_state=0)
    short.set_callbacks(Checkpoint(path), TimeLimit(seconds=0)).fit(X_train, y_train)
    resumed = Checkpoint.resume(path, short).set_callbacks().fit(X_train, y_train)

whole = MLPClassifier((64,), learning_rate_init=0.01, tol=0.01, random_state=0)
whole.fit(X_train, y_train)
is_same = all((a == b).all() for a, b in zip(whole.coefs_, resumed.coefs_, strict=True))
print(f"{short.n_iter_} epoch, then {resumed.n_iter_} in all, with the same weights: {is_same}")
plt.show()
