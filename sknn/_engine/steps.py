"""The engine's entry points, one for each job; everything else is compiled into them.

Numbers that start a variable are written ``np.int64(0)``, since Numba would compile each callee a second time for a literal 0.
"""

import numpy as np

from .._jit import jit
from .._native import atomic_load, call, flush_denormals, restore_denormals
from .forward import losses, part
from .team import claim, finish, n_phases, wait

_USUAL_MODE = 0x1F80  # of x86's control register


@jit(internal=True)
def _settle(network, scratch, team, step, epoch, ends):
    """Move what an epoch's blocks have added up to its row of ``ends``: losses and penalties."""
    phase, first_penalty = (step + 1) * n_phases(network.fan_ins.size) - 1, scratch.total_offsets[0]
    if claim(team, phase, -1) == 0:
        for i in range(scratch.totals.size):
            ends[2 * epoch + (0 if i < first_penalty else 1)] += scratch.totals[i]
            scratch.totals[i] = 0
        finish(team, phase)
    wait(team, phase, np.int64(1))


@jit(entry=True)
def train(passes, network, update, scratch, rows, team, n_rows, batch_size, epoch_rows, ends):
    """Take one optimizer step a batch over a chunk of rows. All threads of a team call it, with the same arguments.

    The chunk holds part of an epoch or several ones of ``epoch_rows`` each; row by row, ``ends`` gets their losses and penalties.

    Returns
    -------
    n_done : int
        Rows used; fewer than ``n_rows`` if a batch's loss was not finite. Its step was not taken.
    """
    control = flush_denormals()
    step, first, yes, no = np.int64(0), np.int64(0), np.int64(1), np.int64(0)
    real, fused = scratch.values.dtype, update.max_norm[0] == 0
    while first < n_rows:
        epoch = first // epoch_rows
        size = min(batch_size, (epoch + 1) * epoch_rows - first)
        if passes.drop_inputs != 0:
            call(passes.drop_inputs, network, rows, team, first, size, update.seed, update.first_step, step)
        call(passes.forward, network, update, scratch, rows, team, first, size, step, real.type(1 / size), yes)
        if atomic_load(team.stop, 0) != 0:
            break
        call(passes.backward, network, update, scratch, rows, team, first, size, step, yes if fused else no, no)
        if not fused:
            call(passes.clip_and_move, network, update, scratch, team, size, step)
        first += size
        if first == (epoch + 1) * epoch_rows:
            _settle(network, scratch, team, step, epoch, ends)
        step += 1
    restore_denormals(control)
    return first


@jit(entry=True)
def accumulate(passes, network, update, scratch, rows, team, n_rows, block_size, scale):
    """Add the losses of a chunk of rows, and ``scale[0]`` x their gradient, to what ``scratch`` holds; return how many rows were used."""
    control = flush_denormals()
    step, first, yes, no = np.int64(0), np.int64(0), np.int64(1), np.int64(0)
    while first < n_rows:
        size = min(block_size, n_rows - first)
        call(passes.forward, network, update, scratch, rows, team, first, size, step, scale[0], yes)
        if atomic_load(team.stop, 0) != 0:
            break
        call(passes.backward, network, update, scratch, rows, team, first, size, step, no, yes)
        step += 1
        first += size
    restore_denormals(control)
    return first


@jit(entry=True)
def apply(passes, network, update, scratch, team, batch_size):
    """Penalise and clip the whole gradient in ``scratch`` and, if there is an optimizer, take its step."""
    control = flush_denormals()
    call(passes.clip_and_move, network, update, scratch, team, batch_size, np.int64(0))
    restore_denormals(control)


@jit(entry=True)
def evaluate(passes, network, update, scratch, rows, team, n_rows, block_size, layer, outputs):
    """Write what a hidden ``layer``, or, if that is -1, the network's link, makes of a chunk of rows into ``outputs``.

    If the network has a loss, it is added to ``totals``.

    Returns
    -------
    n_done : int
        Rows used, which are all.
    """
    control = flush_denormals()
    step, first, no = np.int64(0), np.int64(0), np.int64(0)
    while first < n_rows:
        size = min(block_size, n_rows - first)
        call(passes.forward, network, update, scratch, rows, team, first, size, step, scratch.values.dtype.type(1), no)
        phase = (step + 1) * n_phases(network.fan_ins.size) - 1
        if claim(team, phase, -1) == 0:
            _hand_out(network, scratch, rows, first, size, layer, outputs)
            finish(team, phase)
        wait(team, phase, np.int64(1))
        step += 1
        first += size
    restore_denormals(control)
    return first


@jit(internal=True)
def _hand_out(network, scratch, rows, first, n_rows, layer, outputs):
    """Write a block's results to its place in ``outputs`` and, if the network has a loss, add that up."""
    last, no = network.fan_ins.size - 1, np.int64(0)
    if layer >= 0:
        width, place = network.widths[layer], network.out_offsets[layer]
        source, target = part(scratch.values, place, n_rows * width), part(outputs, first * width, n_rows * width)
        for i in range(source.size):
            target[i] = source[i]
    else:
        n_outputs = network.fan_outs[last]
        z = part(scratch.values, network.a_offsets[last], n_rows * n_outputs)
        call(network.link, z, n_outputs, network.loss_shape, part(outputs, first * n_outputs, n_rows * n_outputs))
    if network.loss != 0:
        losses(network, scratch, rows, first, n_rows, no, n_rows, no, scratch.values.dtype.type(1))


@jit(entry=True)
def accept_denormals():
    """Give this thread the usual floating-point mode, after an entry point that raised instead of giving it back."""
    restore_denormals(np.uint32(_USUAL_MODE))
