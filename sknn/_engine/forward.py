"""The forward pass over a batch, phase by phase: each hidden layer in blocks of columns, the output layer in blocks of rows.

A block goes from the product to the layer's output while it is in cache:

    z = input W + b  (-> batch norm)  -> activation a  (-> batch norm)  (-> dropout)  = out
"""

import math

import numpy as np

from .._jit import jit
from .._native import call
from .._tiles import transpose
from .dense import COLUMNS, affine_block, block_size
from .dropout import dropout_key
from .network import NORM_AFTER, NORM_BEFORE
from .team import claim, finish, n_phases, wait

_ROWS = 32  # of a block where rows are shared


@jit(inline=True)
def part(vector, offset, size):
    """Return ``size`` elements of a vector."""
    return vector[offset : offset + size]


@jit(inline=True)
def layer_input(network, scratch, rows, first, layer):
    """Return the vector that layer ``layer`` reads: the data's rows from ``first``, or the outputs of the layer before it."""
    if layer == 0:
        return rows.dense[first * network.fan_ins[0] :]
    return scratch.values[network.out_offsets[layer - 1] :]


@jit(inline=True)
def transposed_deltas(network, scratch, layer):
    """Return the place of (dL/dz)' of a layer: that of the layer above is still read while it is written."""
    return scratch.work[(layer % 2) * (scratch.work.size // 4) :]


@jit(internal=True)
def _drop_rows(network, rows, first, start, stop, seed, step):
    n_features, key = network.fan_ins[0], dropout_key(seed, step, np.int64(0))
    for i in range(start, stop):
        if rows.affine != 0:
            for position in range(rows.indptr[first + i], rows.indptr[first + i + 1]):
                value = part(rows.data, position, 1)
                call(network.drop_in_place, value, i * n_features + rows.indices[position], key, network.dropout[0])
        else:
            row = part(rows.dense, (first + i) * n_features, n_features)
            call(network.drop_in_place, row, i * n_features, key, network.dropout[0])


@jit(internal=True)
def drop_inputs(network, rows, team, first, n_rows, seed, first_step, step):
    """Drop inputs of rows ``first:first + n_rows``, in place: the chunk is a copy of the data."""
    phase, n_blocks = step * n_phases(network.fan_ins.size), (n_rows + _ROWS - 1) // _ROWS
    block = claim(team, phase, -1)
    while block < n_blocks:
        _drop_rows(network, rows, first, block * _ROWS, min(n_rows, (block + 1) * _ROWS), seed, first_step + step)
        finish(team, phase)
        block = claim(team, phase, block)
    wait(team, phase, n_blocks)


@jit(internal=True)
def _normalize(network, update, scratch, layer, n_rows, weight, start, stop, z_offset, width):
    """Apply batch norm to columns ``start:stop`` of the values at ``z_offset``, ``width`` to a row."""
    place = network.statistics_offsets[layer]
    mean, deviation = part(scratch.statistics, 2 * place, width), part(scratch.statistics, 2 * place + width, width)
    running_mean = part(network.weights, network.mean_offsets[layer], width)
    running_variance = part(network.weights, network.variance_offsets[layer], width)
    scale = part(network.weights, network.norm_offsets[layer], width)
    shift = part(network.weights, network.shift_offsets[layer], width)
    z, x = scratch.values[z_offset:], scratch.values[network.x_offsets[layer] :]
    out = scratch.values[network.normed_offsets[layer] :] if network.norm == NORM_AFTER else z
    call(
        network.normalize, z, n_rows, width, start, stop, weight, mean, deviation, running_mean, running_variance,
        update.norm_momentum, scale, shift, x, out,
    )  # fmt: skip


@jit(internal=True)
def _finish_block(network, update, scratch, rows, first, layer, n_rows, start, stop, step, training):
    """Compute the outputs of units ``start:stop`` of a hidden layer from their pre-activations."""
    width, fan_out = network.widths[layer], network.fan_outs[layer]
    pieces = fan_out // width
    values, weight = scratch.values, part(rows.weight, first, n_rows) if training else rows.weight[:0]
    z, a = values[network.z_offsets[layer] :], values[network.a_offsets[layer] :]
    if network.norm == NORM_BEFORE:
        z_offset = network.z_offsets[layer]
        _normalize(network, update, scratch, layer, n_rows, weight, start * pieces, stop * pieces, z_offset, fan_out)
    function, shape = network.forwards[layer], network.shapes[layer]
    if stop - start == width:
        call(function, z[: n_rows * fan_out], shape, a[: n_rows * width])
    else:
        for i in range(n_rows):
            begin, end = i * width + start, i * width + stop
            call(function, z[begin * pieces : end * pieces], shape, a[begin:end])
    if network.norm == NORM_AFTER:
        _normalize(network, update, scratch, layer, n_rows, weight, start, stop, network.a_offsets[layer], width)
    rate = network.dropout[layer + 1]
    if training and rate > 0:
        source = network.normed_offsets[layer]
        key = dropout_key(update.seed, update.first_step + step, layer + 1)
        for i in range(n_rows):
            begin = i * width + start
            out = part(values, network.out_offsets[layer] + begin, stop - start)
            call(network.drop, part(values, source + begin, stop - start), begin, key, rate, out)


@jit(internal=True)
def _affine(network, scratch, rows, first, layer, first_row, n_rows, start, stop, z):
    """Compute columns ``start:stop`` of a layer's pre-activations into ``z``, for ``n_rows`` rows of the batch from ``first_row``."""
    fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
    w = part(network.weights, network.weight_offsets[layer], fan_in * fan_out)
    b = part(network.weights, network.bias_offsets[layer], fan_out)
    if layer == 0 and rows.affine != 0:
        call(rows.affine, rows.data, rows.indices, rows.indptr, first + first_row, n_rows, w, b, fan_out, start, stop, z)
    else:
        a_in = layer_input(network, scratch, rows, first, layer)[first_row * fan_in :]
        affine_block(network.product, a_in, n_rows, fan_in, w, b, fan_out, start, stop, z)


@jit(internal=True)
def losses(network, scratch, rows, first, n_rows, start, stop, block, scale):
    """Add the losses of rows ``start:stop`` to the block's total and write ``scale`` x their gradient into the output layer's deltas.

    Returns
    -------
    is_finite : bool
        Whether the total is.
    """
    last, count = network.fan_ins.size - 1, stop - start
    n_outputs, y_width = network.fan_outs[last], rows.y.size // rows.weight.size
    z = part(scratch.values, network.a_offsets[last] + start * n_outputs, count * n_outputs)
    delta = part(scratch.deltas, scratch.delta_offsets[last] + start * n_outputs, count * n_outputs)
    y, weight = part(rows.y, (first + start) * y_width, count * y_width), part(rows.weight, first + start, count)
    for i in range(count):
        if weight[i] == 0:  # or 0 times inf would be NaN
            z[i * n_outputs : (i + 1) * n_outputs] = 0
    total = part(scratch.totals, 2 * block, 2)
    call(network.loss, z, y, weight, n_outputs, network.loss_shape, scale, delta, total)
    transpose(delta, count, n_outputs, n_outputs, transposed_deltas(network, scratch, last)[start:], n_rows)
    return math.isfinite(total[0])


@jit(internal=True)
def _outputs(network, scratch, rows, team, first, n_rows, phase, scale, training):
    """Compute the output layer and, in training, the losses; a loss that is not finite stops the team."""
    last = network.fan_ins.size - 1
    n_outputs = network.fan_outs[last]
    size = block_size(n_rows * network.fan_ins[last] * n_outputs, n_rows, _ROWS)
    n_blocks = (n_rows + size - 1) // size
    block = claim(team, phase, -1)
    while block < n_blocks:
        start, stop = block * size, min(n_rows, (block + 1) * size)
        z = scratch.values[network.a_offsets[last] + start * n_outputs :]
        _affine(network, scratch, rows, first, last, start, stop - start, np.int64(0), n_outputs, z)
        if training and not losses(network, scratch, rows, first, n_rows, start, stop, block, scale):
            team.stop[0] = 1
        finish(team, phase)
        block = claim(team, phase, block)
    wait(team, phase, n_blocks)


@jit(internal=True)
def forward(network, update, scratch, rows, team, first, n_rows, step, scale, training):
    """Compute all layers of rows ``first:first + n_rows`` and, in training, their losses and the last layer's deltas, times ``scale``."""
    last, phase = network.fan_ins.size - 1, step * n_phases(network.fan_ins.size) + 1
    for layer in range(last):
        fan_in, fan_out, width = network.fan_ins[layer], network.fan_outs[layer], network.widths[layer]
        pieces, z = fan_out // width, scratch.values[network.z_offsets[layer] :]
        size = max(1, block_size(n_rows * fan_in * fan_out, fan_out, COLUMNS) // pieces)
        n_blocks = (width + size - 1) // size
        block = claim(team, phase, -1)
        while block < n_blocks:
            start, stop = block * size, min(width, (block + 1) * size)
            _affine(network, scratch, rows, first, layer, np.int64(0), n_rows, start * pieces, stop * pieces, z)
            _finish_block(network, update, scratch, rows, first, layer, n_rows, start, stop, step, training)
            finish(team, phase)
            block = claim(team, phase, block)
        wait(team, phase, n_blocks)
        phase += 1
    _outputs(network, scratch, rows, team, first, n_rows, phase, scale, training)
