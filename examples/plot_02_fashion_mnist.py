"""
Fashion-MNIST with two hidden layers
====================================

60 000 grayscale images of clothes, 28 x 28 pixels, in ten classes: a network of 784-512-512-10
units with ReLU, trained with Adam on minibatches of 32 for three epochs. The images come from
Debian's package ``dataset-fashion-mnist`` if it is installed, and otherwise from OpenML.
"""

import gzip
import importlib.util
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier

FOLDER = Path("/usr/share/datasets/fashion-mnist")
N_TRAIN = 60_000  # images; the others are the test set
KINDS = [
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
]

# %%
# Data
# ----
# Pixels are bytes. Scaled to [0, 1], they have the size that the starting weights are made for. In
# float32 the network also computes in float32, which takes half the time of float64.


def read_idx(path):
    """Return the bytes of a gzipped idx file, one row per item.

    Its header has 16 bytes (images) or 8 bytes (labels).
    """
    content = gzip.decompress(path.read_bytes())
    n_items = int.from_bytes(content[4:8], "big")
    header = 16 if "images" in path.name else 8
    return np.frombuffer(content, np.uint8, offset=header).reshape(n_items, -1)


def load():
    """Return ``(X_train, y_train, X_test, y_test)``."""
    if FOLDER.exists():
        images = np.concatenate(
            [read_idx(FOLDER / f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k")]
        )
        labels = np.concatenate(
            [read_idx(FOLDER / f"{part}-labels-idx1-ubyte.gz") for part in ("train", "t10k")]
        ).ravel()
    else:
        images, labels = fetch_openml("Fashion-MNIST", version=1, as_frame=False, return_X_y=True)
    X = images.astype(np.float32) / 255
    y = labels.astype(int)
    return X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:]


# %%
# Training and testing
# --------------------


def main(n_rows=N_TRAIN, max_iter=3, data=None):
    """Train on the first ``n_rows`` images. Return the network and its test accuracy."""
    X_train, y_train, X_test, y_test = load() if data is None else data
    network = MLPClassifier((512, 512), batch_size=32, max_iter=max_iter, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # three epochs are intended
        started = time.perf_counter()
        network.fit(X_train[:n_rows], y_train[:n_rows])
        seconds = time.perf_counter() - started

    print("epoch    loss  seconds")
    for epoch, loss, epoch_seconds in zip(
        *(network.history_[name] for name in ("epoch", "loss", "seconds")), strict=True
    ):
        print(f"{epoch:5}  {loss:6.4f}  {epoch_seconds:7.2f}")
    accuracy = network.score(X_test, y_test)
    print(
        f"{network.n_parameters_} parameters, {seconds:.2f} s of training, "
        f"test accuracy {accuracy:.4f}"
    )
    show_mistakes(network, X_test, y_test)
    return network, accuracy


# %%
# Misclassified images
# --------------------
# Among the test images that the network gets wrong, those for which it was most confident.


def show_mistakes(network, X, y, n_images=10):
    """Show misclassified images, if matplotlib is installed."""
    if not importlib.util.find_spec("matplotlib"):
        return
    import matplotlib.pyplot as plt

    probabilities = network.predict_proba(X)
    predicted = network.classes_[probabilities.argmax(axis=1)]
    wrong = np.flatnonzero(predicted != y)
    surest = wrong[probabilities[wrong].max(axis=1).argsort()[::-1][:n_images]]
    figure, axes = plt.subplots(2, n_images // 2, figsize=(n_images, 5.4), layout="constrained")
    figure.suptitle("Mistakes on test images: what the network says (and what it is)")
    for axis in axes.flat:
        axis.axis("off")
    for axis, i in zip(axes.flat, surest, strict=False):
        axis.imshow(X[i].reshape(28, 28), cmap="gray_r")
        axis.set_title(f"{KINDS[predicted[i]]}\n(is {KINDS[y[i]]})", fontsize=9)
    plt.show()


if __name__ == "__main__":
    main()
