"""How long does it take until the first training step, with an empty and with a filled cache?

Every figure comes from processes of its own, and the best of several rounds counts. The times of
compilation depend on the machine and on Numba, so the first one is also given as a multiple of a
yardstick: the time that Numba takes to compile ten small functions.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from report import conclude, option_parser, table

YARDSTICK = """
import json, time
import numba, numpy as np

def make(k):
    def dot(a, b):
        total = 0.0
        for i in range(a.size):
            total += a[i] * b[i] + k
        return total
    return numba.njit(dot)

x = np.ones(10)
started = time.perf_counter()
for k in range(10):
    make(k)(x, x)
print(json.dumps({"yardstick: ten small functions": time.perf_counter() - started}))
"""

PRELUDE = """
import json, time, warnings
import numpy as np
times = {}
def lap(name, started=[time.perf_counter()]):
    now = time.perf_counter()
    times[name], started[0] = now - started[0], now
X = np.random.RandomState(0).randn(500, 20).astype("float32")
y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
warnings.simplefilter("ignore")
"""

EMPTY_CACHE = (
    PRELUDE
    + """
from sknn import MLPClassifier, MLPRegressor
lap("imports")
settings = {"hidden_layer_sizes": (50,), "max_iter": 3}
model = MLPClassifier(**settings).fit(X, y)
lap("empty cache: first fit, float32")
model.predict(X)
lap("empty cache: then predict")
for name in ("tanh", "gelu", "mish"):
    MLPClassifier(activation=name, **settings).fit(X, y)
    lap(f"empty cache: then activation {name}")
for name in ("sgd", "amsgrad", "lbfgs"):
    MLPClassifier(solver=name, **settings).fit(X, y)
    lap(f"empty cache: then solver {name}")
for name in ("squared_error", "huber", "poisson"):
    MLPRegressor(name, **settings).fit(X, np.abs(X[:, 0]))
    lap(f"empty cache: then loss {name}")
MLPClassifier(**settings).fit(X.astype("float64"), y)
lap("empty cache: then float64")
print(json.dumps(times))
"""
)

FILLED_CACHE = (
    PRELUDE
    + """
lap("imports of numpy")
from {package} import MLPClassifier
lap("imports")
model = MLPClassifier((50,), batch_size=32, max_iter=5)
for name in ("first fit", "second fit"):
    model.fit(X, y)
    lap("{label}: " + name)
times["{label}: import and first fit"] = times["imports"] + times["{label}: first fit"]
print(json.dumps(times))
"""
)


def run(program, cache):
    """Return the seconds of each phase of a new process."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    return json.loads(
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def warm_up():
    """Return the seconds of ``python -m sknn.warmup`` with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        started = time.perf_counter()
        command = [sys.executable, "-m", "sknn.warmup"]
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        subprocess.run(command, env=environment, capture_output=True, check=True)
        return {"python -m sknn.warmup": time.perf_counter() - started}


def measure(rounds):
    """Return ``{what: seconds}``."""
    results = {}

    def keep(times):
        for name, seconds in times.items():
            if not name.startswith("imports"):
                results[name] = min(seconds, results.get(name, float("inf")))

    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            keep(run(YARDSTICK, cache))
            keep(run(EMPTY_CACHE, cache))
            for label, package in (("sknn", "sknn"), ("scikit-learn", "sklearn.neural_network")):
                filled = FILLED_CACHE.replace("{package}", package).replace("{label}", label)
                run(filled, cache)  # reads the files of the packages from disk
                keep(run(filled, cache))
    keep(warm_up())
    return results


def main():
    parser = option_parser(__doc__, rounds=3)
    options = parser.parse_args()
    results = measure(options.rounds)
    multiple = (
        results["empty cache: first fit, float32"] / results["yardstick: ten small functions"]
    )
    later = results["sknn: import and first fit"] - results["scikit-learn: import and first fit"]
    rows = [[name, f"{seconds:.3f}"] for name, seconds in results.items()]
    rows.append(["first fit with an empty cache over the yardstick", f"{multiple:.1f}"])
    rows.append(["import and first fit beyond scikit-learn's", f"{later:.3f}"])
    conclude(options, "start", results, table(["what", "seconds"], rows))


if __name__ == "__main__":
    main()
