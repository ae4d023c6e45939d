"""The flat vector of all learned values, and the views of it that users know as ``coefs_``,
``intercepts_`` and so on.

Values stand in the order of the network's operations, each as a block that starts at a multiple of
``ALIGNMENT`` elements. The padding between blocks stays zero. One vector lets an optimizer update
everything in one loop and makes a checkpoint one copy.
"""

import ctypes
import functools
import itertools

import numpy as np

from .architecture import ACTIVATION, BATCH_NORM, COEFS, DENSE, INTERCEPTS

ALIGNMENT = 16  # elements
_CACHE_LINE = 64  # bytes
_PAGE = 4096  # bytes
# Bytes of a page from where one vector begins to where the next one does. By the golden section, no
# two of a dozen vectors in a row begin within three cache lines of each other.
_STAGGER = 25 * _CACHE_LINE
_n_allocated = itertools.count()


class Layout:
    """Where each learned value stands in the flat vector.

    Parameters
    ----------
    architecture : Architecture

    Attributes
    ----------
    learned : list of LearnedValue
    offsets : list of int
        Of their first elements.
    size : int
        Elements of the flat vector, padding included.
    fan_ins, fan_outs, widths, norm_widths : ndarray of shape (n_layers,), int64
        Inputs, pre-activations, activations and batch-normalized values of each layer.
    weight_offsets, bias_offsets : ndarray of shape (n_layers,), int64
    """

    def __init__(self, architecture):
        self.n_layers = architecture.n_layers
        self.learned = architecture.learned
        ends = list(itertools.accumulate(padded(value.size) for value in self.learned))
        self.offsets = [0, *ends[:-1]]
        self.size = ends[-1]
        self.fan_ins, self.fan_outs, self.widths, self.norm_widths = _widths(architecture)
        self.weight_offsets = self.offsets_of(COEFS)
        self.bias_offsets = self.offsets_of(INTERCEPTS)

    def offsets_of(self, name):
        """Return the offset of each layer's value ``name``; the vector's end where it has none."""
        offsets = np.full(self.n_layers, self.size, np.int64)
        for value, offset in zip(self.learned, self.offsets, strict=True):
            if value.name == name:
                offsets[value.layer] = offset
        return offsets


@functools.lru_cache(maxsize=256)
def make_layout(architecture):
    """Return the layout of a network's learned values."""
    return Layout(architecture)


def _widths(architecture):
    widths = np.zeros((4, architecture.n_layers), np.int64)
    fan_ins, fan_outs, units, norm_widths = widths
    for operation in architecture.operations:
        layer = operation.layer
        if operation.kind == DENSE:
            fan_ins[layer] = operation.n_inputs
            fan_outs[layer] = units[layer] = operation.n_outputs
        elif operation.kind == ACTIVATION:
            units[layer] = operation.n_outputs
        elif operation.kind == BATCH_NORM:
            norm_widths[layer] = operation.n_outputs
    return widths


