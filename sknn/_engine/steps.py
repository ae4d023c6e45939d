"""The engine's entry points, one for each job; everything else is compiled into them.

Numbers that start a variable are written ``np.int64(0)``, since Numba would compile each callee a second time for a literal 0.
"""

import math

import numpy as np

from .._jit import jit
from .._native import call, flush_denormals, restore_denormals
from .passes import backward, forward, move, output_loss, penalize


@jit(entry=True)
def train(network, update, scratch, rows, n_rows, batch_size):
    """Take one optimizer step a batch over a chunk of rows.

    Returns
    -------
    n_done : int
        Rows used; fewer than ``n_rows`` if a batch's loss was not finite. Its step was not taken.
    """
    control = flush_denormals()
    step, first = np.int64(0), np.int64(0)
    while first < n_rows:
        size = min(batch_size, n_rows - first)
        forward(network, scratch, rows, first, size)
        output_loss(network, scratch, rows, first, size, scratch.values.dtype.type(1 / size))
        if not math.isfinite(scratch.totals[0]):
            break
        penalty = scratch.totals[1]
        scratch.totals[1] = 0
        backward(network, update, scratch, rows, first, size, scratch.values.dtype.type(update.alpha[0] / size), step)
        scratch.totals[1] = penalty + size * scratch.totals[1]
        step += 1
        first += size
    restore_denormals(control)
    return first


@jit(entry=True)
def accumulate(network, update, scratch, rows, n_rows, block_size, scale):
    """Add the losses of a chunk of rows, and ``scale[0]`` x their gradient, to what ``scratch`` holds."""
    control = flush_denormals()
    for first in range(0, n_rows, block_size):
        size = min(block_size, n_rows - first)
        forward(network, scratch, rows, first, size)
        output_loss(network, scratch, rows, first, size, scale[0])
        backward(network, update, scratch, rows, first, size, scale[0], np.int64(-1))
    restore_denormals(control)


@jit(entry=True)
def apply(network, update, scratch, batch_size):
    """Penalise the whole gradient in ``scratch`` and, if there is an optimizer, take its step."""
    control = flush_denormals()
    strength = scratch.values.dtype.type(update.alpha[0] / batch_size)
    for layer in range(network.fan_ins.size):
        fan_in, fan_out = network.fan_ins[layer], network.fan_outs[layer]
        penalize(network, update, scratch, network.weight_offsets[layer], fan_in * fan_out, strength)
        if update.step != 0:
            move(network, update, scratch, network.weight_offsets[layer], fan_in * fan_out, np.int64(0))
            move(network, update, scratch, network.bias_offsets[layer], fan_out, np.int64(0))
    restore_denormals(control)


@jit(entry=True)
def evaluate(network, scratch, rows, n_rows, block_size, outputs):
    """Write what the network's link makes of a chunk of rows into ``outputs``; with a loss, add it to ``totals``."""
    control = flush_denormals()
    last = network.fan_ins.size - 1
    n_outputs, offset = network.fan_outs[last], network.a_offsets[last]
    for first in range(0, n_rows, block_size):
        size = min(block_size, n_rows - first)
        forward(network, scratch, rows, first, size)
        if network.loss != 0:
            output_loss(network, scratch, rows, first, size, scratch.values.dtype.type(1))
        z = scratch.values[offset : offset + size * n_outputs]
        call(network.link, z, n_outputs, outputs[first * n_outputs : (first + size) * n_outputs])
    restore_denormals(control)
