"""Rows 4, 15, 19, 24 and 25: networks of every kind against what they should compute."""

import copy
import sys
import tempfile
import warnings
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from scipy import sparse

from sknn import MLPClassifier, MLPRegressor
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.losses import REGRESSION_LOSSES

from . import children
from .tally import FAILED, WRONG

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 5))
Y = np.exp(X[:, :3] @ rng.normal(size=(3, 3)) / 2)  # positive, as some losses need
CLASSES = {
    "two classes": (Y[:, 0] > 1).astype(int),
    "three classes": Y.argmax(axis=1),
    "two labels": (Y[:, :2] > 1).astype(int),
}


def _networks(activation, **settings):
    """Yield ``(what it learns, an estimator with this activation, targets)``."""
    settings = {"activation": activation, "random_state": 0, "max_iter": 3} | settings
    for name, target in CLASSES.items():
        yield name, MLPClassifier(**settings), target
    for loss in REGRESSION_LOSSES:
        yield loss, MLPRegressor(loss=loss, **settings), Y[:, 0]


def _train(model, data, target, *, by_epoch=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not by_epoch:
            return model.fit(data, target)
        classes = {"classes": np.unique(target)} if isinstance(model, MLPClassifier) else {}
        return model.partial_fit(data, target, **classes)


# ---- row 4 -------------------------------------------------------------------------------------


def row_4(tally, options):
    """Exploding gradients: 50 layers, unscaled X, and gradients of bounded norm."""
    activations = ("relu", "tanh", "selu") if options.quick else tuple(sorted(ACTIVATIONS))
    for activation, solver, scale in product(activations, ("adam", "sgd"), (1.0, 1e3)):
        settings = {"hidden_layer_sizes": (20,) * 50, "solver": solver, "max_grad_norm": 1.0}
        for name, model, target in _networks(activation, **settings):
            if name in ("two classes", "squared_error"):
                case = f"{name}, {activation}, {solver}, X times {scale}"
                tally.run(case, partial(_stays_finite, model, X * scale, target))


def _stays_finite(model, data, target):
    model = _train(model, data, target)
    learned = [*model.coefs_, *model.intercepts_, model.predict(data)]
    is_finite = all(np.isfinite(each).all() for each in learned)
    return None if is_finite and np.isfinite(model.loss_curve_).all() else WRONG


# ---- row 15 ------------------------------------------------------------------------------------


def row_15(tally, options):
    """More than 2**31 numbers in a file, and sparse rows with indices of 64 bits."""
    n_columns = 1024
    n_rows = 2**31 // n_columns + 3000
    with tempfile.TemporaryDirectory() as folder:
        # Numbers that are never written take no space on the disk.
        table = np.memmap(Path(folder, "table"), np.int8, "w+", shape=(n_rows, n_columns))
        written = np.r_[:1500, n_rows - 1500 : n_rows]
        table[written] = rng.integers(-3, 4, (len(written), n_columns), np.int8)
        target = np.zeros(n_rows)
        target[written] = table[written, 0]
        tally.run("rows beyond 2**31 numbers", _learn_by_parts, table, target)
        del table
    dense = rng.poisson(0.3, (300, 50)).astype(float)
    labels = (dense[:, 0] > 0).astype(int)
    for kind, index, convert in product(
        (MLPClassifier, MLPRegressor),
        (np.int32, np.int64),
        (sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix),
    ):
        tally.run(
            f"{kind.__name__}, {convert.__name__}, {index.__name__}",
            partial(_learn_sparse, kind, index, convert(dense), dense, labels),
        )


def _learn_by_parts(table, target):
    """Compare a fit with calls of ``partial_fit`` for parts in memory, and predictions too."""
    settings = {"hidden_layer_sizes": 4, "solver": "sgd", "learning_rate_init": 1e-3}
    settings |= {"batch_size": 1000, "max_iter": 1, "shuffle": False, "random_state": 0}
    settings |= {"dtype": "float32"}
    whole = _train(MLPRegressor(**settings), table, target)
    parts = MLPRegressor(**settings)
    for start in range(0, len(table), 100_000):
        rows = slice(start, start + 100_000)
        _train(parts, np.array(table[rows]), target[rows], by_epoch=True)
    if not all(map(np.array_equal, whole.coefs_, parts.coefs_)):
        return WRONG
    predicted = whole.predict(table)
    rows = slice(len(table) - 2000, len(table))
    is_same = np.array_equal(predicted[rows], whole.predict(np.array(table[rows])))
    return None if is_same and np.ptp(predicted[rows]) > 0 else WRONG


def _learn_sparse(kind, index, table, dense, target):
    table.indices = table.indices.astype(index)
    table.indptr = table.indptr.astype(index)
    settings = {"hidden_layer_sizes": 6, "max_iter": 3, "random_state": 0}
    by_sparse = _train(kind(**settings), table, target)
    by_dense = _train(kind(**settings), dense, target)
    pairs = zip(by_sparse.coefs_, by_dense.coefs_, strict=True)
    is_close = all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in pairs)
    is_close = is_close and np.allclose(by_sparse.predict(table), by_dense.predict(dense))
    return None if is_close else WRONG


# ---- row 19 ------------------------------------------------------------------------------------


