"""The inputs of a minibatch: its rows are gathered from the table, and input dropout is applied."""

from .._compiled.intrinsics import segment
from .._compiled.jit import jit
from .._compiled.kinds import call_dropout_in_place
from .dropout import get_dropout_key
from .layers import FIRST, cut_weights, get_input, get_shape, splits_k
from .plan import locate_rectangle, partition_inputs
from .scheduler import make_phase


@jit(internal=True)
def _drop_stored_values(run, batch, i, key, rate):
    """Apply input dropout to the stored values of a sparse row.

    They are a copy of the user's values, made for this chunk.

    Parameters
    ----------
    run, batch
    i : int
        Row of the minibatch.
    key, rate
        See :func:`dropout.drop`.
    """
    rows = run.rows
    first_unit = (batch.shard_start + i) * run.network.fan_ins[0]
    for position in range(rows.indptr[batch.first_row + i], rows.indptr[batch.first_row + i + 1]):
        value = segment(rows.data, position, 1)
        unit = first_unit + rows.indices[position]
        call_dropout_in_place(run.network.drop_in_place, value, unit, key, rate)


@jit(internal=True)
def _cut_inputs(run, batch, by_features):
    """Return the partition of the minibatch's inputs."""
    weights = cut_weights(run, batch, FIRST)
    return partition_inputs(get_shape(run, batch, FIRST), weights, by_features)


@jit(internal=True)
def _gather_block(run, batch, blocks, number, by_features):
    """Copy a block of the minibatch out of the table and apply input dropout to it.

    Without an order, the rows stand in one piece and are not copied.

    Parameters
    ----------
    run, batch
    blocks : Partition
        Of samples or of features.
    number : int
    by_features : bool
    """
    network = run.network
    rows = run.rows
    n_features = network.fan_ins[0]
    rate = network.dropout_rates[0] if batch.is_training else network.dropout_rates.dtype.type(0)
    key = get_dropout_key(run, batch, FIRST)
    first, last, start, stop = locate_rectangle(blocks, number, batch.n_rows, n_features)
    for i in range(first, last):
        row = segment(get_input(run, batch, FIRST), i * n_features + start, stop - start)
        if rows.order.size > 0:
            offset = rows.order[batch.first_row + i] * n_features + start
            source = segment(rows.dense, offset, stop - start)
            for j in range(row.size):
                row[j] = source[j]
        if rate > 0 and rows.sparse_affine == 0:
            first_unit = (batch.shard_start + i) * n_features + start
            call_dropout_in_place(network.drop_in_place, row, first_unit, key, rate)
        elif rate > 0:
            _drop_stored_values(run, batch, i, key, rate)


_gather = make_phase(_cut_inputs, _gather_block)


@jit(internal=True)
def gather_inputs(run, batch):
    """Gather the minibatch into scratch memory and apply input dropout there.

    In training this memory is never the user's array. Where the rows stand in one piece and no
    input is dropped, nothing has to be done.
    """
    drops_inputs = run.network.dropout_rates[0] != 0 and batch.is_training
    if run.rows.order.size > 0 or drops_inputs:
        by_features = splits_k(run, batch, FIRST) and run.rows.sparse_affine == 0
        _gather(run, batch, by_features)
