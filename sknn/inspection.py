"""Summary of a network's layers, before and after it is fitted."""

import html
from typing import NamedTuple

import numpy as np

from ._runtime.architecture import ACTIVATION, DROPOUT, EMBEDDING, LINK, PIECEWISE_LINEAR, SKIP
from ._runtime.embedding import COLUMNS_OF
from ._runtime.layout import weights_dtype
from ._runtime.requested import make_architecture
from ._validation.parameters import check_hidden_layer_sizes
from .parts.custom import loss_part

_HEADINGS = ("Layer", "Output shape", "Parameters")
_ALIGNMENTS = ("left", "left", "right")


class LayerSummary(NamedTuple):
    """One row of a :class:`Summary`.

    Parameters
    ----------
    name : str
        Name of the layer, with its activation.
    output_shape : tuple
        Shape of the layer's outputs, in which None is the number of samples.
    n_parameters : int or None
        Number of learned values; None if it depends on a width that is not known.
    n_trainable : int or None
        Those of them that the optimizer trains, likewise.
    """

    name: str
    output_shape: tuple
    n_parameters: int | None
    n_trainable: int | None


class Summary:
    """Table of a network's layers, output shapes and numbers of parameters, as text or HTML.

    It prints as a table, and shows as one in notebooks.

    Parameters
    ----------
    layers : list of LayerSummary
        In the order in which they act.
    dtype : dtype, default=float64
        Data type of the learned values, for the memory that they take. As in Keras, an MB has 2^20
        bytes.
    """

    def __init__(self, layers, dtype=np.float64):
        self.layers = layers
        self.dtype = np.dtype(dtype)

    @property
    def n_parameters(self):
        """Number of learned values, running averages included; None if not all are known."""
        return _total(layer.n_parameters for layer in self.layers)

    @property
    def n_trainable(self):
        """Number of values that the optimizer trains; None if not all are known."""
        return _total(layer.n_trainable for layer in self.layers)

    def _totals(self):
        fixed = None if self.n_parameters is None else self.n_parameters - self.n_trainable
        counts = {"Total": self.n_parameters, "Trainable": self.n_trainable, "Non-trainable": fixed}
        return [
            (name, _memory(count, self.dtype), _grouped(count)) for name, count in counts.items()
        ]

    def _rows(self):
        return [
            (layer.name, _shape(layer.output_shape), _grouped(layer.n_parameters))
            for layer in self.layers
        ]

    def __str__(self):
        rows = self._rows()
        totals = self._totals()
        widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, *totals, strict=True)]
        heading, *lines = (
            f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {count:>{widths[2]}}"
            for name, shape, count in [_HEADINGS, *rows, *totals]
        )
        rule = "-" * len(heading)
        return "\n".join([heading, rule, *lines[: len(rows)], rule, *lines[len(rows) :]])

    __repr__ = __str__

    def _repr_html_(self):
        """Return the table with styles of its own, in the colors of the page around it."""

        def part(tag, cell, rows, style=""):
            lines = (
                "".join(
                    f'<{cell} style="text-align: {align}; padding: 0.2em 0.8em;">'
                    f"{html.escape(text)}</{cell}>"
                    for text, align in zip(cells, _ALIGNMENTS, strict=True)
                )
                for cells in rows
            )
            body = "".join(f"<tr>{line}</tr>" for line in lines)
            return f'<{tag} style="{style}">{body}</{tag}>'

        rule = "1px solid currentColor;"
        heading = part("thead", "th", [_HEADINGS], f"border-bottom: {rule}")
        layers = part("tbody", "td", self._rows())
        totals = part("tfoot", "td", self._totals(), f"border-top: {rule}")
        style = (
            "border-collapse: collapse; color: inherit; background: transparent; "
            "font-variant-numeric: tabular-nums;"
        )
        return f'<table style="{style}">{heading}{layers}{totals}</table>'


def _total(counts):
    counts = list(counts)
    return None if None in counts else sum(counts)


def _grouped(number):
    return "?" if number is None else f"{number:,}"


def _memory(count, dtype):
    """Return the memory of learned values in the largest unit that is less than it."""
    if count is None:
        return "?"
    n_bytes = count * dtype.itemsize
    exponent = min(3, max(0, n_bytes.bit_length() - 1) // 10)
    unit = ("B", "KB", "MB", "GB")[exponent]
    return f"{n_bytes} B" if exponent == 0 else f"{n_bytes / 1024**exponent:.2f} {unit}"


def _shape(output_shape):
    return f"(None, {'?' if output_shape[1] is None else output_shape[1]})"


def summarize(estimator, n_features, n_outputs):
    """Return the :class:`Summary` of an estimator, see ``summary``."""
    architecture = getattr(estimator, "_architecture", None)
    if architecture is None:
        widths = check_hidden_layer_sizes(estimator)
        embedding = estimator.numeric_embedding
        unknown = {field: None for name, field in COLUMNS_OF.items() if name == embedding}
        architecture = make_architecture(estimator, widths, n_features, n_outputs, None, **unknown)
        dtype = estimator.dtype or np.float64
    else:
        dtype = weights_dtype(estimator)
    layers = []
    for operation in architecture.operations:
        name = _name(operation)
        if name is not None:
            n_parameters = _total(value.size for value in operation.learned)
            n_trainable = _total(value.size for value in operation.learned if value.is_trained)
            shape = (None, operation.n_outputs)
            layers.append(LayerSummary(name, shape, n_parameters, n_trainable))
    return Summary(layers, dtype)


def _name(operation):
    """Return what to call an operation, or None for those that change nothing."""
    if operation.kind == LINK:
        link = getattr(
            operation.choice and loss_part(operation.choice), "out_activation", "identity"
        )
        return None if link == "identity" else f"output ({link})"
    if operation.kind in (EMBEDDING, PIECEWISE_LINEAR, SKIP):
        return operation.kind
    if operation.layer < 0:
        return f"input dropout {operation.choice:g}"
    if operation.kind == ACTIVATION:
        return f"{operation.choice} {operation.layer + 1}"
    rate = f" ({operation.choice:g})" if operation.kind == DROPOUT else ""
    return f"{operation.kind} {operation.layer + 1}{rate}"
