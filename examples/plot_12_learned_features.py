"""
Learned features: what hidden layers compute
============================================

Hidden layers turn inputs into features in which the classes are easy to separate. The weights of
the first layer can be drawn as images. A layer of two units makes the features themselves visible:
ten kinds of digits, which overlap in the pixels, become ten separate groups of points in a plane.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from sknn import HiddenFeatures, MLPClassifier

warnings.filterwarnings("ignore", category=ConvergenceWarning)  # the schedule ends at max_iter

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)

# %%
# A network with a bottleneck
# ---------------------------
# All that the output layer learns about an image has to pass through two numbers.

network = MLPClassifier(
    (64, 32, 2),
    ["relu", "relu", "identity"],
    batch_norm=True,
    learning_rate="one_cycle",
    learning_rate_init=0.02,
    max_iter=60,
    random_state=0,
).fit(X_train, y_train)
print(f"accuracy with two features: {network.score(X_test, y_test):.3f} of the test samples")

# %%
# Two other features for comparison: the first two principal components, which know nothing of the
# classes.

pca = make_pipeline(PCA(2), LogisticRegression(max_iter=1000)).fit(X_train, y_train)
print(f"two principal components:   {pca.score(X_test, y_test):.3f}")

# %%
# As a transformer
# ----------------
# ``HiddenFeatures`` makes a hidden layer a step of a pipeline, so that other estimators can learn
# from its features.

features = HiddenFeatures(network)
model = make_pipeline(features, LogisticRegression(max_iter=1000))
print(f"logistic regression on them: {cross_val_score(model, X / 16, y, cv=3).mean():.3f}")

# %%
# Pictures
# --------
# On the left, the weights of the first 16 units, from the pixels: red strengthens, blue weakens.
# Each unit adds up ink at some places and subtracts it at others. In the middle, two features made
# without knowing the classes, on the right the two that the network has learned for them.

figure = plt.figure(figsize=(14, 4.6), layout="constrained")
left, middle, right = figure.subfigures(1, 3)
for axis, weights in zip(left.subplots(4, 4).flat, network.coefs_[0].T, strict=False):
    limit = abs(weights).max()
    axis.imshow(weights.reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
    axis.set(xticks=[], yticks=[])
left.suptitle("Weights of 16 hidden units")

panels = {
    "Two principal components": (middle, pca[:-1].transform(X_test)),
    "Two hidden units (test samples)": (right, network.hidden_features(X_test)),
}
for title, (panel, points) in panels.items():
    axis = panel.subplots()
    drawn = axis.scatter(*points.T, c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=12)
    panel.suptitle(title)
figure.colorbar(drawn, ax=axis, ticks=range(10), label="digit")
plt.show()
