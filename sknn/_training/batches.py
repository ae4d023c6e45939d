"""Epochs of optimizer steps, one a batch, with all that stays the same from epoch to epoch bound
once.
"""

import sys

import numpy as np

from .._engine import entry_points
from .._engine.plan import choose_shard_rows
from .._runtime.binding import bind_update, dropout_rates, schedule_update
from .._runtime.threads import Crew

# multiplications and steps in several epochs at once: a few milliseconds
_OPERATIONS_AT_ONCE = 2e8
_STEPS_AT_ONCE = 1000
_OPERATIONS_OF_A_MOVE = 20  # multiplications that take as long as to move a weight


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
        self._session = session
        self._table = table
        self._batch_size = batch_size
        self._optimizer = optimizer
        settings = session.settings
        layout = session.layout
        n_operations = session.n_operations(table)
        self._row_operations = n_operations + _OPERATIONS_OF_A_MOVE * session.flat.size / batch_size
        chunk = table.chunk_rows(self._row_operations)
        needs_whole_batches = layout.norm_widths.any() or any(
            dropout_rates(settings, len(layout.widths) - 1)
        )
        self._in_parts = (
            batch_size > table.batch_rows(n_operations, session.n_values)
            and not needs_whole_batches
        )
        self._chunk = max(batch_size, chunk - chunk % batch_size)
        self._shard_rows = 0
        if not table.is_sparse and not self._in_parts:
            n_row_values = int(layout.fan_ins[0] + layout.fan_outs.sum())
            self._shard_rows = choose_shard_rows(
                batch_size, layout.size, n_row_values, bool(layout.norm_widths.any())
            )
        self._update = bind_update(settings, session.dtype, table.mean_weight, optimizer)
        self._n_shards = -(-batch_size // self._shard_rows) if self._shard_rows else 0
        self._crew = Crew(
            entry_points.train,
            int(batch_size * self._row_operations),
            len(layout.widths),
            self._n_shards or sys.maxsize,
        )
        self._clips = settings.max_grad_norm is not None

    def epochs_at_once(self, n_rows):
        """Return how many epochs of ``n_rows`` rows fit into one chunk that takes a few
        milliseconds.
        """
        n_steps = -(-n_rows // self._batch_size)
        bounds = (
            self._chunk // n_rows,
            _OPERATIONS_AT_ONCE // (n_rows * self._row_operations),
            _STEPS_AT_ONCE // n_steps,
        )
        return 1 if self._in_parts else int(max(1, min(bounds)))

    def train(self, orders):
        """Take a pass over the rows of each of ``orders``, at most :meth:`epochs_at_once`.

        Returns
        -------
        losses : list of float
            The mean loss of each pass; NaN if a batch's is not finite, which ends training.
        """
        if self._in_parts:
            return [self._train_in_parts(order) / len(order) for order in orders]
        if self._shard_rows:
            network, scratch = self._session.prepare_shards(self._shard_rows, self._n_shards)
        else:
            network, scratch = self._session.prepare(self._batch_size, with_gradient=True)
        scratch.totals[:] = 0
        n_rows = len(orders[0])
        rows_together = orders[0] if len(orders) == 1 else np.concatenate(orders)
        ends = np.zeros((len(orders), 2))
        for start in range(0, len(rows_together), self._chunk):
            which = rows_together[start : start + self._chunk]
            epoch_rows = min(n_rows, len(which))
            n_steps = -(-epoch_rows // self._batch_size)
            update = schedule_update(
                self._update, self._session.settings, self._optimizer, n_steps, len(orders)
            )
            rows = self._table.rows(which, self._batch_size)
            work = self._session.work(
                network,
                update,
                scratch,
                rows,
                with_gradient=True,
                clip=self._clips,
                shard_rows=self._shard_rows,
            )
            n_done = self._crew.run(
                work,
                n_steps * len(orders),
                len(which),
                self._batch_size,
                epoch_rows,
                ends.reshape(-1),
            )
            if n_done < len(which):
                return [np.nan] * len(orders)
        return [self._session.reported(*end) / n_rows for end in ends.tolist()]

    def _train_in_parts(self, order):
        """Train with batches too large to be held at once: gradients are added up chunk by chunk,
        then used.
        """
        total = 0.0
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            update = schedule_update(self._update, self._session.settings, self._optimizer, 1, 1)
            data, penalty = self._session.accumulate_and_apply(self._table, batch, update)
            if not np.isfinite(data):
                return np.nan
            total += self._session.reported(data, penalty)
        return total
