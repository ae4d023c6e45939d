"""Rows 3, 5, 6, 7, 14, 16, 22 and 23: what happens while a network is trained."""

import os
import pickle
import subprocess
import sys
import tempfile
import warnings

import numpy as np

from sknn import MLPClassifier, MLPRegressor

from . import children
from .tally import FAILED, LOST, WRONG

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 8))
LABELS = (X[:, 0] > 0) + (X[:, 1] > 0)
TARGETS = {MLPClassifier: LABELS, MLPRegressor: X[:, 0] * X[:, 1]}
SMALL = {"hidden_layer_sizes": (12,), "max_iter": 5, "random_state": 0}


def _is_finite(model):
    return all(np.isfinite(each).all() for each in [*model.coefs_, *model.intercepts_])


def _fit(kind, settings, data=X, target=None):
    """Fit without printing; return ``(model, messages of warnings)``."""
    model = kind(**SMALL | settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(data, TARGETS[kind] if target is None else target)
    return model, [str(each.message) for each in caught]


# ---- row 3 -------------------------------------------------------------------------------------


def row_3(tally, options):
    """Divergence: learning rates from 1 to 1e6, large X and y."""
    rates = (1.0, 1e3, 1e6) if options.quick else (1.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6)
    for kind, target in TARGETS.items():
        for solver in ("adam", "sgd", "rmsprop"):
            for activation in ("relu", "tanh", "identity"):
                for rate in rates:
                    settings = {"solver": solver, "activation": activation}
                    settings |= {"learning_rate_init": rate, "max_iter": 20}
                    name = f"{kind.__name__}({settings})"
                    tally.run(name, _fit_or_refuse, kind, settings, X, target)
    for scale in (1e10, 1e100, 1e200, 1e300):
        tally.run(f"X times {scale}", _fit_or_refuse, MLPClassifier, {}, X * scale, LABELS)
        target = TARGETS[MLPRegressor] * scale
        tally.run(f"y times {scale}", _fit_or_refuse, MLPRegressor, {}, X, target)


def _fit_or_refuse(kind, settings, data, target):
    try:
        model, messages = _fit(kind, settings, data, target)
    except ValueError:
        return None
    if not _is_finite(model):
        return WRONG
    try:
        with np.errstate(all="ignore"):
            is_finite = np.isfinite(model.predict(data)).all()
    except ValueError:
        return None
    has_diverged = any("non-finite" in message for message in messages)
    return None if is_finite else FAILED if has_diverged else WRONG


# ---- row 5 -------------------------------------------------------------------------------------

INTERRUPTED = """
import json, os, random, signal, sys, threading, time, warnings
import numpy as np
from sknn import MLPClassifier

warnings.simplefilter("ignore")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
X = np.random.default_rng(0).normal(size=(5000, 30))
y = (X[:, 0] > 0).astype(int)
MLPClassifier((50,), max_iter=2, random_state=0).fit(X, y)
results = []
random.seed(int(sys.argv[2]))
for _ in range(int(sys.argv[1])):
    model = MLPClassifier((50,), max_iter=100000, n_iter_no_change=10**6, random_state=0)
    sent = []
    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
    timer = threading.Timer(0.05 + 0.3 * random.random(), interrupt)
    try:
        timer.start()
        model.fit(X, y)
        results.append([None, False])
    except KeyboardInterrupt:
        seconds = time.perf_counter() - sent[0]
        is_fitted = not hasattr(model, "coefs_") or bool(np.isfinite(model.predict_proba(X)).all())
        results.append([seconds, is_fitted])
print(json.dumps(results))
"""


def row_5(tally, options):
    """Ctrl-C at random times: raised again, and the last finished epoch predicts."""
    times = []
    for seconds, is_fitted in children.run(INTERRUPTED, 10 if options.quick else 100, 0):
        if seconds is None:
            tally.add("Ctrl-C", WRONG, "swallowed")
            continue
        times.append(seconds)
        tally.require("Ctrl-C", is_fitted, LOST)
    tally.notes.append(f"99 % of interrupts raised within {np.quantile(times, 0.99):.2f} s")


# ---- row 6 -------------------------------------------------------------------------------------


def row_6(tally, options):
    """Kills of a training with checkpoints, which then ends with the bits of one never killed."""
    if not hasattr(os, "fork"):
        tally.notes.append("not tried on this system")
        return
    sys.path.insert(0, str(children.ROOT / "tests"))
    from kills import train_through_kills

    from sknn.callbacks import Checkpoint

    patient = {"n_iter_no_change": np.inf, "max_iter": 100}
    cases = [{"dropout": 0.3}, {"batch_norm": True, "batch_size": 20}, {"early_stopping": True}]
    cases += [{"solver": "sgd", "learning_rate": "cosine"}, {"dtype": "float32"}]
    draws = np.random.default_rng(0)
    n_kills, n_wanted, number = 0, 10 if options.quick else 100, 0
    while n_kills < n_wanted:
        kind, target = list(TARGETS.items())[number % 2]
        settings = cases[number // 2 % len(cases)]
        number += 1
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "checkpoint")
            model = kind(**SMALL | patient | settings)
            whole, _ = _fit(kind, patient | settings)
            most = min(10, n_wanted - n_kills)
            n_now, survivor = train_through_kills(
                model.set_callbacks(Checkpoint(path)),
                X,
                target,
                path,
                draws,
                seconds=0.1,
                most=most,
            )
        is_same = all(map(np.array_equal, whole.coefs_, survivor.coefs_))
        is_same = is_same and whole.loss_curve_ == survivor.loss_curve_
        for _ in range(n_now):
            tally.require(f"{kind.__name__}, {settings}", is_same)
        n_kills += n_now


# ---- row 7 -------------------------------------------------------------------------------------


def row_7(tally, options):
    """Training in two pieces, with a pickle between them, has the bits of training in one."""
    patient = {"n_iter_no_change": 1000, "tol": 0.0}
    cases = [{}, {"dropout": 0.3}, {"batch_norm": True}, {"early_stopping": True}]
    cases += [{"dtype": "float64", "alpha": 0.1, "l1_ratio": 0.5}, {"shuffle": False}]
    for kind, target in TARGETS.items():
        for solver in ("adam", "sgd", "rmsprop"):
            for case in cases:
                settings = patient | {"solver": solver} | case
                whole, _ = _fit(kind, settings | {"max_iter": 10})
                half, _ = _fit(kind, settings | {"max_iter": 5, "warm_start": True})
                resumed = pickle.loads(pickle.dumps(half))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    resumed.fit(X, target)
                is_same = all(map(np.array_equal, whole.coefs_, resumed.coefs_))
                tally.require(f"{kind.__name__}, {solver}, {case}", is_same)


# ---- rows 14, 16 and 22 ------------------------------------------------------------------------

LIMITED = """
import json, resource, sys, warnings
import numpy as np
from sknn import MLPClassifier

warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(100, 20))
y = (X[:, 0] > 0).astype(int)
model = MLPClassifier((10,), max_iter=2, random_state=0).fit(X, y)
before = model.predict_proba(X)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]),) * 2)
try:
    model.set_params(hidden_layer_sizes=(4000, 4000)).fit(X, y)
    verdict = "fitted"
except MemoryError:
    model.set_params(hidden_layer_sizes=(10,))
    verdict = "kept" if np.array_equal(model.predict_proba(X), before) else "lost"
print(json.dumps(verdict))
"""


def row_14(tally, options):
    """Networks that are too large, and too little memory: an error first, the old fit is kept."""
    sizes = [(10**9,), (10**6, 10**6), (2**62,), (10**30,), (10**5,) * 50, (2**31, 2**31)]
    for kind, target in TARGETS.items():
        for solver in ("adam", "lbfgs"):
            for size in sizes:
                model, _ = _fit(kind, {"solver": solver})
                before = model.predict(X)
                name = f"{kind.__name__}, {solver}, {size}"
                try:
                    model.set_params(hidden_layer_sizes=size).fit(X, target)
                except (MemoryError, ValueError) as error:
                    is_named = "hidden_layer_sizes" in str(error)
                    tally.require(name, is_named, FAILED, str(error)[:200])
                    tally.require(name, np.array_equal(model.predict(X), before), LOST)
                else:
                    tally.add(name, WRONG)
    if sys.platform == "linux":
        for megabytes in (50, 150) if options.quick else (30, 50, 80, 150, 250, 400):
            try:
                verdict = children.run(LIMITED, megabytes << 20)
            except children.ChildError as error:
                tally.add(f"{megabytes} MB", FAILED, str(error))
            else:
                tally.require(f"{megabytes} MB", verdict != "lost", LOST)


def row_16(tally, options):
    """Extremes of rows, columns, widths, depths, batches and classes."""
    few = ((1, 1), (2, 1), (3, 5), (1, 1000))
    for n_rows, n_columns in few if options.quick else (*few, (1, 100_000), (20_000, 1)):
        for kind in TARGETS:
            data = rng.normal(size=(n_rows, n_columns))
            target = np.arange(n_rows) % 2 if kind is MLPClassifier else data[:, 0]
            name = f"{kind.__name__}, {n_rows} x {n_columns}"
            tally.run(name, _fit_or_refuse, kind, {"max_iter": 2}, data, target)
    sizes = [(1,), (3,), (17,), (1,) * 20, (5,) * 50] + ([] if options.quick else [(8192,)])
    for size in sizes:
        settings = {"hidden_layer_sizes": size, "max_iter": 2}
        tally.run(str(settings)[:60], _fit_or_refuse, MLPClassifier, settings, X, LABELS)
    for batch_size in (1, 2, 199, 200, 10**6):
        settings = {"batch_size": batch_size, "max_iter": 2}
        tally.run(str(settings), _fit_or_refuse, MLPClassifier, settings, X, LABELS)
    n_classes = 500 if options.quick else 10_000
    many = rng.normal(size=(n_classes, 3))
    tally.run(
        f"{n_classes} classes",
        _fit_or_refuse,
        MLPClassifier,
        {"max_iter": 1},
        many,
        range(n_classes),
    )


def row_22(tally, options):
    """Memory of a process over many fits."""
    if sys.platform != "linux":
        tally.notes.append("not measured on this system")
        return
    n_fits = 200 if options.quick else 2000
    sizes = []
    for number in range(n_fits):
        kind = (MLPClassifier, MLPRegressor)[number % 2]
        _fit(kind, {"hidden_layer_sizes": (10 + number % 7,)})[0].predict(X)
        with open("/proc/self/statm") as file:
            sizes.append(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    half = np.array(sizes[n_fits // 2 :])
    slope = np.polyfit(np.arange(len(half)), half, 1)[0]
    tally.require(f"{n_fits} fits", slope < 1000, FAILED, f"{slope:.0f} bytes a fit")
    tally.notes.append(f"{slope:.0f} bytes a fit")


# ---- row 23 ------------------------------------------------------------------------------------


def row_23(tally, options):
    """Tests with bounds checked: each test is a case."""
    folders = ["tests/engine"] if options.quick else options.tests
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header"]
    with tempfile.TemporaryDirectory() as cache:
        settings = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": cache}
        finished = subprocess.run(
            [*command, *folders],
            cwd=children.ROOT,
            env={**os.environ, **settings, "PYTHONPATH": children.search_path()},
            capture_output=True,
            text=True,
            check=False,
        )
    lines = finished.stdout.strip().splitlines()
    counts = {}
    for part in (lines or [""])[-1].replace("=", "").split(" in ")[0].split(","):
        number, _, word = part.strip().partition(" ")
        if number.isdigit():
            counts[word] = int(number)
    for _ in range(counts.get("passed", 0)):
        tally.add("a test")
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    for line in failed:
        tally.add(line[:200], WRONG if "IndexError" in finished.stdout else FAILED)
    if finished.returncode and not failed:
        tally.add("the tests", FAILED, finished.stderr[-300:])
    tally.notes.append(f"tests of {', '.join(folders)}")
