"""Cache of compiled networks for prediction.

Setting one up costs more than predicting a few rows. They are kept outside the estimator, because
``predict`` must not modify it, and lent to one caller at a time, because each owns scratch memory.
"""

import os
import threading
import weakref

from .architecture import LEARNED
from .compiled_network import CompiledNetwork
from .layout import flat_vector, make_layout, weights_dtype

_MOST_KEPT = 16  # networks in all
_MOST_BYTES = 4 << 20  # scratch memory of each


class KeptNetworks:
    """The networks that predicted last, by their estimators' ids, oldest first."""

    def __init__(self):
        self._lock = threading.RLock()  # a garbage collection within may end in drop()
        self._entries = {}

    def take(self, estimator):
        """Return ``[network, arrays]`` as they were kept, which are the caller's now, or None."""
        with self._lock:
            owner, *kept = self._entries.pop(id(estimator), (lambda: None,))
        return kept if owner() is estimator else None

    def keep(self, estimator, network, arrays):
        """Keep a network, instead of the oldest one if there are many."""
        key = id(estimator)
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = weakref.ref(estimator, lambda _: self.drop(key)), network, arrays
            for oldest in list(self._entries)[:-_MOST_KEPT]:
                self.drop(oldest)

    def drop(self, key):
        """Forget a network."""
        with self._lock:
            self._entries.pop(key, None)


kept_networks = KeptNetworks()
if hasattr(os, "register_at_fork"):
    # A thread that a child does not have may have held its lock.
    os.register_at_fork(after_in_child=kept_networks.__init__)


def network_for(estimator):
    """Return a :class:`CompiledNetwork` with the estimator's weights as they are now.

    They are finite, or an error names those that are not.
    """
    architecture = estimator._architecture
    arrays = _learned(estimator)
    kept = kept_networks.take(estimator)
    if kept is not None:
        network, views = kept
        same = [*map(id, arrays)] == [*map(id, views)]
        if same and network.architecture is architecture:
            network.check_weights()
            return network
    flat = flat_vector(estimator, make_layout(architecture), weights_dtype(estimator))
    network = CompiledNetwork(flat, architecture)
    network.check_weights()
    return network


def keep_network(estimator, network):
    """Keep a small network for the next prediction, if the learned attributes are its views."""
    arrays = _learned(estimator)
    are_views = all(getattr(array, "base", None) is network.flat for array in arrays)
    if are_views and network.scratch_bytes <= _MOST_BYTES:
        kept_networks.keep(estimator, network, arrays)


def _learned(estimator):
    """Return all learned arrays, as far as they are where they belong."""
    lists = (getattr(estimator, name, ()) for name in LEARNED)
    return [array for arrays in lists if isinstance(arrays, list) for array in arrays]
