"""The forward and the backward pass over one block of rows.

Layers are computed in fixed blocks of columns, each from the product to the layer's output while it is in cache:

    z = input W + b  (-> batch norm)  -> activation a  (-> batch norm)  (-> dropout)  = out
"""

import numpy as np

from .._jit import jit
from .._native import call
from .._tiles import transpose
from .dense import affine_block, bias_gradient, block_width, input_gradient_block, weight_gradient_block
from .dropout import dropout_key
from .network import NO_NORM, NORM_AFTER, NORM_BEFORE


@jit(inline=True)
def _part(vector, offset, size):
    return vector[offset : offset + size]


@jit(inline=True)
def _layer_input(network, scratch, rows, first, layer):
    """Return the vector that layer ``layer`` reads: the data's rows from ``first``, or the outputs of the layer before it."""
    if layer == 0:
        return rows.dense[first * network.fan_ins[0] :]
    return scratch.values[network.out_offsets[layer - 1] :]


@jit
def drop_inputs(network, rows, first, n_rows, seed, step):
    """Drop inputs of rows ``first:first + n_rows``, in place: the chunk is a copy of the data."""
    n_features, key = network.fan_ins[0], dropout_key(seed, step, np.int64(0))
    for i in range(n_rows):
        if rows.affine != 0:
            for position in range(rows.indptr[first + i], rows.indptr[first + i + 1]):
                value = _part(rows.data, position, 1)
                call(network.drop_in_place, value, i * n_features + rows.indices[position], key, network.dropout[0])
        else:
            row = _part(rows.dense, (first + i) * n_features, n_features)
            call(network.drop_in_place, row, i * n_features, key, network.dropout[0])


@jit
def _normalize(network, update, scratch, layer, n_rows, weight, start, stop, z_offset, width):
    """Apply batch norm to columns ``start:stop`` of the values at ``z_offset``, ``width`` to a row."""
    place = network.statistics_offsets[layer]
    mean, deviation = _part(scratch.statistics, 2 * place, width), _part(scratch.statistics, 2 * place + width, width)
    running_mean = _part(network.weights, network.mean_offsets[layer], width)
    running_variance = _part(network.weights, network.variance_offsets[layer], width)
    scale = _part(network.weights, network.norm_offsets[layer], width)
    shift = _part(network.weights, network.shift_offsets[layer], width)
    z, x = scratch.values[z_offset:], scratch.values[network.x_offsets[layer] :]
    out = scratch.values[network.normed_offsets[layer] :] if network.norm == NORM_AFTER else z
    call(
        network.normalize, z, n_rows, width, start, stop, weight, mean, deviation, running_mean, running_variance,
        update.norm_momentum, scale, shift, x, out,
    )  # fmt: skip


@jit
def _finish_block(network, update, scratch, rows, first, layer, n_rows, start, stop, step, training):
    """Compute the outputs of units ``start:stop`` of a hidden layer from their pre-activations."""
    width, fan_out = network.widths[layer], network.fan_outs[layer]
    pieces = fan_out // width
    values, weight = scratch.values, _part(rows.weight, first, n_rows) if training else rows.weight[:0]
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
            out = _part(values, network.out_offsets[layer] + begin, stop - start)
            call(network.drop, _part(values, source + begin, stop - start), begin, key, rate, out)


