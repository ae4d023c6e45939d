"""A team of threads that runs one entry point together and shares the blocks of each phase of a
step.

A phase is cut into blocks by the shapes alone. Each member of the team claims its own ones first,
the same in every step, so that what it moves stays in its caches; then it helps the others with
theirs. At the end of a phase all wait until the last block is computed. So a thread that the system
has put aside holds up nothing but what it is at, one that comes late finds nothing left to do, and
results have the same bits for every size of the team.
"""

import numpy as np

from .._compiled.intrinsics import atomic_add, atomic_load, pause, yield_thread
from .._compiled.jit import jit

LINE = 8  # int64 numbers in a cache line; each counter has one for itself
PHASES_OF_A_LAYER = 3
OTHER_PHASES = 3
_SPINS = 2000  # looks at the counter before others may have the core


@jit(inline=True)
def n_phases(n_layers):
    """Return the number of a step's phases.

    Reading the inputs is the first, then come the layers' outputs in two phases each, their
    gradients from the last layer to the first, what is done with whole gradients, and what is
    handed out in the end. Not every batch needs all.
    """
    return PHASES_OF_A_LAYER * n_layers + OTHER_PHASES


def n_counters(n_phases, size):
    """Return how many int64 numbers the counters of a team of so many threads take: for each phase,
    blocks claimed of each, blocks done.
    """
    return n_phases * (size + 1) * LINE


@jit(inline=True)
def join(team):
    """Return the number of the calling thread in the team."""
    return np.int64(0) if team.size == 1 else atomic_add(team.arrivals, 0, 1)


@jit(inline=True)
def claim(team, member, phase, n_blocks, previous):
    """Return a block that nobody else has, ``previous`` being the last one claimed, -1 at first;
    ``n_blocks`` if all are taken.
    """
    return previous + 1 if team.size == 1 else _claim_shared(team, member, phase, n_blocks)


@jit(internal=True)
def _claim_shared(team, member, phase, n_blocks):
    """A member's own blocks are its number and every ``team.size``-th from there."""
    for i in range(team.size):
        owner = (member + i) % team.size
        place = (phase * (team.size + 1) + owner) * LINE
        n_own = (n_blocks - owner + team.size - 1) // team.size
        if atomic_load(team.counters, place) < n_own:
            n_claimed = atomic_add(team.counters, place, 1)
            if n_claimed < n_own:
                return owner + n_claimed * team.size
    return n_blocks


@jit(inline=True)
def finish(team, phase, n_computed, n_blocks):
    """Tell how many blocks the thread has computed and wait until all are, or the team has to
    stop.
    """
    if team.size > 1:
        _wait_for_others(team, phase, n_computed, n_blocks)


@jit(internal=True)
def _wait_for_others(team, phase, n_computed, n_blocks):
    place = (phase * (team.size + 1) + team.size) * LINE
    spins = 0
    atomic_add(team.counters, place, n_computed)
    while atomic_load(team.counters, place) < n_blocks and atomic_load(team.stop, 0) == 0:
        spins += 1
        if spins < _SPINS:
            pause()
        else:
            yield_thread()
