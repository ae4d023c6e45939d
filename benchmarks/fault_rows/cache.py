"""Rows 11 and 12: faults of the compile cache, and processes that may write nowhere."""

import hashlib
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from . import children
from .tally import WRONG

NOBODY = 65534
ANOTHER = 54321
# Another user, who may read this user's Python but write nothing.
AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"


def is_root():
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("setpriv") is not None


# ---- damages of one file -----------------------------------------------------------------------


def _rewrite(change):
    return lambda path: path.write_bytes(change(path.read_bytes()))


def _flip(fraction):
    def flip(raw):
        damaged = bytearray(raw)
        damaged[int(fraction * (len(raw) - 1))] ^= 4
        return bytes(damaged)

    return flip


def _replace(make):
    def damage(path):
        path.unlink()
        make(path)

    return damage


def _bind(path):
    here = Path.cwd()
    os.chdir(path.parent)  # paths of sockets have 100 characters at most
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def _make_pipe(path):
    os.mkfifo(path)  # which Windows lacks


def _link_to_copy(path):
    copied = path.with_name("copy")
    path.rename(copied)
    path.symlink_to(copied)


def _swap(path):
    other = max(path.parent.glob("*.nbc"), key=lambda each: each.stat().st_size)
    content = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(content)


class _Planted:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def _plant(path):
    payload = pickle.dumps(_Planted(str(path.parent.parent / "code of a stranger ran")))
    path.write_bytes(hashlib.sha256(path.name.encode() + payload).digest() + payload)
    path.chmod(0o666)
    if is_root():
        os.chown(path, NOBODY, NOBODY)


