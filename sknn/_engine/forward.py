"""The forward pass over a batch, phase by phase: its rows are read, then come the hidden layers in
blocks of units or of rows, and the output layer in blocks of rows.

A block of a hidden layer goes from the product to the layer's output while it is in cache:

    z = input W + b  (-> batch norm)  -> activation a  (-> batch norm)  (-> dropout)  = out

Where W is much larger than z, that is the sum of two halves, over the first and over the last
inputs, which blocks of units begin with adding up. So a thread reads rows of W that it has moved
itself in the last step, instead of columns of which half are in another core's caches: fetching
them can take longer than the product.
"""

import math

import numpy as np

from .._compiled.intrinsics import part
from .._compiled.jit import jit
from .._compiled.kinds import (
    call_activation,
    call_dropout,
    call_loss,
    call_normalize,
    call_sparse_affine,
)
from .._compiled.transpose import transpose
from .dense import (
    COLUMNS,
    ROWS,
    block_size,
    bounds_of,
    compute_z_block,
    count_blocks,
    half_of,
    n_blocks_of,
    shares_rows,
)
from .dropout import dropout_key
from .inputs import gather_inputs, in_halves, layer_input
from .scheduler import claim_block, count_phases, wait_at_barrier
from .structs import BATCH_NORM_AFTER, BATCH_NORM_BEFORE, NO_BATCH_NORM
from .update import weight_block_size


