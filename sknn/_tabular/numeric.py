"""Numbers: robust scaling, a smooth clip, and a second, standardized copy for heavy tails.

Differences of the largest numbers overflow, and so do their squares. So numbers are halved before
they are subtracted, and scaled numbers are cut at 1e100, where the smooth clip is 3 long since.
"""

import numpy as np

_LARGEST = np.finfo(np.float64).max
_SMALLEST = np.finfo(np.float64).tiny
_CUT = 1e100
_CLIP = 3.0


def clip_smoothly(scaled):
    """Return x / sqrt(1 + (x / 3)^2): nearly x around 0, and never beyond -3 and 3."""
    return scaled / np.hypot(1.0, scaled / _CLIP)


class NumberEncoder:
    """Encoder of a column of numbers.

    Parameters
    ----------
    heavy_tail_threshold : float
        The column gets a standardized copy if the squared correlation between it and its clipped
        values is below this.
    """

    def __init__(self, heavy_tail_threshold):
        self.heavy_tail_threshold = heavy_tail_threshold

    def fit(self, values):
        """Learn center and scale from the finite values, and what further columns are needed."""
        self.has_missing = bool(np.isnan(values).any())
        finite = values[np.isfinite(values)]
        halves = (finite if finite.size else np.zeros(1)) / 2
        quarter, self.half_center, three_quarters = np.quantile(halves, [0.25, 0.5, 0.75])
        width = three_quarters - quarter
        extent = halves.max() - halves.min()
        if width >= _SMALLEST:
            self.factor = 1 / width
        else:
            self.factor = 2 / extent if extent >= _SMALLEST else 0.0
        scaled = self._scale(2 * halves)
        self.has_copy = self.factor > 0 and _linearity(scaled) < self.heavy_tail_threshold
        if self.has_copy:
            self.mean = scaled.mean()
            self.deviation = scaled.std()
            self.lowest = scaled.min()
            self.highest = scaled.max()
        return self

    def _scale(self, values):
        halves = np.clip(values, -_LARGEST, _LARGEST) / 2
        with np.errstate(over="ignore"):  # infinity is cut
            return np.clip((halves - self.half_center) * self.factor, -_CUT, _CUT)

    def names(self, name):
        """Return the names of the outputs."""
        copy = [f"{name}_standardized"] if self.has_copy else []
        indicator = [f"{name}_missing"] if self.has_missing else []
        return [name, *copy, *indicator]

    def transform(self, values):
        """Return the clipped numbers, then the standardized ones, then where they are missing."""
        is_missing = np.isnan(values)
        scaled = self._scale(values)
        scaled[is_missing] = 0.0  # the median
        columns = [clip_smoothly(scaled)]
        if self.has_copy:
            inside = np.clip(scaled, self.lowest, self.highest)
            columns.append((inside - self.mean) / self.deviation)
        if self.has_missing:
            columns.append(is_missing)
        return columns


def _linearity(scaled):
    """Return how much of a line the clip leaves: the squared correlation of before and after."""
    return np.corrcoef(scaled, clip_smoothly(scaled))[0, 1] ** 2


class EmptyEncoder:
    """Encoder of a column that had no value in ``fit``: zeros, as for constants."""

    def fit(self, values):
        """Learn nothing."""
        return self

    def names(self, name):
        """Return the name of the one output."""
        return [name]

    def transform(self, values):
        """Return zeros."""
        return [np.zeros(len(values))]
