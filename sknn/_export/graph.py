"""A network as a graph of ONNX operators, in plain Python.

``models.py`` turns the graph into a model, ``converters.py`` adds it to the model that skl2onnx
makes of a pipeline.
"""

import copy
import itertools
from typing import NamedTuple

import numpy as np
from sklearn.base import is_classifier

from .._engine.batch_norm import EPSILON
from .._runtime.architecture import (
    ACTIVATION,
    BATCH_NORM,
    COEFS,
    DENSE,
    EMBEDDING,
    INTERCEPTS,
    LINK,
    PIECEWISE_LINEAR,
    RUNNING_MEAN,
    RUNNING_VARIANCE,
    SCALE,
    SHIFT,
    SKIP,
    SKIP_COEFS,
)
from .._runtime.embedding import EMBEDDING_COEFS, EMBEDDING_INTERCEPTS, FREQUENCIES, PHASES
from .._runtime.piecewise_linear import SCALE as BIN_SCALE
from .._runtime.piecewise_linear import piecewise_linear
from .._validation.calibrated import checked_shifts, checked_temperature
from .._validation.classes import fitted_classes
from .._validation.data import target_range
from .network import fitted_network

MIN_OPSET = 13
_OPSET_WITH_AXES_AS_INPUT = 18  # of ReduceMax
_INT64 = 7  # ONNX's number of the type
_REAL = {"float32": 1, "float64": 11}
_OF_ML = {"LabelEncoder": 2}  # operators of the domain "ai.onnx.ml", and their version there


class Node(NamedTuple):
    """One operator."""

    operator: str
    inputs: list
    output: str
    attributes: dict
    unread: tuple = ()  # names of further outputs, which nothing reads

    @property
    def outputs(self):
        """Names of all outputs."""
        return [self.output, *self.unread]

    @property
    def domain(self):
        """``(name of its set of operators, its version there)``; None is the graph's version."""
        return ("ai.onnx.ml", _OF_ML[self.operator]) if self.operator in _OF_ML else ("", None)


class Graph:
    """A graph of operators and constants, which grows by calls.

    Parameters
    ----------
    dtype : numpy.dtype
        Of all real numbers.
    opset : int
        Version of ONNX's operators.
    taken : tuple of str
        Names that are in use.

    Attributes
    ----------
    nodes : list of Node
    constants : dict of ndarray
    """

    def __init__(self, dtype, opset, taken=()):
        if opset < MIN_OPSET:
            raise ValueError(f"opset must be {MIN_OPSET} or later, got {opset}.")
        self.dtype = np.dtype(dtype)
        self.opset = opset
        self.nodes = []
        self.constants = {}
        candidates = (f"value_{i}" for i in itertools.count())
        self._names = (name for name in candidates if name not in taken)

    def __call__(self, operator, *inputs, **attributes):
        """Add an operator, and return the name of its output.

        Inputs are names of outputs, numbers or arrays.
        """
        names = [self._named(value) for value in inputs]
        output = next(self._names)
        self.nodes.append(Node(operator, names, output, attributes))
        return output

    def _named(self, value):
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        common = {"f": self.dtype, "i": np.int64, "U": object}
        name = next(self._names)
        self.constants[name] = array.astype(common.get(array.dtype.kind, array.dtype))
        return name

    def reduce_max(self, value, axis):
        """Add the maximum over one axis."""
        if self.opset < _OPSET_WITH_AXES_AS_INPUT:
            return self("ReduceMax", value, axes=[axis], keepdims=0)
        return self("ReduceMax", value, np.array([axis]), keepdims=0)

    def sort(self, value, width):
        """Add the numbers of each row in rising order, of which there are ``width``."""
        output, indices = next(self._names), next(self._names)
        inputs = [value, self._named(np.array([width]))]
        self.nodes.append(Node("TopK", inputs, output, {"axis": 1, "largest": 0}, (indices,)))
        return output

    def with_dtype(self, dtype):
        """Return this graph for constants of another dtype; what is added to one is in both."""
        twin = copy.copy(self)
        twin.dtype = np.dtype(dtype)
        return twin

    def real(self, value, dtype=None):
        """Add the conversion to real numbers of a dtype, by default the graph's."""
        return self("Cast", value, to=_REAL[np.dtype(dtype or self.dtype).name])

    def codes(self, strings, codes):
        """Add the replacement of strings by their codes, and by -1 where they have none."""
        return self(
            "LabelEncoder",
            strings,
            keys_strings=list(codes),
            values_int64s=list(codes.values()),
            default_int64=-1,
        )

    def columns(self, table, indices):
        """Add the choice of some columns of a table, in this order."""
        return self("Gather", table, np.asarray(indices), axis=1)

    def side_by_side(self, tables):
        """Add the concatenation of tables with the same rows."""
        return self("Concat", *tables, axis=1) if len(tables) > 1 else tables[0]

    def name(self, value, name):
        """Add another name for a value."""
        self.nodes.append(Node("Identity", [value], name, {}))


