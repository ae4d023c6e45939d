"""
Overfitting, and five remedies
==============================

A large network memorizes a small training set, wrong labels included: the training loss goes to 0,
while the validation loss begins to rise. Early stopping, L2 and L1 penalties, dropout and batch
normalization are compared as remedies on the same samples.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sknn import MLPClassifier, TrainingHistoryDisplay

warnings.filterwarnings("ignore", category=ConvergenceWarning)  # networks train too long on purpose

# %%
# Data
# ----
# 500 images of digits for training, 400 for validation, the others for testing. 30 % of the
# training images get a random label, like careless annotations. There is nothing to learn from
# these.

rng = np.random.default_rng(1)
X, y = load_digits(return_X_y=True)
X_train, X_rest, y_train, y_rest = train_test_split(
    X / 16, y, train_size=500, stratify=y, random_state=1
)
X_val, X_test, y_val, y_test = train_test_split(
    X_rest, y_rest, train_size=400, stratify=y_rest, random_state=1
)

careless = rng.random(y_train.size) < 0.3
y_train[careless] = rng.integers(0, 10, size=careless.sum())

# %%
# One network, six times
# ----------------------
# Two layers of 256 units have more than 80 000 weights for 500 images. Each remedy is one or two
# settings, with the best validation accuracy among a handful of values. The network is not trained
# on ``X_val`` and ``y_val``: their loss and accuracy are recorded in ``history_`` after every
# epoch, and with ``early_stopping=True`` they are monitored.

REMEDIES = {
    "nothing": {},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 10},
    "L2": {"alpha": 1.0},
    "L1": {"alpha": 0.1, "l1_ratio": 1.0},
    "dropout": {"dropout": 0.7},
    "batch norm": {"batch_norm": True},
}

networks = {}
for name, remedy in REMEDIES.items():
    settings = {
        "alpha": 0.0,
        "batch_size": 50,
        "max_iter": 100,
        "n_iter_no_change": 100,
        "random_state": 0,
        **remedy,
    }
    networks[name] = MLPClassifier((256, 256), **settings).fit(
        X_train, y_train, X_val=X_val, y_val=y_val
    )

# %%
# Results
# -------
# The gap between the lowest and the last validation loss shows how much a network overfits. Early
# stopping restores the weights of the best epoch. Batch normalization speeds up training more than
# it prevents overfitting.

print("against         epochs  training loss  validation loss: lowest, last  test accuracy")
for name, network in networks.items():
    loss = network.history_["loss"]
    val_loss = network.history_["val_loss"]
    score = network.score(X_test, y_test)
    print(
        f"{name:14}  {network.n_iter_:6}  {loss[-1]:13.3f}  {min(val_loss):23.3f} "
        f"{val_loss[-1]:5.3f}  {score:13.3f}"
    )

# %%
# L2 makes weights small. L1 makes them exactly 0, so that they could be removed from the network.

print()
for name in ("L2", "L1"):
    weights = np.concatenate([layer.ravel() for layer in networks[name].coefs_])
    print(
        f"{name}: {(weights == 0).mean():6.1%} of {weights.size} weights are exactly zero, "
        f"the largest is {abs(weights).max():.2f}"
    )

# %%
# Curves
# ------
# The validation labels are right and the training labels are not, so a training loss that stays
# high is a good sign here. It also contains the penalty and, with dropout, is computed with most
# units dropped. Neither holds for the validation loss.

figure, axes = plt.subplots(2, 3, figsize=(14, 7), layout="constrained")
for axis, (name, network) in zip(axes.flat, networks.items(), strict=True):
    display = TrainingHistoryDisplay.from_estimator(network, ax=axis)
    axis.set(
        xlim=(0, 101),
        ylim=(0, 3.2),  # with room for the legend
        title=f"{name}: test accuracy {network.score(X_test, y_test):.3f}",
    )
    display.score_ax_.set_ylim(0, 1.25)
    if name != "nothing":
        display.score_ax_.get_legend().remove()
plt.show()
