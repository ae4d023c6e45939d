"""A network bound to its compiled kernels and to scratch memory, fed with chunks of rows."""

import numpy as np

from .._compiled.kinds import BLOCK_UPDATE, PASS
from .._engine import backward, entry_points, forward, shards
from .._engine.plan import bound_blocks, bound_packed_size
from .._engine.structs import Minibatch, Passes, Run, Scratch
from .._engine.update import update_all, update_block
from ..parts.losses import identity_link
from .binding import bind_network, bind_update, for_prediction, no_update, without_dropout
from .layout import aligned_zeros, make_layout, padded, views
from .threads import ParallelRunner, single_thread_team

_BLOCK_ROWS = 256  # rows that go through the network together where batches do not matter


class CompiledNetwork:
    """Run passes of one network; its weights are ``flat``, changed in place.

    Parameters
    ----------
    flat : ndarray
        The flat weight vector; its dtype is that of the arithmetic.
    architecture : Architecture
    settings : BaseMLP, default=None
        The estimator, for the hyperparameters of training; predictions need none.
    """

    def __init__(self, flat, architecture, settings=None):
        self.flat = flat
        self.architecture = architecture
        self.layout = make_layout(architecture)
        self.dtype = flat.dtype
        self.settings = settings
        self._loss = architecture.loss_part
        self._alone = single_thread_team()
        self._gradient = np.empty(0, self.dtype)
        self._of_shards = {}
        self._capacity = 0
        self._runners = {}
        self._bound = {}

    def prepare(self, n_rows, *, with_gradient):
        """Return the network and scratch memory for blocks of ``n_rows``; kept until a larger block
        comes.
        """
        if n_rows > self._capacity:
            self._capacity = n_rows
            self._bound = {}
            self._network, self._scratch = self._allocate(n_rows, 1)
        if with_gradient and self._gradient.size == 0:
            self._gradient = aligned_zeros(self.flat.size, self.dtype)
            self._scratch = self._scratch._replace(gradient=self._gradient)
        return self._network, self._scratch

    def prepare_shards(self, n_rows, n_shards):
        """Return the network and scratch memory for batches of so many shards of ``n_rows``, which
        have gradients of their own.
        """
        if (n_rows, n_shards) not in self._of_shards:
            network, scratch = self._allocate(n_rows, n_shards)
            partials = aligned_zeros(n_shards * self.flat.size, self.dtype)
            self._of_shards[n_rows, n_shards] = (
                network,
                scratch._replace(gradient=partials[: self.flat.size], shard_gradients=partials),
            )
        return self._of_shards[n_rows, n_shards]

    @property
    def n_values(self):
        """About how many values a row has in scratch memory."""
        return 3 * int(self.layout.fan_outs.sum()) + 4 * int(self.layout.fan_outs.max())

    def n_operations(self, table):
        """Return how many multiplications a row of a table takes, there and back."""
        n_absent = (table.n_features - table.n_stored) * int(self.layout.fan_outs[0])
        return 3 * (self.flat.size - n_absent)

    def _allocate(self, n_rows, n_shards):
        network, n_values, delta_offsets, n_deltas = bind_network(
            self.flat, self.layout, self.architecture, n_rows
        )
        widest = int(self.layout.fan_outs.max())
        layer_size = padded(n_rows * widest)
        packed_size = padded(bound_packed_size(n_rows, widest))
        delta_t = aligned_zeros(n_shards * 2 * layer_size, self.dtype)
        n_row_totals = n_shards * 2 * bound_blocks(n_rows)
        block_counts = 2 * bound_blocks(self.layout.fan_ins)
        return network, Scratch(
            aligned_zeros(n_shards * n_values, self.dtype),
            aligned_zeros(n_shards * n_deltas, self.dtype),
            delta_offsets,
            np.empty(2 * int(self.layout.norm_widths.sum()), self.dtype),
            delta_t,
            aligned_zeros(n_shards * layer_size, self.dtype),
            aligned_zeros(n_shards * packed_size, self.dtype),
            delta_t[:layer_size],  # partial_z, which is needed only before the deltas
            np.ones(1, self.dtype),
            self._gradient,
            np.empty(0, self.dtype),
            np.zeros(n_row_totals + block_counts.sum()),
            n_row_totals + np.cumsum(block_counts) - block_counts,
        )

    @property
    def scratch_bytes(self):
        """Size of the memory that passes need."""
        shared = self._scratch.partial_z.nbytes  # part of delta_t
        return sum(vector.nbytes for vector in self._scratch) - shared

    def work(self, network, update, scratch, rows, *, with_gradient, clip=False, shard_rows=0):
        """Return what an entry point works on, with the addresses of the passes that it will
        call.
        """
        work = Run(
            Passes(0, 0, 0, 0, 0, 0), network, update, scratch, rows, self._alone, shard_rows
        )
        common = self.dtype, work, Minibatch(0, 0, 0, 0, 0, self.dtype.type(1), 0, 0, 0)
        there = PASS.address_for(forward.forward, *common)
        back = PASS.address_for(backward.backward, *common) if with_gradient else 0
        passes = Passes(
            PASS.address_for(shards.forward_backward_shards, *common) if shard_rows else there,
            PASS.address_for(shards.reduce_shards_and_update, *common) if shard_rows else back,
            PASS.address_for(update_all, *common) if clip else 0,
            BLOCK_UPDATE.address_for(update_block, *common, 0, 0) if with_gradient else 0,
            there if shard_rows else 0,
            back if shard_rows else 0,
        )
        return work._replace(passes=passes)

    # ---- gradients of many rows -----------------------------------------------------------------

    def loss_and_gradient(self, table, order):
        """Return ``(objective, loss as reported, gradient of the objective but for its L1 term)``
        over the rows ``order``.
        """
        update = bind_update(self.settings, self.dtype, table.mean_weight)
        data, penalty = self.accumulate_and_apply(table, order, update)
        return (
            (data + penalty) / len(order),
            self.reported(data, penalty) / len(order),
            self._scratch.gradient,
        )

    def accumulate_and_apply(self, table, order, update):
        """Add up the gradient over the rows ``order`` chunk by chunk, then use it; return ``(sum of
        losses, n_rows x penalty)``.

        Rows whose losses are not finite are not used.
        """
        work = self._accumulate(table, order)
        if np.isfinite(self.totals()[0]):
            entry_points.apply(
                self.work(
                    work.network, update, work.scratch, work.rows, with_gradient=True, clip=True
                ),
                len(order),
            )
        return self.totals()

    def settle_statistics(self, table, order):
        """Set batch norm's running statistics to those of the rows ``order``."""
        if self.layout.norm_widths.any():
            self._accumulate(table, order, norm_momentum=0.0)

    def totals(self):
        """Return the sum of the losses and of the penalties (each times its batch's rows) since
        they were set to 0.
        """
        totals = self._scratch.totals
        n_row_totals = self._scratch.total_offsets[0]
        return float(totals[:n_row_totals].sum()), float(totals[n_row_totals:].sum())

    def reported(self, data, penalty):
        """Return the loss as scikit-learn reports it: some losses as the mean over outputs, though
        their gradient is the sum's.
        """
        return (
            data / int(self.layout.fan_outs[-1]) if self._loss.averages_outputs else data
        ) + penalty

    def _accumulate(self, table, order, norm_momentum=1.0):
        """Set scratch memory to the sum of losses over the rows ``order`` and to the gradient of
        their mean; return the last work.
        """
        # Batch norm needs all rows at once.
        n_operations = self.n_operations(table)
        block, chunk = (
            (len(order),) * 2
            if self.layout.norm_widths.any()
            else (_BLOCK_ROWS, table.chunk_rows(n_operations))
        )
        network, scratch = self.prepare(block, with_gradient=True)
        network = without_dropout(network)
        update = bind_update(self.settings, self.dtype, table.mean_weight)._replace(
            batch_norm_momentum=np.array([norm_momentum], self.dtype)
        )
        scratch.gradient[:] = 0
        scratch.totals[:] = 0
        scale = np.array([1 / len(order)], self.dtype)
        for start in range(0, len(order), chunk):
            which = order[start : start + chunk]
            work = self.work(network, update, scratch, table.rows(which, block), with_gradient=True)
            n_steps = -(-len(which) // block)
            self._runner(entry_points.accumulate, block * n_operations).run(
                work, n_steps, len(which), block, scale
            )
        return work

    # ---- prediction -----------------------------------------------------------------------------

    def outputs(self, table, order=None, *, link=True):
        """Return predictions for all rows, or for the rows ``order``, of shape (n_rows, n_outputs);
        logits if not ``link``.
        """
        return self._evaluate(table, order, link=link, with_loss=False)[0]

    def outputs_and_loss(self, table, order):
        """Return ``(predictions, mean loss without penalty)`` over the rows ``order``."""
        predictions, total = self._evaluate(table, order, link=True, with_loss=True)
        weight = table.weight[order].sum(dtype=np.float64)
        return predictions, self.reported(total, 0.0) / weight if weight > 0 else np.nan

    def hidden(self, table, layer):
        """Return the outputs of hidden layer ``layer`` for all rows, of shape (n_rows, n_units)."""
        return self._evaluate(table, None, link=False, with_loss=False, layer=layer)[0]

    def _evaluate(self, table, order, *, link, with_loss, layer=-1):
        n_rows = table.n_rows if order is None else len(order)
        block = min(_BLOCK_ROWS, n_rows)
        scratch = self.prepare(block, with_gradient=False)[1]
        scratch.totals[:] = 0
        outputs = np.empty((n_rows, int(self.layout.widths[layer])), self.dtype)
        n_operations = self.n_operations(table)
        chunk = table.chunk_rows(n_operations)
        runner = self._runner(entry_points.evaluate, block * n_operations // 3)
        for start in range(0, n_rows, chunk):
            stop = min(n_rows, start + chunk)
            rows = table.rows(slice(start, stop) if order is None else order[start:stop], block)
            work = self._prediction_work(rows, link=link, with_loss=with_loss)
            n_steps = -(-(stop - start) // block)
            runner.run(work, n_steps, stop - start, block, layer, outputs[start:stop].reshape(-1))
        return outputs, self.totals()[0]

    def _prediction_work(self, rows, *, link, with_loss):
        """Return what a prediction works on."""
        if (link, with_loss) not in self._bound:
            network = for_prediction(
                self._network,
                self._loss.link if link else identity_link,
                with_loss=with_loss,
            )
            work = self.work(
                network, no_update(self.dtype), self._scratch, rows, with_gradient=False
            )
            self._bound[link, with_loss] = work._replace(rows=None)
        return self._bound[link, with_loss]._replace(rows=rows)

    def _runner(self, entry, n_operations):
        """Return the threads that call an entry point together, for blocks of so many
        multiplications; others only for larger blocks.
        """
        known = self._runners.get(entry, (0, None))
        if n_operations > known[0]:
            self._runners[entry] = known = (
                n_operations,
                ParallelRunner(entry, n_operations, len(self.layout.widths)),
            )
        return known[1]

    def fitted_attributes(self):
        """Return the attributes that make a copy of the estimator predict with a copy of the
        weights as they are now.
        """
        return views(self.flat.copy(), self.layout)
