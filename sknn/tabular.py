"""Preprocessing of tables as they are into inputs for networks."""

import numbers

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from ._tabular import kinds
from ._tabular.categories import CategoryEncoder
from ._tabular.columns import as_table, column_arrays, numeric_targets, time_zone
from ._tabular.datetimes import DatetimeEncoder
from ._tabular.numeric import EmptyEncoder, NumberEncoder
from ._validation.containers import refuse_lazy_frames
from ._validation.explanations import leaving_out_values
from ._versions import DocumentationLinkMixin


class TabularPreprocessor(TransformerMixin, DocumentationLinkMixin, BaseEstimator):
    r"""Transformer from tables of all kinds of columns to inputs for a network.

    Takes pandas and polars DataFrames and arrays, with numbers, booleans, categories, strings,
    dates and missing values. The output is dense and finite, and each column is followed by those
    that are derived from it.

    **Numbers** are scaled robustly, :math:`x' = s (x - \mathrm{median})`, and clipped smoothly,
    :math:`x' / \sqrt{1 + (x' / 3)^2}`, to values between -3 and 3 [1]_. Here :math:`s` is
    :math:`1 / (q_{75} - q_{25})` with the quartiles, :math:`2 / (\max - \min)` where they are
    equal, and 0 for constants. A column with heavy tails, in which the target is linear, gets a
    second copy that is not clipped but standardized to mean 0 and variance 1. Missing numbers
    become the median, and if the training set has any, a further column is 1 for them. Durations
    and times of day are numbers of seconds.

    **Categories and strings** are one-hot encoded. Rare levels share a column, and so do those
    beyond `max_categories`. Columns with two levels, and **booleans**, become one column of -1 and
    1. Missing and unknown levels are 0 everywhere.

    **Dates**, with or without a time of day, become a number, scaled as above, and sine and cosine
    of their position in the day, the week, the month and the year, where that varies. Missing
    dates are 0 there. Dates with a time zone count by their local clock.

    Parameters
    ----------
    heavy_tail_threshold : float, default=0.8
        Numbers can get a standardized copy if the squared correlation between them and their
        clipped values is below this, in the range [0, 1]. It is 1.00 for normal, 0.95 for
        exponential, 0.78 for lognormal and 0.02 for Cauchy distributions. If ``fit`` is given y,
        the squared correlation with y (or one of its columns) must also be larger by at least 0.01
        before the clip than after it; labels that are not numbers allow no copies. 0 means none.
    min_frequency : int or float, default=2
        Levels with fewer samples share a column: a number of samples, or, in the range (0, 1), a
        fraction of them. 1 keeps all. Columns with two levels keep both.
    max_categories : int, default=40
        Largest number of columns for a column of categories, at least 2. The most frequent levels
        have their own.
    dtype : {'float32', 'float64'}, default='float32'
        Dtype of the output, and so of the arithmetic of a network that is fitted to it.

    Attributes
    ----------
    kinds_ : list of str
        What each column is: 'number', 'boolean', 'category', 'datetime', or 'empty' if it had no
        values, which is encoded as 0.
    n_features_in_ : int
        Number of columns seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns seen during ``fit``. Only if they are all strings.

    See Also
    --------
    MLPClassifier : Network that the output is made for.
    sklearn.compose.ColumnTransformer : Transformers of your choice for columns of your choice.

    Notes
    -----
    The kind of a column is inferred from its dtype, and for ``object`` from its values. Strings
    are not parsed: convert numbers and dates that are strings, and convert numbers that are codes
    of categories to strings. ``transform`` requires columns of the same kinds. Infinite
    numbers become -3 and 3. A standardized copy is limited to 10 times its largest value in the
    training set.

    References
    ----------
    .. [1] D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data", 2024, :arxiv:`2407.04491`.

    Examples
    --------
    >>> import pandas as pd
    >>> from sknn import TabularPreprocessor
    >>> X = pd.DataFrame(
    ...     {
    ...         "age": [31, 45, None, 28],
    ...         "city": ["Rome", "Oslo", "Rome", "Oslo"],
    ...         "member": [True, False, True, True],
    ...     }
    ... )
    >>> preprocessor = TabularPreprocessor().set_output(transform="pandas")
    >>> preprocessor.fit_transform(X).round(2)
        age  age_missing  city_Rome  member_True
    0  0.00          0.0        1.0          1.0
    1  1.44          0.0       -1.0         -1.0
    2  0.00          1.0        1.0          1.0
    3 -0.35          0.0       -1.0          1.0
    """

    def __init__(
        self, *, heavy_tail_threshold=0.8, min_frequency=2, max_categories=40, dtype="float32"
    ):
        self.heavy_tail_threshold = heavy_tail_threshold
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.dtype = dtype

    def fit(self, X, y=None):
        """Learn kinds, scales and levels of the columns.

        Parameters
        ----------
        X : {DataFrame, array-like} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. If there are any, only columns in which they are linear get a standardized
            copy.

        Returns
        -------
        self : TabularPreprocessor
            The fitted transformer.

        Raises
        ------
        TypeError
            If X is sparse, or if a column holds containers, such as lists.
        ValueError
            If a parameter is out of range, if X is empty or complex, if two columns have the same
            name, or if y has another length.
        """
        self._check_parameters()
        table = self._read(X)
        targets = numeric_targets(y, table.shape[0])
        found = []
        encoders = []
        for name, values in zip(_names(table), column_arrays(table), strict=True):
            kind, column = kinds.infer(values, name)
            found.append(kind)
            encoders.append(self._encoder(kind).fit(column, targets))
        validate_data(self, table, skip_check_array=True)  # learns number and names of columns
        self.kinds_ = found
        self._zones = [
            time_zone(table, i) if kind == kinds.DATETIME else None for i, kind in enumerate(found)
        ]
        self._encoders = encoders
        self._dtype = np.dtype(self.dtype)
        return self

    def _read(self, X):
        """Return X as a DataFrame or array of rows and columns, or raise the error about it."""
        refuse_lazy_frames(X=X)
        with leaving_out_values():
            return as_table(X, type(self).__name__)

    def _check_parameters(self):
        """Raise a ValueError that names the parameter, or a TypeError."""
        _check_number("heavy_tail_threshold", self.heavy_tail_threshold, numbers.Real)
        _check_number("min_frequency", self.min_frequency, numbers.Real)
        _check_number("max_categories", self.max_categories, numbers.Integral)
        if not 0 <= self.heavy_tail_threshold <= 1:
            raise ValueError(
                f"heavy_tail_threshold={self.heavy_tail_threshold!r} must be in the range [0, 1]."
            )
        is_count = isinstance(self.min_frequency, numbers.Integral)
        if not (self.min_frequency >= 1 if is_count else 0 < self.min_frequency < 1):
            raise ValueError(
                f"min_frequency={self.min_frequency!r} must be an int of at least 1, or a "
                "fraction in the range (0, 1)."
            )
        if self.max_categories < 2:
            raise ValueError(f"max_categories={self.max_categories!r} must be at least 2.")
        is_dtype = isinstance(self.dtype, str | type | np.dtype)
        if not is_dtype or self.dtype not in ("float32", "float64", np.float32, np.float64):
            raise ValueError(f"dtype={self.dtype!r} must be 'float32' or 'float64'.")

    def _encoder(self, kind):
        """Return an encoder for a kind of column."""
        if kind == kinds.NUMBER:
            return NumberEncoder(self.heavy_tail_threshold)
        if kind == kinds.DATETIME:
            return DatetimeEncoder(self.heavy_tail_threshold)
        if kind == kinds.EMPTY:
            return EmptyEncoder()
        return CategoryEncoder(self.min_frequency, self.max_categories)

    def transform(self, X):
        """Encode the columns.

        Parameters
        ----------
        X : {DataFrame, array-like} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            The inputs, or a DataFrame after ``set_output``.

        Raises
        ------
        TypeError
            If X is sparse, or if a column holds containers, such as lists.
        ValueError
            If columns differ in number, name, kind or time zone from those in ``fit``.
        """
        check_is_fitted(self)
        table = self._read(X)
        validate_data(self, table, reset=False, skip_check_array=True)
        self._check_zones(table)
        columns = zip(_names(table), column_arrays(table), strict=True)
        encoded = np.empty((table.shape[0], len(self._output_names())), dtype=self._dtype)
        position = 0
        for (name, values), kind, encoder in zip(columns, self.kinds_, self._encoders, strict=True):
            for output in encoder.transform(kinds.read_as(kind, values, name)):
                encoded[:, position] = output
                position += 1
        return encoded

    def _check_zones(self, table):
        """Raise a ValueError if a column of times has another zone than in ``fit``."""
        for i, zone in enumerate(self._zones):
            if zone is not None and time_zone(table, i) not in (zone, None):
                raise ValueError(
                    f"Column {_names(table)[i]!r} has times of the zone {time_zone(table, i)!r}, "
                    f"and had {zone!r} in fit. Convert them to that zone ('' is none)."
                )

    def _output_names(self, names=None):
        """Return the names of all outputs, each once: a second 'a_b' is called 'a_b_2'."""
        names = range(self.n_features_in_) if names is None else names
        outputs = {}
        for name, encoder in zip(names, self._encoders, strict=True):
            for output in encoder.names(name):
                unique = output
                number = 1
                while unique in outputs:
                    number += 1
                    unique = f"{output}_{number}"
                outputs[unique] = None
        return list(outputs)

    def get_feature_names_out(self, input_features=None):
        """Get the names of the outputs.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns, if the table had none. By default 'x0', 'x1' and so on.

        Returns
        -------
        feature_names_out : ndarray of str objects
            The name of the column, followed by the level, 'standardized', 'missing', or cycle and
            'sin' or 'cos'.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return np.array(self._output_names(names), dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []  # it is a parameter
        return tags


def _check_number(name, value, kind):
    """Raise a TypeError unless a parameter is a number of a kind."""
    if not isinstance(value, kind) or isinstance(value, bool | np.bool_):
        words = "an int" if kind is numbers.Integral else "a number"
        raise TypeError(f"{name}={value!r} must be {words}, not {type(value).__name__}.")


def _names(table):
    """Return the names of a table's columns, or their numbers."""
    return list(getattr(table, "columns", range(table.shape[1])))
