"""The estimators' common part: how ``fit``, ``partial_fit`` and predictions go, from users' data to
users' attributes.
"""

import contextlib
import copy
import functools
import inspect
from abc import ABC, abstractmethod
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from ._data_validation import (
    arithmetic_dtype,
    check_sample_weight,
    check_X,
    relative_weight,
)
from ._runtime.binding import NORM_PLACES, dropout_rates, hidden_parts, initial_weights, pieces_of
from ._runtime.compiled_network import Session
from ._runtime.data import Table
from ._runtime.layout import flat_vector, make_layout, views
from ._runtime.prediction_cache import keep_session, kept_sessions, session_for
from ._runtime.threads import threads
from ._training.callbacks import CallbackSupportMixin, EpochTasks
from ._training.lbfgs import LBFGSTraining
from ._training.stochastic import OptimizerState, StochasticTraining
from ._training.trainer import HISTORY_COLUMNS
from ._training.validation_set import Monitor, split_rows
from ._validation import PARAMETER_CONSTRAINTS, check_memory, check_parameters
from .inspection import summarize
from .parts.losses import LOSSES
from .parts.optimizers import OPTIMIZERS

_CALLBACK_STATE = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")
# What only further training needs: left out of pickles unless the estimator is one that goes on
# training.
_KEPT_FROM_FIT_TO_FIT = ("_order", "_orders_ahead", "_split_kept", "_last_weights", "_best_weights")
_RESUME_ATTRIBUTES = ("_optimizer", "_random_state", *_KEPT_FROM_FIT_TO_FIT)


