"""
Starting weights: signals that vanish, explode or get through
=============================================================

At the start, each layer multiplies its input by a matrix of random numbers. If these are a little
too small, the signal vanishes within ten layers. If they are too large, it explodes or saturates
every unit. Glorot and He derived the variance that preserves the signal.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier

warnings.filterwarnings("ignore", category=ConvergenceWarning)  # nothing is trained here

N_LAYERS = 10
N_UNITS = 200
INITIALIZERS = ["random_uniform", "random_normal", "glorot_normal", "he_normal"]

# %%
# Data
# ----
# The inputs are standard normal numbers. The network will not learn anything, so the classes are
# random too.

rng = np.random.default_rng(0)
X = rng.normal(size=(1000, N_UNITS))
y = rng.integers(0, 2, size=1000)

# %%
# An untrained network
# --------------------
# One epoch with a learning rate of 1e-12 leaves the starting weights unchanged, and
# ``hidden_features`` returns the activations of each layer.


def activations(activation, initializer):
    """Return the activations of all hidden layers of an untrained network."""
    network = MLPClassifier(
        [N_UNITS] * N_LAYERS,
        activation,
        initializer=initializer,
        learning_rate_init=1e-12,
        max_iter=1,
        random_state=0,
    ).fit(X, y)
    return [network.hidden_features(X, layer) for layer in range(N_LAYERS)]


layers = {
    (activation, initializer): activations(activation, initializer)
    for activation in ("tanh", "relu")
    for initializer in INITIALIZERS
}

# %%
# Standard deviations, layer by layer
# -----------------------------------
# With weights w of mean 0, a sum of n inputs x has the variance n var(w) mean(x²). To preserve it,
# var(w) must be 1/n ("glorot_normal", as all layers here are equally wide), or 2/n after a ReLU,
# which sets one half to 0 ("he_normal"). "random_uniform" has the variance 0.05²/3, here one sixth
# of 1/n: signals vanish. "random_normal" has 1: they explode, or, with tanh, almost all units
# saturate at -1 or 1.

print("activation  initializer     standard deviation of layer 1, 5 and 10   of layer 10")
for (activation, initializer), values in layers.items():
    first, middle, last = (values[layer].std() for layer in (0, 4, 9))
    at_limit = (np.abs(values[-1]) > 0.99).mean()
    zero = (values[-1] == 0).mean()
    remark = f"{at_limit:4.0%} beyond 0.99" if activation == "tanh" else f"{zero:4.0%} zeros"
    print(
        f"{activation:10}  {initializer:14}  {first:13.2g}  {middle:11.2g}  {last:11.2g}   {remark}"
    )

# %%
# Histograms
# ----------
# On the left the standard deviations of all layers. Then the activations of layers 1, 5 and 10:
# between -1 and 1 for tanh, and for ReLU those over zero, on a logarithmic axis. With ReLU and
# "he_normal" the three lie on each other: every layer sees a signal of the same size. With tanh,
# "glorot_normal" and "he_normal" keep the units off zero as well as off their limits, where tanh is
# flat and lets no gradient through.

figure, axes = plt.subplots(2, 1 + len(INITIALIZERS), figsize=(15, 6), layout="constrained")
for row, activation, bins in zip(
    axes, ("tanh", "relu"), (np.linspace(-1, 1, 62), np.logspace(-8, 11, 77)), strict=True
):
    for axis, initializer in zip(row[1:], INITIALIZERS, strict=True):
        values = layers[activation, initializer]
        row[0].plot(
            range(1, N_LAYERS + 1),
            [layer.std() for layer in values],
            "o-",
            markersize=3,
            label=initializer,
        )
        for layer, shade in zip(
            (1, 5, 10), ("lightskyblue", "tab:blue", "midnightblue"), strict=True
        ):
            shown = (
                values[layer - 1].ravel()
                if activation == "tanh"
                else values[layer - 1][values[layer - 1] > 0]
            )
            axis.hist(
                shown,
                bins,
                weights=np.full(shown.size, 1 / shown.size),
                histtype="step",
                color=shade,
                label=f"layer {layer}",
            )
        axis.set(
            title=f"{activation}, {initializer}",
            xlabel="activation",
            xscale="linear" if activation == "tanh" else "log",
        )
    row[0].set(
        yscale="log",
        xlabel="layer",
        title=f"{activation}: standard deviation",
        xticks=range(1, N_LAYERS + 1),
    )
    row[1].set_ylabel("fraction")
for axis in axes[0, :2]:
    axis.legend(fontsize=8)
plt.show()
