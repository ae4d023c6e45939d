"""The backward pass of a minibatch, layer by layer from the last to the first.

A layer's phase computes dL/dz of the layer below and, beside it, the gradient of the weights of the
layer above, which no block of the phase reads any more. Each block of weights is updated as soon as
its gradient is there, while both are in cache. The first layer has no layer below, so the last
phase has the weights of two layers:

    phase of layer l:  deltas of layer l - 1  (l > 0)  or  weights of layer l  (l = 0),
                       then weights of layer l + 1

The last layer has none above. Where the blocks of weights follow the number of threads, which sums
must not, its phase sums the penalties of all weights in blocks of their own (plan.py). Where
columns are embedded, the gradient of what embeds them has a phase of its own before that of the
first layer, which updates W.
"""

from .._compiled.intrinsics import segment, tail
from .._compiled.jit import jit
from .._compiled.kinds import (
    call_activation_backward,
    call_block_update,
    call_pass,
    call_skip,
    call_sparse_weight_gradient,
    call_units_step,
)
from .._compiled.transpose import transpose
from .dense import (
    compute_bias_gradient,
    compute_da_block,
    compute_da_block_from_dz_t,
    compute_weight_gradient_block,
)
from .layers import (
    FIRST,
    cut_penalties,
    cut_weights,
    get_delta_t,
    get_deltas,
    get_input,
    get_shape,
    get_weights,
    has_blocks_of_penalties,
    needs_all_samples,
)
from .plan import (
    join_partitions,
    locate_block,
    locate_packed,
    locate_rectangle,
    partition_deltas,
    transposes_weights,
)
from .scheduler import make_phase
from .structs import BATCH_NORM_AFTER, BATCH_NORM_BEFORE

# ---- deltas of the layer below -----------------------------------------------------------------


@jit(internal=True)
def _backpropagate_activation(run, layer, first, last, start, stop):
    """Turn dL/da of a hidden layer, in ``Scratch.da``, into dL/dz, in the layer's deltas.

    Parameters
    ----------
    run, layer
    first, last : int
        Samples.
    start, stop : int
        Units.
    """
    network = run.network
    width = network.widths[layer]
    n_pieces = network.fan_outs[layer] // width
    z = tail(run.scratch.values, network.z_offsets[layer])
    a = tail(run.scratch.values, network.a_offsets[layer])
    da = run.scratch.da
    delta = get_deltas(run, layer)
    count = stop - start
    n_calls, size = (1, (last - first) * width) if count == width else (last - first, count)
    for i in range(n_calls):
        begin = (first + i) * width + start
        call_activation_backward(
            network.activation_backwards[layer],
            segment(z, begin * n_pieces, size * n_pieces),
            segment(a, begin, size),
            network.activation_parameters[layer],
            segment(da, begin, size),
            segment(delta, begin * n_pieces, size * n_pieces),
        )


@jit(internal=True)
def _backpropagate_units(run, batch, layer, first, last, start, stop):
    """Turn dL/dout of a hidden layer, in ``Scratch.da``, into dL/dz, in the layer's deltas.

    Also written is the transpose of dL/dz, if the layer's own phase reads that, and gradients of
    batch norm's scale and shift.

    Parameters
    ----------
    run, batch, layer
    first, last : int
        Samples.
    start, stop : int
        Units.
    """
    network = run.network
    fan_out = network.fan_outs[layer]
    n_pieces = fan_out // network.widths[layer]
    first_z = start * n_pieces
    last_z = stop * n_pieces
    delta = get_deltas(run, layer)
    if network.dropout_rates[layer + 1] > 0:
        address = run.passes.backpropagate_dropout
        call_units_step(address, run, batch, layer, first, last, start, stop)
    if network.batch_norm == BATCH_NORM_AFTER:
        address = run.passes.backpropagate_batch_norm
        call_units_step(address, run, batch, layer, first, last, start, stop)
    _backpropagate_activation(run, layer, first, last, start, stop)
    if network.batch_norm == BATCH_NORM_BEFORE:
        address = run.passes.backpropagate_batch_norm
        call_units_step(address, run, batch, layer, first, last, first_z, last_z)
    if layer > 0 and not transposes_weights(batch.n_rows, fan_out):
        block = tail(delta, first * fan_out + first_z)
        target = tail(get_delta_t(run, layer), first_z * batch.n_rows + first)
        transpose(block, last - first, last_z - first_z, fan_out, target, batch.n_rows)


