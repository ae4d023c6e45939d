"""Gradients of the loss, for users who want to look at them.

Training keeps of its backward pass only what the weight update needs. This one is plain NumPy over
the architecture's operations, with the kernels of activations and losses, and returns dL/d of
all that is trained and of the inputs. Dropout is off and batch norm uses its running statistics, as
in predictions, so rows do not depend on each other.
"""

import numpy as np

from .._compiled import kinds
from .._engine.batch_norm import EPSILON
from .architecture import (
    ACTIVATION,
    BATCH_NORM,
    COEFS,
    DENSE,
    DROPOUT,
    EMBEDDING,
    INTERCEPTS,
    PIECEWISE_LINEAR,
    RUNNING_MEAN,
    RUNNING_VARIANCE,
    SCALE,
    SHIFT,
    SKIP,
    SKIP_COEFS,
)
from .embedding import EMBEDDING_COEFS, EMBEDDING_INTERCEPTS, FREQUENCIES, PHASES
from .finiteness import refuse_overflow
from .piecewise_linear import piecewise_linear

_BLOCK_ROWS = 1024  # rows whose intermediate values are kept at a time


def compute_gradients(architecture, learned, table):
    """Return the gradients of the mean loss of all rows, weighted and without the penalty.

    Parameters
    ----------
    architecture : Architecture
    learned : dict of lists of ndarray
        The learned values by name, one a layer, in the dtype of the arithmetic.
    table : Table
        With targets and weights.

    Returns
    -------
    of_trained : dict of lists of ndarray
        Gradients of the trained values, by name, shaped like them.
    of_inputs : ndarray of shape (n_samples, n_features)
    """
    names = {value.name for value in architecture.learned if value.is_trained}
    of_trained = {
        name: [np.zeros_like(array) for array in arrays]
        for name, arrays in learned.items()
        if name in names
    }
    of_inputs = np.empty((table.n_rows, table.n_features), table.dtype)
    n_averaged = architecture.n_outputs if architecture.loss_part.averages_outputs else 1
    scale = 1 / (table.weight.sum(dtype=np.float64) * n_averaged)
    for start in range(0, table.n_rows, _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        with refuse_overflow(table.name, table.dtype):
            X = table.X[rows].astype(table.dtype)
        values = _run_forward(architecture, learned, X)
        delta = _loss_gradient(architecture, values[-1], table.y[rows], table.weight[rows], scale)
        of_outputs = delta
        steps = list(zip(architecture.operations, values[:-1], values[1:], strict=False))
        for operation, inputs, outputs in reversed(steps):
            backward = _BACKWARD[operation.kind]
            if backward is not None:
                layer = _Layer(architecture, operation, learned, of_trained, X)
                delta = backward(layer, inputs, outputs, delta)
        of_inputs[rows] = delta
        if architecture.skip:
            of_inputs[rows] += of_outputs @ learned[SKIP_COEFS][0].T
    return of_trained, of_inputs


class _Layer:
    """The learned values of an operation and the gradients to which its rows are added."""

    def __init__(self, architecture, operation, learned, gradients, X):
        self.X = X  # of the network
        self.hidden = architecture.hidden
        self.embedded = list(architecture.embedded)
        self.bins = architecture.bins
        self.number = operation.layer
        self.n_outputs = operation.n_outputs
        self._index = {value.name: value.index for value in operation.learned}
        self._learned = learned
        self._gradients = gradients

    def __getitem__(self, name):
        return self._learned[name][self._index[name]]

    def add(self, name, gradient):
        """Add a gradient of the learned value ``name``."""
        self._gradients[name][self._index[name]] += gradient


def _run_forward(architecture, learned, X):
    """Return the inputs and what each operation makes of them, without the link."""
    values = [X]
    for operation in architecture.operations[:-1]:
        forward = _FORWARD[operation.kind]
        layer = _Layer(architecture, operation, learned, None, X)
        values.append(values[-1] if forward is None else forward(layer, values[-1]))
    return values


def _loss_gradient(architecture, z, y, weight, scale):
    """Return dL/dz of the outputs z before the link."""
    dtype = z.dtype
    part = architecture.loss_part
    delta = np.empty(z.size, dtype)
    parameters = np.array(architecture.loss_parameters, dtype)
    targets = y.ravel().astype(dtype)
    weights = weight.astype(dtype)
    kinds.LOSS.function(part.loss, dtype)(
        z.flatten(),  # a copy, since losses may overwrite it
        targets,
        weights,
        architecture.n_outputs,
        parameters,
        dtype.type(scale),
        delta,
        np.zeros(1),
    )
    return delta.reshape(z.shape)


# ---- operations --------------------------------------------------------------------------------


def _radians(layer, X):
    x = X[:, layer.embedded, np.newaxis]
    return X.dtype.type(2 * np.pi) * x * layer[FREQUENCIES] + layer[PHASES]


def _embed(layer, X):
    waves = np.cos(_radians(layer, X))
    numbers = np.einsum("nek,ekj->nej", waves, layer[EMBEDDING_COEFS]) + layer[EMBEDDING_INTERCEPTS]
    return np.column_stack([X, numbers.reshape(len(X), -1)])


def _embed_backward(layer, X, outputs, delta):
    two_pi = X.dtype.type(2 * np.pi)
    of_features = delta[:, : X.shape[1]].copy()
    of_numbers = delta[:, X.shape[1] :].reshape(len(X), len(layer.embedded), -1)
    radians = _radians(layer, X)
    layer.add(EMBEDDING_COEFS, np.einsum("nek,nej->ekj", np.cos(radians), of_numbers))
    layer.add(EMBEDDING_INTERCEPTS, of_numbers.sum(axis=0))
    of_waves = np.einsum("nej,ekj->nek", of_numbers, layer[EMBEDDING_COEFS])
    of_radians = -of_waves * np.sin(radians)
    layer.add(PHASES, of_radians.sum(axis=0))
    x = X[:, layer.embedded]
    layer.add(FREQUENCIES, two_pi * np.einsum("nek,ne->ek", of_radians, x))
    of_features[:, layer.embedded] += two_pi * (of_radians * layer[FREQUENCIES]).sum(axis=2)
    return of_features


def _add_bins(layer, X):
    inputs = np.empty((len(X), layer.n_outputs), X.dtype)
    inputs[:, : X.shape[1]] = X
    piecewise_linear(layer.bins).encode(X, inputs[:, X.shape[1] :])
    return inputs


def _add_bins_backward(layer, X, outputs, delta):
    of_features = delta[:, : X.shape[1]].copy()
    piecewise_linear(layer.bins).add_gradient(X, delta[:, X.shape[1] :], of_features)
    return of_features


def _dense(layer, a):
    return a @ layer[COEFS] + layer[INTERCEPTS]


def _dense_backward(layer, a, z, delta):
    layer.add(COEFS, a.T @ delta)
    layer.add(INTERCEPTS, delta.sum(axis=0))
    return delta @ layer[COEFS].T


def _skip(layer, z):
    return z + layer.X @ layer[SKIP_COEFS]


def _skip_backward(layer, z, outputs, delta):
    layer.add(SKIP_COEFS, layer.X.T @ delta)
    return delta


def _normalized(layer, z):
    return (z - layer[RUNNING_MEAN]) / np.sqrt(layer[RUNNING_VARIANCE] + z.dtype.type(EPSILON))


def _batch_norm(layer, z):
    return layer[SCALE] * _normalized(layer, z) + layer[SHIFT]


def _batch_norm_backward(layer, z, outputs, delta):
    layer.add(SCALE, (delta * _normalized(layer, z)).sum(axis=0))
    layer.add(SHIFT, delta.sum(axis=0))
    deviation = np.sqrt(layer[RUNNING_VARIANCE] + z.dtype.type(EPSILON))
    return delta * layer[SCALE] / deviation


def _activate(layer, z):
    hidden = layer.hidden[layer.number]
    a = np.empty((len(z), layer.n_outputs), z.dtype)
    forward = kinds.ACTIVATION.function(hidden.part.forward, z.dtype)
    forward(z.reshape(-1), z.dtype.type(hidden.parameter), a.reshape(-1))
    return a


def _activate_backward(layer, z, a, delta):
    hidden = layer.hidden[layer.number]
    dz = np.empty(z.shape, z.dtype)
    backward = kinds.ACTIVATION_BACKWARD.function(hidden.part.backward, z.dtype)
    backward(
        z.reshape(-1),
        a.reshape(-1),
        z.dtype.type(hidden.parameter),
        np.ascontiguousarray(delta).reshape(-1),
        dz.reshape(-1),
    )
    return dz


# Dropout changes nothing in predictions.
_FORWARD = {
    EMBEDDING: _embed,
    PIECEWISE_LINEAR: _add_bins,
    DENSE: _dense,
    SKIP: _skip,
    BATCH_NORM: _batch_norm,
    ACTIVATION: _activate,
    DROPOUT: None,
}
_BACKWARD = {
    EMBEDDING: _embed_backward,
    PIECEWISE_LINEAR: _add_bins_backward,
    DENSE: _dense_backward,
    SKIP: _skip_backward,
    BATCH_NORM: _batch_norm_backward,
    ACTIVATION: _activate_backward,
    DROPOUT: None,
}
