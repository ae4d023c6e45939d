"""From an architecture and flat weights to the engine's NamedTuples: addresses of kernels, offsets of
values, hyperparameters of the weight update.
"""

from typing import NamedTuple

import numpy as np

from .._compiled import kinds
from .._compiled.matmul import product
from .._engine import batch_norm, dropout
from .._engine.structs import BATCH_NORM_AFTER, BATCH_NORM_BEFORE, NO_BATCH_NORM, Network, Update
from ..parts.regularizers import regularizer_part
from .architecture import (
    ACTIVATION,
    BATCH_NORM,
    DENSE,
    DROPOUT,
    RUNNING_MEAN,
    RUNNING_VARIANCE,
    SCALE,
    SHIFT,
)
from .layout import padded

_BATCH_NORM_CODES = {None: NO_BATCH_NORM, "before": BATCH_NORM_BEFORE, "after": BATCH_NORM_AFTER}


class _Allocator:
    """Bump allocator: returns consecutive aligned offsets into one buffer."""

    def __init__(self):
        self.size = 0

    def take(self, size):
        """Return the offset of ``size`` elements."""
        offset = self.size
        self.size += padded(size)
        return offset


class _ValueOffsets(NamedTuple):
    """Offsets of each layer's intermediate values in ``Scratch.values``; see ``Network``."""

    z: np.ndarray
    a: np.ndarray
    x_hat: np.ndarray
    before_dropout: np.ndarray
    out: np.ndarray


def _allocate_values(architecture, layout, n_rows):
    """Return the offsets of all intermediate values of ``n_rows`` rows, and their total size."""
    allocator = _Allocator()
    offsets = _ValueOffsets(*np.zeros((5, layout.n_layers), np.int64))
    # Layers whose derivative needs no z share one block for it.
    shared_z = allocator.take(n_rows * int(layout.fan_outs.max()))
    for operation in architecture.operations:
        layer = operation.layer
        size = n_rows * operation.n_outputs
        if operation.kind == DENSE:
            is_output = layer == layout.n_layers - 1
            needs_z = is_output or architecture.hidden[layer].part.needs_z
            offsets.z[layer] = allocator.take(size) if needs_z else shared_z
            if is_output:
                for column in (offsets.a, offsets.before_dropout, offsets.out):
                    column[layer] = offsets.z[layer]
        elif operation.kind == ACTIVATION:
            for column in (offsets.a, offsets.before_dropout, offsets.out):
                column[layer] = allocator.size
            allocator.take(size)
        elif operation.kind == BATCH_NORM:
            offsets.x_hat[layer] = allocator.take(size)
            if architecture.batch_norm == "after":
                offsets.before_dropout[layer] = offsets.out[layer] = allocator.take(size)
        elif operation.kind == DROPOUT and layer >= 0:
            offsets.out[layer] = allocator.take(size)
    return offsets, allocator.size


def bind_network(flat, layout, architecture, n_rows):
    """Bind a network to kernels and to offsets in scratch memory.

    Parameters
    ----------
    flat : ndarray
        All learned values; its dtype is that of the arithmetic.
    layout : Layout
    architecture : Architecture
    n_rows : int
        The largest minibatch.

    Returns
    -------
    network : Network
    n_values : int
        Elements of ``Scratch.values``.
    delta_offsets : ndarray of int64
        Of each layer's dL/dz in ``Scratch.deltas``.
    n_deltas : int
        Elements of that.
    """
    dtype = flat.dtype
    hidden = architecture.hidden
    parts = [layer.part for layer in hidden]
    loss = architecture.loss_part
    offsets, n_values = _allocate_values(architecture, layout, n_rows)
    delta_ends = np.cumsum(padded(n_rows * layout.fan_outs))
    normalizes = architecture.batch_norm is not None
    drops = architecture.has_dropout
    network = Network(
        weights=flat,
        fan_ins=layout.fan_ins,
        fan_outs=layout.fan_outs,
        widths=layout.widths,
        weight_offsets=layout.weight_offsets,
        bias_offsets=layout.bias_offsets,
        scale_offsets=layout.offsets_of(SCALE),
        shift_offsets=layout.offsets_of(SHIFT),
        mean_offsets=layout.offsets_of(RUNNING_MEAN),
        variance_offsets=layout.offsets_of(RUNNING_VARIANCE),
        z_offsets=offsets.z,
        a_offsets=offsets.a,
        x_hat_offsets=offsets.x_hat,
        before_dropout_offsets=offsets.before_dropout,
        out_offsets=offsets.out,
        statistics_offsets=np.cumsum(layout.norm_widths) - layout.norm_widths,
        activations=_addresses(kinds.ACTIVATION, [part.forward for part in parts], dtype),
        activation_backwards=_addresses(
            kinds.ACTIVATION_BACKWARD, [part.backward for part in parts], dtype
        ),
        activation_parameters=_vector([layer.parameter for layer in hidden], dtype),
        dropout_rates=_vector(
            [architecture.input_dropout, *(layer.dropout for layer in hidden), 0.0], dtype
        ),
        batch_norm=_BATCH_NORM_CODES[architecture.batch_norm],
        loss=kinds.LOSS.address(loss.loss, dtype),
        link=0,
        product=kinds.PRODUCT.address(product, dtype),
        loss_parameters=_vector(architecture.loss_parameters, dtype),
        normalize=kinds.NORMALIZE.address(batch_norm.normalize, dtype) if normalizes else 0,
        normalize_backward=(
            kinds.NORMALIZE_BACKWARD.address(batch_norm.normalize_backward, dtype)
            if normalizes
            else 0
        ),
        drop=kinds.DROPOUT.address(dropout.drop, dtype) if drops else 0,
        drop_in_place=(
            kinds.DROPOUT_IN_PLACE.address(dropout.drop_in_place, dtype) if drops else 0
        ),
    )
    return network, n_values, delta_ends - padded(n_rows * layout.fan_outs), int(delta_ends[-1])


