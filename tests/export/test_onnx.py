"""ONNX models, run by onnxruntime, against the estimators' own predictions."""

import subprocess
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pandas
import pytest
import skl2onnx
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknn import Activation, Loss, MLPClassifier, MLPRegressor
from sknn.export import to_onnx
from sknn.parts import operators
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.losses import LOSSES, REGRESSION_LOSSES

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
Y = np.exp(X[:, :3] @ rng.standard_normal((3, 3)) / 2)
NAMES = np.array(["apple", "pear", "quince"])
CODES = Y.argmax(axis=1)


def fitted(estimator, y, dtype="float64"):
    """Return the estimator, fitted for three epochs, with norms and biases that are far from 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", ".* without hidden layers")
        estimator.set_params(max_iter=3, random_state=0, dtype=dtype).fit(X, y)
    for name in ("intercepts_", "batch_norm_scale_", "batch_norm_shift_"):
        for array in getattr(estimator, name, []):
            array[...] = array + np.random.default_rng(1).standard_normal(array.shape)
    return estimator


def run(model, X, name="X"):
    """Return the outputs of a model by name."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {name: X}), strict=True))


def check(estimator, dtype, **options):
    """Compare the model's outputs with the estimator's, to 1e-5 or to 1e-12."""
    found = run(to_onnx(estimator, dtype=dtype, **options), X.astype(dtype))
    exact = np.asarray(estimator.coefs_[0]).dtype == dtype == "float64"
    tolerance = {"rtol": 1e-12, "atol": 1e-12} if exact else {"rtol": 1e-5, "atol": 1e-5}
    if isinstance(estimator, MLPClassifier):
        np.testing.assert_array_equal(found["label"], estimator.predict(X))
        np.testing.assert_allclose(found["probabilities"], estimator.predict_proba(X), **tolerance)
        assert found["probabilities"].dtype == dtype
    else:
        expected = estimator.predict(X)
        np.testing.assert_allclose(found["variable"], expected.reshape(len(X), -1), **tolerance)
        assert found["variable"].dtype == dtype
    return found


dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@dtypes
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation, dtype):
    values = {"negative_slope": 1.7, "elu_alpha": 0.3, "maxout_pieces": 3}
    settings = {name: values[name] for name in ACTIVATIONS[activation].parameters}
    estimator = MLPRegressor(hidden_layer_sizes=(7, 4), activation=activation, **settings)
    for weights in ("float32", "float64"):
        check(fitted(estimator, Y[:, :2], weights), dtype)


@dtypes
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rows_that_are_not_finite(activation, dtype):
    """The estimator refuses them. The model has no errors, but NaN becomes no number."""
    classifier = fitted(MLPClassifier((6,), activation=activation), CODES)
    rows = X[:4].astype(dtype)
    rows[0, 1] = np.nan
    rows[1, 2] = np.inf
    for row in rows[:2]:
        with pytest.raises(ValueError, match="Input X contains"):
            classifier.predict(row[np.newaxis])
    found = run(to_onnx(classifier, dtype=dtype), rows)
    assert np.isnan(found["probabilities"][0]).all()
    assert found["label"][0] == classifier.classes_[0]
    total = found["probabilities"][1].sum()
    assert np.isnan(total) or abs(total - 1) < 1e-5
    rest = classifier.predict_proba(X[2:4])
    np.testing.assert_allclose(found["probabilities"][2:], rest, rtol=1e-5, atol=1e-5)
    regressor = fitted(MLPRegressor(hidden_layer_sizes=(6,), activation=activation), Y[:, 0])
    assert np.isnan(run(to_onnx(regressor, dtype=dtype), rows)["variable"][0]).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_operators(name):
    assert callable(ACTIVATIONS[name].onnx)


@pytest.mark.parametrize("name", LOSSES)
def test_only_a_link_that_changes_nothing_has_no_operators(name):
    part = LOSSES[name]
    assert (part.onnx is operators.identity) == (part.link.__name__ == "identity_link")


@dtypes
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_losses(loss, dtype):
    check(fitted(MLPRegressor(loss, (6,), activation="tanh"), Y[:, :2]), dtype)


@dtypes
@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("levels", [(0.1, 0.5, 0.9), (0.3,), 0.7])
def test_quantiles_do_not_cross(levels, normalize_y, dtype):
    estimator = MLPRegressor("quantile", (6,), quantile=levels, normalize_y=normalize_y)
    found = check(fitted(estimator, 10 * Y[:, 0]), dtype)["variable"]
    assert (np.diff(found, axis=1) >= 0).all()


