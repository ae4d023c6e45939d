"""How long does one training step take, beside the peers?

Each contestant has a process of its own, so that none meets the threads and the memory of another.
Every round measures each once, in turn, on every workload, so that whatever else the machine does
hits all alike; a contestant's time is that of its best round. A measurement is one whole training,
divided by its number of steps. It begins after a short rest, since the threads of some libraries
keep a core busy for a while after their work. Before the rounds, each trains on two
batches once, where compilers compile; that is reported apart. scikit-learn runs once for each
number of BLAS threads asked for, and its best counts. The losses after training are printed because
equal work should end at about equal losses.
"""

import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
import time

import threadpoolctl
from peers import PEERS, WORKLOADS, is_installed
from report import conclude, option_parser, table

BASELINE = "sknn"
REST = 0.05  # seconds


def default_blas_threads():
    """Return one thread and as many as BLAS would take by itself."""
    taken = [
        info["num_threads"]
        for info in threadpoolctl.threadpool_info()
        if info["user_api"] == "blas"
    ]
    return sorted({1, max(taken, default=1)})


def contestants(names, blas_threads):
    """Return ``{label: (peer's name, BLAS threads or None)}``."""
    found = {}
    for name in names:
        for threads in blas_threads if name == "scikit-learn" else [None]:
            found[name if threads is None else f"{name}, BLAS threads: {threads}"] = name, threads
    return found


def timed(peer, threads, *arguments):
    """Return ``(seconds, loss)`` of one training."""
    limit = (
        contextlib.nullcontext()
        if threads is None
        else threadpoolctl.threadpool_limits(threads, user_api="blas")
    )
    with limit:
        time.sleep(REST)
        started = time.perf_counter()
        loss = peer(*arguments)
        return time.perf_counter() - started, float(loss)


class Contestant:
    """A process that trains what it is asked to.

    Parameters
    ----------
    peer : str
    threads : int or None
        Of BLAS.
    """

    def __init__(self, peer, threads):
        task = json.dumps([peer, threads])
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def train(self, workload, n_rows, epochs):
        """Return ``(seconds, loss)`` of one training on the first ``n_rows`` rows."""
        print(json.dumps([workload, n_rows, epochs]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def end(self):
        """Let the process end."""
        self._process.communicate()


def serve(peer, threads):
    """Train what the standard input asks for, and write seconds and losses to the output."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print
    load = functools.cache(lambda name: WORKLOADS[name].load())
    for line in sys.stdin:
        name, n_rows, epochs = json.loads(line)
        X, y = load(name)
        answer = timed(PEERS[peer], threads, WORKLOADS[name], X[:n_rows], y[:n_rows], epochs)
        print(json.dumps(answer), file=answers, flush=True)


def measure(workloads, entrants, rounds):
    """Measure all peers on all workloads, in turns.

    Returns
    -------
    results : dict
        ``{workload: {label: {"first call": seconds, "steps": [microseconds per step, one value per
        round], "loss": last loss}}}``
    """
    sizes = {name: len(WORKLOADS[name].load()[0]) for name in workloads}
    running = {label: Contestant(*entrant) for label, entrant in entrants.items()}
    results = {name: {} for name in workloads}
    for name in workloads:
        for label, contestant in running.items():
            seconds, _ = contestant.train(name, 2 * WORKLOADS[name].batch_size, 1)
            results[name][label] = {"first call": seconds, "steps": []}
    for number in range(1, rounds + 1):
        print(f"round {number} ...", flush=True)
        for name, n_rows in sizes.items():
            for label, contestant in running.items():
                result = results[name][label]
                seconds, result["loss"] = contestant.train(name, n_rows, WORKLOADS[name].epochs)
                result["steps"].append(1e6 * seconds / WORKLOADS[name].n_steps(n_rows))
    for contestant in running.values():
        contestant.end()
    return results


def ratios_to_baseline(measured, entrants):
    """Return ``{name: its best step over the baseline's}``, for workloads with a baseline."""
    best = {}
    for label, (name, _) in entrants.items():
        best[name] = min(best.get(name, float("inf")), *measured[label]["steps"])
    return (
        {name: step / best[BASELINE] for name, step in best.items() if name != BASELINE}
        if BASELINE in best
        else {}
    )


def tables(results, entrants):
    """Return markdown tables of steps, ratios to the baseline, first calls and losses."""
    rows = []
    others = []
    for workload, measured in results.items():
        ratios = ratios_to_baseline(measured, entrants)
        others = list(ratios)
        steps = (f"{min(measured[label]['steps']):.1f}" for label in entrants)
        rows.append([workload, *steps, *(f"{ratio:.2f}" for ratio in ratios.values())])
    parts = [table(["us a step", *entrants, *(f"{name} / {BASELINE}" for name in others)], rows)]
    for title, key in (
        ("seconds of the first call", "first call"),
        ("loss after training", "loss"),
    ):
        rows = [
            [workload, *(f"{measured[label][key]:.4f}" for label in entrants)]
            for workload, measured in results.items()
        ]
        parts.append(table([title, *entrants], rows))
    return "\n\n".join(parts)


def plot(results, entrants, path):
    """Draw how many times longer than the baseline's the others' steps are."""
    from matplotlib.figure import Figure

    ratios = {
        workload: ratios_to_baseline(measured, entrants) for workload, measured in results.items()
    }
    names = sorted(next(iter(ratios.values())), key=next(iter(ratios.values())).get)
    figure = Figure(figsize=(9, 4), layout="constrained")
    ax = figure.subplots()
    thickness = 0.8 / len(names)
    for i, name in enumerate(names):
        places = [row + (i + 0.5) * thickness - 0.4 for row in range(len(ratios))]
        bars = ax.barh(places, [of[name] for of in ratios.values()], thickness, label=name)
        ax.bar_label(bars, fmt="%.1f", padding=2, fontsize=7)
    ax.axvline(1, color="black", linewidth=1)
    ax.set(
        xscale="log",
        xlabel=f"time of a training step, {BASELINE} = 1",
        yticks=range(len(ratios)),
        yticklabels=list(ratios),
    )
    ax.xaxis.set_major_formatter("{x:g}")
    ax.invert_yaxis()
    ax.legend()
    figure.savefig(path, dpi=150)


def main():
    parser = option_parser(__doc__, rounds=3)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument(
        "--peers", nargs="+", choices=PEERS, default=[name for name in PEERS if is_installed(name)]
    )
    parser.add_argument(
        "--blas-threads",
        nargs="+",
        type=int,
        default=default_blas_threads(),
        help="for scikit-learn; its best counts",
    )
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    entrants = contestants(options.peers, options.blas_threads)
    results = measure(options.workloads, entrants, options.rounds)
    saved = conclude(options, "fit", results, tables(results, entrants))
    if saved is not None and BASELINE in options.peers and len(options.peers) > 1:
        plot(results, entrants, saved.with_suffix(".png"))


if __name__ == "__main__":
    main()
