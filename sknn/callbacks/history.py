"""Callback that records further metrics of every epoch."""

import numpy as np
from sklearn.metrics import check_scoring

from .._training.record import HISTORY_COLUMNS
from .protocol import Callback, as_scorer


class History(Callback):
    """Callback that adds metrics to the columns of ``history_``.

    The column of a metric, such as 'accuracy', has its values on the samples that are trained on,
    and 'val_accuracy' those on the validation samples, if there are any, after every epoch. Epochs
    that were trained without the callback have NaN. Sample weights are not used.

    Parameters
    ----------
    metrics : list, dict or None, default=None
        Names of scorers, scorers ``f(estimator, X, y)``, or metrics ``f(y_true, y_pred)``. The
        column of a function has its name. A dict has names as keys. None is the estimator's
        ``score``: 'accuracy' or 'r2'.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import MLPClassifier
    >>> from sknn.callbacks import History
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier((5,), tol=0.01, random_state=0).set_callbacks(History(["accuracy"]))
    >>> clf = clf.fit(X, y)
    >>> clf.history_["accuracy"][-1] == clf.score(X, y)
    True
    """

    def __init__(self, metrics: list | tuple | dict | None = None) -> None:
        self.metrics = metrics
        if metrics is not None:
            self._scorers()

    def _scorers(self):
        """Return the scorers by their columns' names."""
        metrics = self.metrics
        if not isinstance(metrics, (dict, list, tuple)):
            raise ValueError(f"metrics must be a list or a dict, got {metrics!r}.")
        if not isinstance(metrics, dict):
            metrics = dict(zip(map(_name, metrics), metrics, strict=True))
        for name in metrics:
            if name in HISTORY_COLUMNS:
                raise ValueError(
                    f"metrics must not have the name {name!r}, which history_ has already; give a "
                    "dict with other names."
                )
        return {name: as_scorer(metric, True) for name, metric in metrics.items()}

    def _begin_fit(self, fit):
        estimator = fit.training.estimator
        if self.metrics is None:
            scorers = {estimator._score_name: check_scoring(estimator)}
        else:
            scorers = self._scorers()
        # one scorer for all, which predicts once
        scorer = check_scoring(estimator, scoring=scorers)
        fit.memories[fit.position(self)] = scorer, dict.fromkeys(scorers, np.nan)

    def _end_epoch(self, fit):
        scorer, undefined = fit.memories[fit.position(self)]
        for name, value in fit.score(scorer, fit.training_samples, undefined).items():
            fit.record.set_value(name, float(value))
        if fit.has_validation_samples:
            for name, value in fit.score(scorer, fit.validation_samples, undefined).items():
                fit.record.set_value(f"val_{name}", float(value))


def _name(metric):
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
    if name is None:
        raise ValueError(
            f"metrics must be a dict from names to metrics where one has no name; got {metric!r}."
        )
    return name
