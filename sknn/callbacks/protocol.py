"""What the package's callbacks have in common: the hooks that scikit-learn calls, and metrics."""

import inspect

from sklearn.metrics import get_scorer, make_scorer

from .._base import BaseMLP


class Callback:
    """The hooks of scikit-learn's protocol, and what a callback may know of the running fit."""

    is_resumable = False  # whether a resumed fit goes on with what the callback remembers

    def setup(self, estimator, context):
        """Check that the callback was set on a network. scikit-learn calls this before a fit.

        Parameters
        ----------
        estimator : estimator instance
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task of its fit.
        """
        if not isinstance(estimator, BaseMLP):
            raise TypeError(
                f"{type(self).__name__} must be set on an MLPClassifier or MLPRegressor, not on a "
                f"{type(estimator).__name__}; in a pipeline, use pipeline[-1].set_callbacks(...)."
            )

    def teardown(self, estimator, context):
        """Do nothing. scikit-learn calls this after a fit, whether or not it has failed.

        Parameters
        ----------
        estimator : estimator instance
            The estimator that was fitted.
        context : sklearn.callback.CallbackContext
            The task of its fit.
        """

    def on_fit_task_begin(self, estimator, context):
        """Begin a fit or an epoch. scikit-learn calls this.

        Parameters
        ----------
        estimator : estimator instance
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task that begins.
        """
        fit = estimator._running_fit
        if context.task_name == "epoch":
            self._begin_epoch(fit)
        else:
            self._begin_fit(fit)

    def on_fit_task_end(self, estimator, context):
        """End a fit or an epoch. scikit-learn calls this.

        Parameters
        ----------
        estimator : estimator instance
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task that ends.

        Returns
        -------
        stop : bool or None
            Whether to stop training.
        """
        fit = estimator._running_fit
        if context.task_name != "epoch":
            return self._end_fit(fit)
        return None if fit.has_diverged else self._end_epoch(fit)

    def _begin_fit(self, fit):
        """Prepare what the callback remembers."""

    def _begin_epoch(self, fit):
        """Do what comes before an epoch."""

    def _end_epoch(self, fit):
        """Do what comes after an epoch that has not diverged; return whether to stop."""

    def _end_fit(self, fit):
        """Do what comes after a fit that has not failed."""

    def __repr__(self):
        arguments = (
            f"{name}={getattr(self, name)!r}" for name in inspect.signature(type(self)).parameters
        )
        return f"{type(self).__name__}({', '.join(arguments)})"


def check_argument(is_valid, name, value, expected):
    """Raise ValueError unless an argument is valid.

    Parameters
    ----------
    is_valid : bool
    name : str
    value : object
    expected : str
        What would be valid.
    """
    if not is_valid:
        raise ValueError(f"{name} must be {expected}, got {value!r}.")


def as_scorer(metric, greater_is_better):
    """Return a scorer ``f(estimator, X, y)``.

    Parameters
    ----------
    metric : str or callable
        Name of a scorer, a scorer, or a metric ``f(y_true, y_pred)``.
    greater_is_better : bool
        Of such a metric; the scorer has the other sign if it is not.
    """
    if isinstance(metric, str):
        return get_scorer(metric)
    if not callable(metric) or isinstance(metric, type):
        raise ValueError(
            "metric must be the name of a scorer, a scorer f(estimator, X, y) or a metric "
            f"f(y_true, y_pred), got {metric!r}."
        )
    return make_scorer(metric, greater_is_better=greater_is_better) if is_metric(metric) else metric


def is_metric(metric):
    """Return whether a callable takes ``(y_true, y_pred)``, and not ``(estimator, X, y)``."""
    try:
        parameters = inspect.signature(metric).parameters.values()
    except ValueError:  # a built-in function without a signature
        return False
    n_required = sum(
        parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )
    return n_required == 2
