"""How much longer does a fit take when others want the cores?

In one process, in turns: a fit alone; a fit right after a matrix product of BLAS with all threads,
which go on for a while in a loop; right after an epoch of PyTorch, if it is installed; and a fit
beside another process that is busy on one core. Before each, everything rests. A fit is the
workload "mid", and a quarter of it. After BLAS both lose the same time, as its threads go on for a
tenth of a second.

The short fit again in a process with OPENBLAS_THREAD_TIMEOUT=20, where BLAS' threads soon sleep.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

import numpy as np
from peers import PEERS, WORKLOADS, is_installed
from report import conclude, option_parser, table

REST = 0.3  # seconds
SOON = {"OPENBLAS_THREAD_TIMEOUT": "20"}  # BLAS' threads sleep after 2**20 cycles
# Rows, epochs, and environment variables of the process that measures, by the tables' titles
FITS = {
    "two epochs of 100 000 rows": (100_000, 2, {}),
    "an epoch of 50 000 rows": (50_000, 1, {}),
    "the same, and BLAS' threads soon sleep": (50_000, 1, SOON),
}


def do_nothing():
    """Let nothing precede a fit."""


def multiply():
    """Keep BLAS busy for a moment."""
    matrix = np.ones((1500, 1500), np.float32)
    return matrix @ matrix


def train_with_pytorch():
    """Train a small network for an epoch."""
    workload = WORKLOADS["small"]
    X, y = workload.load()
    return PEERS["PyTorch"](workload, X[:5000], y[:5000], 1)


def stay_busy(started):
    """Keep a core busy for ever."""
    started.set()
    while True:
        pass


def timed_fit(X, y, epochs):
    """Return the seconds of a fit."""
    started = time.perf_counter()
    PEERS["sknn"](WORKLOADS["mid"], X, y, epochs)
    return time.perf_counter() - started


def timed_beside_a_busy_process(X, y, epochs):
    """Return the seconds of a fit beside a process that is busy on one core."""
    started = multiprocessing.get_context("spawn").Event()
    other = multiprocessing.get_context("spawn").Process(
        target=stay_busy, args=(started,), daemon=True
    )
    other.start()
    started.wait()
    try:
        return timed_fit(X, y, epochs)
    finally:
        other.kill()
        other.join()


def measure(rows, epochs, rounds):
    """Return the seconds of all fits, by what is beside them."""
    X, y = WORKLOADS["mid"].load()
    fit = X[:rows], y[:rows], epochs
    before = {"alone": do_nothing, "after BLAS": multiply}
    if is_installed("PyTorch"):
        before["after PyTorch"] = train_with_pytorch
    timed_fit(*fit)
    found = {name: [] for name in (*before, "beside a busy process")}
    for _ in range(rounds):
        for name, act in before.items():
            time.sleep(REST)
            act()
            found[name].append(timed_fit(*fit))
        time.sleep(REST)
        found["beside a busy process"].append(timed_beside_a_busy_process(*fit))
    return found


def measure_in_process(rows, epochs, variables, rounds):
    """Return what :func:`measure` does, in a process with these environment variables."""
    command = [sys.executable, __file__, "--here", str(rows), str(epochs), "--rounds", str(rounds)]
    return json.loads(subprocess.check_output(command, env=os.environ | variables))


def tables(results):
    """Return markdown tables, one for each process."""
    return "\n\n".join(make_table(title, found) for title, found in results.items())


def make_table(title, found):
    """Return a markdown table of one process' times."""
    alone = found["alone"]
    rows = []
    for name, seconds in found.items():
        median, least = statistics.median(seconds), min(seconds)
        cells = [f"{1000 * median:.0f}", f"{1000 * least:.0f}"]
        ratios = [f"{median / statistics.median(alone):.2f}", f"{least / min(alone):.2f}"]
        rows.append([name, *cells, *ratios])
    return table([title, "median, ms", "least, ms", "median / alone", "least / alone"], rows)


def main():
    parser = option_parser(__doc__, rounds=10)
    parser.add_argument("--here", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(*options.here, options.rounds)))
        return
    results = {title: measure_in_process(*fit, options.rounds) for title, fit in FITS.items()}
    conclude(options, "neighbors", results, tables(results))


if __name__ == "__main__":
    main()
