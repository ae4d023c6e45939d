"""The backward pass over a batch, layer by layer from the last to the first.

A phase computes the gradient of a layer's inputs, in blocks of units or of rows, and that of the
weights of the layer above, which nobody reads any more, in blocks of their rows: each is used to
move its weights while it is in cache. The last phase has the weights of two layers.
"""

import numpy as np

from .._compiled.intrinsics import part
from .._compiled.jit import jit
from .._compiled.kinds import (
    call_activation_backward,
    call_block_update,
    call_dropout_in_place,
    call_normalize_backward,
    call_sparse_weight_gradient,
)
from .._compiled.transpose import transpose
from .dense import (
    ROWS,
    block_size,
    bounds_of,
    compute_bias_gradient,
    compute_da_block,
    compute_da_block_transposed,
    compute_weight_gradient_block,
    input_block_size,
    n_blocks_of,
)
from .dropout import dropout_key
from .forward import transposed_deltas, transposes_weights
from .inputs import layer_input
from .scheduler import claim_block, count_phases, wait_at_barrier
from .structs import BATCH_NORM_AFTER, BATCH_NORM_BEFORE, NO_BATCH_NORM
from .update import n_weight_blocks, weight_block

# ---- gradients of inputs ------------------------------------------------------------------------


@jit(internal=True)
def _backpropagate_batch_norm(run, batch, layer, start, stop, delta, width):
    """Turn the gradient of batch norm's results in columns ``start:stop`` of ``delta``, ``width``
    to a row, into that of its inputs.
    """
    network = run.network
    scratch = run.scratch
    scale_offset = network.scale_offsets[layer]
    shift_offset = network.shift_offsets[layer]
    deviation = part(scratch.statistics, 2 * network.statistics_offsets[layer] + width, width)
    scale = part(network.weights, scale_offset, width)
    x = scratch.values[network.x_hat_offsets[layer] :]
    g_scale = part(scratch.gradient, scale_offset, width)
    g_shift = part(scratch.gradient, shift_offset, width)
    weight = part(run.rows.sample_weight, batch.first_row, batch.n_rows)
    call_normalize_backward(
        network.normalize_backward,
        delta,
        batch.n_rows,
        width,
        start,
        stop,
        weight,
        deviation,
        scale,
        x,
        g_scale,
        g_shift,
    )


@jit(internal=True)
def _backpropagate_dropout(run, batch, layer, first, last, start, stop, da):
    """Drop the gradients of the units ``start:stop`` of a hidden layer that the forward pass
    dropped, in rows ``first:last``.
    """
    network = run.network
    rate = run.network.dropout_rates[layer + 1]
    key = dropout_key(run.update.dropout_seed, run.update.first_step + batch.step, layer + 1)
    for i in range(first, last):
        begin = i * network.widths[layer] + start
        position = (batch.shard_start + i) * network.widths[layer] + start
        call_dropout_in_place(
            network.drop_in_place, part(da, begin, stop - start), position, key, rate
        )


@jit(internal=True)
def _backpropagate_activation(run, layer, first, last, start, stop, da):
    """Turn dL/da of units ``start:stop`` of a hidden layer, in rows ``first:last``, into dL/dz in
    the layer's deltas.
    """
    network = run.network
    values = run.scratch.values
    width = network.widths[layer]
    fan_out = network.fan_outs[layer]
    pieces = fan_out // width
    z = values[network.z_offsets[layer] :]
    a = values[network.a_offsets[layer] :]
    delta = run.scratch.deltas[run.scratch.delta_offsets[layer] :]
    function = network.activation_backwards[layer]
    shape = network.activation_parameters[layer]
    n_segments, size = (
        (1, (last - first) * width) if stop - start == width else (last - first, stop - start)
    )
    for i in range(n_segments):
        begin = (first + i) * width + start
        end = begin + size
        first_z = begin * pieces
        last_z = end * pieces
        call_activation_backward(
            function, z[first_z:last_z], a[begin:end], shape, da[begin:end], delta[first_z:last_z]
        )


