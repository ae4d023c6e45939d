"""``RandomState.shuffle`` for vectors of indices, compiled.

It makes the same draws with the same result in half the time.
"""

import ctypes

import numpy as np

from .intrinsics import draw
from .jit import INTERPRETED, jit

_TOO_LONG = 2**32  # from this size on NumPy draws 64 bits


@jit(entry=True)
def _shuffle(next_uint32, state, order):
    """Swap each element, from the last to the second, with a random one at or before it.

    As in NumPy, an index is drawn by rejection: each draw is masked to as many bits as the bound
    has, until one is within the bound. A rejected draw swaps the element with itself instead of
    branching, since no processor could predict the branch.
    """
    i = np.int64(order.size - 1)
    mask = np.int64(_TOO_LONG - 1)
    while i > 0:
        while mask >> 1 >= i:
            mask >>= 1
        value = np.int64(draw(next_uint32, state)) & mask
        chosen = min(value, i)
        order[i], order[chosen] = order[chosen], order[i]
        i -= np.int64(value <= i)


class Shuffler:
    """Shuffle vectors of int64, as ``random_state.shuffle`` does.

    Parameters
    ----------
    random_state : numpy.random.RandomState
        Its state advances as if it had shuffled itself.
    """

    def __init__(self, random_state):
        # Both are kept so that the addresses stay valid.
        self._random_state = random_state
        self._bit_generator = random_state._bit_generator
        interface = self._bit_generator.ctypes
        self._state = interface.state_address
        self._next_uint32 = ctypes.cast(interface.next_uint32, ctypes.c_void_p).value

    def shuffle_repeatedly(self, order, n_times):
        """Return an array of ``n_times`` rows: ``order`` shuffled once, twice, and so on."""
        orders = np.empty((n_times, order.size), np.int64)
        is_compiled = not INTERPRETED and order.size < _TOO_LONG
        with self._bit_generator.lock:
            for shuffled in orders:
                shuffled[:] = order
                if is_compiled:
                    _shuffle(self._next_uint32, self._state, shuffled)
                else:
                    self._random_state.shuffle(shuffled)
                order = shuffled
        return orders
