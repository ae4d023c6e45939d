"""How does the time of the recipe for tables grow with their rows?

A table of seven columns of numbers, one of which has missing values, and two of categories; the
target is a sum of waves, products and effects of categories, and noise. ``fit`` alone is timed,
after one to a few rows. Each fit has a process of its own. Ratios are to a time that is
proportional to the number of rows. Errors are those of 20 000 other rows, in standard deviations
of the target.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings

import contestants
import numpy as np
import pandas as pd
from report import conclude, option_parser, table
from sklearn.base import clone

N_ROWS = (10_000, 100_000, 1_000_000)
N_TEST_ROWS = 20_000
FEW_ROWS = 200
MODELS = ("scikit-learn", "LightGBM", "sknn fast")


def make_table(n_rows, seed):
    """Return a DataFrame and targets."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.standard_normal((n_rows, 7)), columns=list("abcdefg"))
    place = rng.integers(0, 30, n_rows)
    kind = rng.integers(0, 4, n_rows)
    signal = np.sin(2 * X["a"]) + X["b"] * X["c"] / 2 + np.abs(X["d"]) + np.sin(place) * X["e"]
    y = signal + (kind == 1) + rng.standard_normal(n_rows) * 0.35
    X["place"] = pd.Categorical.from_codes(place, [f"place {i}" for i in range(30)])
    X["kind"] = pd.Categorical.from_codes(kind, list("wxyz"))
    return X, y.to_numpy()


def measure_one(name, n_rows):
    """Print the seconds of a fit and the error on other rows, as JSON."""
    warnings.simplefilter("ignore")
    X, y = make_table(n_rows, 0)
    X_test, y_test = make_table(N_TEST_ROWS, 1)
    model = contestants.ALL[name]("regression", 0)
    clone(model).fit(X[:FEW_ROWS], y[:FEW_ROWS])
    started = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - started
    residuals = y_test - np.ravel(model.predict(X_test))
    error = float(np.sqrt(np.mean(residuals**2)) / y_test.std())
    print(json.dumps({"model": name, "rows": n_rows, "seconds": seconds, "error": error}))


def measure(models, n_rows, rounds):
    """Return the results of all models for all numbers of rows; the shortest time counts."""
    results = []
    for count in n_rows:
        for name in models:
            command = [sys.executable, __file__, "--one", name, str(count)]
            rows = [json.loads(subprocess.check_output(command)) for _ in range(rounds)]
            results.append(min(rows, key=lambda row: row["seconds"]))
            print(results[-1], flush=True)
    return results


def tables(results):
    """Return markdown tables of seconds, growth and errors."""
    names = list(dict.fromkeys(row["model"] for row in results))
    sizes = sorted({row["rows"] for row in results})
    found = {(row["model"], row["rows"]): row for row in results}
    seconds = [[name, *(f"{found[name, n]['seconds']:.2f}" for n in sizes)] for name in names]
    growth = []
    for name in names:
        first = found[name, sizes[0]]["seconds"] / sizes[0]
        growth.append([name, *(f"{found[name, n]['seconds'] / n / first:.2f}" for n in sizes)])
    errors = [[name, *(f"{found[name, n]['error']:.3f}" for n in sizes)] for name in names]
    return "\n\n".join(
        table([title, *(f"{n} rows" for n in sizes)], rows)
        for title, rows in (
            ("seconds", seconds),
            ("over proportional", growth),
            ("error", errors),
        )
    )


def main():
    parser = option_parser(__doc__, rounds=1)
    parser.add_argument("--models", nargs="*", choices=contestants.ALL, default=MODELS)
    parser.add_argument("--rows", nargs="*", type=int, default=N_ROWS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure_one(options.one[0], int(options.one[1]))
        return
    results = measure(options.models, options.rows, options.rounds)
    conclude(options, "rows", results, tables(results))


if __name__ == "__main__":
    main()
