"""The forward pass of a minibatch, phase by phase: inputs, hidden layers, output layer with losses.

A block of a hidden layer goes from the matrix product to the layer's output while it is in cache:

    z = input W + b  (-> batch norm)  -> activation a  (-> batch norm)  (-> dropout)  = out

Where plan.py splits the product along the inputs (split_k.py), a phase before computes it, and
blocks begin with adding its two halves. That, batch norm and dropout are called by address.
"""

import numpy as np

from .._compiled.intrinsics import segment, tail
from .._compiled.jit import jit
from .._compiled.kinds import (
    call_activation,
    call_layer_pass,
    call_skip,
    call_sparse_affine,
    call_units_step,
)
from .dense import compute_z_block
from .inputs import gather_inputs
from .layers import (
    FIRST,
    get_input,
    get_shape,
    get_weights,
    needs_all_samples,
    splits_k,
)
from .losses import compute_losses
from .plan import (
    locate_block,
    locate_rectangle,
    partition_hidden_layer,
    partition_output_layer,
)
from .scheduler import make_phase
from .structs import BATCH_NORM_AFTER, BATCH_NORM_BEFORE

# ---- hidden layers -----------------------------------------------------------------------------


@jit(internal=True)
def compute_z(run, batch, layer, first, last, low, high, start, stop, z):
    """Compute a block of a layer's pre-activations, or of their terms from some inputs.

    Parameters
    ----------
    run, batch, layer
    first, last : int
        Samples of the minibatch.
    low, high : int
        Inputs over which the product sums. Intercepts are added with the first of all inputs.
    start, stop : int
        Pre-activations.
    z : ndarray of shape (n_rows * fan_out,)
        Written in these columns, the sample ``first`` in its first row.
    """
    network = run.network
    rows = run.rows
    fan_in = network.fan_ins[layer]
    fan_out = network.fan_outs[layer]
    w = get_weights(run, layer)
    b = segment(network.weights, network.bias_offsets[layer], fan_out)
    if layer == 0 and rows.sparse_affine != 0:
        call_sparse_affine(
            rows.sparse_affine,
            rows.data,
            rows.indices,
            rows.indptr,
            batch.first_row + first,
            last - first,
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
        a_in = tail(get_input(run, batch, layer), first * fan_in)
        compute_z_block(
            network.product, a_in, last - first, fan_in, low, high, w, b, fan_out, start, stop, z
        )


@jit(internal=True)
def _apply_activation(run, layer, first, last, start, stop):
    """Compute the activations of some units of a hidden layer for some samples.

    Whole rows stand in one piece and take one call.

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
    count = stop - start
    n_calls, size = (1, (last - first) * width) if count == width else (last - first, count)
    for i in range(n_calls):
        begin = (first + i) * width + start
        call_activation(
            network.activations[layer],
            segment(z, begin * n_pieces, size * n_pieces),
            network.activation_parameters[layer],
            segment(a, begin, size),
        )


@jit(internal=True)
def _cut_hidden_layer(run, batch, layer, split_k):
    """Return the partition of a hidden layer's outputs."""
    needs_all = needs_all_samples(run) or split_k
    return partition_hidden_layer(
        get_shape(run, batch, layer), run.network.widths[layer], needs_all
    )


@jit(internal=True)
def _compute_hidden_block(run, batch, blocks, number, layer, split_k):
    """Compute the outputs of some units of a hidden layer for some samples.

    Parameters
    ----------
    run, batch
    blocks : Partition
        Of samples or of units.
    number : int
    layer : int
    split_k : bool
        Whether the products are there already, to be added.
    """
    network = run.network
    width = network.widths[layer]
    fan_out = network.fan_outs[layer]
    n_pieces = fan_out // width
    z_offset = network.z_offsets[layer]
    first, last, start, stop = locate_rectangle(blocks, number, batch.n_rows, width)
    first_z = start * n_pieces
    last_z = stop * n_pieces
    if split_k:
        address = run.passes.add_partial_z
        call_units_step(address, run, batch, layer, first, last, first_z, last_z)
    else:
        z = tail(run.scratch.values, z_offset + first * fan_out)
        fan_in = network.fan_ins[layer]
        compute_z(run, batch, layer, first, last, FIRST, fan_in, first_z, last_z, z)
    if network.batch_norm == BATCH_NORM_BEFORE:
        address = run.passes.apply_batch_norm
        call_units_step(address, run, batch, layer, first, last, first_z, last_z)
    _apply_activation(run, layer, first, last, start, stop)
    if network.batch_norm == BATCH_NORM_AFTER:
        address = run.passes.apply_batch_norm
        call_units_step(address, run, batch, layer, first, last, start, stop)
    if batch.is_training and network.dropout_rates[layer + 1] > 0:
        address = run.passes.apply_dropout
        call_units_step(address, run, batch, layer, first, last, start, stop)


_compute_hidden_layer = make_phase(_cut_hidden_layer, _compute_hidden_block)


# ---- the output layer --------------------------------------------------------------------------


@jit(internal=True)
def _cut_output_layer(run, batch):
    """Return the partition of the output layer."""
    return partition_output_layer(get_shape(run, batch, run.network.fan_ins.size - 1))


@jit(internal=True)
def _compute_output_block(run, batch, blocks, number):
    """Compute the output layer of some samples and, in training, their losses.

    A loss that is not finite stops all threads.
    """
    network = run.network
    layer = network.fan_ins.size - 1
    n_outputs = network.fan_outs[layer]
    start, stop = locate_block(blocks, number)
    z = tail(run.scratch.values, network.a_offsets[layer] + start * n_outputs)
    fan_in = network.fan_ins[layer]
    compute_z(run, batch, layer, start, stop, FIRST, fan_in, FIRST, n_outputs, z)
    if run.passes.add_skip != 0:
        call_skip(run.passes.add_skip, run, batch, start, stop)
    if batch.is_training and not compute_losses(run, batch, start, stop, number):
        run.scheduler.stop[0] = 1


_compute_output_layer = make_phase(_cut_output_layer, _compute_output_block)


@jit(internal=True)
def forward(run, batch):
    """Compute all layers and, in training, losses and the last layer's deltas."""
    last = np.int64(run.network.fan_ins.size - 1)
    gather_inputs(run, batch)
    for layer in range(last):
        split_k = splits_k(run, batch, layer)
        if split_k:
            call_layer_pass(run.passes.compute_split_k, run, batch, layer)
        _compute_hidden_layer(run, batch, layer, split_k)
    _compute_output_layer(run, batch)