@dtypes
def test_standardized_targets(dtype):
    check(fitted(MLPRegressor(hidden_layer_sizes=(6,), normalize_y=True), 10 * Y + 3), dtype)


@dtypes
@pytest.mark.parametrize("y", [CODES, CODES > 0, (Y > 1).astype(int)])
def test_calibrated_probabilities(y, dtype):
    estimator = fitted(MLPClassifier((6,), calibrate=True, early_stopping=True), y)
    assert abs(estimator.temperature_ - 1) > 0.01
    check(estimator, dtype)


@dtypes
def test_calibrated_quantiles(dtype):
    settings = {"loss": "quantile", "hidden_layer_sizes": (6,), "normalize_y": True}
    settings |= {"calibrate": True, "early_stopping": True}
    estimator = fitted(MLPRegressor(**settings, quantile=(0.1, 0.5, 0.9)), Y[:, 0])
    check(estimator, dtype)
    estimator.quantile_shifts_ = np.array([3.0, 0.0, -2.0])  # with which quantiles cross
    found = check(estimator, dtype)["variable"]
    assert (np.diff(found, axis=1) >= 0).all()
    check(fitted(MLPRegressor(**settings), Y), dtype)


@dtypes
def test_clipped_predictions(dtype):
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(6,), clip_output=True), X[:, :2] / 9)
    found = check(estimator, dtype)["variable"]
    assert (found == found.max(axis=0)).sum() > 2
    levels = MLPRegressor("quantile", (6,), quantile=(0.1, 0.9), clip_output=True)
    check(fitted(levels, X[:, 0] / 9), dtype)


@dtypes
def test_a_linear_path_from_the_inputs(dtype):
    settings = {"skip": True, "input_scale": 6.0, "learning_rate_init": 0.1}
    check(fitted(MLPClassifier((6, 4), **settings), NAMES[CODES], dtype), dtype)
    check(fitted(MLPRegressor(hidden_layer_sizes=6, **settings), Y, dtype), dtype)


@dtypes
@pytest.mark.parametrize("embedding", ["pbld", "piecewise_linear"])
def test_embedded_columns(embedding, dtype):
    settings = {"numeric_embedding": embedding, "skip": True, "learning_rate_init": 0.1}
    check(fitted(MLPClassifier((6, 4), **settings), NAMES[CODES], dtype), dtype)
    check(fitted(MLPRegressor(hidden_layer_sizes=(), **settings), Y, dtype), dtype)


def test_bins_whose_edges_float32_cannot_tell_apart():
    table = (1000 + 2.0**-14 * (np.arange(60)[:, np.newaxis] % 10)).astype("float32")
    network = MLPRegressor(numeric_embedding="piecewise_linear", max_iter=100, tol=1.0)
    network.fit(table, table[:, 0] - 1000)
    edges = network.embedding_edges_[0]
    assert len(np.unique(edges.astype("float32"))) < len(edges)
    found = run(to_onnx(network), table)["variable"]
    np.testing.assert_allclose(found[:, 0], network.predict(table), rtol=1e-4, atol=1e-4)
    assert len(np.unique(found)) == 10


@dtypes
@pytest.mark.parametrize("batch_norm", ["before", "after"])
@pytest.mark.parametrize("activation", ["relu", ("maxout", "gelu")])
def test_batch_normalization_and_dropout(activation, batch_norm, dtype):
    estimator = MLPClassifier(
        (6, 4), activation=activation, batch_norm=batch_norm, dropout=0.2, input_dropout=0.1
    )
    check(fitted(estimator, CODES), dtype)


TARGETS = {
    "codes": CODES,
    "other codes": 10 * CODES - 7,
    "strings": NAMES[CODES],
    "objects": NAMES.astype(object)[CODES],
    "whole floats": CODES.astype(float),
    "two strings": NAMES[np.minimum(CODES, 1)],
    "booleans": CODES > 0,
    "one class": np.full(60, 4),
    "labels": (Y > 1).astype(int),
}


@dtypes
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("hidden", [(), (6,)])
def test_classes(y, hidden, dtype):
    check(fitted(MLPClassifier(hidden), y), dtype)


