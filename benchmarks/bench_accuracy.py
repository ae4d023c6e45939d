"""How good are models of tables with default settings, and how long do they train?

Tables: the folder ``--tables``, or that of the environment variable SKNN_TABLES, with an npz file
for each table; see ``tables.py``. Without either, scikit-learn's own small tables.

Rows: at most 20 000 of each table, three quarters for training, the same for all models. Errors:
the fraction of wrong classes plus 0.002, so that ratios of tiny ones mean something, or the root
mean squared error in standard deviations of the target. Log-loss and Brier score of probabilities.
Seconds: ``fit`` alone, after a fit to a few rows that loads or compiles what is needed.

There is one process for each model and table, and one at a time. Each of their results is kept in
results/accuracy.partial.jsonl, so that an interrupted run goes on where it was; a complete run with
``--save`` removes the file. ``--ablation`` measures the recipe without one ingredient at a time.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings

import contestants
import numpy as np
import tables
from report import RESULTS, conclude, option_parser, table
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

MOST_ROWS = 20_000
TEST_SHARE = 0.25
FEW_ROWS = 200
SMALLEST = 1e-7  # probability, so that log-loss is finite
OFFSET = 0.002
REFERENCE = "scikit-learn"
PARTIAL = RESULTS / "accuracy.partial.jsonl"
MEASURES = ("error", "log-loss", "Brier", "seconds")


def split(X, y, task, seed):
    """Return X_train, X_test, y_train, y_test."""
    rows = np.arange(len(X))
    if len(X) > MOST_ROWS:
        rows = np.sort(np.random.RandomState(seed).permutation(len(X))[:MOST_ROWS])
    labels = y[rows]
    train, test = train_test_split(
        rows,
        test_size=TEST_SHARE,
        random_state=seed,
        stratify=None if task == "regression" else labels,
    )
    return X.iloc[train], X.iloc[test], y[train], y[test]


def measure(model, X_train, X_test, y_train, y_test, *, task):
    """Return the measures of one model on one split.

    Parameters
    ----------
    model : estimator
    X_train, X_test : DataFrame
    y_train, y_test : ndarray
    task : {'binary', 'multiclass', 'regression'}
    """
    started = time.perf_counter()
    model.fit(X_train, y_train)
    seconds = time.perf_counter() - started
    if task == "regression":
        residuals = y_test - np.ravel(model.predict(X_test))
        return {"error": float(np.sqrt(np.mean(residuals**2)) / y_test.std()), "seconds": seconds}
    probabilities = np.clip(model.predict_proba(X_test).astype(float), SMALLEST, 1)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    classes = model.classes_
    hits = y_test[:, np.newaxis] == classes
    return {
        "error": float(np.mean(classes[probabilities.argmax(axis=1)] != y_test)) + OFFSET,
        "log-loss": float(log_loss(y_test, probabilities, labels=classes)),
        "Brier": float(np.mean(np.sum((probabilities - hits) ** 2, axis=1))),
        "seconds": seconds,
    }


def run_one(name, where, table_name, seeds):
    """Print the measures of a model on a table, a line of JSON for each seed."""
    warnings.simplefilter("ignore")
    X, y, task = tables.load(where, table_name)
    make = contestants.ALL[name]
    for seed in range(seeds):
        X_train, X_test, y_train, y_test = split(X, y, task, seed)
        model = make(task, seed)
        if seed == 0:
            few = np.unique(np.r_[np.unique(y_train, return_index=True)[1], :FEW_ROWS])
            few = few if task != "regression" else np.arange(min(FEW_ROWS, len(X_train)))
            clone(model).fit(X_train.iloc[few], y_train[few])
        result = measure(model, X_train, X_test, y_train, y_test, task=task)
        print(json.dumps({"model": name, "table": table_name, "seed": seed, **result}), flush=True)


def run_all(names, options):
    """Return all results, after running what is not in the partial file."""
    lines = PARTIAL.read_text().splitlines() if PARTIAL.exists() else []
    results = {(row["model"], row["table"], row["seed"]): row for row in map(json.loads, lines)}
    for table_name in options.only or tables.names(options.tables):
        for name in names:
            if all((name, table_name, seed) in results for seed in range(options.rounds)):
                continue
            command = [sys.executable, __file__, "--one", name, table_name]
            command += ["--rounds", str(options.rounds)]
            command += ["--tables", options.tables] if options.tables else []
            finished = subprocess.run(command, capture_output=True, text=True, check=False)
            if finished.returncode:
                print(f"{name} failed on {table_name}:\n{finished.stderr[-2000:]}", file=sys.stderr)
            rows = [json.loads(line) for line in finished.stdout.splitlines()]
            results |= {(row["model"], row["table"], row["seed"]): row for row in rows}
            with PARTIAL.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            print(f"{table_name}, {name}: {sum(row['seconds'] for row in rows):.1f} s", flush=True)
    return list(results.values())


def means(results, measure_name):
    """Return ``{model: {table: mean over seeds}}`` where it was measured."""
    found = {}
    for row in results:
        if measure_name in row:
            of_table = found.setdefault(row["model"], {}).setdefault(row["table"], [])
            of_table.append(row[measure_name])
    return {
        model: {name: float(np.mean(values)) for name, values in of_tables.items()}
        for model, of_tables in found.items()
    }


def geometric_mean_ratio(values, reference):
    """Return the geometric mean of the ratios over tables that both have, as text, or '-'."""
    logs = [np.log(values[name] / reference[name]) for name in values if name in reference]
    return f"{np.exp(np.mean(logs)):.3f}" if logs else "-"


def overview(results, reference):
    """Return a markdown table with a row a model: ratios to the reference, and wins."""
    of = {name: means(results, name) for name in MEASURES}
    rows = []
    for model, errors in of["error"].items():
        ratios = [
            geometric_mean_ratio(of[name].get(model, {}), of[name].get(reference, {}))
            for name in MEASURES
        ]
        boosted = of["error"].get("LightGBM", {})
        wins = sum(errors[name] < boosted[name] for name in errors if name in boosted)
        shared = sum(name in boosted for name in errors)
        rows.append([model, *ratios, f"{wins} of {shared}"])
    return table([f"over {reference}", *MEASURES, "beats LightGBM on"], rows)


def details(results, measure_name):
    """Return a markdown table of one measure: a row a table, a column a model."""
    of_models = means(results, measure_name)
    names = sorted({name for of_tables in of_models.values() for name in of_tables})
    rows = [
        [
            name,
            *(f"{of[name]:.3g}" if name in of else "-" for of in of_models.values()),
        ]
        for name in names
    ]
    return table([measure_name, *of_models], rows)


def plot(results, path):
    """Draw the errors of all models on all tables, over the reference's."""
    from matplotlib.figure import Figure

    errors = means(results, "error")
    reference = errors[REFERENCE]
    figure = Figure(figsize=(9, 4), layout="constrained")
    ax = figure.subplots()
    names = sorted(reference)
    for model, values in errors.items():
        ratios = [values.get(name, np.nan) / reference[name] for name in names]
        ax.plot(names, ratios, "o" if model.startswith("sknn") else "x", label=model)
    ax.set(ylabel=f"error over {REFERENCE}'s", yscale="log")
    ax.tick_params(axis="x", rotation=30)
    ax.legend(ncols=3, fontsize="small")
    figure.savefig(path)


def main():
    parser = option_parser(__doc__, rounds=3)
    parser.add_argument("--tables", default=os.environ.get("SKNN_TABLES"), metavar="FOLDER")
    parser.add_argument("--only", nargs="*", metavar="TABLE", help="leave out all other tables")
    parser.add_argument("--models", nargs="*", choices=contestants.ALL, help="and other models")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one[0], options.tables, options.one[1], options.rounds)
        return
    names = contestants.ABLATION if options.ablation else contestants.installed()
    names = options.models or names
    results = [row for row in run_all(names, options) if row["model"] in names]
    reference = "sknn fast" if options.ablation else REFERENCE
    measured = [name for name in MEASURES if means(results, name)]
    parts = [overview(results, reference), *(details(results, name) for name in measured)]
    saved = conclude(
        options, "ablation" if options.ablation else "accuracy", results, "\n\n".join(parts)
    )
    if saved is not None:
        PARTIAL.unlink(missing_ok=True)
        if not options.ablation:
            plot(results, saved.with_suffix(".png"))


if __name__ == "__main__":
    main()
