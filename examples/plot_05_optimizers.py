"""
Optimizers and learning rates: a race on one loss
=================================================

Nine optimizers, from plain gradient descent to Nadam, minimize the same loss from the same starting
weights on the same minibatches. An optimizer is only as good as its learning rate, so each one is
tuned first. The second race is between schedules, which change the rate during training: large
steps to approach a minimum, small ones to reach it.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sknn import MLPClassifier

# a race ends after a fixed number of epochs
warnings.filterwarnings("ignore", category=ConvergenceWarning)

# %%
# Data and network
# ----------------
# 1347 images of digits for training, pixels scaled to [0, 1]. Without a penalty (``alpha=0``) the
# loss is the cross-entropy alone.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)


def fit(n_epochs, **settings):
    """Return a network trained for ``n_epochs``."""
    network = MLPClassifier(
        (100,),
        alpha=0,
        batch_size=32,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        random_state=0,
        **settings,
    )
    return network.fit(X_train, y_train)


# %%
# The best rate of each optimizer
# -------------------------------
# Each optimizer tries seven rates, a factor of about three apart, and keeps the one with the lowest
# final loss. Adadelta adapts its step sizes by itself: its paper has no rate (which means 1) and an
# ``epsilon`` of 1e-6. Differences smaller than the jumps of a curve say little, as another
# ``random_state`` may reverse them.

RATES = [1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001]
OPTIMIZERS = {
    "sgd": {"solver": "sgd", "momentum": 0},
    "momentum": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
    "Nesterov": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True},
    "adagrad": {"solver": "adagrad"},
    "rmsprop": {"solver": "rmsprop"},
    "adadelta": {"solver": "adadelta", "epsilon": 1e-6},
    "adam": {"solver": "adam"},
    "adamw": {"solver": "adamw", "weight_decay": 0.01},
    "nadam": {"solver": "nadam"},
}

racers = {}
for name, settings in OPTIMIZERS.items():
    candidates = [
        fit(20, learning_rate_init=rate, **settings)
        for rate in ([1] if name == "adadelta" else RATES)
    ]
    racers[name] = min(candidates, key=lambda network: network.loss_)

print("optimizer   rate  loss after 1, 5 and 20 epochs  test accuracy")
for name, network in racers.items():
    losses = "  ".join(f"{network.loss_curve_[epoch - 1]:8.4f}" for epoch in (1, 5, 20))
    accuracy = network.score(X_test, y_test)
    print(f"{name:9}  {network.learning_rate_init:5}   {losses}  {accuracy:13.4f}")

# %%
# Schedules
# ---------
# Nesterov's momentum with a constant rate of 0.5, which is too large: the loss stops falling and
# fluctuates. Every schedule reaches less than a tenth of that loss with the same maximum rate,
# whether the rate falls in steps, along a curve, or rises first.

SCHEDULES = {
    "constant": {},
    "step": {"learning_rate": "step", "decay_rate": 0.2},
    "exponential": {"learning_rate": "exponential", "decay_rate": 0.15},
    "inverse_time": {"learning_rate": "inverse_time", "decay_rate": 0.5},
    "cosine": {"learning_rate": "cosine"},
    "cosine, warm-up": {"learning_rate": "cosine", "warmup_epochs": 4},
    "one_cycle": {"learning_rate": "one_cycle"},
}

scheduled = {
    name: fit(30, solver="sgd", learning_rate_init=0.5, **settings)
    for name, settings in SCHEDULES.items()
}

print("\nschedule         rate in epoch 1, 15 and 30  loss after 30 epochs  test accuracy")
for name, network in scheduled.items():
    rates = "  ".join(
        f"{network.history_['learning_rate'][epoch - 1]:7.4f}" for epoch in (1, 15, 30)
    )
    print(f"{name:15}   {rates}  {network.loss_:20.4f}  {network.score(X_test, y_test):13.4f}")

# %%
# Curves
# ------
# ``history_["learning_rate"]`` has the rate at the beginning of each epoch. Within an epoch, these
# schedules change the rate at every weight update.

figure, (race, rates, losses) = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
for name, network in racers.items():
    race.plot(
        network.history_["epoch"],
        network.loss_curve_,
        label=f"{name}, {network.learning_rate_init:g}",
    )
for name, network in scheduled.items():
    rates.plot(network.history_["epoch"], network.history_["learning_rate"], label=name)
    losses.plot(network.history_["epoch"], network.loss_curve_)
race.set(
    xlabel="epoch", ylabel="training loss", yscale="log", title="optimizers, each at its best rate"
)
rates.set(xlabel="epoch", ylabel="learning rate", title="schedules for Nesterov's momentum: rate")
losses.set(xlabel="epoch", ylabel="training loss", yscale="log", title="... and loss")
race.set_xticks(range(0, 21, 5))
race.legend(loc="lower left")
losses.set_ylim(bottom=5e-4)
losses.legend(*rates.get_legend_handles_labels(), loc="lower left", ncols=2)
plt.show()
