"""One flat vector for all that is learned, and the views of it that users know as ``coefs_``,
``intercepts_``, ...

Layer after layer, each as its weights (fan_in x fan_out, row-major), its intercepts and, with batch
norm, scale, shift, running mean and running variance; every block starts at a multiple of
``ALIGNMENT`` elements, and the padding between blocks stays zero.
"""

import ctypes
import itertools
from typing import NamedTuple

import numpy as np

# elements; bytes in a cache line
ALIGNMENT = 16
_LINE = 64
COEFS = "coefs_"
INTERCEPTS = "intercepts_"
NORM_PARTS = ("batch_norm_scale_", "batch_norm_shift_", "batch_norm_mean_", "batch_norm_var_")


class Layout(NamedTuple):
    """Where each layer's parts stand in the flat vector; arrays have one element a layer."""

    fan_ins: np.ndarray
    fan_outs: np.ndarray  # pre-activations
    widths: np.ndarray  # activations
    weight_offsets: np.ndarray
    bias_offsets: np.ndarray
    norm_widths: np.ndarray  # 0 without batch norm
    norm_offsets: np.ndarray  # of scale; shift, mean and variance follow
    size: int


def make_layout(units, pieces, norm):
    """Return the layout of a network.

    Parameters
    ----------
    units : sequence of int
        n_features, the hidden layers' widths, n_outputs.
    pieces : sequence of int
        Pre-activations that make one activation, for each hidden layer.
    norm : {None, "before", "after"}
        Where batch norm stands: it is as wide as the pre-activations, or as the activations.
    """
    size = 0
    rows = []
    for layer, (fan_in, width, count) in enumerate(
        zip(units[:-1], units[1:], [*pieces, 1], strict=True)
    ):
        fan_out = width * count
        is_hidden = layer < len(pieces)
        norm_width = {"before": fan_out, "after": width}.get(norm, 0) if is_hidden else 0
        bias_offset = size + padded(fan_in * fan_out)
        norm_offset = bias_offset + padded(fan_out)
        rows.append((fan_in, fan_out, width, size, bias_offset, norm_width, norm_offset))
        size = norm_offset + len(NORM_PARTS) * padded(norm_width)
    return Layout(*np.array(rows, dtype=np.int64).T.copy(), size)


def padded(count):
    """Return ``count`` or the next multiple of ``ALIGNMENT``."""
    return -(-count // ALIGNMENT) * ALIGNMENT


def aligned_zeros(size, dtype):
    """Return a vector of zeros that begins where a cache line does, so that no vector register is
    filled from two.
    """
    memory = bytearray(
        size * np.dtype(dtype).itemsize + _LINE - 1
    )  # no array: views would have that as base instead of the vector
    offset = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % _LINE
    return np.ndarray(size, dtype, memory, offset)


def norm_part_offsets(layout, part):
    """Return the offsets of batch norm's part number ``part`` of ``NORM_PARTS``."""
    return layout.norm_offsets + part * padded(layout.norm_widths)


def views(flat, layout):
    """Return a dict of the names of attributes and lists of views of the flat vector."""
    offsets = layout.weight_offsets, layout.bias_offsets, layout.fan_ins, layout.fan_outs
    coefs = []
    intercepts = []
    for weight, bias, fan_in, fan_out in zip(*offsets, strict=True):
        coefs.append(flat[weight : weight + fan_in * fan_out].reshape(fan_in, fan_out))
        intercepts.append(flat[bias : bias + fan_out])
    parts = {COEFS: coefs, INTERCEPTS: intercepts}
    if layout.norm_widths.any():
        for part, name in enumerate(NORM_PARTS):
            starts = norm_part_offsets(layout, part)[:-1]
            parts[name] = [
                flat[start : start + width]
                for start, width in zip(starts, layout.norm_widths[:-1], strict=True)
            ]
    return parts


def flat_vector(owner, layout, dtype):
    """Return the flat vector behind the attributes of ``owner``: the one they are views of, if they
    are, else a new one.
    """
    base = getattr(owner.coefs_[0], "base", None) if len(owner.coefs_) else None
    if (
        isinstance(base, np.ndarray)
        and base.shape == (layout.size,)
        and base.dtype == dtype
        and base.flags.writeable
    ):
        same = (
            _is_same_view(array, view)
            for name, expected in views(base, layout).items()
            for array, view in itertools.zip_longest(getattr(owner, name), expected)
        )
        if all(same):
            return base
    flat = aligned_zeros(layout.size, dtype)
    for name, targets in views(flat, layout).items():
        values = [np.asarray(value) for value in getattr(owner, name)]
        if len(values) != len(targets):
            raise ValueError(
                f"{name} has {len(values)} arrays, but this network needs {len(targets)}; assign one for each layer"
            )
        for i, (target, value) in enumerate(zip(targets, values, strict=True)):
            if value.shape != target.shape or value.dtype.kind not in "biuf":
                raise ValueError(
                    f"{name}[{i}] has shape {value.shape} and dtype {value.dtype}, but this network needs {target.shape} real numbers; "
                    "assign arrays of its shapes"
                )
            target[...] = value
    return flat


def _is_same_view(array, view):
    return (
        isinstance(array, np.ndarray)
        and isinstance(view, np.ndarray)
        and array.dtype == view.dtype
        and array.shape == view.shape
        and array.strides == view.strides
        and array.__array_interface__["data"] == view.__array_interface__["data"]
    )
