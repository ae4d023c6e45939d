"""The backward pass over a batch: from the last layer to the first, the gradient of its inputs in blocks of columns, then that of its
weights in blocks of rows, each used to move its weights while it is in cache.
"""

import numpy as np

from .._jit import jit
from .._native import call
from .._tiles import transpose
from .dense import COLUMNS, SPARSE_BLOCKS, bias_gradient, block_size, input_gradient_block, weight_gradient_block
from .dropout import dropout_key
from .forward import layer_input, part, transposed_deltas
from .network import NORM_AFTER, NORM_BEFORE
from .team import claim, finish, n_phases, wait


@jit(internal=True)
def _unit_gradient(network, update, scratch, rows, first, layer, n_rows, start, stop, step, da):
    """Turn dL/dout of units ``start:stop`` of a hidden layer, in ``da``, into dL/dz in the layer's deltas."""
    width, fan_out = network.widths[layer], network.fan_outs[layer]
    pieces, values, weight = fan_out // width, scratch.values, part(rows.weight, first, n_rows)
    place = network.statistics_offsets[layer]
    scale_offset, shift_offset, x = network.norm_offsets[layer], network.shift_offsets[layer], values[network.x_offsets[layer] :]
    rate = network.dropout[layer + 1]
    if rate > 0:
        key = dropout_key(update.seed, update.first_step + step, layer + 1)
        for i in range(n_rows):
            run = part(da, i * width + start, stop - start)
            call(network.drop_in_place, run, i * width + start, key, rate)
    if network.norm == NORM_AFTER:
        deviation, scale = part(scratch.statistics, 2 * place + width, width), part(network.weights, scale_offset, width)
        g_scale, g_shift = part(scratch.gradient, scale_offset, width), part(scratch.gradient, shift_offset, width)
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
        deviation, scale = part(scratch.statistics, 2 * place + fan_out, fan_out), part(network.weights, scale_offset, fan_out)
        g_scale, g_shift = part(scratch.gradient, scale_offset, fan_out), part(scratch.gradient, shift_offset, fan_out)
        begin, end = start * pieces, stop * pieces
        call(network.normalize_backward, delta, n_rows, fan_out, begin, end, weight, deviation, scale, x, g_scale, g_shift)
    if layer > 0:
        begin, count = start * pieces, (stop - start) * pieces
        transpose(delta[begin:], n_rows, count, fan_out, transposed_deltas(network, scratch, layer)[begin * n_rows :], n_rows)


@jit(internal=True)
def _input_block(network, update, scratch, rows, first, layer, n_rows, start, stop, step):
    """Compute dL/dz of units ``start:stop`` of the layer under ``layer``."""
    fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
    w = part(network.weights, network.weight_offsets[layer], fan_in * fan_out)
    quarter = scratch.work.size // 4
    da_t, da = scratch.work[2 * quarter + start * n_rows :], scratch.work[3 * quarter :]
    dz_t = transposed_deltas(network, scratch, layer)
    input_gradient_block(network.product, dz_t, n_rows, fan_out, w, fan_in, start, stop, da_t, da)
    _unit_gradient(network, update, scratch, rows, first, layer - 1, n_rows, start, stop, step, da)


@jit(internal=True)
def _penalize(network, update, scratch, layer, start, size, block, n_rows):
    """Add the penalty's gradient to ``size`` elements of the gradient from ``start``, and the penalty to the block's total."""
    offset = network.weight_offsets[layer] + start
    w, g, share = part(network.weights, offset, size), part(scratch.gradient, offset, size), network.weights.dtype.type(1 / n_rows)
    total = part(scratch.totals, scratch.total_offsets[layer] + 2 * block, 2)
    call(update.penalize, w, update.strengths[0] * share, update.strengths[1] * share, g, total)
    total[0] += n_rows * total[1]
    total[1] = 0


@jit(internal=True)
def _move(network, update, scratch, offset, size, step, share):
    """Let the optimizer move one block by its gradient; with ``share`` > 0 they are weights, decayed and shrunk too."""
    w, g = part(network.weights, offset, size), part(scratch.gradient, offset, size)
    h = part(update.hyperparameters, step * update.n_hyperparameters, update.n_hyperparameters)
    state_0, state_1 = part(update.state_0, offset, size), part(update.state_1, offset, size)
    state_2 = part(update.state_2, offset, size)
    keep = update.decays[step]
    if share > 0 and keep != 1:
        for i in range(w.size):
            w[i] *= keep
    call(update.step, w, g, state_0, state_1, state_2, h)
    if share > 0 and update.shrink != 0:
        call(update.step_sizes, g, state_0, state_1, state_2, h)
        call(update.shrink, w, g, update.strengths[0] * share)


@jit(internal=True)
def _move_rest(network, update, scratch, layer, step):
    """Let the optimizer move a layer's intercepts and the scale and shift of its batch norm."""
    none, norm_width = network.weights.dtype.type(0), network.shift_offsets[layer] - network.norm_offsets[layer]
    _move(network, update, scratch, network.bias_offsets[layer], network.fan_outs[layer], step, none)
    if norm_width > 0:
        _move(network, update, scratch, network.norm_offsets[layer], 2 * norm_width, step, none)


