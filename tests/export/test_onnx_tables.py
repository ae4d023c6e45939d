"""ONNX models of preprocessors, ensembles and pipelines, against their own outputs."""

import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import (
    Activation,
    EnsembleClassifier,
    EnsembleRegressor,
    HiddenFeatures,
    MLPClassifier,
    MLPRegressor,
    PeriodicEncoder,
    PiecewiseLinearEncoder,
    TabularPreprocessor,
    tabular_pipeline,
)
from sknn.export import to_onnx

N_SAMPLES = 80
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 3, "batch_size": 16, "random_state": 0}
DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(string)": object,
}


def run(model, table):
    """Return the outputs of a model, whose inputs are one table, or its columns in order."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    inputs = session.get_inputs()
    rows = [table[[column]].to_numpy() for column in table] if len(inputs) > 1 else [table]
    feed = {
        each.name: np.asarray(values).astype(DTYPES[each.type])
        for each, values in zip(inputs, rows, strict=True)
    }
    return session.run(None, feed)


def random_table(seed, levels=("Rome", "Oslo", "Bern", "Graz", "True")):
    """Return a table with numbers of all scales, levels, booleans, and values missing in each."""
    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((N_SAMPLES, 5)) * 10.0 ** rng.integers(-3, 6, size=5)
    numbers += 10.0 ** rng.integers(-3, 6, size=5)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    numbers[:, 4] = np.nan if seed % 2 else 7.0
    table = pd.DataFrame(numbers, columns=list("abcde"))
    table["tail"] = np.exp(4 * rng.standard_normal(N_SAMPLES))
    table.loc[:2, "tail"] = [np.inf, -np.inf, np.nan]
    table["value_3"] = rng.integers(-3, 4, size=N_SAMPLES)
    shares = rng.dirichlet(np.full(len(levels), 0.7))
    table["home town"] = rng.choice(levels, size=N_SAMPLES, p=shares)
    table["two"] = rng.choice(["m", "f"], size=N_SAMPLES)
    table["code"] = pd.Categorical(rng.choice([1, 2, 30], size=N_SAMPLES))
    table["flag"] = rng.random(N_SAMPLES) < 0.5
    table = table.astype({"home town": object, "two": object})
    table.loc[rng.random(N_SAMPLES) < 0.1, ["home town", "two"]] = None
    return table


def finite_tail(table):
    return table["tail"].clip(1e-6, 1e6).fillna(1.0).to_numpy()


@pytest.mark.parametrize("seed", range(9))
def test_random_tables(seed):
    """With each version of ONNX's operators."""
    table = random_table(seed)
    dtype = ("float32", "float64")[seed // 2 % 2]
    preprocessor = TabularPreprocessor(
        dtype=dtype, max_categories=3, min_frequency=int(1 + seed % 3)
    )
    preprocessor.fit(table, finite_tail(table) if seed % 3 else None)
    later = random_table(seed + 100, levels=("Rome", "Oslo", "Bern", "Graz", "elsewhere", ""))
    later["code"] = np.arange(N_SAMPLES) % 4
    later.loc[5, "e"] = np.inf
    model = to_onnx(preprocessor, opset=13 + seed)
    for rows in (table, later):
        (found,) = run(model, rows)
        expected = preprocessor.transform(rows)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-12 if dtype == "float64" else 1e-6)


TARGETS = {
    "names": ("classifier", {}),
    "two classes": ("classifier", {}),
    "labels": ("classifier", {}),
    "one target": ("regressor", {}),
    "two targets": ("regressor", {}),
    "quantiles": ("regressor", {"loss": "quantile", "quantile": (0.1, 0.9)}),
    "counts": ("regressor", {"loss": "poisson"}),
}
TRAINING = random_table(0)
LATER = random_table(1, levels=("Rome", "Oslo", "elsewhere", ""))


def targets_of(name):
    number = np.log(finite_tail(TRAINING)) + TRAINING["flag"]
    return {
        "names": np.array(["few", "some", "many"])[np.digitize(number, [-1, 1])],
        "two classes": (number > 0).to_numpy(),
        "labels": np.column_stack([number > 0, TRAINING["two"] == "m"]).astype(int),
        "two targets": np.column_stack([number, 100 * number**2]),
        "counts": np.exp(number / 4).round(),
    }.get(name, number.to_numpy())


