"""Limits on the threads of libraries, set by threadpoolctl: those of others, and one of our own.

``threadpoolctl.threadpool_limits(1)`` holds scikit-learn's networks at one thread, because BLAS
computes for them. It holds ours too, though they use no BLAS. OpenMP's number counts where it is
smaller than that of the cores. BLAS's number counts where it has become smaller since the import:
some BLAS libraries begin with fewer threads than there are cores, and their environment variables
are meant for them alone.
"""

import os
import sys
import threading

from threadpoolctl import ThreadpoolController

# NumPy, SciPy and scikit-learn have loaded their libraries by now.
_controller = ThreadpoolController()
_blas = _controller.select(user_api="blas")
_openmp = _controller.select(user_api="openmp")


def _read(libraries):
    """Return the numbers of threads of a controller's libraries."""
    return [library.num_threads for library in libraries.lib_controllers]


_blas_at_import = _read(_blas)
_openmp_without_limits = [os.cpu_count()] * len(_openmp.lib_controllers)


def library_limit():
    """Return how many threads the libraries' limits allow; cheap enough for every chunk."""
    others = single_blas_thread.others
    current = [*(_read(_blas) if others is None else others), *_read(_openmp)]
    without_limits = [*_blas_at_import, *_openmp_without_limits]
    limits = [
        number
        for number, most in zip(current, without_limits, strict=True)
        if number and most and number < most  # None where it is unknown
    ]
    return min(limits, default=sys.maxsize)


class _SingleBLASThread:
    """Context manager that holds the process' BLAS at one thread.

    SciPy's L-BFGS-B calls BLAS for small matrices. More threads cost more than they bring there,
    wait for each other on busy machines, and change last bits with their number. Fits may run side
    by side, so the last one to leave restores the number of threads; each with a limit of its own
    would restore what another one had set.

    Attributes
    ----------
    others : list of int or None
        The numbers of threads that others had set, while they are replaced.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_users = 0
        self._limits = None
        self.others = None

    def __enter__(self):
        with self._lock:
            if self._n_users == 0:
                self.others = _read(_blas)
                self._limits = _blas.limit(limits=1)
            self._n_users += 1

    def __exit__(self, *exception):
        with self._lock:
            self._n_users -= 1
            if self._n_users == 0:
                self._restore()

    def _restore(self):
        self._limits.restore_original_limits()
        self.others = None

    def forget_other_threads(self):
        """Restore BLAS in a child process, which does not have the fits of its parent."""
        is_in_use = self._n_users > 0
        limits = self._limits
        self.__init__()
        if is_in_use:
            limits.restore_original_limits()


single_blas_thread = _SingleBLASThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=single_blas_thread.forget_other_threads)
