"""The state of training: what further training needs besides the weights and the record.

A fit works on a copy and hands it over to the estimator when it ends. So a fit that fails leaves
the old state as it was, and shallow copies of an estimator never share a state that is written to.
"""

import copy
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from .._runtime.layout import aligned_zeros, make_layout
from .._runtime.step_factors import make_tables
from ..parts.optimizers import OPTIMIZERS
from ..parts.schedules import SCHEDULES, SMALLEST_RATE, warmup
from . import input_scale


class TrainingState:
    """What further training needs besides weights and record.

    Parameters
    ----------
    random_state : int, RandomState or None
        The estimator's parameter.

    Attributes
    ----------
    random_state : RandomState
        Generator of starting weights, validation split and shuffling.
    optimizer : OptimizerState or None
        None for 'lbfgs'.
    order : ndarray of int or None
        The last epoch's order of the training rows. The next epoch shuffles it.
    orders_ahead : list of ndarray
        Orders that were drawn for epochs that were then not finished; the next epochs use them.
    split : (ndarray of int, ndarray of int) or None
        Rows to train on and rows to validate on, as ``early_stopping`` has drawn them.
    n_rows_split : int
        Number of rows that they were drawn from.
    split_by : tuple or None
        Descriptions of the ``validation_fraction`` and of the groups by which they were drawn.
    best_weights : ndarray or None
        Flat weights of the epoch with the best validation score. Replaced, never written to.
    last_weights : ndarray or None
        Flat weights of the last epoch, where the estimator has the best ones.
    returned_weights : ndarray or None
        Flat weights that the estimator has instead.
    chosen : (int, ndarray) or None
        Epoch and flat weights that a callback has chosen to end with.
    n_stalled : int
        Epochs in a row without an improvement by ``tol``.
    yardsticks : dict
        What the best score (key True) or the best loss (key False) was measured by. Replaced, never
        written to.
    n_other_scores : int
        Number of first validation scores that were measured by something else.
    counts_on : bool
        Whether the last call went on with the one before, as ``partial_fit`` and fits from
        checkpoints do, so that the schedule went on too.
    is_incremental : bool
        Whether ``partial_fit`` trained last, so that pickles keep this state.
    """

    def __init__(self, random_state):
        self.random_state = check_random_state(random_state)
        # A generator that others draw from is neither copied nor restored.
        self._owns_random_state = isinstance(random_state, Integral)
        self.optimizer = None
        self.order = None
        self.orders_ahead = []
        self.split = None
        self.n_rows_split = 0
        self.split_by = None
        self.best_weights = None
        self.last_weights = None
        self.returned_weights = None
        self.chosen = None
        self.n_stalled = 0
        self.yardsticks = {}
        self.n_other_scores = 0
        self.counts_on = False
        self.is_incremental = False

    def copy(self):
        """Return a copy that can be trained on while this one stays as it is."""
        twin = copy.copy(self)
        if self._owns_random_state:
            twin.random_state = copy.deepcopy(self.random_state)
        if self.optimizer is not None:
            twin.optimizer = self.optimizer.copy()
        twin.orders_ahead = list(self.orders_ahead)
        return twin

    def to_dict(self):
        """Return the state as plain types, for pickles."""
        optimizer = self.optimizer and dict(vars(self.optimizer))
        return vars(self) | {"optimizer": optimizer}

    @classmethod
    def from_dict(cls, values):
        """Return the state that :meth:`to_dict` has described."""
        state = cls(None)
        vars(state).update(values)
        orders = [state.order] if state.order is not None else []
        for order in (*orders, *state.orders_ahead):
            _check_rows(order, len(order))
        for rows in state.split or ():
            _check_rows(rows, state.n_rows_split)
        if state.optimizer is not None:
            state.optimizer = OptimizerState.from_dict(state.optimizer)
        return state

    # ---- an epoch that may not be finished ------------------------------------------------------

    def checkpoint(self):
        """Return what :meth:`restore` needs to come back to this epoch."""
        optimizer = None if self.optimizer is None else self.optimizer.copy()
        return vars(self) | {"optimizer": optimizer, "drawn": []}

    def restore(self, checkpoint):
        """Take back all changes since the checkpoint; orders drawn since are used again."""
        values = dict(checkpoint)
        drawn = values.pop("drawn")
        optimizer = values.pop("optimizer")
        if optimizer is not None:
            self.optimizer.assign(optimizer)
        vars(self).update(values)
        self.orders_ahead[:0] = drawn
        drawn.clear()

    def next_order(self, n_rows, shuffle, checkpoint):
        """Return the next epoch's order of ``n_rows`` training rows.

        Each epoch shuffles the order of the one before, as in scikit-learn.

        Parameters
        ----------
        n_rows : int
        shuffle : callable or None
            Shuffles an order in place with numbers from ``random_state``.
        checkpoint : dict
            The last checkpoint, which notes the order in case the epoch is not finished.
        """
        if self.order is None or len(self.order) != n_rows:
            self.order = np.arange(n_rows, dtype=np.int64)
        if shuffle is None:
            return self.order
        if self.orders_ahead and len(self.orders_ahead[0]) == n_rows:
            order = self.orders_ahead.pop(0)
        else:
            self.orders_ahead.clear()
            order = self.order.copy()
            shuffle(order)
        checkpoint["drawn"].append(order)
        self.order = order
        return order

    # ---- the beginning of a fit -----------------------------------------------------------------

    def prepare_optimizer(self, settings, flat, architecture):
        """Keep the optimizer if it can go on with these weights, else make a new one.

        Parameters
        ----------
        settings : namespace of constructor parameters
        flat : ndarray
            Flat weights to train.
        architecture : Architecture
        """
        solver = settings.solver
        if solver == "lbfgs":
            self.optimizer = None
            return
        layout = make_layout(architecture)
        n_scaled = input_scale.count_values(settings, layout)
        if self.optimizer is None or not self.optimizer.fits(solver, flat, n_scaled):
            drops = architecture.has_dropout
            seed = int(self.random_state.randint(np.iinfo(np.int32).max)) if drops else 0
            rate = settings.learning_rate_init
            self.optimizer = OptimizerState(solver, flat.size, flat.dtype, rate, seed, n_scaled)
        input_scale.match_weights(self.optimizer.states[-1], flat, layout)

    def resumed_weights(self, flat):
        """Return a copy of the flat weights with which training goes on.

        They are the last epoch's if the estimator still has the best ones, ``flat``.
        """
        last = self.last_weights
        returned = self.returned_weights
        self.last_weights = self.returned_weights = self.chosen = None
        if np.shape(last) == flat.shape and np.array_equal(flat, returned):
            return np.array(last, flat.dtype)
        return np.array(flat)


