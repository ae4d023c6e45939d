"""Where compiled code is kept, whose files are loaded, and when they are removed.

To load compiled code is to run it. So only regular files are loaded that this user or root owns and
nobody else may write to, from folders of which the same is true. (Root may do everything anyway,
and a system or a container image may have a cache that root has filled.) A folder in which everyone
can only change what is their own, such as /tmp, may contain the cache. Folders further up are not
looked at: who may write there can put another folder in the place of this one, but not one of this
user's. On Windows, where files have no such owners and modes, nothing of this is checked.

The files of one version of the kernels, of one set of libraries and options, are one set with a
folder of its own, about 150 files and 3.4 MB. Several processors, installations and versions may
share a cache, and installations of the same version share a set::

    <cache>/sknn-<stamp>/<kernel>-<hash>.nbc
    <cache>/sknn-<stamp>/used-by-<installation>

An installation leaves an empty file in its set, whose time is that of its last use, to the day.
When it writes to a set, it takes these files of its own out of all others. Sets that nobody has
used for 30 days are removed then, and so is what goes beyond the 20 sets that were used last. So a
set goes with its version, but no installation removes what another one is using.

The cache is ``NUMBA_CACHE_DIR`` if that is set, else ``sknn`` in the user's folder for caches. It
is outside the package, so that nothing is left when the package is uninstalled.
"""

import contextlib
import functools
import os
import stat
import sys
import time
import uuid
from pathlib import Path

from numba.core import config

_SECONDS_A_DAY = 86_400
_DAYS_KEPT = 30
_MOST_SETS = 20
_N_DIGITS = 32  # of a stamp
_ANY_SET = "sknn-" + _N_DIGITS * "[0-9a-f]"
_ANY_FILE = ("*.nbc", ".sknn-*", "used-by-*")  # the second are of processes that were killed
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_USER_CACHES = {  # variables that name the user's folder for caches, and that folder without them
    "win32": ("LOCALAPPDATA", "~/AppData/Local"),
    "darwin": ("XDG_CACHE_HOME", "~/Library/Caches"),
}
# Everybody may read: compiled code is no secret, and what root compiles is to be of use to others.
# The umask may take away more.
_FILE_MODE = 0o644
_FOLDER_MODE = 0o755


# ---- where the cache is ------------------------------------------------------------------------


@functools.cache
def cache_directory():
    """Return the folder of the cache, which need not exist, or None if there is no place for it."""
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR).absolute()
    variable, default = _USER_CACHES.get(sys.platform, ("XDG_CACHE_HOME", "~/.cache"))
    caches = (os.environ.get(variable, ""), os.path.expanduser(default))
    # A relative path is invalid by the XDG specification. "~" remains where a user has no home.
    return next((Path(folder, "sknn") for folder in caches if os.path.isabs(folder)), None)


def describe_cache():
    """Return the folder of the cache for people, and why it is not used, if so."""
    reason = reason_for_no_cache()
    return str(cache_directory()) if reason is None else f"none ({reason})"


def reason_for_no_cache():
    """Return why the cache is not used, or None if it is."""
    try:
        _require_trusted_folder(_required_directory(), may_be_sticky=True)
    except FileNotFoundError:
        return None  # it will be made
    except OSError as error:
        return str(error)
    return None


def _required_directory():
    directory = cache_directory()
    if directory is None:
        raise NotADirectoryError("this user has no home folder; set NUMBA_CACHE_DIR to a folder")
    return directory


# ---- whom to trust -----------------------------------------------------------------------------


def _require_trust(path, status, *, may_be_sticky=False):
    """Raise PermissionError if another user can have changed a file or a folder."""
    if not hasattr(os, "geteuid"):
        return
    if status.st_uid not in (0, os.geteuid()):
        raise PermissionError(
            f"{path} belongs to another user; set NUMBA_CACHE_DIR to a folder of your own"
        )
    is_protected = may_be_sticky and status.st_mode & stat.S_ISVTX
    if status.st_mode & _OTHERS_MAY_WRITE and not is_protected:
        raise PermissionError(
            f"other users may write to {path}; run chmod go-w on it, or set NUMBA_CACHE_DIR to a "
            "folder of your own"
        )


def _require_trusted_folder(path, *, may_be_sticky=False):
    status = path.stat() if may_be_sticky else path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{path} is not a folder")
    _require_trust(path, status, may_be_sticky=may_be_sticky)


