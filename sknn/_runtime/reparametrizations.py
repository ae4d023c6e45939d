"""What the first layer's weights are made of for as long as training goes on.

With some hyperparameters, a solver does not train the first layer's W, but other values that W is
made of. Each of them is a row here. The network and its predictions have W alone, so nothing but
training needs these values. They are one vector of the optimizer's state, which a kernel of the
engine updates together with W.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._engine import input_scale
from .architecture import COEFS
from .layout import views


class Reparametrization(NamedTuple):
    """A row. ``weights`` are W of the first layer, ``values`` the vector that they are made of."""

    update: Callable  # kernel: updates some rows of W, and the values that they are made of
    count: Callable  # function of the shape of W: number of values
    begin: Callable  # of (values, weights): sets values such that they make these weights
    multiply: Callable  # of (values, shape of W): returns the W that they make
    # of the hyperparameter's value: factor on the learning rate of all values but those that have
    # the states of W
    rate_factor: Callable


# ---- learned scales of the inputs: W = diag(scale) V, see _engine/input_scale.py ---------------


def _split_scaled(values, shape):
    """Return views of V and of the scales."""
    size = shape[0] * shape[1]
    return values[:size].reshape(shape), values[size : size + shape[0], np.newaxis]


def _begin_scaled(values, weights):
    v, scale = _split_scaled(values, weights.shape)
    v[...] = weights
    scale[...] = 1


def _multiply_scaled(values, shape):
    v, scale = _split_scaled(values, shape)
    return scale * v


# By the hyperparameter that asks for it.
REPARAMETRIZATIONS = {
    "input_scale": Reparametrization(
        input_scale.update_scaled_weights,
        count=lambda shape: shape[0] * (shape[1] + input_scale.N_ROWS),
        begin=_begin_scaled,
        multiply=_multiply_scaled,
        rate_factor=float,
    ),
}


# ---- what training needs of the row ------------------------------------------------------------


def find_reparametrization(settings):
    """Return the name of the row that the hyperparameters ask for, or None.

    Parameters
    ----------
    settings : namespace of constructor parameters
    """
    chosen = (name for name in REPARAMETRIZATIONS if getattr(settings, name))
    return None if settings.solver == "lbfgs" else next(chosen, None)


def count_values(settings, layout):
    """Return how many values training keeps besides the weights; 0 without a reparametrization."""
    name = find_reparametrization(settings)
    if name is None:
        return 0
    return int(REPARAMETRIZATIONS[name].count((layout.fan_ins[0], layout.fan_outs[0])))


def match_weights(settings, values, flat, layout):
    """Begin anew, unless the first layer's weights are those that the values make.

    They are not in a first fit, nor after somebody has assigned others.

    Parameters
    ----------
    settings : namespace of constructor parameters
    values : ndarray of shape (count_values(settings, layout),)
        Changed where the weights are others.
    flat : ndarray
        All weights of the network.
    layout : Layout
    """
    name = find_reparametrization(settings)
    if name is None:
        return
    row = REPARAMETRIZATIONS[name]
    weights = views(flat, layout)[COEFS][0]
    # Kernels make 0 of numbers as small as these.
    tolerance = 1e3 * np.finfo(flat.dtype).tiny
    made = row.multiply(values, weights.shape)
    if not (values.any() and np.allclose(made, weights, rtol=0, atol=tolerance)):
        row.begin(values, weights)


def set_weights(settings, values, flat, layout):
    """Set the first layer's weights to those that the values make, as in an average of networks.

    Parameters
    ----------
    settings : namespace of constructor parameters
    values : ndarray of shape (count_values(settings, layout),)
    flat : ndarray
        All weights of the network, changed if there are values.
    layout : Layout
    """
    name = find_reparametrization(settings)
    if name is not None:
        weights = views(flat, layout)[COEFS][0]
        weights[...] = REPARAMETRIZATIONS[name].multiply(values, weights.shape)
