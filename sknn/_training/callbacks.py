"""scikit-learn's callbacks, where this scikit-learn has them (1.9 and later): one task a fit, one
subtask an epoch.
"""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin before version 1.9: no callbacks."""

    def with_callbacks(method):
        """Stand in for scikit-learn's decorator before version 1.9."""
        return method


class EpochTasks:
    """Tell the estimator's callbacks, if it has any, of the beginning and end of ``fit`` and of
    each epoch.

    Parameters
    ----------
    estimator : BaseMLP
    X, y, sample_weight : as given to ``fit``, y with its original labels
    max_epochs : int
        0 for ``partial_fit``, which callbacks are not told of.
    session : Session
        Of the network in training.
    """

    def __init__(self, estimator, X, y, sample_weight, max_epochs, session):
        self._context = None
        if max_epochs == 0 or not getattr(estimator, "_skl_callbacks", None):
            return
        self._details = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
            "reconstruction_attributes": session.fitted_attributes,
        }
        self._context = estimator._init_callback_context(max_subtasks=max_epochs)

    @property
    def has_listeners(self):
        """Whether there is anyone to tell."""
        return self._context is not None

    def begin_fit(self):
        """Announce the fit."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._details)

    def end_fit(self):
        """Close the fit."""
        if self._context is not None:
            self._context.call_on_fit_task_end(**self._details)

    def begin(self):
        """Announce an epoch."""
        if self._context is not None:
            self._epoch = self._context.subcontext(task_name="epoch").call_on_fit_task_begin(
                **self._details
            )

    def end(self):
        """Close an epoch; True if a callback asks to stop."""
        return self._context is not None and self._epoch.call_on_fit_task_end(**self._details)
