"""Training by the stochastic solvers: epochs of shuffled batches, and what an optimizer remembers
between them.
"""

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._compiled.shuffle import Shuffler
from .._runtime.layout import aligned_zeros
from ..parts.optimizers import OPTIMIZERS
from ..parts.schedules import SCHEDULES, warmup
from .batches import Batches
from .trainer import Training


class OptimizerState:
    """What a stochastic optimizer remembers between steps."""

    def __init__(self, solver, size, dtype, learning_rate, seed):
        self.solver = solver
        self.states = [aligned_zeros(size, dtype) for _ in range(self.part.n_states)]
        self.n_steps = 0
        self.epoch = 0
        self.step_in_epoch = 0
        self.steps_per_epoch = 1
        self.learning_rate = float(learning_rate)
        self.rates_of_epochs = [self.learning_rate]  # the latest ones: at their first steps
        self.seed = seed

    @property
    def part(self):
        """The row of ``OPTIMIZERS``."""
        return OPTIMIZERS[self.solver]

    def begin_epoch(self, n_steps):
        """Tell the schedule that an epoch of ``n_steps`` steps begins."""
        self.steps_per_epoch = n_steps

    def end_epoch(self, settings, n_samples):
        """Count an epoch, after which ``n_samples`` have been seen since training began."""
        self.epoch = self.epoch + 1
        self.step_in_epoch = 0
        self.learning_rate = schedule_of(settings).after_epoch(
            settings, self.learning_rate, n_samples
        )

    def hyperparameters(self, settings, n_steps, n_epochs=1):
        """Return the kernel's numbers for the next steps and their learning rates; count the steps.

        They are ``n_steps`` of this epoch, or of each of ``n_epochs`` whole ones.
        """
        steps = np.arange(self.step_in_epoch, self.step_in_epoch + n_steps) / self.steps_per_epoch
        epochs = np.add.outer(self.epoch + np.arange(n_epochs), steps).ravel()
        rates = np.empty(n_steps * n_epochs)
        rates[:] = self.learning_rate * schedule_of(settings).factor(settings, epochs)
        rates *= warmup(settings, epochs + 1 / self.steps_per_epoch)
        if self.step_in_epoch == 0:
            self.rates_of_epochs = rates[::n_steps].tolist()
        table = self.part.hyperparameters(settings, self.n_steps + 1, rates, epochs)
        self.n_steps += n_steps * n_epochs
        self.step_in_epoch += n_steps
        return table, rates

    def fits(self, solver, flat):
        """Tell whether training of ``flat`` by ``solver`` can go on with this state."""
        return self.solver == solver and all(
            state.shape == flat.shape and state.dtype == flat.dtype for state in self.states
        )

    def copy(self):
        """Return an independent copy."""
        twin = OptimizerState.__new__(OptimizerState)
        twin.__dict__.update(self.__dict__, states=[state.copy() for state in self.states])
        return twin

    def assign(self, other):
        """Take over the values of ``other``, in place."""
        for mine, theirs in zip(self.states, other.states, strict=True):
            np.copyto(mine, theirs)
        vars(self).update({name: value for name, value in vars(other).items() if name != "states"})


def schedule_of(settings):
    """Return the schedule that acts: scikit-learn's own belong to 'sgd'."""
    schedule = SCHEDULES[settings.learning_rate]
    return SCHEDULES["constant"] if schedule.sgd_only and settings.solver != "sgd" else schedule


