"""scikit-learn's callbacks, where this scikit-learn has them (1.9 and later): one task for a fit,
with one subtask for each epoch.
"""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin before version 1.9: no callbacks."""

    def with_callbacks(method):
        """Stand in for scikit-learn's decorator before version 1.9."""
        return method


# Attributes that scikit-learn sets on an estimator during ``fit`` and removes when it has ended.
FIT_ATTRIBUTES = frozenset({"_callback_fit_ctx", "_skl_callbacks_to_teardown"})


class EpochCallbacks:
    """Call the estimator's callbacks, if it has any, at the beginning and at the end of ``fit`` and
    of each epoch.

    Parameters
    ----------
    estimator : BaseMLP
    X, y, sample_weight : as given to ``fit``, y with its original labels
    max_epochs : int
        0 for ``partial_fit``, for which callbacks are not called.
    fitted_attributes : callable
        Returns the attributes of a copy of the estimator as it is after the current epoch. It is
        called only for callbacks that ask for such a copy.
    """

    def __init__(self, estimator, X, y, sample_weight, max_epochs, fitted_attributes):
        self._context = None
        if max_epochs == 0 or not getattr(estimator, "_skl_callbacks", None):
            return
        self._arguments = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
            "reconstruction_attributes": fitted_attributes,
        }
        self._context = estimator._init_callback_context(max_subtasks=max_epochs)

    @property
    def has_listeners(self):
        """Whether there are any callbacks."""
        return self._context is not None

    def begin_fit(self):
        """Tell that the fit begins."""
        if self.has_listeners:
            self._context.call_on_fit_task_begin(**self._arguments)

    def end_fit(self):
        """Tell that the fit has ended."""
        if self.has_listeners:
            self._context.call_on_fit_task_end(**self._arguments)

    def begin_epoch(self):
        """Tell that an epoch begins."""
        if self.has_listeners:
            epoch = self._context.subcontext(task_name="epoch")
            self._epoch = epoch.call_on_fit_task_begin(**self._arguments)

    def end_epoch(self):
        """Tell that the epoch has ended; return whether a callback asks to stop."""
        return self.has_listeners and self._epoch.call_on_fit_task_end(**self._arguments)
