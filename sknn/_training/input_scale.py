"""Learned scales of the inputs, for as long as training goes on.

The weights of the network have the scales multiplied in, W = diag(scale) V, so nothing but training
needs them. They are one vector of the optimizer's state, laid out as _engine/input_scale.py says.
"""

import numpy as np

from .._engine.input_scale import N_ROWS
from .._runtime.architecture import COEFS
from .._runtime.layout import views


def count_values(settings, layout):
    """Return how many values training keeps for scales of the inputs; 0 if it learns none."""
    if not settings.input_scale:
        return 0
    return int(layout.fan_ins[0] * (layout.fan_outs[0] + N_ROWS))


def match_weights(values, flat, layout):
    """Begin anew with scales of 1, unless the weights are those that scale and V make.

    They are not in a first fit, nor after somebody has assigned others.

    Parameters
    ----------
    values : ndarray of shape (count_values(settings, layout),)
        Changed where the weights are others.
    flat : ndarray
        All weights of the network.
    layout : Layout
    """
    if values.size == 0:
        return
    weights, v, scale = _parts(values, flat, layout)
    # Kernels make 0 of numbers as small as these.
    tolerance = 1e3 * np.finfo(flat.dtype).tiny
    is_same = np.allclose(scale[:, None] * v, weights, rtol=0, atol=tolerance)
    if not (is_same and scale.any()):
        v[...] = weights
        scale[...] = 1


def multiply(values, flat, layout):
    """Set the weights to those that scale and V make, as in an average of networks.

    Parameters
    ----------
    values : ndarray of shape (count_values(settings, layout),)
    flat : ndarray
        All weights of the network, changed if there are scales.
    layout : Layout
    """
    if values.size > 0:
        weights, v, scale = _parts(values, flat, layout)
        np.multiply(scale[:, None], v, out=weights)


def _parts(values, flat, layout):
    """Return views of the first layer's weights, of V and of the scales."""
    weights = views(flat, layout)[COEFS][0]
    v = values[: weights.size].reshape(weights.shape)
    return weights, v, values[weights.size : weights.size + len(weights)]
