"""A team of threads that runs one entry point together and shares the blocks of each phase of a
step.

A phase is cut into blocks by the shapes alone. Each thread of the team claims its own ones first,
the same in every step, so that what it moves stays in its caches; then it helps the others with
theirs. At the end of a phase all wait until the last block is computed. So a thread that the system
has put aside holds up nothing but what it is at, one that comes late finds nothing left to do, and
results have the same bits for every number of threads.
"""

import numpy as np

from .._compiled.intrinsics import atomic_add, atomic_load, pause, yield_thread
from .._compiled.jit import jit

CACHE_LINE = 8  # int64 numbers in a cache line; each counter has one for itself
PHASES_OF_A_LAYER = 3
OTHER_PHASES = 3
_SPINS = 2000  # looks at the counter before others may have the core


@jit(inline=True)
def count_phases(n_layers):
    """Return the number of a step's phases.

    Reading the inputs is the first, then come the layers' outputs in two phases each, their
    gradients from the last layer to the first, what is done with whole gradients, and what is
    handed out in the end. Not every batch needs all.
    """
    return PHASES_OF_A_LAYER * n_layers + OTHER_PHASES


def count_counters(n_phases, size):
    """Return how many int64 numbers the counters of a team of so many threads take: for each phase,
    blocks claimed of each, blocks done.
    """
    return n_phases * (size + 1) * CACHE_LINE


@jit(inline=True)
def join(scheduler):
    """Return the number of the calling thread."""
    return np.int64(0) if scheduler.n_threads == 1 else atomic_add(scheduler.n_arrived, 0, 1)


@jit(inline=True)
def claim_block(scheduler, thread, phase, n_blocks, previous):
    """Return a block that nobody else has, ``previous`` being the last one claimed, -1 at first;
    ``n_blocks`` if all are taken.
    """
    return (
        previous + 1
        if scheduler.n_threads == 1
        else _claim_shared(scheduler, thread, phase, n_blocks)
    )


@jit(internal=True)
def _claim_shared(scheduler, thread, phase, n_blocks):
    """A thread's own blocks are its number and every ``scheduler.n_threads``-th from there."""
    for i in range(scheduler.n_threads):
        owner = (thread + i) % scheduler.n_threads
        place = (phase * (scheduler.n_threads + 1) + owner) * CACHE_LINE
        n_own = (n_blocks - owner + scheduler.n_threads - 1) // scheduler.n_threads
        if atomic_load(scheduler.counters, place) < n_own:
            n_claimed = atomic_add(scheduler.counters, place, 1)
            if n_claimed < n_own:
                return owner + n_claimed * scheduler.n_threads
    return n_blocks


@jit(inline=True)
def wait_at_barrier(scheduler, phase, n_computed, n_blocks):
    """Tell how many blocks the thread has computed and wait until all are, or the team has to
    stop.
    """
    if scheduler.n_threads > 1:
        _wait_for_other_threads(scheduler, phase, n_computed, n_blocks)


@jit(internal=True)
def _wait_for_other_threads(scheduler, phase, n_computed, n_blocks):
    place = (phase * (scheduler.n_threads + 1) + scheduler.n_threads) * CACHE_LINE
    spins = 0
    atomic_add(scheduler.counters, place, n_computed)
    while atomic_load(scheduler.counters, place) < n_blocks and atomic_load(scheduler.stop, 0) == 0:
        spins += 1
        if spins < _SPINS:
            pause()
        else:
            yield_thread()