def add_estimator(graph, estimator, X, labels=None):
    """Add a fitted estimator's prediction for the input X.

    Parameters
    ----------
    graph : Graph
    estimator : fitted estimator
    X : str
        Name of the input.
    labels : ndarray or None, default=None
        Of the classes; None stands for :func:`class_labels`.

    Returns
    -------
    outputs : dict of str
        From the names that skl2onnx gives to outputs to the values: "label" and "probabilities" of
        a classifier, "variable" of a regressor.
    """
    if is_classifier(estimator):
        return _add_classifier(graph, estimator, X, labels)
    outputs = _add_layers(graph, estimator, X)
    if estimator._architecture.scales_targets:
        outputs = graph("Mul", outputs, np.asarray(estimator.y_scale_, float))
        outputs = graph("Add", outputs, np.asarray(estimator.y_mean_, float))
    if "quantile_shifts_" in vars(estimator):
        outputs = graph("Add", outputs, checked_shifts(estimator))
        n_levels = len(estimator._architecture.loss_parameters)
        outputs = graph.sort(outputs, n_levels) if n_levels > 1 else outputs
    if "y_min_" in vars(estimator):
        low, high = target_range(estimator, graph.dtype)
        outputs = graph("Min", graph("Max", outputs, low), high)
    return {"variable": outputs}


def _add_classifier(graph, estimator, X, labels):
    if estimator._multilabel:
        probabilities = _add_layers(graph, estimator, X)
        return {"label": add_label(graph, probabilities, None), "probabilities": probabilities}
    labels = class_labels(fitted_classes(estimator)) if labels is None else labels
    probabilities = _add_layers(graph, estimator, X, n_classes=len(labels))
    return {"label": add_label(graph, probabilities, labels), "probabilities": probabilities}


def add_label(graph, probabilities, labels):
    """Add the most probable label, or whether each is probable where labels are None."""
    if labels is None:
        return graph("Cast", graph("Greater", probabilities, 0.5), to=_INT64)
    return graph("Gather", labels, graph("ArgMax", probabilities, axis=1, keepdims=0))


def class_labels(classes):
    """Return an array of classes as int64 or str, the labels that ONNX has.

    Raises
    ------
    ValueError
        If a label is neither a whole number nor a str.
    """
    if classes.dtype.kind in "biuf":
        whole = classes.astype(np.int64, casting="unsafe")
        if (whole == classes).all():
            return whole
    elif all(isinstance(label, str) for label in classes):
        return classes.astype(str)
    raise ValueError(
        f"classes_ must be whole numbers or strings to be labels in ONNX, got {classes!r}; fit on "
        "labels of these kinds."
    )


def add_hidden_features(graph, estimator, X, layer):
    """Add the outputs of a fitted network's hidden layer, whose index may be negative."""
    return _add_layers(graph, estimator, X, n_layers=layer % (len(estimator.coefs_) - 1) + 1)


