"""Data-parallel training step, for small networks.

A shard is some adjacent rows of the minibatch. Each thread runs the forward and backward pass on
one shard after another. The values of a shard never leave the caches of the thread that has claimed
it, and threads do not wait for each other between layers. A second phase sums the shards' gradients
in a fixed order and updates the weights. Shards depend on shapes only, so the sums have the same
bits for every number of threads.
"""

import numpy as np

from .._compiled.intrinsics import segment, tail
from .._compiled.jit import jit
from .._compiled.kinds import call_block_update, call_pass
from .._compiled.references import by_reference, value_of
from .layers import cut_weights
from .plan import divide_up, locate_block, partition_in_order
from .scheduler import make_phase
from .structs import Minibatch, Rows, Run, Scheduler, Scratch

_ZERO = np.int64(0)
_ONE = np.int64(1)


# ---- forward and backward pass ------------------------------------------------------------------


@jit(inline=True)
def _get_segment(vector, number, n_segments):
    """Return one of the segments of equal size that a vector consists of."""
    size = vector.size // n_segments
    return segment(vector, number * size, size)


@jit(internal=True)
def _get_shard_scratch(run, number):
    """Return a shard's own part of the scratch memory."""
    scratch = run.scratch
    n_shards = scratch.shard_gradients.size // run.network.weights.size
    n_totals = scratch.total_offsets[0] // n_shards
    return Scratch(
        _get_segment(scratch.values, number, n_shards),
        _get_segment(scratch.deltas, number, n_shards),
        scratch.delta_offsets,
        scratch.statistics,
        _get_segment(scratch.delta_t, number, n_shards),
        _get_segment(scratch.da, number, n_shards),
        _get_segment(scratch.packed_weights, number, n_shards),
        scratch.partial_z,
        scratch.one,
        _get_segment(scratch.shard_gradients, number, n_shards),
        scratch.shard_gradients,
        segment(scratch.totals, number * n_totals, n_totals),
        scratch.total_offsets,
    )


@jit(internal=True)
def _get_shard_rows(run, first):
    """Return the rows of the table, with memory for those of the shard that begins at ``first``."""
    rows = run.rows
    return Rows(
        rows.dense,
        rows.order,
        tail(rows.gathered, first * run.network.fan_ins[0]),
        rows.data,
        rows.indices,
        rows.indptr,
        rows.y,
        rows.sample_weight,
        rows.sparse_affine,
        rows.sparse_weight_gradient,
    )


@jit(internal=True)
def _cut_minibatch(run, batch):
    """Return the partition of a minibatch into shards."""
    return partition_in_order(batch.n_rows, run.shard_rows)


@jit(internal=True)
def _forward_backward_shard(run, batch, shards, number):
    """Run forward and backward pass on a shard.

    It is a minibatch of one thread, with memory of its own.
    """
    start, stop = locate_block(shards, number)
    scheduler = run.scheduler
    shard_run = by_reference(
        Run(
            value_of(run.passes),
            value_of(run.network),
            value_of(run.update),
            _get_shard_scratch(run, number),
            _get_shard_rows(run, start),
            Scheduler(
                _ONE,
                scheduler.counters,
                scheduler.n_begun,
                scheduler.discarded,
                scheduler.n_arrived,
                scheduler.stop,
            ),
            run.shard_rows,
        )
    )
    shard = by_reference(
        Minibatch(
            _ZERO,
            start,
            batch.first_row + start,
            stop - start,
            batch.step,
            batch.gradient_scale,
            batch.is_training,
            _ZERO,
            _ZERO,
        )
    )
    call_pass(run.passes.shard_forward, shard_run, shard)
    call_pass(run.passes.shard_backward, shard_run, shard)


_run_shards = make_phase(_cut_minibatch, _forward_backward_shard)


@jit(internal=True)
def forward_backward_shards(run, batch):
    """Run forward and backward pass on every shard of a minibatch, in training."""
    _run_shards(run, batch)


# ---- sum of gradients and update ----------------------------------------------------------------


@jit(internal=True)
def _sum_shards(run, batch, offset, size):
    """Add the other shards' gradients of a segment of the weights to the first one's.

    That becomes the minibatch's.
    """
    n_weights = run.network.weights.size
    g = segment(run.scratch.gradient, offset, size)
    for shard in range(1, divide_up(batch.n_rows, run.shard_rows)):
        other = segment(run.scratch.shard_gradients, shard * n_weights + offset, size)
        for i in range(size):
            g[i] += other[i]


@jit(internal=True)
def _cut_all_weights(run, batch):
    """Return the partition of all layers' blocks of weights, one layer after the other."""
    n_blocks = _ZERO
    for layer in range(run.network.fan_ins.size):
        n_blocks += cut_weights(run, batch, layer).n_blocks
    return partition_in_order(n_blocks, _ONE)


@jit(internal=True)
def _reduce_block(run, batch, blocks, number):
    """Sum a block of the gradient and, if updates are fused, update its weights.

    The last rows of W have everything else that the layer learns with them.
    """
    network = run.network
    layer = _ZERO
    layer_blocks = cut_weights(run, batch, layer)
    while number >= layer_blocks.n_blocks:
        number -= layer_blocks.n_blocks
        layer += 1
        layer_blocks = cut_weights(run, batch, layer)
    fan_out = network.fan_outs[layer]
    start, stop = locate_block(layer_blocks, number)
    offset = network.weight_offsets[layer] + start * fan_out
    _sum_shards(run, batch, offset, (stop - start) * fan_out)
    if stop == network.fan_ins[layer]:
        for i in range(network.other_starts[layer], network.other_starts[layer + 1]):
            _sum_shards(run, batch, network.other_offsets[i], network.other_sizes[i])
    if batch.fuse_update:
        call_block_update(run.passes.update_block, run, batch, layer, number)


_reduce_shards = make_phase(_cut_all_weights, _reduce_block)


@jit(internal=True)
def reduce_shards_and_update(run, batch):
    """Sum the shards' gradients and, if updates are fused, update all weights."""
    _reduce_shards(run, batch)
