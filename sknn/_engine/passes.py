"""The forward and the backward pass over one block of rows."""

import numpy as np

from .._jit import jit
from .._native import call
from .._tiles import transpose
from .dense import affine_block, bias_gradient, block_width, input_gradient_block, weight_gradient_block
from .sparse import affine, weight_gradient


@jit(inline=True)
def _layer_input(network, scratch, rows, first, layer):
    """Return the vector that layer ``layer`` reads: the data's rows from ``first``, or the activations before it."""
    if layer == 0:
        return rows.dense[first * network.fan_ins[0] :]
    return scratch.values[network.a_offsets[layer - 1] :]


@jit(inline=True)
def _block_of(vector, offset, size):
    return vector[offset : offset + size]


@jit
def _activate(network, layer, n_rows, start, stop, values):
    """Apply the layer's activation to columns ``start:stop``."""
    width = network.fan_outs[layer]
    z, a = values[network.z_offsets[layer] :], values[network.a_offsets[layer] :]
    function, shape = network.forwards[layer], network.shapes[layer]
    if stop - start == width:
        call(function, z[: n_rows * width], shape, a[: n_rows * width])
        return
    for i in range(n_rows):
        begin, end = i * width + start, i * width + stop
        call(function, z[begin:end], shape, a[begin:end])


@jit
def forward(network, scratch, rows, first, n_rows):
    """Compute all layers of rows ``first:first + n_rows``; the outputs are the last layer's pre-activations."""
    last = network.fan_ins.size - 1
    for layer in range(last + 1):
        fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
        a_in = _layer_input(network, scratch, rows, first, layer)
        w = _block_of(network.weights, network.weight_offsets[layer], fan_in * fan_out)
        b = _block_of(network.weights, network.bias_offsets[layer], fan_out)
        z = scratch.values[network.z_offsets[layer] :]
        if layer == 0 and rows.is_sparse:
            affine(rows, first, n_rows, w, b, fan_out, z)
            if layer < last:
                _activate(network, layer, n_rows, np.int64(0), fan_out, scratch.values)
            continue
        width = block_width(n_rows, fan_in, fan_out, fan_out)
        for start in range(0, fan_out, width):
            stop = min(fan_out, start + width)
            affine_block(network.product, a_in, n_rows, fan_in, w, b, fan_out, start, stop, z)
            if layer < last:
                _activate(network, layer, n_rows, start, stop, scratch.values)


@jit
def output_loss(network, scratch, rows, first, n_rows, scale):
    """Add the rows' losses to ``totals`` and write ``scale`` x their gradient into the output layer's deltas."""
    last = network.fan_ins.size - 1
    n_outputs = network.fan_outs[last]
    y_width = rows.y.size // rows.weight.size
    offset, size = network.a_offsets[last], n_rows * n_outputs
    z, delta = _block_of(scratch.values, offset, size), _block_of(scratch.deltas, offset, size)
    y = _block_of(rows.y, first * y_width, n_rows * y_width)
    weight = _block_of(rows.weight, first, n_rows)
    call(network.loss, z, y, weight, n_outputs, scale, delta, scratch.totals)


@jit
def _input_gradient(network, scratch, layer, n_rows):
    """Compute dL/dz of the layer under ``layer``."""
    fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
    w = _block_of(network.weights, network.weight_offsets[layer], fan_in * fan_out)
    dz, below = scratch.deltas[network.a_offsets[layer] :], layer - 1
    dz_t = scratch.work
    da_t = dz_t[n_rows * fan_out :]
    da = da_t[n_rows * fan_in :]
    transpose(dz, n_rows, fan_out, fan_out, dz_t, n_rows)
    delta = scratch.deltas[network.a_offsets[below] :]
    z, a = scratch.values[network.z_offsets[below] :], scratch.values[network.a_offsets[below] :]
    function, shape = network.backwards[below], network.shapes[below]
    width = block_width(n_rows, fan_in, fan_out, fan_in)
    for start in range(0, fan_in, width):
        stop = min(fan_in, start + width)
        input_gradient_block(network.product, dz_t, n_rows, fan_out, w, fan_in, start, stop, da_t, da)
        for i in range(n_rows):
            begin, end = i * fan_in + start, i * fan_in + stop
            call(function, z[begin:end], a[begin:end], shape, da[begin:end], delta[begin:end])


@jit
def penalize(network, update, scratch, offset, size, strength):
    """Add the penalty's gradient to one block of the gradient, and the penalty to ``totals``."""
    w, g = _block_of(network.weights, offset, size), _block_of(scratch.gradient, offset, size)
    call(update.penalize, w, strength, g, scratch.totals)


@jit
def move(network, update, scratch, offset, size, step):
    """Let the optimizer move one block of weights by its gradient."""
    w, g = _block_of(network.weights, offset, size), _block_of(scratch.gradient, offset, size)
    h = _block_of(update.hyperparameters, step * update.n_hyperparameters, update.n_hyperparameters)
    state_0 = _block_of(update.state_0, offset, size)
    state_1 = _block_of(update.state_1, offset, size)
    state_2 = _block_of(update.state_2, offset, size)
    call(update.step, w, g, state_0, state_1, state_2, h)


@jit
def backward(network, update, scratch, rows, first, n_rows, strength, step):
    """Compute all gradients from the output layer's deltas and use them up, layer by layer from the last.

    With ``step`` at least 0 each block of the gradient is penalised and used to ``move`` its weights while it is in cache; with
    ``step`` = -1 gradients are added to what ``scratch.gradient`` holds.
    """
    add = step < 0
    for layer in range(network.fan_ins.size - 1, -1, -1):
        fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
        if layer > 0:
            _input_gradient(network, scratch, layer, n_rows)
        a_in = _layer_input(network, scratch, rows, first, layer)
        dz = scratch.deltas[network.a_offsets[layer] :]
        w_offset, b_offset = network.weight_offsets[layer], network.bias_offsets[layer]
        sparse = layer == 0 and rows.is_sparse
        if sparse:
            weight_gradient(rows, first, n_rows, dz, fan_out, add, _block_of(scratch.gradient, w_offset, fan_in * fan_out))
        width = block_width(n_rows, fan_in, fan_out, fan_in)
        for start in range(0, fan_in, width):
            offset, count = w_offset + start * fan_out, min(width, fan_in - start)
            if not sparse:
                g = scratch.gradient[offset:]
                weight_gradient_block(network.product, a_in, n_rows, fan_in, dz, fan_out, start, start + count, add, g)
            if step >= 0:
                penalize(network, update, scratch, offset, count * fan_out, strength)
                move(network, update, scratch, offset, count * fan_out, step)
        bias_gradient(dz, n_rows, fan_out, add, _block_of(scratch.gradient, b_offset, fan_out))
        if step >= 0:
            move(network, update, scratch, b_offset, fan_out, step)
