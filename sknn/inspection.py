"""Looking at a trained network: what it consists of, and how its training went."""

import html
from typing import NamedTuple

from sklearn.utils.validation import check_is_fitted

from ._runtime.binding import activations_of

_HEADINGS = ("Layer", "Output shape", "Parameters")


class LayerSummary(NamedTuple):
    """One line of a :class:`Summary`."""

    name: str
    output_shape: tuple
    n_parameters: int


class Summary:
    """The layers of a trained network with their output shapes and numbers of learned parameters,
    as text or HTML.

    Parameters
    ----------
    layers : list of LayerSummary
    """

    def __init__(self, layers):
        self.layers = layers

    @property
    def n_parameters(self):
        """Number of learned parameters of all layers."""
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
            return (
                "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
            )

        return f"<table>{row(_HEADINGS, 'th')}{''.join(row(cells, 'td') for cells in self._table())}</table>"


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
    """Loss and validation score over the epochs of a fit.

    Parameters
    ----------
    history : dict of lists
        ``history_`` of a fitted estimator.
    name : str
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the losses.
    score_ax_ : matplotlib Axes or None
        With the validation score, if there is one.
    figure_ : matplotlib Figure

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
        """Return the display of a fitted estimator's training.

        Parameters
        ----------
        estimator : MLPClassifier or MLPRegressor

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        check_is_fitted(estimator)
        return cls(estimator.history_, type(estimator).__name__)

    def plot(self, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        display : TrainingHistoryDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        try:
            from matplotlib import pyplot  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                "TrainingHistoryDisplay.plot needs matplotlib; install it with pip install sknn[plot]."
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
