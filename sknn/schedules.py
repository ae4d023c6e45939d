"""Learning-rate schedules of ``sgd``, in plain Python, and a row in ``SCHEDULES``.

    after_epoch(settings, rate, t)     the rate of the next epoch, ``t`` samples having been seen since training began
    on_stall(rate)                     the rate to go on with when nothing improves any more; None stops training

To add one: write the functions, add the row, add its formula to ``REFERENCE`` in tests/test_schedules.py.
"""

from collections.abc import Callable
from typing import NamedTuple

_SMALLEST_ADAPTIVE_RATE = 1e-6


def _keep(settings, rate, t):
    return rate


def _stop(rate):
    return None


def _invscaling(settings, rate, t):
    return settings.learning_rate_init / (t + 1) ** settings.power_t


def _fifth(rate):
    return None if rate <= _SMALLEST_ADAPTIVE_RATE else rate / 5


class Schedule(NamedTuple):
    """A learning-rate schedule."""

    after_epoch: Callable
    on_stall: Callable


SCHEDULES = {
    "constant": Schedule(_keep, _stop),
    "invscaling": Schedule(_invscaling, _stop),
    "adaptive": Schedule(_keep, _fifth),
}
