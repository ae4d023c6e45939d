"""The engine's entry points, one for each job; everything else is compiled into them.

Numbers that start a variable are written ``np.int64(0)``, since Numba would compile each callee a second time for a literal 0.
"""

import math

import numpy as np

from .._jit import jit
from .._native import call, flush_denormals, restore_denormals
from .passes import output_loss


@jit(entry=True)
def train(passes, network, update, scratch, rows, n_rows, batch_size):
    """Take one optimizer step a batch over a chunk of rows.

    Returns
    -------
    n_done : int
        Rows used; fewer than ``n_rows`` if a batch's loss was not finite. Its step was not taken.
    """
    control = flush_denormals()
    step, first, yes, no = np.int64(0), np.int64(0), np.int64(1), np.int64(0)
    real, fused = scratch.values.dtype, update.max_norm[0] == 0
    while first < n_rows:
        size = min(batch_size, n_rows - first)
        if passes.drop_inputs != 0:
            call(passes.drop_inputs, network, rows, first, size, update.seed, update.first_step + step)
        call(passes.forward, network, update, scratch, rows, first, size, step, yes)
        output_loss(network, scratch, rows, first, size, real.type(1 / size))
        if not math.isfinite(scratch.totals[0]):
            break
        penalty = scratch.totals[1]
        scratch.totals[1] = 0
        share = real.type(1 / size)
        call(passes.backward, network, update, scratch, rows, first, size, share, step, yes if fused else no, no)
        if not fused:
            call(passes.clip_and_move, network, update, scratch, share, step)
        scratch.totals[1] = penalty + size * scratch.totals[1]
        step += 1
        first += size
    restore_denormals(control)
    return first


@jit(entry=True)
def accumulate(passes, network, update, scratch, rows, n_rows, block_size, scale):
    """Add the losses of a chunk of rows, and ``scale[0]`` x their gradient, to what ``scratch`` holds."""
    control = flush_denormals()
    first, yes, no = np.int64(0), np.int64(1), np.int64(0)
    while first < n_rows:
        size = min(block_size, n_rows - first)
        call(passes.forward, network, update, scratch, rows, first, size, no, yes)
        output_loss(network, scratch, rows, first, size, scale[0])
        call(passes.backward, network, update, scratch, rows, first, size, scale[0], no, no, yes)
        first += size
    restore_denormals(control)


@jit(entry=True)
def apply(passes, network, update, scratch, batch_size):
    """Penalise and clip the whole gradient in ``scratch`` and, if there is an optimizer, take its step."""
    control = flush_denormals()
    call(passes.clip_and_move, network, update, scratch, scratch.values.dtype.type(1 / batch_size), np.int64(0))
    restore_denormals(control)


@jit(entry=True)
def evaluate(passes, network, update, scratch, rows, n_rows, block_size, layer, outputs):
    """Write what a hidden ``layer``, or, if that is -1, the network's link, makes of a chunk of rows into ``outputs``.

    If the network has a loss, it is added to ``totals``.
    """
    control = flush_denormals()
    last = network.fan_ins.size - 1
    n_outputs, offset = network.fan_outs[last], network.a_offsets[last]
    first, no = np.int64(0), np.int64(0)
    while first < n_rows:
        size = min(block_size, n_rows - first)
        call(passes.forward, network, update, scratch, rows, first, size, no, no)
        if layer >= 0:
            width, place = network.widths[layer], network.out_offsets[layer]
            source, target = scratch.values[place : place + size * width], outputs[first * width : (first + size) * width]
            for i in range(source.size):
                target[i] = source[i]
        else:
            z = scratch.values[offset : offset + size * n_outputs]
            call(network.link, z, n_outputs, network.loss_shape, outputs[first * n_outputs : (first + size) * n_outputs])
        if network.loss != 0:
            output_loss(network, scratch, rows, first, size, scratch.values.dtype.type(1))
        first += size
    restore_denormals(control)
