import re
import subprocess
import sys

import pytest
from numba.core import event
from processes import ROOT, run
from reference import compiled_only
from test_jit import fit_everything

import sknn
from sknn._compiled import cache_folder, kinds, second_process
from sknn.warmup import CHOICES, _kernels
from sknn.warmup.__main__ import main

pytestmark = compiled_only
warmup_module = sys.modules["sknn.warmup"]  # the name stands for the function


def warm():
    sknn.warmup(["float32"])


def compilations_of_everything():
    """Fit everything; return the names of the package's kernels that are compiled for it."""
    with event.install_recorder("numba:compile") as recorder:
        fit_everything("float32")
    kernels = {note.data["dispatcher"].py_func for _, note in recorder.buffer if note.is_start}
    return sorted(kernel.__qualname__ for kernel in kernels if kernel.__module__.startswith("sknn"))


def test_after_a_warmup_nothing_is_left_to_compile(tmp_path):
    run(warm, NUMBA_CACHE_DIR=tmp_path)
    assert run(compilations_of_everything, NUMBA_CACHE_DIR=tmp_path).value == []


def test_every_kind_of_kernel_is_known():
    """Passes and jobs have lists of their own."""
    known = {kind for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)}
    kernels = _kernels(**{name: CHOICES[name] for name in ("activations", "losses", "solvers")})
    of_the_engine = {
        kinds.PASS,
        kinds.LAYER_PASS,
        kinds.UNITS_STEP,
        kinds.BLOCK_UPDATE,
        kinds.JOB,
        kinds.SKIP,
    }
    assert known - of_the_engine == set(kernels)


@pytest.mark.parametrize("parameter", CHOICES)
def test_names_that_are_none(parameter):
    with pytest.raises(ValueError, match=f"^{parameter} must be of .*, got 'mysh'"):
        sknn.warmup(**{parameter: ["mysh"]})
    with pytest.raises(ValueError, match=f"^{parameter} must name at least one of "):
        sknn.warmup(**{parameter: []})


def steps_of(output):
    """Return what the lines of a warmup's output name, without numbers and seconds."""
    return [line.split("  ", 2)[-1].rpartition(" ... ")[0] for line in output.splitlines()]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"solvers": "lbfgs", "losses": "huber"}, {"training with lbfgs", "loss huber"}),
        ({"solvers": "sgd"}, {"training in minibatches", "optimizer step sgd"}),
        ({"losses": "binary_log_loss"}, {"link to logits", "loss binary_log_loss"}),
    ],
    ids=str,
)
def test_only_what_is_named_is_compiled(capsys, chosen, expected):
    sknn.warmup("float32", **{"activations": "relu", "solvers": "adam", **chosen}, verbose=True)
    steps = steps_of(capsys.readouterr().out)
    assert expected <= {step.removeprefix("float32  ") for step in steps}
    of_activations = [step for step in steps if "activation" in step]
    assert [step.split()[-1] for step in of_activations] == ["relu", "relu"]
    assert ("training with lbfgs" in str(steps)) == ("lbfgs" in chosen.values())
    assert "optimizer step adam" not in str(steps) or "solvers" not in chosen


@pytest.mark.parametrize("n_cores", [1, 2])
def test_steps_of_a_second_process_that_fails_are_done_here(capsys, monkeypatch, n_cores):
    monkeypatch.setattr(warmup_module, "may_use_two_cores", lambda: n_cores == 2)
    monkeypatch.setattr(warmup_module, "is_second_core_free", lambda: True)
    monkeypatch.setattr(second_process, "STAMP", "of other sources")
    few = {"activations": "relu", "losses": "log_loss", "solvers": "adam"}
    sknn.warmup("float32", **few, verbose=True)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    names = [[name] for name in few.values()]
    kernels, fits = warmup_module._steps(["float32"], *names)
    labels = [label for label, _ in kernels + fits]
    assert sorted(line.rpartition(" ... ")[0] for _, line in lines) == sorted(labels)
    expected = [f"{number}/{len(labels)}" for number in range(1, len(labels) + 1)]
    assert [progress for progress, _ in lines] == expected


NAMES = ["--activation", "relu", "--loss", "log_loss", "--solver", "adam", "--dtype", "float64"]


def test_command():
    command = [sys.executable, "-W", "error", "-m", "sknn.warmup", *NAMES]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    *steps, last = output.splitlines()
    numbers = [step.split()[0] for step in steps]
    assert numbers == [f"{i}/{len(steps)}" for i in range(1, len(steps) + 1)]
    assert all(step.endswith(" s") for step in steps)
    assert last.startswith("compiled for float64 in ")
    assert str(cache_folder.cache_directory()) in last


@pytest.mark.parametrize("option", ["--activation", "--loss", "--solver", "--dtype"])
def test_command_lists_the_options(option, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sknn.warmup", option, "mysh"])
    with pytest.raises(SystemExit):
        main()
    errors = " ".join(capsys.readouterr().err.split())
    assert re.search(
        f"{option}: invalid choice: 'mysh' [(]choose from .*(relu|huber|adam|float32)", errors
    )
