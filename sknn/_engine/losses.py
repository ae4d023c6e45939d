"""Losses of the output layer, and their gradients, with which the backward pass begins."""

import math

from .._compiled.intrinsics import segment, tail
from .._compiled.jit import jit
from .._compiled.kinds import call_loss
from .._compiled.transpose import transpose
from .layers import get_delta_t
from .plan import transposes_weights


@jit(internal=True)
def compute_losses(run, batch, start, stop, block):
    """Compute the losses of the samples ``start:stop`` and their gradients.

    Written are the output layer's deltas (and their transpose, if the backward pass reads that) and
    the total number ``block``, to which the losses are added. Outputs of samples that weigh nothing
    are set to 0.

    Parameters
    ----------
    run, batch
    start, stop : int
        Samples of the minibatch.
    block : int

    Returns
    -------
    is_finite : bool
        Whether the total is.
    """
    network = run.network
    scratch = run.scratch
    rows = run.rows
    last = network.fan_ins.size - 1
    count = stop - start
    first_row = batch.first_row + start
    n_outputs = network.fan_outs[last]
    y_width = rows.y.size // rows.sample_weight.size
    z = segment(scratch.values, network.a_offsets[last] + start * n_outputs, count * n_outputs)
    delta = segment(
        scratch.deltas, scratch.delta_offsets[last] + start * n_outputs, count * n_outputs
    )
    y = segment(rows.y, first_row * y_width, count * y_width)
    weight = segment(rows.sample_weight, first_row, count)
    for i in range(count):
        if weight[i] == 0:  # or 0 times inf would be NaN
            outputs = segment(z, i * n_outputs, n_outputs)
            for j in range(outputs.size):
                outputs[j] = 0
    total = segment(scratch.totals, 2 * block, 2)
    parameters = network.loss_parameters
    scale = batch.gradient_scale
    call_loss(network.loss, z, y, weight, n_outputs, parameters, scale, delta, total)
    if last > 0 and batch.is_training and not transposes_weights(batch.n_rows, n_outputs):
        delta_t = tail(get_delta_t(run, last), start)
        transpose(delta, count, n_outputs, n_outputs, delta_t, batch.n_rows)
    return math.isfinite(total[0])
