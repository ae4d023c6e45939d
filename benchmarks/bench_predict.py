"""How long does a prediction take, of one row and of many, beside scikit-learn?

``predict_proba`` of float32 rows, 100 features through (256, 256) to 10 classes. In every round
each contestant predicts the same rows many times, in turn; its best time counts. Both are trained
alike before. scikit-learn runs once for each number of BLAS threads asked for, and its best counts.
A row should get the same probabilities alone as together with others: the largest difference
between them is printed too.
"""

import functools
import timeit
import warnings

import numpy as np
import sklearn.neural_network
import threadpoolctl
from bench_fit import contestants, default_blas_threads
from peers import WORKLOADS
from report import conclude, option_parser, table

import sknn

N_ROWS = (1, 10, 100, 1_000, 100_000)
N_ALONE = 1_000  # rows that are predicted one by one as well
KINDS = {"sknn": sknn.MLPClassifier, "scikit-learn": sklearn.neural_network.MLPClassifier}


def trained(kind, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of max_iter, which is meant
        return kind((256, 256), max_iter=2, random_state=0).fit(X, y)


def difference(model, X):
    """Return the largest difference between predictions of single rows and of all together."""
    alone = np.vstack([model.predict_proba(X[i : i + 1]) for i in range(N_ALONE)])
    together = [model.predict_proba(X[:n_rows])[:N_ALONE] for n_rows in N_ROWS]
    return max(float(np.abs(alone[: len(some)] - some).max()) for some in together)


def measure(models, entrants, X, rounds):
    """Measure both estimators, in turns.

    Returns
    -------
    results : dict
        ``{label: {"predictions": {rows: [microseconds, ...]}, "difference": largest one}}``
    """
    results = {label: {"predictions": {n_rows: [] for n_rows in N_ROWS}} for label in entrants}
    for _ in range(rounds):
        for n_rows in N_ROWS:
            n_repetitions = min(200, max(2, 200_000 // n_rows))
            for label, (name, threads) in entrants.items():
                predict = functools.partial(models[name].predict_proba, X[:n_rows])
                with threadpoolctl.threadpool_limits(threads, user_api="blas"):
                    seconds = min(timeit.repeat(predict, number=1, repeat=n_repetitions))
                results[label]["predictions"][n_rows].append(1e6 * seconds)
    for label, (name, threads) in entrants.items():
        with threadpoolctl.threadpool_limits(threads, user_api="blas"):
            results[label]["difference"] = difference(models[name], X)
    return results


def tables(results, entrants):
    """Return markdown tables: times with scikit-learn's ratio to sknn, and differences."""
    rows = []
    for n_rows in N_ROWS:
        best = {label: min(measured["predictions"][n_rows]) for label, measured in results.items()}
        ratio = (
            min(best[label] for label, (name, _) in entrants.items() if name == "scikit-learn")
            / best["sknn"]
        )
        rows.append(
            [n_rows, *(f"{microseconds:.1f}" for microseconds in best.values()), f"{ratio:.2f}"]
        )
    times = table(["us a prediction of rows", *entrants, "scikit-learn / sknn"], rows)
    differences = [
        ["alone or together", *(f"{measured['difference']:.1e}" for measured in results.values())]
    ]
    return f"{times}\n\n{table(['largest difference', *entrants], differences)}"


def main():
    parser = option_parser(__doc__, rounds=5)
    parser.add_argument(
        "--blas-threads",
        nargs="+",
        type=int,
        default=default_blas_threads(),
        help="for scikit-learn; its best counts",
    )
    options = parser.parse_args()
    X, y = WORKLOADS["mid"].load()
    models = {name: trained(kind, X[:10_000], y[:10_000]) for name, kind in KINDS.items()}
    entrants = contestants(KINDS, options.blas_threads)
    results = measure(models, entrants, X, options.rounds)
    conclude(options, "predict", results, tables(results, entrants))


if __name__ == "__main__":
    main()