class BaseMLP(CallbackSupportMixin, BaseEstimator, ABC):
    """Multi-layer perceptron; the subclasses bring the constructor, the targets and the score."""

    _parameter_constraints = PARAMETER_CONSTRAINTS

    def _set_parameters(self, arguments):
        """Keep every constructor argument under its name, unchanged, as scikit-learn asks.

        Parameters
        ----------
        arguments : dict
            ``locals()`` of the constructor. A subclass may have another constructor, which calls
            this one, so its signature says nothing about these.
        """
        for name, value in arguments.items():
            if name != "self":
                setattr(self, name, value)

    @classmethod
    @functools.cache
    def _constructor_parameters(cls):
        """Return the parameters of the network's own constructor, whatever a subclass has."""
        network = next(base for base in cls.__mro__ if BaseMLP in base.__bases__)
        parameters = dict(inspect.signature(network.__init__).parameters)
        del parameters["self"]
        return parameters

    @classmethod
    @functools.cache  # scikit-learn inspects the signature at every call, of clone and fit too
    def _get_param_names(cls):
        return super()._get_param_names()

    def _validate_params(self):
        """Check all parameters, also those that the constructor of a subclass sets by itself."""
        parameters = {name: getattr(self, name) for name in self._constructor_parameters()}
        validate_parameter_constraints(
            self._parameter_constraints, parameters, caller_name=type(self).__name__
        )

    # ---- what subclasses define -----------------------------------------------------------------

    @property
    @abstractmethod
    def _loss_name(self):
        """Key of ``LOSSES``; for classifiers it depends on the classes."""

    @abstractmethod
    def _check_data(self, X, y, *, fresh, incremental):
        """Return X and y as checked arrays, and learn the classes if the fit is fresh."""

    def _check_weight(self, sample_weight, X, y, *, incremental):
        return check_sample_weight(sample_weight, X)

    @abstractmethod
    def _encode(self, y, weight, dtype, fresh):
        """Return targets of shape (n_samples, y_width) in ``dtype``, as the loss reads them."""

    @abstractmethod
    def _n_outputs_of(self, y):
        """Return the number of outputs for checked targets."""

    @abstractmethod
    def _validation_score(self, predictions, y, weight):
        """Return what early stopping watches, given the network's predictions and encoded
        targets.
        """

    @abstractmethod
    def _stratify(self, y):
        """Return labels to stratify the validation split by, or None."""

    # ---- training -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _unchanged_on_error(self):
        """Take back every attribute if the block fails, except after an interrupt that some
        finished epoch outlives.
        """
        before = dict(vars(self))
        try:
            yield
        except BaseException as error:
            training = vars(self).pop("_training", None)
            if not (
                isinstance(error, KeyboardInterrupt)
                and training is not None
                and training.has_finished_epochs
            ):
                before |= {
                    name: value for name, value in vars(self).items() if name in _CALLBACK_STATE
                }  # for their teardown
                vars(self).clear()
                vars(self).update(before)
            raise
        vars(self).pop("_training", None)

    def _fit(self, X, y, sample_weight, *, incremental, validation=(None, None, None)):
        kept_sessions.drop(id(self))
        with self._unchanged_on_error():
            if incremental and self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            hidden = check_parameters(self)
            fresh = not (hasattr(self, "coefs_") and (self.warm_start or incremental))
            data = self._check_data(X, y, fresh=fresh, incremental=incremental)
            weight = self._check_weight(sample_weight, *data, incremental=incremental)
            dtype = arithmetic_dtype(self, data[0])
            layout = self._make_layout(data[0].shape[1], hidden, data[1], dtype, fresh)
            flat = self._start(layout, dtype, fresh, incremental)
            session = Session(flat, layout, self, self._loss_name)
            table, train_rows, monitor = self._make_tables(*data, weight, dtype, validation, fresh)
            kind = LBFGSTraining if self.solver == "lbfgs" else StochasticTraining
            self._training = kind(self, session, table, train_rows, monitor)
            n_epochs = 1 if incremental else self.max_iter
            tasks = EpochTasks(self, X, y, sample_weight, 0 if incremental else n_epochs, session)
            tasks.begin_fit()
            with threads.counted_fit():
                self._training.run(n_epochs, tasks, warn=not incremental)
            tasks.end_fit()
            self._keeps_training = incremental
        return self

    def _make_tables(self, X, y, weight, dtype, validation, fresh):
        """Return ``(table, rows to train on or None for all, monitor of validation rows or
        None)``.
        """
        given = validation[0] is not None
        if given != (validation[1] is not None):
            raise ValueError("X_val and y_val must be given together.")
        train_rows = validation_rows = None
        if self.early_stopping and not given:
            train_rows, validation_rows = self._split(X, y, fresh)
        targets = self._encode(y, weight[0], dtype, fresh)
        table = Table(X, targets, *relative_weight(*weight, train_rows, dtype))
        if given:
            X_val, y_val = self._check_data(*validation[:2], fresh=False, incremental=True)
            weight_val = relative_weight(*check_sample_weight(validation[2], X_val), None, dtype)
            table_val = Table(X_val, self._encode(y_val, weight_val[0], dtype, False), *weight_val)
            return table, train_rows, Monitor(self, table_val, np.arange(len(y_val)), y_val)
        return (
            table,
            train_rows,
            None if validation_rows is None else Monitor(self, table, validation_rows, y),
        )

    def _split(self, X, y, fresh):
        """Return the rows to train on and the rows to validate on; the same ones when training goes
        on.
        """
        kept = self._split_kept
        if fresh or kept is None or sum(map(len, kept)) != len(y):
            self._split_kept = split_rows(
                X, y, self.validation_fraction, self._random_state, self._stratify(y)
            )
        return self._split_kept

    def _make_layout(self, n_features, hidden, y, dtype, fresh):
        """Return the layout of the network, after checking that it fits into memory and to the one
        being trained on.
        """
        units = [n_features, *hidden, self._n_outputs_of(y)]
        layout = make_layout(
            units, pieces_of(self, hidden_parts(self, len(hidden))), NORM_PLACES[self.batch_norm]
        )
        n_vectors = 3 if self.solver == "lbfgs" else 3 + 2 * OPTIMIZERS[self.solver].n_states
        check_memory(self, n_vectors * layout.size * dtype.itemsize)
        if not fresh and any(
            not np.array_equal(new, old) for new, old in zip(layout, self._layout, strict=True)
        ):
            widths = [int(self._layout.fan_ins[0]), *map(int, self._layout.widths)]
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}, or another parameter that shapes the network, does not fit the one "
                f"trained before, of widths {widths}; set warm_start=False to start anew, or give the same sizes, features and outputs."
            )
        return layout

    def _start(self, layout, dtype, fresh, incremental):
        """Set all that training begins with; return the flat weights to train, a vector of their
        own.
        """
        kept = vars(self)
        self._layout = layout
        if fresh or kept.get("_random_state") is None:
            self._random_state = check_random_state(self.random_state)
        elif isinstance(
            self.random_state, Integral
        ):  # nobody else draws from it, so a failing fit can leave it as it was
            self._random_state = copy.deepcopy(self._random_state)
        flat = (
            self._initialize(layout, dtype) if fresh else self._continue(layout, dtype, incremental)
        )
        optimizer = None if fresh else kept.get("_optimizer")
        if self.solver == "lbfgs":
            self._optimizer = None
        elif optimizer is not None and optimizer.fits(self.solver, flat):
            self._optimizer = optimizer.copy()
        else:
            drops = any(dropout_rates(self, len(layout.widths) - 1))
            seed = int(self._random_state.randint(np.iinfo(np.int32).max)) if drops else 0
            self._optimizer = OptimizerState(
                self.solver, flat.size, dtype, self.learning_rate_init, seed
            )
        return flat

    def _initialize(self, layout, dtype):
        """Return new weights and forget all earlier training."""
        flat = initial_weights(self, layout, dtype, self._random_state)
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(layout.fan_ins) + 1
        self.n_outputs_ = int(layout.fan_outs[-1])
        self.n_parameters_ = int(
            ((layout.fan_ins + 1) * layout.fan_outs + 2 * layout.norm_widths).sum()
        )
        self.out_activation_ = LOSSES[self._loss_name].out_activation
        self.loss_curve_ = []
        self.history_ = {column: [] for column in HISTORY_COLUMNS}
        self.validation_scores_ = [] if self.early_stopping else None
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else np.inf
        self.loss_ = np.inf
        self.best_iter_ = self._no_improvement_count = 0
        vars(self).update(dict.fromkeys(_KEPT_FROM_FIT_TO_FIT))
        return flat

    def _continue(self, layout, dtype, incremental):
        """Take up training where it was left; lists are copied, so that a failing fit leaves the
        old ones.
        """
        kept = vars(self)
        for name in _KEPT_FROM_FIT_TO_FIT:
            kept.setdefault(name, None)
        if not incremental:
            self.n_iter_ = 0
        self.loss_curve_ = list(self.loss_curve_)
        self.history_ = {column: list(values) for column, values in self.history_.items()}
        if self.early_stopping:
            self.validation_scores_ = list(self.validation_scores_ or [])
            self.best_validation_score_ = (
                -np.inf if self.best_validation_score_ is None else self.best_validation_score_
            )
            self.best_loss_ = None
        elif self.best_loss_ is None:
            self.best_loss_ = np.inf
        flat = flat_vector(self, layout, dtype)
        if self._last_weights is not None and np.array_equal(flat, self._best_weights):
            return self._last_weights.astype(dtype)
        return flat.copy()

    # ---- weights --------------------------------------------------------------------------------

    def _set_weights(self, flat):
        vars(self).update(views(flat, self._layout))

    def __getstate__(self):
        state = dict(super().__getstate__())
        for name in ("_training", *_CALLBACK_STATE):
            state.pop(name, None)
        if not (self.warm_start or state.get("_keeps_training")):
            for name in _RESUME_ATTRIBUTES:
                state.pop(name, None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        # Arrays come back one by one; predictions want them in one vector. (In a copy made during a
        # refit they may be the old ones.)
        if "coefs_" in state and [np.shape(coef) for coef in self.coefs_] == [
            *zip(*self._layout[:2], strict=True)
        ]:
            self._set_weights(flat_vector(self, self._layout, self.coefs_[0].dtype))

    # ---- prediction -----------------------------------------------------------------------------

    def _outputs(self, X, *, link=True):
        """Return the network's predictions for X, of shape (n_samples, n_outputs); logits if not
        ``link``.
        """
        session, table = self._for_prediction(X)
        outputs = session.outputs(table, link=link)
        keep_session(self, session)
        return outputs

    def _for_prediction(self, X):
        check_is_fitted(self)
        X = check_X(self, X)
        session = session_for(self)
        return session, Table(X, None, None, session.dtype)

    def hidden_features(self, X, layer=-1):
        """Compute the outputs of a hidden layer, as the next layer reads them in prediction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        layer : int, default=-1
            Index of the hidden layer. 0 is the first, negative numbers count from the last.

        Returns
        -------
        features : ndarray of shape (n_samples, n_units)
            One column for each unit of the layer.

        Raises
        ------
        ValueError
            If there is no such layer.

        See Also
        --------
        HiddenFeatures : The same as a transformer, for pipelines.
        """
        session, table = self._for_prediction(X)
        n_hidden = len(self.coefs_) - 1
        if not -n_hidden <= layer < n_hidden:
            raise ValueError(
                f"layer={layer!r} must be in [{-n_hidden}, {n_hidden - 1}]: the network has {n_hidden} hidden layers."
            )
        features = session.hidden(table, layer % n_hidden)
        keep_session(self, session)
        return features

    def summary(self):
        """Summarize the layers, their output shapes and their numbers of parameters.

        Returns
        -------
        summary : Summary
            Table that prints as text and shows as HTML in notebooks.
        """
        return summarize(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
