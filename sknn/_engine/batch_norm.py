"""Batch norm of columns of a layer's values (Ioffe and Szegedy, arXiv:1502.03167), weighted like
the loss.

    x = (z - mean) / sqrt(variance + EPSILON),    out = scale x + shift

with the weighted mean and variance of the batch in training, and their running averages in
prediction.
"""

import numpy as np

from .._compiled.jit import jit

EPSILON = 1e-5


@jit(inline=True)
def _row(values, i, width, start, stop):
    return values[i * width + start : i * width + stop]


@jit
def _batch_statistics(
    z, n_rows, width, start, stop, weight, mean, deviation, running_mean, running_variance, momentum
):
    """Compute mean and 1 / deviation of columns ``start:stop`` and move the running averages, all
    given from ``start`` on.
    """
    total = weight.dtype.type(0)
    for i in range(n_rows):
        total += weight[i]
    for j in range(mean.size):
        mean[j] = 0
        deviation[j] = 0
    if total == 0:  # nothing to learn from
        _running_statistics(mean, deviation, running_mean, running_variance)
        return
    for i in range(n_rows):
        row = _row(z, i, width, start, stop)
        share = weight[i] / total
        for j in range(row.size):
            mean[j] += share * row[j]
    for i in range(n_rows):
        row = _row(z, i, width, start, stop)
        share = weight[i] / total
        for j in range(row.size):
            deviation[j] += share * (row[j] - mean[j]) * (row[j] - mean[j])
    keep = momentum[0]
    for j in range(mean.size):
        running_mean[j] = keep * running_mean[j] + (1 - keep) * mean[j]
        running_variance[j] = keep * running_variance[j] + (1 - keep) * deviation[j]
    for j in range(mean.size):
        deviation[j] = 1 / np.sqrt(deviation[j] + EPSILON)


@jit
def _running_statistics(mean, deviation, running_mean, running_variance):
    """Take mean and 1 / deviation from the running averages."""
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
    mean,
    deviation,
    running_mean,
    running_variance,
    momentum,
    scale,
    shift,
    x,
    out,
):
    """Compute ``x`` and ``out`` in columns ``start:stop`` of rows of ``width``; ``out`` may be
    ``z``.

    ``mean`` and ``deviation`` (its inverse) are written: those of the batch, which also move the
    running ones, or, if ``weight`` is empty, the running ones.
    """
    mean = mean[start:stop]
    deviation = deviation[start:stop]
    scale = scale[start:stop]
    shift = shift[start:stop]
    running_mean = running_mean[start:stop]
    running_variance = running_variance[start:stop]
    if weight.size > 0:
        _batch_statistics(
            z,
            n_rows,
            width,
            start,
            stop,
            weight,
            mean,
            deviation,
            running_mean,
            running_variance,
            momentum,
        )
    else:
        _running_statistics(mean, deviation, running_mean, running_variance)
    for i in range(n_rows):
        z_row = _row(z, i, width, start, stop)
        x_row = _row(x, i, width, start, stop)
        out_row = _row(out, i, width, start, stop)
        for j in range(x_row.size):
            x_row[j] = (z_row[j] - mean[j]) * deviation[j]
        for j in range(out_row.size):
            out_row[j] = scale[j] * x_row[j] + shift[j]


@jit
def normalize_backward(
    delta, n_rows, width, start, stop, weight, deviation, scale, x, g_scale, g_shift
):
    """Turn dL/dout in columns ``start:stop`` of ``delta`` into dL/dz, and compute the gradients of
    scale and shift.
    """
    deviation = deviation[start:stop]
    scale = scale[start:stop]
    g_scale = g_scale[start:stop]
    g_shift = g_shift[start:stop]
    total = weight.dtype.type(0)
    for i in range(n_rows):
        total += weight[i]
    for j in range(g_scale.size):
        g_scale[j] = 0
        g_shift[j] = 0
    for i in range(n_rows):
        d_row = _row(delta, i, width, start, stop)
        x_row = _row(x, i, width, start, stop)
        for j in range(d_row.size):
            g_scale[j] += d_row[j] * x_row[j]
        for j in range(d_row.size):
            g_shift[j] += d_row[j]
    for i in range(n_rows):
        d_row = _row(delta, i, width, start, stop)
        x_row = _row(x, i, width, start, stop)
        share = weight[i] / total if total > 0 else total
        for j in range(d_row.size):
            d_row[j] = (
                scale[j] * deviation[j] * (d_row[j] - share * (g_shift[j] + x_row[j] * g_scale[j]))
            )
