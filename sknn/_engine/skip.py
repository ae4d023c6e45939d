"""The linear path from the inputs to the outputs: z of the output layer += X W.

It reads the features as the first layer does, so after input dropout, but not what embedded ones
become. Called by address: only networks that have it compile it.
"""

import numpy as np

from .._compiled.intrinsics import at, segment
from .._compiled.jit import jit
from .._compiled.kinds import call_product, call_sparse_weight_gradient
from .dense import compute_weight_gradient_block
from .layers import FIRST, get_deltas, get_input


@jit(internal=True)
def _add_stored(run, batch, first, last, w, z):
    """Add the products of sparse rows, whose stored elements are all that counts.

    Parameters
    ----------
    run, batch, first, last
        As in :func:`add_skip`.
    w : ndarray of shape (n_features * n_outputs,)
    z : ndarray
        Changed, the sample ``first`` in its first row.
    """
    rows = run.rows
    n_outputs = run.network.fan_outs[-1]
    for i in range(last - first):
        row = batch.first_row + first + i
        out = z[i * n_outputs : (i + 1) * n_outputs]
        for position in range(rows.indptr[row], rows.indptr[row + 1]):
            x = rows.data[position]
            weights = segment(w, rows.indices[position] * n_outputs, n_outputs)
            for j in range(out.size):
                out[j] += x * weights[j]


@jit(internal=True)
def add_skip(run, batch, first, last):
    """Add X W to the outputs of the samples ``first:last``, before the link.

    Parameters
    ----------
    run, batch
    first, last : int
        Samples of the minibatch.
    """
    network = run.network
    n_features = network.n_features
    n_inputs = network.fan_ins[0]
    n_outputs = network.fan_outs[-1]
    w = segment(network.weights, network.skip_offset, n_features * n_outputs)
    z = run.scratch.values[network.a_offsets[-1] + first * n_outputs :]
    if run.rows.sparse_affine != 0:
        _add_stored(run, batch, first, last, w, z)
    else:
        x = get_input(run, batch, FIRST)[first * n_inputs :]
        z_block = at(z, 0)
        call_product(
            network.product,
            last - first,
            n_outputs,
            n_features,
            at(x, 0),
            n_inputs,
            1,
            at(w, 0),
            n_outputs,
            z_block,
            n_outputs,
            z_block,
            n_outputs,
        )


@jit(internal=True)
def compute_skip_gradient(run, batch, start, stop):
    """Compute rows ``start:stop`` of the gradient of W, X' dz.

    Parameters
    ----------
    run, batch
    start, stop : int
        Inputs.
    """
    network = run.network
    rows = run.rows
    n_rows = batch.n_rows
    n_inputs = network.fan_ins[0]
    n_outputs = network.fan_outs[-1]
    dz = get_deltas(run, np.int64(network.fan_ins.size - 1))
    g = run.scratch.gradient[network.skip_offset + start * n_outputs :]
    if rows.sparse_affine != 0:
        call_sparse_weight_gradient(
            rows.sparse_weight_gradient,
            rows.data,
            rows.indices,
            rows.indptr,
            batch.first_row,
            n_rows,
            dz,
            n_outputs,
            start,
            stop,
            batch.accumulate,
            g,
        )
    else:
        x = get_input(run, batch, FIRST)
        compute_weight_gradient_block(
            network.product,
            x,
            n_rows,
            n_inputs,
            dz,
            n_outputs,
            start,
            stop,
            batch.accumulate,
            g,
        )
