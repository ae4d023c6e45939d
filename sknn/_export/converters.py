"""Converters for skl2onnx, so that a whole Pipeline becomes one ONNX model.

Only imported where skl2onnx is installed.
"""

import numpy as np
from onnx import TensorProto, numpy_helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from .._validation.classes import fitted_classes
from ..mlp import MLPClassifier, MLPRegressor
from .graph import Graph, add_estimator, class_labels

REAL_TYPES = {np.dtype(np.float32): FloatTensorType, np.dtype(np.float64): DoubleTensorType}
CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [False, True],
    "output_class_labels": [False, True],
}


def register_networks():
    """Tell skl2onnx how to convert both estimators."""
    update_registered_converter(
        MLPClassifier,
        "SknnMLPClassifier",
        _set_classifier_types,
        _convert,
        options=CLASSIFIER_OPTIONS,
    )
    update_registered_converter(MLPRegressor, "SknnMLPRegressor", _set_regressor_types, _convert)


def labels_of(scope, estimator):
    """Return the labels of the classes; their numbers where the option ``nocl`` asks for them."""
    if not hasattr(estimator, "classes_"):
        return None
    is_network = isinstance(estimator, MLPClassifier)
    labels = class_labels(fitted_classes(estimator) if is_network else estimator.classes_)
    numbered = scope.get_options(estimator, {"nocl": False})["nocl"]
    return np.arange(len(labels)) if numbered else labels


def dtype_of(operator):
    """Return the dtype that an operator computes with: its input's if real, otherwise float32."""
    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    return np.dtype(np.float64 if is_double else np.float32)


def real_type(operator, width):
    """Return the type of an output of real numbers with so many columns."""
    rows = operator.inputs[0].get_first_dimension()
    return REAL_TYPES[dtype_of(operator)]([rows, width])


def make_graph(operator, container, dtype=None):
    """Return an empty graph for an operator, by default of the dtype of its input."""
    taken = [each.full_name for each in (*operator.inputs, *operator.outputs)]
    return Graph(dtype or dtype_of(operator), container.target_opset, taken)


def join_inputs(graph, operator):
    """Add the operator's inputs side by side, as real numbers, and return the table."""
    return graph.side_by_side(
        [
            each.full_name
            if isinstance(each.type, REAL_TYPES[graph.dtype])
            else graph.real(each.full_name)
            for each in operator.inputs
        ]
    )


def _set_classifier_types(operator):
    set_classifier_types(operator, operator.raw_operator._multilabel)


def set_classifier_types(operator, is_multilabel):
    """Set the types of a classifier's outputs."""
    labels = labels_of(operator.scope_inst, operator.raw_operator)
    rows = operator.inputs[0].get_first_dimension()
    kind = StringTensorType if labels.dtype.kind == "U" else Int64TensorType
    label, probabilities = operator.outputs
    label.set_type(kind([rows, len(labels)] if is_multilabel else [rows]))
    probabilities.set_type(real_type(operator, len(labels)))


def _set_regressor_types(operator):
    n_outputs = operator.raw_operator._architecture.n_outputs
    operator.outputs[0].set_type(real_type(operator, n_outputs))


def _convert(scope, operator, container):
    """Add the operators of a fitted network to skl2onnx's model.

    Real inputs are computed with in their own type, all others in float32.
    """
    graph = make_graph(operator, container)
    X = join_inputs(graph, operator)
    network = operator.raw_operator
    outputs = add_estimator(graph, network, X, labels_of(scope, network))
    add_to_model(scope, operator, container, graph, outputs.values())


def add_to_model(scope, operator, container, graph, outputs):
    """Add a graph to skl2onnx's model.

    Parameters
    ----------
    scope, operator, container : as skl2onnx passes them to a converter
    graph : Graph
        Of the operator.
    outputs : iterable of str
        The graph's names of the operator's outputs.
    """
    made = [*graph.constants, *(name for node in graph.nodes for name in node.outputs)]
    ours = {name: scope.get_unique_variable_name(name) for name in made}
    for output, value in zip(operator.outputs, outputs, strict=True):
        graph.name(value, output.full_name)
    for name, array in graph.constants.items():
        if array.dtype == object:
            labels = [label.encode() for label in array]
            container.add_initializer(ours[name], TensorProto.STRING, array.shape, labels)
        else:
            container.add_initializer(ours[name], None, None, numpy_helper.from_array(array))
    for node in graph.nodes:
        domain, version = node.domain
        container.add_node(
            node.operator,
            [ours.get(name, name) for name in node.inputs],
            [ours.get(name, name) for name in node.outputs],
            op_domain=domain,
            op_version=version,
            name=scope.get_unique_operator_name(node.operator),
            **node.attributes,
        )
