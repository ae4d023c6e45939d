"""Call functions of test modules in new processes.

There, modules, compiled kernels and settings have their initial state.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import sknn

TESTS = Path(__file__).resolve().parent
ROOT = Path(sknn.__file__).resolve().parent.parent
_CALL = """
import importlib, json, sys

function = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
print(json.dumps(function(*sys.argv[3:])))
"""


class Outcome(NamedTuple):
    value: Any
    n_warnings: int  # RuntimeWarnings


def start(function, *arguments, root=ROOT, **environment):
    """Start a process that calls ``function`` with strings.

    Parameters
    ----------
    function : function of a test module
    *arguments : str
    root : Path
        Folder to import the package from.
    **environment : environment variables
    """
    folders = [folder for folder in TESTS.iterdir() if folder.is_dir()]
    path = os.pathsep.join(map(str, [root, *folders]))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    return subprocess.Popen(
        [
            sys.executable,
            "-W",
            "always::RuntimeWarning",
            "-c",
            _CALL,
            function.__module__,
            function.__name__,
            *arguments,
        ],
        cwd=TESTS,
        env={
            **inherited,
            "PYTHONPATH": path,
            **{name: str(value) for name, value in environment.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Wait for a process, and return its result and its number of RuntimeWarnings."""
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return Outcome(json.loads(output), errors.count("RuntimeWarning: "))


def run(function, *arguments, **settings):
    """Call ``function`` in a new process."""
    return finish(start(function, *arguments, **settings))
