"""From an estimator's parameters to the engine's NamedTuples: addresses of its parts, places of its
values.
"""

from types import SimpleNamespace

import numpy as np

from .._compiled import kinds
from .._compiled.matmul import product
from .._engine import batch_norm, dropout
from .._engine.structs import NO_NORM, NORM_AFTER, NORM_BEFORE, Network, Update
from ..parts.activations import ACTIVATIONS
from ..parts.custom import activation_part
from ..parts.initializers import INITIALIZERS
from ..parts.losses import LOSSES
from ..parts.regularizers import regularizer_part
from .layout import COEFS, INTERCEPTS, aligned_zeros, norm_part_offsets, padded, views

NORM_PLACES = {False: None, True: "before", "before": "before", "after": "after"}


def activations_of(settings, n_hidden):
    """Return the activation of each hidden layer, by name or as :class:`Activation`."""
    activation = settings.activation
    return list(activation) if isinstance(activation, (list, tuple)) else [activation] * n_hidden


def hidden_parts(settings, n_hidden):
    """Return the rows of ``ACTIVATIONS`` of the hidden layers."""
    return [activation_part(choice) for choice in activations_of(settings, n_hidden)]


def pieces_of(settings, parts):
    """Return how many pre-activations make one activation, for each hidden layer."""
    return [getattr(settings, part.pieces) if part.pieces else 1 for part in parts]


def dropout_rates(settings, n_hidden):
    """Return the rates of the inputs and of the hidden layers."""
    rates = settings.dropout
    return [settings.input_dropout, *(rates if np.ndim(rates) else [rates] * n_hidden)]


def initial_weights(settings, layout, dtype, random_state):
    """Return a flat vector of weights as training begins with them."""
    flat = aligned_zeros(layout.size, dtype)
    parts = views(flat, layout)
    activations = activations_of(
        settings, len(layout.widths)
    )  # the output layer is drawn like the last hidden one
    initialize = INITIALIZERS[settings.initializer].initialize
    for layer, (coef, intercept) in enumerate(zip(parts[COEFS], parts[INTERCEPTS], strict=True)):
        activation = activations[min(layer, len(activations) - 1)] if activations else None
        coef[...], intercept[...] = initialize(
            random_state, coef.shape, int(layout.widths[layer]), activation
        )
    for name in ("batch_norm_scale_", "batch_norm_var_"):
        for ones in parts.get(name, ()):
            ones[:] = 1
    return flat


class _Places:
    """Hand out places in a vector, one after another."""

    def __init__(self):
        self.size = 0

    def take(self, size):
        """Return the offset of a new place."""
        offset = self.size
        self.size = self.size + padded(size)
        return offset


def bind_network(flat, layout, settings, loss, n_rows):
    """Return ``(network, size of its values, offsets of its deltas, their size)`` for blocks of up
    to ``n_rows`` rows.
    """
    dtype = flat.dtype
    parts = hidden_parts(settings, len(layout.fan_ins) - 1)
    norm = NORM_PLACES[settings.batch_norm]
    rates = dropout_rates(settings, len(parts))
    values = _Places()
    columns = {name: [] for name in ("z", "a", "x", "normed", "out")}
    values.take(n_rows * int(layout.fan_outs.max()))  # for pre-activations that nobody keeps
    for part, fan_out, width, rate in zip(
        [*parts, None], layout.fan_outs, layout.widths, [*rates[1:], 0.0], strict=True
    ):
        z_size = n_rows * int(fan_out)
        a_size = n_rows * int(width)
        a = values.take(a_size)
        z = a if part is None else values.take(z_size) if part.needs_z else 0
        x = values.take(max(z_size, a_size)) if norm else 0
        normed = values.take(a_size) if norm == "after" and part is not None else a
        out = values.take(a_size) if rate > 0 else normed
        for column, offset in zip(columns.values(), (z, a, x, normed, out), strict=True):
            column.append(offset)
    deltas = np.concatenate([[0], np.cumsum(padded(n_rows * layout.fan_outs))])
    parameters = [part.parameter_value(settings) for part in parts]
    network = Network(
        flat,
        *layout[:5],
        *(norm_part_offsets(layout, part) for part in range(4)),
        *(np.array(column, np.int64) for column in columns.values()),
        np.cumsum(layout.norm_widths) - layout.norm_widths,
        _vector([kinds.ACTIVATION.address(part.forward, dtype) for part in parts], np.int64),
        _vector(
            [kinds.ACTIVATION_BACKWARD.address(part.backward, dtype) for part in parts], np.int64
        ),
        _vector(parameters, dtype),
        _vector([*rates, 0.0], dtype),
        {None: NO_NORM, "before": NORM_BEFORE, "after": NORM_AFTER}[norm],
        kinds.LOSS.address(loss.loss, dtype),
        0,
        kinds.PRODUCT.address(product, dtype),
        _vector(loss.parameter_values(settings), dtype),
        kinds.NORMALIZE.address(batch_norm.normalize, dtype) if norm else 0,
        kinds.NORMALIZE_BACKWARD.address(batch_norm.normalize_backward, dtype) if norm else 0,
        kinds.DROPOUT.address(dropout.drop, dtype) if any(rates) else 0,
        kinds.DROPOUT_IN_PLACE.address(dropout.drop_in_place, dtype) if any(rates) else 0,
    )
    return network, values.size, deltas[:-1], int(deltas[-1])


def without_dropout(network):
    """Return the network with all its units and inputs."""
    return network._replace(
        out_offsets=network.normed_offsets, dropout=np.zeros_like(network.dropout)
    )


def for_prediction(network, link, *, with_loss):
    """Return the network as it predicts: without dropout, with a link."""
    return without_dropout(network)._replace(
        loss=network.loss if with_loss else 0,
        link=kinds.LINK.address(link, network.weights.dtype),
    )


_READ_IN_PREDICTION = {"activation", "batch_norm"}.union(
    *(part.parameters for part in (*ACTIVATIONS.values(), *LOSSES.values()))
)


def prediction_settings(settings):
    """Return the parameters that predictions depend on, as they are now; equal ones predict
    alike.
    """
    chosen = {
        name: getattr(settings, name) for name in _READ_IN_PREDICTION if hasattr(settings, name)
    }
    chosen = {
        name: tuple(value) if isinstance(value, (list, tuple, np.ndarray)) else value
        for name, value in chosen.items()
    }
    return SimpleNamespace(**chosen, dropout=0.0, input_dropout=0.0, loss_name=settings._loss_name)


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
    dtype = update.decays.dtype
    first_step = optimizer.n_steps
    h, rates = optimizer.hyperparameters(settings, n_steps, n_epochs)
    decays = (1 - rates * settings.weight_decay).astype(dtype)
    h = h.astype(dtype, order="C")
    return update._replace(
        hyperparameters=h.reshape(-1),
        n_hyperparameters=h.shape[-1],
        decays=decays,
        first_step=first_step,
    )


def _vector(values, dtype):
    return np.array(values, dtype=dtype).reshape(-1)
