"""The engine's entry points, one for each job; everything else is compiled into them.

Numbers that start a variable are written ``np.int64(0)``, since Numba would compile each callee a
second time for a literal 0.
"""

import numpy as np

from .._compiled.intrinsics import atomic_load, flush_denormals, part, restore_denormals
from .._compiled.jit import jit
from .._compiled.kinds import call_link, call_pass
from .._compiled.references import by_reference
from .forward import compute_losses
from .scheduler import claim_block, count_phases, join, wait_at_barrier
from .structs import Minibatch

_USUAL_MODE = 0x1F80  # of x86's control register


@jit(internal=True)
def _collect_epoch_loss(run, thread, step, epoch, epoch_losses):
    """Add the blocks' sums of losses and penalties to the epoch's row of ``epoch_losses``."""
    scratch = run.scratch
    phase = (step + 1) * count_phases(run.network.fan_ins.size) - 1
    n_computed = np.int64(0)
    n_blocks = np.int64(1)
    if claim_block(run.scheduler, thread, phase, n_blocks, np.int64(-1)) == 0:
        for i in range(scratch.totals.size):
            epoch_losses[2 * epoch + (0 if i < scratch.total_offsets[0] else 1)] += scratch.totals[
                i
            ]
            scratch.totals[i] = 0
        n_computed = n_blocks
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)


@jit(entry=True)
def train(run, n_rows, batch_size, epoch_rows, epoch_losses):
    """Take one optimizer step a batch over a chunk of rows. All threads of a team call it, with the
    same arguments.

    The chunk holds part of an epoch or several ones of ``epoch_rows`` each; ``epoch_losses`` gets
    their losses and penalties, epoch after epoch.

    Returns
    -------
    n_done : int
        Rows used; fewer than ``n_rows`` if a batch's loss was not finite. Its step was not taken.
    """
    control = flush_denormals()
    run = by_reference(run)
    thread = join(run.scheduler)
    step = np.int64(0)
    first = np.int64(0)
    yes = np.int64(1)
    no = np.int64(0)
    real = run.scratch.values.dtype
    fused = yes if run.update.max_gradient_norm[0] == 0 else no
    while first < n_rows:
        epoch = first // epoch_rows
        size = min(batch_size, (epoch + 1) * epoch_rows - first)
        batch = by_reference(
            Minibatch(thread, no, first, size, step, real.type(1 / size), yes, fused, no)
        )
        call_pass(run.passes.forward, run, batch)
        if atomic_load(run.scheduler.stop, 0) != 0:
            break
        call_pass(run.passes.backward, run, batch)
        if not fused:
            call_pass(run.passes.update_all, run, batch)
        first += size
        if first == (epoch + 1) * epoch_rows:
            _collect_epoch_loss(run, thread, step, epoch, epoch_losses)
        step += 1
    restore_denormals(control)
    return first


@jit(entry=True)
def accumulate(run, n_rows, block_size, scale):
    """Add the losses of a chunk of rows, and ``scale[0]`` x their gradient, to what ``scratch``
    holds; return how many rows were used.
    """
    control = flush_denormals()
    run = by_reference(run)
    thread = join(run.scheduler)
    step = np.int64(0)
    first = np.int64(0)
    yes = np.int64(1)
    no = np.int64(0)
    while first < n_rows:
        size = min(block_size, n_rows - first)
        batch = by_reference(Minibatch(thread, no, first, size, step, scale[0], yes, no, yes))
        call_pass(run.passes.forward, run, batch)
        if atomic_load(run.scheduler.stop, 0) != 0:
            break
        call_pass(run.passes.backward, run, batch)
        step += 1
        first += size
    restore_denormals(control)
    return first


@jit(entry=True)
def apply(run, n_rows):
    """Penalise and clip the whole gradient of ``n_rows`` rows and, if there is an optimizer, take
    its step.
    """
    control = flush_denormals()
    run = by_reference(run)
    no = np.int64(0)
    one = run.scratch.values.dtype.type(1)
    call_pass(
        run.passes.update_all,
        run,
        by_reference(Minibatch(join(run.scheduler), no, no, n_rows, no, one, no, no, no)),
    )
    restore_denormals(control)


@jit(entry=True)
def evaluate(run, n_rows, block_size, layer, outputs):
    """Write what a hidden ``layer``, or, if that is -1, the network's link, makes of a chunk of
    rows into ``outputs``.

    If the network has a loss, it is added to ``totals``.

    Returns
    -------
    n_done : int
        Rows used, which are all.
    """
    control = flush_denormals()
    run = by_reference(run)
    thread = join(run.scheduler)
    step = np.int64(0)
    first = np.int64(0)
    no = np.int64(0)
    while first < n_rows:
        size = min(block_size, n_rows - first)
        batch = by_reference(
            Minibatch(thread, no, first, size, step, run.scratch.values.dtype.type(1), no, no, no)
        )
        call_pass(run.passes.forward, run, batch)
        phase = (step + 1) * count_phases(run.network.fan_ins.size) - 1
        n_computed = np.int64(0)
        n_blocks = np.int64(1)
        if claim_block(run.scheduler, thread, phase, n_blocks, np.int64(-1)) == 0:
            _write_outputs(run, batch, layer, outputs)
            n_computed = n_blocks
        wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)
        step += 1
        first += size
    restore_denormals(control)
    return first


@jit(internal=True)
def _write_outputs(run, batch, layer, outputs):
    """Write a block's results to its place in ``outputs`` and, if the network has a loss, add that
    up.
    """
    network = run.network
    values = run.scratch.values
    n_rows = batch.n_rows
    if layer >= 0:
        width = network.widths[layer]
        source = part(values, network.out_offsets[layer], n_rows * width)
        target = part(outputs, batch.first_row * width, n_rows * width)
        for i in range(source.size):
            target[i] = source[i]
    else:
        n_outputs = network.fan_outs[-1]
        z = part(values, network.a_offsets[-1], n_rows * n_outputs)
        call_link(
            network.link,
            z,
            n_outputs,
            network.loss_parameters,
            part(outputs, batch.first_row * n_outputs, n_rows * n_outputs),
        )
    if network.loss != 0:
        compute_losses(run, batch, np.int64(0), n_rows, np.int64(0))


@jit(entry=True)
def accept_denormals():
    """Give this thread the usual floating-point mode, after an entry point that raised instead of
    giving it back.
    """
    restore_denormals(np.uint32(_USUAL_MODE))