def _open_without_waiting(path, flags):
    """Open a file; follow no link, and wait for nobody at the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _open_new(path, flags):
    return os.open(path, flags, _FILE_MODE)


# ---- one set -----------------------------------------------------------------------------------


class FileSet:
    """The files of one version of the kernels.

    Parameters
    ----------
    stamp : str
        Hexadecimal digits that identify the version.
    installation : str
        Identifies who uses the set.
    """

    def __init__(self, stamp, installation):
        self._name = f"sknn-{stamp[:_N_DIGITS]}"
        self._mark = f"used-by-{installation}"
        self._has_removed = False

    @property
    def path(self):
        """Folder of the set, which need not exist."""
        return _required_directory() / self._name

    def is_empty(self):
        """Return whether nothing can have been kept, or nothing can be."""
        try:
            return not self.path.exists()
        except OSError:
            return True

    def may_be_written(self):
        """Return whether files can be kept, as far as that is known without writing one."""
        try:
            path = self.path
            if path.exists():
                _require_trusted_folder(path)
        except OSError:
            return False
        existing = next(folder for folder in (path, *path.parents) if folder.exists())
        return reason_for_no_cache() is None and os.access(existing, os.W_OK)

    def holds(self, name):
        """Return whether there is such a file, which :meth:`read` may yet reject."""
        try:
            return (self.path / name).is_file()
        except OSError:
            return False

    def read(self, name):
        """Return the content of a file.

        Raises
        ------
        OSError
            FileNotFoundError if it does not exist, others if it cannot be read or trusted.
        """
        path = self.path
        _require_trusted_folder(path.parent, may_be_sticky=True)
        _require_trusted_folder(path)
        with open(path / name, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{path / name} is not a regular file")
            _require_trust(path / name, status)
            content = file.read()
        self._mark_used()
        return content

    def write(self, name, content):
        """Write a file, atomically, so that no reader ever sees half of one."""
        path = self.path
        path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        _require_trusted_folder(path.parent, may_be_sticky=True)
        path.mkdir(_FOLDER_MODE, exist_ok=True)
        _require_trusted_folder(path)
        temporary = path / f".sknn-{os.getpid()}-{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb", opener=_open_new) as file:
                file.write(content)
            os.replace(temporary, path / name)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        self._mark_used()
        if not self._has_removed:
            self._has_removed = True  # once a process is enough
            with contextlib.suppress(OSError):  # a process that did the same was faster
                self._remove_others()

    def remove(self, pattern):
        """Remove the files whose names match."""
        for path in self.path.glob(pattern):
            path.unlink(missing_ok=True)

    def _mark_used(self):
        """Set the time of the installation's mark, at most once a day: loading rarely writes."""
        mark = self.path / self._mark
        with contextlib.suppress(OSError):  # a read-only folder, from which nobody removes either
            if _age_of(mark) > 1:
                mark.touch(_FILE_MODE)

    def _remove_others(self):
        """Withdraw from all other sets, and remove those that nobody uses."""
        for pattern in (".sknn-*", "used-by-*"):
            for path in self.path.glob(pattern):
                if _age_of(path) >= _DAYS_KEPT:
                    path.unlink(missing_ok=True)
        ages = {}
        for folder in self.path.parent.glob(_ANY_SET):
            if folder != self.path and not folder.is_symlink():
                with contextlib.suppress(OSError):
                    (folder / self._mark).unlink(missing_ok=True)
                    ages[folder] = min(map(_age_of, folder.glob("used-by-*")), default=_DAYS_KEPT)
        by_age = sorted(ages, key=ages.get)
        for rank, folder in enumerate(by_age, 1):
            if ages[folder] >= _DAYS_KEPT or rank >= _MOST_SETS:
                _remove_set(folder)


def _age_of(path):
    """Return the days since a file was changed; infinite if there is none."""
    try:
        return (time.time() - path.stat().st_mtime) / _SECONDS_A_DAY
    except FileNotFoundError:
        return float("inf")


def _remove_set(folder):
    """Remove a set, but nothing that is not the cache's."""
    with contextlib.suppress(OSError):  # another process was faster, or has a file open
        for pattern in _ANY_FILE:
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        folder.rmdir()
