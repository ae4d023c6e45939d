"""Networks bound for prediction.

Binding a network takes longer than predicting a few rows by it, so what has just predicted them is kept for the next ones: not on the
estimator, which predictions leave as it is, and for one caller at a time, since it has scratch memory.
"""

import weakref

import numpy as np

from ._binding import prediction_settings
from ._layout import COEFS, INTERCEPTS, NORM_PARTS, flat_vector
from ._session import Session

_MOST_KEPT = 16
_kept = weakref.WeakKeyDictionary()


def session_for(estimator):
    """Return a :class:`Session` with the estimator's weights and parameters as they are now."""
    session, learned = _kept.pop(estimator, (None, []))
    settings, arrays = prediction_settings(estimator), _learned(estimator)
    if session is not None and session.settings == settings and [*map(id, learned)] == [*map(id, arrays)]:
        return session
    dtype = np.dtype(np.float32 if arrays and np.asarray(arrays[0]).dtype == np.float32 else np.float64)
    return Session(flat_vector(estimator, estimator._layout, dtype), estimator._layout, settings, estimator._loss_name)


def keep_session(estimator, session):
    """Keep a session for the estimator's next prediction, instead of the oldest one if there are many."""
    _kept[estimator] = session, _learned(estimator)
    for oldest in list(_kept)[:-_MOST_KEPT]:
        _kept.pop(oldest, None)


def _learned(estimator):
    """Return all arrays that were learned."""
    return [array for name in (COEFS, INTERCEPTS, *NORM_PARTS) for array in getattr(estimator, name, ())]