def check(model, estimator, rows):
    """Compare a model's outputs with the estimator's, to 1e-5."""
    *labels, found = run(model, rows)
    if labels:
        np.testing.assert_array_equal(labels[0], estimator.predict(rows))
        np.testing.assert_allclose(found, estimator.predict_proba(rows), rtol=1e-5, atol=1e-5)
    else:
        expected = np.reshape(estimator.predict(rows), (len(rows), -1))
        largest = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * largest)


@pytest.mark.parametrize("effort", ["fast", "best"])
@pytest.mark.parametrize("name", TARGETS)
def test_tabular_pipelines(name, effort):
    task, overrides = TARGETS[name]
    if effort == "best":
        overrides = {**overrides, "n_estimators": 2}
    pipeline = tabular_pipeline(task, effort, **SMALL, **overrides)
    pipeline.fit(TRAINING, targets_of(name))
    model = to_onnx(pipeline)
    for rows in (TRAINING, LATER):
        check(model, pipeline, rows)


@pytest.fixture(scope="module")
def pipeline():
    return tabular_pipeline("classifier", **SMALL).fit(TRAINING, targets_of("names"))


def test_inputs_that_skl2onnx_guesses(pipeline):
    """float32 columns stay float32, and so the rows have to be."""
    rows = TRAINING.astype({"a": np.float32, "tail": np.float32})
    model = skl2onnx.to_onnx(pipeline, rows, options={"zipmap": False})
    kinds = [
        each.type for each in onnxruntime.InferenceSession(model.SerializeToString()).get_inputs()
    ]
    check(model, pipeline, rows)
    assert len(set(kinds)) == 5


def test_a_member_begins_with_a_preprocessor():
    """Then the ensemble has an input a column."""
    member = tabular_pipeline("classifier", **SMALL)
    ensemble = EnsembleClassifier(member, 2).fit(TRAINING, targets_of("names"))
    check(to_onnx(ensemble), ensemble, LATER)


def test_arithmetic_in_float64():
    """The preprocessor's dtype is that of what follows, whatever the inputs are."""
    member = MLPClassifier((8,), max_iter=3, n_iter_no_change=9)
    for last in (member, EnsembleClassifier(member, 2)):
        pipeline = make_pipeline(TabularPreprocessor(dtype="float64"), last)
        pipeline.fit(TRAINING, targets_of("names"))
        labels, probabilities = run(to_onnx(pipeline), LATER)
        np.testing.assert_array_equal(labels, pipeline.predict(LATER))
        np.testing.assert_allclose(probabilities, pipeline.predict_proba(LATER), rtol=1e-12)


def test_searches(pipeline):
    search = GridSearchCV(pipeline, {"network__max_iter": [2]}, cv=2)
    search.fit(TRAINING, targets_of("names"))
    check(to_onnx(search), search, LATER)


def test_steps_that_do_nothing():
    steps = [("idle", "passthrough"), ("first", TabularPreprocessor()), ("encoder", None)]
    variants = [{"encoder": "passthrough"}, {"encoder": PiecewiseLinearEncoder(3)}]
    network = Pipeline([*steps, ("network", MLPClassifier(**SMALL))])
    ensemble = EnsembleClassifier(network, 2, variants=variants, random_state=0)
    search = GridSearchCV(ensemble, {"estimator__network__max_iter": [2]}, cv=2)
    for last in (network, search):
        pipeline = Pipeline([("outer", "passthrough"), ("last", last)])
        pipeline.fit(TRAINING, targets_of("names"))
        check(to_onnx(pipeline), pipeline, LATER)
        assert pipeline.steps[0] == ("outer", "passthrough")


def test_columns_chosen_by_name():
    """Only an example tells the types of columns that no preprocessor knows."""
    choice = ColumnTransformer([("a", StandardScaler(), ["tail"]), ("b", "passthrough", ["flag"])])
    table = pd.DataFrame({"flag": TRAINING["flag"], "tail": finite_tail(TRAINING)})
    pipeline = make_pipeline(choice, MLPClassifier(**SMALL)).fit(table, targets_of("names"))
    with pytest.raises(ValueError, match="ColumnTransformer chooses columns by their names"):
        to_onnx(pipeline)
    model = skl2onnx.to_onnx(pipeline, table[:1], options={"zipmap": False})
    check(model, pipeline, table)


