"""
A penalty for each layer
========================

``alpha`` and ``l1_ratio`` take one number for all layers, or one for each, the output layer
included. An L1 penalty on the first layer sets weights of useless inputs to exactly zero. On all
layers it takes away hidden units too, which the network needs.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from sknn import MLPRegressor

# %%
# Data
# ----
# Twenty inputs, of which only the first three matter, and 300 noisy training samples.

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, size=(1300, 20))
y = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2] + rng.normal(scale=0.2, size=len(X))
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, random_state=0)

# %%
# Three networks
# --------------
# They differ in their penalties only. The last one has a penalty for each of the two hidden layers
# and for the output layer: L1 first, then a weak L2. Without the latter, weights would move on: the
# first layer shrinks, and the next ones grow by as much.

PENALTIES = {
    "no penalty": {"alpha": 0.0},
    "L1 on all layers": {"alpha": 0.5, "l1_ratio": 1.0},
    "L1 on the first layer": {"alpha": [0.5, 0.1, 0.1], "l1_ratio": [1.0, 0.0, 0.0]},
}
networks = {
    name: MLPRegressor(
        hidden_layer_sizes=(30, 30),
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size=50,
        max_iter=300,
        random_state=0,
        **penalty,
    ).fit(X_train, y_train)
    for name, penalty in PENALTIES.items()
}

print("penalty                 zeros in each layer  test R2")
for name, network in networks.items():
    zeros = "".join(f"{np.mean(weights == 0):7.1%}" for weights in network.coefs_)
    print(f"{name:21} {zeros} {network.score(X_test, y_test):8.3f}")

# %%
# Weights of the inputs
# ---------------------
# How strongly each input is connected with the first hidden layer.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.5), layout="constrained")
colors = ["tab:orange"] * 3 + ["tab:blue"] * 17
for axis, (name, network) in zip(axes, networks.items(), strict=True):
    axis.bar(np.arange(1, 21), np.abs(network.coefs_[0]).sum(axis=1), color=colors)
    axis.set(title=f"{name}, test R² {network.score(X_test, y_test):.2f}", xlabel="input")
axes[0].set(ylabel="sum of |weights|")
figure.suptitle("Orange: the three inputs that matter")
plt.show()