def _add_layers(graph, estimator, X, *, n_classes=0, n_layers=None):
    """Add the operations of a network.

    Parameters
    ----------
    graph : Graph
    estimator : fitted estimator
    X : str
        Name of the input.
    n_classes : int, default=0
        Number of probabilities, where the only output stands for two classes.
    n_layers : int or None, default=None
        Number of layers. None means all.
    """
    architecture, arrays = fitted_network(estimator, "to_onnx")
    value = X
    for operation in architecture.operations:
        i = operation.layer
        if operation.kind == DENSE and i == n_layers:
            break
        if operation.kind == DENSE:
            value = graph("Gemm", value, arrays[COEFS][i], arrays[INTERCEPTS][i])
        elif operation.kind == EMBEDDING:
            value = _add_embedding(graph, arrays, architecture.embedded, X)
        elif operation.kind == PIECEWISE_LINEAR:
            bins = piecewise_linear(architecture.bins)
            added = add_bins(graph, X, bins.columns, bins.low, bins.high, BIN_SCALE)
            value = graph.side_by_side([X, added])
        elif operation.kind == SKIP:
            value = graph("Add", value, graph("MatMul", X, arrays[SKIP_COEFS][0]))
        elif operation.kind == BATCH_NORM:
            value = _add_batch_norm(graph, arrays, i, value)
        elif operation.kind == ACTIVATION:
            value = _add_activation(graph, architecture.hidden[i], value)
        elif operation.kind == LINK:
            if architecture.n_outputs == 1 and n_classes:
                both = [graph("Neg", value), value]
                value = graph("Concat", *both[:n_classes], axis=1)
            if "temperature_" in vars(estimator):
                value = graph("Div", value, float(checked_temperature(estimator)))
            value = architecture.loss_part.onnx(graph, value, architecture.loss_parameters)
    return value


def _add_embedding(graph, arrays, columns, X):
    """Add the numbers that embedded columns become, behind all columns."""
    names = FREQUENCIES, PHASES, EMBEDDING_COEFS, EMBEDDING_INTERCEPTS
    frequencies, phases, coefs, intercepts = (arrays[name][0] for name in names)
    x = graph("Unsqueeze", graph.columns(X, columns), np.array([2]))
    radians = graph("Add", graph("Mul", x, 2 * np.pi * frequencies.astype(np.float64)), phases)
    waves = graph("Unsqueeze", graph("Cos", radians), np.array([2]))
    numbers = graph("Add", graph("MatMul", waves, coefs), intercepts[:, np.newaxis])
    flat = graph("Reshape", numbers, np.array([-1, intercepts.size]))
    return graph.side_by_side([X, flat])


def add_bins(graph, X, columns, low, high, scale):
    """Add what columns of X become in bins; see ``_runtime/piecewise_linear.py``.

    Parameters
    ----------
    graph : Graph
        Numbers are float64 until the last operator, since narrow bins would not fit float32.
    X : str
    columns : ndarray of int of shape (n_bins,)
        Of the table, one for each bin.
    low, high : ndarray of shape (n_bins,)
    scale : float
    """
    exact = graph.with_dtype(np.float64)
    values = exact.real(exact.columns(X, columns))
    within = exact("Mul", exact("Min", exact("Max", values, low), high), 0.5)
    share = exact("Div", exact("Sub", within, low / 2), high / 2 - low / 2)
    return graph.real(exact("Mul", exact("Sub", share, 0.5), scale))


def _add_batch_norm(graph, arrays, layer, value):
    scale, shift, mean, variance = (
        arrays[name][layer].astype(np.float64)
        for name in (SCALE, SHIFT, RUNNING_MEAN, RUNNING_VARIANCE)
    )
    factor = scale / np.sqrt(variance + EPSILON)
    return graph("Add", graph("Mul", value, factor), shift - mean * factor)


def _add_activation(graph, layer, value):
    if layer.part.onnx is None:
        raise ValueError(
            f"activation={layer.activation!r} has no operators in ONNX, so to_onnx cannot export "
            "this network; fit it with one of the built-in activations."
        )
    return layer.part.onnx(graph, value, layer.pieces if layer.part.pieces else layer.parameter)
