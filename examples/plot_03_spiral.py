"""
Three spiral arms: what hidden units and activations do
=======================================================

Three classes wind around each other, so that straight lines cannot separate them. Without hidden
units, the decision boundaries are straight lines. Hidden units bend them, and the activation
determines whether the bends are corners or curves.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier

# all networks train for the same number of epochs, converged or not
warnings.filterwarnings("ignore", category=ConvergenceWarning)

# %%
# Data
# ----
# Along an arm, the angle grows with the distance from the center. Noise on the angle makes the arms
# ragged.

N_PER_ARM = 100

rng = np.random.default_rng(0)
radius = np.tile(np.linspace(0, 1, N_PER_ARM), 3)
y = np.repeat([0, 1, 2], N_PER_ARM)
angle = 4 * (y + radius) + rng.normal(scale=0.2, size=y.size)
X = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])

# %%
# The networks
# ------------
# First, a growing number of ReLU units: none (softmax regression, three straight boundaries), 3,
# 10, 20, 100, and two layers of 50. Then 20 units with six activations. All other settings are
# equal.

BY_CAPACITY = [
    ((), "relu"),
    ((3,), "relu"),
    ((10,), "relu"),
    ((20,), "relu"),
    ((100,), "relu"),
    ((50, 50), "relu"),
]
BY_ACTIVATION = [
    ((20,), activation) for activation in ("sigmoid", "tanh", "relu", "leaky_relu", "maxout", "elu")
]


def fit(hidden_layer_sizes, activation):
    """Return a network trained on the spiral."""
    network = MLPClassifier(
        hidden_layer_sizes,
        activation,
        learning_rate_init=0.01,
        batch_size=50,
        max_iter=300,
        n_iter_no_change=300,
        random_state=0,
    )
    return network.fit(X, y)


# %%
# Decision boundaries
# -------------------
# Each panel shows the predicted class of every point of the plane. Where 20 units reach an accuracy
# of almost 1, look at the shape of the boundaries: those of ReLU, leaky ReLU and maxout consist of
# straight pieces, the others are smooth. The colors far from the data show that a network can only
# be trusted where it has seen data.

SIDE = 1.25
COLORS = ListedColormap(["tab:red", "tab:blue", "tab:green"])

plane_x, plane_y = np.meshgrid(np.linspace(-SIDE, SIDE, 200), np.linspace(-SIDE, SIDE, 200))
plane = np.column_stack([plane_x.ravel(), plane_y.ravel()])


def draw(axis, network, name):
    """Draw the predicted regions, the data over them, and the training accuracy."""
    regions = network.predict(plane).reshape(plane_x.shape)
    axis.imshow(
        regions,
        cmap=COLORS,
        vmin=0,
        vmax=2,
        alpha=0.35,
        origin="lower",
        extent=(-SIDE, SIDE, -SIDE, SIDE),
    )
    axis.scatter(*X.T, c=y, cmap=COLORS, s=6, linewidths=0)
    axis.set(xticks=[], yticks=[], title=f"{name}\naccuracy {network.score(X, y):.3f}")


figure, axes = plt.subplots(2, 6, figsize=(14, 5.6), layout="constrained")
print("hidden units  activation  parameters  training accuracy")
for row, networks in zip(axes, (BY_CAPACITY, BY_ACTIVATION), strict=True):
    for axis, (hidden_layer_sizes, activation) in zip(row, networks, strict=True):
        network = fit(hidden_layer_sizes, activation)
        units = " + ".join(map(str, hidden_layer_sizes)) or "none"
        print(
            f"{units:12}  {activation if hidden_layer_sizes else '-':10}  "
            f"{network.n_parameters_:10}  {network.score(X, y):17.3f}"
        )
        draw(axis, network, f"{units} ({activation})" if hidden_layer_sizes else "none (linear)")
axes[0, 0].set_ylabel("more units")
axes[1, 0].set_ylabel("other activations")
plt.show()
