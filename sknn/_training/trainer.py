"""What every solver's training shares: the record of epochs, the judgement of progress, and the way
back from an unfinished epoch.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

HISTORY_COLUMNS = ("epoch", "loss", "val_loss", "val_score", "learning_rate", "seconds")

# Attributes that an unfinished epoch may have changed.
_CARRIED = (
    "n_iter_", "t_", "loss_", "best_loss_", "best_validation_score_", "best_iter_", "_best_weights", "_no_improvement_count", "_order",
)  # fmt: skip


class Training:
    """One call of ``fit`` or ``partial_fit``.

    Parameters
    ----------
    estimator : BaseMLP
        Its public fitted attributes are updated epoch by epoch, its weights at the end.
    session : Session
    table : Table
    train_rows : ndarray of int or None
        All, if None.
    monitor : Monitor or None
        Of the validation rows. They decide when to stop if the estimator has ``early_stopping``.
    """

    def __init__(self, estimator, session, table, train_rows, monitor):
        self.estimator = estimator
        self.session = session
        self.table = table
        self.train_rows = train_rows
        self.monitor = monitor
        self.n_rows = table.n_rows if train_rows is None else len(train_rows)
        self._finished = None
        self._first_epoch = len(estimator.loss_curve_)

    def run(self, n_epochs, tasks, *, warn=True):
        """Train; an interrupt or divergence leaves the state after the last finished epoch.

        Parameters
        ----------
        n_epochs : int
        tasks : EpochTasks
        warn : bool
            Whether to warn if ``n_epochs`` were not enough.
        """
        try:
            self._remember()
            self._train(n_epochs, tasks, warn)
        except KeyboardInterrupt:
            self._return_to_last_epoch()
            raise
        finally:
            self._finish()

    # ---- the record -----------------------------------------------------------------------------

    def _validate(self):
        """Return the validation rows' loss and score with the weights as they are; NaN without
        validation rows.
        """
        return (np.nan, np.nan) if self.monitor is None else self.monitor.evaluate(self.session)

    def _record(self, loss, val_loss, val_score, rate, seconds):
        """Write one epoch into the estimator's public attributes."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.t_ += self.n_rows
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        if self.monitor is not None and estimator.verbose:
            print(f"Validation score: {val_score:f}")
        if estimator.early_stopping:
            estimator.validation_scores_.append(val_score)
        epoch = len(estimator.loss_curve_)
        row = (epoch, loss, val_loss, val_score, rate, seconds)
        for column, value in zip(HISTORY_COLUMNS, row, strict=True):
            estimator.history_[column].append(value)
        self._judge(epoch, loss)

    def _judge(self, epoch, loss):
        """Remember the best epoch and count those without an improvement by ``tol``."""
        estimator = self.estimator
        if not estimator.early_stopping:
            stalled = loss > estimator.best_loss_ - estimator.tol
            better = loss < estimator.best_loss_
            if better:
                estimator.best_loss_ = loss
        else:
            best = estimator.best_validation_score_
            score = float(np.mean(estimator.validation_scores_[-estimator.early_stopping_window :]))
            stalled = score < best + estimator.tol
            better = score > best
            if better:
                estimator.best_validation_score_ = score
                estimator._best_weights = self.session.flat.copy()
        if better:
            estimator.best_iter_ = epoch
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if stalled else 0

    def _stall_message(self):
        """Return why training should stop, or None while it should not."""
        estimator = self.estimator
        if estimator._no_improvement_count <= estimator.n_iter_no_change:
            return None
        watched = "Validation score" if estimator.early_stopping else "Training loss"
        return f"{watched} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} consecutive epochs."

    # ---- the way back ---------------------------------------------------------------------------

    def _remember(self):
        """Keep what must be there again if the coming epoch is not finished.

        One assignment takes it over, so that an interrupt finds either all of the last epoch or all
        of this one.
        """
        self._finished = self._state()

    @property
    def has_finished_epochs(self):
        """Whether an epoch of this call can be returned to."""
        return self._finished is not None and self._finished["n_epochs"] > self._first_epoch

    def _state(self):
        estimator = self.estimator
        return {
            "weights": self.session.flat.copy(),
            "attributes": {name: getattr(estimator, name) for name in _CARRIED},
            "n_epochs": len(estimator.loss_curve_),
        }

    def _return_to_last_epoch(self):
        estimator = self.estimator
        finished = self._finished
        np.copyto(self.session.flat, finished["weights"])
        vars(estimator).update(finished["attributes"])
        for column in (
            estimator.loss_curve_,
            estimator.validation_scores_ or [],
            *estimator.history_.values(),
        ):
            del column[finished["n_epochs"] :]

    def _diverged(self, rate, seconds):
        """Go back to the last finite weights, or raise if there were none."""
        estimator = self.estimator
        epoch = len(estimator.loss_curve_) + 1
        advice = (
            f"learning_rate_init={estimator.learning_rate_init!r} made the loss or the weights non-finite in epoch {epoch}; lower it, "
            "or scale X (and y, in regression), for instance with StandardScaler."
        )
        self._return_to_last_epoch()
        if epoch == 1:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed. "
                + advice
            )
        last_loss = estimator.loss_
        self._record(np.nan, np.nan, np.nan, rate, seconds)
        estimator.loss_ = last_loss
        warnings.warn(
            f"{advice} The weights of epoch {epoch - 1} are kept.", ConvergenceWarning, stacklevel=7
        )

    def _finish(self):
        """Hand the weights to the estimator: the best ones if early stopping watched for them, else
        the last ones.
        """
        estimator = self.estimator
        estimator._last_weights = None
        if (
            estimator.early_stopping
            and estimator.restore_best
            and estimator._best_weights is not None
        ):
            estimator._last_weights = self.session.flat
            estimator._set_weights(estimator._best_weights.copy())
        else:
            estimator._set_weights(self.session.flat)
