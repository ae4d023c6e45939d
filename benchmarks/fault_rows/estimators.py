"""Rows 1, 2, 17, 18, 20 and 21: scikit-learn's contract, arguments, copies and callbacks."""

import io
import json
import pickle
import warnings

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV

from sknn import MLPClassifier, MLPRegressor

from . import children
from .tally import FAILED, LOST, WRONG

X, Y = make_blobs(90, n_features=4, cluster_std=3, random_state=0)
SMALL = {"hidden_layer_sizes": 6, "max_iter": 5, "random_state": 0}

# ---- row 1 -------------------------------------------------------------------------------------

SETTINGS_OF_CHECKS = [
    {},
    {"solver": "sgd", "activation": "tanh"},
    {"solver": "lbfgs"},
    {"class_weight": "balanced"},
    {"batch_norm": True},
    {"dropout": 0.1},
    {"dtype": "float64", "activation": "logistic"},
    {"dtype": "float32", "solver": "lbfgs", "activation": "gelu"},
    {"solver": "rmsprop", "hidden_layer_sizes": (30, 20), "learning_rate_init": 0.01},
    {"max_grad_norm": 1.0, "l1_ratio": 0.1},
    {"activation": "maxout", "hidden_layer_sizes": (20,)},
]
# What settings cannot pass by what they mean. Early stopping is not among them: most of the tables
# that are checked are too small for it, and it cannot be used with partial_fit.
_OF_WEIGHTS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
_OF_PARTIAL_FIT = (
    "check_fit_score_takes_y",
    "check_n_features_in_after_fitting",
    "check_estimators_partial_fit_n_features",
)
EXPECTED_TO_FAIL = {
    "dropout": dict.fromkeys(_OF_WEIGHTS, "each row draws its own units to drop"),
    "dtype: float32": dict.fromkeys(_OF_WEIGHTS, "sums of float32 are compared to 1e-7"),
    "class_weight": dict.fromkeys(_OF_PARTIAL_FIT, "partial_fit sees some of the samples only"),
}
CHECK = """
import json, sys, warnings
from sklearn.utils.estimator_checks import check_estimator
import sknn

warnings.simplefilter("ignore")
kind, settings, expected = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
estimator = getattr(sknn, kind)(**settings)
results = check_estimator(
    estimator, on_fail=None, on_skip=None, expected_failed_checks=expected
)
names = ("check_name", "status", "exception")
print(json.dumps([[str(each[name]) for name in names] for each in results]))
"""


def row_1(tally, options):
    """scikit-learn's check_estimator, with array API dispatch possible and not."""
    settings = SETTINGS_OF_CHECKS[:: 4 if options.quick else 1]
    for array_api in (None, "1"):
        for kind in ("MLPClassifier", "MLPRegressor"):
            for each in settings:
                if "class_weight" in each and kind == "MLPRegressor":
                    continue
                name = f"{kind}({each}), SCIPY_ARRAY_API={array_api}"
                expected = _expected_to_fail(each)
                arguments = (CHECK, kind, json.dumps(each), json.dumps(expected))
                try:
                    results = children.run(*arguments, SCIPY_ARRAY_API=array_api, seconds=1800)
                except children.ChildError as error:
                    tally.add(name, FAILED, str(error))
                    continue
                for check, status, error in results:
                    if status not in ("skipped", "xfail"):
                        is_right = status == "passed"
                        tally.require(f"{name}: {check}", is_right, FAILED, error[:200])
    for setting, checks in EXPECTED_TO_FAIL.items():
        tally.notes.append(f"not counted with {setting}: {', '.join(checks)}")


def _expected_to_fail(settings):
    """Return the checks that cannot pass with some settings, with reasons."""
    words = {*settings, *(f"{name}: {value}" for name, value in settings.items())}
    checks = [EXPECTED_TO_FAIL[word] for word in words & EXPECTED_TO_FAIL.keys()]
    return {name: reason for each in checks for name, reason in each.items()}


# ---- row 2 -------------------------------------------------------------------------------------

VALUES = (
    None,
    -1,
    0,
    1,
    1.5,
    np.nan,
    np.inf,
    -np.inf,
    10**30,
    "auto",
    "",
    b"x",
    (),
    [0],
    {},
    object(),
)


