"""The estimators' common part: how ``fit``, ``partial_fit`` and predictions go, from users' data to users' attributes."""

import contextlib
from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._data import Table
from ._layout import flat_vector, make_layout, views
from ._lbfgs import LBFGSTraining
from ._session import Session
from ._stochastic import OptimizerState, StochasticTraining
from ._tasks import CallbackSupportMixin, EpochTasks
from ._training import HISTORY_COLUMNS
from ._validation import (
    PARAMETER_CONSTRAINTS,
    arithmetic_dtype,
    check_hidden_layer_sizes,
    check_memory,
    check_sample_weight,
    check_X,
    relative_weight,
    split_rows,
)
from .initializers import INITIALIZERS
from .losses import LOSSES
from .optimizers import OPTIMIZERS

# What only further training needs: left out of pickles unless the estimator is one that goes on training.
_KEPT_FROM_FIT_TO_FIT = ("_order", "_unused_shuffle", "_split_kept", "_last_weights", "_best_weights")
_RESUME_ATTRIBUTES = ("_optimizer", "_random_state", *_KEPT_FROM_FIT_TO_FIT)


class BaseMLP(CallbackSupportMixin, BaseEstimator, ABC):
    """Multi-layer perceptron; the subclasses bring the constructor, the targets and the score."""

    _parameter_constraints = PARAMETER_CONSTRAINTS

    # ---- what subclasses define --------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def _loss_name(self):
        """Key of ``LOSSES``; for classifiers it depends on the classes."""

    @abstractmethod
    def _check_data(self, X, y, *, fresh, incremental):
        """Return X and y as checked arrays, and learn the classes if the fit is fresh."""

    @abstractmethod
    def _encode(self, y, dtype):
        """Return targets of shape (n_samples, y_width) in ``dtype``, as the loss reads them."""

    @abstractmethod
    def _n_outputs_of(self, y):
        """Return the number of outputs for checked targets."""

    @abstractmethod
    def _validation_score(self, predictions, y, weight):
        """Return what early stopping watches, given the network's predictions and encoded targets."""

    @abstractmethod
    def _stratify(self, y):
        """Return labels to stratify the validation split by, or None, for encoded targets."""

    # ---- training ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _unchanged_on_error(self):
        """Take back every attribute if the block fails, except after an interrupt that some finished epoch outlives."""
        before = dict(vars(self))
        try:
            yield
        except BaseException as error:
            training = vars(self).pop("_training", None)
            if not (isinstance(error, KeyboardInterrupt) and training is not None and training.has_finished_epochs):
                vars(self).clear()
                vars(self).update(before)
            raise
        vars(self).pop("_training", None)

    def _fit(self, X, y, sample_weight, *, incremental):
        with self._unchanged_on_error():
            if incremental and self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            hidden = check_hidden_layer_sizes(self.hidden_layer_sizes)
            fresh = not (hasattr(self, "coefs_") and (self.warm_start or incremental))
            checked_X, checked_y = self._check_data(X, y, fresh=fresh, incremental=incremental)
            weight = check_sample_weight(sample_weight, checked_X)
            dtype = arithmetic_dtype(self, checked_X)
            layout = self._make_layout(checked_X.shape[1], hidden, checked_y, dtype, fresh)
            flat = self._start(layout, dtype, fresh, incremental)
            targets = self._encode(checked_y, dtype)
            train_rows, validation_rows = self._split(targets, fresh)
            table = Table(checked_X, targets, *relative_weight(*weight, train_rows, dtype))
            session = Session(flat, layout, self, self._loss_name)
            kind = LBFGSTraining if self.solver == "lbfgs" else StochasticTraining
            self._training = kind(self, session, table, train_rows, validation_rows)
            n_epochs = 1 if incremental else self.max_iter
            tasks = EpochTasks(self, X, y, sample_weight, 0 if incremental else n_epochs, session)
            tasks.begin_fit()
            self._training.run(n_epochs, tasks, warn=not incremental)
            tasks.end_fit()
            self._keeps_training = incremental
        return self

    def _make_layout(self, n_features, hidden, y, dtype, fresh):
        """Return the layout of the network, after checking that it fits into memory and to the one being trained on."""
        units = [n_features, *hidden, self._n_outputs_of(y)]
        layout = make_layout(units)
        n_vectors = 3 if self.solver == "lbfgs" else 3 + 2 * OPTIMIZERS[self.solver].n_states
        check_memory(self, n_vectors * layout.size * dtype.itemsize)
        if not fresh:
            trained = [self._layout.fan_ins[0], *self._layout.fan_outs]
            if units != trained:
                raise ValueError(
                    f"hidden_layer_sizes={self.hidden_layer_sizes!r} does not fit the network trained before, of layers {trained}; "
                    "set warm_start=False to start anew, or give the same sizes, features and outputs."
                )
        return layout

    def _start(self, layout, dtype, fresh, incremental):
        """Set all that training begins with; return the flat weights to train, a vector of their own."""
        kept = vars(self)
        self._layout = layout
        if fresh or kept.get("_random_state") is None:
            self._random_state = check_random_state(self.random_state)
        flat = self._initialize(layout, dtype) if fresh else self._continue(layout, dtype, incremental)
        optimizer = None if fresh else kept.get("_optimizer")
        if self.solver == "lbfgs":
            self._optimizer = None
        elif optimizer is not None and optimizer.fits(self.solver, flat):
            self._optimizer = optimizer.copy()
        else:
            self._optimizer = OptimizerState(self.solver, flat.size, dtype, self.learning_rate_init)
        return flat

    def _initialize(self, layout, dtype):
        flat = np.zeros(layout.size, dtype)
        for coef, intercept in zip(*views(flat, layout), strict=True):
            drawn = INITIALIZERS["auto"](self._random_state, *coef.shape, self.activation)
            coef[...], intercept[...] = drawn
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(layout.fan_ins) + 1
        self.n_outputs_ = int(layout.fan_outs[-1])
        self.n_parameters_ = int(((layout.fan_ins + 1) * layout.fan_outs).sum())
        self.out_activation_ = LOSSES[self._loss_name].out_activation
        self.loss_curve_ = []
        self.history_ = {column: [] for column in HISTORY_COLUMNS}
        self.validation_scores_ = [] if self.early_stopping else None
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else np.inf
        self.loss_ = np.inf
        self.best_iter_ = 0
        self._no_improvement_count = 0
        vars(self).update(dict.fromkeys(_KEPT_FROM_FIT_TO_FIT))
        return flat

    def _continue(self, layout, dtype, incremental):
        """Take up training where it was left; lists are copied, so that a failing fit leaves the old ones."""
        kept = vars(self)
        for name in _KEPT_FROM_FIT_TO_FIT:
            kept.setdefault(name, None)
        if not incremental:
            self.n_iter_ = 0
        self.loss_curve_ = list(self.loss_curve_)
        self.history_ = {column: list(values) for column, values in self.history_.items()}
        if self.early_stopping:
            self.validation_scores_ = list(self.validation_scores_ or [])
            self.best_validation_score_ = -np.inf if self.best_validation_score_ is None else self.best_validation_score_
            self.best_loss_ = None
        elif self.best_loss_ is None:
            self.best_loss_ = np.inf
        flat = flat_vector(self.coefs_, self.intercepts_, layout, dtype)
        if self._last_weights is not None and np.array_equal(flat, self._best_weights):
            return self._last_weights.astype(dtype)
        return flat.copy()

    def _split(self, targets, fresh):
        """Return the rows to train on and the rows to validate on, or None."""
        if not self.early_stopping:
            return np.arange(len(targets)), None
        kept = self._split_kept
        if fresh or kept is None or sum(map(len, kept)) != len(targets):
            self._split_kept = split_rows(len(targets), self.validation_fraction, self._random_state, self._stratify(targets))
        return self._split_kept

    # ---- weights -----------------------------------------------------------------------------------------------------

    def _set_weights(self, flat):
        self.coefs_, self.intercepts_ = views(flat, self._layout)

    def __getstate__(self):
        state = dict(super().__getstate__())
        if not (self.warm_start or state.get("_keeps_training")):
            for name in _RESUME_ATTRIBUTES:
                state.pop(name, None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "coefs_" in state:  # arrays come back one by one; predictions want them in one vector
            self._set_weights(flat_vector(self.coefs_, self.intercepts_, self._layout, self.coefs_[0].dtype))

    # ---- prediction --------------------------------------------------------------------------------------------------

    def _outputs(self, X, *, link=True):
        """Return the network's predictions for X, of shape (n_samples, n_outputs); logits if not ``link``."""
        check_is_fitted(self)
        X = check_X(self, X)
        dtype = np.result_type(self.coefs_[0].dtype, np.float32)
        session = Session(flat_vector(self.coefs_, self.intercepts_, self._layout, dtype), self._layout, self, self._loss_name)
        return session.outputs(Table(X, None, None, dtype), link=link)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
