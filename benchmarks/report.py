"""What every benchmark says of the machine, and how it writes its results down."""

import argparse
import datetime
import json
import os
import platform
from importlib import metadata
from pathlib import Path

import threadpoolctl

import sknn

RESULTS = Path(__file__).resolve().parent / "results"
_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "llvmlite",
    "torch",
    "keras",
    "jax",
    "skorch",
)


def machine():
    """Return processor, cores, BLAS and versions, as a dict of strings."""
    blas = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "BLAS": "; ".join(
            sorted(
                {
                    f"{info['internal_api']} {info['version']} ({info.get('architecture')})"
                    for info in blas
                }
            )
        ),
        "python": platform.python_version(),
        "sknn": sknn.__version__,
        **{name: metadata.version(name) for name in _PACKAGES if _is_installed(name)},
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _is_installed(name):
    return any(metadata.distributions(name=name))


def table(header, rows):
    """Return a markdown table whose columns are aligned in plain text too."""
    cells = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def option_parser(description, *, rounds):
    """Return a parser with the options that every benchmark has; ``rounds`` is a default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument(
        "--save",
        action="store_true",
        help="write the results, with today's date, to benchmarks/results",
    )
    return parser


def conclude(options, name, results, markdown):
    """Print the tables and, with ``--save``, write them with the results.

    Return the path of the results, or None.
    """
    print(markdown)
    return _save(name, results, markdown) if options.save else None


def _save(name, results, markdown):
    """Write results and machine to results/<name>-<date>.json, and tables to a .md beside it.

    Return the path of the former.
    """
    path = RESULTS / f"{name}-{datetime.date.today().isoformat()}.json"
    path.parent.mkdir(exist_ok=True)
    description = machine()
    path.write_text(json.dumps({"machine": description, "results": results}, indent=1) + "\n")
    path.with_suffix(".md").write_text(
        f"# {path.stem}\n\n{markdown}\n\n{table(['machine', ''], description.items())}\n"
    )
    print(f"\nsaved as {path} and .md")
    return path