# name: (damage, warnings that it may lead to)
DAMAGES = {
    "empty": (_rewrite(lambda raw: b""), 1),
    "half a checksum": (_rewrite(lambda raw: raw[:16]), 1),
    "first half": (_rewrite(lambda raw: raw[: len(raw) // 2]), 1),
    "last byte missing": (_rewrite(lambda raw: raw[:-1]), 1),
    "random": (_rewrite(lambda raw: os.urandom(len(raw))), 1),
    **{f"bit flipped at {at:.0%}": (_rewrite(_flip(at)), 1) for at in (0, 0.01, 0.3, 0.6, 1)},
    "deleted": (Path.unlink, 0),
    "names swapped": (_swap, 1),
    "folder in its place": (_replace(Path.mkdir), 1),
    "pipe in its place": (_replace(_make_pipe), 1),
    "socket in its place": (_replace(_bind), 1),
    "endless device in its place": (_replace(lambda path: path.symlink_to("/dev/zero")), 1),
    "link in its place": (_link_to_copy, 1),
    "file of a stranger": (_plant, 1),
    "file that others may write to": (lambda path: path.chmod(0o666), 1),
    "set that others may write to": (lambda path: path.parent.chmod(0o777), 1),
    "cache that others may write to": (lambda path: path.parent.parent.chmod(0o777), 1),
}


def _smallest(cache):
    return min(cache.glob("*/*.nbc"), key=lambda path: path.stat().st_size)


def _fit(weights, n_warnings, program=children.FIT, **settings):
    """Run the small fit and compare it with what is expected."""
    outcome = children.Fit(*children.run(program, **settings))
    if outcome.weights != weights:
        return WRONG
    if len(outcome.complaints) != n_warnings:
        raise AssertionError(f"warnings: {outcome.complaints}")
    return None


def row_11(tally, options):
    """Faults of the compile cache."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        filled = top / "filled"
        weights = children.fit(NUMBA_CACHE_DIR=filled).weights
        damages = list(DAMAGES.items())
        for number, (name, (damage, n_warnings)) in enumerate(damages):
            if options.quick and number % 3:
                continue
            cache = shutil.copytree(filled, top / f"damaged {number}")
            damage(_smallest(cache))
            tally.run(name, partial(_fit, weights, n_warnings, NUMBA_CACHE_DIR=cache))
        ran = list(top.rglob("code of a stranger ran"))
        tally.require("code of strangers", not ran, why="it ran")
        _row_11_places(tally, top, filled, weights)
        if not options.quick:
            _row_11_versions(tally, top, filled, weights)


def _row_11_places(tally, top, filled, weights):
    """Full disks and folders that cannot be written to."""

    def incomplete(name):
        cache = shutil.copytree(filled, top / name)
        _smallest(cache).unlink()
        return cache

    small_files = partial(_fit, weights, 1, SMALL_FILES + children.FIT)
    tally.run("files of 1 kB", partial(small_files, NUMBA_CACHE_DIR=incomplete("limited")))
    (top / "file").touch()
    tally.run("a file instead", partial(_fit, weights, 1, NUMBA_CACHE_DIR=top / "file"))
    if not is_root():
        tally.notes.append("not as root: no full disk, no strangers, no read-only folder")
        return
    disk = top / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            tally.run("disk full", partial(_fit, weights, 1, NUMBA_CACHE_DIR=disk / "cache"))
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    top.chmod(0o755)
    for name, cache, n_warnings in (
        ("read-only cache of root", filled, 0),
        ("read-only cache of root that lacks a kernel", incomplete("read-only"), 1),
    ):
        settings = {"NUMBA_CACHE_DIR": cache, "prefix": AS_NOBODY}
        tally.run(name, partial(_fit, weights, n_warnings, **settings))


def _row_11_versions(tally, top, filled, weights):
    """Processors, versions and edits of the package that share a cache."""
    cache = shutil.copytree(filled, top / "processors")

    def use(processor):
        outcome = children.fit(
            NUMBA_CACHE_DIR=cache, NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES=processor and ""
        )
        return outcome.weights, outcome.n_compilations

    def processors():
        first = use("generic")
        second = use("generic")
        here = use(None)
        if first[0] != second[0] or here[0] != weights:
            return WRONG
        if (first[1] > 0, second[1], here[1]) != (True, 0, 0):
            raise AssertionError(f"compilations: {first[1]}, {second[1]}, {here[1]}")
        return None

    tally.run("two processors", processors)
    ignored = shutil.ignore_patterns("__pycache__")
    copied = shutil.copytree(children.ROOT / "sknn", top / "root" / "sknn", ignore=ignored)
    elementary = copied / "_compiled" / "elementary.py"
    original = elementary.read_text()

    def edited():
        children.fit(NUMBA_CACHE_DIR=cache, root=top / "root")
        elementary.write_text(original.replace("1.0 / (1.0", "7.0 / (1.0"))
        n_sets = len(list(cache.glob("sknn-*")))
        outcome = children.fit(NUMBA_CACHE_DIR=cache, root=top / "root")
        if outcome.n_compilations == 0:
            return WRONG
        if len(list(cache.glob("sknn-*"))) > n_sets + 1:
            raise AssertionError("sets of files accumulate")
        again = children.fit(NUMBA_CACHE_DIR=cache)
        return WRONG if (again.weights, again.n_compilations) != (weights, 0) else None

    tally.run("a helper was edited, and another installation was not", edited)


# ---- row 12 ------------------------------------------------------------------------------------


def row_12(tally, options):
    """Read-only installation, no home, another user; nothing is left after an uninstall."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        top.chmod(0o755)
        filled = top / "filled"
        weights = children.fit(NUMBA_CACHE_DIR=filled).weights
        nowhere = {"NUMBA_CACHE_DIR": None, "XDG_CACHE_HOME": None, "HOME": top / "no home"}
        (top / "no home").touch()
        cases = {"home is a file": (nowhere, (), 1)}
        if is_root():
            unknown = tuple(part.replace(str(NOBODY), str(ANOTHER)) for part in AS_NOBODY)
            mine = top / "home of nobody"
            theirs = top / "home of another user"
            for home, user in ((mine, NOBODY), (theirs, ANOTHER)):
                home.mkdir()
                os.chown(home, user, user)
            cases |= {
                "another user, home does not exist": (
                    {**nowhere, "HOME": "/no/home"},
                    AS_NOBODY,
                    1,
                ),
                "user without a name and HOME": ({**nowhere, "HOME": None}, unknown, 1),
                "another user's home": ({**nowhere, "HOME": theirs}, AS_NOBODY, 1),
                "another user with a home": ({**nowhere, "HOME": mine}, AS_NOBODY, 0),
            }
        for name, (environment, prefix, n_warnings) in cases.items():
            settings = {"prefix": prefix, "cwd": top, **environment}
            tally.run(name, partial(_fit, weights, n_warnings, **settings))
        if not options.quick:
            tally.run("uninstall", _uninstall, top)


def _uninstall(top):
    """Install a wheel, fit, uninstall: nothing may be left that can be imported."""
    site = top / "site"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = [*pip, "install", "--no-deps", "--target", str(site), str(children.ROOT)]
    subprocess.run(install, check=True, capture_output=True)
    settings = {"root": site, "NUMBA_CACHE_DIR": None, "XDG_CACHE_HOME": top / "caches"}
    if children.fit(**settings).complaints:
        raise AssertionError("the installed package complains")
    (record,) = site.glob("sknn-*.dist-info/RECORD")
    for line in record.read_text().splitlines():
        (site / line.partition(",")[0]).unlink(missing_ok=True)
    left = [path for path in site.rglob("*") if path.is_file()]
    if left:
        raise AssertionError(f"left behind: {left}")
