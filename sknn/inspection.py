"""Inspection of a fitted network: a summary of its layers, and a plot of its training history."""

import html
from typing import NamedTuple

from sklearn.utils.validation import check_is_fitted

from ._runtime.binding import activations_of

_HEADINGS = ("Layer", "Output shape", "Parameters")


class LayerSummary(NamedTuple):
    """One row of a :class:`Summary`.

    Parameters
    ----------
    name : str
        Name of the layer, with its activation.
    output_shape : tuple
        Shape of the layer's outputs, in which None is the number of samples.
    n_parameters : int
        Number of learned parameters.
    """

    name: str
    output_shape: tuple
    n_parameters: int


class Summary:
    """Table of a network's layers, output shapes and numbers of parameters, as text or HTML.

    Parameters
    ----------
    layers : list of LayerSummary
        Rows of the table.
    """

    def __init__(self, layers):
        self.layers = layers

    @property
    def n_parameters(self):
        """Number of learned parameters in all layers."""
        return sum(layer.n_parameters for layer in self.layers)

    def _table(self):
        rows = [
            (layer.name, str(layer.output_shape), _grouped(layer.n_parameters))
            for layer in self.layers
        ]
        return [*rows, ("Total", "", _grouped(self.n_parameters))]

    def __str__(self):
        table = [_HEADINGS, *self._table()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {count:>{widths[2]}}"
            for name, shape, count in table
        ]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    __repr__ = __str__

    def _repr_html_(self):
        def row(cells, tag):
            return "".join(
                ["<tr>", *(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells), "</tr>"]
            )

        rows = [row(cells, "td") for cells in self._table()]
        return "".join(["<table>", row(_HEADINGS, "th"), *rows, "</table>"])


def _grouped(number):
    return f"{number:,}".replace(",", " ")


def summarize(estimator):
    """Return the :class:`Summary` of a fitted estimator."""
    check_is_fitted(estimator)
    layout = estimator._layout
    n_hidden = len(estimator.coefs_) - 1
    activations = activations_of(estimator, n_hidden)
    layers = []
    for i, (fan_in, fan_out, width, norm) in enumerate(
        zip(layout.fan_ins, layout.fan_outs, layout.widths, layout.norm_widths, strict=True)
    ):
        name = (
            f"hidden {i + 1} ({activations[i]})"
            if i < n_hidden
            else f"output ({estimator.out_activation_})"
        )
        layers.append(LayerSummary(name, (None, int(width)), int((fan_in + 1) * fan_out)))
        if norm:
            layers.append(LayerSummary(f"batch norm {i + 1}", (None, int(norm)), int(2 * norm)))
    return Summary(layers)


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
