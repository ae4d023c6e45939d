"""Threads that run one entry point together and share the blocks of each phase of a step.

All threads run the same code. In each phase, a thread first claims its own blocks, the same in
every step, so that the weights that it updates stay in its cache; then it steals unclaimed blocks
of other threads. Every phase ends with a barrier. A descheduled thread delays only the block that
it is working on; a thread that arrives late finds no block left. Results have the same bits for
every number of threads (plan.py).

Phases are numbered by the threads, each for itself: all run the same phases in the same order. The
counters of a phase are one for each thread, of its own blocks that are claimed, and one of blocks
that are done. Each has a cache line for itself.
"""

import numpy as np

from .._compiled.intrinsics import atomic_add, atomic_load, pause, yield_thread
from .._compiled.jit import jit
from .plan import divide_up, partition_in_order

CACHE_LINE = 8  # int64 numbers in a cache line
_SPINS = 2000  # looks at the counter before others may have the core
_NO_BLOCK = np.int64(-1)
_ONE = np.int64(1)


def count_counters(n_phases, n_threads):
    """Return the number of int64 numbers that the counters of all phases take."""
    return n_phases * (n_threads + 1) * CACHE_LINE


@jit(inline=True)
def number_thread(scheduler):
    """Return the number of the calling thread, in order of arrival."""
    return np.int64(0) if scheduler.n_threads == 1 else atomic_add(scheduler.n_arrived, 0, 1)


@jit(inline=True)
def begin_phase(scheduler, thread):
    """Return the number of the next phase of the calling thread."""
    if scheduler.n_threads == 1:
        return np.int64(0)
    number = scheduler.n_begun[thread * CACHE_LINE]
    scheduler.n_begun[thread * CACHE_LINE] = number + 1
    return number


@jit(inline=True)
def claim_block(scheduler, thread, phase, n_blocks, previous):
    """Return the number of a block that no thread has claimed yet, or ``n_blocks``.

    Parameters
    ----------
    scheduler : Scheduler
    thread : int
        Number of the calling thread.
    phase : int
        Number of the phase.
    n_blocks : int
        Blocks of the phase.
    previous : int
        The block that the thread has claimed before, -1 at first.
    """
    if scheduler.n_threads == 1:
        return previous + 1
    return _claim_shared_block(scheduler, thread, phase, n_blocks)


@jit(internal=True)
def _claim_shared_block(scheduler, thread, phase, n_blocks):
    """Claim one of the thread's own blocks, or steal another thread's.

    A thread's own blocks are its number and every ``n_threads``-th from there.
    """
    n_threads = scheduler.n_threads
    for i in range(n_threads):
        owner = (thread + i) % n_threads
        counter = (phase * (n_threads + 1) + owner) * CACHE_LINE
        n_own = divide_up(n_blocks - owner, n_threads)
        if n_own > 0 and atomic_load(scheduler.counters, counter) < n_own:
            n_claimed = atomic_add(scheduler.counters, counter, 1)
            if n_claimed < n_own:
                return owner + n_claimed * n_threads
    return n_blocks


@jit(inline=True)
def wait_at_barrier(scheduler, phase, n_computed, n_blocks):
    """Wait until all blocks of the phase are done, or until all threads have to stop.

    The thread's ``n_computed`` blocks are added to those done.
    """
    if scheduler.n_threads > 1:
        _wait_for_other_threads(scheduler, phase, n_computed, n_blocks)


@jit(internal=True)
def _wait_for_other_threads(scheduler, phase, n_computed, n_blocks):
    """Wait as :func:`wait_at_barrier` says: a while in a loop, then giving way to others."""
    counter = (phase * (scheduler.n_threads + 1) + scheduler.n_threads) * CACHE_LINE
    spins = 0
    atomic_add(scheduler.counters, counter, n_computed)
    while (
        atomic_load(scheduler.counters, counter) < n_blocks and atomic_load(scheduler.stop, 0) == 0
    ):
        spins += 1
        if spins < _SPINS:
            pause()
        else:
            yield_thread()


def make_phase(partition, compute_block):
    """Return a kernel for a phase: it claims and computes blocks, then waits at the barrier.

    Parameters
    ----------
    partition : kernel or None
        ``partition(run, batch, *arguments)`` returns a tuple with the field ``n_blocks``. None
        stands for one block: a thread computes it alone, while the others wait.
    compute_block : kernel
        ``compute_block(run, batch, blocks, number, *arguments)`` computes block ``number`` of the
        ``blocks`` that ``partition`` has returned.

    Returns
    -------
    run_phase : kernel
        ``run_phase(run, batch, *arguments)``.
    """

    def run_phase(run, batch, *arguments):
        if partition is None:
            blocks = partition_in_order(_ONE, _ONE)
        else:
            blocks = partition(run, batch, *arguments)
        n_computed = np.int64(0)
        phase = begin_phase(run.scheduler, batch.thread)
        number = claim_block(run.scheduler, batch.thread, phase, blocks.n_blocks, _NO_BLOCK)
        while number < blocks.n_blocks:
            compute_block(run, batch, blocks, number, *arguments)
            n_computed += 1
            number = claim_block(run.scheduler, batch.thread, phase, blocks.n_blocks, number)
        wait_at_barrier(run.scheduler, phase, n_computed, blocks.n_blocks)

    # Linkers know compiled code by its function's name, which has to tell phases apart, also those
    # that other processes have compiled and kept on disk.
    name = f"run_{compute_block.__module__}_{compute_block.__name__}"
    run_phase.__qualname__ = name.replace(".", "_")
    return jit(internal=True)(run_phase)
