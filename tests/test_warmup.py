import subprocess
import sys

import pytest
from numba.core import event
from processes import ROOT, run
from reference import compiled_only
from test_jit import fit_everything

import sknn
from sknn._compiled import cache_folder, kinds
from sknn.warmup import _KERNELS

pytestmark = compiled_only


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
    """Products and passes are compiled by any fit."""
    known = {kind for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)}
    assert known - {kinds.PRODUCT, kinds.PASS, kinds.BLOCK_UPDATE} == set(_KERNELS)


def test_unknown_dtype():
    with pytest.raises(ValueError, match="'float16'"):
        sknn.warmup(["float16"])


def test_command(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "sknn.warmup", "--dtypes", "float64"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.startswith("compiled for float64 in ")
    assert str(cache_folder.cache_directory()) in output
