"""The same work for every peer: one function for each, and the workloads.

    peer(workload, X, y, epochs) -> loss

trains a new network on all rows, in float32, with ReLU, softmax, cross-entropy, Adam and an L2 penalty of 1e-4 at scikit-learn's
defaults, rows shuffled before every epoch, and returns the mean loss of the last epoch. No peer may stop early or skip a last, smaller
batch. What a peer imports it imports inside its function, so that the others run without it. To add one: write its function, add
its row to ``PEERS``.
"""

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import fetch_openml, make_classification

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package dataset-fashion-mnist puts it


# ---- peers -----------------------------------------------------------------------------------------------------------


def scikit_learn(workload, X, y, epochs):
    from sklearn.neural_network import MLPClassifier

    return _fit(MLPClassifier, workload, X, y, epochs)


def sknn(workload, X, y, epochs):
    from sknn import MLPClassifier

    return _fit(MLPClassifier, workload, X, y, epochs)


def _fit(kind, workload, X, y, epochs):
    model = kind(workload.hidden, batch_size=workload.batch_size, max_iter=epochs, n_iter_no_change=np.inf, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of max_iter, which is meant
        return model.fit(X, y).loss_


PEERS = {"sknn": sknn, "scikit-learn": scikit_learn}


# ---- workloads -------------------------------------------------------------------------------------------------------


def _synthetic(n_rows, n_features, n_classes):
    X, y = make_classification(
        n_rows, n_features, n_informative=n_features // 2, n_redundant=0, n_classes=n_classes, class_sep=2.0, random_state=0
    )
    return X.astype(np.float32), y


def _fashion_mnist(n_rows):
    if FASHION_MNIST.is_dir():
        X, y = (_read_idx(FASHION_MNIST / f"train-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    else:
        X, y = fetch_openml("Fashion-MNIST", version=1, as_frame=False, return_X_y=True)
    return X[:n_rows].reshape(n_rows, 784).astype(np.float32) / 255, y[:n_rows].astype(np.int64)


def _read_idx(path):
    raw = gzip.decompress(path.read_bytes())
    n_dimensions = raw[3]
    shape = np.frombuffer(raw, ">i4", n_dimensions, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * n_dimensions).reshape(shape)


class Workload(NamedTuple):
    """A data set and the network that is trained on it."""

    load: Callable
    hidden: tuple
    batch_size: int
    epochs: int  # of one measurement

    def n_steps(self, n_rows):
        return self.epochs * -(-n_rows // self.batch_size)


WORKLOADS = {
    "tiny": Workload(lambda: _synthetic(500, 20, 5), (50,), 32, 50),
    "small": Workload(lambda: _synthetic(10_000, 50, 10), (100,), 200, 10),
    "mid": Workload(lambda: _synthetic(100_000, 100, 10), (256, 256), 256, 2),
    "lecture-32": Workload(lambda: _fashion_mnist(20_000), (512, 512), 32, 1),
    "lecture-256": Workload(lambda: _fashion_mnist(60_000), (512, 512), 256, 1),
}
