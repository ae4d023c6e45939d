"""Threads that help a fit through its chunks: how many, where they come from, and how they leave.

A helper calls the same entry point with the same arguments as the fit's own thread, which needs no
one: it computes whatever nobody else claims. So a helper that does not start, comes late or is put
aside by the system delays nothing.
"""

import contextlib
import functools
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np

from .._compiled.intrinsics import current_core
from .._compiled.jit import INTERPRETED, MOST_THREADS
from .._engine.entry_points import accept_denormals
from .._engine.phases import count_phases
from .._engine.scheduler import count_counters
from .._engine.structs import Scheduler

_OPERATIONS = 1_000_000  # multiplications of a step that are worth a thread
_DOUBTFUL_OPERATIONS = 100_000_000
_DISTURBED = 1.4  # times the best pace so far: others want the cores
_PATIENCE = 16  # chunks between two looks at whether the other size of the team would be faster
_TRUST = 64  # chunks that a team goes on without a look where nothing has become slower


class Threads:
    """The process' helping threads, and the number of fits that share the cores."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pool = None
        self.n_fits = 0
        self._cores_of = {}  # helpers, by the system's numbers of threads

    @contextlib.contextmanager
    def counted_fit(self):
        """Count a fit while the block runs."""
        with self._lock:
            self.n_fits += 1
        try:
            yield
        finally:
            with self._lock:
                self.n_fits -= 1

    def start(self, n_helpers, function, *arguments):
        """Let so many threads call ``function``, or as many as can be had."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max(1, usable_cores() - 1), "sknn", self._register)
            self._leave_this_core()
        with contextlib.suppress(
            RuntimeError
        ):  # no more threads, or the interpreter is on its way out
            for _ in range(n_helpers):
                self._pool.submit(function, *arguments)

    def _register(self):
        self._cores_of[threading.get_native_id()] = None

    def _leave_this_core(self):
        """Keep the helpers off the core that the calling thread runs on.

        A system that does not know which caches cores share, as in many virtual machines, wakes a
        thread on the core of the one that wakes it. There it would wait until the chunk is done.
        """
        if current_core is None:
            return
        with contextlib.suppress(OSError):  # the system may refuse: then it decides alone
            cores = os.sched_getaffinity(0) - {current_core()}
            for helper, its_cores in list(self._cores_of.items()):
                if cores and cores != its_cores:
                    self._cores_of[helper] = cores
                    os.sched_setaffinity(helper, cores)


def usable_cores():
    """Return how many cores this process may use, by affinity, control groups, joblib's and Numba's
    limits.
    """
    return 1 if INTERPRETED else max(1, min(joblib.cpu_count(), MOST_THREADS))


threads = Threads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        after_in_child=threads.__init__
    )  # a child has neither the threads nor the fits of its parent


class Pace:
    """Choose the size of the team chunk by chunk: the largest, unless one thread has been measured
    to be faster.

    That is looked at when chunks keep taking much longer than the best one did, which happens when
    others want the cores, and, if it is doubtful whether steps are large enough to share, soon and
    then now and again: cores may be far from each other.
    """

    def __init__(self, most, *, is_doubtful=False):
        self.most = most
        self._usual = most
        self._is_doubtful = is_doubtful
        self._n_until_look = 2
        self._n_until_doubt = 2
        self.begin()

    def begin(self):
        """Go on with another fit, whose rows may take another time."""
        if self._n_until_look < -_PATIENCE:  # fits too short for a look
            self._usual = self.most
            self._n_until_look = _PATIENCE
        self.size = self._usual
        self._is_trial = False
        self._n_slow = 0
        self._recent = {1: np.inf, self.most: np.inf}
        self._best = np.inf
        self._most_rows = 0

    def measured(self, size, seconds, n_rows):
        """Take note of how long a chunk took and choose the size for the next one; short chunks and
        other sizes tell nothing.
        """
        if size != self.size or 2 * n_rows < self._most_rows:
            return
        self._most_rows = max(n_rows, self._most_rows)
        self._recent[size] = seconds / n_rows
        self._n_until_look = self._n_until_look - 1
        self._n_until_doubt = self._n_until_doubt - 1
        if size == self.most:
            self._best = min(self._best, self._recent[size])
            self._n_slow = self._n_slow + 1 if self._recent[size] > _DISTURBED * self._best else 0
        if self._is_trial:
            self._usual = self.size = min(self._recent, key=self._recent.get)
            self._is_trial = False
            self._n_until_look = _PATIENCE
            self._n_until_doubt = _TRUST
        elif self._n_until_look <= 0 and (
            size == 1 or self._n_slow >= 2 or (self._is_doubtful and self._n_until_doubt <= 0)
        ):
            self.size = self.most if size == 1 else 1
            self._is_trial = True