@jit(inline=True)
def transposed_deltas(run, layer):
    """Return the place of (dL/dz)' of a layer: that of the layer above is still read while it is
    written.
    """
    return run.scratch.work[(layer % 2) * (run.scratch.work.size // 4) :]


@jit(inline=True)
def transposes_weights(batch, fan_out):
    """Tell whether the gradient of a layer's inputs takes fewer moves with W transposed than with
    dL/dz and the result.
    """
    return fan_out <= batch.n_rows


# ---- hidden layers -----------------------------------------------------------------------------


@jit(internal=True)
def _compute_affine(run, batch, layer, first_row, n_rows, low, high, start, stop, z):
    """Compute what a layer's inputs ``low:high`` add to columns ``start:stop`` of its
    pre-activations, for some rows of the batch.
    """
    network = run.network
    rows = run.rows
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    w = part(network.weights, network.weight_offsets[layer], fan_in * fan_out)
    b = part(network.weights, network.bias_offsets[layer], fan_out)
    if layer == 0 and rows.sparse_affine != 0:
        first = batch.first_row + first_row
        call_sparse_affine(
            rows.sparse_affine,
            rows.data,
            rows.indices,
            rows.indptr,
            first,
            n_rows,
            low,
            high,
            w,
            b,
            fan_out,
            start,
            stop,
            z,
        )
    else:
        a_in = layer_input(run, batch, layer)[first_row * fan_in :]
        compute_z_block(
            network.product, a_in, n_rows, fan_in, low, high, w, b, fan_out, start, stop, z
        )


@jit(internal=True)
def _compute_partial_z(run, batch, layer, phase):
    """Compute both halves of a layer's pre-activations: the first one where they belong, the second
    one in working memory.
    """
    network = run.network
    scratch = run.scratch
    n_rows = batch.n_rows
    zero = np.int64(0)
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    middle = half_of(fan_in, weight_block_size(run, batch, layer))
    size = block_size(n_rows * fan_in * fan_out, fan_out, COLUMNS)
    n_blocks = 2 * count_blocks(fan_out, size)
    n_computed = np.int64(0)
    block = claim_block(run.scheduler, batch.thread, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        start = block // 2 * size
        stop = min(fan_out, start + size)
        low, high = (zero, middle) if block % 2 == 0 else (middle, fan_in)
        z = scratch.work if low > 0 else scratch.values[network.z_offsets[layer] :]
        _compute_affine(run, batch, layer, zero, n_rows, low, high, start, stop, z)
        n_computed += 1
        block = claim_block(run.scheduler, batch.thread, phase, n_blocks, block)
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)


@jit(internal=True)
def _add_partial_z(run, batch, layer, start, stop):
    """Add the halves of columns ``start:stop`` of a layer's pre-activations."""
    fan_out = run.network.fan_outs[layer]
    z_offset = run.network.z_offsets[layer]
    for i in range(batch.n_rows):
        begin = i * fan_out + start
        z = part(run.scratch.values, z_offset + begin, stop - start)
        other = part(run.scratch.work, begin, stop - start)
        for j in range(z.size):
            z[j] += other[j]


@jit(internal=True)
def _apply_batch_norm(run, batch, layer, start, stop, z_offset, width):
    """Apply batch norm to columns ``start:stop`` of the values at ``z_offset``, ``width`` to a
    row.
    """
    network = run.network
    scratch = run.scratch
    rows = run.rows
    place = network.statistics_offsets[layer]
    weight = (
        part(rows.sample_weight, batch.first_row, batch.n_rows)
        if batch.is_training
        else rows.sample_weight[:0]
    )
    mean = part(scratch.statistics, 2 * place, width)
    deviation = part(scratch.statistics, 2 * place + width, width)
    running_mean = part(network.weights, network.mean_offsets[layer], width)
    running_variance = part(network.weights, network.variance_offsets[layer], width)
    scale = part(network.weights, network.scale_offsets[layer], width)
    shift = part(network.weights, network.shift_offsets[layer], width)
    z = scratch.values[z_offset:]
    x = scratch.values[network.x_hat_offsets[layer] :]
    out = (
        scratch.values[network.before_dropout_offsets[layer] :]
        if network.batch_norm == BATCH_NORM_AFTER
        else z
    )
    call_normalize(
        network.normalize, z, batch.n_rows, width, start, stop, weight, mean, deviation, running_mean, running_variance,
        run.update.batch_norm_momentum, scale, shift, x, out,
    )  # fmt: skip


@jit(internal=True)
def _apply_dropout(run, batch, layer, first, last, start, stop):
    """Drop some of the units ``start:stop`` of a hidden layer, in rows ``first:last``."""
    network = run.network
    values = run.scratch.values
    rate = run.network.dropout_rates[layer + 1]
    key = dropout_key(run.update.dropout_seed, run.update.first_step + batch.step, layer + 1)
    for i in range(first, last):
        begin = i * network.widths[layer] + start
        position = (batch.shard_start + i) * network.widths[layer] + start
        source = part(values, network.before_dropout_offsets[layer] + begin, stop - start)
        call_dropout(
            network.drop,
            source,
            position,
            key,
            rate,
            part(values, network.out_offsets[layer] + begin, stop - start),
        )


@jit(internal=True)
def _compute_hidden_block(run, batch, layer, first, last, start, stop):
    """Compute the outputs of units ``start:stop`` of a hidden layer for rows ``first:last`` of the
    batch.
    """
    network = run.network
    values = run.scratch.values
    n_rows = last - first
    width = network.widths[layer]
    fan_out = network.fan_outs[layer]
    pieces = fan_out // width
    z = values[network.z_offsets[layer] + first * fan_out :]
    a = values[network.a_offsets[layer] + first * width :]
    if in_halves(run, batch, layer):
        _add_partial_z(run, batch, layer, start * pieces, stop * pieces)
    else:
        _compute_affine(
            run,
            batch,
            layer,
            first,
            n_rows,
            np.int64(0),
            network.fan_ins[layer],
            start * pieces,
            stop * pieces,
            z,
        )
    if network.batch_norm == BATCH_NORM_BEFORE:
        _apply_batch_norm(
            run, batch, layer, start * pieces, stop * pieces, network.z_offsets[layer], fan_out
        )
    n_segments, size = (1, n_rows * width) if stop - start == width else (n_rows, stop - start)
    for i in range(n_segments):
        begin = i * width + start
        end = begin + size
        call_activation(
            network.activations[layer],
            z[begin * pieces : end * pieces],
            network.activation_parameters[layer],
            a[begin:end],
        )
    if network.batch_norm == BATCH_NORM_AFTER:
        _apply_batch_norm(run, batch, layer, start, stop, network.a_offsets[layer], width)
    if batch.is_training and network.dropout_rates[layer + 1] > 0:
        _apply_dropout(run, batch, layer, first, last, start, stop)


@jit(internal=True)
def _compute_hidden_layer(run, batch, layer, phase):
    """Compute the outputs of a hidden layer, in blocks of rows or of units."""
    network = run.network
    n_rows = batch.n_rows
    zero = np.int64(0)
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    width = network.widths[layer]
    adds = in_halves(run, batch, layer)
    pieces = fan_out // width
    if adds:
        _compute_partial_z(run, batch, layer, phase)
        phase += 1
    by_rows = (
        network.batch_norm == NO_BATCH_NORM and not adds and shares_rows(n_rows, fan_in, fan_out)
    )
    if by_rows:
        size = block_size(n_rows * fan_in * fan_out, n_rows, ROWS)
    else:
        size = max(1, block_size(n_rows * fan_in * fan_out, fan_out, COLUMNS) // pieces)
    whole = n_rows if by_rows else width
    n_blocks = n_blocks_of(whole, size)
    n_computed = zero
    block = claim_block(run.scheduler, batch.thread, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        start, stop = bounds_of(block, whole, size)
        rows, units = ((start, stop), (zero, width)) if by_rows else ((zero, n_rows), (start, stop))
        _compute_hidden_block(run, batch, layer, rows[0], rows[1], units[0], units[1])
        n_computed += 1
        block = claim_block(run.scheduler, batch.thread, phase, n_blocks, block)
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)


# ---- the output layer --------------------------------------------------------------------------


@jit(internal=True)
def compute_losses(run, batch, start, stop, block):
    """Add the losses of rows ``start:stop`` to the block's total and write their scaled gradient
    into the output layer's deltas.

    Returns
    -------
    is_finite : bool
        Whether the total is.
    """
    network = run.network
    scratch = run.scratch
    rows = run.rows
    last = network.fan_ins.size - 1
    count = stop - start
    first = batch.first_row + start
    n_outputs = network.fan_outs[last]
    y_width = rows.y.size // rows.sample_weight.size
    z = part(scratch.values, network.a_offsets[last] + start * n_outputs, count * n_outputs)
    delta = part(scratch.deltas, scratch.delta_offsets[last] + start * n_outputs, count * n_outputs)
    y = part(rows.y, first * y_width, count * y_width)
    weight = part(rows.sample_weight, first, count)
    for i in range(count):
        if weight[i] == 0:  # or 0 times inf would be NaN
            z[i * n_outputs : (i + 1) * n_outputs] = 0
    total = part(scratch.totals, 2 * block, 2)
    call_loss(
        network.loss,
        z,
        y,
        weight,
        n_outputs,
        network.loss_parameters,
        batch.gradient_scale,
        delta,
        total,
    )
    if last > 0 and batch.is_training and not transposes_weights(batch, n_outputs):
        transpose(
            delta, count, n_outputs, n_outputs, transposed_deltas(run, last)[start:], batch.n_rows
        )
    return math.isfinite(total[0])


@jit(internal=True)
def _compute_output_layer(run, batch, phase):
    """Compute the output layer and, in training, the losses; a loss that is not finite stops the
    scheduler.
    """
    network = run.network
    last = run.network.fan_ins.size - 1
    n_outputs = network.fan_outs[last]
    size = block_size(batch.n_rows * network.fan_ins[last] * n_outputs, batch.n_rows, ROWS)
    n_blocks = count_blocks(batch.n_rows, size)
    n_computed = np.int64(0)
    block = claim_block(run.scheduler, batch.thread, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        start = block * size
        stop = min(batch.n_rows, (block + 1) * size)
        z = run.scratch.values[network.a_offsets[last] + start * n_outputs :]
        _compute_affine(
            run,
            batch,
            last,
            start,
            stop - start,
            np.int64(0),
            network.fan_ins[last],
            np.int64(0),
            n_outputs,
            z,
        )
        if batch.is_training and not compute_losses(run, batch, start, stop, block):
            run.scheduler.stop[0] = 1
        n_computed += 1
        block = claim_block(run.scheduler, batch.thread, phase, n_blocks, block)
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)


@jit(internal=True)
def forward(run, batch):
    """Compute all layers of a batch and, in training, its losses and the last layer's deltas."""
    n_layers = run.network.fan_ins.size
    phase = batch.step * count_phases(n_layers)
    gather_inputs(run, batch, phase)
    for layer in range(n_layers - 1):
        _compute_hidden_layer(run, batch, layer, phase + 1 + 2 * layer)
    _compute_output_layer(run, batch, phase + 2 * n_layers)
