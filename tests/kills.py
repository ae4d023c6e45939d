"""Kill training in the middle, again and again, and resume it from its checkpoint."""

import os
import signal
import threading
import warnings
from pathlib import Path

from sknn.callbacks import Checkpoint


def train_through_kills(estimator, X, y, path, random, *, seconds, most=1000):
    """Train in processes that are killed by SIGKILL at random times; return how often, and the
    estimator.

    Each process goes on from the last checkpoint. Processes are forks, so nothing is imported or
    compiled again; there are none on Windows.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        With a :class:`Checkpoint` at ``path`` among its callbacks.
    X, y : ndarray
    path : path-like
    random : numpy.random.Generator
    seconds : float
        Mean time after which a process is killed; less on a machine that trains faster.
    most : int, default=1000
        After so many kills, the next process is left alone.

    Returns
    -------
    n_kills : int
        At least 1.
    estimator : MLPClassifier or MLPRegressor
        Fitted.
    """
    n_kills = 0
    Path(path).unlink(missing_ok=True)
    while _dies_in_training(
        estimator, X, y, path, random.exponential(seconds) if n_kills < most else None
    ):
        n_kills += 1
    if n_kills == 0:
        return train_through_kills(estimator, X, y, path, random, seconds=seconds / 2, most=most)
    return n_kills, Checkpoint.resume(path, estimator).fit(X, y)


def _dies_in_training(estimator, X, y, path, seconds):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            warnings.simplefilter("ignore")
            if Path(path).exists():
                estimator = Checkpoint.resume(path, estimator)
            estimator.fit(X, y)
            code = 0
        finally:
            os._exit(code)
    killer = None
    if seconds is not None:
        killer = threading.Timer(seconds, os.kill, (child, signal.SIGKILL))
        killer.start()
    _, status = os.waitpid(child, 0)
    if killer is not None:
        killer.cancel()
        killer.join()
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "training failed in the child process"
    return False