def test_a_table_of_numbers_is_one_input():
    X = np.random.default_rng(0).standard_normal((N_SAMPLES, 3)) ** 5
    X[::9, 1] = np.nan
    pipeline = tabular_pipeline("regressor", **SMALL).fit(X, X[:, 0])
    for dtype in ("float64", "float32"):
        model = to_onnx(pipeline, name="rows", dtype=dtype)
        assert [each.name for each in model.graph.input] == ["rows"]
        check(model, pipeline, X.astype(dtype))


def test_arrays_with_text_have_an_input_a_column():
    X = TRAINING[["a", "two"]].to_numpy(dtype=object)
    preprocessor = TabularPreprocessor().fit(X)
    model = to_onnx(preprocessor)
    assert [each.name for each in model.graph.input] == ["x0", "x1"]
    (found,) = run(model, TRAINING[["a", "two"]])
    np.testing.assert_allclose(found, preprocessor.transform(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("is_text", [False, True])
def test_missing_booleans_and_codes(is_text):
    """They can be numbers, where NaN is missing, or text."""
    table = pd.DataFrame({"flag": [True, None, False, True], "code": pd.Categorical([2, 3, 3, 2])})
    preprocessor = TabularPreprocessor().fit(table)
    kind = StringTensorType if is_text else DoubleTensorType
    types = [(name, kind([None, 1])) for name in table]
    model = skl2onnx.to_onnx(preprocessor, initial_types=types)
    text = pd.DataFrame({"flag": ["True", "", "False", "True"], "code": ["2", "3", "3", "2"]})
    (found,) = run(model, text if is_text else table.astype(np.float64))
    np.testing.assert_array_equal(found, [[1, -1], [0, 1], [-1, 1], [1, -1]])


def test_inputs_are_known_by_name_or_by_order():
    table = TRAINING[["a", "b", "two"]]
    preprocessor = TabularPreprocessor().fit(table)

    real = DoubleTensorType([None, 1])
    text = StringTensorType([None, 1])
    expected = preprocessor.transform(table)
    by_order = skl2onnx.to_onnx(preprocessor, initial_types=[("x", real), ("y", real), ("z", text)])
    np.testing.assert_allclose(run(by_order, table)[0], expected, atol=1e-5)
    by_name = skl2onnx.to_onnx(
        preprocessor, initial_types=[("two", text), ("b", real), ("a", real)]
    )
    np.testing.assert_allclose(run(by_name, table[["two", "b", "a"]])[0], expected, atol=1e-5)
    types = [("a", real), ("c", real), ("two", text)]
    with pytest.raises(ValueError, match=r"names \['c'\], which are no columns .* lacks \['b'\]"):
        skl2onnx.to_onnx(preprocessor, initial_types=types)


# ---- one step alone ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_piecewise_linear_columns(dtype):
    """Also in bins that are narrow for float32."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(50), rng.integers(2, size=50), 1e4 + rng.random(50)])
    X = X.astype(dtype)
    for n_bins in (0, 5):
        encoder = PiecewiseLinearEncoder(n_bins, scale=0.7).fit(X)
        (found,) = run(to_onnx(encoder, dtype=dtype), X)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, encoder.transform(X), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_waves(dtype):
    """Also far from 0, where a period is smaller than the distance of numbers."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(50), rng.integers(2, size=50), 1e4 * rng.random(50)])
    X = X.astype(dtype)
    X[:2, 2] = np.finfo(dtype).max, np.finfo(dtype).min
    for n_frequencies in (0, 5):
        encoder = PeriodicEncoder(n_frequencies, amplitude=0.7, random_state=0).fit(X)
        (found,) = run(to_onnx(encoder, dtype=dtype), X)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, encoder.transform(X), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_hidden_features(layer):
    """Also of a network that was fitted before, and between other steps."""
    X = np.random.default_rng(0).standard_normal((N_SAMPLES, 3)).astype(np.float32)
    network = MLPClassifier((4, 3), batch_norm="after", skip=True, max_iter=2, n_iter_no_change=9)
    network.fit(X, X[:, 0] > 0)
    for estimator in (network, FrozenEstimator(network)):
        features = HiddenFeatures(estimator, layer)
        pipeline = make_pipeline(StandardScaler(), features).fit(X, X[:, 0] > 0)
        (found,) = run(to_onnx(pipeline, dtype="float32"), X)
        np.testing.assert_allclose(found, pipeline.transform(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_members_that_are_no_networks(dtype):
    X = np.random.default_rng(0).standard_normal((N_SAMPLES, 3)).astype(dtype)
    y = X @ np.ones((3, 2))
    for member in (LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())):
        classifier = EnsembleClassifier(member, 2).fit(X, y[:, 0] > 0)
        check(to_onnx(classifier, dtype=dtype), classifier, X)
    for targets in (y, y[:, 0]):
        regressor = EnsembleRegressor(make_pipeline(StandardScaler(), Ridge()), 2).fit(X, targets)
        check(to_onnx(regressor, dtype=dtype), regressor, X)


def test_option_nocl_of_an_ensemble():
    X = np.random.default_rng(0).standard_normal((N_SAMPLES, 3))
    names = np.where(X[:, 0] > 0, "more", "less")
    ensemble = EnsembleClassifier(LogisticRegression(), 2).fit(X, names)
    options = {EnsembleClassifier: {"zipmap": False, "nocl": True}}
    model = skl2onnx.to_onnx(ensemble, X[:1], options=options)
    np.testing.assert_array_equal(run(model, X)[0], ensemble.predict(X) == "more")


@pytest.mark.parametrize("kind", [FloatTensorType, DoubleTensorType])
def test_a_network_with_an_input_a_column(kind):
    X = pd.DataFrame(np.random.default_rng(0).standard_normal((N_SAMPLES, 2)), columns=["a", "b"])
    X["b"] = (X["b"] > 0).astype(np.int64)
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    network.set_params(n_iter_no_change=9).fit(X, X["a"])
    types = [("a", kind([None, 1])), ("b", Int64TensorType([None, 1]))]
    check(skl2onnx.to_onnx(network, initial_types=types), network, X)


# ---- errors ------------------------------------------------------------------------------------


def convert(table, **types):
    types = [(name, kind([None, 1])) for name, kind in types.items()]
    return skl2onnx.to_onnx(TabularPreprocessor().fit(table), initial_types=types)


def test_columns_that_cannot_be_converted():
    table = pd.DataFrame({"seen": pd.to_datetime(["2024-01-01", "2024-01-02"]), "n": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"Column 'seen' holds times, .* Make numbers of it"):
        to_onnx(TabularPreprocessor().fit(table))
    with pytest.raises(ValueError, match=r"Column 'n' held numbers in fit, .* FloatTensorType"):
        convert(table[["n"]], n=StringTensorType)
    levels = pd.DataFrame({"city": ["Rome", "Oslo", "01"], "flag": [True, False, True]})
    for kind in (Int64TensorType, BooleanTensorType):
        with pytest.raises(ValueError, match=r"'city' had levels such as .* StringTensorType"):
            convert(levels, city=kind, flag=BooleanTensorType)
    with pytest.raises(
        ValueError, match=r"have 1 columns, and TabularPreprocessor was fitted to 2"
    ):
        convert(levels, city=StringTensorType)


def test_an_activation_of_ones_own_in_a_pipeline_is_named(pipeline):
    own = Activation(np.sin, np.cos)
    member = make_pipeline(StandardScaler(), MLPClassifier((3,), activation=own, max_iter=1))
    X = TRAINING[["value_3"]].to_numpy(dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ensemble = EnsembleClassifier(member, 1).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match=r"Activation\(sin, cos\) has no operators in ONNX"):
        to_onnx(ensemble)


def test_what_is_not_fitted_or_no_estimator():
    for estimator in (tabular_pipeline("classifier"), EnsembleRegressor(MLPRegressor())):
        with pytest.raises(NotFittedError):
            to_onnx(estimator)
    with pytest.raises(TypeError, match="not an estimator"):
        to_onnx("network")
