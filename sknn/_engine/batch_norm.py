"""Batch norm of columns of a layer's values (Ioffe and Szegedy, arXiv:1502.03167), weighted like the loss.

    x = (z - mean) / sqrt(variance + EPSILON),    out = scale x + shift

with the weighted mean and variance of the batch in training, and their running averages in prediction.
"""

import numpy as np

from .._jit import jit

EPSILON = 1e-5
NORMALIZE = "run int int int int run run run run run run run run run run"
NORMALIZE_BACKWARD = "run int int int int run run run run run run"


@jit
def _batch_statistics(z, n_rows, width, start, stop, weight, mean, deviation, running_mean, running_variance, momentum):
    """Compute mean and 1 / deviation of columns ``start:stop`` and move the running averages; a batch of zero weights uses those."""
    total = weight.dtype.type(0)
    for i in range(n_rows):
        total += weight[i]
    for j in range(start, stop):
        mean[j] = 0
        deviation[j] = 0
    if total > 0:
        for i in range(n_rows):
            row, share = z[i * width : (i + 1) * width], weight[i] / total
            for j in range(start, stop):
                mean[j] += share * row[j]
        for i in range(n_rows):
            row, share = z[i * width : (i + 1) * width], weight[i] / total
            for j in range(start, stop):
                deviation[j] += share * (row[j] - mean[j]) * (row[j] - mean[j])
        keep = momentum[0]
        for j in range(start, stop):
            running_mean[j] = keep * running_mean[j] + (1 - keep) * mean[j]
            running_variance[j] = keep * running_variance[j] + (1 - keep) * deviation[j]
            deviation[j] = 1 / np.sqrt(deviation[j] + EPSILON)
    else:
        _running_statistics(start, stop, mean, deviation, running_mean, running_variance)


@jit
def _running_statistics(start, stop, mean, deviation, running_mean, running_variance):
    """Take mean and 1 / deviation of columns ``start:stop`` from the running averages."""
    for j in range(start, stop):
        mean[j] = running_mean[j]
        deviation[j] = 1 / np.sqrt(running_variance[j] + EPSILON)


@jit
def normalize(z, n_rows, width, start, stop, weight, mean, deviation, running_mean, running_variance, momentum, scale, shift, x, out):
    """Compute ``x`` and ``out`` in columns ``start:stop`` of rows of ``width``; ``out`` may be ``z``.

    ``mean`` and ``deviation`` (its inverse) are written: those of the batch, which also move the running ones, or, if ``weight`` is
    empty, the running ones.
    """
    if weight.size > 0:
        _batch_statistics(z, n_rows, width, start, stop, weight, mean, deviation, running_mean, running_variance, momentum)
    else:
        _running_statistics(start, stop, mean, deviation, running_mean, running_variance)
    for i in range(n_rows):
        z_row, x_row, out_row = z[i * width : (i + 1) * width], x[i * width : (i + 1) * width], out[i * width : (i + 1) * width]
        for j in range(start, stop):
            x_row[j] = (z_row[j] - mean[j]) * deviation[j]
        for j in range(start, stop):
            out_row[j] = scale[j] * x_row[j] + shift[j]


@jit
def normalize_backward(delta, n_rows, width, start, stop, weight, deviation, scale, x, g_scale, g_shift):
    """Turn dL/dout in columns ``start:stop`` of ``delta`` into dL/dz, and compute the gradients of scale and shift."""
    total = weight.dtype.type(0)
    for i in range(n_rows):
        total += weight[i]
    for j in range(start, stop):
        g_scale[j] = 0
        g_shift[j] = 0
    for i in range(n_rows):
        d_row, x_row = delta[i * width : (i + 1) * width], x[i * width : (i + 1) * width]
        for j in range(start, stop):
            g_scale[j] += d_row[j] * x_row[j]
            g_shift[j] += d_row[j]
    for i in range(n_rows):
        d_row, x_row = delta[i * width : (i + 1) * width], x[i * width : (i + 1) * width]
        share = weight[i] / total if total > 0 else total
        for j in range(start, stop):
            d_row[j] = scale[j] * deviation[j] * (d_row[j] - share * (g_shift[j] + x_row[j] * g_scale[j]))
