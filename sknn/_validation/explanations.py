"""What to do about X and y that are refused, added to the errors of scikit-learn's checks; nothing
of it is computed before a check has failed. And a warning about y that is accepted, but is hardly
what was meant.
"""

import contextlib
import datetime
import math
import re
from numbers import Real
from typing import NamedTuple

import numpy as np

from .._warnings import warn_user

WITHOUT_MISSING = "y has missing values (None or NaN); leave their rows out of X and y."
_SHOWN = 5  # columns that a message names
_DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


@contextlib.contextmanager
def explaining(estimator, X, y=None, *, y_numeric=False):
    """Add the way out to errors about X and y, as the user gave them.

    Parameters
    ----------
    estimator : BaseMLP
    X : table
    y : targets, default=None
        None in predictions.
    y_numeric : bool, default=False
        Whether y must hold numbers.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        # the message is scikit-learn's, whose filters and tests read its beginning
        text = _without_values(error)
        name = type(estimator).__name__
        hints = [*_shape_hints(text, X, y), *_table_hints(text, name, X)]
        if y is not None:
            hints += _target_hints(text, X, y, y_numeric)
        if not hints and text == str(error):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind("\n".join([text, *hints])) from None


@contextlib.contextmanager
def leaving_out_values():
    """Leave the values of an array out of errors: some of scikit-learn's messages print them."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = _without_values(error)
        if text == str(error):
            raise
        raise type(error)(text) from None


def _without_values(error):
    """Return an error's message without the values of an array."""
    text = str(error)
    if text.startswith("Complex data not supported"):
        return text.partition("\n")[0]
    return re.sub(r"(?s) instead:\narray=.*\.\n", " instead.\n", text)


# ---- shapes ------------------------------------------------------------------------------------


def _shape_hints(text, X, y):
    """Return what to do about shapes that were refused."""
    shape, y_shape = (getattr(data, "shape", None) for data in (X, y))
    if "inconsistent numbers of samples" in text and None not in (shape, y_shape):
        return [f"X has shape {shape} and y has shape {y_shape}; both must have a row a sample."]
    if "Expected 2D array" in text and shape is not None:
        return [f"X has shape {shape}; it must be (n_samples, n_features)."]
    if "Complex data" in text:
        name = "X" if np.iscomplexobj(X) else "y"
        return [f"Pass real numbers, such as numpy.column_stack([{name}.real, {name}.imag])."]
    if "Found array with dim" in text and shape is not None and len(shape) > 2:
        flat = shape[0], int(np.prod(shape[1:]))
        return [f"X has shape {shape}. X.reshape(len(X), -1) flattens each sample: {flat}."]
    if "Found array with dim" in text and y_shape is not None and len(y_shape) > 2:
        return [f"y has shape {y_shape}; it must be (n_samples,) or (n_samples, n_outputs)."]
    return []


def _is_ragged(table):
    """Return whether a list of rows is no array, since they differ in length."""
    try:
        np.asarray(table)
    except ValueError:
        return True
    return False


# ---- tables ------------------------------------------------------------------------------------


class Column(NamedTuple):
    """A column of a table that cannot be read as numbers, or has values that are not finite."""

    label: object  # the name in a data frame, else the position
    dtype: str  # of a data frame's column, else empty
    fault: str
    sample: object  # a value that is no number

    def __str__(self):
        return f"{self.label!r} ({self.dtype})" if self.dtype else str(self.label)


def _table_hints(text, name, X):
    """Return what to do about columns that cannot be read as numbers, or miss values."""
    if "inhomogeneous" in text and _is_ragged(X):
        return ["X has rows of different lengths; each must have one number a feature."]
    try:
        columns = [column for column in _columns(X) if column is not None]
    except (TypeError, ValueError, IndexError):  # no table at all, as the error says
        return []
    by_fault = {}
    for column in columns:
        by_fault.setdefault(column.fault, []).append(column)
    wording = {
        "strings": _strings_hint,
        "dates": _dates_hint,
        "objects": _objects_hint,
        "NaN": _missing_hint,
        "infinity": _infinity_hint,
    }
    hints = [
        wording[fault](name, found)
        for fault, found in by_fault.items()
        if fault in ("strings", "dates", "objects") or fault in text
    ]
    if not columns and ("X must hold real numbers" in text or "arrays of bytes/strings" in text):
        return ["X has numbers of another type; X.astype(float) converts them."]
    return hints


def _columns(X):
    """Return for each column of a table a :class:`Column`, or None if there is no fault."""
    if hasattr(X, "tocsr"):
        return []
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        take = getattr(X, "iloc", X)
        return [
            _find_fault(label, str(dtype), take[:, i])
            for i, (label, dtype) in enumerate(zip(X.columns, X.dtypes, strict=True))
        ]
    table = np.asarray(X)
    if table.ndim != 2:
        return []
    return [_find_fault(i, "", table[:, i]) for i in range(table.shape[1])]


