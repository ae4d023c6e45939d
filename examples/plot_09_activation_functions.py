"""
Activation functions and their slopes
=====================================

A hidden unit computes z = w x + b and passes on f(z). Without f, a network of any depth would be a
linear model. The slope f' decides how well it learns: backpropagation multiplies the gradient by f'
in each layer, so where f' is almost 0, nothing gets through.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPRegressor

warnings.filterwarnings("ignore", category=ConvergenceWarning)  # nothing is learned here

ACTIVATIONS = [
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "maxout",
    "softplus",
    "gelu",
    "silu",
    "mish",
]

# %%
# A network with one unit
# -----------------------
# Its weight is set to 1 and its intercept to 0, so that the output of the hidden layer is f(z).
# Weights that are assigned are used in predictions. A maxout unit is the maximum of two linear
# functions whose slopes it learns; here they are set to 1 and -0.5.

z = np.linspace(-4, 4, 801)


def activate(activation):
    """Return f(z)."""
    network = MLPRegressor(
        hidden_layer_sizes=(1,), activation=activation, max_iter=1, random_state=0
    ).fit(z[:, None], z)
    network.coefs_[0][:] = [1, -0.5] if activation == "maxout" else 1
    network.intercepts_[0][:] = 0
    return network.hidden_features(z[:, None])[:, 0]


# %%
# Slopes
# ------
# The largest slope of the sigmoid is 1/4. Ten layers of it shrink a gradient at least by 4^10, a
# million; tanh reaches 1, but only close to 0. ReLU has the slope 1 for all z > 0. For z < 0 it is
# 0, and a unit that is there for all samples never learns again. Leaky ReLU and ELU avoid this.

values = {activation: activate(activation) for activation in ACTIVATIONS}
slopes = {activation: np.gradient(value, z) for activation, value in values.items()}
print("activation  slope at -3    at 0    at 3   largest")
for activation, slope in slopes.items():
    at = [slope[np.argmin(abs(z - point))] for point in (-3, 0, 3)]
    print(f"{activation:10}  {at[0]:11.3f} {at[1]:7.3f} {at[2]:7.3f} {slope.max():9.3f}")

# %%
# Curves
# ------
# At its corner, ReLU has no slope. The kernels take 0 there.

figure, axes = plt.subplots(2, 5, figsize=(13, 5), layout="constrained", sharex=True, sharey=True)
for axis, activation in zip(axes.flat, ACTIVATIONS, strict=True):
    axis.axhline(0, color="lightgray", linewidth=0.8)
    axis.axvline(0, color="lightgray", linewidth=0.8)
    axis.plot(z, values[activation], label="f(z)")
    axis.plot(z, slopes[activation], "--", label="slope f'(z)")
    axis.set(title=activation, ylim=(-1.3, 3))
for axis in axes[1]:
    axis.set_xlabel("z")
axes[0, 0].legend(loc="upper left")
plt.show()
