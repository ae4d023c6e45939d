"""Training as all solvers share it: the record of epochs, convergence and early stopping, and
rollback to the last finished epoch.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._compiled.progress import compilation_report
from .._runtime.layout import views
from .._validation.parameters import calibrates
from .._warnings import NonFinitePredictionError, warn_user
from .calibration import calibration_of
from .printing import print_epoch
from .validation_set import description_of_loss

_SMALL_MEAN_WEIGHT = 1e-2


class Checkpoint(NamedTuple):
    """What a rollback needs of a finished epoch."""

    n_epochs: int
    weights: np.ndarray
    record: Any
    state: Any


class Training:
    """One call of ``fit`` or ``partial_fit``.

    Parameters
    ----------
    estimator : BaseMLP
        Its parameters are read. The record is published to it epoch by epoch, unless several run
        in one call, where nobody can look; weights and state are handed over at the end.
    network : CompiledNetwork
        The network to train.
    record : TrainingRecord
    state : TrainingState
        Both belong to this call.
    table : Table
    train_rows : ndarray of int or None
        Rows of the table to train on; all, if None.
    validation_set : ValidationSet or None
        Decides when to stop if the record watches its score.
    """

    def __init__(self, estimator, network, record, state, table, train_rows, validation_set):
        self.estimator = estimator
        self.network = network
        self.record = record
        self.state = state
        self.table = table
        self.train_rows = train_rows
        self.validation_set = validation_set
        self.n_rows = table.n_rows if train_rows is None else len(train_rows)
        self.stops_early = record.watches_score
        self._first_epoch = record.n_epochs
        self._last_epoch = None
        self._epoch_before = None
        self._has_diverged = False
        self._check_yardstick()
        self.warnings = []  # messages, to be given when the result has been handed over

    def warn_in_advance(self):
        """Warn about what is known before training, if there is anything."""

    def run(self, n_epochs, callbacks, *, warn=True):
        """Train, and hand the result over to the estimator.

        After an interrupt the estimator gets the last finished epoch, if there is one. After an
        error it gets nothing.

        Parameters
        ----------
        n_epochs : int
        callbacks : EpochCallbacks
        warn : bool
            Whether to warn if ``n_epochs`` were not enough.
        """
        try:
            self._checkpoint()
            self._train(n_epochs, callbacks, warn)
            self._hand_over()
            # Last of all: a filter may turn warnings into errors, which must not lose the result.
            if not self._has_diverged:
                self.warnings += callbacks.warnings()
                if self.validation_set is not None:
                    self.warnings += self.validation_set.warnings()
            for message in self.warnings:
                warn_user(message, ConvergenceWarning)
        except KeyboardInterrupt:
            if self._last_epoch is not None and self._last_epoch.n_epochs > self._first_epoch:
                self._rollback()
                self._hand_over()
            raise

    def fitted_attributes(self):
        """Return the attributes of a copy of the estimator that predicts, and goes on training,
        from where training is now.
        """
        return {
            **views(self.network.flat.copy(), self.network.layout),
            **self.record.attributes(),
            "_training_state": self.state.copy(),
        }

    def last_epoch_attributes(self):
        """Return the same for the last finished epoch, without copying: to be read at once.

        An iteration of 'lbfgs' has changed the weights before its epoch begins to be recorded.
        """
        return {
            **views(self._last_epoch.weights, self.network.layout),
            **vars(self.record),
            "_training_state": self.state,
        }

    def _check_yardstick(self):
        """Forget the best epoch of earlier fits if its score, or loss, was measured by something
        else: they cannot be compared. So is a score of which nothing is known, as after a refit.
        """
        record = self.record
        state = self.state
        key = self.stops_early
        yardstick = self.validation_set.yardstick() if key else description_of_loss(self.estimator)
        if state.yardsticks.get(key, () if key else yardstick) != yardstick:
            state.n_stalled = 0
            if key:
                record.best_validation_score_ = -np.inf
                state.best_weights = None
                state.n_other_scores = len(record.validation_scores_)
            else:
                record.best_loss_ = np.inf
        state.yardsticks = {**state.yardsticks, key: yardstick}

    # ---- the record -----------------------------------------------------------------------------

    def _evaluate(self):
        """Return loss and score of the validation rows; NaN if there are none."""
        if self.validation_set is None:
            return np.nan, np.nan
        return self.validation_set.evaluate(self.network)

    def _record_epoch(self, loss, val_loss, val_score, rate, seconds):
        """Add an epoch to the record; the arguments are a row of ``history_``."""
        compilation_report.finish()  # all that an epoch needs is compiled now
        record = self.record
        record.append(self.n_rows, loss, val_loss, val_score, rate, seconds)
        if self.estimator.verbose:
            # Calls of partial_fit share one table.
            is_first = record.n_epochs == self._first_epoch + 1
            goes_on = self.state.is_incremental and record.n_iter_ > 1
            print_epoch(self, with_heading=is_first and not goes_on)
        self._update_best(loss)

    def _update_best(self, loss):
        """Keep the best epoch, and count epochs in a row without an improvement by ``tol``."""
        record = self.record
        settings = self.network.settings
        if self.stops_early:
            best = record.best_validation_score_
            scores = record.validation_scores_[self.state.n_other_scores :]
            score = float(np.mean(scores[-settings.early_stopping_window :]))
            # A score that is not finite would compare as anything: it is no improvement.
            is_usable = np.isfinite(score)
            is_stalled = not is_usable or score < best + settings.tol
            takes_ties = settings.restore_best == "latest"
            is_better = is_usable and (score > best or (takes_ties and score == best))
            if is_better:
                record.best_validation_score_ = score
                self.state.best_weights = self.network.flat.copy()
        else:
            is_stalled = loss > record.best_loss_ - settings.tol
            is_better = loss < record.best_loss_
            if is_better:
                record.best_loss_ = loss
        if is_better:
            record.best_iter_ = record.n_epochs
        self.state.n_stalled = self.state.n_stalled + 1 if is_stalled else 0

    def _reason_to_stop(self):
        """Return why training should stop, or None."""
        settings = self.network.settings
        if self.state.n_stalled <= settings.n_iter_no_change:
            return None
        watched = "Validation score" if self.stops_early else "Training loss"
        return (
            f"{watched} did not improve more than tol={settings.tol:f} for "
            f"{settings.n_iter_no_change} consecutive epochs."
        )

    # ---- rollback -------------------------------------------------------------------------------

    def _checkpoint(self):
        """Keep what a rollback needs, before an epoch begins.

        It takes effect by one assignment, so that an interrupt finds the whole of the last
        checkpoint or the whole of this one.
        """
        last = self._last_epoch
        if last is not None and last.n_epochs < self.record.n_epochs:
            self._epoch_before = last
        self._last_epoch = Checkpoint(
            self.record.n_epochs,
            self.network.flat.copy(),
            self.record.checkpoint(),
            self.state.checkpoint(),
        )

    def _rollback(self):
        """Take back everything since the last checkpoint."""
        self._restore(self._last_epoch)

    def _restore(self, checkpoint):
        np.copyto(self.network.flat, checkpoint.weights)
        self.record.restore(checkpoint.record)
        self.state.restore(checkpoint.state)
        self.record.publish(self.estimator)

    def _rollback_to_predictions(self):
        """Roll back to the last checkpoint whose weights predict finite numbers.

        Those of the last one may be finite and yet too large: with one minibatch an epoch, the loss
        that is not finite is theirs. Return whether there is such a checkpoint of trained weights.
        """
        for checkpoint in (self._last_epoch, self._epoch_before):
            if checkpoint is None or checkpoint.n_epochs == 0:
                return False
            self._restore(checkpoint)
            try:
                self.network.outputs(self.table, self.train_rows)
            except NonFinitePredictionError:
                continue
            return True
        return False

    def _end_diverged(self, rate, seconds):
        """Roll back to the last weights that predict finite numbers, and warn; raise if there are
        none.

        Parameters
        ----------
        rate : float
            Learning rate of the epoch that diverged.
        seconds : float
            Its duration.
        """
        is_usable = self._rollback_to_predictions()
        epoch = self.record.n_epochs + 1
        advice = (
            f"learning_rate_init={self.estimator.learning_rate_init!r} made the loss or the "
            f"weights non-finite in epoch {epoch}; lower it, or scale X (and y, in regression), "
            f"for instance with StandardScaler.{self._advice_on_penalty()}"
        )
        if not is_usable:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed. {advice}"
            )
        self._has_diverged = True
        last_loss = self.record.loss_
        self._record_epoch(np.nan, np.nan, np.nan, rate, seconds)
        self.record.loss_ = last_loss
        self.record.publish(self.estimator)
        self.warnings.append(f"{advice} The weights of epoch {epoch - 1} are kept.")

    def _advice_on_penalty(self):
        """Return what to say about a penalty that small sample weights make large."""
        mean = self.table.mean_weight
        if mean > _SMALL_MEAN_WEIGHT or not np.any(self.estimator.alpha):
            return ""
        return (
            f" The cause may be the penalty, which is alpha={self.estimator.alpha!r} over the mean "
            f"sample weight, {mean:.3g}: scale sample_weight to a mean of 1, or set alpha=0."
        )

    def _hand_over(self):
        """Give the estimator the record, the state and the weights: those that a callback has
        chosen or the best ones that early stopping has kept, if any, else the last ones.

        All attributes change at once, and a new ``_training_state`` tells that they have.
        """
        weights = self.network.flat
        best = self.state.best_weights if self.stops_early and self.estimator.restore_best else None
        if self.state.chosen is not None:
            self.record.best_iter_, best = self.state.chosen
        if best is not None:
            self.state.last_weights = weights
            self.state.returned_weights = best
            weights = best.copy()
        attributes = {**vars(self.record), "_training_state": self.state}
        if calibrates(self.network.settings):
            architecture = self.network.architecture
            attributes |= calibration_of(self.estimator, architecture, weights, self.validation_set)
        vars(self.estimator).update(views(weights, self.network.layout) | attributes)
