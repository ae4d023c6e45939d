"""
Loss against learning rate
==========================

The learning rate is the first setting to tune. If it is too small, the loss hardly moves in the
epochs that you can afford. If it is too large, steps jump over the minimum, or training diverges.
Adam tolerates a much wider range than plain gradient descent, but it has a best rate too.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier

# five epochs for all, and some diverge on purpose
warnings.filterwarnings("ignore", category=ConvergenceWarning)

RATES = np.logspace(-5, 2, 15)
SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "sgd, momentum 0.9": {"solver": "sgd", "momentum": 0.9},
    "rmsprop": {"solver": "rmsprop"},
    "adam": {"solver": "adam"},
}

X, y = load_digits(return_X_y=True)
X = X / 16

# %%
# Five epochs with every rate
# ---------------------------
# If the loss or the weights become infinite in the first epoch, ``fit`` raises a ValueError. If it
# happens later, it warns and keeps the last finite weights.


def fit(rate, settings):
    """Return a network trained for five epochs, or None if it diverged at once."""
    network = MLPClassifier(
        (64, 64),
        learning_rate_init=rate,
        batch_size=50,
        max_iter=5,
        random_state=0,
        **settings,
    )
    try:
        return network.fit(X, y)
    except ValueError:
        return None


def loss_of(network):
    """Return the loss on the training samples, NaN for a network that diverged."""
    return np.nan if network is None else network.evaluate(X, y)["loss"]


networks = {name: [fit(rate, settings) for rate in RATES] for name, settings in SOLVERS.items()}
losses = {name: np.array([loss_of(network) for network in row]) for name, row in networks.items()}

# %%
# Results
# -------
# The best rates of sgd and Adam differ by a factor of 30: a rate does not carry over from one
# solver to another. A momentum of 0.9 makes steps up to ten times as long, so its best rate is
# smaller.

print("solver             best rate   its loss   rates with a loss under 0.5")
for name, row in losses.items():
    best = np.nanargmin(row)
    print(
        f"{name:17} {RATES[best]:10.1e} {row[best]:10.3f} {(row < 0.5).sum():14d} of {RATES.size}"
    )

# %%
# Curves
# ------
# A loss of log 10 = 2.3 is that of guessing. On the right, three rates of Adam.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, row in losses.items():
    left.plot(RATES, np.minimum(row, 10), "o-", markersize=4, label=name)
left.axhline(np.log(10), color="gray", linestyle=":", label="guessing")
left.set(
    xscale="log",
    yscale="log",
    ylim=(None, 11),
    xlabel="learning_rate_init",
    ylabel="loss (10 and more drawn at 10)",
    title="Loss after five epochs",
)
left.legend(fontsize=8)
for index in (2, 6, 10):
    right.plot(range(1, 6), networks["adam"][index].loss_curve_, "o-", label=f"{RATES[index]:.0e}")
right.set(
    yscale="log", xticks=range(1, 6), xlabel="epoch", ylabel="loss", title="Adam: three rates"
)
right.legend(title="learning_rate_init")
plt.show()
