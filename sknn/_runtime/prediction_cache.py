"""Networks bound for prediction.

Binding a small network takes longer than predicting a few rows by it, so what has just predicted is
kept for the next rows: not on the estimator, which predictions leave as it is, and for one caller
at a time, since it has scratch memory.
"""

import os
import threading
import weakref

import numpy as np

from .binding import prediction_settings
from .compiled_network import Session
from .layout import COEFS, INTERCEPTS, NORM_PARTS, flat_vector

# sessions in all, and scratch memory of each
_MOST_KEPT = 16
_MOST_BYTES = 4 << 20


class KeptSessions:
    """The sessions that predicted last, by their estimators' ids, oldest first."""

    def __init__(self):
        self._lock = threading.RLock()  # a garbage collection within may end in drop()
        self._entries = {}

    def take(self, estimator):
        """Return the estimator's session and the arrays that it was kept with, which are the
        caller's now, or None.
        """
        with self._lock:
            owner, *kept = self._entries.pop(id(estimator), (lambda: None,))
        return kept if owner() is estimator else None

    def keep(self, estimator, session, arrays):
        """Keep a session, instead of the oldest one if there are many."""
        key = id(estimator)
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = weakref.ref(estimator, lambda _: self.drop(key)), session, arrays
            for oldest in list(self._entries)[:-_MOST_KEPT]:
                self.drop(oldest)

    def drop(self, key):
        """Forget a session."""
        with self._lock:
            self._entries.pop(key, None)


kept_sessions = KeptSessions()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        after_in_child=kept_sessions.__init__
    )  # its lock may have been held by a thread that a child has not


def session_for(estimator):
    """Return a :class:`Session` with the estimator's weights and parameters as they are now."""
    settings = prediction_settings(estimator)
    arrays = _learned(estimator)
    kept = kept_sessions.take(estimator)
    if kept is not None:
        session, views = kept
        if session.settings == settings and [*map(id, arrays)] == [*map(id, views)]:
            return session
    dtype = np.dtype(
        np.float32 if arrays and np.asarray(arrays[0]).dtype == np.float32 else np.float64
    )
    return Session(
        flat_vector(estimator, estimator._layout, dtype),
        estimator._layout,
        settings,
        estimator._loss_name,
    )


def keep_session(estimator, session):
    """Keep a small session for the estimator's next prediction, if what was learned are views of
    its weights.
    """
    arrays = _learned(estimator)
    if session.scratch_bytes <= _MOST_BYTES and all(
        getattr(array, "base", None) is session.flat for array in arrays
    ):
        kept_sessions.keep(estimator, session, arrays)


def _learned(estimator):
    """Return all arrays that were learned."""
    return [
        array for name in (COEFS, INTERCEPTS, *NORM_PARTS) for array in getattr(estimator, name, ())
    ]