def row_19(tally, options):
    """ONNX models of random networks, run by onnxruntime, predict the same to 1e-5."""
    try:
        import onnxruntime
    except ImportError:
        tally.notes.append("onnxruntime is not installed")
        return
    activations = sorted(ACTIVATIONS)[:: 6 if options.quick else 1]
    for activation, number in product(activations, range(1 if options.quick else 5)):
        settings = {
            "hidden_layer_sizes": tuple(rng.integers(1, 20, rng.integers(1, 4)).tolist()),
            "batch_norm": (False, "before", "after")[number % 3],
            "dropout": 0.2 * (number % 2),
            "dtype": "float32",
        }
        for name, model, target in _networks(activation, **settings):
            case = f"{name}, {activation}, {settings}"
            tally.run(case, _predict_by_onnx, onnxruntime, model, target)


def _predict_by_onnx(onnxruntime, model, target):
    """Compare predictions, to 1e-5 or what rounding makes of units that hardly vary and that batch
    norm divides by that.
    """
    from sknn.export import to_onnx

    model = _train(model, X, target)
    data = X.astype(np.float32)

    def run(dtype):
        content = to_onnx(model, dtype=dtype).SerializeToString()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        return session.run(None, {"X": data.astype(dtype)})[-1]

    found = run("float32")
    is_classifier = isinstance(model, MLPClassifier)
    expected = model.predict_proba(data) if is_classifier else model.predict(data)
    expected = np.asarray(expected).reshape(found.shape)
    rounding = np.abs(expected - run("float64")).max()
    is_close = np.allclose(found, expected, rtol=1e-5, atol=1e-5 + 3 * rounding)
    return None if is_close and rounding < 1e-3 else WRONG


# ---- row 24 ------------------------------------------------------------------------------------

STEP = 1e-6


def row_24(tally, options):
    """Gradients of training are central differences to 1e-6 of the largest."""
    activations = sorted(ACTIVATIONS)[:: 6 if options.quick else 1]
    penalties = ({"alpha": 0.0}, {"alpha": 0.3}, {"alpha": 0.3, "l1_ratio": 0.4})
    for activation, penalty, batch_norm in product(
        activations, penalties, (False, "before", "after")
    ):
        # A step of rate 1 without momentum is the gradient.
        settings = {"hidden_layer_sizes": (3, 2), "solver": "sgd", "momentum": 0.0}
        settings |= {"learning_rate_init": 1.0, "dtype": "float64", "batch_norm": batch_norm}
        for name, model, target in _networks(activation, **settings, **penalty):
            case = f"{name}, {activation}, {penalty}, batch_norm={batch_norm!r}"
            tally.run(case, _differs_from_differences, model, target)


def _differs_from_differences(model, target):
    """Compare in random directions, in all weights at once, how the loss changes."""
    model = _train(model, X, target, by_epoch=True)
    draws = np.random.default_rng(1)
    for name, array in _learned(model):
        array[...] = draws.normal(name == "batch_norm_scale_", 0.5, array.shape)
    l1 = model.alpha * model.l1_ratio / len(X)
    gradients = []
    for (name, before), (_, after) in zip(
        _learned(model), _learned(_stepped(model, target)), strict=True
    ):
        # A proximal step moves a weight further, by l1 towards 0, where it may stay.
        further = l1 * np.sign(after) if name == "coefs_" else 0.0
        gradients.append(np.where(after == 0, np.nan, before - after - further))
    size = np.sqrt(sum(np.nansum(gradient**2) for gradient in gradients))
    for _ in range(10):
        directions = [draws.normal(size=gradient.shape) for gradient in gradients]
        directions = [
            np.where(np.isnan(gradient), 0.0, direction)
            for gradient, direction in zip(gradients, directions, strict=True)
        ]
        pairs = zip(gradients, directions, strict=True)
        expected = sum(np.nansum(gradient * direction) for gradient, direction in pairs)
        up, down = (_moved_loss(model, target, directions, step, l1) for step in (STEP, -STEP))
        if not abs(expected - (up - down) / (2 * STEP)) <= 1e-6 * max(size, 0.1):
            return WRONG
    return None


def _moved_loss(model, target, directions, step, l1):
    """Return the smooth part of the loss after a step in these directions."""
    moved = copy.deepcopy(model)
    for (_, array), direction in zip(_learned(moved), directions, strict=True):
        np.add(array, step * direction, out=array)
    of_l1 = l1 * sum(np.abs(coef).sum() for coef in moved.coefs_)
    return _stepped(moved, target).loss_curve_[-1] - of_l1


def _learned(model):
    names = ["coefs_", "intercepts_"]
    names += ["batch_norm_scale_", "batch_norm_shift_"] if model.batch_norm else []
    return [(name, array) for name in names for array in getattr(model, name)]


def _stepped(model, target):
    """Return a copy of the model after a step on all rows; its last loss is that before it."""
    return _train(copy.deepcopy(model), X, target, by_epoch=True)


# ---- row 25 ------------------------------------------------------------------------------------


def row_25(tally, options):
    """Random networks against a slow NumPy network and against scikit-learn's."""
    tests = children.ROOT / "tests"
    if not tests.exists():
        tally.notes.append("the tests, which have the slow network, are not installed")
        return
    sys.path[:0] = [str(tests), str(tests / "parts")]
    import random_networks

    n_trials = 100 if options.quick else options.trials
    for check, draw in (
        (random_networks.check, random_networks.draw),
        (random_networks.check_against_scikit_learn, random_networks.draw_for_scikit_learn),
    ):
        for seed in range(n_trials):
            tally.run(f"{check.__name__}, seed {seed}", _check_random, check, draw, seed)


def _check_random(check, draw, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem = check(seed)
    if problem:
        print(f"{problem}: {draw(seed)}", flush=True)
    return FAILED if "Error:" in problem else WRONG if problem else None
