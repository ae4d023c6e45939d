"""What a column holds, from its dtype or its objects, and later columns read as the same."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from sknn import TabularPreprocessor
from sknn._tabular.kinds import infer, label, read_as

DAY = datetime.date(2024, 2, 3)
NOON = datetime.datetime(2024, 2, 3, 12)
IN_JAPAN = NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=9)))


def objects(*values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


NAN = np.nan
INFERRED = [
    (np.array([1, 2], dtype=np.uint8), "number", [1, 2]),
    (np.array([1, NAN], dtype=np.float16), "number", [1, NAN]),
    (np.array([NAN, NAN]), "empty", [NAN, NAN]),
    (np.array([2, np.longdouble("1e400")]), "number", [2, np.inf]),
    (np.array([True, False]), "boolean", ["True", "False"]),
    (np.array(["b", "a"]), "category", ["b", "a"]),
    (np.array([b"b", b"a"]), "category", ["b", "a"]),
    (np.array(["1.5", "2"]), "category", ["1.5", "2"]),
    (np.array([90, "NaT"], dtype="timedelta64[s]"), "number", [90, NAN]),
    (objects(None, NAN, pd.NA, pd.NaT), "empty", None),
    (objects(None, True, np.False_), "boolean", [None, "True", "False"]),
    (
        objects(1, np.float32(2.5), Decimal("0.5"), Fraction(1, 4), pd.NA, True),
        "number",
        [1, 2.5, 0.5, 0.25, NAN, 1],
    ),
    (objects(10**400, -(10**400)), "number", [np.inf, -np.inf]),
    (objects(2, None, Decimal("nan")), "number", [2, NAN, NAN]),
    (objects(2, Decimal("snan")), "number", [2, NAN]),
    (objects("a", 1, 1.0, 2.5, None, NAN), "category", ["a", "1", "1", "2.5", None, None]),
    (objects(DAY, NOON, IN_JAPAN, pd.Timestamp(NOON)), "datetime", None),
    (objects(datetime.timedelta(seconds=1.5), pd.NaT), "number", [1.5, NAN]),
    (objects(pd.Timedelta(hours=1), np.timedelta64(2, "s")), "number", [3600, 2]),
    (objects(datetime.time(1, 2, 3, 500_000), None), "number", [3723.5, NAN]),
]


@pytest.mark.parametrize(("column", "kind", "values"), INFERRED, ids=str)
def test_kinds(column, kind, values):
    found, read = infer(column, "a")
    assert found == kind
    if values is not None:
        np.testing.assert_array_equal(read, np.array(values, dtype=read.dtype))


def test_times_count_by_the_local_clock():
    _, read = infer(objects(DAY, NOON, IN_JAPAN, None), "a")
    assert read.dtype == "datetime64[us]"
    assert read.astype(str).tolist() == [
        "2024-02-03T00:00:00.000000",
        "2024-02-03T12:00:00.000000",
        "2024-02-03T12:00:00.000000",
        "NaT",
    ]


def test_containers_and_complex_numbers_are_refused():
    for value in ([1], {"a": 1}, {1}, np.ones(2)):
        with pytest.raises(TypeError, match=r"a string or a number: column 'a' holds .* Make one"):
            infer(objects("b", value), "a")
    with pytest.raises(ValueError, match="Complex data not supported: column 'a'"):
        infer(np.ones(2, dtype=complex), "a")


@pytest.mark.parametrize(
    ("kind", "column", "expected"),
    [
        ("number", np.array([True, False]), [1, 0]),
        ("number", np.array(["1.5", "-2"]), [1.5, -2]),
        ("number", objects(None, None), [NAN, NAN]),
        ("category", np.array([1.0, NAN]), ["1", None]),
        ("category", np.array([True]), ["True"]),
        ("category", objects(None), [None]),
        (
            "category",
            np.array(["2024-01-01", "NaT"], dtype="datetime64[us]"),
            ["2024-01-01 00:00:00", None],
        ),
        ("boolean", np.array([0, 1, 2, NAN]), ["False", "True", None, None]),
        ("boolean", objects("True", "x", None), ["True", "x", None]),
        ("boolean", objects(NAN), [None]),
    ],
)
def test_later_columns_are_read_as_before(kind, column, expected):
    read = read_as(kind, column, "a")
    np.testing.assert_array_equal(read, np.array(expected, dtype=read.dtype))


@pytest.mark.parametrize("unit", ["M", "Y"])
def test_months_are_no_number_of_seconds(unit):
    durations = np.array([1, 2], dtype=f"timedelta64[{unit}]")
    for column in (durations, objects(*durations), objects(None, durations[0])):
        with pytest.raises(ValueError, match=rf"Column 'a' has durations .*timedelta64\[{unit}\]"):
            infer(column, "a")


@pytest.mark.parametrize("unit", ["s", "D", "Y"])
def test_dates_beyond_their_range_are_refused(unit):
    """NumPy would wrap them around to dates long ago."""
    dates = np.array(["NaT", "2000-01-01", "294246-12-31"], dtype=f"datetime64[{unit}]")
    beyond = np.append(dates, np.datetime64("300000-01-01", unit))
    for column in (beyond, objects(*beyond[1:])):
        with pytest.raises(ValueError, match=r"Column 'a' has the date 300000.* by NaT"):
            infer(column, "a")
    kind, found = infer(dates, "a")
    assert kind == "datetime"
    np.testing.assert_array_equal(found, dates.astype("datetime64[us]"))
    if unit == "s":
        with pytest.raises(ValueError, match="Column 'a' has the date 300000"):
            TabularPreprocessor().fit(pd.DataFrame({"a": beyond}))


def test_later_times_may_be_missing():
    assert np.isnat(read_as("datetime", objects(None), "a")).tolist() == [True]
    assert len(read_as("empty", objects("a"), "a")) == 1


@pytest.mark.parametrize(
    ("kind", "column", "message"),
    [
        ("number", np.array(["ten"]), r"Column 'a' held numbers in fit, and is now text .*'ten'"),
        (
            "number",
            np.array(["2024"], dtype="datetime64[D]"),
            "'number' in fit, and is now 'datetime'",
        ),
        ("datetime", np.array([1.0]), "'datetime' in fit, and is now 'number'"),
        ("datetime", np.array(["2024-01-01"]), "'datetime' in fit, and is now 'category'"),
        ("boolean", np.array(["2024"], dtype="datetime64[D]"), "'boolean' in fit"),
    ],
)
def test_other_kinds_are_refused(kind, column, message):
    with pytest.raises(ValueError, match=message):
        read_as(kind, column, "a")


def test_labels():
    assert [label(value, "a") for value in (1, 1.0, np.float32(1), True, "1", 1.5, b"x")] == [
        "1", "1", "1", "True", "1", "1.5", "x",
    ]  # fmt: skip
