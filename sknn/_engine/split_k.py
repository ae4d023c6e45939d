"""Split-K: the product of a hidden layer in two halves of the inputs, see plan.py.

A phase computes two matrices of pre-activations, one from each half of the inputs. The phase of the
layer's outputs begins with adding them.
"""

from .._compiled.intrinsics import segment, tail
from .._compiled.jit import jit
from .forward import compute_z
from .layers import FIRST, cut_weights, get_shape
from .plan import locate_split_k_block, partition_split_k
from .scheduler import make_phase


@jit(internal=True)
def _cut_split_k(run, batch, layer):
    """Return the partition of a layer's products of split-K."""
    return partition_split_k(get_shape(run, batch, layer))


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
    z = scratch.partial_z if low > 0 else tail(scratch.values, run.network.z_offsets[layer])
    compute_z(run, batch, layer, FIRST, batch.n_rows, low, high, start, stop, z)


_run_split_k = make_phase(_cut_split_k, _compute_split_k_block)


@jit(internal=True)
def compute_split_k(run, batch, layer):
    """Compute both halves of a layer's product."""
    _run_split_k(run, batch, layer)


@jit(internal=True)
def add_partial_z(run, batch, layer, first, last, start, stop):
    """Add ``partial_z`` to some columns of a layer's pre-activations.

    Parameters
    ----------
    run, batch, layer
    first, last : int
        Samples, which are all.
    start, stop : int
        Columns.
    """
    fan_out = run.network.fan_outs[layer]
    z_offset = run.network.z_offsets[layer]
    for i in range(first, last):
        begin = i * fan_out + start
        z = segment(run.scratch.values, z_offset + begin, stop - start)
        other = segment(run.scratch.partial_z, begin, stop - start)
        for j in range(z.size):
            z[j] += other[j]
