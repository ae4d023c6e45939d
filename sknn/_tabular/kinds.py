"""What a column holds: numbers, booleans, categories or times.

``fit`` infers the kind of each column from its dtype, and where that says nothing (``object``) from
its values. Later tables are read as the same kinds, or an error names the column. Whatever the
table was, an encoder gets

- numbers: float64, where missing is NaN. Durations and times of day are numbers of seconds;
- booleans and categories: strings in an object array, where missing is None;
- times: datetime64[us], where missing is NaT. A time with a zone counts by its local clock;
- a column without any value: nothing, because nothing could be learned.
"""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np

NUMBER = "number"
BOOLEAN = "boolean"
CATEGORY = "category"
DATETIME = "datetime"
EMPTY = "empty"

_CONTAINERS = (dict, list, set, np.ndarray)
_TEXT_AND_CONTAINERS = (str, *_CONTAINERS)
_NAT = np.datetime64("NaT", "us")


def _local(time):
    """Return a date or time as NumPy's, without its zone."""
    if isinstance(time, datetime.datetime):
        time = time.replace(tzinfo=None)
    return np.datetime64(time, "us")


def _seconds_of_day(time):
    return 3600 * time.hour + 60 * time.minute + time.second + time.microsecond / 1e6


def _number(value):
    try:
        return float(value)
    except OverflowError:  # an int or fraction beyond float64
        return np.inf if value > 0 else -np.inf


# Classes of objects, their kind, what is missing, and how to convert one. bool is an int.
_OF_OBJECTS = (
    ((datetime.date, np.datetime64), DATETIME, _NAT, _local),
    (
        (datetime.timedelta, np.timedelta64),
        NUMBER,
        np.nan,
        lambda time: np.timedelta64(time, "us") / np.timedelta64(1_000_000, "us"),
    ),
    ((datetime.time,), NUMBER, np.nan, _seconds_of_day),
    ((int, float, np.integer, np.floating, Fraction, Decimal), NUMBER, np.nan, _number),
)


def label(value, name):
    """Return a category as a string; 1 and 1.0 are the same."""
    if type(value) is str:
        return value
    if isinstance(value, _CONTAINERS):
        raise TypeError(
            f"argument must be a string or a number: column {name!r} holds {value!r}. Make one "
            "column of each part."
        )
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value)


def _labels(values, is_missing, name):
    found = np.full(len(values), None, dtype=object)
    found[~is_missing] = [label(value, name) for value in values[~is_missing].tolist()]
    return found


def _is_missing(value):
    """Return whether an object is None, NaN, NaT or pandas' NA."""
    if type(value) is str:
        return False
    if value is None or type(value).__name__ == "NAType":
        return True
    if isinstance(value, Decimal):
        return value.is_nan()  # a signaling NaN raises when it is compared
    return not isinstance(value, _TEXT_AND_CONTAINERS) and bool(value != value)


def infer(values, name):
    """Return ``(kind, the column as the encoders get it)``.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        A column, of any dtype.
    name : object
        Its name, for errors.
    """
    letter = values.dtype.kind
    if letter in "iuf":
        with np.errstate(over="ignore"):  # longdouble becomes infinite
            found = values.astype(np.float64)
        return (EMPTY if np.isnan(found).all() else NUMBER), found
    if letter == "m":
        _check_unit(values.dtype, name)
        return infer(values / np.timedelta64(1, "s"), name)
    if letter == "M":
        return (EMPTY if np.isnat(values).all() else DATETIME), _microseconds(values, name)
    if letter == "b":
        return BOOLEAN, np.where(values, "True", "False").astype(object)
    if letter == "c":
        raise ValueError(
            f"Complex data not supported: column {name!r}. Pass real and imaginary parts as two "
            "columns."
        )
    return _infer_from_objects(values.astype(object), name)


def _microseconds(times, name):
    """Return times as datetime64[us]; raise a ValueError where NumPy would wrap them around."""
    found = times.astype("datetime64[us]")
    if np.result_type(times, found) == found.dtype:
        is_wrong = (found.astype(times.dtype) != times) & ~np.isnat(times)
        if is_wrong.any():
            raise ValueError(
                f"Column {name!r} has the date {times[is_wrong][0]}. Dates must lie in the years "
                "-290307 to 294246; replace others, such as by NaT."
            )
    return found


def _check_unit(dtype, name):
    """Raise a ValueError if durations are in months or years, which differ in length."""
    unit, _ = np.datetime_data(dtype)
    if unit in ("M", "Y"):
        raise ValueError(
            f"Column {name!r} has durations of dtype {dtype}, which are no number of seconds. "
            "Convert them to numbers, or to days."
        )


def _infer_from_objects(values, name):
    is_missing = np.fromiter(map(_is_missing, values), dtype=bool, count=len(values))
    present = values[~is_missing]
    types = set(map(type, present.tolist()))
    if not types:
        return EMPTY, values
    if types <= {bool, np.bool_}:
        return BOOLEAN, _labels(values, is_missing, name)
    for classes, kind, missing, convert in _OF_OBJECTS:
        if all(issubclass(each, classes) for each in types):
            for value in present:
                if isinstance(value, np.timedelta64):
                    _check_unit(value.dtype, name)
                elif isinstance(value, np.datetime64):
                    _microseconds(np.array([value]), name)
            return kind, _filled(missing, is_missing, [convert(value) for value in present])
    return CATEGORY, _labels(values, is_missing, name)


def _filled(missing, is_missing, present):
    """Return a column of the values present, and ``missing`` elsewhere."""
    column = np.full(len(is_missing), missing)
    column[~is_missing] = present
    return column


def read_as(kind, values, name):
    """Return a column of a later table as the kind that it had in ``fit``.

    Parameters
    ----------
    kind : str
        Kind of the column in ``fit``.
    values : ndarray of shape (n_samples,)
        The column, of any dtype.
    name : object
        Its name, for errors.
    """
    found, column = infer(values, name)
    if kind in (found, EMPTY):
        return column
    if found == EMPTY:
        missing = {NUMBER: np.nan, DATETIME: _NAT}.get(kind)
        dtype = object if missing is None else None
        return np.full(len(values), missing, dtype=dtype)
    if kind == CATEGORY:
        return _as_labels(found, column, name)
    if kind == BOOLEAN and found == NUMBER:
        known = {0.0: "False", 1.0: "True"}
        return np.array([known.get(value) for value in column.tolist()], dtype=object)
    if kind == BOOLEAN and found == CATEGORY:
        return column
    if kind == NUMBER and found != DATETIME:
        return _as_numbers(column, name)
    raise ValueError(
        f"Column {name!r} was of kind {kind!r} in fit, and is now {found!r} (dtype "
        f"{values.dtype}). Convert it to what it was."
    )


def _as_labels(found, column, name):
    """Return numbers or times as categories; booleans are strings already."""
    if found == BOOLEAN:
        return column
    is_missing = np.isnat(column) if found == DATETIME else np.isnan(column)
    return _labels(column, is_missing, name)


def _as_numbers(labels, name):
    """Return labels as numbers: booleans are 0 and 1, text has to be a number."""
    numeric = {None: np.nan, "False": 0.0, "True": 1.0}
    try:
        return np.array([float(numeric.get(text, text)) for text in labels])
    except ValueError as error:
        raise ValueError(
            f"Column {name!r} held numbers in fit, and is now text ({error}). Convert it to "
            "numbers, or in fit to strings, if its values are categories."
        ) from None