@functools.lru_cache(maxsize=256)
def pace_of(entry, n_operations, most):
    """Return what earlier fits have found out about chunks of such steps."""
    return Pace(most, is_doubtful=n_operations < _DOUBTFUL_OPERATIONS)


def team_of_one():
    """Return the team of a thread that shares nothing."""
    return new_team(1, 0)


def new_team(size, n_phases):
    """Return a team of so many threads that nobody has joined yet, for so many phases in all."""
    return Scheduler(
        size,
        np.zeros(count_counters(n_phases, size) if size > 1 else 0, np.int64),
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
    )


def _called(entry, arguments):
    """Return what an entry point returns; if it raises, which users' own functions may, leave the
    thread as it was.
    """
    try:
        return entry(*arguments)
    except Exception:
        accept_denormals()
        raise


class Door:
    """Where helpers come in to work on a chunk and go out; closed when the chunk is done."""

    def __init__(self, team):
        self._team = team
        self._change = threading.Condition()
        self._n_inside = 0
        self._is_closed = False
        self._error = None

    def help(self, entry, arguments):
        """Call the entry point, unless it is too late; an error stops the team."""
        with self._change:
            if self._is_closed:
                return
            self._n_inside += 1
        try:
            _called(entry, arguments)
        except BaseException as error:
            self._error = error
            self._team.stop[0] = 1
        finally:
            with self._change:
                self._n_inside -= 1
                self._change.notify_all()

    def close(self, *, everybody_out):
        """Let nobody in any more; with ``everybody_out``, or if a helper failed, stop those inside
        and wait until they have left.

        Raises
        ------
        BaseException
            What a helper raised, or an interrupt of the wait, which is not cut short by it.
        """
        interrupt = None
        while True:
            try:
                with self._change:
                    self._is_closed = True
                    if everybody_out or self._team.stop[0]:
                        self._team.stop[0] = 1
                        self._change.wait_for(lambda: self._n_inside == 0)
                break
            except KeyboardInterrupt as error:
                interrupt = error
        if self._error is not None or interrupt is not None:
            raise self._error or interrupt


class Crew:
    """The threads that call one entry point together.

    Parameters
    ----------
    entry : kernel
        It takes a :class:`Run` and numbers of rows, and returns how many rows it used.
    n_operations : int
        Multiplications of one block of rows.
    n_layers : int
    most : int, default=sys.maxsize
        Threads that find something to do in a block of rows.
    """

    def __init__(self, entry, n_operations, n_layers, most=sys.maxsize):
        self._entry = entry
        self._n_phases = count_phases(n_layers)
        self._most = (
            min(usable_cores(), n_operations // _OPERATIONS, most)
            if n_operations >= 2 * _OPERATIONS
            else 1
        )
        self._pace = pace_of(entry, n_operations, self._most)
        self._pace.begin()
        self._alone = team_of_one()

    def run(self, work, n_steps, n_rows, block_size, *others):
        """Call the entry point for a chunk of ``n_steps`` blocks of rows, with these and other
        arguments.

        Returns
        -------
        n_done : int
            What the entry point returns.
        """
        if self._most == 1:
            self._alone.stop[0] = 0
            return _called(
                self._entry, (work._replace(scheduler=self._alone), n_rows, block_size, *others)
            )
        size = max(1, min(self._pace.size, self._most // max(1, threads.n_fits)))
        team = new_team(size, n_steps * self._n_phases)
        started = time.perf_counter()
        n_done = self._run_together(
            team, (work._replace(scheduler=team), n_rows, block_size, *others), n_rows
        )
        self._pace.measured(size, time.perf_counter() - started, n_rows)
        return n_done

    def _run_together(self, team, arguments, n_rows):
        door = Door(team)
        n_done = 0
        try:
            threads.start(team.n_threads - 1, door.help, self._entry, arguments)
            n_done = _called(self._entry, arguments)
        finally:
            door.close(everybody_out=n_done < n_rows)
        return n_done
