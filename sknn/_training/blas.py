"""One BLAS thread at a time for what still runs on BLAS: SciPy's L-BFGS-B on its small matrices.

Its threads cost more than they bring there, wait for each other on busy machines, and change last
bits with their number.
"""

import threading

from threadpoolctl import ThreadpoolController


class _SingleThread:
    """Hold the process' BLAS at one thread while at least one user is inside; the last one out
    gives the threads back.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._users = 0
        self._controller = None

    def __enter__(self):
        with self._lock:
            if self._users == 0:
                self._controller = self._controller or ThreadpoolController().select(
                    user_api="blas"
                )
                self._limits = self._controller.limit(limits=1)
            self._users += 1

    def __exit__(self, *exception):
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limits.restore_original_limits()


single_blas_thread = _SingleThread()