def _check_rows(rows, n_rows):
    """Raise if rows are no indices of a table: kernels read whatever they point to."""
    if (
        not isinstance(rows, np.ndarray)
        or rows.dtype.kind not in "iu"
        or rows.ndim != 1
        or (rows.size > 0 and not 0 <= rows.min() <= rows.max() < n_rows)
    ):
        raise ValueError(
            f"_training_state holds {rows!r}, which are no rows of a table of {n_rows}; "
            "remove _training_state to begin training anew, or load an unchanged file."
        )


class OptimizerState:
    """What a stochastic optimizer remembers between steps.

    Parameters
    ----------
    solver : str
        Key of ``OPTIMIZERS``.
    size : int
        Length of the flat weight vector.
    dtype : numpy.dtype
    learning_rate : float
    seed : int
        Of the dropout masks.
    n_scaled : int, default=0
        Length of the last state, which is that of input_scale.py.
    """

    def __init__(self, solver, size, dtype, learning_rate, seed, n_scaled=0):
        self.solver = solver
        self.states = [aligned_zeros(size, dtype) for _ in range(self.part.n_states)]
        self.states.append(aligned_zeros(n_scaled, dtype))
        self.n_steps = 0
        self.epoch = 0
        self.cycle_start = 0  # the epoch in which the cycle of a cyclic schedule began
        self.schedule = None  # learning_rate and learning_rate_init of the last call
        self.step_in_epoch = 0
        self.steps_per_epoch = 1
        self.learning_rate = float(learning_rate)
        self.rates_of_epochs = [self.learning_rate]  # at the first step of each of the last epochs
        self.seed = seed

    @classmethod
    def from_dict(cls, values):
        """Return the state with these attributes."""
        state = cls.__new__(cls)
        vars(state).update(values)
        return state

    @property
    def part(self):
        """The row of ``OPTIMIZERS``."""
        return OPTIMIZERS[self.solver]

    def begin_call(self, settings, *, counts_on):
        """Let the schedule go on or begin anew in a call of ``fit`` or, if it counts on, of
        ``partial_fit``; return whether it began anew. parts/schedules.py says when.
        """
        in_cycle = self.epoch - self.cycle_start
        is_new_cycle = in_cycle > 0 and not (counts_on and in_cycle < settings.max_iter)
        if is_new_cycle:
            self.cycle_start = self.epoch
        schedule = settings.learning_rate, float(settings.learning_rate_init)
        is_changed = self.schedule not in (None, schedule)
        if is_changed:
            self.learning_rate = schedule[1]
        self.schedule = schedule
        return is_changed or (is_new_cycle and schedule_of(settings).is_cyclic)

    def has_lost_its_rate(self, settings):
        """Return whether the schedule has lowered the rate until weights hardly change."""
        schedule = schedule_of(settings)
        rate = self.learning_rate * np.max(schedule.factor(settings, np.array([self.epoch])))
        return not schedule.is_cyclic and rate <= SMALLEST_RATE < settings.learning_rate_init

    def begin_epoch(self, n_steps):
        """Tell the schedule that an epoch of ``n_steps`` steps begins."""
        self.steps_per_epoch = n_steps

    def end_epoch(self, settings, n_samples):
        """Count an epoch, after which ``n_samples`` have been seen since training began."""
        self.epoch += 1
        self.step_in_epoch = 0
        self.learning_rate = schedule_of(settings).after_epoch(
            settings, self.learning_rate, n_samples
        )

    def hyperparameters(self, settings, n_steps, n_epochs, factors):
        """Return the kernel's hyperparameters of the next steps, their learning rates, and how many
        epochs of the schedules' cycle lie before them; and count these steps.

        They are ``n_steps`` steps of this epoch, or of each of ``n_epochs`` whole epochs. Each pair
        of ``factors`` has a table of hyperparameters; see step_factors.py.
        """
        steps = np.arange(self.step_in_epoch, self.step_in_epoch + n_steps) / self.steps_per_epoch
        epochs = np.add.outer(self.epoch + np.arange(n_epochs), steps).ravel()
        rates = np.empty(n_steps * n_epochs)
        schedule = schedule_of(settings)
        in_cycle = epochs - self.cycle_start
        since_start = in_cycle if schedule.is_cyclic else epochs
        rates[:] = self.learning_rate * schedule.factor(settings, since_start)
        rates *= warmup(settings, epochs + 1 / self.steps_per_epoch)
        if self.step_in_epoch == 0:
            self.rates_of_epochs = rates[::n_steps].tolist()
        tables = make_tables(self.part, settings, self.n_steps + 1, rates, epochs, factors)
        self.n_steps += n_steps * n_epochs
        self.step_in_epoch += n_steps
        return tables, rates, in_cycle

    def fits(self, solver, flat, n_scaled):
        """Return whether ``solver`` can go on training ``flat`` with this state."""
        shapes = [flat.shape] * self.part.n_states + [(n_scaled,)]
        is_same = self.solver == solver and [state.shape for state in self.states] == shapes
        return is_same and all(state.dtype == flat.dtype for state in self.states)

    def copy(self):
        """Return an independent copy."""
        return self.from_dict(vars(self) | {"states": [state.copy() for state in self.states]})

    def assign(self, other):
        """Take over the values of ``other`` in place: kernels are bound to these arrays."""
        for mine, theirs in zip(self.states, other.states, strict=True):
            np.copyto(mine, theirs)
        vars(self).update({name: value for name, value in vars(other).items() if name != "states"})


def schedule_of(settings):
    """Return the schedule that acts: scikit-learn's own ones act only with 'sgd'."""
    schedule = SCHEDULES[settings.learning_rate]
    return SCHEDULES["constant"] if schedule.sgd_only and settings.solver != "sgd" else schedule
