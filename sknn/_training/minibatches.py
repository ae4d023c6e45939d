"""The loop over minibatches: a compiled call for each chunk of rows, with everything that stays the
same from epoch to epoch bound once.
"""

import sys

import numpy as np

from .._engine import entry_points
from .._engine.plan import choose_shard_rows
from .._runtime.binding import bind_update, schedule_update, select_steps
from .._runtime.step_factors import find_step_factors
from .._runtime.threads import ParallelRunner

_OPERATIONS_AT_ONCE = 1e9  # multiplications of several epochs in one call
_STEPS_AT_ONCE = 10_000  # of a few microseconds each, however small the network is
# Training may stop after one of them, and those behind it are in vain: a few milliseconds at most.
_OPERATIONS_IN_VAIN = 2e8
_STEPS_IN_VAIN = 1000
_STEPS_SCHEDULED = 4096  # at once, for several chunks
_OPERATIONS_OF_AN_UPDATE = 20  # multiplications that take as long as the update of one weight


class MinibatchLoop:
    """Let an optimizer take one step for each minibatch of rows of a table.

    Parameters
    ----------
    network : CompiledNetwork
        The network to train.
    table : Table
    batch_size : int
    optimizer : OptimizerState
    """

    def __init__(self, network, table, batch_size, optimizer):
        self._network = network
        self._table = table
        self._batch_size = batch_size
        self._optimizer = optimizer
        settings = network.settings
        layout = network.layout
        n_operations = network.n_operations(table)
        n_operations_of_update = _OPERATIONS_OF_AN_UPDATE * network.flat.size / batch_size
        self._row_operations = n_operations + n_operations_of_update
        chunk = table.chunk_rows(self._row_operations)
        self._chunk_rows = max(batch_size, chunk - chunk % batch_size)
        self._chunk_rows_of_epochs = table.chunk_rows_of_epochs(self._row_operations)
        has_batch_norm = bool(layout.norm_widths.any())
        # Statistics of few rows would not be those of the others that predictions normalize by.
        self._least_rows = -(-batch_size // 2) if has_batch_norm else 0
        needs_whole_batches = has_batch_norm or network.architecture.has_dropout
        fits_into_memory = batch_size <= table.batch_rows(n_operations, network.n_values)
        self._accumulates = not (fits_into_memory or needs_whole_batches)
        self._shard_rows = 0
        if not (table.is_sparse or self._accumulates):
            n_row_values = int(layout.fan_ins[0] + layout.fan_outs.sum())
            self._shard_rows = choose_shard_rows(
                batch_size, layout.size, n_row_values, has_batch_norm
            )
        self._n_shards = -(-batch_size // self._shard_rows) if self._shard_rows else 0
        factors = find_step_factors(settings, layout)
        self._update = bind_update(
            settings, layout, network.dtype, table.mean_weight, optimizer, factors
        )
        self._step_factors = factors.tables
        self._runner = ParallelRunner(
            entry_points.train,
            int(batch_size * self._row_operations),
            len(layout.widths),
            self._n_shards or sys.maxsize,
        )
        self._clips = settings.max_grad_norm is not None

    def n_steps(self, n_rows):
        """Return the number of minibatches of ``n_rows`` rows.

        With batch norm, fewer rows than half of a minibatch are not one of their own: they are
        added to the minibatch before.
        """
        n_whole, n_left = divmod(n_rows, self._batch_size)
        return n_whole + (n_left > 0 and (n_left >= self._least_rows or n_whole == 0))

    def epochs_at_once(self, n_rows, n_until_stop):
        """Return how many epochs of ``n_rows`` rows to train in one call of :meth:`train`.

        Parameters
        ----------
        n_rows : int
        n_until_stop : int or inf
            Number of epochs after which training may stop at the earliest.
        """
        if self._accumulates or n_rows > self._chunk_rows:
            return 1
        n_operations = n_rows * self._row_operations
        n_steps = self.n_steps(n_rows)
        most = min(
            self._chunk_rows_of_epochs // n_rows,
            _OPERATIONS_AT_ONCE // n_operations,
            _STEPS_AT_ONCE // n_steps,
        )
        in_vain = min(_OPERATIONS_IN_VAIN // n_operations, _STEPS_IN_VAIN // n_steps)
        return int(max(1, min(most, max(in_vain, n_until_stop))))

    def train(self, orders):
        """Train for one epoch over the rows of each of ``orders``.

        Parameters
        ----------
        orders : ndarray of int of shape (n_epochs, n_rows)
            At most :meth:`epochs_at_once`.

        Returns
        -------
        losses : list of float
            Mean loss of each epoch; NaN if the loss of a minibatch is not finite, after which
            nothing is trained any more.
        """
        if self._accumulates:
            return [self._train_by_accumulation(order) / len(order) for order in orders]
        n_rows = orders.shape[1]
        bound, scratch = self._prepare(n_rows)
        scratch.totals[:] = 0
        # Sums over each epoch: losses, penalties.
        ends = np.zeros((len(orders), 2))
        chunks = self._cut_chunks(orders[0]) if len(orders) == 1 else [orders.reshape(-1)]
        for chunk, update in self._schedule(chunks, len(orders)):
            epoch_rows = len(chunk) // len(orders)
            if not self._train_chunk(bound, scratch, update, chunk, epoch_rows, ends):
                return [np.nan] * len(orders)
        return [self._network.reported_loss(*end) / n_rows for end in ends.tolist()]

    def _cut_chunks(self, rows):
        """Return the chunks of whole minibatches of the rows of one epoch."""
        starts = list(range(0, len(rows), self._chunk_rows))
        if len(starts) > 1 and len(rows) - starts[-1] < self._least_rows:
            del starts[-1]
        return np.split(rows, starts[1:])

    def _schedule(self, chunks, n_epochs):
        """Yield each chunk, which is one of an epoch or that of several ones, with its update.

        Steps of several chunks are scheduled at once: between two chunks little of Python's code is
        in the processor's caches, so that each call takes twice its usual time.
        """
        sizes = [self.n_steps(len(chunk) // n_epochs) for chunk in chunks]
        n_together = max(1, _STEPS_SCHEDULED // max(sizes))
        for start in range(0, len(chunks), n_together):
            together = range(start, min(len(chunks), start + n_together))
            n_steps = sum(sizes[i] for i in together)
            scheduled = self._schedule_steps(n_steps, n_epochs)
            first = 0
            for i in together:
                last = first + sizes[i] * n_epochs
                yield chunks[i], select_steps(scheduled, first, last)
                first = last

    def _schedule_steps(self, n_steps, n_epochs):
        """Return the update for the next steps, ``n_steps`` in each of ``n_epochs``."""
        return schedule_update(
            self._update,
            self._network.settings,
            self._optimizer,
            self._batch_size,
            n_steps,
            n_epochs,
            self._step_factors,
        )

    def _largest_minibatch(self, n_rows):
        """Return the rows of the largest minibatch of an epoch of ``n_rows`` rows."""
        return max(self._batch_size, n_rows - (self.n_steps(n_rows) - 1) * self._batch_size)

    def _prepare(self, n_rows):
        """Return the bound network and scratch memory for the minibatches of ``n_rows`` rows."""
        if self._shard_rows:
            return self._network.allocate_for_shards(self._shard_rows, self._n_shards)
        return self._network.allocate(self._largest_minibatch(n_rows), with_gradient=True)

    def _train_chunk(self, bound, scratch, update, chunk, epoch_rows, ends):
        """Train over a chunk of rows in one compiled call; return whether all losses were finite.

        Parameters
        ----------
        bound : Network
        scratch : Scratch
        update : Update
            Of the chunk's steps.
        chunk : ndarray of int
            Rows of a part of an epoch, or of all of ``ends``' epochs.
        epoch_rows : int
            Number of rows in the chunk that belong to one epoch.
        ends : ndarray of shape (n_epochs, 2)
            The sums of losses and of penalties are added to it.
        """
        # Input dropout acts in place. Only rows chosen by index are gathered first, so that this
        # never happens in the user's X.
        assert isinstance(chunk, np.ndarray), "rows to train on need indices"
        run = self._network.bind_run(
            bound,
            update,
            scratch,
            self._network.read_rows(self._table, chunk, self._largest_minibatch(epoch_rows)),
            with_gradient=True,
            clip=self._clips,
            shard_rows=self._shard_rows,
        )
        n_done = self._runner.run(
            run,
            self.n_steps(epoch_rows) * len(ends),
            len(chunk),
            self._batch_size,
            self._least_rows,
            epoch_rows,
            ends.reshape(-1),
        )
        return n_done == len(chunk)

    def _train_by_accumulation(self, order):
        """Train for an epoch of minibatches that are too large for memory: each one's gradient is
        accumulated chunk by chunk. Return the sum of the losses.
        """
        total = 0.0
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            update = self._schedule_steps(1, 1)
            data, penalty = self._network.accumulate_and_update(self._table, batch, update)
            if not np.isfinite(data):
                return np.nan
            total += self._network.reported_loss(data, penalty)
        return total
