"""Dropout from counter-based random numbers.

Whether a unit is dropped is a hash of seed, step, layer, row and unit. So it depends neither on
which thread computes it nor on when, and the backward pass computes it again instead of keeping
masks. Kept values are divided by 1 - rate, so that predictions need no factor.
"""

import numpy as np

from .._compiled.intrinsics import segment
from .._compiled.jit import jit
from .._compiled.kinds import call_dropout, call_dropout_in_place
from .layers import get_input


@jit(inline=True)
def _mix(h):
    """Return a hash of 32 bits, each of which depends on every bit of ``h``."""
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@jit(inline=True)
def dropout_key(seed, step, layer):
    """Return the key of a layer's random numbers in one step; layer 0 are the inputs."""
    key = _mix(np.uint32(seed))
    key = _mix(np.uint32(key + np.uint32(step)))
    key = _mix(np.uint32(key + np.uint32(step >> 32)))
    return np.int64(_mix(np.uint32(key + np.uint32(layer) * np.uint32(0x9E3779B9))))


@jit(inline=True)
def _compute_factor(unit, key, threshold, scale):
    """Return 0 or ``scale``, depending on the random number of a unit."""
    h = _mix(np.uint32(np.uint32(unit) * np.uint32(0x9E3779B1) ^ np.uint32(key)))
    return scale if h >= threshold else scale - scale


@jit
def drop(values, first_unit, key, rate, out):
    """Set some of the values to 0 and divide the others by 1 - rate.

    A unit is dropped if its random number, from 0 to 1, is less than ``rate``.

    Parameters
    ----------
    values : ndarray
        Adjacent units of one row.
    first_unit : int
        Number of the first of them, counted through the rows of the minibatch.
    key : int
        Of the layer and the step.
    rate : float
        Probability of being dropped.
    out : ndarray
        Written.
    """
    threshold = np.uint32(rate * 4294967295.0)
    scale = values.dtype.type(1 / (1 - rate))
    for i in range(values.size):
        out[i] = values[i] * _compute_factor(first_unit + i, key, threshold, scale)


@jit
def drop_in_place(values, first_unit, key, rate):
    """Do the same with ``out`` being ``values``.

    It is a loop of its own, since LLVM does not vectorize the other one then.
    """
    threshold = np.uint32(rate * 4294967295.0)
    scale = values.dtype.type(1 / (1 - rate))
    for i in range(values.size):
        values[i] *= _compute_factor(first_unit + i, key, threshold, scale)


# ---- dropout of a layer --------------------------------------------------------------------------


@jit(inline=True)
def get_dropout_key(run, batch, layer):
    """Return the key of a layer's random numbers in this step; layer 0 are the inputs."""
    return dropout_key(run.update.dropout_seed, run.update.first_step + batch.step, layer)


@jit(inline=True)
def get_dropout_rate(run, batch, layer):
    """Return the dropout rate of a layer in this step; layer 0 are the inputs."""
    rate = run.network.dropout_rates[layer]
    # Passes without dropout have no factors.
    return rate * run.update.dropout_factors[batch.step] if rate > 0 else rate


@jit(internal=True)
def apply_dropout(run, batch, layer, first, last, start, stop):
    """Drop some units of a hidden layer.

    Parameters
    ----------
    run, batch, layer
    first, last : int
        Samples.
    start, stop : int
        Units, some of which are dropped.
    """
    network = run.network
    values = run.scratch.values
    width = network.widths[layer]
    count = stop - start
    rate = get_dropout_rate(run, batch, layer + 1)
    key = get_dropout_key(run, batch, layer + 1)
    for i in range(first, last):
        begin = i * width + start
        source = segment(values, network.before_dropout_offsets[layer] + begin, count)
        out = segment(values, network.out_offsets[layer] + begin, count)
        first_unit = (batch.shard_start + i) * width + start
        call_dropout(network.drop, source, first_unit, key, rate, out)


@jit(internal=True)
def backpropagate_dropout(run, batch, layer, first, last, start, stop):
    """Turn the gradient of what :func:`apply_dropout` wrote, in ``Scratch.da``, into that of what
    it read.

    Parameters
    ----------
    run, batch, layer, first, last, start, stop
        As there.
    """
    network = run.network
    width = network.widths[layer]
    rate = get_dropout_rate(run, batch, layer + 1)
    key = get_dropout_key(run, batch, layer + 1)
    for i in range(first, last):
        gradients = segment(run.scratch.da, i * width + start, stop - start)
        first_unit = (batch.shard_start + i) * width + start
        call_dropout_in_place(network.drop_in_place, gradients, first_unit, key, rate)


# ---- dropout of the inputs -----------------------------------------------------------------------


@jit(internal=True)
def _drop_stored_values(run, batch, i, key, rate):
    """Apply input dropout to the stored values of a sparse row.

    They are a copy of the user's values, made for this chunk.

    Parameters
    ----------
    run, batch
    i : int
        Row of the minibatch.
    key, rate
        See :func:`drop`.
    """
    rows = run.rows
    first_unit = (batch.shard_start + i) * run.network.fan_ins[0]
    for position in range(rows.indptr[batch.first_row + i], rows.indptr[batch.first_row + i + 1]):
        value = segment(rows.data, position, 1)
        unit = first_unit + rows.indices[position]
        call_dropout_in_place(run.network.drop_in_place, value, unit, key, rate)


@jit(internal=True)
def drop_inputs(run, batch, layer, first, last, start, stop):
    """Drop some inputs of the network, in place: those that the first layer reads.

    Parameters
    ----------
    run, batch
    layer : int
        0.
    first, last : int
        Samples.
    start, stop : int
        Features, some of which are dropped; a sparse row is treated as a whole.
    """
    network = run.network
    n_features = network.fan_ins[0]
    rate = get_dropout_rate(run, batch, layer)
    key = get_dropout_key(run, batch, layer)
    for i in range(first, last):
        if run.rows.sparse_affine == 0:
            row = segment(get_input(run, batch, layer), i * n_features + start, stop - start)
            first_unit = (batch.shard_start + i) * n_features + start
            call_dropout_in_place(network.drop_in_place, row, first_unit, key, rate)
        else:
            _drop_stored_values(run, batch, i, key, rate)
