"""The engine's entry points: what Python calls, one for each job.

All threads of a run call an entry point with the same arguments. It goes through a chunk of rows
minibatch by minibatch, and returns how many rows were used.

They are plain Python functions, and call their jobs' kernels by address through one kernel,
:func:`_enter`: taking all the NamedTuples of a Run apart is much code, which is so compiled once.
The kernels of jobs take, in this order,

    run, thread            reference to a Run, and the number of the calling thread
    n_rows, block_size     rows of the chunk, and of a minibatch
    option, other_option   numbers that mean something else for every job, as do
    values, sums           vectors of the network's dtype, and of float64
"""

import numpy as np

from .._compiled.ahead import task_by_address, task_from_python
from .._compiled.intrinsics import atomic_load, flush_denormals, restore_denormals, segment
from .._compiled.jit import jit
from .._compiled.kinds import JOB, call_job, call_link, call_pass
from .._compiled.references import by_reference
from .losses import compute_losses
from .scheduler import make_phase, number_thread
from .structs import Minibatch

# Of type int64. A literal has a type of its own, for which Numba would compile callees once more.
_ZERO = np.int64(0)
_NO = np.int64(0)
_YES = np.int64(1)
_USUAL_MODE = 0x1F80  # of x86's control register
_NO_SUMS = np.empty(0)


@jit(entry=True)
def _enter(run, job, n_rows, block_size, option, other_option, values, sums):
    """Call the kernel of a job by its address; see the top of the file for the arguments."""
    control = flush_denormals()
    thread = number_thread(run.scheduler)
    n_done = call_job(
        job,
        by_reference(run),
        thread,
        n_rows,
        block_size,
        option,
        other_option,
        values,
        sums,
    )
    restore_denormals(control)
    return n_done


def _run_job(job, run, n_rows, block_size=0, option=0, other_option=0, values=None, sums=_NO_SUMS):
    """Run a job; see the top of the file for the arguments."""
    if values is None:
        values = run.scratch.one
    numbers = n_rows, block_size, option, other_option
    address = JOB.address_for(job, values.dtype, run, 0, *numbers, values, sums)
    return _enter(run, address, *numbers, values, sums)


# ---- training -----------------------------------------------------------------------------------


@jit(internal=True)
def _add_to_epoch_losses(run, batch, blocks, number, epoch, epoch_losses):
    """Add the blocks' sums of losses and penalties to the epoch's row and reset them.

    Parameters
    ----------
    run, batch, blocks, number
        As a phase of one block has them.
    epoch : int
    epoch_losses : ndarray of shape (n_epochs * 2,)
        Changed in row ``epoch``.
    """
    scratch = run.scratch
    for i in range(scratch.totals.size):
        column = 0 if i < scratch.total_offsets[0] else 1
        epoch_losses[2 * epoch + column] += scratch.totals[i]
        scratch.totals[i] = 0


_collect_epoch_loss = make_phase(None, _add_to_epoch_losses)


@jit(internal=True)
def _train(run, thread, n_rows, batch_size, least_rows, epoch_rows, values, epoch_losses):
    """Do what :func:`train` says; see the top of the file for the arguments."""
    real = run.scratch.values.dtype
    fuse_update = _YES if run.update.max_gradient_norm[0] == 0 else _NO
    step = _ZERO
    first = _ZERO
    while first < n_rows:
        epoch = first // epoch_rows
        left = (epoch + 1) * epoch_rows - first
        size = left if left < batch_size + least_rows else batch_size
        scale = real.type(1 / size)
        batch = by_reference(
            Minibatch(thread, _ZERO, first, size, step, scale, _YES, fuse_update, _NO)
        )
        call_pass(run.passes.forward, run, batch)
        if atomic_load(run.scheduler.stop, 0) != 0:
            break
        call_pass(run.passes.backward, run, batch)
        if not fuse_update:
            call_pass(run.passes.update_all, run, batch)
        first += size
        if first == (epoch + 1) * epoch_rows:
            _collect_epoch_loss(run, batch, epoch, epoch_losses)
        step += 1
    return first


def train(run, n_rows, batch_size, least_rows, epoch_rows, epoch_losses):
    """Take one optimizer step for each minibatch of a chunk of rows.

    Parameters
    ----------
    run : Run
    n_rows : int
        Rows of the chunk.
    batch_size : int
        Rows of a minibatch; the last one of an epoch may have others.
    least_rows : int
        If fewer rows are left at the end of an epoch, the minibatch before them takes them too.
    epoch_rows : int
        Rows of an epoch. The chunk holds part of one, or several.
    epoch_losses : ndarray of shape (n_epochs * 2,)
        The sums of losses and of penalties of each epoch are added to it.

    Returns
    -------
    n_done : int
        Rows used; fewer than ``n_rows`` if a minibatch's loss was not finite. Its step was not
        taken.
    """
    return _run_job(_train, run, n_rows, batch_size, least_rows, epoch_rows, sums=epoch_losses)


