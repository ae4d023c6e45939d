"""Batch norm of units of a layer (Ioffe and Szegedy, arXiv:1502.03167), weighted like the loss.

    x_hat = (z - mean) / sqrt(variance + EPSILON),    out = scale * x_hat + shift

with the weighted mean and variance of the minibatch in training, and their running averages in
prediction. Kernels compute the units ``start:stop`` of matrices with ``width`` columns, and
``deviation`` is 1 / sqrt(variance + EPSILON).

The running averages are to be the mean and variance of the training samples, for minibatches of any
size:

- A minibatch moves them in proportion to the sum of its sample weights, its fraction f.
- They are combined by the law of total variance, (1 - f) old + f new + f (1 - f) (difference of the
  means)^2. The mean of the minibatches' variances alone would be too small, by a factor of 1 - 1 /
  batch_size for samples of equal weight.
- The first minibatches count equally, so that little is left of the initial 0 and 1.

Statistics of few samples are not those that predictions normalize by: two samples become 1 and -1,
wherever they are. A minibatch with fewer samples of positive weight than ``least`` is normalized by
the running averages of the minibatches before it, as in prediction.
"""

import numpy as np

from .._compiled.intrinsics import segment, tail
from .._compiled.jit import jit
from .._compiled.kinds import call_normalize, call_normalize_backward
from .layers import get_deltas
from .structs import BATCH_NORM_AFTER

EPSILON = 1e-5


@jit(inline=True)
def _get_row(values, i, width, start, stop):
    """Return columns ``start:stop`` of row ``i``; see the top of the file for the arguments."""
    return segment(values, i * width + start, stop - start)


@jit(internal=True)
def _compute_statistics(
    z,
    n_rows,
    width,
    start,
    stop,
    weight,
    least,
    mean,
    deviation,
    running_mean,
    running_variance,
    rate,
):
    """Compute the statistics to normalize with and update the running averages.

    Parameters
    ----------
    z, n_rows, width, start, stop, weight, least
        As in :func:`normalize`.
    mean, deviation : ndarray of shape (stop - start,)
        Written.
    running_mean, running_variance : ndarray of shape (stop - start,)
        Changed, unless all samples weigh nothing.
    rate : ndarray of shape (1,)
        How far a sample of weight 1 moves the running averages.
    """
    total = weight.dtype.type(0)
    for i in range(n_rows):
        total += weight[i]
    is_short = _count_weighted(weight, n_rows) < least
    for j in range(mean.size):
        mean[j] = 0
        deviation[j] = 0
    if total == 0:  # there is nothing to average
        _read_running_statistics(mean, deviation, running_mean, running_variance)
        return
    for i in range(n_rows):
        row = _get_row(z, i, width, start, stop)
        fraction = weight[i] / total
        for j in range(row.size):
            mean[j] += fraction * row[j]
    for i in range(n_rows):
        row = _get_row(z, i, width, start, stop)
        fraction = weight[i] / total
        for j in range(row.size):
            deviation[j] += fraction * (row[j] - mean[j]) * (row[j] - mean[j])
    move = min(weight.dtype.type(1), rate[0] * total)
    keep = weight.dtype.type(1) - move
    for j in range(mean.size):
        old_mean = running_mean[j]
        old_variance = running_variance[j]
        difference = mean[j] - old_mean
        between = keep * move * difference * difference
        if move > 0:
            running_mean[j] = keep * old_mean + move * mean[j]
            running_variance[j] = keep * old_variance + move * deviation[j] + between
        if is_short:
            mean[j] = old_mean
            deviation[j] = old_variance
    for j in range(mean.size):
        deviation[j] = 1 / np.sqrt(deviation[j] + EPSILON)


@jit(internal=True)
def _count_weighted(weight, n_rows):
    """Return how many samples have a positive weight."""
    n_weighted = 0
    for i in range(n_rows):
        n_weighted += weight[i] > 0
    return n_weighted


@jit(internal=True)
def _read_running_statistics(mean, deviation, running_mean, running_variance):
    """Set ``mean`` and ``deviation`` to those of the running averages."""
    for j in range(mean.size):
        mean[j] = running_mean[j]
        deviation[j] = 1 / np.sqrt(running_variance[j] + EPSILON)


@jit
def normalize(
    z,
    n_rows,
    width,
    start,
    stop,
    weight,
    least,
    mean,
    deviation,
    running_mean,
    running_variance,
    rate,
    scale,
    shift,
    x_hat,
    out,
):
    """Normalize the units ``start:stop``.

    Parameters
    ----------
    z : ndarray of shape (n_rows * width,)
    n_rows, width : int
    start, stop : int
        Units, which are columns.
    weight : ndarray of shape (n_rows,) or (0,)
        Sample weights in training. If empty, the running averages are used.
    least : int
        They are also used if fewer samples have a positive weight.
    mean, deviation : ndarray of shape (width,)
        Written: the statistics that were used.
    running_mean, running_variance : ndarray of shape (width,)
        Changed in training.
    rate : ndarray of shape (1,)
        How far a sample of weight 1 moves the running averages; not read in prediction.
    scale, shift : ndarray of shape (width,)
        Learned.
    x_hat : ndarray of shape (n_rows * width,)
        Written: the values before scale and shift.
    out : ndarray of shape (n_rows * width,)
        Written; may be ``z``.
    """
    mean = segment(mean, start, stop - start)
    deviation = segment(deviation, start, stop - start)
    scale = segment(scale, start, stop - start)
    shift = segment(shift, start, stop - start)
    running_mean = segment(running_mean, start, stop - start)
    running_variance = segment(running_variance, start, stop - start)
    if weight.size > 0:
        _compute_statistics(
            z,
            n_rows,
            width,
            start,
            stop,
            weight,
            least,
            mean,
            deviation,
            running_mean,
            running_variance,
            rate,
        )
    else:
        _read_running_statistics(mean, deviation, running_mean, running_variance)
    for i in range(n_rows):
        z_row = _get_row(z, i, width, start, stop)
        x_row = _get_row(x_hat, i, width, start, stop)
        out_row = _get_row(out, i, width, start, stop)
        for j in range(x_row.size):
            x_row[j] = (z_row[j] - mean[j]) * deviation[j]
        for j in range(out_row.size):
            out_row[j] = scale[j] * x_row[j] + shift[j]


