"""Warnings at the user's own line, messages within messages, an error that training survives."""

import sys
import warnings

# Packages whose frames stand between a user's call and a warning: this one, scikit-learn's
# decorators and meta-estimators, joblib, by which these call, and Numba, which asks for the cache.
_NOT_THE_USERS = {__package__, "sklearn", "joblib", "numba"}


class NonFinitePredictionError(ValueError):
    """A network with finite weights predicts something that is not a finite number."""


def warn_user(message, category=UserWarning):
    """Warn at the innermost line outside this package and those that stand around it.

    The number of frames in between depends on decorators, callbacks and meta-estimators, so it is
    counted instead of written down. (``skip_file_prefixes`` does that from Python 3.12 on.)
    """
    frame = sys._getframe(1)
    level = 2
    while frame.f_back is not None and _package_of(frame) in _NOT_THE_USERS:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def clause(error):
    """Return an error's message as a part of a sentence: without the full stop at its end."""
    return str(error).rstrip().removesuffix(".")


def _package_of(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