def random_network(rng):
    """Return a random estimator and targets for it."""
    names = sorted(set(ACTIVATIONS) - {"sigmoid"})
    widths = tuple(rng.integers(1, 9, size=rng.integers(4)).tolist())
    settings = {
        "hidden_layer_sizes": widths,
        "activation": rng.choice(names, size=len(widths)).tolist() or "relu",
        "batch_norm": [False, "before", "after"][rng.integers(3)],
    }
    if rng.random() < 0.5:
        targets = list(TARGETS.values())
        return MLPClassifier(**settings), targets[rng.integers(len(targets))]
    loss = rng.choice(REGRESSION_LOSSES).item()
    scales = loss not in ("poisson", "gamma") and rng.random() < 0.5
    return MLPRegressor(loss, normalize_y=bool(scales), **settings), Y


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed):
    rng = np.random.default_rng(seed)
    estimator = fitted(*random_network(rng), rng.choice(["float32", "float64"]).item())
    for dtype in ("float32", "float64"):
        check(estimator, dtype, opset=int(rng.integers(13, 22)))


@pytest.mark.parametrize("opset", range(13, 22))
def test_versions_of_operators(opset):
    estimator = MLPRegressor("quantile", (6, 4), activation=("maxout", "mish"), batch_norm=True)
    estimator.set_params(quantile=(0.1, 0.9))
    model = to_onnx(fitted(estimator, Y[:, 0]), opset=opset)
    assert model.opset_import[0].version == opset
    check(estimator, "float64", opset=opset)


def test_inputs_and_outputs_have_names_types_and_shapes():
    model = to_onnx(fitted(MLPClassifier((4,)), NAMES[CODES], "float32"), name="rows")
    described = [
        (
            value.name,
            value.type.tensor_type.elem_type,
            [size.dim_value for size in value.type.tensor_type.shape.dim],
        )
        for value in (*model.graph.input, *model.graph.output)
    ]
    types = onnx.TensorProto
    assert described == [
        ("rows", types.FLOAT, [0, 5]),
        ("label", types.STRING, [0]),
        ("probabilities", types.FLOAT, [0, 3]),
    ]
    assert set(run(model, X.astype("float32"), "rows")) == {"label", "probabilities"}


def test_names_that_operators_could_have():
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(4,)), Y)
    for name in ("value_0", "value_3"):
        found = run(to_onnx(estimator, name=name), X, name)["variable"]
        np.testing.assert_allclose(found, estimator.predict(X), rtol=1e-12)


def test_assigned_weights_are_exported():
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(4,)), Y)
    estimator.coefs_ = [(2 * coefs).tolist() for coefs in estimator.coefs_]
    check(estimator, "float64")


def test_parameters_changed_after_fit_change_nothing():
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(4,), normalize_y=True), Y)
    estimator.set_params(activation="tanh", normalize_y=False, hidden_layer_sizes=(9, 9))
    check(estimator, "float64")


# ---- errors ------------------------------------------------------------------------------------


def test_an_activation_of_ones_own_is_refused():
    estimator = fitted(MLPRegressor(activation=Activation(np.sin, np.cos)), Y)
    with pytest.raises(ValueError, match=r"Activation\(sin, cos\) has no operators in ONNX"):
        to_onnx(estimator)


def test_a_loss_of_ones_own_predicts_the_outputs_as_they_are():
    def value(z, y):
        return (z - y) ** 4

    def slope(z, y):
        return 4 * (z - y) ** 3

    check(fitted(MLPRegressor(Loss(value, slope), (4,)), Y), "float64")


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": 3},
        {"name": "variable"},
        {"dtype": "float16"},
        {"dtype": int},
        {"opset": 12},
        {"opset": 10_000},
        {"opset": "18"},
    ],
    ids=str,
)
def test_options_out_of_range(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} must be"):
        to_onnx(fitted(MLPRegressor(hidden_layer_sizes=(4,)), Y), **options)


def test_what_is_no_fitted_network():
    for estimator in (MLPClassifier(), make_pipeline(StandardScaler(), MLPClassifier())):
        with pytest.raises(NotFittedError):
            to_onnx(estimator)
    with pytest.raises(TypeError, match="not an estimator"):
        to_onnx("network")


@pytest.mark.parametrize("y", [CODES + 0.5, CODES.astype(np.uint64) + np.uint64(2**63)])
def test_labels_that_onnx_does_not_have(y):
    estimator = fitted(MLPClassifier((4,)), CODES)
    estimator.classes_ = np.unique(y)
    with pytest.raises(ValueError, match="classes_ must be whole numbers or strings"):
        to_onnx(estimator)