def padded(count):
    """Return ``count`` or the next multiple of ``ALIGNMENT``."""
    return -(-count // ALIGNMENT) * ALIGNMENT


def aligned_zeros(size, dtype):
    """Return a vector of zeros that starts at a cache line, and each vector elsewhere in a page.

    So no vector register is filled from two lines, and a loop over several vectors does not wait:
    processors compare addresses within a page first, and hold a read back that seems to need what
    is just being written. Adam's update of 670 000 weights takes 190 us like this, 290 us if all
    vectors begin with a page and 550 us if they begin in the middle of a cache line.
    """
    # No array holds the memory: views would have that one as their base instead of the vector.
    memory = bytearray(size * np.dtype(dtype).itemsize + _PAGE - 1)
    place = next(_n_allocated) * _STAGGER
    offset = (place - ctypes.addressof(ctypes.c_char.from_buffer(memory))) % _PAGE
    return np.ndarray(size, dtype, memory, offset)


def aligned_copy(vector):
    """Return a copy that starts where :func:`aligned_zeros` lets it."""
    copied = aligned_zeros(vector.size, vector.dtype)
    np.copyto(copied, vector)
    return copied


def as_kernels_take_it(flat):
    """Return the vector as kernels are compiled for it: a plain, writable array of its memory.

    A flat vector that is mapped from a file may be read-only. Predictions only read weights, and
    training works on a copy.
    """
    if type(flat) is np.ndarray and flat.flags.writeable:
        return flat
    memory = (ctypes.c_char * flat.nbytes).from_address(flat.ctypes.data)
    return np.ndarray(flat.size, flat.dtype, memory)


def views(flat, layout):
    """Return a dict from names of attributes to lists of views of the flat vector."""
    arrays = {}
    for value, offset in zip(layout.learned, layout.offsets, strict=True):
        view = flat[offset : offset + value.size].reshape(value.shape)
        arrays.setdefault(value.name, []).append(view)
    return arrays


def flat_vector(owner, layout, dtype):
    """Return the flat vector with the values of the attributes of ``owner``.

    It is the vector that they are views of, if they are, else a new one. That vector may be
    read-only, mapped from a file that processes share.

    Raises
    ------
    ValueError
        If an attribute that a user has assigned does not fit the network.
    """
    base = common_base(owner, layout, dtype)
    if base is not None:
        return base
    # Before memory is allocated, of which a wrong architecture may ask for any amount.
    arrays = {
        name: _checked_list(name, getattr(owner, name, None), shapes)
        for name, shapes in _shapes(layout.learned).items()
    }
    flat = aligned_zeros(layout.size, dtype)
    for name, targets in views(flat, layout).items():
        for i, (target, array) in enumerate(zip(targets, arrays[name], strict=True)):
            try:
                with np.errstate(over="raise"):
                    target[...] = array
            except FloatingPointError as error:
                raise ValueError(
                    f"{name}[{i}] has values beyond {dtype}, in which this network computes; "
                    "assign smaller numbers, or float64 arrays to all of coefs_ and intercepts_."
                ) from error
    return flat


def check_flat_vector(flat, layout):
    """Return a flat vector from a pickle, after checking that it has the network's size."""
    is_array = isinstance(flat, np.ndarray) and flat.dtype in (np.float32, np.float64)
    if not is_array or flat.shape != (layout.size,):
        raise ValueError(
            f"_flat_vector must be {layout.size} numbers of this network, got {_described(flat)}; "
            "load an unchanged file."
        )
    return flat


def _shapes(learned):
    shapes = {}
    for value in learned:
        shapes.setdefault(value.name, []).append(value.shape)
    return shapes


def weights_dtype(owner):
    """Return the dtype of arithmetic with the learned attributes: that of the first weights."""
    coefs = getattr(owner, COEFS, None)
    first = coefs[0] if isinstance(coefs, (list, tuple)) and coefs else None
    return np.dtype(np.float32 if getattr(first, "dtype", None) == np.float32 else np.float64)


def has_shapes_of(owner, architecture):
    """Return whether the learned attributes are arrays of the shapes of a network's."""
    for name, expected in _shapes(architecture.learned).items():
        arrays = getattr(owner, name, None)
        if not isinstance(arrays, list):
            return False
        if [getattr(array, "shape", None) for array in arrays] != expected:
            return False
    return True


def _described(values):
    length = f" of length {len(values)}" if hasattr(values, "__len__") else ""
    return f"{type(values).__name__}{length}"


def _checked_list(name, values, shapes):
    """Return assigned values as arrays, after checking that they have the network's shapes."""
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) != len(shapes):
        raise ValueError(
            f"{name} must be a list of {len(shapes)} arrays, one for each layer that has them, got "
            f"{_described(values)}"
        )
    pairs = zip(values, shapes, strict=True)
    return [_checked(f"{name}[{i}]", value, shape) for i, (value, shape) in enumerate(pairs)]


def _checked(name, value, shape):
    """Return an assigned value as an array, after checking that it has the network's shape."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # what tensors raise
        raise ValueError(f"{name} must be an array of shape {shape}: {error}") from error
    if array.shape != shape or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}, but this network needs "
            f"{shape} real numbers; assign arrays of its shapes"
        )
    return array


def common_base(owner, layout, dtype):
    """Return the vector of which all learned attributes are the views, or None."""
    coefs = getattr(owner, COEFS, None)
    base = getattr(coefs[0], "base", None) if isinstance(coefs, list) and coefs else None
    if not isinstance(base, np.ndarray) or base.shape != (layout.size,):
        return None
    if base.dtype != dtype or not base.flags.c_contiguous or not base.flags.aligned:
        return None
    for name, expected in views(base, layout).items():
        arrays = getattr(owner, name, None)
        if not isinstance(arrays, list) or len(arrays) != len(expected):
            return None
        if not all(map(_is_same_view, arrays, expected)):
            return None
    return base


def _is_same_view(array, view):
    return (
        isinstance(array, np.ndarray)
        and array.dtype == view.dtype
        and array.shape == view.shape
        and array.strides == view.strides
        and array.__array_interface__["data"] == view.__array_interface__["data"]
    )