@jit
def normalize_backward(
    delta, n_rows, width, start, stop, weight, least, deviation, scale, x_hat, g_scale, g_shift
):
    """Turn dL/dout of the units ``start:stop`` into dL/dz.

    Parameters
    ----------
    delta : ndarray of shape (n_rows * width,)
        dL/dout, overwritten by dL/dz.
    n_rows, width, start, stop, weight, least, deviation, scale, x_hat
        As :func:`normalize` was given and left them.
    g_scale, g_shift : ndarray of shape (width,)
        Written: the gradients of scale and shift.
    """
    deviation = segment(deviation, start, stop - start)
    scale = segment(scale, start, stop - start)
    g_scale = segment(g_scale, start, stop - start)
    g_shift = segment(g_shift, start, stop - start)
    total = weight.dtype.type(0)
    for i in range(n_rows):
        total += weight[i]
    is_short = _count_weighted(weight, n_rows) < least  # then the statistics are constants
    for j in range(g_scale.size):
        g_scale[j] = 0
        g_shift[j] = 0
    for i in range(n_rows):
        d_row = _get_row(delta, i, width, start, stop)
        x_row = _get_row(x_hat, i, width, start, stop)
        for j in range(d_row.size):
            g_scale[j] += d_row[j] * x_row[j]
        for j in range(d_row.size):
            g_shift[j] += d_row[j]
    for i in range(n_rows):
        d_row = _get_row(delta, i, width, start, stop)
        x_row = _get_row(x_hat, i, width, start, stop)
        fraction = weight.dtype.type(0) if is_short or total == 0 else weight[i] / total
        for j in range(d_row.size):
            d_row[j] = (
                scale[j]
                * deviation[j]
                * (d_row[j] - fraction * (g_shift[j] + x_row[j] * g_scale[j]))
            )


# ---- batch norm of a layer -----------------------------------------------------------------------


@jit(internal=True)
def apply_batch_norm(run, batch, layer, first, last, start, stop):
    """Normalize units of a layer.

    Parameters
    ----------
    run, batch, layer
    first, last : int
        Samples, which are all.
    start, stop : int
        Pre-activations or activations, whichever the network normalizes.
    """
    network = run.network
    scratch = run.scratch
    values = scratch.values
    weights = network.weights
    statistics = 2 * network.statistics_offsets[layer]
    # without sample weights, batch norm takes the running averages
    n_weighted = batch.n_rows if batch.is_training else 0
    first_weighted = batch.first_row if batch.is_training else 0
    n_rates = 1 if batch.is_training else 0
    first_rate = batch.step if batch.is_training else 0
    is_after = network.batch_norm == BATCH_NORM_AFTER
    offset = network.a_offsets[layer] if is_after else network.z_offsets[layer]
    width = network.widths[layer] if is_after else network.fan_outs[layer]
    call_normalize(
        network.normalize,
        tail(values, offset),
        batch.n_rows,
        width,
        start,
        stop,
        segment(run.rows.sample_weight, first_weighted, n_weighted),
        run.update.batch_norm_least,
        segment(scratch.statistics, statistics, width),
        segment(scratch.statistics, statistics + width, width),
        segment(weights, network.mean_offsets[layer], width),
        segment(weights, network.variance_offsets[layer], width),
        segment(run.update.batch_norm_rates, first_rate, n_rates),
        segment(weights, network.scale_offsets[layer], width),
        segment(weights, network.shift_offsets[layer], width),
        tail(values, network.x_hat_offsets[layer]),
        tail(values, network.before_dropout_offsets[layer] if is_after else offset),
    )


@jit(internal=True)
def backpropagate_batch_norm(run, batch, layer, first, last, start, stop):
    """Turn the gradient of what :func:`apply_batch_norm` wrote into that of what it read.

    Parameters
    ----------
    run, batch, layer, first, last, start, stop
        As there.
    """
    network = run.network
    scratch = run.scratch
    scale_offset = network.scale_offsets[layer]
    is_after = network.batch_norm == BATCH_NORM_AFTER
    delta = scratch.da if is_after else get_deltas(run, layer)
    width = network.widths[layer] if is_after else network.fan_outs[layer]
    call_normalize_backward(
        network.normalize_backward,
        delta,
        batch.n_rows,
        width,
        start,
        stop,
        segment(run.rows.sample_weight, batch.first_row, batch.n_rows),
        run.update.batch_norm_least,
        segment(scratch.statistics, 2 * network.statistics_offsets[layer] + width, width),
        segment(network.weights, scale_offset, width),
        tail(scratch.values, network.x_hat_offsets[layer]),
        segment(scratch.gradient, scale_offset, width),
        segment(scratch.gradient, network.shift_offsets[layer], width),
    )