WITHOUT_PACKAGES = """
import sys
sys.modules["onnx"] = sys.modules["skl2onnx"] = None
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "skl2onnx" else find_spec(name)
import numpy, sknn, sknn.export
for estimator in (sknn.MLPRegressor(), sknn.PiecewiseLinearEncoder().fit(numpy.eye(3))):
    try:
        sknn.export.to_onnx(estimator)
    except ImportError as error:
        print(error)
"""


def test_a_missing_package_is_named():
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGES], capture_output=True, text=True, check=True
    )
    assert "`pip install onnx`" in finished.stdout
    assert "`pip install onnx skl2onnx`" in finished.stdout


# ---- pipelines ---------------------------------------------------------------------------------

FRAME = pandas.DataFrame(X.astype("float32"), columns=list("abcde")).assign(
    color=np.array(["red", "green", "blue"])[CODES]
)


def table_pipeline(network):
    scaler = make_pipeline(StandardScaler())
    columns = ColumnTransformer(
        [("numbers", scaler, list("abcde")), ("c", OneHotEncoder(), ["color"])]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.set_params(max_iter=3, random_state=0)
        return make_pipeline(columns, network)


def run_table(model):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    columns = {name: FRAME[[name]].to_numpy() for name in FRAME}
    columns["color"] = columns["color"].astype(object)
    return session.run(None, columns)


TABLE_TYPES = [(name, FloatTensorType([None, 1])) for name in "abcde"]
TABLE_TYPES += [("color", StringTensorType([None, 1]))]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:.*without hidden layers")
@pytest.mark.parametrize("y", [NAMES[CODES], CODES, CODES > 0, (Y > 1).astype(int)])
def test_a_pipeline_with_scaler_and_one_hot(y):
    pipeline = table_pipeline(MLPClassifier((6,), batch_norm=True, activation="gelu"))
    pipeline.fit(FRAME, y)
    model = skl2onnx.to_onnx(
        pipeline, initial_types=TABLE_TYPES, options={"zipmap": False}, target_opset=18
    )
    label, probabilities = run_table(model)
    np.testing.assert_array_equal(label, pipeline.predict(FRAME))
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(FRAME), atol=1e-5)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:.*without hidden layers")
def test_a_pipeline_that_ends_in_a_regressor():
    pipeline = table_pipeline(MLPRegressor(hidden_layer_sizes=(6,), normalize_y=True)).fit(FRAME, Y)
    model = skl2onnx.to_onnx(pipeline, initial_types=TABLE_TYPES, target_opset=18)
    np.testing.assert_allclose(run_table(model)[0], pipeline.predict(FRAME), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "dtype", "computed"),
    [
        (FloatTensorType, "float32", "float32"),
        (DoubleTensorType, "float64", "float64"),
        (Int64TensorType, "int64", "float32"),
    ],
)
@pytest.mark.parametrize("opset", [15, 21])
def test_inputs_of_other_types_in_skl2onnx(kind, dtype, computed, opset):
    estimator = fitted(MLPClassifier((6,), activation="maxout"), CODES)
    types = [("X", kind([None, 5]))]
    model = skl2onnx.to_onnx(
        estimator, initial_types=types, options={"zipmap": False}, target_opset=opset
    )
    rows = (3 * X).astype(dtype)
    probabilities = run(model, rows)["probabilities"]
    assert probabilities.dtype == computed
    np.testing.assert_allclose(probabilities, estimator.predict_proba(rows), atol=1e-5)


def test_skl2onnx_option_nocl():
    estimator = fitted(MLPClassifier((6,)), NAMES[CODES])
    options = {MLPClassifier: {"zipmap": False, "nocl": True}}
    model = skl2onnx.to_onnx(estimator, X[:1].astype("float32"), options=options, target_opset=18)
    found = run(model, X.astype("float32"))
    np.testing.assert_array_equal(NAMES[found["label"]], estimator.predict(X))


@pytest.mark.parametrize("zipmap", [True, "columns"])
def test_skl2onnx_option_zipmap(zipmap):
    estimator = fitted(MLPClassifier((6,)), NAMES[CODES])
    options = {MLPClassifier: {"zipmap": zipmap}}
    model = skl2onnx.to_onnx(estimator, X[:1].astype("float32"), options=options, target_opset=18)
    found = run(model, X.astype("float32"))
    expected = estimator.predict_proba(X)
    if zipmap == "columns":
        columns = np.column_stack([found[f"s{name}"] for name in NAMES])
    else:
        columns = [[row[name] for name in NAMES] for row in found["output_probability"]]
    np.testing.assert_allclose(columns, expected, atol=1e-5)
