"""Times against Python's datetime, one at a time."""

import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from sknn._tabular.datetimes import DatetimeEncoder
from sknn._tabular.numeric import NumberEncoder

START = datetime(1959, 12, 31, 23, 59, 59, 999_999)
TIMES = [START + timedelta(days=17 * i, seconds=12_345 * i, microseconds=i) for i in range(3000)]


def slow_phases(time):
    """Return where a time is in its day, week, month and year, from 0 to 1."""
    day = datetime(time.year, time.month, time.day)
    week = day - timedelta(days=day.weekday())
    month = datetime(time.year, time.month, 1)
    year = datetime(time.year, 1, 1)
    ends = [
        day + timedelta(days=1),
        week + timedelta(days=7),
        datetime(time.year + time.month // 12, time.month % 12 + 1, 1),
        datetime(time.year + 1, 1, 1),
    ]
    starts = [day, week, month, year]
    return [(time - start) / (end - start) for start, end in zip(starts, ends, strict=True)]


def encoder_of(times):
    return DatetimeEncoder(0.0).fit(np.array(times, dtype="datetime64[us]"))


def test_cycles():
    encoder = encoder_of(TIMES)
    linear, *cyclic = encoder.transform(np.array(TIMES, dtype="datetime64[us]"))
    angles = 2 * math.pi * np.array([slow_phases(time) for time in TIMES])
    np.testing.assert_allclose(cyclic[0::2], np.sin(angles).T, atol=1e-9)
    np.testing.assert_allclose(cyclic[1::2], np.cos(angles).T, atol=1e-9)
    seconds = np.array([(time - TIMES[0]).total_seconds() for time in TIMES])
    [expected] = NumberEncoder(0.0).fit(seconds).transform(seconds)
    np.testing.assert_allclose(linear, expected, atol=1e-9)
    cycles = [
        f"t_{cycle}_{part}" for cycle in ("day", "week", "month", "year") for part in ("sin", "cos")
    ]
    assert encoder.names("t") == ["t", *cycles]


@pytest.mark.parametrize(
    ("times", "cycles"),
    [
        (["2024-01-01", "2024-01-05"], ["week", "month", "year"]),
        (["2024-01-01", "2025-01-01", "2026-01-01"], ["week"]),
        (["2024-01-01T12", "2024-01-01T12"], []),
    ],
)
def test_cycles_in_which_times_agree_are_left_out(times, cycles):
    assert encoder_of(times).cycles == cycles


def test_missing_times_are_zeros_with_an_indicator():
    encoder = encoder_of(["2024-01-01", "2024-02-05T12", "NaT"])
    columns = encoder.transform(np.array(["NaT"], dtype="datetime64[us]"))
    assert encoder.names("t")[:2] == ["t", "t_missing"]
    assert np.ravel(columns).tolist() == [0, 1, *[0] * 8]
