"""TabularPreprocessor with tables of every kind, in pipelines, and its errors."""

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils._testing import SkipTest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import MLPClassifier, TabularPreprocessor

SETTINGS = [{}, {"heavy_tail_threshold": 1.0, "dtype": "float64"}]
SIZE = 60


def a_table():
    """Return a DataFrame with a column of every kind, and missing values in most."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 10, SIZE),
            "income": rng.standard_cauchy(SIZE),
            "rooms": pd.array(rng.integers(1, 5, SIZE), dtype="Int64"),
            "constant": 3,
            "city": rng.choice(["Rome", "Oslo", "Bern", None], SIZE),
            "user": [f"u{i}" for i in rng.integers(0, 80, SIZE)],
            "grade": pd.Categorical(rng.choice(["good", "bad"], SIZE), ["good", "bad", "never"]),
            "code": pd.Categorical(rng.integers(0, 3, SIZE)),
            "member": rng.random(SIZE) > 0.5,
            "agreed": pd.array(rng.random(SIZE) > 0.5, dtype="boolean"),
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(SIZE) * 7.3, unit="D"),
            "waited": pd.to_timedelta(rng.integers(0, 100, SIZE), unit="min"),
            "nothing": None,
        }
    )
    table.loc[3, ["age", "rooms", "grade", "agreed", "seen", "waited"]] = None
    table["local"] = table["seen"].dt.tz_localize("UTC").dt.tz_convert("Europe/Rome")
    return table


def encoded(X):
    """Return the names and values of the outputs."""
    preprocessor = TabularPreprocessor()
    values = preprocessor.fit_transform(X)
    assert values.shape[1] == len(preprocessor.get_feature_names_out())
    return preprocessor.get_feature_names_out().tolist(), values


@parametrize_with_checks([TabularPreprocessor(**settings) for settings in SETTINGS])
def test_estimator_checks(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        assert "SCIPY_ARRAY_API" in str(reason)  # noqa: PT017


def test_columns_of_every_kind():
    names, values = encoded(a_table())
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert [name for name in names if not name.startswith(("user_u", "seen_", "local_"))] == [
        *("age", "age_missing", "income", "income_standardized", "rooms", "rooms_missing"),
        *("constant", "city_Bern", "city_Oslo", "city_Rome", "user_infrequent", "grade_good"),
        *("code_0", "code_1", "code_2", "member_True", "agreed_True"),
        *("seen", "waited", "waited_missing", "nothing", "local"),
    ]
    parts = [
        f"{cycle}_{part}" for cycle in ("day", "week", "month", "year") for part in ("sin", "cos")
    ]
    assert [name for name in names if name.startswith("seen_")] == [
        f"seen_{part}" for part in ["missing", *parts]
    ]


def test_new_values():
    table = a_table()
    preprocessor = TabularPreprocessor().set_output(transform="pandas").fit(table)
    new = table.iloc[:4].copy()
    new.loc[0, "city"] = "Cork"
    new.loc[1, "city"] = None
    new["age"] = [np.nan, 1e308, np.inf, -np.inf]
    rows = preprocessor.transform(new)
    assert np.isfinite(rows.to_numpy()).all()
    assert rows.filter(like="city_").iloc[:2].to_numpy().sum() == 0
    assert rows["age"].tolist() == [0, 3, 3, -3]
    assert rows["grade_good"].iloc[3] == 0


def test_set_output_keeps_the_index():
    table = a_table().set_index(np.arange(SIZE) + 100)
    frame = TabularPreprocessor().set_output(transform="pandas").fit_transform(table)
    assert frame.index.tolist() == table.index.tolist()
    assert set(frame.dtypes) == {np.dtype(np.float32)}


def test_arrow_tables_and_dtypes():
    table = a_table().drop(columns="nothing")
    names, values = encoded(table)
    for other in (table.convert_dtypes(dtype_backend="pyarrow"), pyarrow.Table.from_pandas(table)):
        other_names, other_values = encoded(other)
        assert other_names == names
        np.testing.assert_allclose(other_values, values, atol=1e-6)


@pytest.mark.parametrize("dtype", [pyarrow.date32(), pyarrow.date64()], ids=str)
def test_arrow_dates(dtype):
    days = pd.Series(pd.to_datetime(["2024-02-03", "2025-07-01", None, "2024-12-31"]))
    column = pd.array(pyarrow.array(days.dt.date, type=dtype), dtype=pd.ArrowDtype(dtype))
    names, values = encoded(pd.DataFrame({"day": days}))
    other_names, other_values = encoded(pd.DataFrame({"day": column}))
    assert other_names == names
    np.testing.assert_array_equal(other_values, values)


def test_polars():
    table = a_table().drop(columns=["nothing", "code"])
    frame = polars.from_pandas(table)
    names, values = encoded(table)
    other_names, other_values = encoded(frame)
    assert other_names == names
    np.testing.assert_array_equal(other_values, values)
    inputs = TabularPreprocessor().set_output(transform="polars").fit_transform(frame)
    assert isinstance(inputs, polars.DataFrame)
    assert inputs.columns == names
    with pytest.raises(TypeError, match=r"X is a LazyFrame.*Pass X\.collect\(\)"):
        TabularPreprocessor().fit(frame.lazy())
    with pytest.raises(ValueError, match=r"Column 'local' has times of the zone 'UTC', and had"):
        TabularPreprocessor().fit(frame).transform(
            frame.with_columns(polars.col("local").dt.convert_time_zone("UTC"))
        )
    kinds = polars.DataFrame(
        {"d": ["1.5", "2"], "t": [1, 2], "e": ["a", "b"], "none": [None, None]},
        schema_overrides={"e": polars.Enum(["b", "a"])},
    ).with_columns(polars.col("d").cast(polars.Decimal(5, 2)), polars.col("t").cast(polars.Time))
    found = TabularPreprocessor().fit(kinds).kinds_
    assert found == ["number", "number", "category", "empty"]
    values = polars.Series([3, None, 7])
    expected = encoded(polars.DataFrame({"n": values}))[1]
    for dtype in (polars.Int8, polars.UInt64, polars.Int128):
        found = encoded(polars.DataFrame({"n": values.cast(dtype)}))[1]
        np.testing.assert_array_equal(found, expected)


def test_object_arrays_and_lists_are_read_like_frames():
    table = a_table()[["age", "city", "member", "seen"]]
    _, expected = encoded(table)
    for X in (table.to_numpy(dtype=object), table.to_numpy(dtype=object).tolist()):
        names, values = encoded(X)
        np.testing.assert_array_equal(values, expected)
        assert names[:3] == ["x0", "x0_missing", "x1_Bern"]
    names, values = encoded([[1, "a"], [3, "b"], [2, "a"]])
    assert names == ["x0", "x1_b"]
    np.testing.assert_allclose(values[:, 0], np.array([-1, 1, 0]) / np.sqrt(1 + 1 / 9), rtol=1e-6)


def test_arrays_of_one_dtype():
    assert encoded(np.array([[True], [False]]))[0] == ["x0_True"]
    assert encoded(np.array([["a"], ["b"], ["c"]]))[0] == ["x0_infrequent"]
    times = np.array([["2024-01-01"], ["2024-01-02"]], dtype="datetime64[D]")
    assert encoded(times)[0][:2] == ["x0", "x0_week_sin"]
    masked = np.ma.masked_array([[1.0], [2.0], [4.0]], mask=[[True], [False], [False]])
    np.testing.assert_array_equal(encoded(masked)[1], encoded([[np.nan], [2.0], [4.0]])[1])
    pairs = np.array([[1.0, 2.0], [3.0, 5.0]], dtype=">f4", order="F")
    np.testing.assert_array_equal(encoded(pairs)[1], encoded(pairs.tolist())[1])


def test_names_are_unique():
    table = pd.DataFrame({"a": ["b_c", "x", "y"] * 2, "a_b": ["c", "d", "e"] * 2})
    assert encoded(table)[0] == ["a_b_c", "a_x", "a_y", "a_b_c_2", "a_b_d", "a_b_e"]
    names = TabularPreprocessor().fit(np.eye(2)).get_feature_names_out(["p", "q"])
    assert names.tolist() == ["p", "q"]


def test_clone_pickle_and_dtype():
    table = a_table()
    preprocessor = TabularPreprocessor(dtype="float64", min_frequency=0.1, max_categories=5)
    expected = preprocessor.fit_transform(table)
    assert expected.dtype == np.float64
    copies = [
        pickle.loads(pickle.dumps(preprocessor)),
        clone(preprocessor).fit(table),
        preprocessor.set_params(dtype="float32"),  # changes the next fit
    ]
    for copy in copies:
        np.testing.assert_array_equal(copy.transform(table), expected)
    with pytest.raises(NotFittedError):
        clone(preprocessor).get_feature_names_out()


def test_in_a_search():
    table = a_table()
    y = np.where(table["member"], "yes", "no")
    network = MLPClassifier(max_iter=300, learning_rate_init=0.01, tol=0.01, random_state=0)
    search = GridSearchCV(
        make_pipeline(TabularPreprocessor(), network),
        {"tabularpreprocessor__heavy_tail_threshold": [0.0, 0.8]},
        cv=3,
    ).fit(table.drop(columns="user"), y)
    assert search.best_score_ > 0.7
    assert search.best_estimator_[-1].coefs_[0].dtype == np.float32


def test_heavy_tails_keep_their_line():
    x = np.random.default_rng(0).standard_t(1.5, size=(500, 1))
    with_copy = TabularPreprocessor(dtype="float64").fit_transform(x)
    without = TabularPreprocessor(heavy_tail_threshold=0, dtype="float64").fit_transform(x)
    for inputs, smallest, largest in ((with_copy, 0.999999, 1.1), (without, 0.0, 0.8)):
        assert smallest < np.corrcoef(x[:, 0], inputs[:, -1])[0, 1] ** 2 < largest


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        (
            {"heavy_tail_threshold": 1.1},
            ValueError,
            r"heavy_tail_threshold=1.1 must be in .*\[0, 1\]",
        ),
        ({"heavy_tail_threshold": np.nan}, ValueError, "heavy_tail_threshold=nan"),
        ({"heavy_tail_threshold": "a"}, TypeError, "heavy_tail_threshold='a' must be a number"),
        ({"heavy_tail_threshold": True}, TypeError, "heavy_tail_threshold=True"),
        ({"min_frequency": 0}, ValueError, "min_frequency=0 must be an int of at least 1, or a"),
        ({"min_frequency": 1.0}, ValueError, "min_frequency=1.0"),
        ({"min_frequency": None}, TypeError, "min_frequency=None must be a number"),
        ({"max_categories": 1}, ValueError, "max_categories=1 must be at least 2"),
        ({"max_categories": 2.0}, TypeError, "max_categories=2.0 must be an int"),
        ({"dtype": "int64"}, ValueError, "dtype='int64' must be 'float32' or 'float64'"),
        ({"dtype": None}, ValueError, "dtype=None"),
        ({"dtype": np.ones(2)}, ValueError, "dtype=array"),
    ],
)
def test_invalid_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        TabularPreprocessor(**parameters).fit(np.eye(2))


@pytest.mark.parametrize("make", [np.dtype, str, lambda name: getattr(np, name)])
def test_dtypes_in_other_words(make):
    numbers = TabularPreprocessor(dtype=make("float64"), min_frequency=np.int64(1))
    assert numbers.fit_transform(np.eye(2)).dtype == np.float64


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (sparse.eye(3, format="csr"), TypeError, "Sparse data .* requires dense data.*toarray"),
        (pd.DataFrame({"a": []}), ValueError, r"0 sample\(s\) \(shape=\(0, 1\)\)"),
        (pd.DataFrame(index=[0, 1]), ValueError, r"0 feature\(s\) \(shape=\(2, 0\)\)"),
        (pd.DataFrame(np.eye(2), columns=["a", "a"]), ValueError, "more than one column 'a'"),
        (pd.Series([1, 2], name="a"), ValueError, "2-dimensional"),
        (pd.DataFrame({"a": [1j, 2]}), ValueError, "Complex data not supported: column 'a'"),
        (pd.DataFrame({"a": [[1], [2]]}), TypeError, "column 'a' holds"),
        (pd.DataFrame({"a": [1.0], 5: [2.0]}), TypeError, "names"),
    ],
)
def test_refused_tables(X, error, message):
    preprocessor = TabularPreprocessor().fit(a_table())
    kinds = preprocessor.kinds_
    with pytest.raises(error, match=message):
        preprocessor.fit(X)
    assert preprocessor.kinds_ is kinds
    assert preprocessor.transform(a_table()).shape[0] == SIZE


def test_other_columns_than_in_fit():
    table = a_table()
    preprocessor = TabularPreprocessor().fit(table)
    with pytest.raises(ValueError, match="feature names"):
        preprocessor.transform(table.rename(columns={"age": "years"}))
    with pytest.raises(ValueError, match=r"Column 'age' held numbers in fit"):
        preprocessor.transform(table.assign(age="old"))
    with pytest.raises(ValueError, match=r"Column 'seen' .*'datetime' in fit"):
        preprocessor.transform(table.assign(seen=1.0))
    with pytest.raises(ValueError, match=r"Column 'local' .*had 'Europe/Rome' in fit"):
        preprocessor.transform(table.assign(local=table["seen"]))
    with pytest.raises(ValueError, match=r"Column 'seen' .*'UTC', and had '' in fit"):
        preprocessor.transform(table.assign(seen=table["seen"].dt.tz_localize("UTC")))
    assert np.isfinite(preprocessor.transform(table.assign(seen=None, local=None))).all()


def test_other_libraries_are_read_through_pandas():
    with config_context(transform_output="pandas"):
        frame = TabularPreprocessor().fit_transform(SimpleNamespace(to_pandas=a_table))
    np.testing.assert_array_equal(frame.to_numpy(), encoded(a_table())[1])


def test_copies_depend_on_the_targets():
    x = np.random.default_rng(0).standard_cauchy((500, 1))
    labels = np.where(x[:, 0] > 0, "a", "b")
    for y, n_outputs in (
        (None, 2),
        (x, 2),
        (pd.Series(x[:, 0]), 2),
        (np.c_[labels == "a", x], 2),
        (x[:, 0] > 0, 1),
        (labels, 1),
        (labels.tolist(), 1),
        (np.tanh(x), 1),
        (sparse.csr_matrix(x), 1),
        (np.full(500, np.nan), 1),
        (x * 1e300, 1),
    ):
        assert TabularPreprocessor().fit_transform(x, y).shape == (500, n_outputs)
    with pytest.raises(ValueError, match="y=3 must be an array of 500 targets"):
        TabularPreprocessor().fit(x, 3)
    with pytest.raises(ValueError, match=r"pass y=MultiLabelBinarizer\(\)\.fit_transform\(y\)"):
        make_pipeline(TabularPreprocessor(), MLPClassifier()).fit(x, [["a"], ["a", "b"]] * 250)
    with pytest.raises(ValueError, match="y has 3 samples, and X 500"):
        TabularPreprocessor().fit(x, [1, 2, 3])
