"""scikit-learn's callbacks, where this scikit-learn has them (1.9 and later): one task for a fit,
with one subtask for each epoch.

The package's own callbacks hold nothing but their arguments, because clones and threads share them.
What they remember during a fit, and what they may look at and change of it, is a
:class:`RunningFit` on the estimator, which goes when the fit ends.
"""

import functools

import numpy as np
import sklearn

from .._validation.types import Function
from .._warnings import NonFinitePredictionError
from .validation_set import in_training

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_scikit_learns_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin before version 1.9: no callbacks."""

        def set_callbacks(self, *callbacks):
            """Raise an error: there are no callbacks before scikit-learn 1.9.

            Parameters
            ----------
            *callbacks : callback instances
                The callbacks that cannot be set.
            """
            raise ImportError(
                f"set_callbacks needs scikit-learn 1.9 or later, and this is {sklearn.__version__}."
                " Upgrade it with `pip install -U scikit-learn`, or fit without callbacks."
            )

    def _with_scikit_learns_callbacks(method):
        return method


# Attributes that scikit-learn, and this file, set on an estimator during ``fit`` and remove when it
# has ended.
FIT_ATTRIBUTES = frozenset({"_callback_fit_ctx", "_skl_callbacks_to_teardown", "_running_fit"})


def with_callbacks(method: Function) -> Function:
    """Decorate ``fit``: when it ends, callbacks are torn down, and what they remembered goes.

    A callback that raises in its teardown fails the fit like any other error.
    """
    fit_and_tear_down = _with_scikit_learns_callbacks(method)

    @functools.wraps(method)
    def fit(estimator, *args, **kwargs):
        try:
            with estimator._unchanged_on_error():
                return fit_and_tear_down(estimator, *args, **kwargs)
        finally:
            vars(estimator).pop("_running_fit", None)

    return fit


class RunningFit:
    """What the package's own callbacks remember, see and change of a fit in progress.

    Parameters
    ----------
    training : Training
    X, y : ndarray or CSR, and ndarray
        As checked, y with its original labels.
    memories : list of (str, object)
        What a checkpoint has kept of callbacks: the class' name and its memory, in their order.

    Attributes
    ----------
    memories : dict
        What each callback remembers, by its position in the estimator's list.
    is_out_of_time : bool
        Whether a limit of time, and so nothing about the network, stops training.
    n_undefined : dict
        Number of epochs in which a callback that watches a metric got no finite number, by the
        callback's position.
    """

    def __init__(self, training, X, y, memories):
        self.training = training
        self.X = X
        self.y = y
        self.memories = {}
        self.is_out_of_time = False
        self.n_undefined = {}
        rest = list(memories)
        for position, callback in enumerate(self._callbacks):
            name = type(callback).__name__
            known = next((memory for memory in rest if memory[0] == name), None)
            if known is not None:
                rest.remove(known)
                self.memories[position] = known[1]

    @property
    def _callbacks(self):
        return self.training.estimator._skl_callbacks

    def position(self, callback):
        """Return where a callback stands in the estimator's list."""
        return next(i for i, other in enumerate(self._callbacks) if other is callback)

    def named_memories(self):
        """Return what callbacks that a resumed fit goes on with remember, in their order."""
        return [
            (type(callback).__name__, self.memories[position])
            for position, callback in enumerate(self._callbacks)
            if getattr(callback, "is_resumable", False) and position in self.memories
        ]

    @property
    def record(self):
        """The record of training."""
        return self.training.record

    @property
    def has_diverged(self):
        """Whether the last epoch diverged and was rolled back."""
        return self.record.history_["loss"][-1] != self.record.history_["loss"][-1]

    @property
    def has_validation_samples(self):
        """Whether there are validation samples, given or held out."""
        return self.training.validation_set is not None

    @functools.cached_property
    def validation_samples(self):
        """Validation samples and their targets."""
        return self.training.validation_set.samples()

    @functools.cached_property
    def training_samples(self):
        """Samples that are trained on, and their targets."""
        rows = self.training.train_rows
        return (self.X, self.y) if rows is None else (self.X[rows], self.y[rows])

    def score(self, scorer, samples, undefined=np.nan):
        """Return a scorer's value with the present weights, or ``undefined`` if their predictions
        are not finite: training may be on its way to divergence, which it survives.
        """
        twin = in_training(self.training.estimator, self.training.network)
        vars(twin).pop("feature_names_in_", None)  # the samples are arrays
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                return scorer(twin, *samples)
            except NonFinitePredictionError:
                return undefined

    def count_undefined(self, callback):
        """Count an epoch in which the metric that a callback watches is not finite."""
        position = self.position(callback)
        self.n_undefined[position] = self.n_undefined.get(position, 0) + 1

    def warnings(self):
        """Return what to tell the user about metrics that callbacks could not use."""
        return [
            f"The metric of {self._callbacks[position]!r} was not finite after {n_epochs} epochs, "
            "which counted as no improvement; the rows may be too few, or lack a class."
            for position, n_epochs in self.n_undefined.items()
        ]

    def end_with(self, epoch, weights):
        """Let the fit end with these flat weights, of this epoch, instead of the last ones."""
        self.training.state.chosen = epoch, weights


class EpochCallbacks:
    """Call the estimator's callbacks, if it has any, at the beginning and at the end of ``fit`` and
    of each epoch. ``partial_fit`` calls none.

    Parameters
    ----------
    training : Training
    samples : Samples
        The samples of ``fit``, as checked.
    given : (X, y, sample_weight)
        The same as given.
    max_epochs : int
    resumption : Resumption or None
        Where a resumed fit goes on.
    """

    def __init__(self, training, samples, given, max_epochs, resumption):
        self._context = None
        estimator = training.estimator
        if training.state.is_incremental or not getattr(estimator, "_skl_callbacks", None):
            return
        X, y, sample_weight = given
        self._arguments = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
            "reconstruction_attributes": training.fitted_attributes,
        }
        memories = [] if resumption is None else resumption.memories
        self._running_fit = RunningFit(training, samples.X, samples.y, memories)
        estimator._running_fit = self._running_fit
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
        """Tell that the fit has ended: the estimator has its final attributes by now."""
        if self.has_listeners:
            final = {**self._arguments, "reconstruction_attributes": {}}
            self._context.call_on_fit_task_end(**final)

    def begin_epoch(self):
        """Tell that an epoch begins."""
        if self.has_listeners:
            epoch = self._context.subcontext(task_name="epoch")
            self._epoch = epoch.call_on_fit_task_begin(**self._arguments)

    def end_epoch(self, *, is_stopped):
        """Tell that the epoch has ended; return whether to stop: because training ``is_stopped`` by
        itself, a callback asks for it, or, if neither, a limit of time is over.
        """
        if not self.has_listeners:
            return is_stopped
        is_asked = self._epoch.call_on_fit_task_end(**self._arguments)
        is_stopped = is_stopped or bool(is_asked)
        fit = self._running_fit
        fit.is_out_of_time = fit.is_out_of_time and not is_stopped
        return is_stopped or fit.is_out_of_time

    @property
    def is_out_of_time(self):
        """Whether a limit of time has stopped training."""
        return self.has_listeners and self._running_fit.is_out_of_time

    def warnings(self):
        """Return what to tell the user when the fit has ended."""
        return self._running_fit.warnings() if self.has_listeners else []
