"""Callbacks that stop training: by a metric, and by the time."""

import time
from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from sklearn.metrics import check_scoring

from .protocol import Callback, as_scorer, check_argument, is_metric


class EarlyStopping(Callback):
    """Callback that stops training when a metric no longer improves.

    The metric is computed after every epoch on the validation samples, if there are any
    (``fit(..., X_val=, y_val=)``, or those that ``early_stopping=True`` holds out), else on the
    training samples. The estimator's own criteria, ``tol`` and ``n_iter_no_change``, still apply;
    ``n_iter_no_change=np.inf`` switches them off.

    Parameters
    ----------
    metric : str, callable or None, default=None
        What to monitor. None is the estimator's ``score``, 'loss' the loss in ``history_``, and
        another string the name of a scorer. A callable is a scorer, ``f(estimator, X, y)``, or a
        metric, ``f(y_true, y_pred)``. Sample weights are not used.
    patience : int, default=10
        Number of consecutive epochs without an improvement after which training stops, >= 1.
    min_delta : float, default=0.0
        An epoch is an improvement if its value is better than the best one by more than this,
        >= 0. A value that is not finite is no improvement, and a ConvergenceWarning reports it.
    restore_best : bool, default=True
        Whether to end with the weights of the best epoch, which is then ``best_iter_``. Of several
        callbacks that do so, the last one decides.
    greater_is_better : bool or None, default=None
        Whether a greater value of a metric ``f(y_true, y_pred)`` is better. None follows
        scikit-learn's rule for names: True if the name ends with '_score', and False if it ends
        with '_error', '_loss' or '_deviance'. Scorers are always better when greater.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sknn import MLPClassifier
    >>> from sknn.callbacks import EarlyStopping
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier(learning_rate_init=0.02, n_iter_no_change=np.inf, random_state=0)
    >>> clf = clf.set_callbacks(EarlyStopping("neg_log_loss", patience=5))
    >>> clf = clf.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    >>> clf.n_iter_ - clf.best_iter_
    5
    """

    is_resumable = True

    def __init__(
        self,
        metric: str | Callable[..., float] | None = None,
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        greater_is_better: bool | None = None,
    ) -> None:
        check_argument(
            isinstance(patience, Integral) and patience >= 1, "patience", patience, "an int > 0"
        )
        check_argument(
            isinstance(min_delta, Real) and min_delta >= 0, "min_delta", min_delta, "a number >= 0"
        )
        self.metric = metric
        self.patience = patience
        self.min_delta = min_delta
        self.restore_best = restore_best
        self.greater_is_better = greater_is_better
        if metric not in (None, "loss"):
            self._scorer(None)

    def _scorer(self, estimator):
        """Return the scorer, or None for the loss, which needs none."""
        if self.metric == "loss":
            return None
        if self.metric is None:
            return check_scoring(estimator)
        return as_scorer(self.metric, self._is_greater_better())

    def _is_greater_better(self):
        name = getattr(self.metric, "__name__", "")
        if self.greater_is_better is not None or not callable(self.metric):
            return self.greater_is_better
        if not is_metric(self.metric) or name.endswith("_score"):
            return True
        if name.endswith(("_error", "_loss", "_deviance")):
            return False
        raise ValueError(
            f"greater_is_better must be given for metric={self.metric!r}, whose name does not end "
            "with '_score', '_error', '_loss' or '_deviance'."
        )

    def _begin_fit(self, fit):
        nothing = {"value": -np.inf, "epoch": 0, "weights": None, "n_stalled": 0}
        best = fit.memories.setdefault(fit.position(self), nothing)
        self._choose(fit, best)

    def _choose(self, fit, best):
        if self.restore_best and best["weights"] is not None:
            fit.end_with(best["epoch"], best["weights"])

    def _end_epoch(self, fit):
        best = fit.memories[fit.position(self)]
        value = self._value(fit)
        is_defined = np.isfinite(value)
        if not is_defined:
            fit.count_undefined(self)
        if is_defined and value > best["value"] + self.min_delta:
            best |= {"value": value, "epoch": fit.record.n_epochs, "n_stalled": 0}
            if self.restore_best:
                best["weights"] = fit.training.network.flat.copy()
        else:
            best["n_stalled"] += 1
        self._choose(fit, best)
        return best["n_stalled"] >= self.patience

    def _value(self, fit):
        is_validated = fit.has_validation_samples
        scorer = self._scorer(fit.training.estimator)
        if scorer is None:
            return -fit.record.history_["val_loss" if is_validated else "loss"][-1]
        return fit.score(scorer, fit.validation_samples if is_validated else fit.training_samples)


class TimeLimit(Callback):
    """Callback that stops training after a number of seconds.

    Parameters
    ----------
    seconds : float
        Time since ``fit`` began to train, >= 0, after which no epoch begins. One epoch is always
        trained.

    Examples
    --------
    >>> from sknn import MLPClassifier
    >>> from sknn.callbacks import TimeLimit
    >>> clf = MLPClassifier(max_iter=100_000)
    >>> clf = clf.set_callbacks(TimeLimit(seconds=60))
    """

    def __init__(self, seconds: float) -> None:
        check_argument(
            isinstance(seconds, Real) and seconds >= 0, "seconds", seconds, "a number >= 0"
        )
        self.seconds = seconds

    def _begin_fit(self, fit):
        fit.memories[fit.position(self)] = time.monotonic()

    def _end_epoch(self, fit):
        # The fit stops for this reason only if there is no other one.
        is_over = time.monotonic() - fit.memories[fit.position(self)] >= self.seconds
        fit.is_out_of_time |= is_over
