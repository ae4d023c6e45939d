"""What a layer reads and writes in a run, as segments of the run's vectors, and its partitions.

The partitions are those of plan.py: here a run's layer, minibatch and threads are translated into
the integers that a plan depends on.
"""

import numpy as np

from .._compiled.intrinsics import segment, tail
from .._compiled.jit import jit
from .plan import Shape, partition_weights, sums_penalties_first, uses_split_k
from .structs import NO_BATCH_NORM

FIRST = np.int64(0)  # number of the first layer, sample, unit, ...: unlike the literal, an int64


@jit(inline=True)
def get_input(run, batch, layer):
    """Return what a layer reads: the minibatch's inputs, or the layer below's outputs.

    A sparse first layer reads ``run.rows`` itself.
    """
    if layer > 0:
        return tail(run.scratch.values, run.network.out_offsets[layer - 1])
    if run.rows.gathered.size > 0:
        return run.rows.gathered
    return tail(run.rows.dense, batch.first_row * run.network.fan_ins[0])


@jit(inline=True)
def get_weights(run, layer):
    """Return a layer's W, of fan_in * fan_out elements."""
    network = run.network
    return segment(
        network.weights,
        network.weight_offsets[layer],
        network.fan_ins[layer] * network.fan_outs[layer],
    )


@jit(inline=True)
def get_deltas(run, layer):
    """Return dL/dz of a layer, of n_rows x fan_out."""
    return tail(run.scratch.deltas, run.scratch.delta_offsets[layer])


@jit(inline=True)
def get_delta_t(run, layer):
    """Return the transpose of dL/dz of a layer, of fan_out x n_rows.

    There are two, since that of the layer above is still read while a layer's is written.
    """
    return tail(run.scratch.delta_t, layer % 2 * (run.scratch.delta_t.size // 2))


@jit(inline=True)
def needs_all_samples(run):
    """Return whether a block has to have all samples of its units, as batch norm needs them."""
    return run.network.batch_norm != NO_BATCH_NORM


@jit(inline=True)
def get_shape(run, batch, layer):
    """Return what the plan of a layer depends on."""
    network = run.network
    return Shape(
        batch.n_rows, network.fan_ins[layer], network.fan_outs[layer], run.scheduler.n_threads
    )


@jit(internal=True)
def splits_k(run, batch, layer):
    """Return whether a layer's product is split along its inputs.

    Only in training, where weights have just been updated. A shard has only one thread, and the
    output layer is cut by samples.
    """
    is_hidden = layer < run.network.fan_ins.size - 1
    is_shared = batch.is_training and run.shard_rows == 0 and is_hidden
    return is_shared and uses_split_k(get_shape(run, batch, layer))


@jit(internal=True)
def cut_weights(run, batch, layer):
    """Return the partition of a layer's rows of W, for their gradient and update."""
    if not has_blocks_of_penalties(run):
        return cut_penalties(run, batch, layer)
    return partition_weights(get_shape(run, batch, layer), _is_sparse(run, layer))


@jit(internal=True)
def cut_penalties(run, batch, layer):
    """Return the partition of a layer's rows of W over which penalties are summed."""
    network = run.network
    shape = Shape(batch.n_rows, network.fan_ins[layer], network.fan_outs[layer], np.int64(1))
    return partition_weights(shape, _is_sparse(run, layer))


@jit(inline=True)
def has_blocks_of_penalties(run):
    """Return whether these two differ, and penalties are summed before weights are updated."""
    n_layers = run.network.fan_ins.size
    is_wanted = sums_penalties_first(run.scheduler.n_threads, n_layers, run.shard_rows)
    return is_wanted and run.passes.sum_penalties != 0


@jit(inline=True)
def _is_sparse(run, layer):
    return layer == 0 and run.rows.sparse_affine != 0
