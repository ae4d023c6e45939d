"""Training by the stochastic solvers: epochs of shuffled minibatches, schedules and stopping.

An epoch of a small network on few rows takes less time than the Python around it. Where nothing
needs to happen between epochs, several run in one compiled call; they are then recorded one by one.
"""

import time

import numpy as np

from .._compiled.shuffle import Shuffler
from .._runtime.binding import LEAST_AVERAGED, LEAST_NORMALIZED
from .._warnings import NonFinitePredictionError, warn_user
from ..parts.schedules import SCHEDULES, SMALLEST_RATE
from .minibatches import MinibatchLoop
from .optimizer_state import schedule_of
from .trainer import Training

_SMALL_BATCH = 32  # samples; where there are fewer, nobody expects more than one step an epoch
_ROWS_OF_STATISTICS = 2048  # whose variance is that of all rows within a few percent


class StochasticTraining(Training):
    """Training in epochs: each row once, in minibatches, with one optimizer step for each."""

    def __init__(self, estimator, network, record, state, table, train_rows, validation_set):
        super().__init__(estimator, network, record, state, table, train_rows, validation_set)
        batch_size = network.settings.batch_size
        self._batch_size = int(min(200 if batch_size == "auto" else batch_size, self.n_rows))
        # The rows of a call of partial_fit may be few of those that the network is trained on.
        has_small_batches = self._has_batch_norm and self._batch_size < LEAST_AVERAGED
        self._measures_statistics = has_small_batches and not state.is_incremental
        self._minibatches = MinibatchLoop(network, table, self._batch_size, state.optimizer)
        self._shuffler = Shuffler(state.random_state) if estimator.shuffle else None
        self._n_one_by_one = 0  # epochs that have to run one by one
        self._begin_schedule()

    def warn_in_advance(self):
        """Warn about minibatches that are not as large as they were meant or should be."""
        batch_size = self.network.settings.batch_size
        if batch_size != "auto" and batch_size > max(self.n_rows, _SMALL_BATCH):
            warn_user(
                f"Got `batch_size`={batch_size}, more than the {self.n_rows} samples to train on, "
                f"so it is clipped to {self.n_rows} and an epoch is a single step. Lower "
                "batch_size, or set batch_size='auto'."
            )
        self._warn_about_batch_norm()

    def _begin_schedule(self):
        """Tell the schedule that a call of ``fit`` or ``partial_fit`` begins."""
        settings = self.estimator
        optimizer = self.state.optimizer
        if optimizer.begin_call(settings, counts_on=self.state.counts_on):
            self.state.n_stalled = 0  # as always when the rate changes, see _stops_on_plateau
        elif optimizer.has_lost_its_rate(settings):
            self.warnings.append(
                f"learning_rate={settings.learning_rate!r} has lowered the rate to "
                f"{SMALLEST_RATE} or less in earlier calls, so further training hardly changes the "
                "weights. Set learning_rate='constant', or another schedule or "
                "learning_rate_init, to go on at a higher rate."
            )

    @property
    def _has_batch_norm(self):
        return self.network.architecture.batch_norm is not None

    def _warn_about_batch_norm(self):
        if not self._has_batch_norm or self._batch_size >= LEAST_NORMALIZED:
            return
        warn_user(
            f"batch_norm={self.estimator.batch_norm!r} with minibatches of fewer than "
            f"{LEAST_NORMALIZED} samples: their mean and variance say too little, so they are "
            "normalized by the running averages, as in prediction. Use a larger batch_size, give "
            "more samples, or set batch_norm=False."
        )

    def _train(self, n_epochs, callbacks, warn):
        self._run_epochs(n_epochs, callbacks, warn)
        self._warn_about_squares()

    def _run_epochs(self, n_epochs, callbacks, warn):
        while (n_done := self.record.n_epochs - self._first_epoch) < n_epochs:
            if n_done > 0:
                self._checkpoint()
            n_at_once = self._n_epochs_at_once(n_epochs - n_done, callbacks)
            if n_at_once > 1:
                goes_on = self._run_epochs_at_once(n_at_once)
            else:
                callbacks.begin_epoch()
                goes_on = self._run_epoch() and not self._stops_on_plateau()
                goes_on = not callbacks.end_epoch(is_stopped=not goes_on)
            if not goes_on:
                return
        if warn and self._could_end_sooner():
            self.warnings.append(
                f"Stochastic Optimizer: Maximum iterations ({n_epochs}) reached and the "
                "optimization hasn't converged yet. Raise max_iter, scale X (for instance with "
                "StandardScaler), or try another learning_rate_init. If this number of epochs is "
                "intended, set n_iter_no_change=np.inf."
            )

    def _warn_about_squares(self):
        """Warn if squares of gradients have overflowed: steps that are divided by them are 0 ever
        after, while the loss is finite.
        """
        *states, values = (~np.isfinite(state) for state in self.state.optimizer.states)
        n_lost = np.any(states, axis=0).sum() or values.sum()  # the last one has another length
        if n_lost > 0:
            self.warnings.append(
                f"Squares of gradients grew beyond {self.network.dtype}, so solver="
                f"{self.estimator.solver!r} does not change {n_lost} weights any more. Scale X "
                "(and y, in regression), for instance with StandardScaler, or set max_grad_norm."
            )

    def _could_end_sooner(self):
        """Return whether ``max_iter`` is only a limit, and not the number of epochs intended.

        An ``n_iter_no_change`` that training cannot reach tells that it is intended, but not with
        ``warm_start``, where a fit is one of several.
        """
        settings = self.network.settings
        others = SCHEDULES[settings.dropout_schedule], SCHEDULES[settings.weight_decay_schedule]
        ends_by_schedule = any(part.is_cyclic for part in (schedule_of(settings), *others))
        can_stop = settings.n_iter_no_change < settings.max_iter or settings.warm_start
        return not ends_by_schedule and can_stop

    # ---- one epoch ------------------------------------------------------------------------------

    def _run_epoch(self):
        """Train for one epoch and record it; return False if it diverged.

        Weights that are finite, but too large for predictions, have diverged too.
        """
        started = time.perf_counter()
        optimizer = self.state.optimizer
        optimizer.begin_epoch(self._n_steps)
        [loss] = self._minibatches.train(self._next_rows(1))
        [rate] = optimizer.rates_of_epochs
        self._n_one_by_one -= 1
        if self._measures_statistics:
            self._measure_statistics()
        if not self._is_finite(loss):
            self._end_diverged(rate, time.perf_counter() - started)
            return False
        try:
            val_loss, val_score = self._evaluate()
        except NonFinitePredictionError:
            if self.record.n_epochs == self._first_epoch:
                raise  # no epoch before shows that the weights are the cause
            self._end_diverged(rate, time.perf_counter() - started)
            return False
        self._record_epoch(loss, val_loss, val_score, rate, time.perf_counter() - started)
        self.record.publish(self.estimator)
        optimizer.end_epoch(self.network.settings, self.record.t_)
        return True

    def _measure_statistics(self):
        """Set batch norm's running averages to the statistics of the training rows, as weights
        change too much while small minibatches are averaged.
        """
        order = self.state.order
        rows = order if self.train_rows is None else self.train_rows[order]
        rows = rows[self.table.weight[rows] > 0]
        step = -(-len(rows) // _ROWS_OF_STATISTICS)
        self.network.set_running_statistics(self.table, rows[::step])

    @property
    def _n_steps(self):
        """Number of minibatches in an epoch."""
        return self._minibatches.n_steps(self.n_rows)

    def _is_finite(self, losses):
        return bool(np.isfinite(losses).all() and np.isfinite(self.network.flat).all())

    def _next_rows(self, n_epochs):
        """Return the rows of the table to train on, in the order of each of the next epochs."""
        orders = self.state.next_orders(
            n_epochs, self.n_rows, self._shuffler, self._last_epoch.state
        )
        return orders if self.train_rows is None else self.train_rows[orders]

    def _stops_on_plateau(self):
        """Return whether to stop, unless the schedule lowers the learning rate instead."""
        settings = self.network.settings
        reason = self._reason_to_stop()
        if reason is None:
            return False
        optimizer = self.state.optimizer
        rate = schedule_of(settings).on_plateau(settings, optimizer.learning_rate)
        if rate is not None:
            optimizer.learning_rate = rate
            self.state.n_stalled = 0
        if settings.verbose:
            print(reason, "Stopping." if rate is None else f"Setting learning rate to {rate:f}")
        return rate is None

    # ---- several epochs in one compiled call ----------------------------------------------------

    def _n_epochs_at_once(self, n_left, callbacks):
        """Return how many epochs to run in one compiled call.

        It is 1 if something has to happen between epochs (validation, callbacks, printing, a
        schedule that reacts to the loss, statistics of small minibatches). Where others draw from
        the generator too, it is no more than training needs at least: orders that are drawn in vain
        would change what they draw.
        """
        settings = self.network.settings
        is_watched = self.validation_set is not None or callbacks.has_listeners or settings.verbose
        if (
            is_watched
            or self._measures_statistics
            or self._n_one_by_one > 0
            or not schedule_of(settings).is_known_in_advance
        ):
            return 1
        n_until_stop = settings.n_iter_no_change + 1 - self.state.n_stalled
        n_at_once = self._minibatches.epochs_at_once(self.n_rows, n_until_stop)
        if self.state.shares_random_state:
            n_at_once = max(1, min(n_at_once, n_until_stop))
        n_calls = -(-n_left // n_at_once)
        return -(-n_left // n_calls)  # calls of about equal lengths

    def _run_epochs_at_once(self, n_epochs):
        """Train for ``n_epochs`` epochs, then record them one by one; return whether to go on.

        If training should have stopped after one of them, all are rolled back and trained again up
        to that one, in the same orders and so with the same bits.
        """
        started = time.perf_counter()
        optimizer = self.state.optimizer
        optimizer.begin_epoch(self._n_steps)
        losses = self._minibatches.train(self._next_rows(n_epochs))
        if not self._is_finite(losses):
            self._rollback()
            self._n_one_by_one = n_epochs
            return True
        seconds = (time.perf_counter() - started) / n_epochs
        for i, (loss, rate) in enumerate(zip(losses, optimizer.rates_of_epochs, strict=True)):
            self._record_epoch(loss, np.nan, np.nan, rate, seconds)
            optimizer.end_epoch(self.network.settings, self.record.t_)
            if self._reason_to_stop() is not None:
                if i + 1 < n_epochs:
                    self._rollback()
                    return self._run_epochs_at_once(i + 1)
                return False
        return True
