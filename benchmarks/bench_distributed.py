"""How long does ``fit_dask`` take to reach a test accuracy, with one and with two workers?

The workers are processes on this machine, with one thread each, which hold the rows of
Fashion-MNIST before time is measured; beside them stands ``fit`` in one process, with all cores.
The network is that of the course, 784-512-512-10 in float32 with batches of 32. Fits of 1, 2, 3,
... epochs, each with its averages, are run until one reaches the accuracy.
"""

import functools
import time
import warnings

import dask.array as da
from distributed import Client, LocalCluster, wait
from peers import fashion_mnist
from report import conclude, option_parser, table

from sknn import MLPClassifier
from sknn.distributed import fit_dask

MOST_EPOCHS = 10
N_PARTITIONS = 4


def timed(function, repeats):
    """Return what a function returns, and its shortest time in seconds."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - started)
    return result, min(seconds)


def reach(accuracy, fit, test, repeats):
    """Return epochs, seconds and test accuracies of longer and longer fits, of which the last one
    reaches the accuracy, or has the most epochs.
    """
    fits = []
    for n_epochs in range(1, MOST_EPOCHS + 1):
        fitted, seconds = timed(functools.partial(fit, n_epochs), repeats)
        fits.append([n_epochs, seconds, fitted.score(*test)])
        if fits[-1][2] >= accuracy:
            break
    return fits


def new_network(n_epochs):
    """Return the network that everybody trains."""
    return MLPClassifier((512, 512), batch_size=32, max_iter=n_epochs, random_state=0)


def fit_here(train):
    """Return a function that fits without a cluster, with all cores."""
    X, y = train
    new_network(1).fit(X[::100], y[::100])  # loads the kernels
    return lambda n_epochs: new_network(n_epochs).fit(X, y)


def reach_on_cluster(n_workers, accuracy, train, test, repeats):
    """Return the same for ``fit_dask`` on a new cluster."""
    cluster = LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with cluster, Client(cluster) as client:
        X, y = (
            client.persist(
                da.from_array(array, chunks=(len(array) // N_PARTITIONS, *array.shape[1:]))
            )
            for array in train
        )
        wait([X, y])

        def fit(n_epochs, rows=slice(None)):
            return fit_dask(new_network(n_epochs), X[rows], y[rows], client=client)

        fit(1, slice(None, None, 100))  # loads the kernels in the workers
        return reach(accuracy, fit, test, repeats)


def tables(results):
    """Return a markdown table of all fits."""
    rows = [
        [label, n_epochs, f"{seconds:.1f}", f"{accuracy:.4f}"]
        for label, fits in results.items()
        for n_epochs, seconds, accuracy in fits
    ]
    return table(["trained by", "epochs", "seconds", "test accuracy"], rows)


def main():
    parser = option_parser(__doc__, rounds=1)
    parser.add_argument("--accuracy", type=float, default=0.86)
    options = parser.parse_args()
    train = fashion_mnist(60_000)
    test = fashion_mnist(10_000, "t10k")
    warnings.simplefilter("ignore")  # few epochs and a large graph are meant
    results = {"fit": reach(options.accuracy, fit_here(train), test, options.rounds)}
    for n_workers in (1, 2):
        label = f"fit_dask, {n_workers} worker{'s' * (n_workers > 1)}"
        results[label] = reach_on_cluster(n_workers, options.accuracy, train, test, options.rounds)
    conclude(options, "distributed", results, tables(results))


if __name__ == "__main__":
    main()