@jit
def forward(network, update, scratch, rows, first, n_rows, step, training):
    """Compute all layers of rows ``first:first + n_rows``; the outputs are the last layer's pre-activations."""
    last = network.fan_ins.size - 1
    for layer in range(last + 1):
        fan_in, fan_out, width = network.fan_ins[layer], network.fan_outs[layer], network.widths[layer]
        a_in = _layer_input(network, scratch, rows, first, layer)
        w = _part(network.weights, network.weight_offsets[layer], fan_in * fan_out)
        b = _part(network.weights, network.bias_offsets[layer], fan_out)
        z = scratch.values[network.z_offsets[layer] :]
        sparse = layer == 0 and rows.affine != 0
        if sparse:
            call(rows.affine, rows.data, rows.indices, rows.indptr, first, n_rows, w, b, fan_out, z)
        pieces = fan_out // width
        units = width if sparse else max(1, block_width(n_rows, fan_in, fan_out, fan_out) // pieces)
        for start in range(0, width, units):
            stop = min(width, start + units)
            if not sparse:
                affine_block(network.product, a_in, n_rows, fan_in, w, b, fan_out, start * pieces, stop * pieces, z)
            if layer < last:
                _finish_block(network, update, scratch, rows, first, layer, n_rows, start, stop, step, training)


@jit
def output_loss(network, scratch, rows, first, n_rows, scale):
    """Add the rows' losses to ``totals`` and write ``scale`` x their gradient into the output layer's deltas."""
    last = network.fan_ins.size - 1
    n_outputs = network.fan_outs[last]
    y_width = rows.y.size // rows.weight.size
    size = n_rows * n_outputs
    z, delta = _part(scratch.values, network.a_offsets[last], size), _part(scratch.deltas, scratch.delta_offsets[last], size)
    y = _part(rows.y, first * y_width, n_rows * y_width)
    weight = _part(rows.weight, first, n_rows)
    for i in range(n_rows):
        if weight[i] == 0:  # or 0 times inf would be NaN
            z[i * n_outputs : (i + 1) * n_outputs] = 0
    call(network.loss, z, y, weight, n_outputs, network.loss_shape, scale, delta, scratch.totals)


@jit
def _unit_gradient(network, update, scratch, rows, first, layer, n_rows, start, stop, step, da):
    """Turn dL/dout of units ``start:stop`` of a hidden layer, in ``da``, into dL/dz in the layer's deltas."""
    width, fan_out = network.widths[layer], network.fan_outs[layer]
    pieces, values, weight = fan_out // width, scratch.values, _part(rows.weight, first, n_rows)
    place = network.statistics_offsets[layer]
    scale_offset, shift_offset, x = network.norm_offsets[layer], network.shift_offsets[layer], values[network.x_offsets[layer] :]
    rate = network.dropout[layer + 1]
    if rate > 0:
        key = dropout_key(update.seed, update.first_step + step, layer + 1)
        for i in range(n_rows):
            run = _part(da, i * width + start, stop - start)
            call(network.drop_in_place, run, i * width + start, key, rate)
    if network.norm == NORM_AFTER:
        deviation, scale = _part(scratch.statistics, 2 * place + width, width), _part(network.weights, scale_offset, width)
        g_scale, g_shift = _part(scratch.gradient, scale_offset, width), _part(scratch.gradient, shift_offset, width)
        call(network.normalize_backward, da, n_rows, width, start, stop, weight, deviation, scale, x, g_scale, g_shift)
    z, a, delta = values[network.z_offsets[layer] :], values[network.a_offsets[layer] :], scratch.deltas[scratch.delta_offsets[layer] :]
    function, shape = network.backwards[layer], network.shapes[layer]
    if stop - start == width:
        size = n_rows * width
        call(function, z[: size * pieces], a[:size], shape, da[:size], delta[: size * pieces])
    else:
        for i in range(n_rows):
            begin, end = i * width + start, i * width + stop
            first_z, last_z = begin * pieces, end * pieces
            call(function, z[first_z:last_z], a[begin:end], shape, da[begin:end], delta[first_z:last_z])
    if network.norm == NORM_BEFORE:
        deviation, scale = _part(scratch.statistics, 2 * place + fan_out, fan_out), _part(network.weights, scale_offset, fan_out)
        g_scale, g_shift = _part(scratch.gradient, scale_offset, fan_out), _part(scratch.gradient, shift_offset, fan_out)
        begin, end = start * pieces, stop * pieces
        call(network.normalize_backward, delta, n_rows, fan_out, begin, end, weight, deviation, scale, x, g_scale, g_shift)


@jit
def _input_gradient(network, update, scratch, rows, first, layer, n_rows, step):
    """Compute dL/dz of the layer under ``layer``."""
    fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
    w = _part(network.weights, network.weight_offsets[layer], fan_in * fan_out)
    dz = scratch.deltas[scratch.delta_offsets[layer] :]
    dz_t = scratch.work
    da_t = dz_t[n_rows * fan_out :]
    da = da_t[n_rows * fan_in :]
    transpose(dz, n_rows, fan_out, fan_out, dz_t, n_rows)
    width = block_width(n_rows, fan_in, fan_out, fan_in)
    for start in range(0, fan_in, width):
        stop = min(fan_in, start + width)
        input_gradient_block(network.product, dz_t, n_rows, fan_out, w, fan_in, start, stop, da_t, da)
        _unit_gradient(network, update, scratch, rows, first, layer - 1, n_rows, start, stop, step, da)


@jit(inline=True)
def penalize(network, update, scratch, offset, size, share):
    """Add the penalty's gradient to one block of the gradient, and ``share`` x the penalty to ``totals``."""
    w, g = _part(network.weights, offset, size), _part(scratch.gradient, offset, size)
    call(update.penalize, w, update.strengths[0] * share, update.strengths[1] * share, g, scratch.totals)


@jit
def move(network, update, scratch, offset, size, step, share):
    """Let the optimizer move one block by its gradient; with ``share`` > 0 they are weights, decayed and shrunk too."""
    w, g = _part(network.weights, offset, size), _part(scratch.gradient, offset, size)
    h = _part(update.hyperparameters, step * update.n_hyperparameters, update.n_hyperparameters)
    state_0, state_1 = _part(update.state_0, offset, size), _part(update.state_1, offset, size)
    state_2 = _part(update.state_2, offset, size)
    keep = update.decays[step]
    if share > 0 and keep != 1:
        for i in range(w.size):
            w[i] *= keep
    call(update.step, w, g, state_0, state_1, state_2, h)
    if share > 0 and update.shrink != 0:
        call(update.step_sizes, g, state_0, state_1, state_2, h)
        call(update.shrink, w, g, update.strengths[0] * share)


@jit
def move_norm(network, update, scratch, layer, step):
    """Let the optimizer move the scale and shift of a layer's batch norm."""
    width = network.shift_offsets[layer] - network.norm_offsets[layer]
    if width > 0:
        none = network.weights.dtype.type(0)
        move(network, update, scratch, network.norm_offsets[layer], 2 * width, step, none)


@jit
def backward(network, update, scratch, rows, first, n_rows, share, step, consume, add):
    """Compute all gradients from the output layer's deltas, layer by layer from the last.

    With ``consume`` each block of the gradient is penalised and used to move its weights while it is in cache; else gradients stay
    in ``scratch.gradient``. With ``add`` they are added to what it holds.
    """
    none = network.weights.dtype.type(0)
    for layer in range(network.fan_ins.size - 1, -1, -1):
        fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
        if layer > 0:
            _input_gradient(network, update, scratch, rows, first, layer, n_rows, step)
        a_in = _layer_input(network, scratch, rows, first, layer)
        dz = scratch.deltas[scratch.delta_offsets[layer] :]
        w_offset, b_offset = network.weight_offsets[layer], network.bias_offsets[layer]
        sparse = layer == 0 and rows.affine != 0
        if sparse:
            g = _part(scratch.gradient, w_offset, fan_in * fan_out)
            call(rows.weight_gradient, rows.data, rows.indices, rows.indptr, first, n_rows, dz, fan_out, add, g)
        width = block_width(n_rows, fan_in, fan_out, fan_in)
        for start in range(0, fan_in, width):
            offset, count = w_offset + start * fan_out, min(width, fan_in - start)
            if not sparse:
                g = scratch.gradient[offset:]
                weight_gradient_block(network.product, a_in, n_rows, fan_in, dz, fan_out, start, start + count, add, g)
            if consume:
                penalize(network, update, scratch, offset, count * fan_out, share)
                move(network, update, scratch, offset, count * fan_out, step, share)
        bias_gradient(dz, n_rows, fan_out, add, _part(scratch.gradient, b_offset, fan_out))
        if consume:
            move(network, update, scratch, b_offset, fan_out, step, none)
            if network.norm != NO_NORM:
                move_norm(network, update, scratch, layer, step)


@jit
def penalize_and_move(network, update, scratch, share, step):
    """Penalise the whole gradient in ``scratch``, clip it, and, if there is an optimizer, take its step."""
    none = network.weights.dtype.type(0)
    for layer in range(network.fan_ins.size):
        size = network.fan_ins[layer] * network.fan_outs[layer]
        penalize(network, update, scratch, network.weight_offsets[layer], size, share)
    if update.max_norm[0] > 0:
        squares = 0.0
        for i in range(scratch.gradient.size):
            squares += scratch.gradient[i] * scratch.gradient[i]
        norm = np.sqrt(squares)
        if norm > update.max_norm[0]:
            factor = network.weights.dtype.type(update.max_norm[0] / norm)
            for i in range(scratch.gradient.size):
                scratch.gradient[i] *= factor
    if update.step != 0:
        for layer in range(network.fan_ins.size):
            size = network.fan_ins[layer] * network.fan_outs[layer]
            move(network, update, scratch, network.weight_offsets[layer], size, step, share)
            move(network, update, scratch, network.bias_offsets[layer], network.fan_outs[layer], step, none)
            move_norm(network, update, scratch, layer, step)
