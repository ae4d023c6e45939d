"""A team of threads that runs one entry point together and shares the blocks of each phase of a step.

A phase is cut into blocks by the shapes alone. Threads claim blocks from the phase's counter and wait, at its end, until the last one is
computed. So a thread that the system has put aside holds up nothing but the block that it is in, one that comes late finds
nothing left to do, and results have the same bits for every size of the team.
"""

from .._jit import jit
from .._native import atomic_add, atomic_load, pause, yield_thread

SLOT = 8  # int64 numbers of a phase: blocks claimed, blocks done, and the rest of a cache line
PHASES_OF_A_LAYER, OTHER_PHASES = 2, 3
_SPINS = 2000  # looks at the counter before others may have the core


@jit(inline=True)
def n_phases(n_layers):
    """Return the number of a step's phases.

    Reading the inputs is the first, then come the layers' outputs, their gradients from the last layer to the first, what is done
    with whole gradients, and what is handed out in the end.
    """
    return PHASES_OF_A_LAYER * n_layers + OTHER_PHASES


@jit(inline=True)
def claim(team, phase, previous):
    """Return a block that nobody else has, ``previous`` being the last one claimed, -1 at first; beyond the last one, all are taken."""
    return previous + 1 if team.size == 1 else atomic_add(team.slots, phase * SLOT, 1)


@jit(inline=True)
def finish(team, phase):
    """Tell that the claimed block is computed."""
    if team.size > 1:
        atomic_add(team.slots, phase * SLOT + 1, 1)


@jit(inline=True)
def wait(team, phase, n_blocks):
    """Wait until all blocks of a phase are computed, or the team has to stop."""
    if team.size > 1:
        _wait_for_others(team, phase, n_blocks)


@jit(internal=True)
def _wait_for_others(team, phase, n_blocks):
    spins = 0
    while atomic_load(team.slots, phase * SLOT + 1) < n_blocks and atomic_load(team.stop, 0) == 0:
        spins += 1
        if spins < _SPINS:
            pause()
        else:
            yield_thread()
