"""Learning-rate schedules, in plain Python, and a row in ``SCHEDULES``.

    factor(settings, epochs)               what the rate is multiplied with in steps that have ``epochs`` (a fraction) before them
    after_epoch(settings, rate, t)         the rate to go on with after an epoch, ``t`` samples having been seen since training began
    on_plateau(settings, rate)             the rate to go on with when nothing improves any more; None stops training

``settings`` is the estimator. To add one: write what is special to it, add its row, add its formula
to ``REFERENCE`` in tests/test_schedules.py.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_SMALLEST_RATE = 1e-6  # of schedules that react to a stall
_ONE_CYCLE_RISE = 0.3
_ONE_CYCLE_START = 25.0
_ONE_CYCLE_END = 1e4


def _one(settings, epochs):
    return 1.0


def _keep(settings, rate, t):
    return rate


def _stop(settings, rate):
    return None


def _invscaling(settings, rate, t):
    return settings.learning_rate_init / (t + 1) ** settings.power_t


def _fifth(settings, rate):
    return None if rate <= _SMALLEST_RATE else rate / 5


def _reduced(settings, rate):
    return None if rate <= _SMALLEST_RATE else rate * settings.decay_rate


def _exponential(settings, epochs):
    return np.exp(-settings.decay_rate * epochs)


def _inverse_time(settings, epochs):
    return 1 / (1 + settings.decay_rate * epochs)


def _step(settings, epochs):
    return 0.5 ** np.floor(settings.decay_rate * epochs)


def _progress(settings, epochs):
    return np.minimum(1.0, epochs / settings.max_iter)


def _cosine(settings, epochs):
    return (1 + np.cos(np.pi * _progress(settings, epochs))) / 2


def _one_cycle(settings, epochs):
    progress = _progress(settings, epochs)

    def between(start, end, share):
        return end + (start - end) * (1 + np.cos(np.pi * share)) / 2

    rise = between(1 / _ONE_CYCLE_START, 1.0, progress / _ONE_CYCLE_RISE)
    fall = between(
        1.0,
        1 / _ONE_CYCLE_END / _ONE_CYCLE_START,
        (progress - _ONE_CYCLE_RISE) / (1 - _ONE_CYCLE_RISE),
    )
    return np.where(progress < _ONE_CYCLE_RISE, rise, fall)


def _coslog(settings, epochs):
    return (1 - np.cos(2 * np.pi * np.log2(1 + 15 * _progress(settings, epochs)))) / 2


def warmup(settings, epochs):
    """Return the factor of the linear warm-up, for ``epochs`` counted to the end of the step."""
    return np.minimum(1.0, epochs / settings.warmup_epochs) if settings.warmup_epochs > 0 else 1.0


class SchedulePart(NamedTuple):
    """A learning-rate schedule."""

    formula: str
    factor: Callable = _one
    after_epoch: Callable = _keep
    on_plateau: Callable = _stop
    sgd_only: bool = False  # as in scikit-learn

    @property
    def is_known_in_advance(self):
        """Whether no rate depends on how training goes."""
        return self.after_epoch is _keep and self.on_plateau is _stop


SCHEDULES = {
    "constant": SchedulePart("rate0"),
    "invscaling": SchedulePart(
        "rate0 / (t + 1)^power_t after t samples, by epochs; only with 'sgd'",
        after_epoch=_invscaling,
        sgd_only=True,
    ),
    "adaptive": SchedulePart(
        "a fifth whenever training would stop for lack of improvement; only with 'sgd'",
        on_plateau=_fifth,
        sgd_only=True,
    ),
    "exponential": SchedulePart("rate0 exp(-decay_rate s)", factor=_exponential),
    "inverse_time": SchedulePart("rate0 / (1 + decay_rate s)", factor=_inverse_time),
    "step": SchedulePart("rate0 / 2^floor(decay_rate s)", factor=_step),
    "cosine": SchedulePart(
        "rate0 (1 + cos(pi s / max_iter)) / 2; arXiv:1608.03983 without restarts", factor=_cosine
    ),
    "one_cycle": SchedulePart(
        "from rate0 / 25 up to rate0 at 0.3 max_iter, then down to rate0 / 250 000, along cosines; arXiv:1708.07120",
        factor=_one_cycle,
    ),
    "coslog": SchedulePart(
        "rate0 (1 - cos(2 pi log2(1 + 15 s / max_iter))) / 2; arXiv:2407.04491", factor=_coslog
    ),
    "plateau": SchedulePart(
        "times decay_rate whenever training would stop for lack of improvement, down to 1e-6",
        on_plateau=_reduced,
    ),
}
