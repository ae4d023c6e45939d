"""A network bound to compiled kernels and to scratch memory, fed with chunks of rows."""

import numpy as np

from .._engine import entry_points
from .._engine.embedding import N_WAVES
from .._engine.plan import bound_blocks
from .._engine.structs import Run, Scratch
from ..parts.losses import identity_link
from .ahead import compile_ahead
from .binding import bind_network, bind_update, for_prediction, no_update, without_dropout
from .finiteness import check_predictions, check_weights
from .layout import aligned_zeros, as_kernels_take_it, make_layout, padded
from .passes import NO_PASSES, Uses, bind_passes
from .reparametrizations import find_reparametrization
from .threads import ParallelRunner, single_thread_scheduler

_BLOCK_ROWS = 256  # rows that go through the network together where minibatches do not matter


class CompiledNetwork:
    """Run passes of one network. Its weights are ``flat``, which training updates in place.

    Parameters
    ----------
    flat : ndarray
        The flat vector of all learned values; its dtype is that of the arithmetic. For predictions
        it may be read-only.
    architecture : Architecture
    settings : SimpleNamespace, default=None
        The hyperparameters, for training; predictions need none.
    """

    def __init__(self, flat, architecture, settings=None):
        self.flat = flat
        self._weights = as_kernels_take_it(flat)
        self.architecture = architecture
        self.layout = make_layout(architecture)
        self.dtype = flat.dtype
        self.settings = settings
        self._n_gathered = int(self.layout.fan_ins[0]) if architecture.embedded else 0
        self._loss = architecture.loss_part
        self._alone = single_thread_scheduler()
        self._gradient = np.empty(0, self.dtype)
        self._allocated_for_shards = {}
        self._capacity = 0  # rows that scratch memory is large enough for
        self._runners = {}
        self._prediction_runs = {}
        self._passes = {}
        if settings is not None:
            compile_ahead(architecture, self.layout, settings, self.dtype)

    # ---- scratch memory -------------------------------------------------------------------------

    def allocate(self, n_rows, *, with_gradient):
        """Return the bound network and scratch memory for passes over ``n_rows`` rows.

        They are kept until more rows are asked for.
        """
        if n_rows > self._capacity:
            self._capacity = n_rows
            self._prediction_runs = {}
            self._bound, self._scratch = self._allocate(n_rows, 1)
        if with_gradient and self._gradient.size == 0:
            self._gradient = aligned_zeros(self.flat.size, self.dtype)
            self._scratch = self._scratch._replace(gradient=self._gradient)
        return self._bound, self._scratch

    def allocate_for_shards(self, n_rows, n_shards):
        """Return the bound network and scratch memory for minibatches of ``n_shards`` shards of
        ``n_rows`` rows, each of which has a gradient of its own.
        """
        key = n_rows, n_shards
        if key not in self._allocated_for_shards:
            bound, scratch = self._allocate(n_rows, n_shards)
            gradients = aligned_zeros(n_shards * self.flat.size, self.dtype)
            first = gradients[: self.flat.size]
            scratch = scratch._replace(gradient=first, shard_gradients=gradients)
            self._allocated_for_shards[key] = bound, scratch
        return self._allocated_for_shards[key]

    def _allocate(self, n_rows, n_shards):
        bound, n_values, delta_offsets, n_deltas = bind_network(
            self._weights, self.layout, self.architecture, n_rows
        )
        widest = int(self.layout.fan_outs.max())
        layer_size = padded(n_rows * widest)
        # dL/dx of the first layer, and W transposed, are needed only where columns are embedded.
        da_size = max(layer_size, padded(n_rows * self._n_gathered))
        packed_size = max(layer_size, padded(self._n_gathered * int(self.layout.fan_outs[0])))
        delta_t = aligned_zeros(n_shards * 2 * layer_size, self.dtype)
        n_loss_totals = n_shards * 2 * bound_blocks(n_rows)
        n_penalty_totals = 2 * bound_blocks(self.layout.fan_ins)
        return bound, Scratch(
            values=aligned_zeros(n_shards * n_values, self.dtype),
            deltas=aligned_zeros(n_shards * n_deltas, self.dtype),
            delta_offsets=delta_offsets,
            statistics=np.empty(2 * int(self.layout.norm_widths.sum()), self.dtype),
            delta_t=delta_t,
            da=aligned_zeros(n_shards * da_size, self.dtype),
            packed_weights=aligned_zeros(n_shards * packed_size, self.dtype),
            partial_z=delta_t[:layer_size],  # which is needed only before the deltas
            one=np.ones(1, self.dtype),
            gradient=self._gradient,
            shard_gradients=np.empty(0, self.dtype),
            totals=np.zeros(n_loss_totals + n_penalty_totals.sum()),
            total_offsets=n_loss_totals + np.cumsum(n_penalty_totals) - n_penalty_totals,
        )

    def check_weights(self):
        """Raise if a weight is NaN or infinite."""
        check_weights(self._weights, self.layout)

    @property
    def scratch_bytes(self):
        """Size of the scratch memory."""
        shared = self._scratch.partial_z.nbytes  # part of delta_t
        return sum(vector.nbytes for vector in self._scratch) - shared

    @property
    def n_values(self):
        """Approximate number of values in scratch memory for each row."""
        of_layers = 3 * int(self.layout.fan_outs.sum()) + 4 * int(self.layout.fan_outs.max())
        return of_layers + 2 * self._n_gathered + N_WAVES * len(self.architecture.embedded)

    def n_operations(self, table):
        """Return the multiplications of the forward and the backward pass of one row of a table."""
        n_absent = (table.n_columns - table.n_stored) * int(self.layout.fan_outs[0])
        return 3 * (self.flat.size - n_absent)

    # ---- runs -----------------------------------------------------------------------------------

    def read_rows(self, table, which, together, *, refuses_overflow=False):
        """Return rows of a table for a run; see :meth:`Table.rows`."""
        return table.rows(
            which, together, n_inputs=self._n_gathered, refuses_overflow=refuses_overflow
        )

    def bind_run(self, bound, update, scratch, rows, *, with_gradient, clip=False, shard_rows=0):
        """Return the :class:`Run` for an entry point, with the addresses of its passes.

        Parameters
        ----------
        bound : Network
        update : Update
        scratch : Scratch
        rows : Rows
        with_gradient : bool
            Whether the entry point runs the backward pass.
        clip : bool, default=False
            Whether it updates all weights at once, when the whole gradient is known.
        shard_rows : int, default=0
            Rows of a minibatch's shards; 0 if it is not cut into shards.
        """
        run = Run(NO_PASSES, bound, update, scratch, rows, self._alone, shard_rows)
        uses = Uses(
            with_gradient,
            update.optimizer_step != 0,
            clip,
            shard_rows > 0,
            find_reparametrization(self.settings) if update.first_layer_values.size > 0 else None,
        )
        if uses not in self._passes:
            self._passes[uses] = bind_passes(run, self.architecture, self.layout, uses)
        return run._replace(passes=self._passes[uses])

    def _runner(self, entry, n_operations):
        """Return the runner of an entry point, for blocks of rows of ``n_operations``
        multiplications; the one for the largest blocks so far is kept.
        """
        n_known, runner = self._runners.get(entry, (0, None))
        if n_operations > n_known:
            runner = ParallelRunner(entry, n_operations, self.layout.n_layers)
            self._runners[entry] = n_operations, runner
        return runner

    def read_totals(self):
        """Return the sum of the losses, and that of the penalties times their minibatches' rows,
        since they were set to 0.
        """
        totals = self._scratch.totals
        n_loss_totals = self._scratch.total_offsets[0]
        return float(totals[:n_loss_totals].sum()), float(totals[n_loss_totals:].sum())

    def reported_loss(self, loss, penalty):
        """Return what scikit-learn reports: for some losses the mean over outputs, though their
        gradient is the sum's.
        """
        n_averaged = self.architecture.n_outputs if self._loss.averages_outputs else 1
        return loss / n_averaged + penalty

    # ---- gradients of many rows -----------------------------------------------------------------

    def loss_and_gradient(self, table, order):
        """Return ``(objective, loss as reported, gradient of the objective but for its L1 term)``
        over the rows ``order``.
        """
        update = self._bind_penalty(table)
        loss, penalty = self.accumulate_and_update(table, order, update)
        return (
            (loss + penalty) / len(order),
            self.reported_loss(loss, penalty) / len(order),
            self._scratch.gradient,
        )

    def _bind_penalty(self, table):
        """Return an update that only adds the penalty."""
        return bind_update(self.settings, self.layout, self.dtype, table.mean_weight)

    def accumulate_and_update(self, table, order, update):
        """Accumulate the gradient over the rows ``order`` chunk by chunk, then update the weights,
        unless the loss is not finite; return :meth:`read_totals`.
        """
        run = self._accumulate(table, order)
        if np.isfinite(self.read_totals()[0]):
            run = self.bind_run(
                run.network, update, run.scratch, run.rows, with_gradient=True, clip=True
            )
            entry_points.apply(run, len(order))
        return self.read_totals()

    def set_running_statistics(self, table, order):
        """Set batch norm's running averages to the statistics of the rows ``order``."""
        if self.architecture.batch_norm is not None and np.count_nonzero(table.weight[order]) > 1:
            self._accumulate(table, order, batch_norm_rate=1.0)

    def _accumulate(self, table, order, batch_norm_rate=0.0):
        """Set scratch memory to the sum of losses over the rows ``order``, and to the gradient of
        their mean; return the last run.
        """
        n_operations = self.n_operations(table)
        block = _BLOCK_ROWS
        chunk = table.chunk_rows(n_operations)
        if self.architecture.batch_norm is not None:  # whose statistics need all rows at once
            block = chunk = len(order)
        bound, scratch = self.allocate(block, with_gradient=True)
        bound = without_dropout(bound)
        update = self._bind_penalty(table)._replace(
            batch_norm_rates=np.array([batch_norm_rate], self.dtype)
        )
        runner = self._runner(entry_points.accumulate, block * n_operations)
        scratch.gradient[:] = 0
        scratch.totals[:] = 0
        for start in range(0, len(order), chunk):
            which = order[start : start + chunk]
            rows = self.read_rows(table, which, block)
            run = self.bind_run(bound, update, scratch, rows, with_gradient=True)
            runner.run(run, -(-len(which) // block), len(which), block, len(order))
        return run

    # ---- prediction -----------------------------------------------------------------------------

    def outputs(self, table, order=None, *, link=True):
        """Return predictions for all rows, or for the rows ``order``, of shape (n_rows, n_outputs);
        logits if not ``link``. All are finite, or an error names the cause.
        """
        outputs = self._evaluate(table, order, link=link, with_loss=False)[0]
        what = "predictions" if link else "logits"
        check_predictions(outputs, self, table, order, what)
        # Softmax makes a logit of minus infinity the smallest probability, up to rounding.
        smallest = 2 * np.finfo(self.dtype).tiny
        if link and self._loss.out_activation == "softmax" and outputs.min() <= smallest:
            rows = np.flatnonzero((outputs <= smallest).any(axis=1))
            self.outputs(table, rows if order is None else order[rows], link=False)
        return outputs

    def outputs_and_loss(self, table, order):
        """Return ``(predictions, mean loss without penalty)`` over the rows ``order``.

        Predictions are finite, or an error names the cause.
        """
        predictions, total = self._evaluate(table, order, link=True, with_loss=True)
        check_predictions(predictions, self, table, order, "predictions")
        weight = table.weight[order].sum(dtype=np.float64)
        return predictions, self.reported_loss(total, 0.0) / weight if weight > 0 else np.nan

    def hidden(self, table, layer):
        """Return the outputs of hidden layer ``layer`` for all rows, of shape (n_rows, n_units).

        All are finite, or an error names the cause.
        """
        outputs = self._evaluate(table, None, link=False, with_loss=False, layer=layer)[0]
        check_predictions(outputs, self, table, None, f"outputs of hidden layer {layer}")
        return outputs

    def _evaluate(self, table, order, *, link, with_loss, layer=-1):
        """Return the outputs of a layer for some rows, and the sum of their losses.

        Parameters
        ----------
        table : Table
        order : ndarray of int or None
            The rows; None stands for all.
        link : bool
            Whether the output layer's values go through the link.
        with_loss : bool
            Whether to compute losses, for which the table needs targets.
        layer : int, default=-1
            A hidden layer, or -1 for the output layer.
        """
        n_rows = table.n_rows if order is None else len(order)
        block = min(_BLOCK_ROWS, n_rows)
        _, scratch = self.allocate(block, with_gradient=False)
        scratch.totals[:] = 0
        outputs = np.empty((n_rows, int(self.layout.widths[layer])), self.dtype)
        n_operations = self.n_operations(table)
        chunk = table.chunk_rows(n_operations)
        runner = self._runner(entry_points.evaluate, block * n_operations // 3)
        for start in range(0, n_rows, chunk):
            stop = min(n_rows, start + chunk)
            which = slice(start, stop) if order is None else order[start:stop]
            rows = self.read_rows(table, which, block, refuses_overflow=True)
            run = self._prediction_run(rows, link=link, with_loss=with_loss)
            n_steps = -(-(stop - start) // block)
            runner.run(run, n_steps, stop - start, block, layer, outputs[start:stop].reshape(-1))
        return outputs, self.read_totals()[0]

    def _prediction_run(self, rows, *, link, with_loss):
        key = link, with_loss
        if key not in self._prediction_runs:
            kernel = self._loss.link if link else identity_link
            bound = for_prediction(self._bound, kernel, with_loss=with_loss)
            update = no_update(self.dtype)
            run = self.bind_run(bound, update, self._scratch, rows, with_gradient=False)
            self._prediction_runs[key] = run._replace(rows=None)
        return self._prediction_runs[key]._replace(rows=rows)
