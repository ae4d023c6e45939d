"""The architecture of a network: what ``fit`` built, as plain values.

``fit`` makes it once from the constructor's parameters and keeps it on the estimator. Predictions,
``summary``, copies and pickles read it and nothing else, so ``set_params`` changes the next fit and
never a prediction. The layers are one list of operations in the order in which they act. Whoever
needs to know what the network does walks that list: the layout of the weights, the binding to
compiled kernels, ``summary``.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

from .._engine.embedding import N_NUMBERS
from ..parts.activations import ACTIVATIONS
from ..parts.custom import activation_part, loss_part
from ..parts.losses import LOSSES
from .described import (
    are_bins,
    are_finite,
    are_positions,
    check_fields,
    check_together,
    described,
    is_activation,
    is_bool,
    is_count,
    is_embedding,
    is_finite,
    is_loss,
    is_position,
    is_rate,
    is_sequence,
)
from .embedding import EMBEDDINGS, PBLD, PBLD_ATTRIBUTES, RATE_FACTOR

COEFS = "coefs_"
INTERCEPTS = "intercepts_"
SCALE = "batch_norm_scale_"
SHIFT = "batch_norm_shift_"
RUNNING_MEAN = "batch_norm_mean_"
RUNNING_VARIANCE = "batch_norm_var_"
SKIP_COEFS = "skip_coefs_"
# The learned attributes, each a list of arrays, with their documentation: kind and meaning.
LEARNED = {
    COEFS: (
        "list of ndarray of shape (fan_in, fan_out)",
        "Weights of each layer. Predictions use what is assigned to them.",
    ),
    INTERCEPTS: ("list of ndarray of shape (fan_out,)", "Intercepts (biases) of each layer."),
    SCALE: (
        "list of ndarray",
        "Learned scales of each hidden layer. Only with batch normalization, like the next three.",
    ),
    SHIFT: ("list of ndarray", "Learned shifts."),
    RUNNING_MEAN: ("list of ndarray", "Running averages of the means."),
    RUNNING_VARIANCE: ("list of ndarray", "Running averages of the variances."),
    SKIP_COEFS: (
        "list of one ndarray of shape (n_features, n_outputs)",
        "Weights of the linear path from the inputs to the outputs. Only with skip=True.",
    ),
    **PBLD_ATTRIBUTES,
}
_ONLY_ONCE = {SKIP_COEFS, *PBLD}  # of these, a network has one and not one a layer

EMBEDDING = "embedding"
PIECEWISE_LINEAR = "piecewise linear"
DENSE = "dense"
SKIP = "skip"
BATCH_NORM = "batch norm"
ACTIVATION = "activation"
DROPOUT = "dropout"
LINK = "link"


class LearnedValue(NamedTuple):
    """An array that training changes; the estimator's attribute ``name`` lists one a layer, or
    only one.
    """

    name: str
    layer: int
    shape: tuple
    is_penalized: bool = False
    is_trained: bool = True  # by the optimizer; else a running statistic
    is_frozen: bool = False  # whether stochastic solvers leave it as it is drawn, all the same
    # a number, or a function of a RandomState and a shape; None: drawn by the initializer
    initial: float | Callable | None = None
    rate_factor: float = 1.0  # on the learning rate

    @property
    def size(self):
        """Number of elements; None where the number of features is not known yet."""
        return None if None in self.shape else math.prod(self.shape)

    @property
    def index(self):
        """Where it is in the estimator's attribute."""
        return 0 if self.name in _ONLY_ONCE else self.layer


class Operation(NamedTuple):
    """One step from a layer's inputs to its outputs."""

    kind: str  # one of the constants above
    layer: int  # -1: before the first layer
    n_inputs: int
    n_outputs: int
    learned: tuple = ()  # of LearnedValue
    choice: object = None  # an activation, the rate of dropout, the loss whose link acts


