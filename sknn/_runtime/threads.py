"""Threads that help a fit through its chunks: how many there are, where they come from, and how
they leave.

A helper calls the same entry point with the same arguments as the fit's own thread, which does not
depend on it: it computes whatever block nobody else has claimed. So a helper that does not start,
comes late or is descheduled delays nothing.
"""

import contextlib
import functools
import math
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
from .._engine.plan import count_phases
from .._engine.scheduler import CACHE_LINE, count_counters
from .._engine.structs import Scheduler
from .core_share import got_their_cores, is_core_free, thread_seconds
from .thread_count import ThreadCountTuner
from .thread_limits import library_limit

_OPERATIONS = 1_000_000  # multiplications of a step that are worth a thread
# Multiplications in the time that one more thread makes all others wait in a step.
_OPERATIONS_OF_A_WAIT = 100_000
# Numbers of threads among which blocks are shared out evenly enough that more are not slower.
_TEAM_SIZES = (128, 64, 32, 24, 16, 12, 8, 6, 4, 3, 2)
_DOUBTFUL_OPERATIONS = 100_000_000  # of a step: with fewer, one thread may be faster


class ThreadPool:
    """The process' helper threads, and the number of fits that share the cores."""

    def __init__(self):
        self._lock = threading.Lock()
        self._executor = None
        self.n_fits = 0
        self._cores_of = {}  # of helpers, by the system's thread ids

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
        """Let ``n_helpers`` threads, or as many as can be had, call ``function``."""
        with self._lock:
            if self._executor is None:
                n_threads = max(1, usable_cores() - 1)
                self._executor = ThreadPoolExecutor(n_threads, "sknn", self._register)
            self._leave_this_core()
        # There may be no more threads, or the interpreter may be shutting down.
        with contextlib.suppress(RuntimeError):
            for _ in range(n_helpers):
                self._executor.submit(function, *arguments)

    def used_seconds(self):
        """Return the processor time that all helpers have used so far."""
        return sum(map(thread_seconds, list(self._cores_of)))

    def _register(self):
        self._cores_of[threading.get_native_id()] = None

    def _leave_this_core(self):
        """Keep the helpers off the core that the calling thread runs on.

        A system that does not know which cores share caches, as in many virtual machines, wakes a
        thread on the core of the thread that wakes it. There it would wait until the chunk is done.
        """
        if current_core is None:
            return
        with contextlib.suppress(OSError):  # if the system refuses, it decides alone
            cores = os.sched_getaffinity(0) - {current_core()}
            for helper, its_cores in list(self._cores_of.items()):
                if cores and cores != its_cores:
                    self._cores_of[helper] = cores
                    os.sched_setaffinity(helper, cores)


def usable_cores():
    """Return how many cores this process may use.

    Its affinity and control groups count, the limits of joblib and Numba, and the environment
    variables ``OMP_NUM_THREADS``, which schedulers such as dask and ray set in their workers, and
    ``SKNN_NUM_THREADS``. Limits that others set by threadpoolctl are read in every chunk instead,
    see :mod:`thread_limits`.
    """
    if INTERPRETED:
        return 1
    limits = [_limit_in_environment(name) for name in ("OMP_NUM_THREADS", "SKNN_NUM_THREADS")]
    affinity = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    n_cores = _count_cores(affinity, os.environ.get("LOKY_MAX_CPU_COUNT"))
    return max(1, min(n_cores, MOST_THREADS, *limits))


@functools.lru_cache(maxsize=16)
def _count_cores(affinity, variable):
    """Return joblib's number of cores while these two are as given.

    It reads the limits of control groups from files, which takes a hundredth of a short fit. They
    are taken to stay as they are.
    """
    return joblib.cpu_count()