class StochasticTraining(Training):
    """Training in epochs: every row once, in batches, one optimizer step a batch."""

    def __init__(self, estimator, session, table, train_rows, monitor):
        super().__init__(estimator, session, table, train_rows, monitor)
        self._batch_size = self._check_batch_size()
        self._batches = Batches(session, table, self._batch_size, estimator._optimizer)
        self._shuffler = Shuffler(estimator._random_state)
        self._n_single = 0  # epochs that have to run one by one
        self._ahead = estimator._orders_ahead = list(
            estimator._orders_ahead or []
        )  # drawn already, for the next epochs

    def _check_batch_size(self):
        n_rows = self.n_rows
        batch_size = self.estimator.batch_size
        if batch_size == "auto":
            return min(200, n_rows)
        if batch_size > n_rows:
            warnings.warn(
                f"Got `batch_size` less than 1 or larger than sample size. It is going to be clipped: {batch_size} to {n_rows}.",
                stacklevel=6,
            )
        return int(min(batch_size, n_rows))

    def _state(self):
        return super()._state() | {"optimizer": self.estimator._optimizer.copy(), "drawn": []}

    def _train(self, n_epochs, tasks, warn):
        while (n_done := len(self.estimator.loss_curve_) - self._first_epoch) < n_epochs:
            if n_done > 0:
                self._remember()
            n_at_once = self._epochs_at_once(n_epochs - n_done, tasks)
            if n_at_once > 1:
                going_on = self._run_at_once(n_at_once)
            else:
                tasks.begin()
                going_on = self._run_epoch() and not self._out_of_patience()
                going_on = not tasks.end() and going_on
            if not going_on:
                return
        if warn:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({n_epochs}) reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=7,
            )

    def _run_epoch(self):
        """Train for one epoch and record it; False if it diverged."""
        estimator = self.estimator
        started = time.perf_counter()
        optimizer = estimator._optimizer
        optimizer.begin_epoch(-(-self.n_rows // self._batch_size))
        [loss] = self._batches.train([self._next_order()])
        [rate] = optimizer.rates_of_epochs
        self._n_single -= 1
        if not (np.isfinite(loss) and np.isfinite(self.session.flat).all()):
            self._diverged(rate, time.perf_counter() - started)
            return False
        self._record(loss, *self._validate(), rate, time.perf_counter() - started)
        optimizer.end_epoch(estimator, estimator.t_)
        return True

    # ---- several epochs at once -----------------------------------------------------------------

    def _epochs_at_once(self, n_left, tasks):
        """Return how many epochs may run before anybody looks at them: more than one where epochs
        are short and nobody does.
        """
        estimator = self.estimator
        is_watched = self.monitor is not None or tasks.has_listeners or estimator.verbose
        is_shared = isinstance(
            estimator.random_state, np.random.RandomState
        )  # others would see orders being drawn ahead
        if (
            is_watched
            or is_shared
            or self._n_single > 0
            or not schedule_of(estimator).is_known_in_advance
        ):
            return 1
        return min(n_left, self._batches.epochs_at_once(self.n_rows))

    def _run_at_once(self, n_epochs):
        """Train for ``n_epochs``, then record and judge them one by one; return whether to go on.

        If training should have stopped at one of them, all are taken back and trained again up to
        that one: same orders, same bits.
        """
        estimator = self.estimator
        started = time.perf_counter()
        optimizer = estimator._optimizer
        optimizer.begin_epoch(-(-self.n_rows // self._batch_size))
        losses = self._batches.train([self._next_order() for _ in range(n_epochs)])
        if not (np.isfinite(losses).all() and np.isfinite(self.session.flat).all()):
            self._return_to_last_epoch()
            self._n_single = n_epochs
            return True
        seconds = (time.perf_counter() - started) / n_epochs
        for i, (loss, rate) in enumerate(zip(losses, optimizer.rates_of_epochs, strict=True)):
            self._record(loss, np.nan, np.nan, rate, seconds)
            optimizer.end_epoch(estimator, estimator.t_)
            if self._stall_message() is not None:
                if i + 1 < n_epochs:
                    self._return_to_last_epoch()
                    return self._run_at_once(i + 1)
                return False
        return True

    def _next_order(self):
        """Return the training rows in this epoch's order: each epoch shuffles the last one's, as
        scikit-learn does.
        """
        estimator = self.estimator
        if estimator._order is None or len(estimator._order) != self.n_rows:
            estimator._order = np.arange(self.n_rows, dtype=np.int64)
        if estimator.shuffle:
            if self._ahead and len(self._ahead[0]) == self.n_rows:
                order = self._ahead.pop(0)
            else:
                self._ahead.clear()
                order = estimator._order.copy()
                self._shuffler.shuffle(order)
            self._finished["drawn"].append(order)
            estimator._order = order
        return estimator._order if self.train_rows is None else self.train_rows[estimator._order]

    def _return_to_last_epoch(self):
        super()._return_to_last_epoch()
        self.estimator._optimizer.assign(self._finished["optimizer"])
        self._ahead[:0] = self._finished[
            "drawn"
        ]  # what was drawn for unfinished epochs is for the next ones
        self._finished["drawn"] = []

    def _out_of_patience(self):
        """Tell whether to stop, after the schedule had its chance to lower the rate instead."""
        estimator = self.estimator
        reason = self._stall_message()
        if reason is None:
            return False
        rate = schedule_of(estimator).on_plateau(estimator, estimator._optimizer.learning_rate)
        if rate is not None:
            estimator._optimizer.learning_rate = rate
            estimator._no_improvement_count = 0
        if estimator.verbose:
            print(reason, "Stopping." if rate is None else f"Setting learning rate to {rate:f}")
        return rate is None
