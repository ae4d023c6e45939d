"""The engine's entry points, one for each job; everything else is compiled into them.

Numbers that start a variable are written ``np.int64(0)``, since Numba would compile each callee a
second time for a literal 0.
"""

import numpy as np

from .._compiled.intrinsics import atomic_load, flush_denormals, part, restore_denormals
from .._compiled.jit import jit
from .._compiled.kinds import call_link, call_pass
from .._compiled.references import by_reference
from .forward import losses
from .scheduler import claim, finish, join, n_phases
from .structs import Batch

_USUAL_MODE = 0x1F80  # of x86's control register


@jit(internal=True)
def _settle(work, member, step, epoch, ends):
    """Move what an epoch's blocks have added up to its row of ``ends``: losses and penalties."""
    scratch = work.scratch
    phase = (step + 1) * n_phases(work.network.fan_ins.size) - 1
    n_computed = np.int64(0)
    n_blocks = np.int64(1)
    if claim(work.team, member, phase, n_blocks, np.int64(-1)) == 0:
        for i in range(scratch.totals.size):
            ends[2 * epoch + (0 if i < scratch.total_offsets[0] else 1)] += scratch.totals[i]
            scratch.totals[i] = 0
        n_computed = n_blocks
    finish(work.team, phase, n_computed, n_blocks)


@jit(entry=True)
def train(work, n_rows, batch_size, epoch_rows, ends):
    """Take one optimizer step a batch over a chunk of rows. All threads of a team call it, with the
    same arguments.

    The chunk holds part of an epoch or several ones of ``epoch_rows`` each; row by row, ``ends``
    gets their losses and penalties.

    Returns
    -------
    n_done : int
        Rows used; fewer than ``n_rows`` if a batch's loss was not finite. Its step was not taken.
    """
    control = flush_denormals()
    work = by_reference(work)
    member = join(work.team)
    step = np.int64(0)
    first = np.int64(0)
    yes = np.int64(1)
    no = np.int64(0)
    real = work.scratch.values.dtype
    fused = yes if work.update.max_norm[0] == 0 else no
    while first < n_rows:
        epoch = first // epoch_rows
        size = min(batch_size, (epoch + 1) * epoch_rows - first)
        batch = by_reference(
            Batch(member, no, first, size, step, real.type(1 / size), yes, fused, no)
        )
        call_pass(work.passes.forward, work, batch)
        if atomic_load(work.team.stop, 0) != 0:
            break
        call_pass(work.passes.backward, work, batch)
        if not fused:
            call_pass(work.passes.clip_and_move, work, batch)
        first += size
        if first == (epoch + 1) * epoch_rows:
            _settle(work, member, step, epoch, ends)
        step += 1
    restore_denormals(control)
    return first


@jit(entry=True)
def accumulate(work, n_rows, block_size, scale):
    """Add the losses of a chunk of rows, and ``scale[0]`` x their gradient, to what ``scratch``
    holds; return how many rows were used.
    """
    control = flush_denormals()
    work = by_reference(work)
    member = join(work.team)
    step = np.int64(0)
    first = np.int64(0)
    yes = np.int64(1)
    no = np.int64(0)
    while first < n_rows:
        size = min(block_size, n_rows - first)
        batch = by_reference(Batch(member, no, first, size, step, scale[0], yes, no, yes))
        call_pass(work.passes.forward, work, batch)
        if atomic_load(work.team.stop, 0) != 0:
            break
        call_pass(work.passes.backward, work, batch)
        step += 1
        first += size
    restore_denormals(control)
    return first


@jit(entry=True)
def apply(work, n_rows):
    """Penalise and clip the whole gradient of ``n_rows`` rows and, if there is an optimizer, take
    its step.
    """
    control = flush_denormals()
    work = by_reference(work)
    no = np.int64(0)
    one = work.scratch.values.dtype.type(1)
    call_pass(
        work.passes.clip_and_move,
        work,
        by_reference(Batch(join(work.team), no, no, n_rows, no, one, no, no, no)),
    )
    restore_denormals(control)


@jit(entry=True)
def evaluate(work, n_rows, block_size, layer, outputs):
    """Write what a hidden ``layer``, or, if that is -1, the network's link, makes of a chunk of
    rows into ``outputs``.

    If the network has a loss, it is added to ``totals``.

    Returns
    -------
    n_done : int
        Rows used, which are all.
    """
    control = flush_denormals()
    work = by_reference(work)
    member = join(work.team)
    step = np.int64(0)
    first = np.int64(0)
    no = np.int64(0)
    while first < n_rows:
        size = min(block_size, n_rows - first)
        batch = by_reference(
            Batch(member, no, first, size, step, work.scratch.values.dtype.type(1), no, no, no)
        )
        call_pass(work.passes.forward, work, batch)
        phase = (step + 1) * n_phases(work.network.fan_ins.size) - 1
        n_computed = np.int64(0)
        n_blocks = np.int64(1)
        if claim(work.team, member, phase, n_blocks, np.int64(-1)) == 0:
            _hand_out(work, batch, layer, outputs)
            n_computed = n_blocks
        finish(work.team, phase, n_computed, n_blocks)
        step += 1
        first += size
    restore_denormals(control)
    return first


@jit(internal=True)
def _hand_out(work, batch, layer, outputs):
    """Write a block's results to its place in ``outputs`` and, if the network has a loss, add that
    up.
    """
    network = work.network
    values = work.scratch.values
    n_rows = batch.n_rows
    if layer >= 0:
        width = network.widths[layer]
        source = part(values, network.out_offsets[layer], n_rows * width)
        target = part(outputs, batch.first * width, n_rows * width)
        for i in range(source.size):
            target[i] = source[i]
    else:
        n_outputs = network.fan_outs[-1]
        z = part(values, network.a_offsets[-1], n_rows * n_outputs)
        call_link(
            network.link,
            z,
            n_outputs,
            network.loss_shape,
            part(outputs, batch.first * n_outputs, n_rows * n_outputs),
        )
    if network.loss != 0:
        losses(work, batch, np.int64(0), n_rows, np.int64(0))


@jit(entry=True)
def accept_denormals():
    """Give this thread the usual floating-point mode, after an entry point that raised instead of
    giving it back.
    """
    restore_denormals(np.uint32(_USUAL_MODE))
