"""The inputs of a minibatch: its rows are gathered from the table, and input dropout is applied.

Where columns are embedded (embedding.py), rows are gathered with what their numbers become.
"""

from .._compiled.intrinsics import segment
from .._compiled.jit import jit
from .._compiled.kinds import call_units_step
from .layers import FIRST, cut_weights, get_input, get_shape, splits_k
from .plan import locate_rectangle, partition_inputs
from .scheduler import make_phase


@jit(inline=True)
def _drops_inputs(run, batch):
    """Return whether input dropout is to be applied."""
    return batch.is_training != 0 and run.network.dropout_rates[0] > 0


@jit(internal=True)
def _cut_inputs(run, batch, by_features):
    """Return the partition of the minibatch's inputs."""
    weights = cut_weights(run, batch, FIRST)
    return partition_inputs(get_shape(run, batch, FIRST), weights, by_features)


@jit(internal=True)
def _gather_block(run, batch, blocks, number, by_features):
    """Copy a block of the minibatch out of the table and apply input dropout to it.

    Without an order, the rows stand in one piece and are not copied, unless they are embedded.

    Parameters
    ----------
    run, batch
    blocks : Partition
        Of samples or of features.
    number : int
    by_features : bool
    """
    rows = run.rows
    n_features = run.network.fan_ins[0]
    first, last, start, stop = locate_rectangle(blocks, number, batch.n_rows, n_features)
    if run.passes.embed_inputs != 0:
        call_units_step(run.passes.embed_inputs, run, batch, FIRST, first, last, start, stop)
    elif rows.order.size > 0:
        for i in range(first, last):
            row = segment(get_input(run, batch, FIRST), i * n_features + start, stop - start)
            offset = rows.order[batch.first_row + i] * n_features + start
            source = segment(rows.dense, offset, stop - start)
            for j in range(row.size):
                row[j] = source[j]
    if _drops_inputs(run, batch):
        call_units_step(run.passes.drop_inputs, run, batch, FIRST, first, last, start, stop)


_gather = make_phase(_cut_inputs, _gather_block)


@jit(internal=True)
def gather_inputs(run, batch):
    """Gather the minibatch into scratch memory and apply input dropout there.

    In training this memory is never the user's array. Where the rows stand in one piece and no
    input is dropped, nothing has to be done.
    """
    if run.rows.gathered.size > 0 or _drops_inputs(run, batch):
        by_features = splits_k(run, batch, FIRST) and run.rows.sparse_affine == 0
        by_features = by_features and run.passes.embed_inputs == 0
        _gather(run, batch, by_features)