def _find_fault(label, dtype, values):
    """Return a :class:`Column`, or None if all values are finite numbers."""
    values = _without_na(values)
    if values.dtype.kind == "c":
        return None  # scikit-learn's error says all
    if values.dtype.kind in "mM":
        return Column(label, dtype, "dates", None)
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        no_numbers = (value for value in values.tolist() if not _is_number(value))
        sample = next(no_numbers, None)
        return Column(label, dtype, _fault_of(sample), sample)
    if np.isnan(numbers).any():
        return Column(label, dtype, "NaN", None)
    return None if np.isfinite(numbers).all() else Column(label, dtype, "infinity", None)


def _without_na(values):
    """Return an array of a column's values, with NaN for what the data frame calls missing."""
    if not hasattr(values, "isna"):
        return np.asarray(values)
    is_missing = np.asarray(values.isna())
    values = np.asarray(values)
    if values.dtype != object or not is_missing.any():
        return values
    return np.where(is_missing, np.nan, values)


def _is_number(value):
    """Return whether a value alone can be read as a number, as None is as NaN."""
    try:
        float(np.nan if value is None else value)
    except (TypeError, ValueError):
        return False
    return True


def _fault_of(sample):
    if isinstance(sample, (str, bytes)):
        return "strings"
    return "dates" if isinstance(sample, _DATES) else "objects"


def _listed(columns):
    """Return columns in words."""
    word = "column" if len(columns) == 1 else "columns"
    rest = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"{word} {', '.join(map(str, columns[:_SHOWN]))}{rest}"


def _strings_hint(name, columns):
    labels = [column.label for column in columns]
    return (
        f"X has strings or categories in {_listed(columns)}, and networks read numbers. Encode "
        "them in a pipeline, for instance make_pipeline(make_column_transformer((OneHotEncoder("
        f"handle_unknown='ignore'), {labels!r}), remainder=StandardScaler()), {name}())."
    )


def _dates_hint(name, columns):
    return (
        f"X has dates or times in {_listed(columns)}. Replace them by numbers, such as the year, "
        "the month, or the days since a date."
    )


def _objects_hint(name, columns):
    return (
        f"X has objects that are no numbers in {_listed(columns)}, such as one of type "
        f"{type(columns[0].sample).__name__!r}. Replace them by numbers."
    )


def _missing_hint(name, columns):
    return (
        f"X has missing values in {_listed(columns)}. Fill them in, for instance by make_pipeline("
        f"SimpleImputer(add_indicator=True), StandardScaler(), {name}())."
    )


def _infinity_hint(name, columns):
    return f"X has infinite values in {_listed(columns)}. Replace them, or leave these rows out."


# ---- targets -----------------------------------------------------------------------------------


def _target_hints(text, X, y, y_numeric):
    """Return what to do about targets that were refused."""
    if "inhomogeneous" in text or "setting an array element with a sequence" in text:
        way_out = "For a list of labels in each row, pass y=MultiLabelBinarizer().fit_transform(y)."
        return [] if _is_ragged(X) else [way_out]
    if "at least 1 dimension" in text:
        return [f"y is of type {type(y).__name__}; pass an array with the target of each sample."]
    try:
        values = _without_na(y)
    except (TypeError, ValueError):
        return []
    if has_missing(values) or text.startswith("Input y contains NaN"):
        return [WITHOUT_MISSING]
    if not y_numeric or values.dtype.kind in "biufc":
        return []
    are_numbers = values.dtype.kind in "OUS" and all(map(_is_number, values.ravel().tolist()))
    of_numbers = "y has numbers as strings or objects; convert it by y.astype(float)."
    of_others = "MLPRegressor predicts numbers; for classes use MLPClassifier."
    return [of_numbers if are_numbers else of_others]


def has_missing(y):
    """Return whether an array of objects has None or NaN among them."""
    return y.dtype.kind == "O" and any(map(_is_missing, y.ravel().tolist()))


def _is_missing(value):
    if type(value).__name__ in ("NAType", "NaTType"):  # those of pandas, which is not imported
        return True
    return value is None or (isinstance(value, Real) and math.isnan(value))


def warn_of_one_hot(y):
    """Warn if each row of an indicator matrix has exactly one 1.

    Few rows of a multilabel target may do so by chance.
    """
    n_rows, n_labels = y.shape
    if n_rows > n_labels > 1 and (np.count_nonzero(y, axis=1) == 1).all():
        warn_user(
            f"y of shape {y.shape} has exactly one 1 in each row, as one-hot encoded classes have, "
            f"but is taken as {n_labels} labels that do not exclude each other (multilabel). If "
            "they do, pass the classes themselves: numpy.argmax(y, axis=1), or "
            "LabelBinarizer.inverse_transform(y)."
        )
