"""What is said while kernels are compiled, so that nobody waits in silence.

A call of ``fit`` or ``predict`` that compiles for more than a second says so: once when it begins
to be long, and once when it is over. The first call on a machine, which finds an empty cache, says
so before it compiles anything. Kernels that are loaded from the cache are not mentioned.

Messages go to the logger ``sknn``, with the level INFO, and to standard output if the call is
verbose. There is one report for the whole process, because the helper threads compile for the
thread that has called ``fit``. So calls that run side by side share their messages.
"""

import contextlib
import functools
import logging
import os
import threading
from time import perf_counter

from .cache_folder import cache_directory, reason_for_no_cache

_LEAST_SECONDS = 1.0  # of compilation that is worth a message
_LOGGER = logging.getLogger(__package__.partition(".")[0])


class _Compilation(threading.local):
    """What this thread is compiling: one kernel may compile others for itself."""

    depth = 0
    started = None  # when the outermost kernel was found to be missing in the cache


class CompilationReport:
    """Counts of the kernels that were compiled since the last message, and the messages."""

    def __init__(self):
        self._lock = threading.Lock()
        self._calls = []  # (thread, verbose) of the public calls that are running
        self._current = _Compilation()
        self._clear()

    def _clear(self):
        self._n_compiled = 0
        self._n_kept = 0
        self._seconds = 0.0
        self._is_announced = False

    # ---- calls ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def during(self, verbose):
        """Report what is compiled while the block, a public call, runs."""
        call = threading.get_ident(), verbose
        with self._lock:
            if not self._calls:
                self._clear()
            self._calls.append(call)
        try:
            yield
        finally:
            self.finish()
            with self._lock:
                own = [i for i, (owner, _) in enumerate(self._calls) if owner == call[0]]
                if own:  # a child that was forked in the block begins without calls
                    del self._calls[own[-1]]

    def finish(self):
        """Say what has been compiled, if it took long, unless this call is part of another one."""
        if self._n_compiled == 0:  # nearly always
            return
        thread = threading.get_ident()
        with self._lock:
            is_outermost = [owner for owner, _ in self._calls].count(thread) == 1
            if not is_outermost or not (self._is_announced or self._is_long()):
                return
            message = self._summary()
            self._clear()
        self._say(message)

    # ---- kernels --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def compiling(self):
        """Measure the time of the block, if it compiles a kernel instead of loading it."""
        current = self._current
        if current.depth == 0:
            current.started = None
        current.depth += 1
        try:
            yield
        finally:
            current.depth -= 1
            if current.depth == 0 and current.started is not None:
                with self._lock:
                    self._seconds += perf_counter() - current.started

    def begin_kernel(self, *, is_first=False, can_be_kept=True):
        """Count a kernel that is about to be compiled.

        Parameters
        ----------
        is_first : bool, default=False
            Whether the cache is empty, so that many others will follow.
        can_be_kept : bool, default=True
            False if it depends on functions of the user.
        """
        if self._current.started is None:
            self._current.started = perf_counter()
        with self._lock:
            self._n_compiled += 1
            is_due = self._calls and not self._is_announced and (is_first or self._is_long())
            if not is_due:
                return
            self._is_announced = True
        reason = reason_for_no_cache()
        if reason is not None:
            fate = f"They cannot be kept ({reason}), so every process compiles them."
        elif not can_be_kept:
            fate = "Every process compiles those that contain functions of your own."
        else:
            fate = f"This happens once: they are kept in {cache_directory()} for later processes."
        self._say(f"Compiling kernels, which may take ten seconds. {fate}")

    def keep_kernel(self):
        """Count a kernel that was compiled and is now on disk."""
        with self._lock:
            self._n_kept += 1

    def add_kernel(self):
        """Count a kernel that another process has compiled and kept for this one."""
        with self._lock:
            self._n_compiled += 1
            self._n_kept += 1

    # ---- messages -------------------------------------------------------------------------------

    def _is_long(self):
        return self._seconds > _LEAST_SECONDS

    def _summary(self):
        kernels = "1 kernel" if self._n_compiled == 1 else f"{self._n_compiled} kernels"
        done = f"Compiled {kernels} in {self._seconds:.1f} s"
        folder = cache_directory()
        if self._n_kept == 0:
            reason = reason_for_no_cache() or "such as kernels with functions of your own"
            return f"{done}. Nothing is kept ({reason}), so every process compiles it."
        if self._n_kept < self._n_compiled:
            return (
                f"{done}. {self._n_kept} of them kept in {folder}; every process compiles the "
                "others, such as kernels with functions of your own."
            )
        return f"{done}, kept in {folder}."

    def _say(self, message):
        _LOGGER.info(message)
        if any(verbose for _, verbose in list(self._calls)):
            print(message, flush=True)


compilation_report = CompilationReport()
if hasattr(os, "register_at_fork"):
    # A thread that a child does not have may have held its lock, and its calls do not go on.
    os.register_at_fork(after_in_child=compilation_report.__init__)


def reports_compilation(method):
    """Let a method of an estimator report what it compiles; its ``verbose`` decides where."""

    @functools.wraps(method)
    def reporting(self, *arguments, **named):
        with compilation_report.during(self.verbose):
            return method(self, *arguments, **named)

    return reporting
