"""Activations and links in ONNX: functions that add a part's operators to a graph.

    operators(graph, z, parameter)        of an activation; maxout gets the number of pieces instead
    operators(graph, z, parameters)       of a link

``graph(name, *inputs, **attributes)`` adds an operator and returns its output; an input is such an
output, a number or an array. See ``_export/graph.py``. Parameters are those of the kernels.

The functions use the operators that onnxruntime has for float32 and float64. It computes Elu,
LeakyRelu, Selu, Softplus, HardSigmoid and Mish in float32 only.
"""

import math

import numpy as np

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772
GELU_CUBE = 0.044715
GELU_ROOT = math.sqrt(2 / math.pi)


def identity(graph, z, parameter):
    """Add nothing."""
    return z


def logistic(graph, z, parameter):
    """Add 1 / (1 + exp(-z))."""
    return graph("Sigmoid", z)


def tanh(graph, z, parameter):
    """Add the hyperbolic tangent of z."""
    return graph("Tanh", z)


def relu(graph, z, parameter):
    """Add max(0, z)."""
    return graph("Relu", z)


def leaky_relu(graph, z, slope):
    """Add z, times the slope if it is negative."""
    return graph("Add", graph("Max", z, 0.0), graph("Mul", graph("Min", z, 0.0), slope))


def elu(graph, z, alpha):
    """Add z if z > 0, else alpha (exp(z) - 1)."""
    negative = graph("Sub", graph("Exp", graph("Min", z, 0.0)), 1.0)
    return graph("Add", graph("Max", z, 0.0), graph("Mul", negative, alpha))


def selu(graph, z, parameter):
    """Add elu(z) with selu's own constants."""
    return graph("Mul", elu(graph, z, SELU_ALPHA), SELU_SCALE)


def gelu(graph, z, parameter):
    """Add z / 2 (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3)))."""
    cube = graph("Mul", graph("Mul", graph("Mul", z, z), z), GELU_CUBE)
    t = graph("Tanh", graph("Mul", graph("Add", z, cube), GELU_ROOT))
    return graph("Mul", graph("Mul", z, 0.5), graph("Add", t, 1.0))


def silu(graph, z, parameter):
    """Add z / (1 + exp(-z))."""
    return graph("Mul", z, graph("Sigmoid", z))


def softplus(graph, z, parameter=0.0):
    """Add log(1 + exp(z)), without overflow."""
    power = graph("Exp", graph("Neg", graph("Abs", z)))
    return graph("Add", graph("Max", z, 0.0), graph("Log", graph("Add", power, 1.0)))


def mish(graph, z, parameter):
    """Add z tanh(log(1 + exp(z)))."""
    return graph("Mul", z, graph("Tanh", softplus(graph, z)))


def hard_sigmoid(graph, z, parameter):
    """Add min(1, max(0, (z + 3) / 6))."""
    return graph("Clip", graph("Div", graph("Add", z, 3.0), 6.0), 0.0, 1.0)


def maxout(graph, z, pieces):
    """Add the largest of each unit's pieces, which stand side by side."""
    by_unit = graph("Reshape", z, np.array([0, -1, pieces]))
    return graph.reduce_max(by_unit, axis=2)


def exp(graph, z, parameters):
    """Add the exponential of z."""
    return graph("Exp", z)


def softmax(graph, z, parameters):
    """Add exp(z) over its sum."""
    return graph("Softmax", z, axis=1)


def quantiles(graph, z, levels):
    """Add quantiles that do not cross: each lies log(1 + exp(z)) above the one before it."""
    if len(levels) == 1:
        return z
    by_target = graph("Reshape", z, np.array([0, -1, len(levels)]))
    is_first = np.arange(len(levels)) == 0
    steps = graph("Where", is_first, by_target, softplus(graph, by_target))
    rising = graph("CumSum", steps, np.array(2))
    return graph("Flatten", rising, axis=1)
