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
from sklearn.utils.validation import check_is_fitted

from ._runtime.architecture import LEARNED, Architecture, draw_weights, make_architecture
from ._runtime.compiled_network import CompiledNetwork
from ._runtime.data import Table
from ._runtime.layout import (
    aligned_zeros,
    flat_vector,
    has_shapes_of,
    make_layout,
    views,
    weights_dtype,
)
from ._runtime.prediction_cache import keep_network, kept_networks, network_for
from ._runtime.threads import threads
from ._training.callbacks import CallbackSupportMixin, EpochTasks
from ._training.lbfgs import LBFGSTraining
from ._training.stochastic import OptimizerState, StochasticTraining
from ._training.trainer import HISTORY_COLUMNS
from ._training.validation_set import Monitor, split_rows
from ._validation import (
    PARAMETER_CONSTRAINTS,
    arithmetic_dtype,
    check_memory,
    check_parameters,
    check_sample_weight,
    check_X,
    relative_weight,
)
from .inspection import summarize
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
        """Keep every constructor argument under its name, unchanged, as scikit-learn asks."""
        for name in self._constructor_parameters():
            setattr(self, name, arguments[name])

    @classmethod
    @functools.cache
    def _constructor_parameters(cls):
        return {
            name: value
            for name, value in inspect.signature(cls.__init__).parameters.items()
            if name != "self"
        }

    @classmethod
    @functools.cache  # scikit-learn inspects the signature at every call, of clone and fit too
    def _get_param_names(cls):
        return super()._get_param_names()

    # ---- what subclasses define -----------------------------------------------------------------

    @property
    @abstractmethod
    def _loss_name(self):
        """Name of the loss, or a :class:`Loss`; for classifiers it depends on the classes."""

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
        kept_networks.drop(id(self))
        with self._unchanged_on_error():
            if incremental and self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            hidden = check_parameters(self)
            fresh = not (hasattr(self, "coefs_") and (self.warm_start or incremental))
            data = self._check_data(X, y, fresh=fresh, incremental=incremental)
            weight = self._check_weight(sample_weight, *data, incremental=incremental)
            dtype = arithmetic_dtype(self, data[0])
            architecture = self._make_architecture(data[0].shape[1], hidden, data[1], dtype, fresh)
            flat = self._start(architecture, dtype, fresh, incremental)
            session = CompiledNetwork(flat, architecture, self)
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

    def _make_architecture(self, n_features, widths, y, dtype, fresh):
        """Return the architecture to train, after checking that it fits into memory and, where
        training goes on, has the weights of the one trained before.
        """
        architecture = make_architecture(
            self, widths, n_features, self._n_outputs_of(y), self._loss_name
        )
        n_vectors = 3 if self.solver == "lbfgs" else 3 + 2 * OPTIMIZERS[self.solver].n_states
        check_memory(self, n_vectors * make_layout(architecture).size * dtype.itemsize)
        if not fresh and architecture.shapes != self._architecture.shapes:
            trained = self._architecture
            units = [trained.n_features, *(layer.units for layer in trained.hidden)]
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}, or another parameter that shapes "
                f"the network, does not fit the one trained before, of widths "
                f"{[*units, trained.n_outputs]}; set warm_start=False to start anew, or give the "
                "same sizes, features and outputs."
            )
        return architecture

    def _start(self, architecture, dtype, fresh, incremental):
        """Set all that training begins with; return the flat weights to train, a vector of their
        own.
        """
        kept = vars(self)
        self._architecture = architecture
        if fresh or kept.get("_random_state") is None:
            self._random_state = check_random_state(self.random_state)
        elif isinstance(
            self.random_state, Integral
        ):  # nobody else draws from it, so a failing fit can leave it as it was
            self._random_state = copy.deepcopy(self._random_state)
        flat = self._initialize(dtype) if fresh else self._continue(dtype, incremental)
        optimizer = None if fresh else kept.get("_optimizer")
        if self.solver == "lbfgs":
            self._optimizer = None
        elif optimizer is not None and optimizer.fits(self.solver, flat):
            self._optimizer = optimizer.copy()
        else:
            drops = architecture.has_dropout
            seed = int(self._random_state.randint(np.iinfo(np.int32).max)) if drops else 0
            self._optimizer = OptimizerState(
                self.solver, flat.size, dtype, self.learning_rate_init, seed
            )
        return flat

    def _initialize(self, dtype):
        """Return new weights and forget all earlier training."""
        architecture = self._architecture
        layout = make_layout(architecture)
        flat = aligned_zeros(layout.size, dtype)
        draw_weights(architecture, self.initializer, views(flat, layout), self._random_state)
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = architecture.n_layers + 1
        self.n_outputs_ = architecture.n_outputs
        self.n_parameters_ = architecture.n_parameters
        self.out_activation_ = architecture.loss_part.out_activation
        self.loss_curve_ = []
        self.history_ = {column: [] for column in HISTORY_COLUMNS}
        self.validation_scores_ = [] if self.early_stopping else None
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else np.inf
        self.loss_ = np.inf
        self.best_iter_ = self._no_improvement_count = 0
        vars(self).update(dict.fromkeys(_KEPT_FROM_FIT_TO_FIT))
        return flat

    def _continue(self, dtype, incremental):
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
        flat = flat_vector(self, make_layout(self._architecture), dtype)
        if self._last_weights is not None and np.array_equal(flat, self._best_weights):
            return self._last_weights.astype(dtype)
        return flat.copy()

    # ---- weights --------------------------------------------------------------------------------

    def _set_weights(self, flat):
        """Let the learned attributes be views of ``flat``, and no others be left of earlier fits."""
        for name in LEARNED:
            vars(self).pop(name, None)
        vars(self).update(views(flat, make_layout(self._architecture)))

    def __getstate__(self):
        state = dict(super().__getstate__())
        for name in ("_training", *_CALLBACK_STATE):
            state.pop(name, None)
        if not (self.warm_start or state.get("_keeps_training")):
            for name in _RESUME_ATTRIBUTES:
                state.pop(name, None)
        if "_architecture" in state:
            state["_architecture"] = self._architecture.to_dict()
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "_architecture" in state:
            self._architecture = Architecture.from_dict(state["_architecture"])
            # Arrays come back one by one; predictions want them in one vector.
            if has_shapes_of(self, self._architecture):  # not in a pickle made during a refit
                layout = make_layout(self._architecture)
                self._set_weights(flat_vector(self, layout, weights_dtype(self)))

    # ---- prediction -----------------------------------------------------------------------------

    def _outputs(self, X, *, link=True):
        """Return the network's predictions for X, of shape (n_samples, n_outputs); logits if not
        ``link``.
        """
        network, table = self._for_prediction(X)
        outputs = network.outputs(table, link=link)
        keep_network(self, network)
        return outputs

    def _for_prediction(self, X):
        """Return the fitted network, compiled, and the rows of X."""
        check_is_fitted(self, "_architecture")
        X = check_X(self, X)
        n_features = self._architecture.n_features
        if X.shape[1] != n_features:
            raise ValueError(f"X has {X.shape[1]} features, but the network has {n_features}.")
        network = network_for(self)
        return network, Table(X, None, None, network.dtype)

    def hidden_features(self, X, layer=-1):
        """Return the outputs of a hidden layer, as the next layer reads them in prediction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input samples.
        layer : int, default=-1
            Hidden layer, from 0; negative numbers count from the last.

        Returns
        -------
        features : ndarray of shape (n_samples, n_units)
            Outputs of the layer.

        Raises
        ------
        ValueError
            If there is no such layer.
        """
        network, table = self._for_prediction(X)
        n_hidden = len(self._architecture.hidden)
        if not isinstance(layer, Integral) or not -n_hidden <= layer < n_hidden:
            raise ValueError(
                f"layer={layer!r} must be in [{-n_hidden}, {n_hidden - 1}]: the network has "
                f"{n_hidden} hidden layers."
            )
        features = network.hidden(table, layer % n_hidden)
        keep_network(self, network)
        return features

    def summary(self, n_features=None, n_outputs=None):
        """Return the network's layers with their output shapes and numbers of parameters.

        Parameters
        ----------
        n_features, n_outputs : int, default=None
            Before ``fit``: the widths of the inputs and of the output layer. What depends on a
            width that is not given is shown as "?". After ``fit`` they are not used.

        Returns
        -------
        summary : Summary
            A table that prints, as text or, in notebooks, as HTML.

        Examples
        --------
        >>> from sknn import MLPClassifier
        >>> print(MLPClassifier((20,), batch_norm=True).summary(n_features=4, n_outputs=3))
        Layer         Output shape  Parameters
        --------------------------------------
        dense 1       (None, 20)           100
        batch norm 1  (None, 20)            80
        relu 1        (None, 20)             0
        dense 2       (None, 3)             63
        --------------------------------------
        Total                              243
        Trainable                          203
        Non-trainable                       40
        """
        return summarize(self, n_features, n_outputs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
