"""Checks of an architecture that comes from a pickle or file, where anybody may have edited it.

Kernels read as many values as the architecture says, so nothing is taken on trust. Errors name the
field, its value and what would be valid.
"""

import dataclasses
import itertools
import operator
import sys
from numbers import Integral, Real

from .._engine.embedding import N_NUMBERS, N_WAVES
from ..parts.activations import ACTIVATIONS
from ..parts.custom import Activation, Loss, activation_part, loss_part
from ..parts.losses import LOSSES
from .embedding import COLUMNS_OF, EMBEDDINGS

_LARGEST = sys.float_info.max
_MOST_VALUES = sys.maxsize // 64  # so that the bytes of several vectors are numbers of 64 bits


def described(is_valid, expected, **default):
    """Return a field of a dataclass with what its value must be.

    Parameters
    ----------
    is_valid : callable
        Function of a value.
    expected : str
        What is valid, for the error.
    **default : dict
        ``default``, if there is one.
    """
    return dataclasses.field(metadata={"is_valid": is_valid, "expected": expected}, **default)


def check_fields(where, values, cls):
    """Return the values of a dataclass of :func:`described` fields, with defaults where there are
    none, as in files of earlier versions.

    Parameters
    ----------
    where : str
        What the values belong to, for the error.
    values : object
        What a pickle or file holds.
    cls : type

    Raises
    ------
    ValueError
        If a value is missing or invalid.
    """
    fields = {field.name: field.metadata for field in dataclasses.fields(cls)}
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    required = {name for name, value in defaults.items() if value is dataclasses.MISSING}
    if not isinstance(values, dict) or not required <= set(values) <= set(fields):
        raise ValueError(
            f"{where} must be a dict with the keys {sorted(fields)}, got {_shortened(values)}; "
            "load an unchanged file."
        )
    values = defaults | values
    for name, metadata in fields.items():
        value = values[name]
        _require(metadata["is_valid"](value), f"{name} of {where}", value, metadata["expected"])
    return values


def check_together(values):
    """Raise ValueError unless the fields of an architecture, valid by themselves, fit together.

    Parameters
    ----------
    values : dict
        As ``Architecture.to_dict`` returns them.
    """
    for i, layer in enumerate(values["hidden"]):
        has_pieces = activation_part(layer["activation"]).pieces is not None
        is_possible = has_pieces or layer["pieces"] == 1
        _require(is_possible, f"pieces of hidden[{i}]", layer["pieces"], "1")
    _check_loss(values["loss"], values["loss_parameters"], values["n_outputs"])
    _check_embedded(values)
    _check_size(values)


def _check_loss(loss, parameters, n_outputs):
    if "quantile" in loss_part(loss).parameters:
        levels = [0.0, *parameters, 1.0]
        rising = all(low < high for low, high in itertools.pairwise(levels))
        fits = len(parameters) > 0 and rising and n_outputs % len(parameters) == 0
        expected = f"rising levels in (0, 1), whose number divides n_outputs={n_outputs}"
    else:
        fits = len(parameters) == max(1, len(loss_part(loss).parameters))
        expected = f"as many numbers as {loss!r} has"
    _require(fits, "loss_parameters of the architecture", parameters, expected)


def _check_embedded(values):
    n_features = values["n_features"]
    columns = {"embedded": values["embedded"], "bins": [column for column, _ in values["bins"]]}
    for embedding, field in COLUMNS_OF.items():
        is_chosen = values["numeric_embedding"] == embedding
        fits = all(is_chosen and column < n_features for column in columns[field])
        expected = f"columns of n_features={n_features}, and none without {embedding!r}"
        _require(fits, f"{field} of the architecture", values[field], expected)
    rate = values["input_dropout"]
    fits = rate == 0 or not values["embedded"]
    _require(fits, "input_dropout of the architecture", rate, "0 where 'pbld' embeds columns")


def _check_size(values):
    """Raise ValueError if offsets of the network's values would be no numbers of 64 bits."""
    widths = [int(layer["units"]) for layer in values["hidden"]]
    pieces = [int(layer["pieces"]) for layer in values["hidden"]]
    n_features = int(values["n_features"])
    n_embedded = len(values["embedded"])
    n_bins = sum(len(edges) - 1 for _, edges in values["bins"])
    inputs = [n_features + N_NUMBERS * n_embedded + n_bins, *widths]
    outputs = [*map(operator.mul, widths, pieces), int(values["n_outputs"])]
    # Besides its weights, a unit has an intercept and the four values of batch normalization.
    n_values = sum((fan_in + 5) * fan_out for fan_in, fan_out in zip(inputs, outputs, strict=True))
    n_values += n_features * outputs[-1]  # of a path from the inputs to the outputs
    n_values += n_embedded * (2 + N_NUMBERS) * N_WAVES + n_embedded * N_NUMBERS
    fits = n_values <= _MOST_VALUES
    _require(fits, "hidden of the architecture", widths, "layers that fit into memory")


def _require(condition, name, value, expected):
    if not condition:
        raise ValueError(
            f"{name} must be {expected}, got {_shortened(value)}; load an unchanged file."
        )


def _shortened(value, most=200):
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


# ---- what values of fields may be ----------------------------------------------------------------


def is_activation(value):
    """Return whether a value is a key of ``ACTIVATIONS`` or an :class:`Activation`."""
    return isinstance(value, Activation) or _is_key(value, ACTIVATIONS)


def is_loss(value):
    """Return whether a value is a key of ``LOSSES`` or a :class:`Loss`."""
    return isinstance(value, Loss) or _is_key(value, LOSSES)


def is_position(value):
    """Return whether a value is where batch norm stands."""
    return value is None or _is_key(value, ("before", "after"))


def is_sequence(value):
    """Return whether a value is a list or a tuple."""
    return isinstance(value, (list, tuple))


def are_finite(values):
    """Return whether values are a sequence of finite numbers."""
    return is_sequence(values) and all(map(is_finite, values))


def is_embedding(value):
    """Return whether a value is the name of an embedding, or "none"."""
    return _is_key(value, EMBEDDINGS)


def are_positions(values):
    """Return whether values are rising numbers of columns, from 0."""
    return (
        is_sequence(values)
        and all(isinstance(value, int) and not isinstance(value, bool) for value in values)
        and all(low < high for low, high in itertools.pairwise([-1, *values]))
    )


def are_bins(values):
    """Return whether values are pairs of a column and the edges of its bins, in rising order."""
    are_pairs = is_sequence(values) and all(is_sequence(pair) and len(pair) == 2 for pair in values)
    return (
        are_pairs
        and are_positions([column for column, _ in values])
        and all(_are_edges(edges) for _, edges in values)
    )


def _are_edges(values):
    """Return whether values are the edges of at least two bins, none of which has a width of 0."""
    rising = are_finite(values) and all(
        low / 2 < high / 2 for low, high in itertools.pairwise(map(float, values))
    )
    return rising and len(values) > 2


def is_bool(value):
    """Return whether a value is True or False."""
    return isinstance(value, bool)


def _is_key(value, keys):
    return isinstance(value, str) and value in keys


def is_count(value):
    """Return whether a value is a positive integer of the machine's."""
    is_int = isinstance(value, Integral) and not isinstance(value, bool)
    return is_int and 1 <= value <= sys.maxsize


def is_finite(value):
    """Return whether a value is a finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and abs(value) <= _LARGEST


def is_rate(value):
    """Return whether a value is a rate of dropout."""
    return is_finite(value) and 0 <= value < 1
