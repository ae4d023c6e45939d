"""Learning-rate schedules: plain Python functions, and a row in ``SCHEDULES``.

    factor(settings, epochs)
    after_epoch(settings, rate, t)
    on_plateau(settings, rate)

``factor`` returns what the learning rate is multiplied by in steps that have ``epochs`` epochs
(with fractions) before them, counted as said below. ``after_epoch`` returns the learning rate to
continue with after an epoch, when ``t`` samples have been seen since training began. ``on_plateau``
returns the learning rate to continue with when the loss or score no longer improves; None stops
training.

settings : estimator
epochs : ndarray of shape (n_steps,)
rate : float
t : int

Training goes on, in ``partial_fit`` and in a ``fit`` with ``warm_start``, and so do schedules:
epochs are counted from the start of training, and 10 + 10 epochs are 20. But a schedule that reads
``max_iter`` has brought the rate to nearly 0 by then, and nothing would be learned any more. It is
cyclic: a cycle of ``max_iter`` epochs begins with every ``fit``, and with the call of
``partial_fit`` after its last epoch, and epochs are counted from there. These are the warm restarts
of arXiv:1608.03983. A ramp of ``momentum`` reads ``max_iter`` too, but stays where it ends, and a
warm-up is for the start of training. So both count from there. Rates of dropout and weight decay
follow a schedule in cycles too. When training goes on and another
schedule has lowered the rate until weights hardly change, a warning says so. The rate is
``learning_rate_init`` again if that parameter or ``learning_rate`` has been changed.

To add a schedule: write those of the functions that it needs, add its row, add its formula to
``REFERENCE`` in tests/parts/test_schedules.py.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SMALLEST_RATE = 1e-6  # of schedules that react to a plateau; smaller ones hardly change weights
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
    return None if rate <= SMALLEST_RATE else rate / 5


def _reduced(settings, rate):
    return None if rate <= SMALLEST_RATE else rate * settings.decay_rate


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


def _flat_cos(settings, epochs):
    return (1 + np.cos(np.pi * (np.maximum(1.0, 2 * _progress(settings, epochs)) - 1))) / 2


def _one_cycle(settings, epochs):
    progress = _progress(settings, epochs)

    def between(start, end, fraction):
        return end + (start - end) * (1 + np.cos(np.pi * fraction)) / 2

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
    parameters: tuple = ()  # the constructor arguments that it reads
    sgd_only: bool = False  # as in scikit-learn

    @property
    def is_known_in_advance(self):
        """Whether no rate depends on how training goes."""
        return self.after_epoch is _keep and self.on_plateau is _stop

    @property
    def is_cyclic(self):
        """Whether it begins anew after ``max_iter`` epochs, and with every ``fit``."""
        return "max_iter" in self.parameters


SCHEDULES = {
    "constant": SchedulePart("rate0"),
    "invscaling": SchedulePart(
        "rate0 / (t + 1)^power_t after t samples, by epochs; only with 'sgd'",
        after_epoch=_invscaling,
        parameters=("power_t",),
        sgd_only=True,
    ),
    "adaptive": SchedulePart(
        "divided by 5 each time training would otherwise stop for lack of improvement; only with "
        "'sgd'",
        on_plateau=_fifth,
        sgd_only=True,
    ),
    "exponential": SchedulePart(
        "rate0 exp(-decay_rate s)", factor=_exponential, parameters=("decay_rate",)
    ),
    "inverse_time": SchedulePart(
        "rate0 / (1 + decay_rate s)", factor=_inverse_time, parameters=("decay_rate",)
    ),
    "step": SchedulePart("rate0 / 2^floor(decay_rate s)", factor=_step, parameters=("decay_rate",)),
    "cosine": SchedulePart(
        "rate0 (1 + cos(pi s / max_iter)) / 2; arXiv:1608.03983 without restarts",
        factor=_cosine,
        parameters=("max_iter",),
    ),
    "flat_cos": SchedulePart(
        "rate0 (1 + cos(pi (max(1, 2 s / max_iter) - 1))) / 2: rate0 until half of max_iter; "
        "arXiv:2407.04491",
        factor=_flat_cos,
        parameters=("max_iter",),
    ),
    "one_cycle": SchedulePart(
        "from rate0 / 25 up to rate0 at 0.3 max_iter, then down to rate0 / 250 000, along cosines; "
        "arXiv:1708.07120",
        factor=_one_cycle,
        parameters=("max_iter",),
    ),
    "coslog": SchedulePart(
        "rate0 (1 - cos(2 pi log2(1 + 15 s / max_iter))) / 2; arXiv:2407.04491",
        factor=_coslog,
        parameters=("max_iter",),
    ),
    "plateau": SchedulePart(
        "multiplied by decay_rate each time training would otherwise stop for lack of improvement, "
        "down to 1e-6",
        on_plateau=_reduced,
        parameters=("decay_rate",),
    ),
}
