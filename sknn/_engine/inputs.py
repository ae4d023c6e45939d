"""What layers read: the batch's rows, brought together from the data, or the outputs of the layer
before.
"""

import numpy as np

from .._compiled.intrinsics import part
from .._compiled.jit import jit
from .._compiled.kinds import call_dropout_in_place
from .dense import ROWS, adds_halves, bounds_of, half_of, n_blocks_of
from .dropout import dropout_key
from .scheduler import claim_block, wait_at_barrier
from .update import weight_block_size


@jit(inline=True)
def layer_input(run, batch, layer):
    """Return the vector that layer ``layer`` reads: the batch's rows of the data, or the outputs of
    the layer before it.
    """
    if layer > 0:
        return run.scratch.values[run.network.out_offsets[layer - 1] :]
    if run.rows.order.size > 0:
        return run.rows.gathered
    return run.rows.dense[batch.first_row * run.network.fan_ins[0] :]


@jit(internal=True)
def in_halves(run, batch, layer):
    """Tell whether a hidden layer's inputs are taken in two halves, each with the rows of W that
    belong to it.
    """
    network = run.network
    is_shared = batch.is_training and run.shard_rows == 0 and layer < network.fan_ins.size - 1
    return is_shared and adds_halves(batch.n_rows, network.fan_ins[layer], network.fan_outs[layer])


@jit(internal=True)
def _gather_block(run, batch, first, last, start, stop):
    """Copy columns ``start:stop`` of rows ``first:last`` out of the data, if these do not stand
    together there, and drop inputs.
    """
    network = run.network
    rows = run.rows
    n_features = run.network.fan_ins[0]
    rate = network.dropout_rates[0] if batch.is_training else network.dropout_rates.dtype.type(0)
    key = dropout_key(run.update.dropout_seed, run.update.first_step + batch.step, np.int64(0))
    for i in range(first, last):
        row = part(layer_input(run, batch, 0), i * n_features + start, stop - start)
        if rows.order.size > 0:
            source = part(
                rows.dense, rows.order[batch.first_row + i] * n_features + start, stop - start
            )
            for j in range(row.size):
                row[j] = source[j]
        if rate > 0 and rows.sparse_affine == 0:
            call_dropout_in_place(
                network.drop_in_place, row, (batch.shard_start + i) * n_features + start, key, rate
            )
        elif rate > 0:
            for position in range(
                rows.indptr[batch.first_row + i], rows.indptr[batch.first_row + i + 1]
            ):
                value = part(rows.data, position, 1)
                call_dropout_in_place(
                    network.drop_in_place,
                    value,
                    (batch.shard_start + i) * n_features + rows.indices[position],
                    key,
                    rate,
                )


@jit(internal=True)
def gather_inputs(run, batch, phase):
    """Bring the batch's rows together and drop inputs, in place: what a batch in training reads is
    never the user's table.
    """
    if run.rows.order.size == 0 and (run.network.dropout_rates[0] == 0 or not batch.is_training):
        return
    n_rows = batch.n_rows
    n_features = run.network.fan_ins[0]
    zero = np.int64(0)
    by_columns = in_halves(run, batch, zero) and run.rows.sparse_affine == 0
    whole = n_features if by_columns else n_rows
    size = half_of(whole, weight_block_size(run, batch, zero)) if by_columns else ROWS
    n_blocks = n_blocks_of(whole, size)
    n_computed = zero
    block = claim_block(run.scheduler, batch.thread, phase, n_blocks, np.int64(-1))
    while block < n_blocks:
        start, stop = bounds_of(block, whole, size)
        rows, columns = (
            ((zero, n_rows), (start, stop)) if by_columns else ((start, stop), (zero, n_features))
        )
        _gather_block(run, batch, rows[0], rows[1], columns[0], columns[1])
        n_computed += 1
        block = claim_block(run.scheduler, batch.thread, phase, n_blocks, block)
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)
