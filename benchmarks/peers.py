"""The same work for every peer: one function for each, and the workloads.

    peer(workload, X, y, epochs) -> loss

trains a new network on all rows, in float32, with ReLU, softmax, cross-entropy, Adam and an L2
penalty of 1e-4 at scikit-learn's defaults, rows shuffled before every epoch, and returns the mean
loss of the last epoch. No peer may stop early or skip a last, smaller batch. What a peer imports it
imports inside its function, so that the others run without it. To add one: write its function, add
its row to ``PEERS``.
"""

import functools
import gzip
import importlib.util
import itertools
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import fetch_openml, make_classification

FASHION_MNIST = Path(
    "/usr/share/datasets/fashion-mnist"
)  # where Debian's package dataset-fashion-mnist puts it


# ---- peers -------------------------------------------------------------------------------------


def scikit_learn(workload, X, y, epochs):
    from sklearn.neural_network import MLPClassifier

    return _fit(MLPClassifier, workload, X, y, epochs)


def sknn(workload, X, y, epochs):
    from sknn import MLPClassifier

    return _fit(MLPClassifier, workload, X, y, epochs)


def _fit(kind, workload, X, y, epochs):
    model = kind(
        workload.hidden,
        batch_size=workload.batch_size,
        max_iter=epochs,
        n_iter_no_change=np.inf,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of max_iter, which is meant
        return model.fit(X, y).loss_


# scikit-learn's defaults
ALPHA = 1e-4
RATE = 1e-3


def _orders(n_rows, batch_size, epochs):
    """Yield shuffled rows for every epoch.

    They are those of the full batches, of shape (batches, batch_size), and of the smaller last one.
    """
    rng = np.random.default_rng(0)
    whole = n_rows - n_rows % batch_size
    for _ in range(epochs):
        order = rng.permutation(n_rows).astype(np.int32)
        yield order[:whole].reshape(-1, batch_size), order[whole:]


def _glorot_uniform(units):
    rng = np.random.default_rng(0)
    for fan_in, fan_out in itertools.pairwise(units):
        limit = np.sqrt(6 / (fan_in + fan_out))
        yield (
            rng.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32),
            np.zeros(fan_out, np.float32),
        )


@functools.cache
def _jax_epoch():
    """Return a whole epoch as one compiled function: gather a batch, step, next batch."""
    import jax
    from jax import numpy as jnp

    def loss(parameters, X, y):
        for weights, intercepts in parameters[:-1]:
            X = jax.nn.relu(X @ weights + intercepts)
        weights, intercepts = parameters[-1]
        chosen = jnp.take_along_axis(
            jax.nn.log_softmax(X @ weights + intercepts), y[:, None], axis=1
        )
        return -chosen.mean() + 0.5 * ALPHA / len(X) * sum(
            (weights**2).sum() for weights, _ in parameters
        )

    def step(state, X, y):
        parameters, mean, square, t = state
        value, gradient = jax.value_and_grad(loss)(parameters, X, y)
        t = t + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, gradient)
        rate = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        parameters = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), parameters, mean, square
        )
        return (parameters, mean, square, t), value

    def epoch(state, X, y, batches, rest):
        state, values = jax.lax.scan(
            lambda state, rows: step(state, X[rows], y[rows]), state, batches
        )
        total = values.sum() * batches.shape[1]
        if len(rest):
            state, value = step(state, X[rest], y[rest])
            total += value * len(rest)
        return state, total / (batches.size + len(rest))

    return jax.jit(epoch, donate_argnums=0)


def jax(workload, X, y, epochs):
    import jax
    from jax import numpy as jnp

    units = (X.shape[1], *workload.hidden, len(np.unique(y)))
    parameters = [
        (jnp.asarray(weights), jnp.asarray(intercepts))
        for weights, intercepts in _glorot_uniform(units)
    ]
    mean, square = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
    state = (parameters, mean, square, jnp.float32(0))
    X = jnp.asarray(X)
    y = jnp.asarray(y, jnp.int32)
    for batches, rest in _orders(len(X), workload.batch_size, epochs):
        state, loss = _jax_epoch()(state, X, y, batches, rest)
    return float(loss)