def _addresses(kind, kernels, dtype):
    return _vector([kind.address(kernel, dtype) for kernel in kernels], np.int64)


def without_dropout(network):
    """Return the network with all its units and inputs."""
    return network._replace(
        out_offsets=network.before_dropout_offsets,
        dropout_rates=np.zeros_like(network.dropout_rates),
    )


def for_prediction(network, link, *, with_loss):
    """Return the network as it predicts: without dropout, with a link."""
    return without_dropout(network)._replace(
        loss=network.loss if with_loss else 0,
        link=kinds.LINK.address(link, network.weights.dtype),
    )


def no_update(dtype):
    """Return what to do with gradients where there are none."""
    nothing = np.empty(0, dtype)
    return Update(
        0, 0, 0, 0, nothing, nothing, 0, nothing, nothing, nothing, nothing, nothing, nothing, 0, 0
    )


def bind_update(settings, dtype, mean_weight, optimizer=None):
    """Return what to do with gradients: only penalise them, or give them to an optimizer, whose
    steps are scheduled chunk by chunk.
    """
    states = [np.empty(0, dtype)] * 3
    step = 0
    step_sizes = 0
    shrink = 0
    seed = 0
    max_norm = 0.0
    regularizer = regularizer_part(settings)
    if optimizer is not None:
        states[: len(optimizer.states)] = optimizer.states
        step = kinds.OPTIMIZER_STEP.address(optimizer.part.step, dtype)
        seed = optimizer.seed
        max_norm = settings.max_grad_norm or 0.0
        if regularizer.shrink is not None:
            shrink = kinds.PROXIMAL_STEP.address(regularizer.shrink, dtype)
            step_sizes = kinds.STEP_SIZES.address(optimizer.part.step_sizes, dtype)
    strengths = settings.alpha / mean_weight * np.array([settings.l1_ratio, 1 - settings.l1_ratio])
    return Update(
        step,
        step_sizes,
        kinds.PENALTY.address(regularizer.penalize, dtype),
        shrink,
        strengths.astype(dtype),
        np.empty(0, dtype),
        0,
        np.ones(1, dtype),
        *states,
        _vector([max_norm], dtype),
        _vector([settings.batch_norm_momentum], dtype),
        seed,
        0,
    )


def schedule_update(update, settings, optimizer, n_steps, n_epochs):
    """Return ``update`` with the numbers of the optimizer's next steps, ``n_steps`` in each of
    ``n_epochs``, which are counted.
    """
    dtype = update.weight_decay_factors.dtype
    first_step = optimizer.n_steps
    h, rates = optimizer.hyperparameters(settings, n_steps, n_epochs)
    decays = (1 - rates * settings.weight_decay).astype(dtype)
    h = h.astype(dtype, order="C")
    return update._replace(
        hyperparameters=h.reshape(-1),
        n_hyperparameters=h.shape[-1],
        weight_decay_factors=decays,
        first_step=first_step,
    )


def _vector(values, dtype):
    return np.array(values, dtype=dtype).reshape(-1)
