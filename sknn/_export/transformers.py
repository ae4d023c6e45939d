"""Converters for skl2onnx: transformers.

Only imported where skl2onnx is installed.
"""

import functools

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import StringTensorType
from sklearn.utils.validation import check_is_fitted

from .converters import (
    REAL_TYPES,
    add_to_model,
    dtype_of,
    join_inputs,
    make_graph,
    real_type,
)
from .graph import add_hidden_features
from .tables import Table, add_encoder, add_preprocessor, add_waves


def register_transformers(preprocessor, bins, waves, hidden_features):
    """Tell skl2onnx how to convert TabularPreprocessor and the others, which take numbers."""
    update_registered_converter(
        preprocessor,
        "SknnTabularPreprocessor",
        _set_preprocessor_type,
        _convert_preprocessor,
        parser=_parse_preprocessor,
    )
    for encoder, add in ((bins, add_encoder), (waves, add_waves)):
        update_registered_converter(
            encoder, f"Sknn{encoder.__name__}", _set_type, functools.partial(_convert_encoder, add)
        )
    update_registered_converter(
        hidden_features, "SknnHiddenFeatures", _set_type, _convert_hidden_features
    )


def _parse_preprocessor(scope, preprocessor, inputs, custom_parsers=None):
    """Declare the output: its type is the preprocessor's, not that of an input."""
    check_is_fitted(preprocessor)
    operator = scope.declare_local_operator("SknnTabularPreprocessor", preprocessor)
    operator.inputs = inputs
    kind = REAL_TYPES[preprocessor._dtype]
    operator.outputs.append(scope.declare_local_variable("variable", kind()))
    return operator.outputs


def _set_preprocessor_type(operator):
    preprocessor = operator.raw_operator
    rows = operator.inputs[0].get_first_dimension()
    width = len(preprocessor.get_feature_names_out())
    operator.outputs[0].set_type(REAL_TYPES[preprocessor._dtype]([rows, width]))


def _convert_preprocessor(scope, operator, container):
    graph = make_graph(operator, container, np.float64)
    tables = [
        Table(
            each.raw_name,
            each.full_name,
            each.get_second_dimension(),
            isinstance(each.type, StringTensorType),
        )
        for each in operator.inputs
    ]
    output = add_preprocessor(graph, operator.raw_operator, tables)
    add_to_model(scope, operator, container, graph, [output])


def _set_type(operator):
    width = len(operator.raw_operator.get_feature_names_out())
    operator.outputs[0].set_type(real_type(operator, width))


def _convert_encoder(add, scope, operator, container):
    graph = make_graph(operator, container, np.float64)
    X = join_inputs(graph, operator)
    output = graph.real(add(graph, operator.raw_operator, X), dtype_of(operator))
    add_to_model(scope, operator, container, graph, [output])


def _convert_hidden_features(scope, operator, container):
    graph = make_graph(operator, container)
    features = operator.raw_operator
    network = getattr(features.estimator_, "estimator", features.estimator_)  # of a frozen one
    output = add_hidden_features(graph, network, join_inputs(graph, operator), features.layer)
    add_to_model(scope, operator, container, graph, [output])
