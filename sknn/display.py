"""Plot of a training history."""

import math
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from ._training.validation_set import score_name as name_of_score

_COLORS = {"loss": "C0", "val_loss": "C1", "score": "C2", "val_score": "C3"}
_LEAST_SPAN = 0.1  # of the scores' axis, relative to the scores: noise should not fill the picture
_SMALL = 8.0  # points, of letters
_LEGEND_ROW = 12.0  # points
_LEGEND_FRAME = 14.0  # points above and below all rows
_MOST_ROOM = 0.4  # of the axes' height


class TrainingHistoryDisplay:
    """Plot of the losses and scores of each epoch.

    Create it with :meth:`from_estimator` or :meth:`from_history`, which plot it.

    Parameters
    ----------
    history : dict of lists
        The attribute ``history_`` of a fitted estimator.
    name : str or None, default=None
        Name of the estimator, for the title. None is no title.
    score_name : str, default='score'
        Name of the score of the validation samples.
    best_epoch : int or None, default=None
        Epoch to mark as the best one, counted from 1. None is the one with the lowest validation
        loss or, without validation samples, with the lowest training loss.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the losses.
    score_ax_ : matplotlib Axes or None
        Axes with the scores, on the right, if there are any.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    line_ : matplotlib Line2D
        Line of the training loss.
    lines_ : dict of matplotlib Line2D
        All lines, by 'loss', 'val_loss', 'score' (of the training samples, if a callback has
        recorded it) and 'val_score'.
    best_line_ : matplotlib Line2D
        Vertical line at the best epoch.

    See Also
    --------
    MLPClassifier.summary : Layers and numbers of parameters of a network.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import MLPClassifier, TrainingHistoryDisplay
    >>> clf = MLPClassifier(early_stopping=True, random_state=0).fit(*load_iris(return_X_y=True))
    >>> display = TrainingHistoryDisplay.from_estimator(clf)  # doctest: +SKIP
    """

    def __init__(self, history, *, name=None, score_name="score", best_epoch=None):
        self.history = history
        self.name = name
        self.score_name = score_name
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, name: str | None = None
    ) -> "TrainingHistoryDisplay":
        """Plot the training history of a fitted estimator.

        After a fit with refit=True this is that of the training on all samples, which has no
        validation samples; ``from_history(network.history_before_refit_)`` plots the first one.

        Parameters
        ----------
        estimator : MLPClassifier, MLPRegressor, Pipeline or search
            Fitted estimator: a network, a pipeline that ends with one, or a search or another
            meta-estimator that has fitted one of these.
        ax : matplotlib Axes, default=None
            Axes to plot on. None creates a new figure.
        name : str, default=None
            Name for the title. None is the name of the network's class.

        Returns
        -------
        display : TrainingHistoryDisplay
            Display that is plotted.

        Raises
        ------
        NotFittedError
            If there is no fitted network in the estimator.
        ImportError
            If matplotlib is not installed.
        """
        network = network_inside(estimator)
        history = network.history_
        best_epoch = network.best_iter_
        lowest_loss = 1 + _first_lowest(history["loss"])
        if network.validation_scores_ is None and best_epoch == lowest_loss:
            best_epoch = None  # chosen by the training loss, which says little about new samples
        return cls.from_history(
            history,
            ax=ax,
            name=type(network).__name__ if name is None else name,
            score_name=name_of_score(network, network.scoring),
            best_epoch=best_epoch,
        )

    @classmethod
    def from_history(
        cls,
        history: dict[str, list[float]],
        *,
        ax: Any = None,
        name: str | None = None,
        score_name: str = "score",
        best_epoch: int | None = None,
    ) -> "TrainingHistoryDisplay":
        """Plot a training history.

        Parameters
        ----------
        history : dict of lists
            The attribute ``history_`` of a fitted estimator.
        ax : matplotlib Axes, default=None
            Axes to plot on. None creates a new figure.
        name : str, default=None
            Name of the estimator, for the title. None is no title.
        score_name : str, default='score'
            Name of the score of the validation samples.
        best_epoch : int, default=None
            Epoch to mark as the best one, counted from 1. None is the one with the lowest
            validation loss or, without validation samples, with the lowest training loss.

        Returns
        -------
        display : TrainingHistoryDisplay
            Display that is plotted.

        Raises
        ------
        ValueError
            If the history has no epochs.
        ImportError
            If matplotlib is not installed.
        """
        return cls(history, name=name, score_name=score_name, best_epoch=best_epoch).plot(ax)

    @staticmethod
    def check_matplotlib():
        """Raise ImportError if matplotlib is not installed."""
        try:
            import matplotlib  # noqa: F401, PLC0415
        except ImportError as error:
            raise ImportError(
                "TrainingHistoryDisplay requires matplotlib; install it with `pip install "
                "matplotlib`."
            ) from error

    def plot(self, ax: Any = None) -> "TrainingHistoryDisplay":
        """Plot the losses and, with a second axis on the right, the scores.

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
        ValueError
            If the history has no epochs.
        ImportError
            If matplotlib is not installed.
        """
        self.check_matplotlib()
        if len(self.history["epoch"]) == 0:
            raise ValueError("history must have at least one epoch.")
        if ax is None:
            from matplotlib import pyplot  # noqa: PLC0415

            ax = pyplot.subplots(layout="constrained")[1]
        self.ax_ = ax
        self.figure_ = ax.figure
        self.score_ax_ = None
        self.lines_ = {}
        self._plot_losses()
        self._plot_scores()
        room = self._make_room()
        self._mark_epochs(1 - room)
        self._put_legend()
        return self

    def _plot_losses(self):
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

        self._draw(self.ax_, "loss", self.history["loss"], "training loss")
        self.line_ = self.lines_["loss"]
        if not _is_missing(self.history["val_loss"]):
            self._draw(self.ax_, "val_loss", self.history["val_loss"], "validation loss")
        self.ax_.set(xlabel="Epoch", ylabel="Loss", title=self.name)
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

    def _plot_scores(self):
        training = self.history.get(self.score_name, [np.nan])
        validation = self.history["val_score"]
        if _is_missing(validation) or self.score_name == "loss":
            return
        self.score_ax_ = self.ax_.twinx()
        if not _is_missing(training):
            self._draw(self.score_ax_, "score", training, f"training {self.score_name}", "--")
        self._draw(self.score_ax_, "val_score", validation, f"validation {self.score_name}", "--")
        # small, so that they are not cut off at the right edge of a default figure
        self.score_ax_.tick_params(axis="y", labelsize=_SMALL)
        self.score_ax_.set_ylabel(self.score_name, fontsize=_SMALL, labelpad=2)

    def _draw(self, ax, key, values, label, style="-"):
        """Draw a line; the arguments are those of matplotlib."""
        epochs = self.history["epoch"]
        marker = "o" if len(epochs) == 1 else None
        [self.lines_[key]] = ax.plot(
            epochs, values, style, color=_COLORS[key], marker=marker, label=label
        )

    def _mark_epochs(self, height):
        """Mark the best epoch by a vertical line of this height, below the legend, and the last one
        by a point on each line.
        """
        last = self.history["epoch"][-1]
        best = self._best_epoch()
        label = f"best epoch: {best}" + (", the last" if best == last else f" of {last}")
        self.best_line_ = self.ax_.axvline(
            best, 0, height, color="gray", linestyle=":", label=label
        )
        for line in self.lines_.values():
            line.set_markevery([len(self.history["epoch"]) - 1])
            line.set_marker("o")

    def _best_epoch(self):
        if self.best_epoch is not None:
            return self.best_epoch
        has_validation = not _is_missing(self.history["val_loss"])
        losses = self.history["val_loss" if has_validation else "loss"]
        return self.history["epoch"][_first_lowest(losses)]

    def _make_room(self):
        """Leave room for the legend above the lines of both axes; return it as a fraction of their
        height.
        """
        n_rows = math.ceil((len(self.lines_) + 1) / 2)
        height = self.ax_.get_position().height * self.figure_.get_figheight() * 72
        room = min(_MOST_ROOM, (n_rows * _LEGEND_ROW + _LEGEND_FRAME) / height)
        for ax in filter(None, (self.ax_, self.score_ax_)):
            values = np.concatenate([line.get_ydata() for line in ax.get_lines()])
            _set_limits(ax, values[np.isfinite(values)], room, is_score=ax is self.score_ax_)
        return room

    def _put_legend(self):
        handles = [*self.lines_.values(), self.best_line_]
        (self.score_ax_ or self.ax_).legend(
            handles,
            [line.get_label() for line in handles],
            loc="upper center",
            ncols=2,
            columnspacing=1.0,
            handlelength=1.5,
            handletextpad=0.5,
            fontsize=_SMALL,
            frameon=False,
        )