@jit(internal=True)
def _accumulate(run, thread, n_rows, block_size, total_rows, other_option, values, sums):
    """Do what :func:`accumulate` says; see the top of the file for the arguments."""
    scale = run.scratch.values.dtype.type(1 / total_rows)
    step = _ZERO
    first = _ZERO
    while first < n_rows:
        size = min(block_size, n_rows - first)
        batch = by_reference(Minibatch(thread, _ZERO, first, size, step, scale, _YES, _NO, _YES))
        call_pass(run.passes.forward, run, batch)
        if atomic_load(run.scheduler.stop, 0) != 0:
            break
        call_pass(run.passes.backward, run, batch)
        step += 1
        first += size
    return first


def accumulate(run, n_rows, block_size, total_rows):
    """Add the losses of a chunk of rows and their gradient to what ``run.scratch`` holds.

    Parameters
    ----------
    run : Run
    n_rows : int
        Rows of the chunk.
    block_size : int
        Rows that go through the network together.
    total_rows : int
        Rows of all chunks: the gradient is that of the mean loss of so many rows.

    Returns
    -------
    n_done : int
        Rows used; fewer than ``n_rows`` if a loss was not finite.
    """
    return _run_job(_accumulate, run, n_rows, block_size, total_rows)


@jit(internal=True)
def _apply(run, thread, n_rows, block_size, option, other_option, values, sums):
    """Do what :func:`apply` says; see the top of the file for the arguments."""
    scale = run.scratch.values.dtype.type(1)
    batch = by_reference(Minibatch(thread, _ZERO, _ZERO, n_rows, _ZERO, scale, _NO, _NO, _NO))
    call_pass(run.passes.update_all, run, batch)
    return n_rows


def apply(run, n_rows):
    """Penalize the gradient of ``n_rows`` rows.

    If there is an optimizer, the gradient is clipped, and its step is taken.
    """
    _run_job(_apply, run, n_rows)


# ---- prediction ---------------------------------------------------------------------------------


@jit(internal=True)
def _write_outputs(run, batch, blocks, number, layer, outputs):
    """Copy predictions into ``outputs``; also add up the loss if there is one.

    Parameters
    ----------
    run, batch, blocks, number
        As a phase of one block has them.
    layer, outputs
        As in :func:`evaluate`.
    """
    network = run.network
    values = run.scratch.values
    n_rows = batch.n_rows
    if layer >= 0:
        width = network.widths[layer]
        source = segment(values, network.out_offsets[layer], n_rows * width)
        target = segment(outputs, batch.first_row * width, n_rows * width)
        for i in range(source.size):
            target[i] = source[i]
    else:
        n_outputs = network.fan_outs[-1]
        z = segment(values, network.a_offsets[-1], n_rows * n_outputs)
        target = segment(outputs, batch.first_row * n_outputs, n_rows * n_outputs)
        call_link(network.link, z, n_outputs, network.loss_parameters, target)
    if network.loss != 0:
        compute_losses(run, batch, _ZERO, n_rows, _ZERO)


_collect_outputs = make_phase(None, _write_outputs)


@jit(internal=True)
def _evaluate(run, thread, n_rows, block_size, layer, other_option, outputs, sums):
    """Do what :func:`evaluate` says; see the top of the file for the arguments."""
    scale = run.scratch.values.dtype.type(1)
    step = _ZERO
    first = _ZERO
    while first < n_rows:
        size = min(block_size, n_rows - first)
        batch = by_reference(Minibatch(thread, _ZERO, first, size, step, scale, _NO, _NO, _NO))
        call_pass(run.passes.forward, run, batch)
        _collect_outputs(run, batch, layer, outputs)
        step += 1
        first += size
    return first


def evaluate(run, n_rows, block_size, layer, outputs):
    """Compute predictions, or a hidden layer's outputs, for a chunk of rows.

    If the network has a loss, it is added to ``run.scratch.totals``.

    Parameters
    ----------
    run : Run
    n_rows : int
        Rows of the chunk.
    block_size : int
        Rows that go through the network together.
    layer : int
        A hidden layer, or -1 for what the network's link makes of its outputs.
    outputs : ndarray of shape (n_rows * width,)
        Written.

    Returns
    -------
    n_done : int
        Rows used, which are all.
    """
    return _run_job(_evaluate, run, n_rows, block_size, layer, values=outputs)


@jit(entry=True)
def accept_denormals():
    """Set this thread's floating-point mode to the usual one.

    An entry point that raises does not restore it.
    """
    restore_denormals(np.uint32(_USUAL_MODE))


# ---- compilation --------------------------------------------------------------------------------

_JOBS = {train: [_train], accumulate: [_accumulate, _apply], evaluate: [_evaluate]}


def tasks_of(entry, run):
    """Return what is compiled for calls of an entry point, for :mod:`sknn._compiled.ahead`.

    Of ``run`` only the types matter.
    """
    others = 0, 0, 0, 0, run.scratch.one, _NO_SUMS
    jobs = [task_by_address(JOB, job, run, 0, *others) for job in _JOBS[entry]]
    return [task_from_python(_enter, run, 0, *others), *jobs]