@jit(internal=True)
def _weight_block(network, update, scratch, rows, first, layer, n_rows, start, stop, block, step, consume, add):
    """Compute rows ``start:stop`` of the gradient of a layer's weights and, to ``consume`` it, use it."""
    fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
    offset, size = network.weight_offsets[layer] + start * fan_out, (stop - start) * fan_out
    dz = scratch.deltas[scratch.delta_offsets[layer] :]
    g = scratch.gradient[offset:]
    if layer == 0 and rows.affine != 0:
        call(rows.weight_gradient, rows.data, rows.indices, rows.indptr, first, n_rows, dz, fan_out, start, stop, add, g)
    else:
        a_in = layer_input(network, scratch, rows, first, layer)
        weight_gradient_block(network.product, a_in, n_rows, fan_in, dz, fan_out, start, stop, add, g)
    if consume:
        _penalize(network, update, scratch, layer, start * fan_out, size, block, n_rows)
        _move(network, update, scratch, offset, size, step, network.weights.dtype.type(1 / n_rows))


@jit(internal=True)
def _input_gradient(network, update, scratch, rows, team, first, layer, n_rows, step, phase):
    """Compute dL/dz of the layer under ``layer``."""
    fan_in = network.fan_ins[layer]
    size = block_size(n_rows * fan_in * network.fan_outs[layer], fan_in, COLUMNS)
    n_blocks = (fan_in + size - 1) // size
    block = claim(team, phase, -1)
    while block < n_blocks:
        start, stop = block * size, min(fan_in, (block + 1) * size)
        _input_block(network, update, scratch, rows, first, layer, n_rows, start, stop, step)
        finish(team, phase)
        block = claim(team, phase, block)
    wait(team, phase, n_blocks)


@jit(internal=True)
def _weight_gradient(network, update, scratch, rows, team, first, layer, n_rows, step, phase, consume, add):
    """Compute the gradient of the layer's weights and intercepts; its last block are the intercepts and batch norm."""
    fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
    if layer == 0 and rows.affine != 0:
        size = (fan_in + SPARSE_BLOCKS - 1) // SPARSE_BLOCKS
    else:
        size = block_size(n_rows * fan_in * fan_out, fan_in, COLUMNS)
    n_blocks = (fan_in + size - 1) // size
    block = claim(team, phase, -1)
    while block <= n_blocks:
        if block < n_blocks:
            start, stop = block * size, min(fan_in, (block + 1) * size)
            _weight_block(network, update, scratch, rows, first, layer, n_rows, start, stop, block, step, consume, add)
        else:
            dz = scratch.deltas[scratch.delta_offsets[layer] :]
            bias_gradient(dz, n_rows, fan_out, add, part(scratch.gradient, network.bias_offsets[layer], fan_out))
            if consume:
                _move_rest(network, update, scratch, layer, step)
        finish(team, phase)
        block = claim(team, phase, block)
    wait(team, phase, n_blocks + 1)


@jit(internal=True)
def backward(network, update, scratch, rows, team, first, n_rows, step, consume, add):
    """Compute all gradients from the output layer's deltas, layer by layer from the last.

    With ``consume`` each block of the gradient is penalised and used to move its weights while it is in cache; else gradients stay
    in ``scratch.gradient``. With ``add`` they are added to what it holds.
    """
    n_layers = network.fan_ins.size
    phase = step * n_phases(network.fan_ins.size) + n_layers + 1
    for layer in range(n_layers - 1, -1, -1):
        if layer > 0:
            _input_gradient(network, update, scratch, rows, team, first, layer, n_rows, step, phase)
        _weight_gradient(network, update, scratch, rows, team, first, layer, n_rows, step, phase + 1, consume, add)
        phase += 2


@jit(internal=True)
def _clip(update, gradient):
    """Scale the gradient down to the norm that it may have."""
    squares = 0.0
    for i in range(gradient.size):
        squares += gradient[i] * gradient[i]
    norm = np.sqrt(squares)
    if norm > update.max_norm[0]:
        factor = gradient.dtype.type(update.max_norm[0] / norm)
        for i in range(gradient.size):
            gradient[i] *= factor


@jit(internal=True)
def penalize_and_move(network, update, scratch, team, n_rows, step):
    """Penalise the whole gradient of a batch in ``scratch``, clip it, and, if there is an optimizer, take its step."""
    phase, none = (step + 1) * n_phases(network.fan_ins.size) - 2, np.int64(0)
    if claim(team, phase, -1) == 0:
        for layer in range(network.fan_ins.size):
            _penalize(network, update, scratch, layer, none, network.fan_ins[layer] * network.fan_outs[layer], none, n_rows)
        if update.max_norm[0] > 0:
            _clip(update, scratch.gradient)
        if update.step != 0:
            for layer in range(network.fan_ins.size):
                size = network.fan_ins[layer] * network.fan_outs[layer]
                _move(network, update, scratch, network.weight_offsets[layer], size, step, network.weights.dtype.type(1 / n_rows))
                _move_rest(network, update, scratch, layer, step)
        finish(team, phase)
    wait(team, phase, np.int64(1))
