"""From an architecture and flat weights to the engine's structs.

They hold addresses of kernels, offsets of values and the hyperparameters of the weight update.
"""

import numpy as np

from .._compiled import kinds
from .._compiled.matmul import product
from .._engine import batch_norm, dropout
from .._engine.structs import (
    BATCH_NORM_AFTER,
    BATCH_NORM_BEFORE,
    NO_BATCH_NORM,
    Network,
    Update,
    make_empty,
)
from ..parts.regularizers import penalty_strengths, regularizer_part
from ..parts.schedules import SCHEDULES
from .architecture import (
    COEFS,
    RUNNING_MEAN,
    RUNNING_VARIANCE,
    SCALE,
    SHIFT,
    SKIP_COEFS,
)
from .embedding import PBLD
from .layout import padded
from .values import allocate_values

# Samples of a minibatch that batch norm normalizes by its own statistics. In regressions with 300
# rows and two or five hidden layers, batches of 2 to 7 led to R^2 of 0.0 to 0.8 in this way, and to
# 0.7 to 0.97 by running averages.
LEAST_NORMALIZED = 8
# Samples of a minibatch that move the running averages as far as the momentum says. With a momentum
# of 0.9, averages over minibatches of 8 are of so few samples that variances were 0.68 to 1.2 times
# those of the training set; over minibatches of 32 they were within a tenth in most units.
LEAST_AVERAGED = 32
_BATCH_NORM_CODES = {None: NO_BATCH_NORM, "before": BATCH_NORM_BEFORE, "after": BATCH_NORM_AFTER}


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
    offsets, n_values = allocate_values(architecture, layout, n_rows)
    delta_sizes = padded(n_rows * layout.fan_outs)
    delta_ends = np.cumsum(delta_sizes)
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
        batch_norm=_BATCH_NORM_CODES[architecture.batch_norm],
        skip_offset=int(layout.offsets_of(SKIP_COEFS)[-1]),
        n_features=architecture.n_features,
        embedded=_vector(architecture.embedded, np.int64),
        embedding_offsets=_vector([layout.offsets_of(name)[0] for name in PBLD], np.int64),
        waves_offset=offsets.waves,
        link=0,  # set for predictions, see for_prediction
        **_locate_others(layout),
        **_bind_parts(architecture, flat.dtype),
        **_bind_optional_kernels(architecture, flat.dtype),
    )
    return network, n_values, delta_ends - delta_sizes, int(delta_ends[-1])


def _locate_others(layout):
    """Return where the values are that are updated besides each layer's W, by field."""
    rows = [
        (value.layer, offset, value.size, value.is_penalized)
        for value, offset in zip(layout.learned, layout.offsets, strict=True)
        if value.is_trained and not value.is_frozen and value.name != COEFS
    ]
    layers, offsets, sizes, penalized = np.array(rows, np.int64).T
    return {
        "other_offsets": offsets.copy(),
        "other_sizes": sizes.copy(),
        "other_starts": np.searchsorted(layers, np.arange(layout.n_layers + 1)),
        "others_penalized": penalized.copy(),
    }


def _bind_parts(architecture, dtype):
    """Return the addresses and parameters of the activations and the loss, by field."""
    hidden = architecture.hidden
    parts = [layer.part for layer in hidden]
    rates = [architecture.input_dropout, *(layer.dropout for layer in hidden), 0.0]
    forwards = [kinds.ACTIVATION.address(part.forward, dtype) for part in parts]
    backwards = [kinds.ACTIVATION_BACKWARD.address(part.backward, dtype) for part in parts]
    return {
        "activations": _vector(forwards, np.int64),
        "activation_backwards": _vector(backwards, np.int64),
        "activation_parameters": _vector([layer.parameter for layer in hidden], dtype),
        "dropout_rates": _vector(rates, dtype),
        "loss": kinds.LOSS.address(architecture.loss_part.loss, dtype),
        "loss_parameters": _vector(architecture.loss_parameters, dtype),
        "product": kinds.PRODUCT.address(product, dtype),
    }


def _bind_optional_kernels(architecture, dtype):
    """Return the addresses of batch norm's and dropout's kernels, by field; 0 if not used."""
    addresses = dict.fromkeys(("normalize", "normalize_backward", "drop", "drop_in_place"), 0)
    if architecture.batch_norm is not None:
        backward = kinds.NORMALIZE_BACKWARD.address(batch_norm.normalize_backward, dtype)
        addresses["normalize"] = kinds.NORMALIZE.address(batch_norm.normalize, dtype)
        addresses["normalize_backward"] = backward
    if architecture.has_dropout:
        addresses["drop"] = kinds.DROPOUT.address(dropout.drop, dtype)
        addresses["drop_in_place"] = kinds.DROPOUT_IN_PLACE.address(dropout.drop_in_place, dtype)
    return addresses


def without_dropout(network):
    """Return the bound network with all its units and inputs."""
    return network._replace(
        out_offsets=network.before_dropout_offsets,
        dropout_rates=np.zeros_like(network.dropout_rates),
    )


