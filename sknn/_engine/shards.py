"""Passes over a batch that outweighs the network: a shard of its rows goes through all layers and
back at once.

What a shard's rows become never leaves the caches of the thread that has claimed it, and nobody
waits between the layers. A shard adds up the gradient of its own rows; a second phase adds the
shards' gradients, in their order, and moves the weights. Shards are cut by the shapes alone, so
that these sums, too, have the same bits for every size of the team.
"""

import numpy as np

from .._compiled.intrinsics import part
from .._compiled.jit import jit
from .._compiled.kinds import call_block_update, call_pass
from .._compiled.references import by_reference, value_of
from .dense import count_blocks
from .scheduler import claim, finish, n_phases
from .structs import Batch, Rows, Scratch, Team, Work
from .update import n_weight_blocks, weight_block

_LEAST_OPERATIONS = 2_000_000  # multiplications of a step that are worth sharing
_OPERATIONS = 4_000_000  # of a shard, about
_LEAST_ROWS = 48
_MOST_SHARDS = 16


def rows_of_a_shard(layout, n_rows):
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
def _own(vector, number, n_shards):
    size = vector.size // n_shards
    return vector[number * size : (number + 1) * size]


@jit(internal=True)
def _shard(work, batch, number):
    """Let one thread take a shard through all layers and back, as a batch with memory of its
    own.
    """
    network = work.network
    scratch = work.scratch
    rows = work.rows
    team = work.team
    first = number * work.shard_rows
    n_shards = scratch.partials.size // network.weights.size
    zero = np.int64(0)
    one = np.int64(1)
    n_totals = scratch.total_offsets[0] // n_shards
    its_scratch = Scratch(
        _own(scratch.values, number, n_shards), _own(scratch.deltas, number, n_shards), scratch.delta_offsets, scratch.statistics,
        _own(scratch.work, number, n_shards), scratch.one, _own(scratch.partials, number, n_shards), scratch.partials,
        part(scratch.totals, number * n_totals, n_totals), scratch.total_offsets,
    )  # fmt: skip
    its_rows = Rows(
        rows.dense, rows.order, rows.read[first * network.fan_ins[0] :], rows.data, rows.indices, rows.indptr, rows.y, rows.weight,
        rows.affine, rows.weight_gradient,
    )  # fmt: skip
    alone = Team(one, team.counters, team.arrivals, team.stop)
    its_work = by_reference(
        Work(
            value_of(work.passes),
            value_of(network),
            value_of(work.update),
            its_scratch,
            its_rows,
            alone,
            work.shard_rows,
        )
    )
    n_rows = min(work.shard_rows, batch.n_rows - first)
    its_batch = by_reference(
        Batch(
            zero,
            first,
            batch.first + first,
            n_rows,
            batch.step,
            batch.scale,
            batch.is_training,
            zero,
            zero,
        )
    )
    call_pass(work.passes.forward_of_shard, its_work, its_batch)
    call_pass(work.passes.backward_of_shard, its_work, its_batch)


@jit(internal=True)
def there_and_back(work, batch):
    """Compute the losses and the gradients of all shards of a batch, in training."""
    n_blocks = count_blocks(batch.n_rows, work.shard_rows)
    phase = batch.step * n_phases(work.network.fan_ins.size)
    n_computed = np.int64(0)
    block = claim(work.team, batch.member, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        _shard(work, batch, block)
        n_computed += 1
        block = claim(work.team, batch.member, phase, n_blocks, block)
    finish(work.team, phase, n_computed, n_blocks)


@jit(internal=True)
def _add_shards(work, batch, offset, size):
    """Add the other shards' gradients of some weights to the first one's, which becomes the
    batch's.
    """
    partials = work.scratch.partials
    n_weights = work.network.weights.size
    g = part(work.scratch.gradient, offset, size)
    for shard in range(1, count_blocks(batch.n_rows, work.shard_rows)):
        other = part(partials, shard * n_weights + offset, size)
        for i in range(size):
            g[i] += other[i]


@jit(internal=True)
def _add_partials(work, batch, layer, block):
    """Add up a block of a layer's gradient and, with the last rows of its weights, that of its
    intercepts.
    """
    network = work.network
    fan_out = work.network.fan_outs[layer]
    start, stop = weight_block(work, batch, layer, block)
    _add_shards(
        work, batch, network.weight_offsets[layer] + start * fan_out, (stop - start) * fan_out
    )
    if stop == network.fan_ins[layer]:
        _add_shards(work, batch, network.bias_offsets[layer], fan_out)


@jit(internal=True)
def add_and_move(work, batch):
    """Add up the shards' gradients and, if they are to be consumed, move all weights."""
    n_layers = work.network.fan_ins.size
    n_blocks = np.int64(0)
    for layer in range(n_layers):
        n_blocks += n_weight_blocks(work, batch, layer)
    phase = batch.step * n_phases(n_layers) + 1
    n_computed = np.int64(0)
    block = claim(work.team, batch.member, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        layer = np.int64(0)
        number = block
        while number >= n_weight_blocks(work, batch, layer):
            number -= n_weight_blocks(work, batch, layer)
            layer += 1
        _add_partials(work, batch, layer, number)
        if batch.consume:
            call_block_update(work.passes.use_gradient, work, batch, layer, number)
        n_computed += 1
        block = claim(work.team, batch.member, phase, n_blocks, block)
    finish(work.team, phase, n_computed, n_blocks)
