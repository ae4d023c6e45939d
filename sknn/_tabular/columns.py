"""From a table to its columns as NumPy arrays.

pandas and polars are not imported: a table comes from a library that is loaded, so its own methods
are enough. What other libraries have, such as pyarrow, is converted by its ``to_pandas``.
"""

from collections import Counter

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from .kinds import label


def as_table(X, estimator):
    """Return X as a pandas or polars DataFrame or as an array with two dimensions.

    Parameters
    ----------
    X : object
        What a user gave.
    estimator : str
        Name of the estimator, for errors.
    """
    if issparse(X):
        raise TypeError(
            f"Sparse data was passed as X, but {estimator} requires dense data: it centers "
            "columns. Use X.toarray() if there is enough memory, or "
            "sklearn.preprocessing.MaxAbsScaler, which keeps X sparse."
        )
    if not _is_frame(X) and hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if _is_frame(X) and len(X.shape) == 2:
        _check_not_empty(X.shape, estimator)
        _check_unique([*X.columns])
        return X
    if isinstance(X, np.ma.MaskedArray):
        X = np.where(np.ma.getmaskarray(X), None, X.data.astype(object))  # masked is missing
    if isinstance(X, list | tuple) and np.asarray(X).dtype.kind in "SU":
        X = np.array(X, dtype=object)  # or the numbers beside a string would be strings too
    return check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator, input_name="X")


def _is_pandas(X):
    return hasattr(X, "iloc")


def _is_polars(X):
    return hasattr(X, "get_columns")


def _is_frame(X):
    return _is_pandas(X) or _is_polars(X)


def _check_not_empty(shape, estimator):
    for n, axis, what in zip(shape, (0, 1), ("sample(s)", "feature(s)"), strict=True):
        if n == 0:
            raise ValueError(
                f"Found array with 0 {what} (shape={shape}) while a minimum of 1 is required by "
                f"{estimator}. X has to have rows and columns (axis {axis} is empty)."
            )


def _check_unique(names):
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"X has more than one column {twice[0]!r}. Rename or drop one.")


def column_arrays(table):
    """Yield the columns of what ``as_table`` returned, as arrays of any dtype."""
    if _is_pandas(table):
        for i in range(table.shape[1]):
            yield _from_pandas(table.iloc[:, i])
    elif _is_polars(table):
        yield from map(_from_polars, table.get_columns())
    else:
        yield from table.T


def _from_pandas(series):
    """Return a pandas Series as an array; categories as strings, zoned times by local clock."""
    if series.dtype.name == "category":
        labels = [label(level, series.name) for level in series.cat.categories]
        return np.array([*labels, None], dtype=object)[series.cat.codes.to_numpy()]
    if series.dtype.name.startswith("period"):
        series = series.dt.to_timestamp()
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iuf":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if _has_times(series):
        series = series.dt.tz_localize(None)
        return series.to_numpy(None if isinstance(series.dtype, np.dtype) else "datetime64[us]")
    if kind == "m":
        return series.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan)
    return series.to_numpy()


def _has_times(series):
    """Return whether a pandas Series has times; pyarrow's dates have less, and become objects."""
    dtype = series.dtype
    is_date = dtype.name.startswith(("date32", "date64"))
    return getattr(dtype, "kind", "O") == "M" and not is_date


def _from_polars(series):
    """Return a polars Series as an array; zoned times by local clock, text as strings or None."""
    if getattr(series.dtype, "time_zone", None) is not None:
        series = series.dt.replace_time_zone(None)
    if series.dtype.is_integer():
        series = series.cast(float)  # NumPy has no integers of 128 bits
    if series.dtype.is_numeric() or (series.dtype.is_temporal() and hasattr(series.dt, "year")):
        values = series.to_numpy()
        if values.dtype.kind in "iufMm":
            return values
    values = np.empty(len(series), dtype=object)
    values[:] = series.to_list()
    return values


def time_zone(table, position):
    """Return the zone of a column of times, '' if it has none, and None for other columns."""
    if _is_pandas(table):
        series = table.iloc[:, position]
        if _has_times(series):
            return str(series.dt.tz or "")
    elif _is_polars(table):
        dtype = table.get_columns()[position].dtype
        if hasattr(dtype, "time_zone"):
            return dtype.time_zone or ""
    return None


def numeric_targets(y, n_samples):
    """Return y as numbers of shape (n_samples, n_targets); labels of classes are no targets."""
    if y is None:
        return None
    values = np.empty(0) if issparse(y) else _as_array(y)
    if values.dtype.kind not in "iuf" or values.size == 0:
        return np.empty((n_samples, 0))
    if values.ndim == 0:
        raise ValueError(f"y={y!r} must be an array of {n_samples} targets, one for each sample.")
    if len(values) != n_samples:
        raise ValueError(f"y has {len(values)} samples, and X {n_samples}. Each needs its target.")
    targets = values.reshape(n_samples, -1).astype(np.float64)
    return np.where(np.isfinite(targets).all(axis=0), targets, 0.0)


def _as_array(y):
    """Return y as an array, an empty one if it is a list of lists of labels of other lengths."""
    try:
        return np.asarray(y)
    except ValueError:  # the network's error says what to do
        return np.empty(0)