def row_2(tally, options):
    """Every parameter with values out of range, and data that are no table of numbers."""
    for kind in (MLPClassifier, MLPRegressor):
        parameters = sorted(kind().get_params())
        for parameter in parameters[:: 5 if options.quick else 1]:
            for value in VALUES:
                settings = SMALL | {"max_iter": 2} | {parameter: value}
                tally.run(f"{kind.__name__}({parameter}={value!r})", _refuse_or_fit, kind, settings)
        for name, data in _odd_tables().items():
            tally.run(f"{kind.__name__}, X {name}", _refuse_or_fit, kind, SMALL, data)


def _odd_tables():
    unaligned = np.frombuffer(b"x" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape)
    read_only = X.copy()
    read_only.flags.writeable = False
    with_nan = X.copy()
    with_nan[3, 1] = np.nan
    return {
        "big-endian": X.astype(">f8"),
        "Fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "reversed": X[::-1],
        "unaligned": unaligned,
        "read-only": read_only,
        "object": X.astype(object),
        "integer": X.astype(np.int16),
        "complex": X.astype(complex),
        "text": X.astype(str),
        "with NaN": with_nan,
        "with infinity": np.where(np.isnan(with_nan), np.inf, X),
        "empty": X[:0],
        "without columns": X[:, :0],
        "of one dimension": X[:, 0],
        "of three dimensions": X[None],
        "a list": X.tolist(),
        "None": None,
    }


