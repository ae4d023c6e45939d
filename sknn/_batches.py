"""Epochs of optimizer steps, one a batch, with all that stays the same from epoch to epoch bound once."""

import numpy as np

from ._binding import bind_update, dropout_rates, schedule_update
from ._engine import steps
from ._team import Crew


class Batches:
    """Let an optimizer take one step a batch over rows of a table.

    Parameters
    ----------
    session : Session
        Of the network to train.
    table : Table
    batch_size : int
    optimizer : OptimizerState
    """

    def __init__(self, session, table, batch_size, optimizer):
        self._session, self._table, self._batch_size, self._optimizer = session, table, batch_size, optimizer
        settings, layout, chunk = session.settings, session.layout, table.chunk_rows(session.flat.size)
        needs_whole_batches = layout.norm_widths.any() or any(dropout_rates(settings, len(layout.widths) - 1))
        self._in_parts = batch_size > chunk and not needs_whole_batches
        self._chunk = max(batch_size, chunk - chunk % batch_size)
        self._update = bind_update(settings, session.dtype, table.mean_weight, optimizer)
        self._crew = Crew(steps.train, 3 * batch_size * session.flat.size, len(layout.widths))
        self._passes = None

    def train(self, order):
        """Take one pass over the rows ``order``; return the mean loss, NaN once a batch's is not finite."""
        total = self._train_in_parts(order) if self._in_parts else self._train(order)
        return total / len(order)

    def _train(self, order):
        network, scratch = self._session.prepare(self._batch_size, with_gradient=True)
        scratch.totals[:] = 0
        for start in range(0, len(order), self._chunk):
            which = order[start : start + self._chunk]
            update = schedule_update(self._update, self._session.settings, self._optimizer, -(-len(which) // self._batch_size))
            rows = self._table.rows(which)
            if self._passes is None:
                clip = self._session.settings.max_grad_norm is not None
                self._passes = self._session.passes(network, update, scratch, rows, with_gradient=True, clip=clip)
            before = self._passes, network, update, scratch, rows
            if self._crew.run(before, len(which), self._batch_size) < len(which):
                return np.nan
        return self._session.reported(*self._session.totals())

    def _train_in_parts(self, order):
        """Train with batches too large to be held at once: gradients are added up chunk by chunk, then used."""
        total = 0.0
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            update = schedule_update(self._update, self._session.settings, self._optimizer, 1)
            data, penalty = self._session.accumulate_and_apply(self._table, batch, update)
            if not np.isfinite(data):
                return np.nan
            total += self._session.reported(data, penalty)
        return total
