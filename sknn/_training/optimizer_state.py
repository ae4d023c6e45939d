"""What a stochastic optimizer remembers between steps, and how far its schedules are."""

import numpy as np

from .._runtime.layout import aligned_copy, aligned_zeros
from .._runtime.step_factors import make_tables
from ..parts.optimizers import OPTIMIZERS
from ..parts.schedules import SCHEDULES, SMALLEST_RATE, warmup


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
    n_others : int, default=0
        Length of the last state: what the first layer's weights are made of.
    """

    def __init__(self, solver, size, dtype, learning_rate, seed, n_others=0):
        self.solver = solver
        self.states = [aligned_zeros(size, dtype) for _ in range(self.part.n_states)]
        self.states.append(aligned_zeros(n_others, dtype))
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

        They are ``n_steps`` steps of this epoch, or of each of ``n_epochs`` whole epochs. There is
        a table of hyperparameters for each pair of ``factors``; see step_factors.py.
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
        first = self.n_steps + 1
        tables = make_tables(self.part, settings, first, rates, epochs, factors)
        self.n_steps += n_steps * n_epochs
        self.step_in_epoch += n_steps
        return tables, rates, in_cycle

    def fits(self, solver, flat, n_others):
        """Return whether ``solver`` can go on training ``flat`` with this state."""
        shapes = [flat.shape] * self.part.n_states + [(n_others,)]
        is_same = self.solver == solver and [state.shape for state in self.states] == shapes
        return is_same and all(state.dtype == flat.dtype for state in self.states)

    def copy(self):
        """Return an independent copy."""
        return self.from_dict(vars(self) | {"states": list(map(aligned_copy, self.states))})

    def assign(self, other):
        """Take over the values of ``other`` in place: kernels are bound to these arrays."""
        for mine, theirs in zip(self.states, other.states, strict=True):
            np.copyto(mine, theirs)
        vars(self).update({name: value for name, value in vars(other).items() if name != "states"})


def schedule_of(settings):
    """Return the schedule that acts: scikit-learn's own ones act only with 'sgd'."""
    schedule = SCHEDULES[settings.learning_rate]
    return SCHEDULES["constant"] if schedule.sgd_only and settings.solver != "sgd" else schedule
