"""
Capacity: training and validation error against the number of units
===================================================================

A network with too few units cannot follow the data (underfitting): both errors are large. With more
units, the training error falls and falls, while the validation error falls at first and then rises,
as the network fits the noise (overfitting). scikit-learn's ``validation_curve`` draws this
for any parameter.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ShuffleSplit, validation_curve

from sknn import MLPRegressor

warnings.filterwarnings("ignore", category=ConvergenceWarning)  # a fixed number of iterations

# %%
# Data
# ----
# One and a half periods of a sine with noise of standard deviation 0.3. No model can have a mean
# squared validation error under 0.09.

NOISE = 0.3

rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, size=60)
y = np.sin(1.5 * np.pi * x) + rng.normal(scale=NOISE, size=x.size)
X = x[:, None]

# %%
# Networks of growing width
# -------------------------
# There is no penalty, and L-BFGS finds weights that fit the training set as well as they can.

ERRORS = [0.02, 0.05, 0.1, 0.2, 0.5]  # labels of an axis
UNITS = [1, 2, 3, 5, 10, 30]
network = MLPRegressor(activation="tanh", solver="lbfgs", alpha=0.0, max_iter=300, random_state=0)


def errors_against_width(alpha):
    """Return mean squared errors on training and validation samples, medians over splits."""
    scores = validation_curve(
        network.set_params(alpha=alpha),
        X,
        y,
        param_name="hidden_layer_sizes",
        param_range=[(units,) for units in UNITS],
        cv=ShuffleSplit(5, test_size=0.5, random_state=0),
        scoring="neg_mean_squared_error",
    )
    return [-np.median(values, axis=1) for values in scores]


curves = {alpha: errors_against_width(alpha) for alpha in (0.0, 0.1)}

# %%
# Results
# -------
# The lesson is to choose capacity by the validation error; or to take a large network and hold it
# back, here with an L2 penalty, so that more units do no harm.

print("units  training error  validation error  with alpha=0.1")
for index, units in enumerate(UNITS):
    (training, validation), (_, penalized) = (
        [errors[index] for errors in curves[alpha]] for alpha in (0.0, 0.1)
    )
    print(f"{units:5d} {training:15.3f} {validation:17.3f} {penalized:15.3f}")

# %%
# Curves
# ------
# On the right, three of the networks, trained on the first half of the samples.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for color, (alpha, (training, validation)) in zip(
    ("tab:blue", "tab:orange"), curves.items(), strict=True
):
    for errors, style, kind in ((training, "o--", "training"), (validation, "o-", "validation")):
        left.plot(UNITS, errors, style, markersize=4, color=color, label=f"{kind}, alpha={alpha}")
left.axhline(NOISE**2, color="gray", linestyle=":", label="noise")
left.set(
    xscale="log",
    xticks=UNITS,
    xticklabels=UNITS,
    yscale="log",
    yticks=ERRORS,
    yticklabels=ERRORS,
    xlabel="hidden units",
    ylabel="mean squared error (median of 5 splits)",
    title="Error against capacity",
)
left.minorticks_off()
left.legend(fontsize=8)

grid = np.linspace(-1, 1, 400)
right.plot(x[:30], y[:30], "k.", label="training samples")
for units in (1, 3, 30):
    fitted = network.set_params(hidden_layer_sizes=(units,), alpha=0.0).fit(X[:30], y[:30])
    right.plot(grid, fitted.predict(grid[:, None]), label=f"{units} unit{'s' * (units > 1)}")
right.set(ylim=(-2.2, 2.2), xlabel="x", ylabel="y", title="Underfitting and overfitting")
right.legend(fontsize=8)
plt.show()