def worthwhile_threads(n_operations, most):
    """Return how many threads, ``most`` at most, a step of ``n_operations`` is worth.

    With n threads it takes about ``n_operations / n + n * _OPERATIONS_OF_A_WAIT``, which is least
    at the square root of their ratio. (benchmarks/model_scaling.py)
    """
    best = math.isqrt(n_operations // _OPERATIONS_OF_A_WAIT)
    most = min(most, best, n_operations // _OPERATIONS)
    return next((size for size in _TEAM_SIZES if size <= most), 1)


def _limit_in_environment(name):
    """Return the limit that an environment variable sets, if it is a positive integer."""
    value = os.environ.get(name, "").partition(",")[0]  # OpenMP takes one for each nested level
    return int(value) if value.isascii() and value.isdigit() and int(value) > 0 else sys.maxsize


thread_pool = ThreadPool()
if hasattr(os, "register_at_fork"):
    # A child has neither the threads nor the fits of its parent.
    os.register_at_fork(after_in_child=thread_pool.__init__)


@functools.lru_cache(maxsize=256)
def tuner_for(entry, n_operations, most):
    """Return the tuner for chunks of such steps, with what earlier fits have found out.

    Fits that run side by side share it without a lock. They may disturb each other's measurements
    and so choose a slower number of threads. Results do not depend on that number.
    """
    return ThreadCountTuner(most, is_doubtful=n_operations < _DOUBTFUL_OPERATIONS)


def single_thread_scheduler():
    """Return the scheduler of a thread that works alone."""
    return new_scheduler(1, 0)


def new_scheduler(n_threads, n_phases):
    """Return a scheduler for ``n_threads`` threads and ``n_phases`` phases in all."""
    n_of_threads = n_threads * CACHE_LINE if n_threads > 1 else 0
    return Scheduler(
        n_threads,
        np.zeros(count_counters(n_phases, n_threads) if n_threads > 1 else 0, np.int64),
        np.zeros(n_of_threads, np.int64),
        np.zeros(n_of_threads),
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
    )


def _call(entry, arguments):
    """Call an entry point and return its result.

    If it raises, which users' own functions may do, restore the thread's floating-point mode.
    """
    try:
        return entry(*arguments)
    except Exception:
        accept_denormals()
        raise


class HelperGate:
    """Let helpers enter a running call, and wait for those inside when it ends.

    Helpers that come after the gate was closed return at once.
    """

    def __init__(self, scheduler):
        self._scheduler = scheduler
        self._change = threading.Condition()
        self._n_inside = 0
        self._is_closed = False
        self._error = None

    def help(self, entry, arguments):
        """Call the entry point, unless it is too late; an error stops all threads."""
        with self._change:
            if self._is_closed:
                return
            self._n_inside += 1
        try:
            _call(entry, arguments)
        except BaseException as error:
            self._error = error
            self._scheduler.stop[0] = 1
        finally:
            with self._change:
                self._n_inside -= 1
                self._change.notify_all()

    def close(self, *, stop):
        """Let no more helpers in.

        With ``stop``, or if a helper failed, stop those inside and wait until they have left.
        Otherwise they find no blocks left and leave on their own.

        Raises
        ------
        BaseException
            What a helper raised, or an interrupt of the wait, which does not cut the wait short.
        """
        interrupt = None
        while True:
            try:
                with self._change:
                    self._is_closed = True
                    if stop or self._scheduler.stop[0]:
                        self._scheduler.stop[0] = 1
                        self._change.wait_for(lambda: self._n_inside == 0)
                break
            except KeyboardInterrupt as error:
                interrupt = error
        if self._error is not None or interrupt is not None:
            raise self._error or interrupt


class ParallelRunner:
    """Call an entry point from several threads at once.

    Parameters
    ----------
    entry : kernel
        It takes a :class:`Run` and numbers of rows, and returns how many rows it has processed.
    n_operations : int
        Multiplications of one block of rows.
    n_layers : int
    most : int, default=sys.maxsize
        Threads that find something to do in a block of rows.
    """

    def __init__(self, entry, n_operations, n_layers, most=sys.maxsize):
        self._entry = entry
        self._n_phases = count_phases(n_layers)
        is_large = n_operations >= 2 * _OPERATIONS
        self._most = worthwhile_threads(n_operations, min(usable_cores(), most)) if is_large else 1
        self._tuner = tuner_for(entry, n_operations, self._most)
        self._tuner.begin_fit()
        self._alone = single_thread_scheduler()
        self._is_looking = False  # whether a core is free

    def run(self, run, n_steps, n_rows, block_size, *others):
        """Call the entry point for one chunk.

        Parameters
        ----------
        run : Run
            Its scheduler is replaced.
        n_steps : int
            Blocks of rows in the chunk.
        n_rows : int
            Rows of the chunk.
        block_size : int
            Rows of a block.
        *others
            Further arguments of the entry point.

        Returns
        -------
        n_done : int
            What the entry point returns.
        """
        if self._most == 1:
            self._alone.stop[0] = 0
            run = run._replace(scheduler=self._alone)
            return _call(self._entry, (run, n_rows, block_size, *others))
        share = max(1, self._most // max(1, thread_pool.n_fits))
        n_threads = min(self._tuner.n_threads, share, library_limit())
        scheduler = new_scheduler(n_threads, n_steps * self._n_phases)
        if self._tuner.is_yielding and not self._is_looking:
            self._is_looking = True
            thread_pool.start(1, self._look_for_a_core)
        used = thread_pool.used_seconds()
        started = time.perf_counter()
        arguments = (run._replace(scheduler=scheduler), n_rows, block_size, *others)
        n_done = self._run_together(scheduler, arguments, n_rows)
        seconds = time.perf_counter() - started
        is_sharing = n_threads > 1 and thread_pool.n_fits <= 1
        used = thread_pool.used_seconds() - used
        if is_sharing and not got_their_cores(n_threads - 1, used, seconds):
            self._tuner.yield_cores()
        else:
            self._tuner.add_chunk(n_threads, seconds, n_rows)
        return n_done

    def _look_for_a_core(self):
        if is_core_free():
            self._tuner.take_cores()
        self._is_looking = False

    def _run_together(self, scheduler, arguments, n_rows):
        gate = HelperGate(scheduler)
        n_done = 0
        try:
            thread_pool.start(scheduler.n_threads - 1, gate.help, self._entry, arguments)
            n_done = _call(self._entry, arguments)
        finally:
            gate.close(stop=n_done < n_rows)
        return n_done
