"""From a user's data to the tables that a fit trains and validates on."""

import numpy as np

from .._runtime.data import Table
from .._validation.data import Samples, check_validation_samples
from .._validation.parameters import settings_of, stops_early
from .._validation.weights import check_sample_weight, relative_weight
from .embedded_columns import refuse_sparse
from .validation_set import ValidationSet, description_of_split, split_rows


class TablesMixin:
    """Mixin for estimators that say how their targets are checked, weighed and encoded."""

    def _check_samples(self, X, y, sample_weight, validation, fresh, incremental):
        """Return the :class:`Samples` to train on, and those to validate on or None.

        Parameters
        ----------
        X, y, sample_weight, validation, incremental : as for :meth:`_fit`
        fresh : bool
            Whether training begins anew.
        """
        given = X, y
        X, y = self._check_data(X, y, fresh=fresh, incremental=incremental)
        refuse_sparse(self.numeric_embedding, X)
        weight = check_sample_weight(sample_weight, X)
        class_weights = self._find_class_weights(y, weight[0], incremental=incremental)
        samples = Samples(X, y, self._weigh(weight, y, class_weights), given)
        validation = check_validation_samples(self, *validation, samples, class_weights)
        if validation is not None:
            refuse_sparse(self.numeric_embedding, validation.X, "X_val")
        return samples, validation

    def _make_tables(self, samples, validation, groups, state, dtype, fresh):
        """Return the table to train on, its rows to train on or None for all, and the
        :class:`ValidationSet` or None.

        Parameters
        ----------
        samples : Samples
        validation : Samples or None
        groups : array-like or None
            As given by the user.
        state : TrainingState
            Keeps the split of the rows, for fits that go on.
        dtype : numpy.dtype
        fresh : bool
            Whether training begins anew.
        """
        train_rows = validation_rows = None
        if validation is None and stops_early(self, None):
            train_rows, validation_rows = self._split(samples, groups, state)
        seen = state.weighed if state.is_incremental else (0.0, 0)
        table = self._make_table(samples, train_rows, dtype, fresh, seen)
        n_rows = table.n_rows if train_rows is None else len(train_rows)
        state.weighed = float(table.mean_weight), seen[1] + n_rows
        self._prepare_predictions(samples.y, samples.weight[0], fresh)
        if validation is not None:
            table_val = self._make_table(validation, None, dtype, False)
            table_val.name = "X_val"
            rows = np.arange(len(validation.y))
            return table, None, ValidationSet(self, table_val, rows, validation)
        if validation_rows is None:
            return table, None, None
        return table, train_rows, ValidationSet(self, table, validation_rows, samples)

    def _make_table(self, samples, train_rows, dtype, fresh, seen=(0.0, 0)):
        """Return a table; see :meth:`_make_tables` and :func:`relative_weight` for the
        arguments.
        """
        relative, mean_weight = relative_weight(*samples.weight, train_rows, dtype, seen)
        y = self._encode(samples.y, samples.weight[0], dtype, fresh)
        bins = self._architecture.bins
        return Table(samples.X, y, relative, dtype, mean_weight, bins=bins)

    def _split(self, samples, groups, state):
        """Return the rows to train on and the rows to validate on: the same ones when training goes
        on, unless they are to be drawn in another way.
        """
        X, y, (weight, _), _ = samples
        fraction = settings_of(self).validation_fraction
        known = state.split_by
        split_by = description_of_split(fraction, groups, known)
        is_other = known is not None and split_by != known
        state.split_by = split_by
        if state.split is None or state.n_rows_split != len(y) or is_other:
            state.n_rows_split = len(y)
            state.split = split_rows(
                X,
                y,
                fraction,
                state.random_state,
                self._stratify(y),
                weight=weight,
                groups=groups,
            )
        return state.split