@jit(internal=True)
def _compute_delta_block(run, batch, layer, blocks, number):
    """Compute dL/dz of a block of samples or units of the layer below ``layer``.

    ``Scratch.da`` and ``Scratch.packed_weights`` hold what comes before.

    Parameters
    ----------
    run, batch, layer
    blocks : Partition
    number : int
        Of the block.
    """
    network = run.network
    n_rows = batch.n_rows
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    w = get_weights(run, layer)
    first, last, start, stop = locate_rectangle(blocks, number, n_rows, fan_in)
    offset = locate_packed(blocks, number, get_shape(run, batch, layer))
    packed = tail(run.scratch.packed_weights, offset)
    da = tail(run.scratch.da, first * fan_in)
    if transposes_weights(n_rows, fan_out):
        dz = tail(get_deltas(run, layer), first * fan_out)
        compute_da_block(
            network.product, dz, last - first, fan_out, w, fan_in, start, stop, packed, da
        )
    else:
        dz_t = get_delta_t(run, layer)
        compute_da_block_from_dz_t(
            network.product, dz_t, n_rows, fan_out, w, fan_in, start, stop, packed, da
        )
    _backpropagate_units(run, batch, layer - 1, first, last, start, stop)


# ---- weights -----------------------------------------------------------------------------------


@jit(internal=True)
def _compute_gradient(run, batch, layer, start, stop):
    """Compute the gradient of some rows of a layer's W, and with the last ones of its intercepts.

    Parameters
    ----------
    run, batch, layer
    start, stop : int
        Rows of W, which are inputs of the layer.
    """
    network = run.network
    rows = run.rows
    gradient = run.scratch.gradient
    n_rows = batch.n_rows
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    dz = get_deltas(run, layer)
    g = tail(gradient, network.weight_offsets[layer] + start * fan_out)
    if stop == fan_in:
        g_bias = tail(gradient, network.bias_offsets[layer])
        one = run.scratch.one
        compute_bias_gradient(network.product, one, dz, n_rows, fan_out, batch.accumulate, g_bias)
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
            get_input(run, batch, layer),
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
def _compute_weight_block(run, batch, layer, blocks, number):
    """Compute a block of a layer's gradient and, if updates are fused, update its weights.

    Parameters
    ----------
    run, batch, layer
    blocks : Partition
    number : int
        Of the block.
    """
    fan_ins = run.network.fan_ins
    start, stop = locate_block(blocks, number)
    _compute_gradient(run, batch, layer, start, stop)
    if run.passes.add_skip != 0 and layer == fan_ins.size - 1 and stop == fan_ins[layer]:
        n_features = run.network.n_features
        call_skip(run.passes.compute_skip_gradient, run, batch, FIRST, n_features)
    if batch.fuse_update:
        call_block_update(run.passes.update_block, run, batch, layer, number)


# ---- phases ------------------------------------------------------------------------------------


@jit(internal=True)
def _count_penalty_blocks(run, batch):
    """Return how many blocks of all layers' penalties are summed before weights are updated."""
    n_blocks = FIRST
    if batch.fuse_update and has_blocks_of_penalties(run):
        for layer in range(run.network.fan_ins.size):
            n_blocks += cut_penalties(run, batch, layer).n_blocks
    return n_blocks


@jit(internal=True)
def _cut_backward(run, batch, layer):
    """Return the partition of a layer's phase."""
    network = run.network
    if layer > 0:
        own = partition_deltas(get_shape(run, batch, layer), needs_all_samples(run))
    else:
        own = cut_weights(run, batch, layer)
    if layer + 1 == network.fan_ins.size:
        return join_partitions(own, own, _count_penalty_blocks(run, batch))
    above = cut_weights(run, batch, layer + 1)
    return join_partitions(own, above, above.n_blocks)


@jit(internal=True)
def _compute_backward_block(run, batch, blocks, number, layer):
    """Compute a block of a layer's phase.

    Parameters
    ----------
    run, batch
    blocks : BackwardPartition
        Between the layer's own blocks and those above may be an empty one.
    number : int
    layer : int
    """
    if number >= blocks.first_above and layer + 1 == run.network.fan_ins.size:
        number -= blocks.first_above
        call_block_update(run.passes.sum_penalties, run, batch, FIRST, number)
    elif number >= blocks.first_above:
        _compute_weight_block(run, batch, layer + 1, blocks.above, number - blocks.first_above)
    elif number < blocks.own.n_blocks and layer == 0:
        _compute_weight_block(run, batch, layer, blocks.own, number)
    elif number < blocks.own.n_blocks:
        _compute_delta_block(run, batch, layer, blocks.own, number)


_backpropagate_layer = make_phase(_cut_backward, _compute_backward_block)


@jit(internal=True)
def backward(run, batch):
    """Compute all gradients from the output layer's deltas.

    If updates are fused, all weights are updated as well.
    """
    n_layers = run.network.fan_ins.size
    for i in range(n_layers):
        layer = n_layers - 1 - i
        if layer == 0 and run.passes.backpropagate_inputs != 0:
            call_pass(run.passes.backpropagate_inputs, run, batch)
        _backpropagate_layer(run, batch, layer)
