"""The forward pass of a minibatch, phase by phase: inputs, hidden layers, output layer with losses.

A block of a hidden layer goes from the matrix product to the layer's output while it is in cache:

    z = input W + b  (-> batch norm)  -> activation a  (-> batch norm)  (-> dropout)  = out

Where plan.py splits the product along the inputs (split-K), a phase before computes two matrices
of pre-activations, one from each half of the inputs, and blocks begin with adding them.
"""

import numpy as np

from .._compiled.intrinsics import segment
from .._compiled.jit import jit
from .._compiled.kinds import call_activation, call_skip, call_sparse_affine
from .batch_norm import apply_batch_norm
from .dense import compute_z_block
from .dropout import apply_dropout
from .inputs import gather_inputs
from .layers import (
    FIRST,
    cut_weights,
    get_input,
    get_weights,
    needs_all_samples,
    splits_k,
)
from .losses import compute_losses
from .partition import locate_block, locate_rectangle
from .phases import forward_phase, split_k_phase
from .plan import (
    locate_split_k_block,
    partition_hidden_layer,
    partition_output_layer,
    partition_split_k,
)
from .scheduler import make_phase
from .structs import BATCH_NORM_AFTER, BATCH_NORM_BEFORE

# ---- hidden layers -----------------------------------------------------------------------------


@jit(internal=True)
def _compute_z(run, batch, layer, first, last, low, high, start, stop, z):
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
        a_in = get_input(run, batch, layer)[first * fan_in :]
        compute_z_block(
            network.product, a_in, last - first, fan_in, low, high, w, b, fan_out, start, stop, z
        )


@jit(internal=True)
def _cut_split_k(run, batch, layer):
    """Return the partition of a layer's products of split-K."""
    network = run.network
    return partition_split_k(batch.n_rows, network.fan_ins[layer], network.fan_outs[layer])


@jit(internal=True)
def _compute_split_k_block(run, batch, blocks, number, layer):
    """Compute a block of z from the first half of the inputs, or of ``partial_z`` from the second.

    ``partial_z`` has no intercepts.

    Parameters
    ----------
    run, batch
    blocks : Partition
        See :func:`plan.locate_split_k_block`.
    number : int
    layer : int
    """
    low, high, start, stop = locate_split_k_block(blocks, cut_weights(run, batch, layer), number)
    scratch = run.scratch
    z = scratch.partial_z if low > 0 else scratch.values[run.network.z_offsets[layer] :]
    _compute_z(run, batch, layer, FIRST, batch.n_rows, low, high, start, stop, z)


_compute_split_k = make_phase(_cut_split_k, _compute_split_k_block)


@jit(internal=True)
def _add_partial_z(run, batch, layer, start, stop):
    """Add ``partial_z`` to some columns of a layer's pre-activations.

    Parameters
    ----------
    run, batch, layer
    start, stop : int
        Columns.
    """
    fan_out = run.network.fan_outs[layer]
    z_offset = run.network.z_offsets[layer]
    for i in range(batch.n_rows):
        begin = i * fan_out + start
        z = segment(run.scratch.values, z_offset + begin, stop - start)
        other = segment(run.scratch.partial_z, begin, stop - start)
        for j in range(z.size):
            z[j] += other[j]


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
    z = run.scratch.values[network.z_offsets[layer] :]
    a = run.scratch.values[network.a_offsets[layer] :]
    count = stop - start
    n_calls, size = (1, (last - first) * width) if count == width else (last - first, count)
    for i in range(n_calls):
        begin = (first + i) * width + start
        end = begin + size
        call_activation(
            network.activations[layer],
            z[begin * n_pieces : end * n_pieces],
            network.activation_parameters[layer],
            a[begin:end],
        )


@jit(internal=True)
def _cut_hidden_layer(run, batch, layer, split_k):
    """Return the partition of a hidden layer's outputs."""
    network = run.network
    return partition_hidden_layer(
        batch.n_rows,
        network.fan_ins[layer],
        network.fan_outs[layer],
        network.widths[layer],
        needs_all_samples(run) or split_k,
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
        _add_partial_z(run, batch, layer, first_z, last_z)
    else:
        z = run.scratch.values[z_offset + first * fan_out :]
        fan_in = network.fan_ins[layer]
        _compute_z(run, batch, layer, first, last, FIRST, fan_in, first_z, last_z, z)
    if network.batch_norm == BATCH_NORM_BEFORE:
        apply_batch_norm(run, batch, layer, first_z, last_z, z_offset, fan_out)
    _apply_activation(run, layer, first, last, start, stop)
    if network.batch_norm == BATCH_NORM_AFTER:
        apply_batch_norm(run, batch, layer, start, stop, network.a_offsets[layer], width)
    if batch.is_training and network.dropout_rates[layer + 1] > 0:
        apply_dropout(run, batch, layer, first, last, start, stop)


_compute_hidden_layer = make_phase(_cut_hidden_layer, _compute_hidden_block)


# ---- the output layer --------------------------------------------------------------------------


@jit(internal=True)
def _cut_output_layer(run, batch):
    """Return the partition of the output layer."""
    network = run.network
    last = network.fan_ins.size - 1
    return partition_output_layer(batch.n_rows, network.fan_ins[last], network.fan_outs[last])


@jit(internal=True)
def _compute_output_block(run, batch, blocks, number):
    """Compute the output layer of some samples and, in training, their losses.

    A loss that is not finite stops all threads.
    """
    network = run.network
    layer = network.fan_ins.size - 1
    n_outputs = network.fan_outs[layer]
    start, stop = locate_block(blocks, number)
    z = run.scratch.values[network.a_offsets[layer] + start * n_outputs :]
    fan_in = network.fan_ins[layer]
    _compute_z(run, batch, layer, start, stop, FIRST, fan_in, FIRST, n_outputs, z)
    if run.passes.add_skip != 0:
        call_skip(run.passes.add_skip, run, batch, start, stop)
    if batch.is_training and not compute_losses(run, batch, start, stop, number):
        run.scheduler.stop[0] = 1


_compute_output_layer = make_phase(_cut_output_layer, _compute_output_block)


@jit(internal=True)
def forward(run, batch):
    """Compute all layers and, in training, losses and the last layer's deltas."""
    n_layers = run.network.fan_ins.size
    step = batch.step
    last = np.int64(n_layers - 1)
    gather_inputs(run, batch)
    for layer in range(last):
        split_k = splits_k(run, batch, layer)
        if split_k:
            _compute_split_k(run, batch, split_k_phase(step, n_layers, layer), layer)
        _compute_hidden_layer(run, batch, forward_phase(step, n_layers, layer), layer, split_k)
    _compute_output_layer(run, batch, forward_phase(step, n_layers, last))
