"""Model files: equal estimators, and no damaged or edited file that loads."""

import copy
import io
import itertools
import json
import os
import warnings
import zipfile

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

import sknn
from sknn import Activation, Loss, MLPClassifier, MLPRegressor
from sknn._export.archive import read_archive, write_archive
from sknn.export import load, save

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
CODES = rng.integers(3, size=60)
NAMES = np.array(["apple", "pear", "quince"])[CODES]
Y = X[:, :2] + 5
FRAME = pandas.DataFrame(X, columns=list("abcde"))


def fitted(estimator, y, X=X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.set_params(max_iter=3, random_state=0).fit(X, y)


def regressor(**settings):
    return fitted(MLPRegressor(hidden_layer_sizes=(6,), **settings), Y)


CASES = {
    "strings": (MLPClassifier((6, 4), activation=["maxout", "gelu"], maxout_pieces=3), NAMES),
    "objects": (MLPClassifier((6,), batch_norm=True), NAMES.astype(object)),
    "two classes": (MLPClassifier((6,), class_weight={0: 1, 1: 2.5}), CODES // 2),
    "small ints": (MLPClassifier((), n_iter_no_change=np.inf), CODES.astype(np.int8)),
    "floats": (MLPClassifier((6,)), CODES.astype(np.float32)),
    "booleans": (MLPClassifier((6,)), CODES > 0),
    "one class": (MLPClassifier((6,)), np.full(60, 7)),
    "labels": (MLPClassifier((6,), label_smoothing=0.1), (Y > 5).astype(int)),
    "early stopping": (MLPClassifier((6,), early_stopping=True, scoring="accuracy"), CODES),
    "calibrated": (MLPClassifier((6,), early_stopping=True, calibrate=True), NAMES),
    "trained anew": (MLPClassifier((6,), early_stopping=True, refit=True), NAMES),
    "linear path": (
        MLPRegressor(hidden_layer_sizes=(6, 4), skip=True, input_scale=6.0, parametrization="ntk"),
        Y,
    ),
    "embedding": (MLPRegressor(hidden_layer_sizes=(6,), numeric_embedding="pbld", skip=True), Y),
    "bins": (MLPRegressor(hidden_layer_sizes=6, numeric_embedding="piecewise_linear"), Y),
    "float32": (MLPRegressor(hidden_layer_sizes=(6,), dtype="float32", batch_norm="after"), Y),
    "scaled": (MLPRegressor("huber", (6,), normalize_y=True, huber_delta=0.5), Y),
    "levels": (MLPRegressor("quantile", (6,), quantile=(0.1, 0.9), normalize_y=True), Y[:, 0]),
    "calibrated levels": (
        MLPRegressor("quantile", (6,), quantile=(0.1, 0.9), early_stopping=True, calibrate=True),
        Y[:, 0],
    ),
    "clipped": (MLPRegressor(hidden_layer_sizes=(6,), clip_output=True), Y / 9),
    "clipped levels": (
        MLPRegressor("quantile", (6,), quantile=(0.1, 0.9), clip_output=True),
        CODES,
    ),
    "an array of widths": (MLPRegressor("poisson", np.array([5, 3])), Y[:, 0]),
    "momentum": (MLPRegressor(solver="sgd", momentum=(0.5, 0.9), hidden_layer_sizes=6), Y),
}


@pytest.mark.parametrize("case", CASES)
def test_a_loaded_estimator_is_the_saved_one(case, tmp_path):
    estimator, y = CASES[case]
    estimator = fitted(estimator, y)
    save(estimator, tmp_path / "model.npz")
    twin = load(tmp_path / "model.npz")
    assert type(twin) is type(estimator)
    np.testing.assert_array_equal(twin.predict(X), estimator.predict(X))
    assert twin.predict(X).dtype == estimator.predict(X).dtype
    if isinstance(estimator, MLPClassifier):
        np.testing.assert_array_equal(twin.predict_proba(X), estimator.predict_proba(X))
    assert str(clone(twin).get_params()) == str(clone(estimator).get_params()).replace(
        "array([5, 3])", "[5, 3]"
    )
    assert set(vars(twin)) == set(vars(estimator)) - {"_training_state"}
    for name in set(vars(twin)) - {"hidden_layer_sizes"}:
        np.testing.assert_equal(getattr(twin, name), getattr(estimator, name))


def test_names_of_features_are_kept(tmp_path):
    estimator = fitted(MLPRegressor(hidden_layer_sizes=(6,)), Y, FRAME)
    save(estimator, str(tmp_path / "model.npz"))
    twin = load(str(tmp_path / "model.npz"))
    np.testing.assert_array_equal(twin.feature_names_in_, list("abcde"))
    np.testing.assert_array_equal(twin.predict(FRAME), estimator.predict(FRAME))
    with pytest.raises(ValueError, match="feature names"):
        twin.predict(FRAME[list("edcba")])


def test_a_loaded_estimator_trains_on(tmp_path):
    estimator = regressor(warm_start=True)
    save(estimator, tmp_path / "model.npz")
    twin = load(tmp_path / "model.npz").partial_fit(X, Y)
    assert len(twin.loss_curve_) == 4
    assert not np.array_equal(twin.predict(X), estimator.predict(X))
    assert len(fitted(load(tmp_path / "model.npz"), Y).loss_curve_) == 6


def test_assigned_weights_are_saved(tmp_path):
    estimator = regressor()
    estimator.coefs_ = tuple((2 * coefs).tolist() for coefs in estimator.coefs_)
    save(estimator, tmp_path / "model.npz")
    np.testing.assert_array_equal(load(tmp_path / "model.npz").predict(X), estimator.predict(X))


def test_numpy_reads_the_file(tmp_path):
    estimator = regressor()
    save(estimator, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["coefs_1"], estimator.coefs_[1])
        assert json.loads(file["header"].tobytes())["sknn"] == sknn.__version__


# ---- writing -----------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch):
    save(regressor(), tmp_path / "model.npz")
    before = (tmp_path / "model.npz").read_bytes()

    def fail(file):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        save(regressor(alpha=0.5), tmp_path / "model.npz")
    assert os.listdir(tmp_path) == ["model.npz"]
    assert (tmp_path / "model.npz").read_bytes() == before


class Subclass(MLPRegressor):
    pass


def constant(*numbers):
    return 1.0


UNSAVABLE = {
    "random_state=RandomState": lambda est: est.set_params(random_state=np.random.RandomState(0)),
    "validation_fraction=KFold": lambda est: est.set_params(validation_fraction=KFold()),
    "scoring=<function": lambda est: est.set_params(scoring=constant),
    "activation": lambda est: est.set_params(activation="no such activation"),
    "coefs_": lambda est: est.coefs_.pop(),
    r"coefs_\[0\] has NaN": lambda est: est.coefs_[0].fill(np.nan),
    "loss_": lambda est: setattr(est, "loss_", "low"),
    "history_": lambda est: est.history_["loss"].pop(),
    "loss_curve_": lambda est: delattr(est, "loss_curve_"),
    "y_mean_": lambda est: setattr(est, "y_mean_", np.ones(7)),
    "y_min_ must not be greater": lambda est: setattr(est, "y_min_", np.full(2, 1e9)),
    "quantile_shifts_ must be": lambda est: setattr(est, "quantile_shifts_", np.full(2, np.nan)),
    "quantile_shifts_ must be an": lambda est: setattr(est, "quantile_shifts_", [True, False]),
    "y_scale_ must be": lambda est: setattr(est, "y_scale_", "large"),
    "y_max_ must be": lambda est: setattr(est, "y_max_", [None, "large"]),
}


@pytest.mark.parametrize("message", UNSAVABLE)
def test_what_cannot_be_saved_is_named(message, tmp_path):
    estimator = regressor(normalize_y=True, clip_output=True)
    UNSAVABLE[message](estimator)
    with pytest.raises(ValueError, match=message):
        save(estimator, tmp_path / "model.npz")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("temperature", ["hot", 0, [1.0], True])
def test_temperatures_that_predict_refuses_are_not_saved(temperature, tmp_path):
    estimator = fitted(MLPClassifier((6,)), CODES // 2)
    estimator.temperature_ = temperature
    with pytest.raises(ValueError, match="temperature_ must be a positive number"):
        save(estimator, tmp_path / "model.npz")


CHANGED = [
    {"input_dropout": 0.5},  # which numeric_embedding='pbld' does not take
    {"input_scale": True, "l1_ratio": 0.5},
    {"activation": ["relu", "tanh"]},  # for one hidden layer
    {"alpha": [0.1, 0.2, 0.3]},
]


@pytest.mark.parametrize("changed", CHANGED, ids=str)
def test_parameters_that_only_the_next_fit_would_refuse_are_saved(changed, tmp_path):
    estimator = regressor(numeric_embedding="pbld").set_params(**changed)
    save(estimator, tmp_path / "model.npz")
    twin = load(tmp_path / "model.npz")
    np.testing.assert_array_equal(twin.predict(X), estimator.predict(X))
    for model in (estimator, twin):
        with pytest.raises(ValueError, match=next(iter(changed))):
            model.fit(X, Y)


def test_messages_within_messages_end_once(saved, tmp_path):
    """The inner one is a sentence of its own, or not."""
    path = tmp_path / "model.npz"
    estimator = regressor()
    cases = [{"activation": "no such activation"}, {"validation_fraction": 3.0}]
    for changed in cases:
        with pytest.raises(ValueError, match=r"save found what load would refuse: .*[^.]\.$"):
            save(copy.copy(estimator).set_params(**changed), path)
    path.write_bytes(saved[1])
    header, arrays = read_archive(path)
    for edited in ({"skip": 1}, {"n_features": 6}):
        write_archive(path, {**header, "architecture": header["architecture"] | edited}, arrays)
        with pytest.raises(ValueError, match=r"cannot be loaded: .*[^.]; load takes unchanged"):
            load(path)


def test_functions_of_ones_own_cannot_be_saved(tmp_path):
    for settings in ({"activation": Activation(np.sin, np.cos)}, {"loss": Loss(min, max)}):
        estimator = regressor()
        vars(estimator)["_architecture"] = fake(estimator, **settings)
        with pytest.raises(ValueError, match=r"functions of your own.*use pickle or joblib"):
            save(estimator, tmp_path / "model.npz")


def fake(estimator, activation="relu", loss="squared_error"):
    """Return the architecture with other parts, which saves the time to compile them."""
    described = estimator._architecture.to_dict()
    described["hidden"][0]["activation"] = activation
    return type(estimator._architecture).from_dict(described | {"loss": loss})


@pytest.mark.parametrize(
    "classes",
    [
        np.array(["a", None], dtype=object),
        np.array([b"a", b"b"]),
        np.array(["a\0", "b"], dtype=object),
    ],
)
def test_labels_that_need_pickle(classes, tmp_path):
    estimator = fitted(MLPClassifier((6,)), CODES // 2)
    estimator.classes_ = classes
    with pytest.raises(ValueError, match="classes_ must be numbers or strings"):
        save(estimator, tmp_path / "model.npz")


def test_what_is_no_fitted_network(tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(NotFittedError):
        save(MLPClassifier(), path)
    with pytest.raises(TypeError, match="Pipeline"):
        save(make_pipeline(MLPClassifier()), path)
    with pytest.raises(TypeError, match="Subclass"):
        save(fitted(Subclass(hidden_layer_sizes=(6,)), Y), path)
    with pytest.raises(FileNotFoundError):
        load(path)
    with pytest.raises(TypeError, match="not int"):
        load(3)


# ---- damaged files -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A classifier and the bytes of its file."""
    path = tmp_path_factory.mktemp("saved") / "model.npz"
    estimator = fitted(MLPClassifier((6, 4), batch_norm=True), NAMES.astype(object))
    save(estimator, path)
    return estimator, path.read_bytes()


def assert_refused_or_equal(content, saved, path):
    """Return whether the file was refused; if it loads, it must be the saved estimator."""
    path.write_bytes(content)
    try:
        twin = load(path)
    except ValueError as error:
        return "cannot be loaded" in str(error)
    np.testing.assert_equal(
        {name: vars(twin)[name] for name in vars(twin)},
        {name: vars(saved[0])[name] for name in vars(saved[0]) if name != "_training_state"},
    )
    return False


def mutated(content):
    """Yield 1 000 damaged versions of a file."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        changed = bytearray(content)
        for position in rng.integers(len(content), size=rng.integers(1, 4)):
            changed[position] ^= 1 << rng.integers(8)
        yield bytes(changed)
    for length in rng.integers(len(content), size=200):
        yield content[:length]
    for start, stop in np.sort(rng.integers(len(content), size=(150, 2))):
        yield content[:start] + content[stop:]
    for start in rng.integers(len(content), size=100):
        yield content[:start] + rng.bytes(40) + content[start + 40 :]
    for start, stop in rng.integers(len(content) - 64, size=(50, 2)):
        changed = bytearray(content)
        changed[start : start + 64] = content[stop : stop + 64]
        yield bytes(changed)


@pytest.mark.filterwarnings("ignore:Reading .npy")
def test_1000_damaged_files(saved, tmp_path):
    refused = [
        assert_refused_or_equal(content, saved, tmp_path / "model.npz")
        for content in mutated(saved[1])
    ]
    assert len(refused) == 1000
    assert sum(refused) > 800  # the others differ in what zip archives ignore, such as dates


def test_members_that_change_places(saved, tmp_path):
    path = tmp_path / "model.npz"
    with np.load(io.BytesIO(saved[1])) as file:
        members = dict(file)
    names = [name for name in members if name not in ("header", "checksum")]
    for one, other in itertools.combinations(names, 2):
        np.savez(path, **members | {one: members[other], other: members[one]})
        assert assert_refused_or_equal(path.read_bytes(), saved, path)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", pandas.io.pickle.__doc__.encode()])
def test_other_files(content, saved, tmp_path):
    assert assert_refused_or_equal(content, saved, tmp_path / "model.npz")


def test_compressed_members(saved, tmp_path):
    """Whose size nothing bounds: a megabyte of zeros takes a kilobyte."""
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(1 << 20))
    with pytest.raises(ValueError, match=r"larger than the file|compressed"):
        load(path)


# ---- edited files, with a right checksum -------------------------------------------------------

FALSE_HEADERS = {
    "format": [0, 2, "1", None],
    "estimator": ["MLPRegressor", "os.system", 3],
    "parameters": [[], {"units": 3}, {"alpha": -1}, {"alpha": {"function": []}}],
    "architecture": [None, {}],
    "dtype": ["float32", "object", "int64"],
    "record": [{}, {"n_iter_": 3}],
    "feature_names": [["a"], [1, 2, 3, 4, 5], "abcde"],
    "multilabel": [None, True, 0],
    "object_labels": [1, None],
}
FALSE_PARTS = {
    "architecture": {
        "n_features": [0, 6, 10**9, 10**400, 5.5],
        "n_outputs": [1, 4, 10**12],
        "loss": ["squared_error", "binary_log_loss", "nothing", []],
        "loss_parameters": [[], [float("nan")], [0.1, 0.2], None],
        "batch_norm": [None, True],
        "hidden": [[], [{}], [[[[[]]]]]],
        "scales_targets": [1, None],
        "skip": [1, True],
        "numeric_embedding": [1, None, "plr"],
        "embedded": [[0], [5], None, "0", [0.5]],
        "bins": [[[0, [0.0, 1.0, 2.0]]], [[0, []]], None, [0], [[0]]],
    },
    "record": {
        "n_iter_": [-1, 2.5, "3", True],
        "loss_": ["0", None],
        "loss_curve_": [None, ["a"], 3],
        "validation_scores_": [[None]],
        "history_": [[], {}, {"epoch": []}],
        "best_iter_": [None],
    },
}


def edited_headers(header):
    for key, values in FALSE_HEADERS.items():
        for value in values:
            yield {**header, key: value}
    for part, fields in FALSE_PARTS.items():
        for key, values in fields.items():
            for value in values:
                yield {**header, part: {**header[part], key: value}}
    yield {key: value for key, value in header.items() if key != "record"}
    yield {**header, "more": 1}
    deep = []
    for _ in range(400):
        deep = [deep]
    yield {**header, "parameters": {"alpha": deep}}
    yield []


@pytest.fixture
def content(saved, tmp_path):
    (tmp_path / "model.npz").write_bytes(saved[1])
    return read_archive(tmp_path / "model.npz")


def test_edited_headers_are_refused(content, saved, tmp_path):
    header, arrays = content
    path = tmp_path / "edited.npz"
    for edited in edited_headers(header):
        write_archive(path, edited, arrays)
        assert assert_refused_or_equal(path.read_bytes(), saved, path), edited


def test_a_later_format_asks_for_a_later_version(content, tmp_path):
    header, arrays = content
    write_archive(tmp_path / "model.npz", {**header, "format": 2, "sknn": "9.0"}, arrays)
    with pytest.raises(ValueError, match=r"sknn 9\.0 wrote it in format 2.*update sknn"):
        load(tmp_path / "model.npz")


FALSE_ARRAYS = {
    "coefs_0": [
        np.ones((5, 7)),
        np.ones((5, 6), "f4"),
        np.full((5, 6), np.nan),
        np.ones((5, 6), int),
    ],
    "intercepts_1": [np.ones(()), np.ones(5), np.array(["a"] * 4)],
    "batch_norm_var_0": [np.full(6, np.inf)],
    "classes_": [
        np.array(["a", "b"]),
        np.array(["b", "a", "c"]),
        np.array(["a", "a", "b"]),
        np.array([["a", "b", "c"]]),
        np.arange(4),
    ],
    "more": [np.ones(3)],
}


def test_edited_arrays_are_refused(content, saved, tmp_path):
    header, arrays = content
    path = tmp_path / "edited.npz"
    for name, values in FALSE_ARRAYS.items():
        for value in values:
            write_archive(path, header, {**arrays, name: value})
            assert assert_refused_or_equal(path.read_bytes(), saved, path), name
    for name in arrays:
        rest = {other: array for other, array in arrays.items() if other != name}
        write_archive(path, header, rest)
        assert assert_refused_or_equal(path.read_bytes(), saved, path), name


@pytest.mark.parametrize("array", [np.array([{}]), np.zeros(3, "M8[s]"), np.zeros(2, "f4,f8")])
def test_arrays_of_other_kinds_are_refused(array, tmp_path):
    path = tmp_path / "edited.npz"
    np.savez(path, header=np.zeros(2, np.uint8), checksum=np.zeros(2, np.uint8), coefs_0=array)
    with pytest.raises(ValueError, match="cannot be loaded: it is not readable"):
        load(path)
