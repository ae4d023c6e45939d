"""The folder of the compile cache: where it is, whose files are loaded, and when they go."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba.core import config
from processes import ROOT

import sknn
from sknn._compiled import cache, cache_folder
from sknn._compiled.cache_folder import FileSet, cache_directory, describe_cache

DAY = 86_400
STAMP = 32 * "a"
NAME = "kernel-0.nbc"
CONTENT = b"compiled"

on_posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have POSIX owners")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root may give files to others"
)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A cache, which does not exist yet."""
    monkeypatch.setattr(cache_folder, "cache_directory", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def kernels(directory):
    """A set with one file."""
    kernels = FileSet(STAMP, "this")
    kernels.write(NAME, CONTENT)
    assert kernels.read(NAME) == CONTENT
    return kernels


# ---- where the cache is ------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder, on Linux, without any settings."""
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def find_directory():
    return cache_directory.__wrapped__()


@on_posix
@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_cache_is_in_the_users_folder_for_caches(home, monkeypatch, platform, expected):
    monkeypatch.setattr(sys, "platform", platform)
    assert find_directory() == home / expected / "sknn"


@on_posix
def test_users_folder_for_caches_may_be_set(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "elsewhere"))
    assert find_directory() == home / "elsewhere" / "sknn"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert find_directory() == home / ".cache" / "sknn"


@on_posix
def test_numba_cache_dir_comes_first_and_may_be_relative(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "elsewhere"))
    monkeypatch.setattr(config, "CACHE_DIR", "chosen")
    monkeypatch.chdir(home)
    assert find_directory() == home / "chosen"


