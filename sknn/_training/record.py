"""The record of training: the fitted attributes that every epoch updates."""

from numbers import Real

import numpy as np

# Columns that every history has; callbacks may add others.
HISTORY_COLUMNS = ("epoch", "loss", "val_loss", "val_score", "learning_rate", "seconds")


def _is_number(value):
    return isinstance(value, Real)


def _is_number_or_none(value):
    return value is None or isinstance(value, Real)


def _is_column(value):
    return isinstance(value, (list, tuple, np.ndarray))


def _is_column_or_none(value):
    return value is None or _is_column(value)


def _is_history(value):
    return (
        isinstance(value, dict)
        and set(value) >= set(HISTORY_COLUMNS)
        and all(map(_is_column, value.values()))
        and len(set(map(len, value.values()))) == 1
    )


_IS_USABLE = {
    "n_iter_": _is_number,
    "t_": _is_number,
    "loss_": _is_number,
    "best_loss_": _is_number_or_none,
    "best_validation_score_": _is_number_or_none,
    "best_iter_": _is_number,
    "loss_curve_": _is_column,
    "validation_scores_": _is_column_or_none,
    "history_": _is_history,
}


def _fitted(estimator, name):
    """Return a fitted attribute, after checking that the user has left it usable."""
    value = getattr(estimator, name, "nothing")
    if not _IS_USABLE[name](value):
        raise ValueError(
            f"{name} must be as the last fit has left it for training to go on, got {value!r}; set "
            "warm_start=False and call fit to begin anew."
        )
    return value


class TrainingRecord:
    """The fitted attributes that every epoch updates, under their public names.

    Parameters
    ----------
    early_stopping : bool
        Whether validation scores decide which epoch is the best, instead of the training loss.
    """

    def __init__(self, *, early_stopping):
        self.n_iter_ = 0
        self.t_ = 0
        self.loss_ = np.inf
        self.best_loss_ = None if early_stopping else np.inf
        self.best_validation_score_ = -np.inf if early_stopping else None
        self.best_iter_ = 0
        self.loss_curve_ = []
        self.validation_scores_ = [] if early_stopping else None
        self.history_ = {column: [] for column in HISTORY_COLUMNS}

    @classmethod
    def resumed(cls, estimator, *, early_stopping, counts_on):
        """Return the record with which a fitted estimator's training goes on.

        Parameters
        ----------
        estimator : BaseMLP
        early_stopping : bool
            As for the constructor.
        counts_on : bool
            Whether ``n_iter_`` goes on, as in ``partial_fit``, or begins at 0.
        """
        record = cls(early_stopping=early_stopping)
        new = dict(vars(record))
        vars(record).update({name: _fitted(estimator, name) for name in new})
        vars(record).update(record._copied_columns())
        if not counts_on:
            record.n_iter_ = 0
        for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
            if getattr(record, name) is None:
                setattr(record, name, new[name])
        if early_stopping:
            record.best_loss_ = None
        return record

    @property
    def n_epochs(self):
        """Number of epochs since training began, over all fits that continued it."""
        return len(self.loss_curve_)

    @property
    def watches_score(self):
        """Whether validation scores decide which epoch is the best."""
        return self.best_loss_ is None

    def attributes(self):
        """Return the attributes by name; the lists are independent copies."""
        return vars(self) | self._copied_columns()

    def publish(self, estimator):
        """Show the record as the estimator's attributes; later epochs extend the same lists."""
        vars(estimator).update(vars(self))

    def append(self, n_rows, loss, val_loss, val_score, rate, seconds):
        """Add an epoch over ``n_rows`` rows; the other arguments are its row of ``history_``."""
        self.n_iter_ += 1
        self.t_ += n_rows
        self.loss_ = loss
        curve = self.loss_curve_
        curve.append(loss)
        if self.best_loss_ is None:  # watches_score, written out: epochs may take microseconds
            self.validation_scores_.append(val_score)
        history = self.history_
        history["epoch"].append(len(curve))
        history["loss"].append(loss)
        history["val_loss"].append(val_loss)
        history["val_score"].append(val_score)
        history["learning_rate"].append(rate)
        history["seconds"].append(seconds)
        if len(history) > len(HISTORY_COLUMNS):
            for name in history.keys() - HISTORY_COLUMNS:
                history[name].append(np.nan)

    def set_value(self, name, value):
        """Set the last epoch's value of a column of ``history_``; epochs without one have NaN."""
        column = self.history_.setdefault(name, [np.nan] * self.n_epochs)
        column[-1] = value

    def checkpoint(self):
        """Return what :meth:`restore` needs to come back to this epoch."""
        numbers = {
            name: value for name, value in vars(self).items() if not isinstance(value, (list, dict))
        }
        n_scores = None if self.validation_scores_ is None else len(self.validation_scores_)
        return numbers, self.n_epochs, n_scores

    def restore(self, checkpoint):
        """Take back all epochs since the checkpoint."""
        numbers, n_epochs, n_scores = checkpoint
        vars(self).update(numbers)
        for column in (self.loss_curve_, *self.history_.values()):
            del column[n_epochs:]
        if n_scores is not None:
            del self.validation_scores_[n_scores:]

    def _copied_columns(self):
        scores = self.validation_scores_
        return {
            "loss_curve_": list(self.loss_curve_),
            "validation_scores_": None if scores is None else list(scores),
            "history_": {column: list(values) for column, values in self.history_.items()},
        }
