"""Inspection of a fitted network: a summary of its layers, and a plot of its training history."""

import html
from typing import NamedTuple

from sklearn.utils.validation import check_is_fitted

from ._runtime.architecture import ACTIVATION, DROPOUT, LINK, make_architecture
from ._validation.parameters import check_hidden_layer_sizes
from .parts.custom import loss_part

_HEADINGS = ("Layer", "Output shape", "Parameters")


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
    """

    def __init__(self, layers):
        self.layers = layers

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
        return [
            ("Total", "", _grouped(self.n_parameters)),
            ("Trainable", "", _grouped(self.n_trainable)),
            ("Non-trainable", "", _grouped(fixed)),
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
        def row(cells, tag):
            return "".join(
                ["<tr>", *(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells), "</tr>"]
            )

        body = "".join(row(cells, "td") for cells in [*self._rows(), *self._totals()])
        return f"<table>{row(_HEADINGS, 'th')}{body}</table>"


def _total(counts):
    counts = list(counts)
    return None if None in counts else sum(counts)


def _grouped(number):
    return "?" if number is None else f"{number:,}"


def _shape(output_shape):
    return f"(None, {'?' if output_shape[1] is None else output_shape[1]})"


def summarize(estimator, n_features, n_outputs):
    """Return the :class:`Summary` of an estimator, see ``summary``."""
    architecture = getattr(estimator, "_architecture", None)
    if architecture is None:
        widths = check_hidden_layer_sizes(estimator.hidden_layer_sizes)
        architecture = make_architecture(estimator, widths, n_features, n_outputs, None)
    layers = []
    for operation in architecture.operations:
        name = _name(operation)
        if name is not None:
            n_parameters = _total(value.size for value in operation.learned)
            n_trainable = _total(value.size for value in operation.learned if value.is_trained)
            shape = (None, operation.n_outputs)
            layers.append(LayerSummary(name, shape, n_parameters, n_trainable))
    return Summary(layers)


def _name(operation):
    """Return what to call an operation, or None for those that change nothing."""
    if operation.kind == LINK:
        link = getattr(
            operation.choice and loss_part(operation.choice), "out_activation", "identity"
        )
        return None if link == "identity" else f"output ({link})"
    if operation.layer < 0:
        return f"input dropout {operation.choice:g}"
    if operation.kind == ACTIVATION:
        return f"{operation.choice} {operation.layer + 1}"
    rate = f" ({operation.choice:g})" if operation.kind == DROPOUT else ""
    return f"{operation.kind} {operation.layer + 1}{rate}"


class TrainingHistoryDisplay:
    """Plot of the losses and validation scores of each epoch.

    Create it with :meth:`from_estimator`.

    Parameters
    ----------
    history : dict of lists
        The attribute ``history_`` of a fitted estimator.
    name : str
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the losses.
    score_ax_ : matplotlib Axes or None
        Axes with the validation scores, if there are any.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    MLPClassifier.summary : Layers and numbers of parameters of a network.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import MLPClassifier, TrainingHistoryDisplay
    >>> clf = MLPClassifier(early_stopping=True, random_state=0).fit(*load_iris(return_X_y=True))
    >>> display = TrainingHistoryDisplay.from_estimator(clf).plot()  # doctest: +SKIP
    """

    def __init__(self, history, name):
        self.history = history
        self.name = name

    @classmethod
    def from_estimator(cls, estimator):
        """Create the display of a fitted estimator.

        Parameters
        ----------
        estimator : MLPClassifier or MLPRegressor
            Fitted estimator.

        Returns
        -------
        display : TrainingHistoryDisplay
            Display that is not plotted yet.
        """
        check_is_fitted(estimator)
        return cls(estimator.history_, type(estimator).__name__)

    def plot(self, ax=None):
        """Plot the losses and, with a second axis on the right, the validation scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. None creates a new figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        try:
            from matplotlib import pyplot  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                "TrainingHistoryDisplay.plot requires matplotlib; install it with "
                "`pip install sknn[plot]`."
            ) from error
        self.ax_ = pyplot.subplots()[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        epochs = self.history["epoch"]
        self.ax_.plot(epochs, self.history["loss"], label="training loss")
        self.ax_.set(xlabel="Epoch", ylabel="Loss", title=f"Training of {self.name}")
        self.score_ax_ = None
        scores = self.history["val_score"]
        if any(value == value for value in scores):
            self.ax_.plot(epochs, self.history["val_loss"], label="validation loss")
            if scores == [-loss for loss in self.history["val_loss"]]:
                scores = []
        if any(value == value for value in scores):
            self.score_ax_ = self.ax_.twinx()
            self.score_ax_.plot(
                epochs,
                self.history["val_score"],
                color="C2",
                linestyle="--",
                label="validation score",
            )
            self.score_ax_.set_ylabel("Score")
        handles = [
            line
            for axes in (self.ax_, self.score_ax_)
            if axes is not None
            for line in axes.get_lines()
        ]
        self.ax_.legend(handles, [line.get_label() for line in handles], loc="best")
        return self
