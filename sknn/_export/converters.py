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

from ..mlp import MLPClassifier, MLPRegressor
from .graph import Graph, add_estimator, class_labels


def register():
    """Tell skl2onnx how to convert both estimators."""
    options = {
        "zipmap": [True, False, "columns"],
        "nocl": [False, True],
        "output_class_labels": [False, True],
    }
    update_registered_converter(
        MLPClassifier, "SknnMLPClassifier", _set_classifier_types, _convert, options=options
    )
    update_registered_converter(MLPRegressor, "SknnMLPRegressor", _set_regressor_types, _convert)


def _labels(scope, estimator):
    """Return the labels of the classes; their numbers where the option ``nocl`` asks for them."""
    if not hasattr(estimator, "classes_"):
        return None
    labels = class_labels(estimator)
    numbered = scope.get_options(estimator, {"nocl": False})["nocl"]
    return np.arange(len(labels)) if numbered else labels


def _is_double(operator):
    return isinstance(operator.inputs[0].type, DoubleTensorType)


def _real_type(operator, width):
    rows = operator.inputs[0].get_first_dimension()
    return (DoubleTensorType if _is_double(operator) else FloatTensorType)([rows, width])


def _set_classifier_types(operator):
    estimator = operator.raw_operator
    labels = _labels(operator.scope_inst, estimator)
    rows = operator.inputs[0].get_first_dimension()
    kind = StringTensorType if labels.dtype.kind == "U" else Int64TensorType
    label, probabilities = operator.outputs
    label.set_type(kind([rows, len(labels)] if estimator._multilabel else [rows]))
    probabilities.set_type(_real_type(operator, len(labels)))


def _set_regressor_types(operator):
    n_outputs = operator.raw_operator._architecture.n_outputs
    operator.outputs[0].set_type(_real_type(operator, n_outputs))


def _convert(scope, operator, container):
    """Add the operators of a fitted estimator to skl2onnx's model.

    Real inputs are computed with in their own type, all others in float32.
    """
    graph = Graph(np.float64 if _is_double(operator) else np.float32, container.target_opset)
    X = operator.inputs[0].full_name
    if not isinstance(operator.inputs[0].type, (FloatTensorType, DoubleTensorType)):
        X = graph("Cast", X, to=TensorProto.FLOAT)
    estimator = operator.raw_operator
    predicted = add_estimator(graph, estimator, X, _labels(scope, estimator))
    ours = {name: scope.get_unique_variable_name(name) for name in graph.constants}
    ours |= {node.output: scope.get_unique_variable_name(node.output) for node in graph.nodes}
    for output, value in zip(operator.outputs, predicted.values(), strict=True):
        graph.name(value, output.full_name)
    for name, array in graph.constants.items():
        if array.dtype == object:
            labels = [label.encode() for label in array]
            container.add_initializer(ours[name], TensorProto.STRING, array.shape, labels)
        else:
            container.add_initializer(ours[name], None, None, numpy_helper.from_array(array))
    for node in graph.nodes:
        container.add_node(
            node.operator,
            [ours.get(name, name) for name in node.inputs],
            [ours.get(node.output, node.output)],
            name=scope.get_unique_operator_name(node.operator),
            **node.attributes,
        )