def _torch_network(units):
    from torch import nn

    layers = [
        layer for sizes in itertools.pairwise(units) for layer in (nn.Linear(*sizes), nn.ReLU())
    ]
    return nn.Sequential(*layers[:-1])


def pytorch(workload, X, y, epochs):
    import torch

    torch.manual_seed(0)
    network = _torch_network((X.shape[1], *workload.hidden, len(np.unique(y))))
    weights = [value for value in network.parameters() if value.ndim == 2]
    intercepts = [value for value in network.parameters() if value.ndim == 1]
    decayed = {
        "params": weights,
        "weight_decay": ALPHA / workload.batch_size,
    }  # the gradient of the penalty
    optimizer = torch.optim.Adam([decayed, {"params": intercepts}], lr=RATE)
    loss_of = torch.nn.CrossEntropyLoss()
    X = torch.from_numpy(X)
    y = torch.from_numpy(y.astype(np.int64))
    for batches, rest in _orders(len(X), workload.batch_size, epochs):
        total = 0.0
        for rows in (*batches, rest) if len(rest) else batches:
            chosen = torch.from_numpy(rows)
            optimizer.zero_grad()
            loss = loss_of(network(X[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
    return total / len(X)


def skorch(workload, X, y, epochs):
    import torch
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    model = NeuralNetClassifier(
        _torch_network,
        module__units=(X.shape[1], *workload.hidden, len(np.unique(y))),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=ALPHA / workload.batch_size,
        lr=RATE,
        batch_size=workload.batch_size,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    return model.fit(X, y.astype(np.int64)).history[-1, "train_loss"]


def keras(workload, X, y, epochs):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    keras.utils.set_random_seed(0)
    penalty = keras.regularizers.L2(ALPHA / 2 / workload.batch_size)
    hidden = [
        keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty)
        for units in workload.hidden
    ]
    model = keras.Sequential(
        [*hidden, keras.layers.Dense(len(np.unique(y)), kernel_regularizer=penalty)]
    )
    model.compile(
        keras.optimizers.Adam(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model.fit(X, y, batch_size=workload.batch_size, epochs=epochs, verbose=0).history[
        "loss"
    ][-1]


PEERS = {
    "sknn": sknn,
    "scikit-learn": scikit_learn,
    "JAX": jax,
    "PyTorch": pytorch,
    "Keras": keras,
    "skorch": skorch,
}

_MODULES = {
    "sknn": "sknn",
    "scikit-learn": "sklearn",
    "JAX": "jax",
    "PyTorch": "torch",
    "Keras": "keras",
    "skorch": "skorch",
}


def is_installed(name):
    """Tell whether a peer can be imported here."""
    return importlib.util.find_spec(_MODULES[name]) is not None


# ---- workloads ---------------------------------------------------------------------------------


def _synthetic(n_rows, n_features, n_classes):
    X, y = make_classification(
        n_rows,
        n_features,
        n_informative=n_features // 2,
        n_redundant=0,
        n_classes=n_classes,
        class_sep=2.0,
        random_state=0,
    )
    return X.astype(np.float32), y


def fashion_mnist(n_rows, part="train"):
    """Return the first images of the training set, or of the test set (``"t10k"``), and labels."""
    if FASHION_MNIST.is_dir():
        X, y = (
            _read_idx(FASHION_MNIST / f"{part}-{name}-ubyte.gz")
            for name in ("images-idx3", "labels-idx1")
        )
    else:
        X, y = fetch_openml("Fashion-MNIST", version=1, as_frame=False, return_X_y=True)
        first = 0 if part == "train" else 60_000
        X = X[first:]
        y = y[first:]
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
    "tiny": Workload(lambda: _synthetic(500, 20, 5), (50,), 32, 200),
    "small": Workload(lambda: _synthetic(10_000, 50, 10), (100,), 200, 10),
    "mid": Workload(lambda: _synthetic(100_000, 100, 10), (256, 256), 256, 2),
    "lecture-32": Workload(lambda: fashion_mnist(20_000), (512, 512), 32, 1),
    "lecture-256": Workload(lambda: fashion_mnist(60_000), (512, 512), 256, 1),
}
