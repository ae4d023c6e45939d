"""Converters for skl2onnx: averages of estimators, each of which it has a converter for.

Only imported where skl2onnx is installed.
"""

from skl2onnx import get_model_alias, update_registered_converter
from skl2onnx.common.data_types import Int64TensorType
from sklearn.base import is_classifier

from .converters import (
    CLASSIFIER_OPTIONS,
    add_to_model,
    labels_of,
    make_graph,
    real_type,
    set_classifier_types,
)
from .graph import add_label


def register_ensembles(classifier, regressor):
    """Tell skl2onnx how to convert EnsembleClassifier and EnsembleRegressor."""
    update_registered_converter(
        classifier,
        "SknnEnsembleClassifier",
        _set_classifier_types,
        _convert,
        options=CLASSIFIER_OPTIONS,
    )
    update_registered_converter(regressor, "SknnEnsembleRegressor", _set_regressor_type, _convert)


def _set_classifier_types(operator):
    set_classifier_types(operator, operator.raw_operator._is_multilabel)


def _set_regressor_type(operator):
    n_outputs = getattr(operator.raw_operator._first_network, "n_outputs_", None)
    operator.outputs[0].set_type(real_type(operator, n_outputs))


def _convert(scope, operator, container):
    """Add the members, then the mean of what they predict."""
    ensemble = operator.raw_operator
    graph = make_graph(operator, container)
    predicted = [
        graph.real(_declare_member(scope, operator, member)) for member in ensemble.estimators_
    ]
    mean = graph("Div", graph("Sum", *predicted), float(len(predicted)))
    outputs = [mean]
    if is_classifier(ensemble):
        labels = None if ensemble._is_multilabel else labels_of(scope, ensemble)
        outputs = [add_label(graph, mean, labels), mean]
    add_to_model(scope, operator, container, graph, outputs)


def _declare_member(scope, operator, member):
    """Let skl2onnx convert a member, and return the name of its probabilities or targets."""
    declared = scope.declare_local_operator(get_model_alias(type(member)), member)
    declared.inputs = list(operator.inputs)
    if is_classifier(member):
        declared.outputs.append(scope.declare_local_variable("label", Int64TensorType()))
    predicted = scope.declare_local_variable("predicted", real_type(operator, None))
    declared.outputs.append(predicted)
    return predicted.full_name
