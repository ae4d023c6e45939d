"""Passes over a batch that outweighs the network: a shard of its rows goes through all layers and
back at once.

What a shard's rows become never leaves the caches of the thread that has claimed it, and nobody
waits between the layers. A shard adds up the gradient of its own rows; a second phase adds the
shards' gradients, in their order, and moves the weights. Shards are cut by the shapes alone, so
that these sums, too, have the same bits for every number of threads.
"""

import numpy as np

from .._compiled.intrinsics import part
from .._compiled.jit import jit
from .._compiled.kinds import call_block_update, call_pass
from .._compiled.references import by_reference, value_of
from .dense import count_blocks
from .scheduler import claim_block, count_phases, wait_at_barrier
from .structs import Minibatch, Rows, Run, Scheduler, Scratch
from .update import n_weight_blocks, weight_block

_LEAST_OPERATIONS = 2_000_000  # multiplications of a step that are worth sharing
_OPERATIONS = 4_000_000  # of a shard, about
_LEAST_ROWS = 48
_MOST_SHARDS = 16


def choose_shard_rows(layout, n_rows):
    """Return how many rows of a batch make a shard, or 0 where passes by layers are better: for
    large networks and batch norm.
    """
    n_operations = 3 * n_rows * layout.size
    n_values = n_rows * int(layout.fan_ins[0] + layout.fan_outs.sum())
    n_shards = (
        min(max(2, n_operations // _OPERATIONS), n_rows // _LEAST_ROWS, _MOST_SHARDS) // 2 * 2
    )
    if (
        layout.norm_widths.any()
        or n_operations < _LEAST_OPERATIONS
        or n_shards < 2
        or not _has_room(n_shards * layout.size, n_values)
    ):
        return 0
    rows = -(-n_rows // n_shards)
    of_whole_tiles = -(-rows // 8) * 8
    return (
        rows if -(-n_rows // of_whole_tiles) % 2 else of_whole_tiles
    )  # two threads have the same to do


def _has_room(n_partials, n_values):
    """Tell whether the shards' gradients weigh less than what the rows become in the layers."""
    return n_partials < n_values


@jit(inline=True)
def _slice_for_shard(vector, number, n_shards):
    size = vector.size // n_shards
    return vector[number * size : (number + 1) * size]


@jit(internal=True)
def _forward_backward_shard(run, batch, number):
    """Let one thread take a shard through all layers and back, as a batch with memory of its
    own.
    """
    network = run.network
    scratch = run.scratch
    rows = run.rows
    scheduler = run.scheduler
    first = number * run.shard_rows
    n_shards = scratch.shard_gradients.size // network.weights.size
    zero = np.int64(0)
    one = np.int64(1)
    n_totals = scratch.total_offsets[0] // n_shards
    shard_scratch = Scratch(
        _slice_for_shard(scratch.values, number, n_shards),
        _slice_for_shard(scratch.deltas, number, n_shards),
        scratch.delta_offsets,
        scratch.statistics,
        _slice_for_shard(scratch.work, number, n_shards),
        scratch.one,
        _slice_for_shard(scratch.shard_gradients, number, n_shards),
        scratch.shard_gradients,
        part(scratch.totals, number * n_totals, n_totals),
        scratch.total_offsets,
    )
    rows_from_shard = Rows(
        rows.dense,
        rows.order,
        rows.gathered[first * network.fan_ins[0] :],
        rows.data,
        rows.indices,
        rows.indptr,
        rows.y,
        rows.sample_weight,
        rows.sparse_affine,
        rows.sparse_weight_gradient,
    )
    alone = Scheduler(one, scheduler.counters, scheduler.n_arrived, scheduler.stop)
    shard_run = by_reference(
        Run(
            value_of(run.passes),
            value_of(network),
            value_of(run.update),
            shard_scratch,
            rows_from_shard,
            alone,
            run.shard_rows,
        )
    )
    n_rows = min(run.shard_rows, batch.n_rows - first)
    shard_batch = by_reference(
        Minibatch(
            zero,
            first,
            batch.first_row + first,
            n_rows,
            batch.step,
            batch.gradient_scale,
            batch.is_training,
            zero,
            zero,
        )
    )
    call_pass(run.passes.shard_forward, shard_run, shard_batch)
    call_pass(run.passes.shard_backward, shard_run, shard_batch)


@jit(internal=True)
def forward_backward_shards(run, batch):
    """Compute the losses and the gradients of all shards of a batch, in training."""
    n_blocks = count_blocks(batch.n_rows, run.shard_rows)
    phase = batch.step * count_phases(run.network.fan_ins.size)
    n_computed = np.int64(0)
    block = claim_block(run.scheduler, batch.thread, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        _forward_backward_shard(run, batch, block)
        n_computed += 1
        block = claim_block(run.scheduler, batch.thread, phase, n_blocks, block)
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)


@jit(internal=True)
def _sum_shards(run, batch, offset, size):
    """Add the other shards' gradients of some weights to the first one's, which becomes the
    batch's.
    """
    shard_gradients = run.scratch.shard_gradients
    n_weights = run.network.weights.size
    g = part(run.scratch.gradient, offset, size)
    for shard in range(1, count_blocks(batch.n_rows, run.shard_rows)):
        other = part(shard_gradients, shard * n_weights + offset, size)
        for i in range(size):
            g[i] += other[i]


@jit(internal=True)
def _reduce_block(run, batch, layer, block):
    """Add up a block of a layer's gradient and, with the last rows of its weights, that of its
    intercepts.
    """
    network = run.network
    fan_out = run.network.fan_outs[layer]
    start, stop = weight_block(run, batch, layer, block)
    _sum_shards(
        run, batch, network.weight_offsets[layer] + start * fan_out, (stop - start) * fan_out
    )
    if stop == network.fan_ins[layer]:
        _sum_shards(run, batch, network.bias_offsets[layer], fan_out)


@jit(internal=True)
def reduce_shards_and_update(run, batch):
    """Add up the shards' gradients and, if they are to be consumed, move all weights."""
    n_layers = run.network.fan_ins.size
    n_blocks = np.int64(0)
    for layer in range(n_layers):
        n_blocks += n_weight_blocks(run, batch, layer)
    phase = batch.step * count_phases(n_layers) + 1
    n_computed = np.int64(0)
    block = claim_block(run.scheduler, batch.thread, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        layer = np.int64(0)
        number = block
        while number >= n_weight_blocks(run, batch, layer):
            number -= n_weight_blocks(run, batch, layer)
            layer += 1
        _reduce_block(run, batch, layer, number)
        if batch.fuse_update:
            call_block_update(run.passes.update_block, run, batch, layer, number)
        n_computed += 1
        block = claim_block(run.scheduler, batch.thread, phase, n_blocks, block)
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)
