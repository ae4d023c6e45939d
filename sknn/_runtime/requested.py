"""From the constructor's parameters to the architecture that they ask for."""

import numpy as np

from ..parts.custom import activation_part, loss_part
from .architecture import Architecture, HiddenLayer

_BATCH_NORM_POSITIONS = {False: None, True: "before", "before": "before", "after": "after"}


def make_architecture(estimator, widths, n_features, n_outputs, loss, embedded=(), bins=()):
    """Return the architecture that the constructor's parameters ask for.

    Parameters
    ----------
    estimator : BaseMLP
        Its parameters, checked.
    widths : list of int
        Units of the hidden layers.
    n_features, n_outputs : int or None
    loss : str or None
        Key of ``LOSSES``; for classifiers it depends on the classes. None if not known yet, which
        only ``summary`` allows.
    embedded, bins : tuple or None, default=()
        Columns that ``numeric_embedding`` embeds, None likewise.
    """
    n_hidden = len(widths)
    layers = zip(
        widths,
        _for_each_layer(estimator.activation, n_hidden),
        _for_each_layer(estimator.dropout, n_hidden),
        strict=True,
    )
    values = [0.0] if loss is None else loss_part(loss).parameter_values(estimator)
    return Architecture(
        n_features,
        tuple(_hidden_layer(estimator, *layer) for layer in layers),
        n_outputs,
        loss,
        tuple(float(value) for value in np.atleast_1d(values)),
        _BATCH_NORM_POSITIONS[estimator.batch_norm],
        float(estimator.input_dropout),
        bool(getattr(estimator, "normalize_y", False)),
        bool(estimator.skip and n_hidden > 0),
        estimator.numeric_embedding,
        embedded,
        bins,
    )


def _for_each_layer(value, n_hidden):
    return list(value) if isinstance(value, (list, tuple)) else [value] * n_hidden


def _hidden_layer(estimator, units, activation, dropout):
    part = activation_part(activation)
    return HiddenLayer(
        units,
        activation,
        float(part.parameter_value(estimator)),
        int(getattr(estimator, part.pieces)) if part.pieces else 1,
        float(dropout),
    )