@jit(internal=True)
def _backpropagate_units(run, batch, layer, first, last, start, stop, da):
    """Turn dL/dout of units ``start:stop`` of a hidden layer, in rows ``first:last`` of ``da``,
    into dL/dz in the layer's deltas.
    """
    network = run.network
    width = run.network.widths[layer]
    fan_out = run.network.fan_outs[layer]
    delta = run.scratch.deltas[run.scratch.delta_offsets[layer] :]
    pieces = fan_out // width
    if network.dropout_rates[layer + 1] > 0:
        _backpropagate_dropout(run, batch, layer, first, last, start, stop, da)
    if network.batch_norm == BATCH_NORM_AFTER:
        _backpropagate_batch_norm(run, batch, layer, start, stop, da, width)
    _backpropagate_activation(run, layer, first, last, start, stop, da)
    if network.batch_norm == BATCH_NORM_BEFORE:
        _backpropagate_batch_norm(run, batch, layer, start * pieces, stop * pieces, delta, fan_out)
    if layer > 0 and not transposes_weights(batch, fan_out):
        begin = start * pieces
        count = (stop - start) * pieces
        n_rows = last - first
        target = transposed_deltas(run, layer)[begin * batch.n_rows + first :]
        transpose(delta[first * fan_out + begin :], n_rows, count, fan_out, target, batch.n_rows)


@jit(internal=True)
def _inputs_by_rows(run, batch, layer):
    """Tell whether blocks are rows, each of which needs W' for itself, or units."""
    fan_out = run.network.fan_outs[layer]
    return run.network.batch_norm == NO_BATCH_NORM and 2 * fan_out <= ROWS <= batch.n_rows


@jit(internal=True)
def _input_block_size(run, batch, layer):
    fan_in = run.network.fan_ins[layer]
    fan_out = run.network.fan_outs[layer]
    n_rows = batch.n_rows
    if _inputs_by_rows(run, batch, layer):
        return block_size(n_rows * fan_in * fan_out, n_rows, ROWS)
    return input_block_size(n_rows, fan_in, fan_out)


