"""The compile cache: whatever happens to its files, results are the same, with one warning."""

import errno
import hashlib
import os
import pickle
import shutil
import threading
import warnings
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from numba.core import config, event
from processes import finish, run, start

from sknn import MLPRegressor
from sknn._compiled import cache as cache_module
from sknn._compiled import cache_folder
from sknn._compiled.cache import GuardedCache
from sknn._compiled.cache_folder import FileSet
from sknn._compiled.jit import jit
from sknn._compiled.kinds import ACTIVATION
from sknn.parts.activations import ACTIVATIONS

CHECKSUM = 32  # bytes in front of every file


def flip(position):
    """Return a function that flips a bit of the byte at ``position``, a fraction if a float."""

    def damage(raw):
        where = int(position * len(raw)) if isinstance(position, float) else position
        damaged = bytearray(raw)
        damaged[where] ^= 1 << (where % 8)
        return bytes(damaged)

    return damage


def with_checksum(path, payload):
    return hashlib.sha256(path.name.encode() + payload).digest() + payload


DAMAGES = {
    "empty": lambda raw: b"",
    "half a checksum": lambda raw: raw[: CHECKSUM // 2],
    "only a checksum": lambda raw: raw[:CHECKSUM],
    "first half": lambda raw: raw[: len(raw) // 2],
    "last byte missing": lambda raw: raw[:-1],
    "a byte too much": lambda raw: raw + b"\0",
    "random": lambda raw: np.random.RandomState(0).bytes(len(raw)),
    "zeros": lambda raw: bytes(len(raw)),
    "first bit of the checksum": flip(0),
    "last byte of the checksum": flip(CHECKSUM - 1),
    "first byte of the content": flip(CHECKSUM),
    "a bit in the first half": flip(0.3),
    "a bit in the second half": flip(0.7),
    "a bit of the last byte": flip(-1),
}


# ---- one small kernel in this process ----------------------------------------------------------


def _third(x):
    return x / 3


def fresh_kernel():
    """Return a kernel as a new process would have it: compiled by nobody yet."""
    return jit(entry=True)(_third)


@pytest.fixture
def no_folder(monkeypatch):
    """No cache, in a process that has not yet warned, where this file's kernels are kept too."""
    monkeypatch.setattr(cache_module, "_is_in_the_stamp", lambda function: True)
    monkeypatch.setattr(cache_folder, "cache_directory", lambda: None)
    monkeypatch.setattr(cache_module, "_warned", threading.Event())
    monkeypatch.setattr(cache_module, "FILES", FileSet(cache_module.STAMP, "this"))


@pytest.fixture
def folder(tmp_path, monkeypatch, no_folder):
    """An empty cache."""
    monkeypatch.setattr(cache_folder, "cache_directory", lambda: tmp_path)
    return tmp_path


def call(kernel=None):
    """Call a kernel; return ``(whether it came from disk, messages of the warnings)``."""
    kernel = kernel or fresh_kernel()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert kernel(2.0) == 2.0 / 3
    assert all(warning.category is RuntimeWarning for warning in caught)
    return sum(kernel.stats.cache_hits.values()) == 1, [str(warning.message) for warning in caught]


def files(folder):
    return sorted(folder.glob("*/*.nbc"))


def only_file(folder):
    (path,) = files(folder)
    return path


def test_compiled_code_is_kept_and_found_again(folder):
    assert call() == (False, [])
    assert only_file(folder).suffix == ".nbc"
    assert call() == (True, [])


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_replaced_with_one_warning(folder, damage):
    call()
    path = only_file(folder)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    loaded, messages = call()
    assert not loaded
    assert len(messages) == 1
    assert "the compile cache could not be read" in messages[0]
    assert call() == (True, [])


@pytest.mark.parametrize("payload", [b"sknn", pickle.dumps({"sknn": 1})])
def test_content_that_is_no_kernel_is_replaced_with_one_warning(folder, payload):
    call()
    path = only_file(folder)
    path.write_bytes(with_checksum(path, payload))
    loaded, messages = call()
    assert (loaded, len(messages)) == (False, 1)
    assert call() == (True, [])


def test_files_whose_names_were_swapped_are_not_loaded(folder):
    kernel = fresh_kernel()
    kernel(np.float32(2))
    kernel(2.0)
    first, second = files(folder)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    loaded, messages = call()
    assert (loaded, len(messages)) == (False, 1)
    assert "checksum" in messages[0]


def test_only_the_first_fault_of_a_process_warns(folder):
    call()
    path = only_file(folder)
    for n_warnings in (1, 0):
        path.write_bytes(b"")
        loaded, messages = call()
        assert (loaded, len(messages)) == (False, n_warnings)


def test_deleted_file_is_made_again(folder):
    call()
    only_file(folder).unlink()
    assert call() == (False, [])
    assert call() == (True, [])


def test_deleted_folder_is_made_again(folder):
    call()
    shutil.rmtree(folder)
    assert call() == (False, [])
    assert call() == (True, [])


def test_files_of_other_versions_are_left_alone(folder, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(cache_module, "FILES", FileSet(32 * "0", "other"))
        call()
    older = only_file(folder)
    content = older.read_bytes()
    assert call() == (False, [])
    assert call() == (True, [])
    assert older.read_bytes() == content


def disk_full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("module", "name"), [(cache_folder, "_open_new"), (os, "replace"), (Path, "mkdir")]
)
def test_full_disk(folder, monkeypatch, module, name):
    monkeypatch.setattr(module, name, disk_full)
    loaded, messages = call()
    assert not loaded
    assert len(messages) == 1
    assert "could not be written (OSError" in messages[0]
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("no_folder")
def test_nothing_writable():
    loaded, messages = call()
    assert not loaded
    assert len(messages) == 1
    assert "set NUMBA_CACHE_DIR" in messages[0]
    assert call() == (False, [])


def test_file_names_tell_dtypes_apart(folder):
    kernel = fresh_kernel()
    assert kernel(np.float32(2)) == np.float32(2) / np.float32(3)
    assert kernel(2.0) == 2.0 / 3
    assert len(files(folder)) == 2
    again = fresh_kernel()
    assert again(np.float32(2)) == np.float32(2) / np.float32(3)
    assert again(2.0) == 2.0 / 3
    assert sum(again.stats.cache_hits.values()) == 2


def test_flush_removes_the_files_of_one_kernel(folder):
    call()
    kept = only_file(folder).parent / "another.kernel-0.nbc"
    kept.touch()
    GuardedCache(_third, "from Python").flush()
    assert only_file(folder) == kept


def test_two_processors_share_a_set(folder, monkeypatch):
    call()
    codegen = type(fresh_kernel().targetctx.codegen())
    with monkeypatch.context() as patched:
        patched.setattr(codegen, "magic_tuple", lambda self: ("another", "processor"))
        assert call() == (False, [])
        assert call() == (True, [])
    assert call() == (True, [])
    assert len(files(folder)) == 2


# ---- what compiled code depends on -------------------------------------------------------------


def new_stamp():
    return cache_module.stamp()


@pytest.mark.parametrize(
    "module",
    [cache_module.numba, cache_module.llvmlite, cache_module.np, cache_module.scipy],
    ids=lambda module: module.__name__,
)
def test_stamp_depends_on_versions(monkeypatch, module):
    before = new_stamp()
    assert new_stamp() == before
    monkeypatch.setattr(module, "__version__", "0")
    assert new_stamp() != before


@pytest.mark.parametrize("name", ["BOUNDSCHECK", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE"])
def test_stamp_depends_on_numbas_options(monkeypatch, name):
    before = new_stamp()
    monkeypatch.setattr(config, name, "another value")
    assert new_stamp() != before


def test_stamp_depends_on_the_source_of_every_kernel(tmp_path, monkeypatch):
    package = tmp_path / "sknn"
    shutil.copytree(cache_module.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = new_stamp()
    monkeypatch.setattr(cache_module, "PACKAGE", package)
    assert new_stamp() == before  # wherever the package is installed
    seen = {before}
    for path in sorted(package.rglob("*.py")):
        path.write_text(path.read_text() + "\n")
        holds_kernels = path.relative_to(package).parts[0] in cache_module.FOLDERS_OF_KERNELS
        assert (new_stamp() in seen) != holds_kernels, path
        seen.add(new_stamp())


# ---- one kernel of the package, in processes ---------------------------------------------------


def logistic_of_two():
    """Return logistic(2) from the kernel that fits use, and whether it came from disk."""
    kernel = ACTIVATIONS["logistic"].forward
    out = np.zeros(1)
    ACTIVATION.function(kernel, out.dtype)(np.array([2.0]), 0.0, out)
    return out[0], sum(kernel.stats.cache_hits.values()) == 1


def logistic_of_two_with_small_files():
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    return logistic_of_two()


EXPECTED = 1 / (1 + np.exp(-2.0))


def test_edited_helper_in_another_file_is_compiled_anew(tmp_path):
    shutil.copytree(
        cache_module.PACKAGE, tmp_path / "sknn", ignore=shutil.ignore_patterns("__pycache__")
    )
    settings = {"root": tmp_path, "NUMBA_CACHE_DIR": tmp_path / "cache"}
    values = [run(logistic_of_two, **settings) for _ in range(2)]
    assert [value[1] for value, _ in values] == [False, True]
    np.testing.assert_allclose([value[0] for value, _ in values], EXPECTED, rtol=1e-15)

    edited = tmp_path / "sknn" / "_compiled" / "elementary.py"
    before = edited.read_text()
    edited.write_text(
        before.replace("return 1.0 / (1.0 + exp(-x))", "return 7.0 / (1.0 + exp(-x))")
    )
    assert edited.read_text() != before
    (value, loaded), n_warnings = run(logistic_of_two, **settings)
    np.testing.assert_allclose(value, 7 * EXPECTED, rtol=1e-15)
    assert (loaded, n_warnings) == (False, 0)


def test_no_home(tmp_path):
    (tmp_path / "home").touch()
    (value, loaded), n_warnings = run(
        logistic_of_two, HOME=tmp_path / "home", XDG_CACHE_HOME="", LOCALAPPDATA=""
    )
    np.testing.assert_allclose(value, EXPECTED, rtol=1e-15)
    assert (loaded, n_warnings) == (False, 1)


def test_limit_on_the_size_of_files(tmp_path):
    pytest.importorskip("resource")
    (value, loaded), n_warnings = run(logistic_of_two_with_small_files, NUMBA_CACHE_DIR=tmp_path)
    np.testing.assert_allclose(value, EXPECTED, rtol=1e-15)
    assert (loaded, n_warnings) == (False, 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# ---- closures ----------------------------------------------------------------------------------


FACTORY = f"""
import math

from .elementary import exp, log
from .jit import jit

def _twice(x):
    return 2 * x

def _times_three(x):
    return 3 * x

def _apply(f, factor):
    @jit(entry=True)
    def apply(x):
        return factor * f(x)

    return apply

def _apply_in_callee(f, factor):
    @jit
    def callee(x):
        zero = {" + ".join(f"math.cos(x + {i})" for i in range(100))}
        return factor * f(x) + 0 * zero

    return _apply(callee, 1)

KERNELS = {{
    "constants": (_apply(jit(_twice), 5), _apply(jit(_twice), 7)),
    "functions": (_apply(jit(_twice), 6), _apply(jit(_times_three), 6)),
    "lambdas": (_apply(jit(lambda x: x - 1), 1), _apply(jit(lambda x: x - 2), 1)),
    "callees": (_apply_in_callee(jit(_twice), 8), _apply_in_callee(jit(_twice), 9)),
    "functions by dtype": (_apply(exp, 1), _apply(log, 1)),
}}
"""  # LLVM does not inline the callees, since they are long


CLOSURES = {
    "constants": [15.0, 21.0],
    "functions": [18.0, 27.0],
    "lambdas": [0.5, -0.5],
    "callees": [24.0, 27.0],
    "functions by dtype": [np.exp(1.5), np.log(1.5)],
}


def call_kernels(*which):
    """Call the first or second kernel of each factory, or both.

    Return for each the results, how many kernels were on disk, and the numbers by which Numba tells
    kernels of a process apart.
    """
    from sknn._compiled.factory import KERNELS

    outcomes = {}
    for case in CLOSURES:
        kernels = [KERNELS[case][int(i)] for i in which]
        values = [kernel(1.5) for kernel in kernels]
        n_loaded = sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels)
        numbers = [compiled.fndesc.uid for k in kernels for compiled in k.overloads.values()]
        outcomes[case] = values, n_loaded, numbers
    return outcomes


@pytest.fixture(scope="module")
def three_processes(tmp_path_factory):
    """Return the outcomes of processes that compile one kernel, compile the other, and load both.

    They use a copy of the package that has factories of kernels.
    """
    root = tmp_path_factory.mktemp("root")
    copied = shutil.copytree(
        cache_module.PACKAGE, root / "sknn", ignore=shutil.ignore_patterns("__pycache__")
    )
    (copied / "_compiled" / "factory.py").write_text(FACTORY)
    settings = {"root": root, "NUMBA_CACHE_DIR": root / "cache"}
    outcomes = [run(call_kernels, *which, **settings) for which in ("0", "1", "01")]
    assert [outcome.n_warnings for outcome in outcomes] == [0] * 3
    return [outcome.value for outcome in outcomes]


@pytest.mark.parametrize("case", CLOSURES)
def test_closures_of_one_factory_that_two_processes_compiled(three_processes, case):
    """Both processes count functions from the same number on, so only the names keep them apart."""
    first, second, both = (outcomes[case] for outcomes in three_processes)
    np.testing.assert_allclose([*first[0], *second[0]], CLOSURES[case], rtol=1e-15)
    assert both[0] == [*first[0], *second[0]]
    assert [n_loaded for _, n_loaded, _ in (first, second, both)] == [0, 0, 2]
    assert first[2] == second[2]
    assert both[2] == [*first[2], *second[2]]


# ---- whole fits, in processes ------------------------------------------------------------------


def fit():
    """Return a hash of the weights after a small fit, and how many compilations it took."""
    X = np.random.RandomState(0).randn(40, 3)
    warnings.simplefilter("ignore", UserWarning)
    with event.install_recorder("numba:compile") as compilations:
        model = MLPRegressor(hidden_layer_sizes=(4,), solver="sgd", max_iter=3, random_state=0).fit(
            X, X[:, 0]
        )
    weights = b"".join(array.tobytes() for array in [*model.coefs_, *model.intercepts_])
    return hashlib.sha256(weights).hexdigest(), len(compilations.buffer)


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """Return ``(outcomes, cache)`` of four processes that begin at once with one empty cache."""
    cache = tmp_path_factory.mktemp("cold")
    return [
        finish(process) for process in [start(fit, NUMBA_CACHE_DIR=cache) for _ in range(4)]
    ], cache


def test_processes_that_begin_at_once_agree(cold):
    outcomes, cache = cold
    assert len({outcome.value[0] for outcome in outcomes}) == 1
    assert [outcome.n_warnings for outcome in outcomes] == [0] * 4
    assert any(outcome.value[1] > 0 for outcome in outcomes)
    (kernels,) = cache.iterdir()
    (mark,) = kernels.glob("used-by-*")
    assert {path.suffix for path in kernels.iterdir() if path != mark} == {".nbc"}


def test_the_next_process_compiles_nothing_and_writes_nothing(cold, tmp_path):
    (first, *_), cache = cold
    warm = shutil.copytree(cache, tmp_path / "warm")
    before = {path: path.stat().st_mtime_ns for path in warm.rglob("*")}
    assert run(fit, NUMBA_CACHE_DIR=warm) == ([first.value[0], 0], 0)
    assert {path: path.stat().st_mtime_ns for path in warm.rglob("*")} == before


def test_fits_survive_damaged_and_missing_caches(cold, tmp_path):
    """Every file is damaged in another way; in a second process nothing is writable at all."""
    (first, *_), cache = cold
    damaged = shutil.copytree(cache, tmp_path / "damaged")
    for path, damage in zip(files(damaged), cycle(DAMAGES.values()), strict=False):
        path.write_bytes(damage(path.read_bytes()))
    (tmp_path / "file").touch()
    processes = [
        start(fit, NUMBA_CACHE_DIR=folder) for folder in (damaged, tmp_path / "file" / "below")
    ]
    for (weights, n_compilations), n_warnings in map(finish, processes):
        assert weights == first.value[0]
        assert n_compilations > 0
        assert n_warnings == 1
    assert run(fit, NUMBA_CACHE_DIR=damaged) == ([first.value[0], 0], 0)
