"""Programs that run in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import sknn

ROOT = Path(sknn.__file__).resolve().parent.parent
SETTINGS_OF_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "SKNN_NUM_THREADS",
)

# A small fit, which tells its weights and how much the process had to compile and to complain.
FIT = """
import hashlib, json, sys, warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import numpy as np
    from numba.core import event
    from sknn import MLPRegressor

    X = np.random.RandomState(0).randn(40, 3)
    with event.install_recorder("numba:compile") as compilations:
        model = MLPRegressor(
            hidden_layer_sizes=(4,), solver="sgd", activation="tanh", max_iter=3, random_state=0
        ).fit(X, X[:, 0])
weights = b"".join(array.tobytes() for array in [*model.coefs_, *model.intercepts_])
complaints = [str(each.message) for each in caught if each.category is RuntimeWarning]
print(json.dumps([hashlib.sha256(weights).hexdigest(), len(compilations.buffer), complaints]))
"""


class Fit(NamedTuple):
    weights: str
    n_compilations: int
    complaints: list


class ChildError(Exception):
    """A process crashed, raised an error or did not end."""


def search_path(root=ROOT):
    """Return PYTHONPATH with ``root`` in front, so that its sknn is imported."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([str(root), *filter(None, inherited)])


def start(program, *arguments, root=ROOT, prefix=(), cwd=None, **environment):
    """Start a program in Python; variables that are None are removed.

    Parameters
    ----------
    program : str or Path
        Text, or a file.
    *arguments : str
    root : Path, default=ROOT
        Folder to import sknn from.
    prefix : sequence of str, default=()
        Command that starts Python, for instance as another user.
    cwd : Path, default=None
    **environment : str or None
    """
    variables = {
        name: value for name, value in os.environ.items() if name not in SETTINGS_OF_THREADS
    } | {"PYTHONPATH": search_path(root)}
    variables |= {name: str(value) for name, value in environment.items() if value is not None}
    for name, value in environment.items():
        if value is None:
            variables.pop(name, None)
    source = [str(program)] if isinstance(program, Path) else ["-c", program]
    return subprocess.Popen(
        [*prefix, sys.executable, "-B", *source, *map(str, arguments)],
        env=variables,
        cwd=cwd or root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, seconds=900) -> Any:
    """Return what a program printed last, as JSON."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise ChildError(f"did not end within {seconds} s") from None
    if process.returncode != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        raise ChildError(f"exit status {process.returncode}: {last[0]}")
    return json.loads(output.strip().splitlines()[-1])


def run(program, *arguments, seconds=900, **settings):
    """Run a program and return what it printed last, as JSON."""
    return finish(start(program, *arguments, **settings), seconds)


def fit(**settings):
    """Run the small fit."""
    return Fit(*run(FIT, **settings))
