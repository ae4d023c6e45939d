"""Numbers: robust scaling, a smooth clip, and a second, standardized copy for heavy tails.

Differences of the largest numbers overflow, and so do their squares. So numbers are halved before
they are subtracted, and scaled numbers are cut at 1e100, where the smooth clip is 3 long since.

A standardized copy helps only where the target goes on along the tail. Elsewhere its large values
let the network overfit: with copies of all heavy-tailed columns, it makes 3 % more errors on a
table of spam, and 5 % more on one of cells, counted on rows held out of the training parts.
"""

import numpy as np

_LARGEST = np.finfo(np.float64).max
_SMALLEST = np.finfo(np.float64).tiny
_CUT = 1e100
_CLIP = 3.0
_WIDER = 10.0  # how far beyond the training set the copy goes on
_GAIN = 0.01  # share of the target's variance that only the unclipped numbers explain


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

    def fit(self, values, targets=None):
        """Learn center and scale from the finite values, and what further columns are needed.

        ``targets`` of shape (n_samples, n_targets) tell whether a copy explains more of them.
        """
        self.has_missing = bool(np.isnan(values).any())
        is_finite = np.isfinite(values)
        finite = values[is_finite]
        halves = (finite if finite.size else np.zeros(1)) / 2
        quarter, self.half_center, three_quarters = np.quantile(halves, [0.25, 0.5, 0.75])
        width = three_quarters - quarter
        extent = halves.max() - halves.min()
        if width >= _SMALLEST:
            self.factor = 1 / width
        else:
            self.factor = 2 / extent if extent >= _SMALLEST else 0.0
        scaled = self._scale(2 * halves)
        self.has_copy = self.factor > 0 and self._needs_copy(
            scaled, None if targets is None else targets[is_finite].T
        )
        if self.has_copy:
            self.mean = scaled.mean()
            self.deviation = scaled.std()
            self.largest = _WIDER * np.abs(scaled - self.mean).max() / self.deviation
        return self

    def _needs_copy(self, scaled, targets):
        """Return whether the clip bends the column, and a target is more linear without it."""
        clipped = clip_smoothly(scaled)
        if not _explained(scaled, clipped) < self.heavy_tail_threshold:
            return False
        return targets is None or any(
            _explained(scaled, target) > _explained(clipped, target) + _GAIN
            for target in targets
            if np.ptp(target) > 0
        )

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
            copy = (scaled - self.mean) / self.deviation
            columns.append(np.clip(copy, -self.largest, self.largest))
        if self.has_missing:
            columns.append(is_missing)
        return columns


def _explained(x, y):
    """Return which share of the variance of y is linear in x: their squared correlation."""
    with np.errstate(over="ignore", invalid="ignore"):  # NaN, beyond 1e150, is no reason to copy
        return np.corrcoef(x, y)[0, 1] ** 2


class EmptyEncoder:
    """Encoder of a column that had no value in ``fit``: zeros, as for constants."""

    def fit(self, values, targets=None):
        """Learn nothing."""
        return self

    def names(self, name):
        """Return the name of the one output."""
        return [name]

    def transform(self, values):
        """Return zeros."""
        return [np.zeros(len(values))]


# ---- in ONNX: a graph is called with an operator, its inputs and attributes, and returns a name


def add_numbers(graph, encoders, values, starts):
    """Add what ``transform`` of several encoders does, for all columns at once.

    Parameters
    ----------
    graph : Graph
        Of float64: differences of close numbers would have few digits in float32.
    encoders : list of NumberEncoder
    values : str
        Name of the table of their columns.
    starts : ndarray of shape (n_encoders,)
        Where the outputs of each encoder begin among all.

    Returns
    -------
    blocks : list of (str, ndarray)
        Tables, and where each of their columns stands among all outputs.
    """
    is_missing = graph("IsNaN", values)
    halves = graph("Mul", _limited(graph, values, _LARGEST), 0.5)
    centered = graph("Sub", halves, _learned(encoders, "half_center"))
    scaled = _limited(graph, graph("Mul", centered, _learned(encoders, "factor")), _CUT)
    scaled = graph("Where", is_missing, 0.0, scaled)
    share = graph("Div", scaled, _CLIP)
    length = graph("Sqrt", graph("Add", graph("Mul", share, share), 1.0))
    blocks = [(graph("Div", scaled, length), starts)]
    has_copy = _learned(encoders, "has_copy").astype(bool)
    if has_copy.any():
        copied = [encoder for encoder in encoders if encoder.has_copy]
        copy = graph.columns(scaled, np.flatnonzero(has_copy))
        copy = graph("Sub", copy, _learned(copied, "mean"))
        copy = graph("Div", copy, _learned(copied, "deviation"))
        blocks.append((_limited(graph, copy, _learned(copied, "largest")), starts[has_copy] + 1))
    has_missing = _learned(encoders, "has_missing").astype(bool)
    if has_missing.any():
        indicators = graph.real(graph.columns(is_missing, np.flatnonzero(has_missing)))
        blocks.append((indicators, (starts + 1 + has_copy)[has_missing]))
    return blocks


def _learned(encoders, name):
    return np.array([getattr(encoder, name) for encoder in encoders], dtype=np.float64)


def _limited(graph, values, largest):
    """Add the limits -largest and largest; infinity becomes finite."""
    return graph("Min", graph("Max", values, -largest), largest)
