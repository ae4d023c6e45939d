"""Checkpoints of training on disk: written whole or not at all, and read back to go on from.

A file is a pickle of what a pickled estimator has, without its parameters and callbacks, which the
user's own code makes anew.
"""

import contextlib
import copy
import os
import pickle
import threading
from numbers import Number
from pathlib import Path
from typing import NamedTuple

import joblib

from .._training.callbacks import FIT_ATTRIBUTES
from .._warnings import clause

_FORMAT = "sknn checkpoint 1"
_NOT_KEPT = FIT_ATTRIBUTES | {"_skl_callbacks", "_parent_callback_ctx", "_resumption"}
_MAY_DIFFER = {"max_iter", "verbose"}


class Resumption(NamedTuple):
    """Where a resumed fit goes on.

    Parameters
    ----------
    n_epochs : int
        Epochs of the interrupted fit that are done.
    is_stopped : bool
        Whether it has ended before ``max_iter``.
    n_rows : int
        Rows of X.
    memories : list of (str, object)
        What callbacks remember, see :class:`RunningFit`.
    """

    n_epochs: int
    is_stopped: bool
    n_rows: int
    memories: list

    def n_epochs_left(self, max_iter, n_rows):
        """Return how many epochs to train, after checking the number of rows."""
        if n_rows != self.n_rows:
            raise ValueError(
                f"X has {n_rows} rows, but the checkpoint is of training on {self.n_rows}; fit the "
                "same samples, or call fit without Checkpoint.resume to begin anew."
            )
        return 0 if self.is_stopped else max(0, max_iter - self.n_epochs)


def write_checkpoint(path, estimator, attributes, resumption):
    """Write a checkpoint; until it is whole, the file stays as it was.

    Parameters
    ----------
    path : str or path-like
    estimator : BaseMLP
    attributes : dict
        What its training has learned by now.
    resumption : Resumption
    """
    twin = copy.copy(estimator)
    vars(twin).update(attributes)
    state = copy.copy(twin._training_state)
    state.chosen = None  # callbacks remember it
    state.is_incremental = True  # so that the state is kept
    twin._training_state = state
    parameters = _parameters(estimator)
    learned = {
        name: value
        for name, value in twin.__getstate__().items()
        if name not in _NOT_KEPT and name not in parameters
    }
    content = {
        "format": _FORMAT,
        "estimator": type(estimator).__name__,
        "parameters": {name: value for name, value in parameters.items() if _is_plain(value)},
        "learned": learned,
        "resumption": tuple(resumption),
    }
    try:
        _replace(Path(path), content)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise pickle.PicklingError(
            f"{clause(error)}. A checkpoint is a pickle: give Activation and Loss functions that "
            "are defined by def at the top of a module, not lambda or inner functions."
        ) from error


def _replace(path, content):
    """Replace a file by a pickle of the content, in one step that is on disk when it returns."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(unfinished, "wb") as file:
            joblib.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
    if hasattr(os, "O_DIRECTORY"):  # elsewhere folders cannot be written to disk
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_checkpoint(path, estimator):
    """Make an unfitted estimator one whose next fit goes on from a checkpoint.

    Parameters
    ----------
    path : str or path-like
    estimator : BaseMLP
        Changed in place.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If it is no checkpoint, or one of other parameters.
    """
    content = _content(path)
    kind = type(estimator).__name__
    if content["estimator"] != kind:
        raise ValueError(f"{path} is a checkpoint of {content['estimator']}, not of {kind}.")
    for name, value in _parameters(estimator).items():
        kept = content["parameters"].get(name, value)
        if name not in _MAY_DIFFER and _is_plain(value) and _as_lists(value) != _as_lists(kept):
            raise ValueError(
                f"{name}={value!r}, but {path} was written with {name}={kept!r}; resume with the "
                "same parameters, and change them on the estimator that is returned."
            )
    estimator.__setstate__({**vars(estimator), **content["learned"]})
    estimator._resumption = Resumption(*content["resumption"])


def _content(path):
    try:
        content = joblib.load(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # a pickle can raise anything
        cause = str(error) or type(error).__name__
        raise ValueError(f"{path} is no checkpoint, or is damaged: {cause}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{path} is no checkpoint of this version.")
    return content


def _parameters(estimator):
    return {name: getattr(estimator, name) for name in estimator._constructor_parameters()}


def _is_plain(value):
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, [*value.keys(), *value.values()]))
    return value is None or isinstance(value, (Number, str))


def _as_lists(value):
    """Return a plain value with lists instead of tuples, which mean the same."""
    if isinstance(value, (list, tuple)):
        return list(map(_as_lists, value))
    return value