def _refuse_or_fit(kind, settings, data=X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = kind(**settings).fit(data, Y)
        except (ValueError, TypeError, MemoryError):
            return None
        found = model.predict_proba(X) if kind is MLPClassifier else model.predict(X)
    return None if np.isfinite(found).all() else WRONG


# ---- row 17 ------------------------------------------------------------------------------------


def row_17(tally, options):
    """Sample weights: absent rows, doubled rows, extreme and negative ones."""
    settings = SMALL | {"batch_size": 10**6, "shuffle": False, "dtype": "float64"}
    rng = np.random.default_rng(0)
    for number in range(3 if options.quick else 20):
        counts = rng.integers(0, 3, len(X))
        for kind in (MLPClassifier, MLPRegressor):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                weighted = kind(**settings).fit(X, Y, sample_weight=counts)
                repeated = kind(**settings).fit(np.repeat(X, counts, axis=0), np.repeat(Y, counts))
            pairs = zip(weighted.coefs_, repeated.coefs_, strict=True)
            is_same = all(np.allclose(a, b, rtol=1e-7, atol=1e-9) for a, b in pairs)
            tally.require(f"{kind.__name__}, counts {number}", is_same)
    extremes = {"zero": 0.0, "tiny": 1e-300, "large": 1e300, "negative": -1.0, "nan": np.nan}
    for name, value in extremes.items():
        for kind in (MLPClassifier, MLPRegressor):
            weights = np.where(np.arange(len(X)) % 3, 1.0, value)
            for each in (weights, weights.tolist(), np.full(len(X), value)):
                tally.run(f"{kind.__name__}, {name}", _weigh, kind, each, value)


def _weigh(kind, weights, value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = kind(**SMALL).fit(X, Y, sample_weight=weights)
        except ValueError:
            return None
    is_right = value >= 0 and all(np.isfinite(each).all() for each in model.coefs_)
    return None if is_right else WRONG


# ---- rows 18 and 20 ----------------------------------------------------------------------------


def _fitted(kind, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(**SMALL | settings).fit(X, Y)


def row_18(tally, options):
    """Copies by pickle and joblib predict the same bits, and are not much larger than weights."""
    for kind in (MLPClassifier, MLPRegressor):
        for solver in ("adam", "sgd", "lbfgs"):
            for extra in ({}, {"dtype": "float64"}, {"batch_norm": solver != "lbfgs"}):
                model = _fitted(kind, solver=solver, **extra)
                file = io.BytesIO()
                joblib.dump(model, file)
                file.seek(0)
                for copied in (pickle.loads(pickle.dumps(model)), joblib.load(file)):
                    is_same = np.array_equal(copied.predict(X), model.predict(X))
                    tally.require(f"{kind.__name__}, {solver}, {extra}", is_same)
        wide = _fitted(kind, hidden_layer_sizes=(512, 256))
        n_bytes = sum(each.nbytes for each in [*wide.coefs_, *wide.intercepts_])
        size = len(pickle.dumps(wide)) / n_bytes
        tally.require(f"{kind.__name__}, size {size:.2f}", size <= 1.1, FAILED)


def row_20(tally, options):
    """A fit that raises leaves the model that was fitted before."""
    bad = {
        "NaN": ({}, np.full_like(X, np.nan), Y),
        "lengths": ({}, X, Y[:-1]),
        "a parameter": ({"alpha": -1}, X, Y),
        "divergence": ({"solver": "sgd", "learning_rate_init": 1e30, "batch_size": 10}, X, Y),
        "memory": ({"hidden_layer_sizes": (10**9,)}, X, Y),
        "a part": ({"activation": "no such"}, X, Y),
    }
    for kind in (MLPClassifier, MLPRegressor):
        for name, (settings, data, target) in bad.items():
            model = _fitted(kind)
            before = model.predict(X)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.set_params(**settings).fit(data, target)
            except (ValueError, TypeError, MemoryError):
                model.set_params(
                    **{
                        parameter: SMALL.get(parameter, getattr(kind(), parameter))
                        for parameter in settings
                    }
                )
                tally.require(
                    f"{kind.__name__}, {name}", np.array_equal(model.predict(X), before), LOST
                )
            else:
                tally.add(f"{kind.__name__}, {name}", WRONG, "nothing was raised")


# ---- row 21 ------------------------------------------------------------------------------------


class Callback:
    """Raises or stops at the third epoch, if it is told to."""

    def __init__(self, action=None):
        self.action = action
        self.n_open = 0
        self.n_ends = 0

    def setup(self, estimator, context):
        self.n_open += 1

    def teardown(self, estimator, context):
        self.n_open -= 1

    def on_fit_task_begin(self, estimator, context, **_):
        return self._act("begin")

    def on_fit_task_end(self, estimator, context, **_):
        self.n_ends += 1
        return self._act("end")

    def _act(self, where):
        if self.action == f"raise at {where}" and self.n_ends >= 2:
            raise RuntimeError("raised by the callback")
        return self.action == "stop" and self.n_ends >= 3


def row_21(tally, options):
    """Callbacks that raise, stop, are shared, and run in searches."""
    try:
        import sklearn.callback  # noqa: F401
    except ImportError:
        tally.notes.append("this scikit-learn has no callbacks")
        return
    for kind in (MLPClassifier, MLPRegressor):
        for solver in ("adam", "sgd", "lbfgs"):
            plain = _fitted(kind, solver=solver)
            for action in (None, "stop", "raise at begin", "raise at end"):
                name = f"{kind.__name__}, {solver}, {action}"
                tally.run(name, _with_callback, kind, solver, action, plain)
            for backend in ("loky", "threading"):
                tally.run(f"{kind.__name__}, {solver}, {backend}", _search, kind, solver, backend)


def _has_state(model):
    return [name for name in vars(model) if name.startswith("_callback") or "teardown" in name]


def _with_callback(kind, solver, action, plain):
    callback = Callback(action)
    model = kind(solver=solver, **SMALL).set_callbacks(callback)
    other = clone(model)  # shares the callback
    for each in (model, other, model):
        callback.n_ends = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                each.fit(X, Y)
        except RuntimeError:
            if not action.startswith("raise"):
                raise
        else:
            if action is not None and action.startswith("raise"):
                raise AssertionError("the callback's error was lost")
            if action is None and not np.array_equal(each.predict(X), plain.predict(X)):
                return WRONG
            if action == "stop" and not each.n_iter_ <= 4:
                return WRONG
        if callback.n_open or _has_state(each):
            raise AssertionError(f"teardowns missing: {callback.n_open}, {_has_state(each)}")
        pickle.dumps(each)
    return None


def _search(kind, solver, backend):
    search = GridSearchCV(
        kind(solver=solver, **SMALL), {"alpha": [1e-4, 1.0]}, cv=2, error_score="raise"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = clone(search).fit(X, Y)
        search.estimator.set_callbacks(Callback())
        with joblib.parallel_config(backend, n_jobs=2):
            search.fit(X, Y)
    if _has_state(search.best_estimator_):
        raise AssertionError("state of callbacks stays on the best estimator")
    is_same = np.array_equal(search.predict(X), plain.predict(X))
    return None if is_same else WRONG