def _set_limits(ax, values, room, is_score):
    low = values.min()
    high = values.max()
    least = _LEAST_SPAN * max(abs(low), abs(high)) if is_score else 0.0
    lack = max(0.0, least - (high - low)) / 2
    # A line that is flat to rounding gets limits that differ.
    span = max(high - low + 2 * lack, 1e-6 * max(abs(low), abs(high)), 1e-12)
    ax.set_ylim(
        low - lack - 0.05 * span, high + lack + 0.05 * span + 1.1 * span * room / (1 - room)
    )


def _is_missing(values):
    return not np.isfinite(np.asarray(values, dtype=float)).any()


def _first_lowest(losses):
    return int(np.nanargmin(losses))


def network_inside(estimator):
    """Return the fitted network inside a pipeline, a search or another meta-estimator.

    Raises
    ------
    NotFittedError
        If there is none.
    """
    network = estimator
    names = "best_estimator_", "regressor_", "estimator_"
    while not hasattr(network, "history_"):
        inner = next((getattr(network, name) for name in names if hasattr(network, name)), None)
        if inner is None and hasattr(network, "steps"):
            inner = network.steps[-1][1]
        if inner is None:
            way_out = "call fit first (a search must have refit=True)"
            if hasattr(network, "estimators_"):
                way_out = "give one of the ensemble's estimators_, each of which has a history"
            raise NotFittedError(
                f"estimator must contain a fitted MLPClassifier or MLPRegressor, got {estimator!r};"
                f" {way_out}."
            )
        network = inner
    return network
