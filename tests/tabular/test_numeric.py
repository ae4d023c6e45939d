"""Numbers against the formula, one value at a time."""

import math

import numpy as np
import pytest

from sknn._tabular.numeric import EmptyEncoder, NumberEncoder, clip_smoothly

MISSING = float("nan")


def slowly_encoded(x, column):
    """Return x'/sqrt(1 + (x'/3)^2) for one number, by sorting the column."""
    ordered = sorted(value for value in column if not math.isnan(value))

    def quantile(q):
        position = q * (len(ordered) - 1)
        below = ordered[math.floor(position)]
        return below + (ordered[math.ceil(position)] - below) * (position % 1)

    if quantile(0.75) > quantile(0.25):
        s = 1 / (quantile(0.75) - quantile(0.25))
    elif ordered[-1] > ordered[0]:
        s = 2 / (ordered[-1] - ordered[0])
    else:
        s = 0.0
    scaled = 0.0 if math.isnan(x) else s * (x - quantile(0.5))
    return scaled / math.sqrt(1 + (scaled / 3) ** 2)


@pytest.mark.parametrize(
    "column",
    [
        [1.0, 2.0, 4.0, 8.0, 16.0, -5.0],
        [1.0, 2.0, MISSING, 8.0, MISSING],
        [0.0, 0.0, 0.0, 0.0, 0.0, 3.0, -1.0],
        [7.0, 7.0, 7.0],
        [7.0],
        [-1.0, 1.0],
    ],
)
def test_formula(column):
    new = [*column, 100.0, -3.0, MISSING]
    encoder = NumberEncoder(0.0).fit(np.array(column))
    encoded, *indicator = encoder.transform(np.array(new))
    np.testing.assert_allclose(encoded, [slowly_encoded(x, column) for x in new], rtol=1e-14)
    assert len(indicator) == any(map(math.isnan, column))
    if indicator:
        assert indicator[0].tolist() == [math.isnan(x) for x in new]
    assert encoder.names("a") == (["a", "a_missing"] if indicator else ["a"])


DRAWS = np.random.default_rng(0)
LIGHT = [DRAWS.normal(size=2000), DRAWS.uniform(size=2000), DRAWS.exponential(size=2000)]
HEAVY = [DRAWS.standard_cauchy(2000), DRAWS.lognormal(0, 1.5, 2000), DRAWS.pareto(1.5, 2000)]


def test_heavy_tails_have_a_copy():
    for column in LIGHT:
        assert NumberEncoder(0.8).fit(column).names("a") == ["a"]
        assert NumberEncoder(1.0).fit(column).names("a") == ["a", "a_standardized"]
    for column in HEAVY:
        assert NumberEncoder(0.8).fit(column).names("a") == ["a", "a_standardized"]
        assert NumberEncoder(0.0).fit(column).names("a") == ["a"]


@pytest.mark.parametrize("column", HEAVY)
def test_copy_is_standardized_and_bounded(column):
    encoder = NumberEncoder(0.8).fit(column)
    _, copy = encoder.transform(column)
    np.testing.assert_allclose(copy, (column - column.mean()) / column.std(), atol=1e-9)
    _, beyond = encoder.transform(np.array([-np.inf, -1e300, np.nan, 1e300, np.inf]))
    median = (np.median(column) - column.mean()) / column.std()
    end = 10 * np.abs(copy).max()
    np.testing.assert_allclose(beyond, [-end, -end, median, end, end], atol=1e-9)


def test_copy_is_for_targets_that_are_linear_in_it():
    noise = DRAWS.normal(size=2000)
    for complete in HEAVY:
        column = np.where(np.arange(2000) == 7, np.nan, complete)
        encoder = NumberEncoder(0.8)
        line = np.nan_to_num(column) + column[0] * noise
        bent = np.nan_to_num(clip_smoothly(column)) + 0.1 * noise
        for targets, has_copy in (
            ([line], True),
            ([bent], False),
            ([noise], False),
            ([noise, line, bent], True),
            ([np.zeros(2000)], False),
            (np.empty((0, 2000)), False),
        ):
            assert encoder.fit(column, np.transpose(targets)).has_copy == has_copy


@pytest.mark.parametrize(
    "column",
    [
        [1.7e308, -1.7e308, 1.6e308, 0.0],
        [0.0, 1e-310, 5e-324, 1e300],
        [np.inf, -np.inf, np.nan, 1.0, 2.0],
        [np.inf, np.nan],
        [5e-324, 0.0],
        [1e308] * 5,
    ],
)
@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_extreme_numbers_are_finite(column, threshold):
    encoded = NumberEncoder(threshold).fit(np.array(column)).transform(np.array(column))
    assert np.isfinite(np.float32(encoded)).all()
    assert np.abs(encoded[0]).max() <= 3


def test_infinity_is_at_the_ends():
    encoder = NumberEncoder(0.0).fit(np.arange(9.0))
    [encoded] = encoder.transform(np.array([-np.inf, 4.0, np.inf]))
    assert encoded.tolist() == [-3.0, 0.0, 3.0]
    assert clip_smoothly(np.array([0.0, 1e-9])).tolist() == [0.0, 1e-9]


def test_empty_columns_are_zero():
    assert EmptyEncoder().fit(None).names("a") == ["a"]
    assert EmptyEncoder().transform(np.ones(2))[0].tolist() == [0.0, 0.0]
