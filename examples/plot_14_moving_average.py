"""
Early stopping on a moving average
==================================

With few validation samples, the validation score jumps from epoch to epoch. Early stopping that
looks at single epochs then stops at a lucky one. ``early_stopping_window`` averages the score over
several epochs first.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknn import MLPClassifier

# %%
# Data
# ----
# 300 images of digits for training, only 40 for validation, the others for testing. A fifth of the
# training labels is wrong.

rng = np.random.default_rng(0)
X, y = load_digits(return_X_y=True)
X_train, X_rest, y_train, y_rest = train_test_split(X / 16, y, train_size=300, random_state=0)
X_val, X_test, y_val, y_test = train_test_split(X_rest, y_rest, train_size=40, random_state=0)
careless = rng.random(y_train.size) < 0.2
y_train[careless] = rng.integers(0, 10, size=careless.sum())

# %%
# Two windows
# -----------
# Both networks see the same minibatches, so their curves agree until one of them stops.


def fit(window):
    """Return a network that watches the average of this many epochs."""
    return MLPClassifier(
        (64,),
        learning_rate_init=0.001,
        batch_size=20,
        dropout=0.5,
        early_stopping=True,
        early_stopping_window=window,
        n_iter_no_change=5,
        random_state=0,
    ).fit(X_train, y_train, X_val=X_val, y_val=y_val)


networks = {window: fit(window) for window in (1, 10)}
print("window  epochs  best epoch  validation score  test accuracy")
for window, network in networks.items():
    print(
        f"{window:6d} {network.n_iter_:7d} {network.best_iter_:11d} "
        f"{network.best_validation_score_:17.3f} {network.score(X_test, y_test):14.3f}"
    )

# %%
# Curves
# ------
# One lucky epoch is followed by five that are worse, and training stops long before the network is
# good. The average of ten epochs still rises then.

figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
scores = np.array(networks[10].history_["val_score"])
epochs = np.arange(1, scores.size + 1)
averages = [scores[max(0, epoch - 10) : epoch].mean() for epoch in epochs]
axis.plot(epochs, scores, color="lightsteelblue", label="validation score")
axis.plot(epochs, averages, color="tab:blue", label="average of 10 epochs")
for (window, network), color in zip(networks.items(), ("tab:red", "tab:green"), strict=True):
    label = f"early_stopping_window={window}: test accuracy {network.score(X_test, y_test):.3f}"
    axis.axvline(network.n_iter_, color=color, linestyle="--", label=label)
axis.set(xlabel="epoch", ylabel="accuracy", title="Dashed: where training stops")
axis.legend(loc="lower right")
plt.show()
