"""
Gradients: layer by layer, and what a network looks at
======================================================

Backpropagation takes the gradient of the loss from the output back to the first layer.
``gradients`` returns it for every array of weights and for the inputs. The first shows whether deep
layers can learn at all, the second what a prediction depends on.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier

warnings.filterwarnings("ignore", category=ConvergenceWarning)  # the deep networks do not train

N_LAYERS = 10
SETTINGS = [
    ("sigmoid", "glorot_normal"),
    ("tanh", "random_uniform"),
    ("tanh", "glorot_normal"),
    ("relu", "glorot_normal"),
    ("relu", "he_normal"),
]

# %%
# Data
# ----
# Images of digits, with 8 x 8 pixels, standardized as a whole.

X, y = load_digits(return_X_y=True)
X = (X - X.mean()) / X.std()

# %%
# Before training
# ---------------
# A learning rate of 1e-12 leaves the starting weights unchanged. Of each layer, the mean size of
# dL/dW is kept.


def sizes_of_gradients(activation, initializer):
    """Return the mean size of the weights' gradients in each layer of an untrained network."""
    network = MLPClassifier(
        (64,) * N_LAYERS,
        activation,
        initializer=initializer,
        learning_rate_init=1e-12,
        max_iter=1,
        random_state=0,
    ).fit(X, y)
    return [abs(gradient).mean() for gradient in network.gradients(X, y)["coefs"]]


sizes = {setting: sizes_of_gradients(*setting) for setting in SETTINGS}

# %%
# With sigmoid units, each layer multiplies the gradient by a slope of at most 1/4: it vanishes on
# its way back, and the first layers hardly move. With too small weights ("random_uniform"), the
# signal vanishes on its way forward, too, and no layer gets a gradient. ReLU with the weights that
# He derived for it keeps the size, as does tanh with Glorot's.

print("activation  initializer     first layer  last layer     ratio")
for (activation, initializer), size in sizes.items():
    print(
        f"{activation:10}  {initializer:14} {size[0]:12.1e} {size[-1]:11.1e} "
        f"{size[0] / size[-1]:9.1e}"
    )

# %%
# What the network looks at
# -------------------------
# For a trained network, dL/dX tells how the loss would change with each pixel. Its negative is
# averaged here over all images of a digit: where it is red, more ink would make the network more
# certain of the right answer; where it is blue, less ink would.

network = MLPClassifier((64,), alpha=1.0, tol=1e-3, random_state=0).fit(X, y)
of_inputs = network.gradients(X, y)["X"]
print(f"\naccuracy {network.score(X, y):.3f}, gradients of the inputs of shape {of_inputs.shape}")

figure = plt.figure(figsize=(13, 4.4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.35))
axis = left.subplots()
for (activation, initializer), size in sizes.items():
    label = f"{activation}, {initializer}"
    axis.plot(range(1, N_LAYERS + 2), size, "o-", markersize=4, label=label)
axis.set(
    yscale="log",
    xlabel="layer (1 reads the inputs)",
    ylabel="mean size of dL/dW",
    title="Gradients before training",
    xticks=range(1, N_LAYERS + 2),
)
axis.legend(fontsize=8)
for digit, axis in enumerate(right.subplots(2, 5).flat):
    wanted = -of_inputs[y == digit].mean(axis=0).reshape(8, 8)
    limit = abs(wanted).max()
    axis.imshow(wanted, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axis.set(title=digit, xticks=[], yticks=[])
right.suptitle("After training: more ink wanted (red), or less (blue)")
plt.show()
