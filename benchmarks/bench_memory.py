"""How much memory does a fit take beyond its data?

Every case has a process of its own, which makes X and fits once to 100 rows with the same settings,
where kernels are compiled. Then it gives freed memory back, resets the system's record of its peak
(Linux keeps one) and fits one epoch to all rows; what the peak is above the memory before is what
the fit added. Pages of a mapped file can be dropped at any time and do not count: for these cases
the peak is that of anonymous memory, looked at a thousand times a second. The largest of all rounds
counts.
"""

import json
import subprocess
import sys
from typing import NamedTuple

from report import conclude, option_parser, table

PACKAGES = ("sknn", "scikit-learn")


class Case(NamedTuple):
    """A kind of X, and settings."""

    dtype: str
    is_mapped: bool = False
    settings: dict = {}
    sknn_settings: dict = {}


CASES = {
    "float32": Case("float32"),
    "float64, for sknn with dtype='float32'": Case("float64", sknn_settings={"dtype": "float32"}),
    "uint8": Case("uint8"),
    "float32, memmap": Case("float32", is_mapped=True),
    "float32, early_stopping=True": Case("float32", settings={"early_stopping": True}),
}

CHILD = """
import ctypes, json, sys, tempfile, threading, time, warnings
from pathlib import Path
import numpy as np
package, dtype, is_mapped, mebibytes, n_features, settings = json.loads(sys.argv[1])
if package == "sknn":
    from sknn import MLPClassifier
else:
    from sklearn.neural_network import MLPClassifier
def kibibytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))
def watch():
    while not fitted.wait(0.001):
        peaks[0] = max(peaks[0], kibibytes("RssAnon"))

rng = np.random.default_rng(0)
shape = (mebibytes * 2**20 // (n_features * np.dtype(dtype).itemsize), n_features)
y = rng.integers(0, 10, shape[0])
file = tempfile.TemporaryFile()
X = np.memmap(file, dtype, "w+", shape=shape) if is_mapped else np.empty(shape, dtype)
for start in range(0, len(X), 10_000):
    X[start : start + 10_000] = rng.integers(0, 2, X[start : start + 10_000].shape, np.uint8)
if is_mapped:
    X.flush()
    X = np.memmap(file, dtype, "r", shape=shape)
warnings.simplefilter("ignore")
model = MLPClassifier((64,), max_iter=1, random_state=0, **settings)
model.fit(X[:100], y[:100])

ctypes.CDLL(None).malloc_trim(0)
fitted, peaks, before = threading.Event(), [0], kibibytes("RssAnon" if is_mapped else "VmRSS")
if is_mapped:
    watcher = threading.Thread(target=watch)
    watcher.start()
Path("/proc/self/clear_refs").write_text("5")
model.fit(X, y)
peaks.append(0 if is_mapped else kibibytes("VmHWM"))
fitted.set()
print(json.dumps((max(peaks) - before) / 1024))
"""


def added(package, case, mebibytes, n_features):
    """Return the MiB that a fit adds in a new process."""
    settings = case.settings | (case.sknn_settings if package == "sknn" else {})
    arguments = json.dumps([package, case.dtype, case.is_mapped, mebibytes, n_features, settings])
    child = subprocess.run(
        [sys.executable, "-c", CHILD, arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(child.stdout)


def main():
    parser = option_parser(__doc__, rounds=2)
    parser.add_argument("--mebibytes", type=int, default=200, help="size of X")
    parser.add_argument(
        "--features",
        type=int,
        default=100,
        help="few of them mean many rows, which take memory each",
    )
    options = parser.parse_args()
    bound = 64 + 0.12 * options.mebibytes
    results = {"MiB of X": options.mebibytes, "features": options.features, "bound": bound}
    rows = []
    for name, case in CASES.items():
        print(f"{name} ...", flush=True)
        sizes = (options.mebibytes, options.features)
        results[name] = {
            package: [added(package, case, *sizes) for _ in range(options.rounds)]
            for package in PACKAGES
        }
        rows.append(
            [name, *(f"{max(results[name][package]):.0f}" for package in PACKAGES), f"{bound:.0f}"]
        )
    markdown = table(
        [f"MiB added to {options.mebibytes} MiB of X", *PACKAGES, "64 + 12 % of X"], rows
    )
    conclude(options, "memory", results, markdown)


if __name__ == "__main__":
    main()