@pytest.mark.usefixtures("home")
def test_no_cache_without_home(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for unknown users
    assert find_directory() is None
    monkeypatch.setattr(cache_folder, "cache_directory", find_directory)
    for use in (
        lambda: FileSet(STAMP, "this").read(NAME),
        lambda: FileSet(STAMP, "").write("", b""),
    ):
        with pytest.raises(NotADirectoryError, match="set NUMBA_CACHE_DIR"):
            use()
    assert describe_cache().startswith("none (this user has no home folder")


def test_description_names_the_folder_or_the_fault(directory):
    assert describe_cache() == str(directory)
    directory.touch()
    assert describe_cache() == f"none ({directory} is not a folder)"


FIT = """
import sys, warnings
sys.path.insert(0, sys.argv[1])
import sknn
from sklearn.datasets import load_iris
warnings.simplefilter("ignore", UserWarning)
sknn.MLPClassifier(max_iter=1).fit(*load_iris(return_X_y=True))
print(sknn.__file__)
"""


@on_posix
def test_a_fit_leaves_nothing_beside_the_sources(tmp_path):
    """Otherwise a folder would stay when the package is uninstalled, and could be imported."""
    site = tmp_path / "site"
    for path in Path(sknn.__file__).parent.rglob("*.py"):
        copied = site / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
    before = {path.name for path in site.rglob("*")}
    caches = tmp_path / "caches"
    caches.mkdir()
    compiled_already = cache_directory()
    if compiled_already is not None and compiled_already.exists():
        (caches / "sknn").symlink_to(compiled_already)
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-B", "-c", FIT, site]
    output = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment | {"XDG_CACHE_HOME": str(caches)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output.startswith(str(site))
    assert {path.name for path in site.rglob("*")} == before


# ---- whom to trust -----------------------------------------------------------------------------


def expect_refusal(kernels, message=None):
    with pytest.raises(OSError, match=message) as refused:
        kernels.read(NAME)
    assert not isinstance(refused.value, FileNotFoundError)


@on_posix
@pytest.mark.parametrize("what", ["cache", "set", "file"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_may_write_to_is_not_loaded(directory, kernels, what, mode):
    path = {"cache": directory, "set": kernels.path, "file": kernels.path / NAME}[what]
    path.chmod(path.stat().st_mode | mode)
    expect_refusal(kernels, f"other users may write to {path}")
    if what != "file":
        with pytest.raises(PermissionError, match="NUMBA_CACHE_DIR"):
            kernels.write("other.nbc", CONTENT)
        assert not (kernels.path / "other.nbc").exists()
    assert describe_cache().startswith("none") == (what == "cache")


@on_posix
def test_a_shared_folder_in_which_nobody_changes_what_others_own(directory, kernels):
    directory.chmod(0o1777)
    assert kernels.read(NAME) == CONTENT
    kernels.path.chmod(0o1777)
    expect_refusal(kernels, "other users may write")


@as_root
@pytest.mark.parametrize("what", ["cache", "set", "file"])
def test_what_belongs_to_others_is_not_loaded(directory, kernels, what):
    path = {"cache": directory, "set": kernels.path, "file": kernels.path / NAME}[what]
    os.chown(path, 65534, 65534)
    expect_refusal(kernels, f"{path} belongs to another user")


@on_posix
def test_files_of_root_are_loaded(kernels, monkeypatch):
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1000)
    if owner == 0:
        assert kernels.read(NAME) == CONTENT
    else:
        expect_refusal(kernels, "belongs to another user")


@on_posix
def test_others_may_read_but_not_write(directory):
    before = os.umask(0)
    try:
        FileSet(STAMP, "this").write(NAME, CONTENT)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in directory.rglob("*") if path.is_file()}
    assert modes == {0o644}
    assert {path.stat().st_mode & 0o777 for path in (directory, *directory.iterdir())} == {0o755}


def link(path):
    path.with_name("target").write_bytes(CONTENT)
    path.symlink_to(path.with_name("target"))


def bind_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # paths of sockets have 100 characters at most
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def make_pipe(path):
    os.mkfifo(path)  # which Windows lacks


REPLACEMENTS = {
    "folder": Path.mkdir,
    "link": link,
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": make_pipe,
    "socket": bind_socket,
}


@on_posix
@pytest.mark.parametrize("what", REPLACEMENTS)
def test_only_regular_files_are_read(kernels, what):
    path = kernels.path / NAME
    path.unlink()
    REPLACEMENTS[what](path)
    expect_refusal(kernels)
    if what != "folder":
        kernels.write(NAME, CONTENT)
        assert kernels.read(NAME) == CONTENT
        assert not path.is_symlink()


@on_posix
@pytest.mark.parametrize("what", ["file", "link", "link to nothing", "pipe", "socket"])
def test_only_a_folder_is_taken_for_a_set(tmp_path, directory, kernels, what):
    kernels.path.rename(tmp_path / "moved")
    {"file": Path.touch, **REPLACEMENTS}[what](kernels.path)
    expect_refusal(kernels)
    with pytest.raises(OSError, match=STAMP):
        kernels.write(NAME, CONTENT)


@on_posix
def test_the_cache_may_be_a_link(tmp_path, directory, kernels):
    directory.rename(tmp_path / "moved")
    directory.symlink_to(tmp_path / "moved")
    assert kernels.read(NAME) == CONTENT


# ---- sets that nobody uses any more ------------------------------------------------------------


def set_age(path, days):
    os.utime(path, (time.time() - days * DAY,) * 2)


def use(stamp, installation="this"):
    """Write a file as a new process does; return its set's folder."""
    kernels = FileSet(stamp, installation)
    kernels.write(NAME, CONTENT)
    return kernels.path


def test_the_set_of_the_last_release_is_removed(directory):
    use("1" * 32)
    new = use("2" * 32)
    assert list(directory.iterdir()) == [new]


def test_installations_that_share_a_cache_keep_each_others_sets(directory):
    """In turns, for months."""
    for month in range(3):
        sets = [use(stamp * 32, installation) for stamp, installation in ("1a", "2b", "1c")]
        assert sorted(directory.iterdir()) == sorted(set(sets)), month
        for mark in directory.glob("*/used-by-*"):
            set_age(mark, 29)
    use("3" * 32, "a")
    assert len(list(directory.iterdir())) == 3  # c still uses the first
    use("3" * 32, "c")
    assert sorted(directory.iterdir()) == sorted([directory / f"sknn-{s * 32}" for s in "23"])


def test_a_set_that_nobody_used_for_30_days_is_removed(directory):
    for stamp, age in (("1", 31), ("2", 29)):
        path = use(stamp * 32, f"installation {stamp}")
        (path / ".sknn-1-killed").touch()
        for file in path.iterdir():
            set_age(file, age)
    new = use("3" * 32)
    assert sorted(directory.iterdir()) == sorted([directory / f"sknn-{32 * '2'}", new])


def test_at_most_20_sets_are_kept(directory):
    for number in range(20):
        path = use(f"{number:032}", f"installation {number}")
        set_age(path / f"used-by-installation {number}", 1 + number)
    use("a" * 32)
    kept = {path.name for path in directory.iterdir()}
    assert kept == {f"sknn-{stamp}" for stamp in [*(f"{n:032}" for n in range(19)), "a" * 32]}


def test_only_the_caches_own_files_are_removed(directory):
    old = use("1" * 32)
    for path in (old / "of others", directory / "sknn-experiments" / NAME, directory / "a.nbi"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        set_age(path, 1000)
    use("2" * 32)
    assert list(old.iterdir()) == [old / "of others"]
    assert (directory / "sknn-experiments" / NAME).exists()
    assert (directory / "a.nbi").exists()


def test_leftovers_in_a_set_in_use_are_removed(directory):
    path = use(STAMP)
    for name, age in ((".sknn-1-killed", 31), ("used-by-nobody", 31), (".sknn-2-running", 0)):
        (path / name).touch()
        set_age(path / name, age)
    use(STAMP)
    names = {path.name for path in path.iterdir()}
    assert names == {NAME, "used-by-this", ".sknn-2-running"}


def test_a_set_counts_as_used_when_a_file_is_loaded_once_a_day(kernels):
    mark = kernels.path / "used-by-this"
    for age, is_touched in ((0.5, False), (2, True)):
        set_age(mark, age)
        before = mark.stat().st_mtime
        kernels.read(NAME)
        assert (mark.stat().st_mtime != before) == is_touched
    mark.unlink()
    kernels.read(NAME)
    assert mark.exists()


def test_a_read_only_set_is_loaded(kernels, monkeypatch):
    (kernels.path / "used-by-this").unlink()
    refused = []

    def refuse(path, *_, **__):
        refused.append(path)
        raise PermissionError

    monkeypatch.setattr(Path, "touch", refuse)
    assert kernels.read(NAME) == CONTENT
    assert refused == [kernels.path / "used-by-this"]


def test_installations_differ_by_their_place_and_options(tmp_path, monkeypatch):
    seen = {cache.installation()}
    assert cache.installation() in seen
    monkeypatch.setattr(cache.numba, "__version__", "0")
    assert cache.installation() in seen
    for owner, name, value in [
        (config, "BOUNDSCHECK", not config.BOUNDSCHECK),
        (sys, "prefix", "elsewhere"),
        (cache, "PACKAGE", tmp_path / "sknn"),
    ]:
        monkeypatch.setattr(owner, name, value)
        assert cache.installation() not in seen
        seen.add(cache.installation())
