"""What both estimators share: ``fit``, ``partial_fit`` and predictions, from users' data to fitted
attributes.
"""

import functools
import inspect
from abc import ABC, abstractmethod

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator

from ._prediction import PredictionMixin
from ._runtime.architecture import LEARNED, draw_weights, make_architecture
from ._runtime.compiled_network import CompiledNetwork
from ._runtime.data import Table
from ._runtime.layout import aligned_zeros, flat_vector, make_layout, views
from ._runtime.prediction_cache import kept_networks
from ._runtime.threads import thread_pool
from ._training.attributes import AttributesMixin
from ._training.callbacks import CallbackSupportMixin, EpochCallbacks
from ._training.lbfgs import LBFGSTraining
from ._training.record import TrainingRecord
from ._training.state import TrainingState
from ._training.stochastic import StochasticTraining
from ._training.validation_set import ValidationSet, split_rows
from ._validation.data import (
    arithmetic_dtype,
    check_sample_weight,
    check_was_fitted,
    naming,
    relative_weight,
)
from ._validation.messages import check_constraints
from ._validation.parameters import check_memory, check_parameters, settings_of
from .parts.optimizers import OPTIMIZERS


class BaseMLP(PredictionMixin, CallbackSupportMixin, AttributesMixin, BaseEstimator, ABC):
    """Multi-layer perceptron; the subclasses bring the constructor, the targets and the score."""

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
        check_constraints(parameters, type(self).__name__)

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

    def _fit(self, X, y, sample_weight, *, incremental, validation=(None, None, None)):
        """Train the network.

        Parameters
        ----------
        X, y, sample_weight : as given by the user
        incremental : bool
            Whether this is ``partial_fit``: one epoch, from where training is.
        validation : (X_val, y_val, sample_weight_val), default=(None, None, None)
            As given by the user.

        Returns
        -------
        self : BaseMLP
        """
        kept_networks.drop(id(self))
        with self._unchanged_on_error():
            if incremental and not get_config()["skip_parameter_validation"]:
                self._validate_params()  # scikit-learn does so in the first call only
            if incremental and self.early_stopping:
                raise ValueError(
                    "partial_fit does not support early_stopping=True; set early_stopping=False, "
                    "or call fit."
                )
            hidden = check_parameters(self, has_X_val=validation[0] is not None)
            settings = settings_of(self)
            fresh = not (hasattr(self, "coefs_") and (self.warm_start or incremental))
            if not fresh:
                check_was_fitted(self)
            data = self._check_data(X, y, fresh=fresh, incremental=incremental)
            weight = self._check_weight(sample_weight, *data, incremental=incremental)
            validation = self._check_validation_data(*validation, data)
            dtype = arithmetic_dtype(self, data[0])
            architecture = self._make_architecture(data[0].shape[1], hidden, data[1], dtype, fresh)
            flat, record, state = self._start(architecture, dtype, fresh, incremental)
            tables = self._make_tables(*data, weight, dtype, validation, state, fresh)
            network = CompiledNetwork(flat, architecture, settings)
            kind = LBFGSTraining if self.solver == "lbfgs" else StochasticTraining
            training = kind(self, network, record, state, *tables)
            n_epochs = 1 if incremental else settings.max_iter
            callbacks = EpochCallbacks(
                self,
                X,
                y,
                sample_weight,
                0 if incremental else n_epochs,
                training.fitted_attributes,
            )
            callbacks.begin_fit()
            with thread_pool.counted_fit():
                training.run(n_epochs, callbacks, warn=not incremental)
            callbacks.end_fit()
        return self

    def _check_validation_data(self, X_val, y_val, sample_weight_val, data):
        """Return X_val, y_val and ``(weights over the largest one, the largest one)`` as checked
        arrays, or None if there are none.

        Kernels read them as they read ``data``, X and y, so they must have the same columns.
        """
        X, y = data
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val must be given together, but {missing} is missing.")
        if X_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val was given without X_val and y_val.")
            return None
        with naming(
            "X_val and y_val must be like X and y (a Pipeline transforms X_val only with "
            "transform_input=['X_val'])"
        ):
            X_val, y_val = self._check_data(X_val, y_val, fresh=False, incremental=True)
        if X_val.shape[1] != X.shape[1]:
            raise ValueError(f"X_val has {X_val.shape[1]} features, but X has {X.shape[1]}.")
        if y_val.shape[1:] != y.shape[1:]:
            raise ValueError(
                f"y_val of shape {y_val.shape} must have as many columns as y of shape {y.shape}."
            )
        with naming("sample_weight_val must be weights of the rows of X_val"):
            return X_val, y_val, check_sample_weight(sample_weight_val, X_val)

    def _make_tables(self, X, y, weight, dtype, validation, state, fresh):
        """Return the table to train on, its rows to train on or None for all, and the
        :class:`ValidationSet` or None.

        Parameters
        ----------
        X, y : ndarray or CSR, and ndarray
            As checked.
        weight : (ndarray of shape (n_samples,), float)
            Sample weights over the largest one, and the largest one.
        dtype : numpy.dtype
        validation : (X_val, y_val, weight_val) or None
            As checked, and as ``X``, ``y`` and ``weight``.
        state : TrainingState
            Keeps the split of the rows, for fits that go on.
        fresh : bool
            Whether training begins anew.
        """
        train_rows = validation_rows = None
        if self.early_stopping and validation is None:
            train_rows, validation_rows = self._split(X, y, state)
        table = self._make_table(X, y, weight, train_rows, dtype, fresh)
        if validation is not None:
            X_val, y_val, weight_val = validation
            table_val = self._make_table(X_val, y_val, weight_val, None, dtype, False)
            return table, None, ValidationSet(self, table_val, np.arange(len(y_val)), y_val)
        if validation_rows is None:
            return table, None, None
        return table, train_rows, ValidationSet(self, table, validation_rows, y)

    def _make_table(self, X, y, weight, train_rows, dtype, fresh):
        """Return a table; see :meth:`_make_tables` for the arguments."""
        relative, mean_weight = relative_weight(*weight, train_rows, dtype)
        return Table(X, self._encode(y, weight[0], dtype, fresh), relative, dtype, mean_weight)

    def _split(self, X, y, state):
        """Return the rows to train on and the rows to validate on: the same ones when training goes
        on.
        """
        if state.split is None or state.n_rows_split != len(y):
            state.n_rows_split = len(y)
            state.split = split_rows(
                X, y, settings_of(self).validation_fraction, state.random_state, self._stratify(y)
            )
        return state.split

    def _make_architecture(self, n_features, widths, y, dtype, fresh):
        """Return the architecture to train, after checking that it fits into memory and, where
        training goes on, has the weights of the one trained before.

        Parameters
        ----------
        n_features : int
        widths : list of int
            Units of the hidden layers.
        y : ndarray
            Checked targets.
        dtype : numpy.dtype
            Of the weights.
        fresh : bool
            Whether training begins anew.
        """
        architecture = make_architecture(
            self, widths, n_features, self._n_outputs_of(y), self._loss_name
        )
        n_vectors = 3 if self.solver == "lbfgs" else 3 + 2 * OPTIMIZERS[self.solver].n_states
        n_values = sum(value.size for value in architecture.learned)
        check_memory(self, n_vectors * n_values * dtype.itemsize)
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
        """Return the flat weights, the record and the state that training begins with, all of them
        its own.
        """
        self._architecture = architecture
        layout = make_layout(architecture)
        known = None if fresh else vars(self).get("_training_state")
        state = TrainingState(self.random_state) if known is None else known.copy()
        state.is_incremental = incremental
        if fresh:
            flat = aligned_zeros(layout.size, dtype)
            arrays = views(flat, layout)
            draw_weights(architecture, self.initializer, arrays, state.random_state)
            for name in set(LEARNED) - arrays.keys():  # of an earlier fit
                vars(self).pop(name, None)
            record = TrainingRecord(early_stopping=self.early_stopping)
            self._set_sizes(architecture)
        else:
            flat = state.resumed_weights(flat_vector(self, layout, dtype))
            record = TrainingRecord.resumed(self, counts_on=incremental)
        state.prepare_optimizer(settings_of(self), flat, drops=architecture.has_dropout)
        record.publish(self)
        return flat, record, state

    def _set_sizes(self, architecture):
        """Set the fitted attributes that describe the network."""
        self.n_layers_ = architecture.n_layers + 1
        self.n_outputs_ = architecture.n_outputs
        self.n_parameters_ = architecture.n_parameters
        self.out_activation_ = architecture.loss_part.out_activation

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