@dataclass(frozen=True)
class HiddenLayer:
    """A hidden layer: dense, activation, dropout; batch norm is the same for all of them."""

    units: int = described(is_count, "a positive int")
    activation: object = described(is_activation, f"one of {sorted(ACTIVATIONS)}")
    # of the activation, such as its slope
    parameter: float = described(is_finite, "a finite number", default=0.0)
    # pre-activations that make one activation
    pieces: int = described(is_count, "a positive int", default=1)
    dropout: float = described(is_rate, "a number in [0, 1)", default=0.0)

    @property
    def n_pre_activations(self):
        """Number of outputs of the dense operation."""
        return self.units * self.pieces

    @property
    def part(self):
        """The activation's row in the registry."""
        return activation_part(self.activation)


@dataclass(frozen=True)
class Architecture:
    """What a network consists of.

    Parameters
    ----------
    n_features, n_outputs : int or None
        None if not known yet, which only ``summary`` allows.
    hidden : tuple of HiddenLayer
    loss : str
        Key of ``LOSSES``. Its link turns the last layer's outputs into predictions.
    loss_parameters : tuple of float
    batch_norm : {None, "before", "after"}
        Position relative to the activation.
    input_dropout : float
    scales_targets : bool
        Whether the network predicts standardized targets.
    skip : bool
        Whether there is a linear path from the inputs to the outputs.
    numeric_embedding : {"none", "pbld", "piecewise_linear"}
    embedded : tuple of int
        Columns that 'pbld' embeds; None if not known yet, as above.
    bins : tuple of (int, tuple of float)
        Columns that 'piecewise_linear' embeds, each with the edges of its bins; None likewise.
    """

    n_features: int | None = described(is_count, "a positive int")
    hidden: tuple = described(is_sequence, "a sequence of layers")
    n_outputs: int | None = described(is_count, "a positive int")
    loss: object = described(is_loss, f"one of {sorted(LOSSES)}")
    loss_parameters: tuple = described(are_finite, "finite numbers", default=(0.0,))
    batch_norm: str | None = described(is_position, "None, 'before' or 'after'", default=None)
    input_dropout: float = described(is_rate, "a number in [0, 1)", default=0.0)
    scales_targets: bool = described(is_bool, "a bool", default=False)
    skip: bool = described(is_bool, "a bool", default=False)
    numeric_embedding: str = described(is_embedding, f"one of {EMBEDDINGS}", default="none")
    embedded: tuple | None = described(are_positions, "rising numbers of columns", default=())
    bins: tuple | None = described(
        are_bins, "pairs (column, edges) of rising columns and at least 3 rising edges", default=()
    )

    @property
    def n_layers(self):
        """Number of dense layers, the output layer included."""
        return len(self.hidden) + 1

    @property
    def n_inputs(self):
        """Number of inputs of the first layer; None if not known yet."""
        if None in (self.n_features, self.embedded, self.bins):
            return None
        n_bins = sum(len(edges) - 1 for _, edges in self.bins)
        return self.n_features + N_NUMBERS * len(self.embedded) + n_bins

    @property
    def n_targets(self):
        """Number of columns of y."""
        return 1 if self.loss_part.class_codes else self.n_outputs // len(self.loss_parameters)

    @property
    def has_dropout(self):
        """Whether any rate of dropout is positive."""
        return self.input_dropout > 0 or any(layer.dropout > 0 for layer in self.hidden)

    @property
    def loss_part(self):
        """The loss' row in the registry."""
        return loss_part(self.loss)

    @functools.cached_property
    def operations(self):
        """Tuple of :class:`Operation`, from the inputs to the predictions."""
        operations = []
        n_inputs = self.n_inputs
        if self.embedded != ():
            operations.append(_embedding(self.n_features, self.embedded, n_inputs))
        if self.bins != ():
            operations.append(Operation(PIECEWISE_LINEAR, -1, self.n_features, n_inputs))
        if self.input_dropout > 0:
            operations.append(Operation(DROPOUT, -1, n_inputs, n_inputs, choice=self.input_dropout))
        for i, layer in enumerate(self.hidden):
            operations += self._hidden_operations(i, layer, n_inputs)
            n_inputs = layer.units
        last = len(self.hidden)
        operations.append(_dense(last, n_inputs, self.n_outputs))
        if self.skip:
            operations.append(_skip(last, self.n_features, self.n_outputs))
        operations.append(Operation(LINK, last, self.n_outputs, self.n_outputs, choice=self.loss))
        return tuple(operations)

    def _hidden_operations(self, i, layer, n_inputs):
        width = layer.n_pre_activations
        yield _dense(i, n_inputs, width, is_normalized=self.batch_norm == "before")
        if self.batch_norm == "before":
            yield _batch_norm(i, width)
        yield Operation(ACTIVATION, i, width, layer.units, choice=layer.activation)
        if self.batch_norm == "after":
            yield _batch_norm(i, layer.units)
        if layer.dropout > 0:
            yield Operation(DROPOUT, i, layer.units, layer.units, choice=layer.dropout)

    @property
    def learned(self):
        """List of :class:`LearnedValue`, in the order of the operations."""
        return [value for operation in self.operations for value in operation.learned]

    @property
    def n_parameters(self):
        """Number of values that the optimizer trains."""
        return sum(value.size for value in self.learned if value.is_trained)

    @property
    def shapes(self):
        """What the learned values depend on; equal for networks that can share weights."""
        return [(value.name, value.layer, value.shape) for value in self.learned]

    def to_dict(self):
        """Return the architecture as built-in types, but for users' own functions."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """Return the architecture that :meth:`to_dict` describes.

        Raises
        ------
        ValueError
            If the values are not those of a network that can be computed.
        """
        values = check_fields("the architecture", values, cls)
        values["hidden"] = [
            check_fields(f"hidden[{i}]", layer, HiddenLayer)
            for i, layer in enumerate(values["hidden"])
        ]
        check_together(values)
        hidden = tuple(HiddenLayer(**layer) for layer in values["hidden"])
        loss_parameters = tuple(values["loss_parameters"])
        embedded = tuple(values["embedded"])
        bins = tuple((column, tuple(map(float, edges))) for column, edges in values["bins"])
        values |= {"hidden": hidden, "loss_parameters": loss_parameters}
        return cls(**values | {"embedded": embedded, "bins": bins})


def _dense(layer, n_inputs, n_outputs, *, is_normalized=False):
    coefs = LearnedValue(COEFS, layer, (n_inputs, n_outputs), is_penalized=True)
    # Batch norm takes them away with the mean, so their gradient is 0 up to rounding, which
    # optimizers that divide by its size would follow.
    intercepts = LearnedValue(INTERCEPTS, layer, (n_outputs,), is_frozen=is_normalized)
    return Operation(DENSE, layer, n_inputs, n_outputs, (coefs, intercepts))


def _embedding(n_features, embedded, n_inputs):
    n_embedded = None if embedded is None else len(embedded)
    learned = tuple(
        LearnedValue(name, 0, (n_embedded, *shape), initial=draw, rate_factor=RATE_FACTOR)
        for name, (shape, draw) in PBLD.items()
    )
    return Operation(EMBEDDING, -1, n_features, n_inputs, learned)


def _skip(layer, n_features, n_outputs):
    shape = (n_features, n_outputs)
    coefs = LearnedValue(SKIP_COEFS, layer, shape, is_penalized=True, initial=0.0)
    return Operation(SKIP, layer, n_outputs, n_outputs, (coefs,))


def _batch_norm(layer, width):
    learned = (
        LearnedValue(SCALE, layer, (width,), initial=1.0),
        LearnedValue(SHIFT, layer, (width,), initial=0.0),
        LearnedValue(RUNNING_MEAN, layer, (width,), is_trained=False, initial=0.0),
        LearnedValue(RUNNING_VARIANCE, layer, (width,), is_trained=False, initial=1.0),
    )
    return Operation(BATCH_NORM, layer, width, width, learned)
