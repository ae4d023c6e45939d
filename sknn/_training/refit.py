"""Refit: training anew on all rows, for as many epochs as early stopping has found to be the best.

The first training is complete before: an interrupt of the second one leaves its result.
"""

import copy
from types import SimpleNamespace

import numpy as np
from sklearn.utils import check_random_state

from .._validation.parameters import stops_early
from .callbacks import FIT_ATTRIBUTES, EpochCallbacks
from .optimizer_state import schedule_of

_BY_EARLY_STOPPING = ("validation_scores_", "best_validation_score_", "best_iter_", "best_loss_")


def refits(estimator, validation):
    """Return whether a fit trains again: rows are held out only if no others are given."""
    return bool(estimator.refit) and validation is None and stops_early(estimator, None)


class RefitMixin:
    """Mixin for estimators that can make a :class:`Training`."""

    def _check_refit(self, has_X_val):
        """Raise ValueError if the training that a refit repeats cannot be repeated."""
        if not refits(self, True if has_X_val else None):
            return
        if self.warm_start:
            raise ValueError(
                "refit=True trains anew on all rows, so a fit with warm_start=True would have "
                "nothing to go on from; set one of them to False."
            )
        lowered = schedule_of(self).on_plateau(self, 1.0)
        if self.solver != "lbfgs" and lowered is not None:
            raise ValueError(
                f"refit=True has no validation rows by which learning_rate={self.learning_rate!r} "
                "could be lowered; choose another schedule, or set refit=False."
            )

    def _random_state_of_refit(self):
        """Return what the random numbers of a fit begin with, to begin with it again."""
        if isinstance(self.random_state, np.random.RandomState) or self.random_state is None:
            return copy.deepcopy(check_random_state(self.random_state))
        return self.random_state

    def _refit(self, first, samples, random_state):
        """Train anew on all rows, and take over the result.

        Parameters
        ----------
        first : Training
            The one that has ended.
        samples : Samples
        random_state : int or RandomState
            As when it began.
        """
        n_epochs = self.best_iter_ or self.n_iter_
        if self.verbose:
            epochs = "1 epoch" if n_epochs == 1 else f"{n_epochs} epochs"
            print(f"Training anew on all {len(samples.y)} rows for {epochs}.")
        twin = copy.copy(self)
        vars(twin).pop("_skl_callbacks", None)
        vars(twin).update(random_state=random_state, early_stopping=False)
        settings = SimpleNamespace(
            **vars(first.network.settings)
            | {"early_stopping": False, "calibrate": False, "n_iter_no_change": np.inf}
        )
        network = first.network
        second = twin._make_training(
            network.architecture, settings, samples, dtype=network.dtype, fresh=True
        )
        no_callbacks = EpochCallbacks(second, samples, (None,) * 3, n_epochs, None)
        second.run(n_epochs, no_callbacks, warn=False)
        of_first = {name: getattr(self, name) for name in _BY_EARLY_STOPPING}
        of_first["history_before_refit_"] = self.history_
        constant = {*self._constructor_parameters(), *FIT_ATTRIBUTES}
        trained = {name: value for name, value in vars(twin).items() if name not in constant}
        vars(self).update(trained | of_first)
