"""One flat vector for all weights, and the views of it that users know as ``coefs_`` and ``intercepts_``.

Layer after layer, each as its weights (fan_in x fan_out, row-major) and then its intercepts; every block starts at a multiple of
``ALIGNMENT`` elements, and the padding between blocks stays zero.
"""

import itertools
from typing import NamedTuple

import numpy as np

ALIGNMENT = 16


class Layout(NamedTuple):
    """Where each layer's weights and intercepts stand in the flat vector."""

    fan_ins: np.ndarray
    fan_outs: np.ndarray
    weight_offsets: np.ndarray
    bias_offsets: np.ndarray
    size: int


def make_layout(units):
    """Return the layout of a network with ``units`` = (n_features, hidden layers ..., n_outputs)."""
    size, weight_offsets, bias_offsets = 0, [], []
    for fan_in, fan_out in itertools.pairwise(units):
        weight_offsets.append(size)
        size += _padded(fan_in * fan_out)
        bias_offsets.append(size)
        size += _padded(fan_out)
    return Layout(*(np.array(column, dtype=np.int64) for column in (units[:-1], units[1:], weight_offsets, bias_offsets)), size)


def _padded(count):
    return -(-count // ALIGNMENT) * ALIGNMENT


def views(flat, layout):
    """Return ``(coefs, intercepts)``, lists of views of the flat vector."""
    coefs, intercepts = [], []
    for fan_in, fan_out, weight, bias in zip(*layout[:4], strict=True):
        coefs.append(flat[weight : weight + fan_in * fan_out].reshape(fan_in, fan_out))
        intercepts.append(flat[bias : bias + fan_out])
    return coefs, intercepts


def flat_vector(coefs, intercepts, layout, dtype):
    """Return the flat vector of ``coefs`` and ``intercepts``: the one they are views of, if they are, else a new one."""
    base = coefs[0].base
    if isinstance(base, np.ndarray) and base.shape == (layout.size,) and base.dtype == dtype and base.flags.writeable:
        expected = [part for parts in views(base, layout) for part in parts]
        if all(_is_same_view(part, view) for part, view in zip([*coefs, *intercepts], expected, strict=True)):
            return base
    flat = np.zeros(layout.size, dtype=dtype)
    for name, targets, values in zip(("coefs_", "intercepts_"), views(flat, layout), (coefs, intercepts), strict=True):
        for i, (target, value) in enumerate(zip(targets, values, strict=True)):
            if np.shape(value) != target.shape:
                raise ValueError(
                    f"{name}[{i}] has shape {np.shape(value)}, but this network needs {target.shape}; assign arrays of its shapes"
                )
            target[...] = value
    return flat


def _is_same_view(array, view):
    return (
        isinstance(array, np.ndarray)
        and array.dtype == view.dtype
        and array.shape == view.shape
        and array.strides == view.strides
        and array.ctypes.data == view.ctypes.data
    )
