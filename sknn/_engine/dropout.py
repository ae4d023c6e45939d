"""Dropout from counter-based random numbers: whether a unit is dropped is a hash of seed, step,
layer, row and unit.

So it depends neither on who computes it nor on when, and the backward pass asks again instead of
keeping masks.
"""

import numpy as np

from .._compiled.jit import jit


@jit(inline=True)
def _mixed(h):
    # The finalizer of 32-bit hashes: every bit of the result depends on every bit of h.
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@jit(inline=True)
def dropout_key(seed, step, layer):
    """Return the key of one layer's random numbers in one step."""
    key = _mixed(np.uint32(seed))
    key = _mixed(np.uint32(key + np.uint32(step)))
    key = _mixed(np.uint32(key + np.uint32(step >> 32)))
    return np.int64(_mixed(np.uint32(key + np.uint32(layer) * np.uint32(0x9E3779B9))))


@jit(inline=True)
def _factor(unit, key, threshold, scale):
    h = _mixed(np.uint32(np.uint32(unit) * np.uint32(0x9E3779B1) ^ np.uint32(key)))
    return scale if h >= threshold else scale - scale


@jit
def drop(values, first, key, rate, out):
    """Compute ``out = values / (1 - rate)`` where the random number of the unit is at least
    ``rate``, else 0.

    Parameters
    ----------
    values, out : ndarray
        A run of units of one row.
    first : int
        Number of the run's first unit, counted through the rows of the batch.
    """
    threshold = np.uint32(rate * 4294967295.0)
    scale = values.dtype.type(1 / (1 - rate))
    for i in range(values.size):
        out[i] = values[i] * _factor(first + i, key, threshold, scale)


@jit
def drop_in_place(values, first, key, rate):
    """Do the same with ``out`` being ``values``: a loop of its own, since LLVM does not vectorise
    the other one then.
    """
    threshold = np.uint32(rate * 4294967295.0)
    scale = values.dtype.type(1 / (1 - rate))
    for i in range(values.size):
        values[i] *= _factor(first + i, key, threshold, scale)
