"""ONNX models of fitted networks."""

from numbers import Integral

import numpy as np
from sklearn.base import is_classifier

from .._runtime.layout import weights_dtype
from .._training.attributes import installed_version
from .graph import MIN_OPSET, Graph, add_estimator
from .network import fitted_network


def build_model(estimator, name, dtype, opset):
    """Return a fitted network as a ``ModelProto``; see ``to_onnx`` for the arguments."""
    try:
        import onnx  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("to_onnx requires onnx; install it with `pip install onnx`.") from error
    architecture, _ = fitted_network(estimator, "to_onnx")
    widths = _output_widths(estimator, architecture)
    check_options(name, dtype, opset, widths, onnx.defs.onnx_opset_version())
    graph = Graph(dtype or weights_dtype(estimator), int(opset), (name, *widths))
    for output, value in add_estimator(graph, estimator, name).items():
        graph.name(value, output)
    helper = onnx.helper
    real = helper.np_dtype_to_tensor_dtype(graph.dtype)
    inputs = [helper.make_tensor_value_info(name, real, [None, architecture.n_features])]
    kinds = dict.fromkeys(widths, real) | {"label": _label_type(graph, onnx.TensorProto)}
    outputs = [
        helper.make_tensor_value_info(output, kinds[output], [None, *width])
        for output, width in widths.items()
    ]
    nodes = [
        helper.make_node(node.operator, node.inputs, node.outputs, **node.attributes)
        for node in graph.nodes
    ]
    constants = [
        onnx.numpy_helper.from_array(array, constant) for constant, array in graph.constants.items()
    ]
    opsets = [helper.make_opsetid("", graph.opset)]
    model = helper.make_model(
        helper.make_graph(nodes, type(estimator).__name__, inputs, outputs, constants),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="sknn",
        producer_version=installed_version(),
    )
    onnx.checker.check_model(model)
    return model


def _output_widths(estimator, architecture):
    """Return the shapes of the outputs, without the number of samples."""
    if not is_classifier(estimator):
        return {"variable": [architecture.n_outputs]}
    n_classes = len(estimator.classes_)
    return {"label": [n_classes] if estimator._multilabel else [], "probabilities": [n_classes]}


def check_options(name, dtype, opset, outputs, newest):
    """Raise ValueError for options of ``to_onnx`` that are out of range; see there for them.

    Parameters
    ----------
    name, dtype, opset : as given by the user
    outputs : iterable of str
        Names that the input cannot have.
    newest : int
        Version that the installed onnx knows.
    """
    if not isinstance(name, str) or not name or name in outputs:
        raise ValueError(f"name must be a str, and none of {sorted(outputs)}, got {name!r}.")
    if dtype not in (None, "float32", "float64", np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32', 'float64' or None, got {dtype!r}.")
    if not isinstance(opset, Integral) or not MIN_OPSET <= opset <= newest:
        raise ValueError(
            f"opset must be an int in [{MIN_OPSET}, {newest}], the versions that this package and "
            f"the installed onnx know, got {opset!r}."
        )


def _label_type(graph, types):
    are_strings = any(array.dtype == object for array in graph.constants.values())
    return types.STRING if are_strings else types.INT64
