"""How long does it take until the first training step, with an empty and with a filled cache?

Every figure comes from processes of its own; the best of several rounds counts, but for the fit
with an empty cache, which is slow and runs once. It is a small classification by Adam; the second
fit of a process tells how much of the first one was waiting.
"""

import json
import os
import subprocess
import sys
import tempfile

from report import conclude, option_parser, table

DTYPES = ("float64", "float32")

CHILD = """
import json, sys, time, warnings
import numpy as np
package, dtype = sys.argv[1:]
times = {}
def lap(name, started=[time.perf_counter()]):
    now = time.perf_counter()
    times[name], started[0] = now - started[0], now
import sklearn.neural_network as chosen
lap("import sklearn.neural_network")
if package == "sknn":
    import sknn as chosen
    lap("import sknn beyond it")
warnings.simplefilter("ignore")
X = np.random.RandomState(0).randn(500, 20).astype(dtype)
y = (X[:, 0] > 0) + (X[:, 1] > 0)
model = chosen.MLPClassifier((50,), batch_size=32, max_iter=5)
lap("data")
for name in ("first fit", "second fit"):
    model.fit(X, y)
    lap(name)
print(json.dumps(times))
"""


def start(package, dtype, cache):
    """Return the seconds of each phase of a new process."""
    command = [sys.executable, "-c", CHILD, package, dtype]
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    return json.loads(
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    )


def measure(rounds):
    """Return ``{(what, dtype): seconds}``."""
    results = {}

    def keep(times, dtype, names):
        for phase, name in names.items():
            results[name, dtype] = min(times[phase], results.get((name, dtype), float("inf")))

    for dtype in DTYPES:
        with tempfile.TemporaryDirectory() as cache:
            keep(start("sknn", dtype, cache), dtype, {"first fit": "sknn: first fit, empty cache"})
            for _ in range(rounds):
                imports = {
                    name: name
                    for name in ("import sklearn.neural_network", "import sknn beyond it")
                }
                fits = {
                    "first fit": "sknn: first fit, filled cache",
                    "second fit": "sknn: second fit",
                }
                keep(start("sknn", dtype, cache), dtype, imports | fits)
                fits = {
                    "first fit": "scikit-learn: first fit",
                    "second fit": "scikit-learn: second fit",
                }
                keep(start("sklearn", dtype, cache), dtype, fits)
    return results


def main():
    parser = option_parser(__doc__, rounds=3)
    options = parser.parse_args()
    results = measure(options.rounds)
    by_name = {
        name: {dtype: results[name, dtype] for dtype in DTYPES}
        for name in sorted({name for name, _ in results})
    }
    markdown = table(
        ["seconds", *DTYPES],
        [
            [name, *(f"{seconds:.3f}" for seconds in times.values())]
            for name, times in by_name.items()
        ],
    )
    conclude(options, "start", by_name, markdown)


if __name__ == "__main__":
    main()
