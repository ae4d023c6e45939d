"""Errors and warnings about X and y name the columns at fault, and the way out."""

import datetime
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.neural_network
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknn import (
    MLPClassifier,
    MLPRegressor,
    PeriodicEncoder,
    PiecewiseLinearEncoder,
    TabularPreprocessor,
)
from sknn._validation import explanations

pytestmark = pytest.mark.filterwarnings("ignore:X has feature names", "ignore:Stochastic Optimizer")

N_ROWS = 12
NUMBERS = np.random.default_rng(0).normal(size=N_ROWS)
X = np.column_stack([NUMBERS, NUMBERS**2])
CODES = np.arange(N_ROWS) % 2
HALF = [None, 1] * (N_ROWS // 2)
WORDS = np.array(["good", "bad"])[CODES]
DAYS = pd.Series(pd.date_range("2020-01-01", periods=N_ROWS))
RECIPE = re.compile(r"for instance (?:by )?(make_pipeline\(.*\))\.$", re.MULTILINE)


def frame(values, **kwargs):
    return pd.DataFrame({"a": NUMBERS, "b": pd.Series(values, **kwargs)})


def objects(values):
    column = np.empty(N_ROWS, dtype=object)
    column[:] = values
    return np.column_stack([NUMBERS.astype(object), column])


STRINGS = {
    "categories": frame(WORDS, dtype="category"),
    "categories beside float32": frame(WORDS, dtype="category").astype({"a": np.float32}),
    "missing categories": frame([None, "x"] * (N_ROWS // 2), dtype="category"),
    "strings": frame(WORDS),
    "string dtype": frame(WORDS, dtype="string"),
    "object dtype": frame(WORDS, dtype=object),
    "array of objects": objects(WORDS),
    "array with None": objects([None, "x"] * (N_ROWS // 2)),
}
MISSING = {
    "frame": frame(np.where(NUMBERS > 0, NUMBERS, np.nan)),
    "nullable integers": frame(HALF, dtype="Int64"),
    "nullable booleans": frame([None, True] * (N_ROWS // 2), dtype="boolean"),
    "array": np.column_stack([NUMBERS, np.where(NUMBERS > 0, NUMBERS, np.nan)]),
    "array with None": objects(HALF),
}
NO_NUMBERS = {
    "dates": (frame(DAYS), "dates or times in column 'b' (datetime64"),
    "durations": (frame(DAYS - DAYS[0]), "dates or times in column 'b' (timedelta64"),
    "array of dates": (
        objects([datetime.date(2020, 1, 1)] * N_ROWS),
        "dates or times in column 1.",
    ),
    "dates alone": (DAYS.to_frame().to_numpy(), "dates or times in column 0."),
    "dicts": (objects([{}] * N_ROWS), "in column 1, such as one of type 'dict'."),
    "infinity": (objects(np.where(NUMBERS > 0, np.inf, 0)), "infinite values in column 1."),
    "integers as objects": (
        frame(CODES, dtype="category").astype({"a": np.float32}).astype(object),
        None,
    ),
}


def error_of(X, y=CODES, kind=MLPClassifier, **validation):
    network = kind(hidden_layer_sizes=(3,), max_iter=2)
    with pytest.raises((TypeError, ValueError)) as error:
        network.fit(X, y, **validation)
    assert vars(network) == network.get_params()
    return str(error.value)


def run_recipe(text, X):
    """Fit the pipeline that a message recommends."""
    names = {
        "make_pipeline": make_pipeline,
        "make_column_transformer": make_column_transformer,
        "OneHotEncoder": OneHotEncoder,
        "SimpleImputer": SimpleImputer,
        "StandardScaler": StandardScaler,
        "MLPClassifier": lambda: MLPClassifier((3,), max_iter=2),
    }
    model = eval(RECIPE.search(text).group(1), names)
    assert model.fit(X, CODES).predict(X).shape == (N_ROWS,)


@pytest.mark.parametrize("X", STRINGS.values(), ids=STRINGS)
def test_columns_of_strings_are_named_and_the_recipe_works(X):
    text = error_of(X)
    where = f"column 'b' ({X.dtypes['b']})" if hasattr(X, "dtypes") else "column 1"
    assert f"X has strings or categories in {where}, and networks read numbers." in text
    run_recipe(text, X)


@pytest.mark.parametrize("X", MISSING.values(), ids=MISSING)
def test_columns_with_missing_values_are_named_and_the_recipe_works(X):
    text = error_of(X)
    assert text.startswith("Input X contains NaN.\nMLPClassifier does not accept missing values")
    where = f"column 'b' ({X.dtypes['b']})" if hasattr(X, "dtypes") else "column 1"
    assert f"X has missing values in {where}." in text
    run_recipe(text, X)


@pytest.mark.parametrize(("X", "where"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_other_columns_are_named(X, where):
    if where is None:
        MLPClassifier((3,), max_iter=2).fit(X, CODES)
        return
    assert where in error_of(X)


@pytest.mark.parametrize("encoder", [PeriodicEncoder, PiecewiseLinearEncoder])
def test_encoders_of_numbers_name_columns_too(encoder):
    for table, hint in (
        (frame(WORDS), "X has strings or categories in column 'b'"),
        (frame(HALF), "X has missing values in column 'b' (float64)"),
    ):
        for method in (encoder().fit, encoder().fit(frame(NUMBERS)).transform):
            with pytest.raises(ValueError, match=re.escape(hint)):
                method(table)


def test_numbers_as_text_are_named():
    text = error_of(X.astype(str))
    assert text.endswith("X has numbers of another type; X.astype(float) converts them.")
    MLPClassifier((3,), max_iter=2).fit(X.astype(str).astype(float), CODES)


def test_only_some_of_many_columns_are_listed():
    text = error_of(np.where(np.ones((N_ROWS, 30)) > 0, np.nan, 0))
    assert "columns 0, 1, 2, 3, 4 and 25 more." in text


def test_several_faults_are_all_named():
    table = frame(WORDS).assign(c=DAYS, d=np.nan)
    text = error_of(table)
    assert "strings or categories in column 'b'" in text
    assert "dates or times in column 'c'" in text


def test_columns_of_the_same_name_are_told_apart_by_their_types():
    table = frame(WORDS, dtype="category").set_axis(["a", "a"], axis=1)
    assert "in column 'a' (category)" in error_of(table)


@pytest.mark.parametrize("table", STRINGS.values(), ids=STRINGS)
def test_predictions_name_the_columns_too(table):
    network = MLPClassifier((3,), max_iter=2).fit(X, CODES)
    for method in ("predict", "predict_proba", "hidden_features"):
        with pytest.raises((ValueError, TypeError), match="strings or categories in column"):
            getattr(network, method)(table)


def test_what_scikit_learn_says_well_stays_as_it_is():
    for table in (X[:0], sparse.csr_array(X * np.nan)):
        theirs = sklearn.neural_network.MLPClassifier((3,), max_iter=2)
        with pytest.raises((ValueError, TypeError)) as error:
            theirs.fit(table, CODES)
        assert error_of(table) == str(error.value)


@pytest.mark.parametrize(
    ("table", "y", "hint"),
    [
        (np.ones((N_ROWS, 4, 4)), CODES, "X.reshape(len(X), -1) flattens each sample: (12, 16)."),
        (X, CODES[:5], "X has shape (12, 2) and y has shape (5,);"),
        (X, CODES[None], "X has shape (12, 2) and y has shape (1, 12);"),
        (X, np.ones((N_ROWS, 2, 2)), "y has shape (12, 2, 2); it must be (n_samples,) or"),
        (X[:, 0], CODES, "X has shape (12,); it must be (n_samples, n_features)."),
        ([[1.0, 2.0], [3.0]] * (N_ROWS // 2), CODES, "X has rows of different lengths;"),
    ],
)
def test_shapes_are_named(table, y, hint):
    assert hint in error_of(table, y)


@pytest.mark.parametrize(
    ("table", "y", "kind", "beginning"),
    [
        (np.arange(500.0), CODES, MLPClassifier, "Expected 2D array, got 1D array instead.\n"),
        (list(range(500)), CODES, MLPClassifier, "Expected 2D array, got 1D array instead.\n"),
        (np.ones((500, 9)) * 1j, CODES, MLPClassifier, "Complex data not supported\n"),
        (X, NUMBERS * 1j, MLPRegressor, "Complex data not supported\n"),
    ],
)
def test_values_of_an_array_are_not_printed(table, y, kind, beginning):
    text = error_of(table, y, kind)
    assert text.startswith(beginning)
    assert len(text) < 300


@pytest.mark.parametrize("kind", [PeriodicEncoder, PiecewiseLinearEncoder, TabularPreprocessor])
@pytest.mark.parametrize("table", [np.arange(500.0), np.ones((500, 9)) * 1j])
def test_values_of_an_array_are_not_printed_by_transformers(kind, table):
    for method in (kind().fit, kind().fit(X).transform):
        with pytest.raises(ValueError, match=r"Expected 2D array|Complex data") as error:
            method(table)
        assert len(str(error.value)) < 300


# ---- targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "y", "hint"),
    [
        (MLPRegressor, WORDS, "for classes use MLPClassifier."),
        (MLPRegressor, pd.Series(WORDS, dtype="category"), "for classes use MLPClassifier."),
        (MLPRegressor, DAYS, "for classes use MLPClassifier."),
        (MLPRegressor, DAYS.to_numpy("datetime64[ns]"), "for classes use MLPClassifier."),
        (MLPRegressor, NUMBERS.astype(str), "convert it by y.astype(float)."),
        (MLPRegressor, np.array([None, 1.0] * (N_ROWS // 2)), "Input y contains NaN."),
        (MLPRegressor, pd.Series(HALF, dtype="Int64"), "leave their rows out of X and y."),
        (MLPRegressor, np.where(NUMBERS > 0, np.nan, 0.0), "leave their rows out of X and y."),
        (MLPClassifier, np.where(NUMBERS > 0, np.nan, 0.0), "leave their rows out of X and y."),
        (MLPClassifier, np.array([None, "a"] * (N_ROWS // 2)), "leave their rows out of X and y."),
        (MLPClassifier, np.array(["a", None] * (N_ROWS // 2)), "leave their rows out of X and y."),
        (MLPClassifier, np.array(["a", pd.NA] * (N_ROWS // 2)), "leave their rows out of X and y."),
        (
            MLPClassifier,
            np.array(["a", pd.NaT] * (N_ROWS // 2)),
            "leave their rows out of X and y.",
        ),
        (MLPClassifier, np.array(["a", 1] * (N_ROWS // 2), dtype=object), "by y.astype(str)."),
        (MLPClassifier, np.array(["a", 2**70] * (N_ROWS // 2)), "by y.astype(str)."),
        (MLPClassifier, (CODES == 1).astype(object), "such as by y.astype(bool)."),
        (MLPClassifier, CODES.astype(object), "such as by y.astype(int)."),
        *(
            (MLPClassifier, np.array(labels * (N_ROWS // 2), dtype=object), "y.astype(str).")
            for labels in (["b", b"a"], [b"a", "b"], [b"a", 1], [b"a", b"b"], [1j, 2.0])
        ),
        (MLPClassifier, np.array([b"a", b"b"] * (N_ROWS // 2)), "by y.astype(str)."),
        (MLPClassifier, np.array(DAYS.dt.date, dtype=object), "by y.astype(str)."),
        (MLPClassifier, np.zeros(N_ROWS, dtype=[("a", int)]), "y has dtype [('a', '<i8')]"),
        (MLPRegressor, 3, "y is of type int; pass an array with the target of each sample."),
        (MLPRegressor, {"a": NUMBERS}, "y is of type dict; pass an array"),
        (MLPClassifier, iter(WORDS), "pass an array with the target of each sample."),
        (MLPClassifier, [["a", "b"], ["c"]] * (N_ROWS // 2), "MultiLabelBinarizer()"),
        (MLPClassifier, np.column_stack([WORDS, WORDS]), "MultiOutputClassifier"),
    ],
)
def test_targets_that_are_refused_have_a_way_out(kind, y, hint):
    assert hint in error_of(X, y, kind)


@pytest.mark.parametrize(
    ("classes", "hint"),
    [
        (np.array(["b", b"a"], dtype=object), "by classes.astype(str)."),
        (["b", None], "classes has missing values"),
        ([["a", "b"], ["c"]], "classes=[['a', 'b'], ['c']] must have one label for each class."),
        ([0, 1, np.nan], "classes=[0, 1, nan] has missing values"),
        (np.array([b"a", b"b"]), "by classes.astype(str)."),
    ],
)
def test_classes_that_are_refused_have_a_way_out(classes, hint):
    estimator = MLPClassifier()
    with pytest.raises((ValueError, TypeError), match=re.escape(hint)):
        estimator.partial_fit(X, CODES, classes=classes)
    assert not hasattr(estimator, "classes_")


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_one_hot_classes_are_warned_of(container):
    y = np.eye(3, dtype=int)[np.arange(N_ROWS) % 3]
    network = MLPClassifier((3,), max_iter=2)
    with pytest.warns(UserWarning, match=r"y of shape \(12, 3\) has exactly one 1 .*argmax"):
        network.fit(X, container(y))
    with pytest.warns(UserWarning, match="exactly one 1"):
        MLPClassifier((3,)).partial_fit(X, container(y), classes=[0, 1, 2])
    # what the message recommends; older versions of SciPy return a column for sparse targets
    classes = np.ravel(np.argmax(container(y), axis=1))
    assert MLPClassifier((3,), max_iter=2).fit(X, classes).classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "y",
    [
        np.column_stack([CODES, np.ones(N_ROWS, int)]),  # a row has two
        np.column_stack([CODES, 0 * CODES]),  # a row has none
        np.eye(N_ROWS, dtype=int),  # too few rows to tell
    ],
)
def test_other_multilabel_targets_are_not_warned_of(y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier((3,), max_iter=2).fit(X, y)


def test_validation_samples_are_not_warned_of_again():
    y = np.eye(2, dtype=int)[CODES]
    y[0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier((3,), max_iter=2).fit(X, y, X_val=X[1:], y_val=y[1:])


@pytest.mark.parametrize(
    ("validation", "texts"),
    [
        ({"X_val": X}, ["must be given together, but y_val is missing"]),
        ({"y_val": CODES}, ["must be given together, but X_val is missing"]),
        ({"X_val": X, "y_val": CODES + 1}, ["X_val and y_val", "Leave rows of [2] out"]),
        ({"X_val": STRINGS["strings"], "y_val": CODES}, ["transform_input=['X_val']", "'b'"]),
        ({"X_val": X[:, :1], "y_val": CODES}, ["transform_input=['X_val']", "1 features"]),
    ],
)
def test_validation_samples_have_a_way_out(validation, texts):
    error = error_of(X, **validation)
    for text in texts:
        assert text in error


def test_rows_that_cannot_be_held_out_have_a_way_out():
    network = MLPClassifier((3,), early_stopping=True, validation_fraction=0.1)
    with pytest.raises(
        ValueError, match=r"early_stopping=True cannot hold out .* of 5 rows; .*X_val"
    ):
        network.fit(X[:5], CODES[:5])


def test_class_of_one_row_has_a_way_out():
    network = MLPClassifier((3,), early_stopping=True, validation_fraction=0.2)
    y = np.where(np.arange(N_ROWS) == 7, "rare", "usual")
    with pytest.raises(
        ValueError, match=r"of one class in y there is only one; .*X_val .*early_stopping=False"
    ):
        network.fit(X, y)


# ---- before fit --------------------------------------------------------------------------------


def test_fitted_attributes_before_fit_say_that_fit_is_missing():
    network = MLPClassifier((3,), max_iter=2)
    for name in ("history_", "coefs_", "classes_", "loss_curve_"):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'.*not fitted yet"):
            getattr(network, name)
    with pytest.raises(AttributeError, match=r"no attribute 'histroy_'$"):
        network.fit(X, CODES).histroy_  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'compile'$"):
        MLPClassifier().compile  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'"):
        MLPClassifier(solver="lbfgs").partial_fit  # noqa: B018


def test_tables_that_cannot_be_read_have_no_explanation():
    class Broken:
        columns = ("a",)
        dtypes = ("float64",)

    assert explanations._table_hints("", "MLPClassifier", Broken()) == []
