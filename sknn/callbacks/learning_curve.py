"""Callback that draws the training history while it grows, in notebooks."""

import io
import sys
import time
from numbers import Real

from .._training.validation_set import score_name
from ..display import TrainingHistoryDisplay
from .protocol import Callback, check_argument


class LearningCurve(Callback):
    """Callback that draws a :class:`TrainingHistoryDisplay` while a network is trained.

    The plot appears below the cell of a notebook and is updated between epochs. Elsewhere, as in a
    script or in another process of a search, nothing is drawn.

    Parameters
    ----------
    every_seconds : float, default=0.5
        Minimum time between two updates in seconds, >= 0. The last one is always drawn.

    Raises
    ------
    ImportError
        If matplotlib is not installed, in a notebook's ``fit``.

    Examples
    --------
    >>> from sknn import MLPClassifier
    >>> from sknn.callbacks import LearningCurve
    >>> clf = MLPClassifier().set_callbacks(LearningCurve())
    """

    def __init__(self, every_seconds: float = 0.5) -> None:
        check_argument(
            isinstance(every_seconds, Real) and every_seconds >= 0,
            "every_seconds",
            every_seconds,
            "a number >= 0",
        )
        self.every_seconds = every_seconds

    def _begin_fit(self, fit):
        fit.memories[fit.position(self)] = {"picture": None, "drawn": -self.every_seconds}
        if _is_notebook():
            TrainingHistoryDisplay.check_matplotlib()

    def _end_epoch(self, fit):
        memory = fit.memories[fit.position(self)]
        if _is_notebook() and time.monotonic() - memory["drawn"] >= self.every_seconds:
            self._draw(fit, memory)

    def _end_fit(self, fit):
        if _is_notebook():
            self._draw(fit, fit.memories[fit.position(self)])

    def _draw(self, fit, memory):
        from IPython.display import Image, display  # noqa: PLC0415

        image = Image(_picture(fit))
        if memory["picture"] is None:
            memory["picture"] = display(image, display_id=True)
        else:
            memory["picture"].update(image)
        memory["drawn"] = time.monotonic()


def _is_notebook():
    """Return whether this process shows pictures: IPython runs in it as the kernel of a notebook.

    IPython is looked for where Python keeps what is imported, because a notebook has imported it.
    """
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _picture(fit):
    """Return a PNG of the history, drawn without touching the user's figures."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    estimator = fit.training.estimator
    TrainingHistoryDisplay.from_history(
        fit.record.history_,
        ax=figure.subplots(),
        name=type(estimator).__name__,
        score_name=score_name(estimator, estimator.scoring),
    )
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=100)
    return png.getvalue()