def for_prediction(network, link, *, with_loss):
    """Return the bound network as it predicts: without dropout, with a link."""
    return without_dropout(network)._replace(
        loss=network.loss if with_loss else 0,
        link=kinds.LINK.address(link, network.weights.dtype),
    )


def no_update(dtype):
    """Return an empty :class:`Update`, for prediction."""
    return make_empty(Update, dtype)


def bind_update(settings, layout, dtype, mean_weight, optimizer=None, factors=None):
    """Bind the weight update: the penalty and, if there is an optimizer, its step.

    The hyperparameters of steps follow chunk by chunk, see :func:`schedule_update`.

    Parameters
    ----------
    settings : namespace of constructor parameters
    layout : Layout
    dtype : numpy.dtype
    mean_weight : float
        Mean of the sample weights, by which the penalty is divided as the loss is.
    optimizer : OptimizerState, default=None
        None only adds the penalty's gradient.
    factors : StepFactors, default=None
        Required if there is an optimizer.

    Returns
    -------
    update : Update
    """
    regularizer = regularizer_part(settings)
    l1_and_l2 = penalty_strengths(settings, layout.n_layers, mean_weight)
    update = no_update(dtype)._replace(
        penalize=kinds.PENALTY.address(regularizer.penalize, dtype),
        penalty_strengths=_vector(l1_and_l2, dtype),
        weight_decay_factors=np.ones(1, dtype),
        max_gradient_norm=np.zeros(1, dtype),
        batch_norm_rates=np.zeros(1, dtype),
        batch_norm_least=2 if optimizer is None else LEAST_NORMALIZED,
    )
    if optimizer is None:
        return update
    if regularizer.shrink is not None:
        update = update._replace(
            proximal_step=kinds.PROXIMAL_STEP.address(regularizer.shrink, dtype),
            step_sizes=kinds.STEP_SIZES.address(optimizer.part.step_sizes, dtype),
        )
    *states, first_layer_values = optimizer.states
    return update._replace(
        weight_tables=factors.of_weights,
        other_tables=factors.of_others,
        first_layer_table=factors.of_first_layer_values,
        first_layer_values=first_layer_values,
        optimizer_step=kinds.OPTIMIZER_STEP.address(optimizer.part.step, dtype),
        max_gradient_norm=_vector([settings.max_grad_norm or 0.0], dtype),
        dropout_seed=optimizer.seed,
        **{f"state_{i}": state for i, state in enumerate(states)},
    )


def schedule_update(update, settings, optimizer, batch_size, n_steps, n_epochs, factors):
    """Give an update the hyperparameters of the optimizer's next steps, and count these steps.

    Parameters
    ----------
    update : Update
    settings : namespace of constructor parameters
    optimizer : OptimizerState
        Its counter of steps goes on.
    batch_size : int
    n_steps : int
        Steps in each epoch.
    n_epochs : int
        Epochs in one call of the engine.
    factors : list of (float, float)
        Of learning rate and epsilon, for each table of hyperparameters; see step_factors.py.

    Returns
    -------
    update : Update
    """
    dtype = update.weight_decay_factors.dtype
    first_step = optimizer.n_steps
    table, rates, epochs = optimizer.hyperparameters(settings, n_steps, n_epochs, factors)
    of_decay = SCHEDULES[settings.weight_decay_schedule].factor(settings, epochs)
    of_dropout = SCHEDULES[settings.dropout_schedule].factor(settings, epochs)
    return update._replace(
        hyperparameters=table.astype(dtype, order="C").reshape(-1),
        n_hyperparameters=table.shape[-1],
        weight_decay_factors=(1 - rates * (settings.weight_decay * of_decay)).astype(dtype),
        batch_norm_rates=_batch_norm_rates(
            settings.batch_norm_momentum, first_step + np.arange(len(rates)), batch_size
        ).astype(dtype),
        dropout_factors=np.full(epochs.size, of_dropout, dtype),
        first_step=first_step,
    )


def select_steps(update, first, last):
    """Return a scheduled update for some of its steps, as if it had been scheduled for them."""
    n_steps = update.weight_decay_factors.size
    tables = update.hyperparameters.reshape(-1, n_steps, update.n_hyperparameters)
    return update._replace(
        hyperparameters=tables[:, first:last].reshape(-1),
        weight_decay_factors=update.weight_decay_factors[first:last],
        batch_norm_rates=update.batch_norm_rates[first:last],
        dropout_factors=update.dropout_factors[first:last],
        first_step=update.first_step + first,
    )


def _batch_norm_rates(momentum, steps, batch_size):
    """Return how far a sample of weight 1 moves batch norm's running averages in some steps.

    A minibatch moves them by 1 - momentum; the first ones by more, such that all count equally.
    Smaller minibatches than ``LEAST_AVERAGED`` count as parts of one of that size, or averages
    would be of too few samples to be those of the training set.

    Parameters
    ----------
    momentum : float
    steps : ndarray of int
        Numbers of the steps, counted from the start of training.
    batch_size : int
    """
    share = min(1.0, batch_size / LEAST_AVERAGED)
    return np.maximum(1 - momentum, 1 / (1 + share * steps)) * share / batch_size


def _vector(values, dtype):
    return np.array(values, dtype=dtype).reshape(-1)
