"""How long does a grid search take: serial, with two threads, with two processes?

The search is over 9 candidates in 5 folds of scikit-learn's digits, 30 epochs each, without the
refit. Before the rounds each contestant searches once with a single epoch, where kernels are
compiled and processes start. Then contestants take turns, each after a short rest; the best round
of each counts. scikit-learn runs once for each number of BLAS threads asked for, and its best
counts (in processes joblib sets that number). sknn's serial search lets each fit use all cores, as
it does by itself, or holds each to one thread, like the fits of the parallel searches. Best scores
are printed because equal searches should end at about equal scores.
"""

import os
import time
import warnings
from unittest.mock import patch

import joblib
import sklearn.neural_network
import threadpoolctl
from bench_fit import REST, contestants, default_blas_threads
from report import conclude, option_parser, table
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import sknn

DTYPES = ("float64", "float32")
KINDS = {"sknn": sknn.MLPClassifier, "scikit-learn": sklearn.neural_network.MLPClassifier}
WAYS = {
    "serial": {"n_jobs": 1},
    "serial, one thread": {"n_jobs": 1},
    "2 threads": {"backend": "threading", "n_jobs": 2},
    "2 processes": {"backend": "loky", "n_jobs": 2},
}
LIMITS = {"serial, one thread": {"LOKY_MAX_CPU_COUNT": "1"}}  # joblib's variable, which sknn heeds
SERIAL_WAYS = [way for way in WAYS if WAYS[way]["n_jobs"] == 1]
GRID = {"alpha": [1e-4, 1e-2, 1.0], "learning_rate_init": [1e-3, 3e-3, 1e-2]}


def search(kind, way, blas_threads, X, y, max_iter):
    """Return ``(seconds, best score)`` of one search."""
    searching = GridSearchCV(kind(max_iter=max_iter, random_state=0), GRID, cv=5, refit=False)
    limit = threadpoolctl.threadpool_limits(blas_threads, user_api="blas")
    with (
        limit,
        joblib.parallel_config(**WAYS[way]),
        patch.dict(os.environ, LIMITS.get(way, {})),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of max_iter, which is meant
        time.sleep(REST)
        started = time.perf_counter()
        searching.fit(X, y)
        return time.perf_counter() - started, float(searching.best_score_)


def measure(dtype, entrants, rounds, max_iter):
    """Return ``{name: {way: {"seconds": [those of every search], "score": best score}}}``."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(dtype)
    results = {name: {way: {"seconds": []} for way in WAYS} for name in KINDS}
    for name, blas_threads in entrants.values():
        for way in WAYS:
            search(KINDS[name], way, blas_threads, X, y, 1)
    for _ in range(rounds):
        for way in WAYS:
            for name, blas_threads in entrants.values():
                seconds, results[name][way]["score"] = search(
                    KINDS[name], way, blas_threads, X, y, max_iter
                )
                results[name][way]["seconds"].append(seconds)
    return results


def tables(results):
    """Return markdown tables of seconds, ratios to serial times and scores, for both dtypes."""
    times = []
    ratios = []
    scores = []
    for dtype, measured in results.items():
        best = {
            name: {way: min(searches["seconds"]) for way, searches in ways.items()}
            for name, ways in measured.items()
        }
        for name, seconds in best.items():
            label = f"{dtype}, {name}"
            times.append([label, *(f"{seconds[way]:.2f}" for way in WAYS)])
            over_sklearn = [best["scikit-learn"]["serial"] / seconds[way] for way in WAYS]
            over_own = [seconds[way] / seconds["2 threads"] for way in SERIAL_WAYS]
            ratios.append([label, *(f"{ratio:.2f}" for ratio in (*over_sklearn, *over_own))])
            scores.append([label, *(f"{measured[name][way]['score']:.4f}" for way in WAYS)])
    parts = [table(["seconds", *WAYS], times)]
    parts.append(
        table(
            [
                "times as fast as scikit-learn, serial",
                *WAYS,
                *(f"{way} / 2 threads" for way in SERIAL_WAYS),
            ],
            ratios,
        )
    )
    parts.append(table(["best score", *WAYS], scores))
    return "\n\n".join(parts)


def main():
    parser = option_parser(__doc__, rounds=3)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--max-iter", type=int, default=30, help="epochs of every fit")
    parser.add_argument(
        "--blas-threads",
        nargs="+",
        type=int,
        default=default_blas_threads(),
        help="for scikit-learn; its best counts",
    )
    options = parser.parse_args()
    entrants = contestants(KINDS, options.blas_threads)
    results = {}
    for dtype in options.dtypes:
        print(f"{dtype} ...", flush=True)
        results[dtype] = measure(dtype, entrants, options.rounds, options.max_iter)
    conclude(options, "grid-search", results, tables(results))


if __name__ == "__main__":
    main()
