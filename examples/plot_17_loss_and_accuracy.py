"""
Loss and accuracy
=================

``evaluate`` returns the loss and the accuracy of any samples, as Keras does. They need not agree:
accuracy counts mistakes, and the loss, -log p of the true class, also asks how sure the network is.
A network that trains for too long makes few more mistakes than before, but is sure of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknn import MLPClassifier

# %%
# Data
# ----
# 300 images of digits for training, of which every tenth has a random label; the others are for
# testing.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, train_size=300, random_state=0)
y_train[::10] = np.random.default_rng(0).integers(0, 10, size=30)

# %%
# Evaluation after every epoch
# ----------------------------
# ``partial_fit`` trains one epoch.

EPOCHS = range(1, 201)
found = {}
for dropout in (0.0, 0.5):
    network = MLPClassifier(
        (100,), learning_rate_init=0.005, batch_size=50, dropout=dropout, random_state=0
    )
    found[dropout] = []
    for _ in EPOCHS:
        network.partial_fit(X_train, y_train, classes=range(10))
        found[dropout].append(network.evaluate(X_test, y_test))

print("dropout  epoch  test loss  test accuracy")
for dropout, evaluations in found.items():
    for epoch in (10, 20, 50, 200):
        evaluation = evaluations[epoch - 1]
        print(
            f"{dropout:7.1f} {epoch:6d} {evaluation['loss']:10.3f} {evaluation['accuracy']:14.3f}"
        )

# %%
# Curves
# ------
# Without dropout, the loss rises by a quarter between epochs 50 and 200, and accuracy hardly falls.
# Where probabilities are used, as for decisions with costs, watch the loss: ``scoring="loss"``.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for dropout, evaluations in found.items():
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        values = [evaluation[name] for evaluation in evaluations]
        axis.plot(EPOCHS, values, label=f"dropout={dropout}")
        axis.set(xlabel="epoch", ylabel=f"test {name}")
axes[0].set(title="Training for too long harms the loss ...", ylim=(0, 1))
axes[1].set(title="... more than the accuracy", ylim=(0.8, 1))
axes[1].legend(loc="lower right")
plt.show()
