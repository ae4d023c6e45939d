"""A network bound to its compiled kernels and to scratch memory, fed with chunks of rows."""

import numpy as np

from . import activations, losses, optimizers, regularizers
from ._engine import steps
from ._engine.network import Network, Scratch, Update
from ._jit import address
from ._layout import views
from ._tiles import PRODUCT, product

_BLOCK_ROWS = 256  # rows that go through the network together where batches do not matter


class Session:
    """Run passes of one network; its weights are ``flat``, changed in place.

    Parameters
    ----------
    flat : ndarray
        The flat weight vector; its dtype is that of the arithmetic.
    layout : Layout
    settings : BaseMLP
        The estimator, for its parameters.
    loss : str
        Key of ``LOSSES``.
    """

    def __init__(self, flat, layout, settings, loss):
        self.flat, self.layout, self.dtype, self.settings = flat, layout, flat.dtype, settings
        self._hidden = [activations.ACTIVATIONS[settings.activation]] * (len(layout.fan_ins) - 1)
        self._loss = losses.LOSSES[loss]
        self._totals = np.zeros(2)
        self._nothing = np.empty(0, self.dtype)
        self._penalize = address(regularizers.REGULARIZERS["l2"].penalize, regularizers.PENALIZE, self.dtype)
        self._step = 0
        if settings.solver != "lbfgs":
            self._step = address(optimizers.OPTIMIZERS[settings.solver].step, optimizers.STEP, self.dtype)
        self._gradient = self._nothing
        self._capacity = 0

    # ---- training ----------------------------------------------------------------------------------------------------

    def train(self, table, order, batch_size, optimizer):
        """Take one pass over the rows ``order`` of ``table`` in batches; return the mean loss, NaN once a batch's is not finite.

        ``optimizer`` is an :class:`OptimizerState`.
        """
        chunk = table.chunk_rows(self.flat.size)
        if batch_size > chunk:
            return self._train_in_parts(table, order, batch_size, optimizer)
        chunk -= chunk % batch_size
        network, scratch = self._prepare(batch_size, with_gradient=True)
        self._totals[:] = 0
        for start in range(0, len(order), chunk):
            which = order[start : start + chunk]
            update = self._update(table, optimizer, n_steps=-(-len(which) // batch_size))
            done = steps.train(network, update, scratch, table.rows(which), len(which), batch_size)
            if done < len(which):
                return np.nan
        return self._reported(*self._totals) / len(order)

    def _train_in_parts(self, table, order, batch_size, optimizer):
        """Train with batches too large to be held at once: gradients are added up chunk by chunk, then used."""
        total = 0.0
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            network, scratch = self._accumulate(table, batch)
            if not np.isfinite(self._totals[0]):
                return np.nan
            steps.apply(network, self._update(table, optimizer, n_steps=1), scratch, len(batch))
            total += self._reported(self._totals[0], len(batch) * self._totals[1])
        return total / len(order)

    def loss_and_gradient(self, table, order):
        """Return ``(objective, loss as reported, gradient of the objective)`` over the rows ``order``."""
        network, scratch = self._accumulate(table, order)
        steps.apply(network, self._update(table), scratch, len(order))
        data, penalty = self._totals[0], len(order) * self._totals[1]
        return (data + penalty) / len(order), self._reported(data, penalty) / len(order), scratch.gradient

    def _reported(self, data, penalty):
        """Return the loss as scikit-learn reports it: some losses as the mean over outputs, though their gradient is the sum's."""
        return (data / self.layout.fan_outs[-1] if self._loss.averages_outputs else data) + penalty

    def _accumulate(self, table, order):
        """Set scratch memory to the sum of losses over the rows ``order`` and to the gradient of their mean."""
        network, scratch = self._prepare(_BLOCK_ROWS, with_gradient=True)
        update = self._update(table)
        scratch.gradient[:] = 0
        self._totals[:] = 0
        scale = np.array([1 / len(order)], self.dtype)
        chunk = table.chunk_rows(self.flat.size)
        for start in range(0, len(order), chunk):
            which = order[start : start + chunk]
            steps.accumulate(network, update, scratch, table.rows(which), len(which), _BLOCK_ROWS, scale)
        return network, scratch

    # ---- prediction --------------------------------------------------------------------------------------------------

    def outputs(self, table, order=None, *, link=True):
        """Return predictions for all rows, or for the rows ``order``, of shape (n_rows, n_outputs); logits if not ``link``."""
        return self._evaluate(table, order, link=link, with_loss=False)[0]

    def outputs_and_loss(self, table, order):
        """Return ``(predictions, mean loss without penalty)`` over the rows ``order``."""
        predictions, total = self._evaluate(table, order, link=True, with_loss=True)
        return predictions, self._reported(total, 0.0) / table.weight[order].sum(dtype=np.float64)

    def _evaluate(self, table, order, *, link, with_loss):
        n_rows = table.n_rows if order is None else len(order)
        n_outputs = int(self.layout.fan_outs[-1])
        network, scratch = self._prepare(min(_BLOCK_ROWS, n_rows), with_gradient=False)
        link_kernel = self._loss.link if link else losses.LOSSES["squared_error"].link
        network = network._replace(loss=network.loss if with_loss else 0, link=address(link_kernel, losses.LINK, self.dtype))
        self._totals[:] = 0
        outputs = np.empty((n_rows, n_outputs), self.dtype)
        chunk = table.chunk_rows(self.flat.size)
        for start in range(0, n_rows, chunk):
            stop = min(n_rows, start + chunk)
            rows = table.rows(slice(start, stop) if order is None else order[start:stop])
            steps.evaluate(network, scratch, rows, stop - start, _BLOCK_ROWS, outputs[start:stop].reshape(-1))
        return outputs, self._totals[0]

    def fitted_attributes(self):
        """Return the attributes that make a copy of the estimator predict with a copy of the weights as they are now."""
        coefs, intercepts = views(self.flat.copy(), self.layout)
        return {"coefs_": coefs, "intercepts_": intercepts}

    # ---- NamedTuples for the engine ----------------------------------------------------------------------------------

    def _prepare(self, n_rows, *, with_gradient):
        """Return the network and scratch memory for blocks of ``n_rows``; kept until a larger block comes."""
        if n_rows > self._capacity:
            self._capacity = n_rows
            self._network, n_values = self._build_network(n_rows)
            values, deltas = np.empty(n_values, self.dtype), np.empty(n_values, self.dtype)
            work = np.empty(3 * n_rows * int(self.layout.fan_outs.max()), self.dtype)
            self._scratch = Scratch(values, deltas, work, self._gradient, self._totals)
        if with_gradient and self._gradient.size == 0:
            self._gradient = np.zeros(self.flat.size, self.dtype)
            self._scratch = self._scratch._replace(gradient=self._gradient)
        return self._network, self._scratch

    def _build_network(self, n_rows):
        widths = [int(width) for width in self.layout.fan_outs]
        n_values = n_rows * max(widths)  # the first place is for pre-activations that nobody keeps
        a_offsets, z_offsets = [], []
        for width, part in zip(widths, [*self._hidden, None], strict=True):
            a_offsets.append(n_values)
            n_values += n_rows * width
            z_offsets.append(0)
            if part is None:
                z_offsets[-1] = a_offsets[-1]
            elif part.needs_z:
                z_offsets[-1] = n_values
                n_values += n_rows * width
        forwards = [address(part.forward, activations.FORWARD, self.dtype) for part in self._hidden]
        backwards = [address(part.backward, activations.BACKWARD, self.dtype) for part in self._hidden]
        network = Network(
            self.flat,
            *self.layout[:4],
            np.array(a_offsets, np.int64),
            np.array(z_offsets, np.int64),
            np.array(forwards, np.int64),
            np.array(backwards, np.int64),
            np.zeros(len(self._hidden), self.dtype),
            address(self._loss.loss, losses.LOSS, self.dtype),
            address(self._loss.link, losses.LINK, self.dtype),
            address(product, PRODUCT, self.dtype),
        )
        return network, n_values

    def _update(self, table, optimizer=None, n_steps=0):
        """Return what to do with gradients: only penalise them, or take the optimizer's next ``n_steps`` steps."""
        step, states, h = 0, [self._nothing] * 3, self._nothing
        if optimizer is not None:
            step = self._step
            states[: len(optimizer.states)] = optimizer.states
            h = optimizer.hyperparameters(self.settings, n_steps).astype(self.dtype, order="C")
        alpha = np.array([self.settings.alpha / table.mean_weight], self.dtype)
        return Update(step, self._penalize, alpha, h.reshape(-1), h.shape[-1], *states)
