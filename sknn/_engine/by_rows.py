"""Passes over a batch that outweighs the network: a shard of its rows goes through all layers and back at once.

What a shard's rows become never leaves the caches of the thread that has claimed it, and nobody waits between the layers. A shard adds up
the gradient of its own rows; a second phase adds the shards' gradients, in their order, and moves the weights. Shards are
cut by the shapes alone, so that these sums, too, have the same bits for every size of the team.
"""

import numpy as np

from .._jit import jit
from .backward import input_gradient_of_rows
from .dense import bias_gradient, count_blocks, weight_gradient_block
from .forward import hidden_block, layer_input, output_block, part, read_rows, reads_rows
from .team import claim, finish, n_phases
from .weights import n_weight_blocks, use_gradient, weight_block

_LEAST_OPERATIONS = 2_000_000  # multiplications of a step that are worth sharing
_OPERATIONS = 4_000_000  # of a shard, about
_LEAST_ROWS, _MOST_SHARDS = 48, 16


def rows_of_a_shard(layout, n_rows):
    """Return how many rows of a batch make a shard, or 0 where passes by layers are better: for large networks and batch norm."""
    n_operations, n_values = 3 * n_rows * layout.size, n_rows * int(layout.fan_ins[0] + layout.fan_outs.sum())
    n_shards = min(max(2, n_operations // _OPERATIONS), n_rows // _LEAST_ROWS, _MOST_SHARDS) // 2 * 2  # alike for two threads
    if layout.norm_widths.any() or n_operations < _LEAST_OPERATIONS or n_shards < 2 or not _has_room(n_shards * layout.size, n_values):
        return 0
    return -(-n_rows // n_shards // 8) * 8  # whole tiles


def _has_room(n_partials, n_values):
    """Tell whether the shards' gradients weigh less than what the rows become in the layers."""
    return n_partials < n_values


@jit(internal=True)
def _gradient_of_shard(work, batch, first, last, gradient):
    """Compute the gradient of all weights over rows ``first:last`` of the batch, whose last deltas are known."""
    network, scratch, zero, n_rows = work.network, work.scratch, np.int64(0), last - first
    for i in range(network.fan_ins.size):
        layer = network.fan_ins.size - 1 - i
        fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
        g, dz = gradient[network.weight_offsets[layer] :], scratch.deltas[scratch.delta_offsets[layer] + first * fan_out :]
        if layer > 0:
            input_gradient_of_rows(work, batch, layer, first, last, g)  # where W' has just the room that it needs
        a_in = layer_input(work, batch, layer)[first * fan_in :]
        weight_gradient_block(network.product, a_in, n_rows, fan_in, dz, fan_out, zero, fan_in, zero, g)
        bias_gradient(network.product, scratch.one, dz, n_rows, fan_out, zero, gradient[network.bias_offsets[layer] :])


@jit(internal=True)
def _shard(work, batch, first, last, number):
    """Take rows ``first:last`` of the batch through all layers and back."""
    network, zero = work.network, np.int64(0)
    if reads_rows(work, batch):
        read_rows(work, batch, first, last)
    for layer in range(network.fan_ins.size - 1):
        hidden_block(work, batch, layer, first, last, zero, network.widths[layer])
    output_block(work, batch, first, last, number)
    _gradient_of_shard(work, batch, first, last, part(work.scratch.partials, number * network.weights.size, network.weights.size))


@jit(internal=True)
def there_and_back(work, batch):
    """Compute the gradients of all shards of a batch, in training."""
    n_blocks = count_blocks(batch.n_rows, work.shard_rows)
    phase = batch.step * n_phases(work.network.fan_ins.size)
    n_computed, block = np.int64(0), claim(work.team, batch.member, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        _shard(work, batch, block * work.shard_rows, min(batch.n_rows, (block + 1) * work.shard_rows), block)
        n_computed += 1
        block = claim(work.team, batch.member, phase, n_blocks, block)
    finish(work.team, phase, n_computed, n_blocks)


@jit(internal=True)
def _add_partials(work, batch, offset, size):
    """Add up the shards' gradients of some weights."""
    partials, n_weights, g = work.scratch.partials, work.network.weights.size, part(work.scratch.gradient, offset, size)
    one, two = part(partials, offset, size), part(partials, n_weights + offset, size)
    if batch.n_rows <= work.shard_rows:
        for i in range(size):
            g[i] = one[i]
        return
    for i in range(size):
        g[i] = one[i] + two[i]
    for shard in range(2, count_blocks(batch.n_rows, work.shard_rows)):
        other = part(partials, shard * n_weights + offset, size)
        for i in range(size):
            g[i] += other[i]


@jit(internal=True)
def add_and_move(work, batch):
    """Add up the shards' gradients and, if they are to be consumed, move all weights."""
    n_layers, n_blocks = work.network.fan_ins.size, np.int64(0)
    for layer in range(n_layers):
        n_blocks += n_weight_blocks(work, batch, layer)
    phase = batch.step * n_phases(n_layers) + 1
    n_computed, block = np.int64(0), claim(work.team, batch.member, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        layer, number = np.int64(0), block
        while number >= n_weight_blocks(work, batch, layer):
            number -= n_weight_blocks(work, batch, layer)
            layer += 1
        offset, size = weight_block(work, batch, layer, number)
        _add_partials(work, batch, offset, size)
        if batch.consume:
            use_gradient(work, batch, layer, number)
        n_computed += 1
        block = claim(work.team, batch.member, phase, n_blocks, block)
    finish(work.team, phase, n_computed, n_blocks)
