"""Times: a linear part, which is a number like others, and cycles as sine and cosine."""

import numpy as np

from .numeric import NumberEncoder

_A_MONDAY = np.datetime64("1969-12-29", "us")
_WEEK = np.timedelta64(7 * 86_400_000_000, "us")


def _phase(times, unit):
    """Return which fraction of its day, month or year a time is at."""
    start = times.astype(f"datetime64[{unit}]")
    end = (start + 1).astype(times.dtype)
    start = start.astype(times.dtype)
    return (times - start) / (end - start)


CYCLES = {
    "day": lambda times: _phase(times, "D"),
    "week": lambda times: (times - _A_MONDAY) / _WEEK % 1.0,
    "month": lambda times: _phase(times, "M"),
    "year": lambda times: _phase(times, "Y"),
}


class DatetimeEncoder:
    """Encoder of a column of times.

    Parameters
    ----------
    heavy_tail_threshold : float
        For the linear part, as for numbers.
    """

    def __init__(self, heavy_tail_threshold):
        self.linear = NumberEncoder(heavy_tail_threshold)

    def fit(self, times, targets=None):
        """Learn the scale of the linear part, and in which cycles the times differ."""
        self.linear.fit(_seconds(times), targets)
        present = times[~np.isnat(times)]
        self.cycles = [name for name, phase in CYCLES.items() if np.ptp(phase(present)) > 0]
        return self

    def names(self, name):
        """Return the names of the outputs."""
        cyclic = [f"{name}_{cycle}_{part}" for cycle in self.cycles for part in ("sin", "cos")]
        return self.linear.names(name) + cyclic

    def transform(self, times):
        """Return the linear part, then sine and cosine of each cycle, which are 0 for missing."""
        columns = self.linear.transform(_seconds(times))
        for cycle in self.cycles:
            angle = 2 * np.pi * CYCLES[cycle](times)
            columns += [np.nan_to_num(np.sin(angle)), np.nan_to_num(np.cos(angle))]
        return columns


def _seconds(times):
    """Return seconds since 1970, NaN where missing."""
    return (times - np.datetime64(0, "us")) / np.timedelta64(1_000_000, "us")