@jit(internal=True)
def _compute_delta_of_samples(run, batch, layer, first, last, w_t):
    """Compute dL/dz of all units of the layer under ``layer`` for rows ``first:last``, by way of
    ``w_t``, the transposed weights.
    """
    network = run.network
    scratch = run.scratch
    zero = np.int64(0)
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    da = scratch.work[scratch.work.size // 2 :]
    w = part(network.weights, network.weight_offsets[layer], fan_in * fan_out)
    dz = scratch.deltas[scratch.delta_offsets[layer] + first * fan_out :]
    compute_da_block(
        network.product,
        dz,
        last - first,
        fan_out,
        w,
        fan_in,
        zero,
        fan_in,
        w_t,
        da[first * fan_in :],
    )
    _backpropagate_units(run, batch, layer - 1, first, last, zero, fan_in, da)


@jit(internal=True)
def _compute_delta_of_units(run, batch, layer, start, stop, moved):
    """Compute dL/dz of units ``start:stop`` of the layer under ``layer``, by way of ``moved``, what
    has to be transposed.
    """
    network = run.network
    scratch = run.scratch
    n_rows = batch.n_rows
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    da = scratch.work[scratch.work.size // 2 :]
    w = part(network.weights, network.weight_offsets[layer], fan_in * fan_out)
    if transposes_weights(batch, fan_out):
        dz = scratch.deltas[scratch.delta_offsets[layer] :]
        compute_da_block(
            network.product,
            dz,
            n_rows,
            fan_out,
            w,
            fan_in,
            start,
            stop,
            moved[start * fan_out :],
            da,
        )
    else:
        dz_t = transposed_deltas(run, layer)
        compute_da_block_transposed(
            network.product,
            dz_t,
            n_rows,
            fan_out,
            w,
            fan_in,
            start,
            stop,
            moved[start * n_rows :],
            da,
        )
    _backpropagate_units(run, batch, layer - 1, np.int64(0), n_rows, start, stop, da)


@jit(internal=True)
def _compute_delta_block(run, batch, layer, block):
    """Compute dL/dz of a block of units, or of rows, of the layer under ``layer``."""
    fan_in = run.network.fan_ins[layer]
    size = _input_block_size(run, batch, layer)
    scratch = run.scratch
    by_rows = _inputs_by_rows(run, batch, layer)
    moved = scratch.work[scratch.work.size // 4 * 3 :]
    whole = batch.n_rows if by_rows else fan_in
    start, stop = bounds_of(block, whole, size)
    if by_rows:
        _compute_delta_of_samples(
            run, batch, layer, start, stop, moved[block * fan_in * run.network.fan_outs[layer] :]
        )
    else:
        _compute_delta_of_units(run, batch, layer, start, stop, moved)


# ---- gradients of weights ----------------------------------------------------------------------


@jit(internal=True)
def _compute_gradient_block(run, batch, layer, block):
    """Compute a block of the gradient of a layer's weights and, with the last rows, that of its
    intercepts.
    """
    network = run.network
    scratch = run.scratch
    rows = run.rows
    n_rows = batch.n_rows
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    start, stop = weight_block(run, batch, layer, block)
    dz = scratch.deltas[scratch.delta_offsets[layer] :]
    g = scratch.gradient[network.weight_offsets[layer] + start * fan_out :]
    if stop == fan_in:
        compute_bias_gradient(
            network.product,
            scratch.one,
            dz,
            n_rows,
            fan_out,
            batch.accumulate,
            scratch.gradient[network.bias_offsets[layer] :],
        )
    if layer == 0 and rows.sparse_affine != 0:
        call_sparse_weight_gradient(
            rows.sparse_weight_gradient,
            rows.data,
            rows.indices,
            rows.indptr,
            batch.first_row,
            n_rows,
            dz,
            fan_out,
            start,
            stop,
            batch.accumulate,
            g,
        )
    else:
        compute_weight_gradient_block(
            network.product,
            layer_input(run, batch, layer),
            n_rows,
            fan_in,
            dz,
            fan_out,
            start,
            stop,
            batch.accumulate,
            g,
        )


@jit(internal=True)
def _process_weight_block(run, batch, layer, block):
    """Compute a block of a layer's gradient and, if it is to be consumed, use it."""
    _compute_gradient_block(run, batch, layer, block)
    if batch.fuse_update:
        call_block_update(run.passes.update_block, run, batch, layer, block)


# ---- phases ------------------------------------------------------------------------------------


@jit(internal=True)
def _n_input_blocks(run, batch, layer):
    whole = batch.n_rows if _inputs_by_rows(run, batch, layer) else run.network.fan_ins[layer]
    return n_blocks_of(whole, _input_block_size(run, batch, layer))


@jit(internal=True)
def _compute_gradients(run, batch, layer, phase):
    """Compute the gradients of a layer's inputs, or of the first layer's weights, and of the
    weights of the layer above.
    """
    above = layer + 1
    n_own = _n_input_blocks(run, batch, layer) if layer > 0 else n_weight_blocks(run, batch, layer)
    first_above = (
        n_own + n_own % 2
    )  # so that threads that take turns get the same rows of W in every phase
    n_blocks = (
        first_above + n_weight_blocks(run, batch, above)
        if above < run.network.fan_ins.size
        else n_own
    )
    n_computed = np.int64(0)
    block = claim_block(run.scheduler, batch.thread, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        if block >= first_above:
            _process_weight_block(run, batch, above, block - first_above)
        elif block < n_own and layer == 0:
            _process_weight_block(run, batch, layer, block)
        elif block < n_own:
            _compute_delta_block(run, batch, layer, block)
        n_computed += 1
        block = claim_block(run.scheduler, batch.thread, phase, n_blocks, block)
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)


@jit(internal=True)
def backward(run, batch):
    """Compute all gradients of a batch from the output layer's deltas and, if they are to be
    consumed, move all weights.
    """
    n_layers = run.network.fan_ins.size
    phase = batch.step * count_phases(n_layers) + 2 * n_layers + 1
    for i in range(n_layers):
        _compute_gradients(run, batch, n_layers - 1 - i, phase + i)
