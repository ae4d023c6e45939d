"""Rows 8, 9, 10 and 13: threads, processes, forks, and many that begin at once."""

import itertools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from . import children
from .tally import FAILED, WRONG

# ---- row 8 -------------------------------------------------------------------------------------

DETERMINISM = """
import hashlib, json, os, sys, warnings
import joblib
import numpy as np
from sknn import MLPClassifier

def train(seed, with_callback):
    warnings.simplefilter("ignore")
    X = np.random.default_rng(0).normal(size=(600, 60)).astype(np.float32)
    y = (X[:, :4] @ np.ones((4, 1)))[:, 0].round().astype(int)
    model = MLPClassifier((256, 128), max_iter=2, batch_size=150, random_state=seed)
    if with_callback:
        model.set_callbacks(Silent())
    model.fit(X, y)
    learned = [*model.coefs_, *model.intercepts_]
    return hashlib.sha256(b"".join(each.tobytes() for each in learned)).hexdigest()

class Silent:
    def ignore(self, estimator, context, **details):
        pass

    setup = on_fit_task_begin = on_fit_task_end = teardown = ignore

if __name__ == "__main__":
    backend = sys.argv[1]
    if backend == "dask":
        from dask.distributed import Client
        client = Client(n_workers=2, threads_per_worker=1, dashboard_address=None)
    if backend == "ray":
        os.environ["RAY_worker_niceness"] = "0"  # busy machines would keep its workers waiting
        import ray
        from ray.util.joblib import register_ray
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        register_ray()
    n_jobs = 1 if backend == "sequential" else 2
    hashes = set()
    for with_callback in (False, True):
        with joblib.parallel_config(backend, n_jobs=n_jobs):
            hashes |= set(joblib.Parallel()(
                joblib.delayed(train)(7, with_callback) for _ in range(2)
            ))
    print(json.dumps(sorted(hashes)))
"""


def row_8(tally, options):
    """Determinism: numbers of threads x backends of joblib x callbacks x compiled or loaded."""
    threads = (1, 2) if options.quick else (1, 2, 4)
    backends = ["sequential", "loky", "threading"]
    for name, module in (("dask", "distributed"), ("ray", "ray")):
        if find_spec(module):
            backends.append(name)
        else:
            tally.notes.append(f"{name} is not installed")
    seen = set()

    def compare(backend, **environment):
        hashes = set(children.run(program, backend, cwd=program.parent, **environment))
        seen.update(hashes)
        return WRONG if len(seen) > 1 else None

    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "determinism.py")
        program.write_text(DETERMINISM)
        for backend, blas, own in itertools.product(backends, threads, threads):
            environment = {"OPENBLAS_NUM_THREADS": blas, "SKNN_NUM_THREADS": own}
            if backend in ("dask", "ray") and blas != own:
                continue  # they take seconds to start
            tally.run(f"{backend}, {environment}", partial(compare, backend, **environment))
        for backend in backends[:1] if options.quick else backends[:3]:
            cache = Path(folder, f"cache {backend}")
            empty = partial(compare, backend, NUMBA_CACHE_DIR=cache)
            tally.run(f"{backend}, nothing compiled", empty)


# ---- row 9 -------------------------------------------------------------------------------------


def row_9(tally, options):
    """Concurrent fits, and concurrent predictions of one estimator."""
    from sknn import MLPClassifier

    X = np.random.default_rng(0).normal(size=(300, 20))
    y = (X[:, 0] > 0) + (X[:, 1] > 0)
    n = 20 if options.quick else 100

    def train(_):
        return MLPClassifier((30,), max_iter=1000, tol=1e-3, random_state=0).fit(X, y)

    expected = train(0)
    probabilities = expected.predict_proba(X)
    with ThreadPoolExecutor(8) as pool:
        for number, model in enumerate(pool.map(train, range(n))):
            is_same = all(map(np.array_equal, model.coefs_, expected.coefs_))
            tally.require(f"fit {number}", is_same)
        predicted = pool.map(lambda _: expected.predict_proba(X), range(n))
        for number, found in enumerate(predicted):
            tally.require(f"prediction {number}", np.array_equal(found, probabilities))


# ---- row 10 ------------------------------------------------------------------------------------

FORKS = """
import json, multiprocessing, os, sys, warnings
import numpy as np
from sknn import MLPClassifier

X = np.random.default_rng(0).normal(size=(600, 60)).astype(np.float32)
y = (X[:, :4] @ np.ones((4, 1)))[:, 0].round().astype(int)

def train(_=None):
    warnings.simplefilter("ignore")
    solver = "lbfgs" if "lbfgs" in sys.argv else "adam"
    model = MLPClassifier((256, 128), solver=solver, max_iter=2, batch_size=150, random_state=7)
    return float(abs(model.fit(X, y).predict_proba(X)).sum()), float(model.coefs_[0].sum())

def predict(model):
    return float(abs(model.predict_proba(X)).sum()), float(model.coefs_[0].sum())

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    how = sys.argv[1]
    expected = train()
    model = MLPClassifier((256, 128), max_iter=2, batch_size=150, random_state=7).fit(X, y)
    if how == "os.fork":
        found = []
        for _ in range(2):
            reader, writer = os.pipe()
            if os.fork() == 0:
                os.write(writer, json.dumps(train()).encode())
                os._exit(0)
            found.append(tuple(json.loads(os.read(reader, 1000))))
    else:
        with multiprocessing.get_context(how).Pool(2) as pool:
            found = pool.map(train, range(4), chunksize=1)
            found += pool.map(train, range(4), chunksize=1)
            assert pool.apply(predict, (model,)) == predict(model)
    print(json.dumps([each == expected for each in found]))
"""


def row_10(tally, options):
    """Forks after a fit, and every way to start processes."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "forks.py")
        program.write_text(FORKS)
        ways = ("os.fork", "fork", "forkserver", "spawn")
        rounds = 1 if options.quick else 5
        for way, solver, number in itertools.product(ways, ("adam", "lbfgs"), range(rounds)):
            name = f"{way}, {solver}, round {number}"
            try:
                for is_same in children.run(
                    program, way, solver, seconds=180, cwd=folder, SKNN_NUM_THREADS="2"
                ):
                    tally.require(name, is_same)
            except children.ChildError as error:
                tally.add(name, FAILED, str(error))


# ---- row 13 ------------------------------------------------------------------------------------


def row_13(tally, options):
    """Processes that begin at once with an empty cache."""
    weights = children.fit().weights
    n_processes = 4 if options.quick else options.processes
    n_rounds = 1 if options.quick else options.rounds
    tally.notes.append(f"{n_processes} processes at once, rounds: {n_rounds}")
    for number in range(n_rounds):
        with tempfile.TemporaryDirectory() as cache:
            processes = [
                children.start(children.FIT, NUMBA_CACHE_DIR=cache) for _ in range(n_processes)
            ]
            for process in processes:
                tally.run(f"round {number}", _compare_cold, process, weights)
            again = children.fit(NUMBA_CACHE_DIR=cache)
            is_complete = again.weights == weights and again.n_compilations == 0
            tally.require(f"round {number}, afterwards", is_complete, FAILED, str(again))


def _compare_cold(process, weights):
    outcome = children.Fit(*children.finish(process, seconds=1800))
    if outcome.complaints:
        raise AssertionError(f"warnings: {outcome.complaints}")
    return WRONG if outcome.weights != weights else None
