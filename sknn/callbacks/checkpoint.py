"""Callback that stores training in a file, and goes on from it."""

import os
import time
from numbers import Integral, Real
from pathlib import Path
from typing import TypeVar

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._base import BaseMLP
from .._warnings import warn_user
from .checkpoint_file import Resumption, read_checkpoint, write_checkpoint
from .protocol import Callback, check_argument

_Estimator = TypeVar("_Estimator")


class Checkpoint(Callback):
    """Callback that stores training in a file, from which it can go on after the process has died.

    The file is replaced in one step: whenever the process is killed, the file holds the whole of
    this or of the previous checkpoint. A process that is killed while it writes leaves a file
    ``path.*.tmp`` behind. The file is a pickle: load only files that you trust.

    Parameters
    ----------
    path : str or path-like
        The file. Fits that run at the same time, as in a search, overwrite each other's.
    every_epochs : int or None, default=None
        Number of epochs between checkpoints, >= 1. None is 1, or no limit if ``every_seconds`` is
        given.
    every_seconds : float or None, default=None
        Time between checkpoints in seconds, >= 0. They are written between epochs.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sknn import MLPClassifier
    >>> from sknn.callbacks import Checkpoint
    >>> clf = MLPClassifier(random_state=0)
    >>> clf = clf.set_callbacks(Checkpoint("training.joblib", every_seconds=60))
    >>> if Path("training.joblib").exists():
    ...     clf = Checkpoint.resume("training.joblib", clf)
    >>> clf.fit(*load_iris(return_X_y=True))  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every_epochs: int | None = None,
        every_seconds: float | None = None,
    ) -> None:
        check_argument(isinstance(path, (str, os.PathLike)), "path", path, "a path")
        check_argument(
            every_epochs is None or (isinstance(every_epochs, Integral) and every_epochs >= 1),
            "every_epochs",
            every_epochs,
            "an int > 0 or None",
        )
        check_argument(
            every_seconds is None or (isinstance(every_seconds, Real) and every_seconds >= 0),
            "every_seconds",
            every_seconds,
            "a number >= 0 or None",
        )
        self.path = path
        self.every_epochs = every_epochs
        self.every_seconds = every_seconds

    @staticmethod
    def resume(path: str | os.PathLike[str], estimator: _Estimator) -> _Estimator:
        """Return an estimator whose next ``fit`` goes on where a checkpoint was written.

        With the same arguments, that fit ends with the same bits as if it had never been
        interrupted: weights, optimizer, shuffling, dropout, schedule, early stopping and history
        go on, up to ``max_iter`` epochs in all. After a :class:`TimeLimit` training goes on, and
        its time begins anew. If training had ended, the next ``fit`` changes nothing, unless
        ``max_iter`` has been raised.

        The exception is 'lbfgs', with a warning: SciPy cannot go on with what it remembers of
        earlier steps, so a resumed fit starts from the weights alone and ends with other ones.

        Parameters
        ----------
        path : str or path-like
            File that a :class:`Checkpoint` has written. It is a pickle: load only files that you
            trust.
        estimator : MLPClassifier, MLPRegressor or Pipeline
            Estimator with the parameters and callbacks of the one that was interrupted, or a
            pipeline that ends with it. It stays as it is.

        Returns
        -------
        estimator : MLPClassifier, MLPRegressor or Pipeline
            A clone that goes on.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is no checkpoint, or the parameters are not those it was written with, or
            if ``path`` is no path.
        """
        check_argument(isinstance(path, (str, os.PathLike)), "path", path, "a path")
        resumed = clone(estimator)
        network = resumed
        while isinstance(network, Pipeline):
            network = network[-1]
        if not isinstance(network, BaseMLP):
            raise TypeError(
                "estimator must be an MLPClassifier, an MLPRegressor or a pipeline that ends with "
                f"one, got {estimator!r}."
            )
        read_checkpoint(path, network)
        if network.solver == "lbfgs" and not network._resumption.is_stopped:
            warn_user(
                "solver='lbfgs' goes on from the weights alone, because SciPy cannot be given what "
                "it remembers of earlier steps: training ends with other weights than without the "
                "interruption. With another solver it ends with the same."
            )
        return resumed

    def _begin_fit(self, fit):
        folder = Path(self.path).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"path={self.path!r} is in a folder that does not exist.")
        if Path(self.path).is_dir():
            raise IsADirectoryError(f"path={self.path!r} is a folder; give a file's name in it.")
        fit.memories[fit.position(self)] = time.monotonic()

    def _begin_epoch(self, fit):
        # An epoch has ended, and training goes on, only when the next one begins.
        n_done = fit.record.n_iter_
        if n_done > 0 and self._is_due(n_done, fit):
            self._write(fit, fit.training.last_epoch_attributes(), is_stopped=False)

    def _is_due(self, n_done, fit):
        every = 1 if self.every_epochs is None and self.every_seconds is None else self.every_epochs
        if every is not None and n_done % every == 0:
            return True
        passed = time.monotonic() - fit.memories[fit.position(self)]
        return self.every_seconds is not None and passed >= self.every_seconds

    def _end_fit(self, fit):
        estimator = fit.training.estimator
        is_trained_anew = "history_before_refit_" in vars(estimator)
        is_over = estimator.n_iter_ < estimator.max_iter or is_trained_anew
        is_stopped = is_over and not fit.is_out_of_time
        self._write(fit, vars(estimator), is_stopped)

    def _write(self, fit, attributes, is_stopped):
        where = Resumption(fit.record.n_iter_, is_stopped, len(fit.y), fit.named_memories())
        write_checkpoint(self.path, fit.training.estimator, attributes, where)
        fit.memories[fit.position(self)] = time.monotonic()
