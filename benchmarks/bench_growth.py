"""How does the time of training grow with rows, with the network's width and with the batch?

Rows: the time of a small network's fit for one epoch, and of the epoch alone as ``history_`` tells
it, divided by the rows, which are those of a temporary file, mapped into memory. Width and batch:
one step, which is an epoch divided by its steps, beside the time that NumPy takes for nothing but
the matrix products of such a step, with one BLAS thread or two, whichever is faster. All is
float32. Sizes take turns; the best round of each counts.
"""

import itertools
import tempfile
import time
import warnings

import numpy as np
import threadpoolctl
from report import conclude, option_parser, table

from sknn import MLPClassifier

N_CLASSES = 10
N_ROWS = (1_000, 10_000, 100_000, 1_000_000)
MOST_ROWS = 10_000_000
STEPS = {  # (width of both hidden layers, batch)
    "width": {width: (width, 256) for width in (32, 64, 128, 256, 512, 1024)},
    "batch": {batch: (256, batch) for batch in (8, 16, 32, 64, 128, 256, 512, 1024)},
}


def mapped_rows(n_rows, n_features):
    """Return random rows in a temporary file, and their classes."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryFile() as file:
        X = np.memmap(file, np.float32, "w+", shape=(n_rows, n_features))
    for start in range(0, n_rows, 100_000):
        X[start : start + 100_000] = rng.standard_normal(
            X[start : start + 100_000].shape, np.float32
        )
    return X, rng.integers(0, N_CLASSES, n_rows)


def fit(X, y, hidden, batch_size):
    """Return the seconds of one epoch's fit, and of the epoch."""
    model = MLPClassifier(hidden, batch_size=batch_size, max_iter=1, random_state=0)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of max_iter, which is meant
        model.fit(X, y)
    return time.perf_counter() - started, model.history_["seconds"][0]


def matrix_products(n_features, width, batch_size, n_steps):
    """Return the seconds that the matrix products of ``n_steps`` steps take by themselves."""
    rng = np.random.default_rng(0)
    products = []
    for i, (fan_in, fan_out) in enumerate(
        itertools.pairwise((n_features, width, width, N_CLASSES))
    ):
        shapes = (batch_size, fan_in), (fan_in, fan_out), (batch_size, fan_out)
        a, weights, delta = (rng.standard_normal(shape, np.float32) for shape in shapes)
        factors = [(a, weights), (a.T, delta), (delta, weights.T)][
            : 2 if i == 0 else 3
        ]  # nobody asks for X's gradient
        products += [(left, right, left @ right) for left, right in factors]
    started = time.perf_counter()
    for _ in range(n_steps):
        for left, right, out in products:
            np.matmul(left, right, out=out)
    return time.perf_counter() - started


def measure_rows(sizes, rounds):
    """Return ``{rows: {"fit": [microseconds per row, ...], "epoch": [...]}}``."""
    X, y = mapped_rows(max(sizes), 20)
    results = {n_rows: {"fit": [], "epoch": []} for n_rows in sizes}
    for _, n_rows in itertools.product(range(rounds), sizes):
        times = [fit(X[:n_rows], y[:n_rows], (64,), 256) for _ in range(max(1, 100_000 // n_rows))]
        for name, seconds in zip(("fit", "epoch"), map(min, zip(*times, strict=True)), strict=True):
            results[n_rows][name].append(1e6 * seconds / n_rows)
    return results


def measure_steps(sizes, rounds, n_rows):
    """Return ``{size: {"sknn": [microseconds per step, ...], "matrix products": [...]}}``."""
    X, y = mapped_rows(n_rows, 100)
    results = {size: {"sknn": [], "matrix products": []} for size in sizes}
    for _, (size, (width, batch_size)) in itertools.product(range(rounds), sizes.items()):
        n_steps = -(-n_rows // batch_size)
        _, seconds = fit(X, y, (width, width), batch_size)
        results[size]["sknn"].append(1e6 * seconds / n_steps)
        for threads in (1, 2):
            with threadpoolctl.threadpool_limits(threads, user_api="blas"):
                results[size]["matrix products"].append(
                    1e6 * matrix_products(100, width, batch_size, n_steps) / n_steps
                )
    return results


def tables(results):
    """Return markdown tables of the best times against rows, width and batch."""
    rows = [
        [n_rows, *(f"{min(times):.3f}" for times in measured.values())]
        for n_rows, measured in results["rows"].items()
    ]
    parts = [table(["us a row, rows", "fit", "epoch"], rows)]
    for what in STEPS:
        best = {
            size: [min(times) for times in measured.values()]
            for size, measured in results[what].items()
        }
        rows = [
            [size, f"{sknn:.1f}", f"{products:.1f}", f"{sknn / products:.2f}"]
            for size, (sknn, products) in best.items()
        ]
        parts.append(table([f"us a step, {what}", "sknn", "matrix products", "ratio"], rows))
    return "\n\n".join(parts)


def plot(results, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    for ax, (what, measured) in zip(figure.subplots(1, 3), results.items(), strict=True):
        for name in next(iter(measured.values())):
            ax.loglog(
                list(measured), [min(times[name]) for times in measured.values()], "o-", label=name
            )
        ax.set(xlabel=what, ylabel="microseconds a step")
        if what == "rows":
            ax.set(ylabel="microseconds a row", yscale="linear", ylim=(0, None))
        ax.legend()
    figure.savefig(path)


def main():
    parser = option_parser(__doc__, rounds=5)
    parser.add_argument(
        "--most", action="store_true", help=f"go up to {MOST_ROWS} rows, a file of 800 MB"
    )
    parser.add_argument(
        "--step-rows", type=int, default=32_768, help="rows of the epoch that steps are measured in"
    )
    options = parser.parse_args()
    fit(*mapped_rows(512, 20), (64,), 256)  # compiles
    results = {
        "rows": measure_rows((*N_ROWS, MOST_ROWS) if options.most else N_ROWS, options.rounds)
    }
    results |= {
        what: measure_steps(sizes, options.rounds, options.step_rows)
        for what, sizes in STEPS.items()
    }
    markdown = tables(results)
    saved = conclude(options, "growth", results, markdown)
    if saved is not None:
        plot(results, saved.with_suffix(".png"))


if __name__ == "__main__":
    main()
