"""A second process that takes jobs of compilation off this one, for as long as these last.

Python compiles one kernel at a time, so a second core is of use only to another process. This one
takes jobs from the front of a list, the other one from its back, where they find the longest ones.
A pipe holds one byte for each job: whoever reads a byte may take one more, so no job is taken
twice. What the second process compiles comes back through the compile cache. So nothing depends on
it: whatever it leaves undone, because it was never started, has failed, was killed or is slow, this
process compiles when it needs it.

The second process is a Python of its own, with no part of this one's memory. For a fit it needs 200
MB, nearly all of it for Numba and LLVM. It ends with the block that has started it, however that is
left, or after its current job if this process is killed.
"""

import contextlib
import itertools
import multiprocessing
import os
import pickle
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from importlib import import_module
from pathlib import Path

from .cache import FILES, PACKAGE, STAMP
from .cache_folder import cache_directory
from .jit import INTERPRETED

_IS_POSIX = os.name == "posix"
_LEAST_PATIENCE = 5.0  # seconds
_running = set()  # the second process, while there is one; not empty in that process either
_NAME = __package__.partition(".")[0]

# "-I": Python's own variables and the current folder, where a file may be called pickle.py, do not
# count. "-B": as in this process, nothing is written beside the sources.
_OPTIONS = ["-B"] if sys.dont_write_bytecode else []
# Importing scikit-learn, which kernels do not need, would take half of the time until the start.
_PROGRAM = f"""
import pickle, sys, types
sys.path, folder, is_light = pickle.load(sys.stdin.buffer)
if is_light:
    package = sys.modules[{_NAME!r}] = types.ModuleType({_NAME!r})
    package.__path__ = [folder]
from {__name__} import work
work()
"""


def can_have_second_process():
    """Return whether this process may start one, and what that compiles can come back.

    One is enough, and a second process starts no third one. Processes that multiprocessing has
    started come in teams, which share the cores already. In a program that Python is embedded in,
    ``sys.executable`` may be anything.
    """
    is_python = Path(sys.executable or "").name.lower().startswith("python")
    return (
        _IS_POSIX
        and not _running
        and is_python
        and not INTERPRETED
        and not getattr(sys, "frozen", False)
        and multiprocessing.parent_process() is None
        and FILES.may_be_written()
    )


class SecondProcess:
    """Context manager that shares jobs with a second process.

    Parameters
    ----------
    function : function at the top of a module of this package
        Does a job.
    jobs : list
        Arguments of ``function``, which can be pickled; some thousands at most.
    is_light : bool, default=True
        Whether to import the module alone, without the package's ``__init__``.
    """

    def __init__(self, function, jobs, *, is_light=True):
        self._what = function, jobs, is_light
        self._n_left = len(jobs)  # that this process has not taken, and the other has not done
        self._process = None
        self._unread = b""
        self._started = time.monotonic()
        self._permits = None
        self._results = None
        self._own_numbers = iter(range(len(jobs)))

    def _start(self, function, jobs, is_light):
        self._permits, writer = os.pipe()
        with open(writer, "wb") as pipe:
            pipe.write(bytes(len(jobs)))
        self._own_numbers = _count_permits(self._permits)
        self._results, results = os.pipe()
        setup = _folders_of_modules(), str(PACKAGE), is_light
        task = STAMP, self._permits, results, function.__module__, function.__name__
        with open(results, "wb"), tempfile.TemporaryFile() as file:
            for message in (setup, task, jobs):
                pickle.dump(message, file)
            file.seek(0)
            return subprocess.Popen(
                [sys.executable, "-I", *_OPTIONS, "-c", _PROGRAM],
                stdin=file,
                stdout=subprocess.DEVNULL,  # whatever libraries print
                stderr=subprocess.DEVNULL,
                pass_fds=[self._permits, results],
                env={**os.environ, "NUMBA_CACHE_DIR": str(cache_directory())},
            )

    def __enter__(self):
        try:
            _running.add(self)
            # No room for a pipe, a file or a process, or modules that the user has loaded anew
            with contextlib.suppress(OSError, pickle.PicklingError):
                self._process = self._start(*self._what)
        except BaseException:  # Ctrl-C
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        _running.discard(self)
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._permits, self._results):
            if pipe is not None:
                os.close(pipe)

    def numbers(self):
        """Yield the numbers of jobs that this process is to do, until all are taken."""
        for number in self._own_numbers:
            self._n_left -= 1
            yield number

    def finished(self, *, wait=False):
        """Yield the jobs that the second process has done since the last call, with the seconds
        that they took.

        Parameters
        ----------
        wait : bool, default=False
            Whether to wait for the jobs that it has taken. It may need as much time as has passed
            so far, or some seconds; then it counts as lost.
        """
        if self._process is None:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._results, selectors.EVENT_READ)
            while self._n_left > 0:
                patience = max(_LEAST_PATIENCE, time.monotonic() - self._started)
                if not selector.select(patience if wait else 0):
                    return
                received = os.read(self._results, 4096)
                if not received:  # it has ended
                    return
                *lines, self._unread = (self._unread + received).split(b"\n")
                for line in lines:
                    number, seconds = line.split()
                    self._n_left -= 1
                    yield int(number), float(seconds)


def _folders_of_modules():
    """Return where to look for modules: first in the standard library, never in the current folder.

    A notebook looks in the current folder first, but has loaded the standard library before.
    """
    library = os.path.dirname(os.__file__)
    folders = [path for path in sys.path if path and isinstance(path, str)]
    folders.sort(key=lambda path: path not in (library, os.path.join(library, "lib-dynload")))
    return [*folders, str(PACKAGE.parent)]


def _count_permits(pipe):
    """Take permits, one by one, until none is left; yield how many were taken before."""
    for number in itertools.count():
        if not os.read(pipe, 1):
            return
        yield number


# ---- in the second process -----------------------------------------------------------------------


def work():
    """Do jobs until all are taken."""
    _running.add(None)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C, which LLVM would swallow
    stamp, permits, results, module, name = pickle.load(sys.stdin.buffer)
    if stamp != STAMP:
        sys.exit("the sources have changed since the first process was started")
    warnings.filterwarnings("error", "the compile cache")  # what cannot be kept is of no use
    function = getattr(import_module(module), name)
    jobs = pickle.load(sys.stdin.buffer)
    for n_taken in _count_permits(permits):
        number = len(jobs) - 1 - n_taken
        started = time.perf_counter()
        function(jobs[number])
        os.write(results, f"{number} {time.perf_counter() - started}\n".encode())
    os._exit(0)
