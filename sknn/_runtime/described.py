"""Checks of an architecture that comes from a pickle or file, where anybody may have edited it.

Kernels read as many values as the architecture says, so nothing is taken on trust. Errors name the
field, its value and what would be valid.
"""

import itertools
import operator
import sys
from numbers import Integral, Real

from ..parts.activations import ACTIVATIONS
from ..parts.custom import Activation, Loss, activation_part, loss_part
from ..parts.losses import LOSSES

_LARGEST = sys.float_info.max
_MOST_VALUES = sys.maxsize // 64  # so that the bytes of several vectors are numbers of 64 bits


def check_described(values, fields, layer_fields):
    """Raise ValueError unless values, as ``Architecture.to_dict`` returns them, are a network.

    Parameters
    ----------
    values : object
        What the pickle or file holds.
    fields, layer_fields : set of str
        Names of an architecture's and a hidden layer's values.
    """
    _check_names("the architecture", values, fields)
    hidden = values["hidden"]
    _require(isinstance(hidden, (list, tuple)), "hidden", hidden, "a sequence of layers")
    for i, layer in enumerate(hidden):
        _check_names(f"hidden[{i}]", layer, layer_fields)
        _check_layer(f"hidden[{i}].", **layer)
    for name in ("n_features", "n_outputs"):
        _require(_is_count(values[name]), name, values[name], "a positive int")
    position = values["batch_norm"]
    is_known = position is None or _is_key(position, ("before", "after"))
    _require(is_known, "batch_norm", position, "None, 'before' or 'after'")
    rate = values["input_dropout"]
    _require(_is_rate(rate), "input_dropout", rate, "a number in [0, 1)")
    scales = values["scales_targets"]
    _require(isinstance(scales, bool), "scales_targets", scales, "a bool")
    _check_loss(values["loss"], values["loss_parameters"], values["n_outputs"])
    _check_size(values)


def _check_layer(where, units, activation, parameter, pieces, dropout):
    """Raise ValueError unless these are the values of a hidden layer.

    Parameters
    ----------
    where : str
        Put in front of their names.
    units, activation, parameter, pieces, dropout : object
        See ``HiddenLayer``.
    """
    _require(_is_count(units), f"{where}units", units, "a positive int")
    is_known = isinstance(activation, Activation) or _is_key(activation, ACTIVATIONS)
    _require(is_known, f"{where}activation", activation, f"one of {sorted(ACTIVATIONS)}")
    _require(_is_finite(parameter), f"{where}parameter", parameter, "a finite number")
    has_pieces = activation_part(activation).pieces is not None
    is_possible = _is_count(pieces) and (has_pieces or pieces == 1)
    _require(is_possible, f"{where}pieces", pieces, "a positive int" if has_pieces else "1")
    _require(_is_rate(dropout), f"{where}dropout", dropout, "a number in [0, 1)")


def _check_loss(loss, parameters, n_outputs):
    is_known = isinstance(loss, Loss) or _is_key(loss, LOSSES)
    _require(is_known, "loss", loss, f"one of {sorted(LOSSES)}")
    are_numbers = isinstance(parameters, (list, tuple)) and all(map(_is_finite, parameters))
    _require(are_numbers, "loss_parameters", parameters, "a sequence of finite numbers")
    if "quantile" in loss_part(loss).parameters:
        levels = [0.0, *parameters, 1.0]
        rising = all(low < high for low, high in itertools.pairwise(levels))
        fits = len(parameters) > 0 and rising and n_outputs % len(parameters) == 0
        expected = f"rising levels in (0, 1), whose number divides n_outputs={n_outputs}"
    else:
        fits = len(parameters) == max(1, len(loss_part(loss).parameters))
        expected = f"as many numbers as {loss!r} has"
    _require(fits, "loss_parameters", parameters, expected)


def _check_size(values):
    """Raise ValueError if offsets of the network's values would be no numbers of 64 bits."""
    widths = [int(layer["units"]) for layer in values["hidden"]]
    pieces = [int(layer["pieces"]) for layer in values["hidden"]]
    inputs = [int(values["n_features"]), *widths]
    outputs = [*map(operator.mul, widths, pieces), int(values["n_outputs"])]
    # Besides its weights, a unit has an intercept and the four values of batch normalization.
    n_values = sum((fan_in + 5) * fan_out for fan_in, fan_out in zip(inputs, outputs, strict=True))
    _require(n_values <= _MOST_VALUES, "hidden", widths, "layers that fit into memory")


def _check_names(where, values, names):
    if not isinstance(values, dict) or set(values) != set(names):
        raise ValueError(
            f"{where} must be a dict with the keys {sorted(names)}, got {_shortened(values)}; "
            "load an unchanged file."
        )


def _require(condition, name, value, expected):
    if not condition:
        raise ValueError(
            f"{name} of the architecture must be {expected}, got {_shortened(value)}; load an "
            "unchanged file."
        )


def _shortened(value, most=200):
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def _is_key(value, keys):
    return isinstance(value, str) and value in keys


def _is_count(value):
    is_int = isinstance(value, Integral) and not isinstance(value, bool)
    return is_int and 1 <= value <= sys.maxsize


def _is_finite(value):
    return isinstance(value, Real) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _is_rate(value):
    return _is_finite(value) and 0 <= value < 1
