"""What both estimators share: ``fit``, ``partial_fit`` and predictions, from users' data to fitted
attributes.
"""

import functools
import inspect
from abc import ABC, abstractmethod

from sklearn import get_config
from sklearn.base import BaseEstimator

from ._compiled.progress import compilation_report
from ._prediction import PredictionMixin
from ._runtime.architecture import LEARNED
from ._runtime.finiteness import check_weights
from ._runtime.layout import aligned_zeros, flat_vector, make_layout, views
from ._runtime.prediction_cache import kept_networks
from ._runtime.requested import make_architecture
from ._runtime.starting_weights import draw_weights
from ._runtime.threads import thread_pool
from ._training.attributes import AttributesMixin
from ._training.beginning import BeginningMixin
from ._training.callbacks import CallbackSupportMixin, EpochCallbacks
from ._training.continuation import check_goes_on
from ._training.embedded_columns import choose_columns
from ._training.record import TrainingRecord
from ._training.refit import RefitMixin, refits
from ._training.routing import GroupRoutingMixin
from ._training.state import TrainingState
from ._training.tables import TablesMixin
from ._validation.data import arithmetic_dtype, check_groups, check_was_fitted
from ._validation.messages import check_constraints
from ._validation.parameters import (
    check_calibration,
    check_clipping,
    check_memory,
    check_parameters,
    settings_of,
    stops_early,
    warn_of_no_effect,
)
from ._versions import DocumentationLinkMixin
from .parts.optimizers import OPTIMIZERS


class BaseMLP(
    PredictionMixin,
    CallbackSupportMixin,
    GroupRoutingMixin,
    BeginningMixin,
    RefitMixin,
    TablesMixin,
    AttributesMixin,
    DocumentationLinkMixin,
    BaseEstimator,
    ABC,
):
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
        """Check all parameters, also those that the constructor of a subclass sets by itself.

        Defaults are valid, and most parameters have them: the check takes a tenth of a short fit.
        """
        known = self._constructor_parameters()
        values = {name: getattr(self, name) for name in known}
        check_constraints(
            {name: value for name, value in values.items() if value is not known[name].default},
            type(self).__name__,
        )

    # ---- what subclasses define -----------------------------------------------------------------

    @property
    @abstractmethod
    def _loss_name(self):
        """Name of the loss, or a :class:`Loss`; for classifiers it depends on the classes."""

    @abstractmethod
    def _check_data(self, X, y, *, fresh, incremental):
        """Return X and y as checked arrays, and learn the classes if the fit is fresh."""

    def _find_class_weights(self, y, sample_weight, *, incremental):
        """Return the weights of the classes, or None, as :func:`find_class_weights` does."""

    def _weigh(self, weight, y, class_weights):
        """Return checked sample weights, multiplied by the weights of the classes if there are
        any.
        """
        return weight

    @abstractmethod
    def _encode(self, y, weight, dtype, fresh):
        """Return targets of shape (n_samples, y_width) in ``dtype``, as the loss reads them."""

    def _prepare_predictions(self, y, weight, fresh):
        """Set what predictions need besides the network, given the targets and weights of all rows
        to train on, and remove what earlier training has set.
        """

    @abstractmethod
    def _n_outputs_of(self, y):
        """Return the number of outputs for checked targets."""

    @abstractmethod
    def _validation_score(self, predictions, y, weight, loss):
        """Return what early stopping watches, given the network's finite predictions, encoded
        targets, weights and mean loss.
        """

    def _check_validation_targets(self, y):
        """Raise or warn if early stopping cannot compare epochs by their score on encoded targets
        y.
        """

    @abstractmethod
    def _stratify(self, y):
        """Return labels to stratify the validation split by, or None."""

    # ---- training -------------------------------------------------------------------------------

    def _fit(
        self,
        X,
        y,
        sample_weight,
        *,
        incremental,
        validation=(None, None, None),
        groups=None,
        n_epochs=1,
    ):
        """Train the network.

        Parameters
        ----------
        X, y, sample_weight : as given by the user
        incremental : bool
            Whether this is ``partial_fit``, which goes on from where training is.
        validation : (X_val, y_val, sample_weight_val), default=(None, None, None)
            As given by the user.
        groups : array-like or None
            Groups of the rows, for a splitter as ``validation_fraction``.
        n_epochs : int, default=1
            Epochs of ``partial_fit``; with 0 the network is only made.

        Returns
        -------
        self : BaseMLP
        """
        kept_networks.drop(id(self))
        with compilation_report.during(self.verbose), self._unchanged_on_error():
            hidden, settings = self._check_call(incremental, has_X_val=validation[0] is not None)
            resumption = vars(self).pop("_resumption", None)
            goes_on = self.warm_start or incremental or resumption is not None
            fresh = not (hasattr(self, "coefs_") and goes_on)
            if not fresh:
                check_was_fitted(self)
            given = X, y, sample_weight
            samples, validation = self._check_samples(*given, validation, fresh, incremental)
            check_groups(self, groups, validation)
            n_epochs = n_epochs if incremental else settings.max_iter
            if resumption is not None and not incremental:
                n_epochs = resumption.n_epochs_left(n_epochs, n_rows=len(samples.y))
                if n_epochs == 0:
                    return self
            dtype = arithmetic_dtype(self, samples.X)
            architecture = self._make_architecture(samples, hidden, dtype, fresh)
            random_state = self._random_state_of_refit()
            training = self._make_training(
                architecture,
                settings,
                samples,
                validation,
                groups,
                dtype=dtype,
                fresh=fresh,
                counts_on=incremental or resumption is not None,
                incremental=incremental,
            )
            training.warn_in_advance()
            callbacks = EpochCallbacks(training, samples, given, n_epochs, resumption)
            callbacks.begin_fit()
            with thread_pool.counted_fit():
                training.run(n_epochs, callbacks, warn=not incremental)
                if refits(self, validation) and not callbacks.is_out_of_time:
                    self._refit(training, samples, random_state)
            callbacks.end_fit()
        return self

    def _check_call(self, incremental, has_X_val):
        """Return the hidden layers' units and the parameters with Python's numbers, checked."""
        if incremental and not get_config()["skip_parameter_validation"]:
            self._validate_params()  # scikit-learn does so in the first call only
        if incremental and stops_early(self, None):
            raise ValueError(
                "partial_fit does not support early_stopping=True; set early_stopping=False, or "
                "call fit."
            )
        check_calibration(self, incremental, has_X_val)
        check_clipping(self, incremental)
        self._check_refit(has_X_val)
        hidden = check_parameters(self)
        warn_of_no_effect(self, has_X_val)
        return hidden, settings_of(self)

    def _make_architecture(self, samples, widths, dtype, fresh):
        """Return the architecture to train, after checking that it fits into memory and, where
        training goes on, has the weights of the one trained before.

        Parameters
        ----------
        samples : Samples
        widths : list of int
            Units of the hidden layers.
        dtype : numpy.dtype
            Of the weights.
        fresh : bool
            Whether training begins anew.
        """
        architecture = make_architecture(
            self,
            widths,
            samples.X.shape[1],
            self._n_outputs_of(samples.y),
            self._loss_name,
            **choose_columns(self, samples.X, fresh),
        )
        n_vectors = 3 if self.solver == "lbfgs" else 3 + 2 * OPTIMIZERS[self.solver].n_states
        n_values = sum(value.size for value in architecture.learned)
        check_memory(self, n_vectors * n_values * dtype.itemsize)
        if not fresh:
            check_goes_on(self, architecture)
        return architecture

    def _start(self, architecture, dtype, fresh, counts_on, watches_score):
        """Return the flat weights, the record and the state that training begins with, all of them
        its own.

        Parameters
        ----------
        architecture : Architecture
        dtype : numpy.dtype
            Of the weights.
        fresh : bool
            Whether training begins anew.
        counts_on : bool
            Whether ``n_iter_`` and the schedule go on where training does.
        watches_score : bool
            Whether validation scores decide which epoch is the best.
        """
        self._architecture = architecture
        layout = make_layout(architecture)
        known = None if fresh else vars(self).get("_training_state")
        state = TrainingState(self.random_state) if known is None else known.copy()
        state.counts_on = counts_on
        if fresh:
            flat = aligned_zeros(layout.size, dtype)
            arrays = views(flat, layout)
            random_state = state.random_state
            draw_weights(architecture, self._initializer, arrays, random_state, self.activation)
            for name in {*LEARNED, "history_before_refit_"} - arrays.keys():  # of an earlier fit
                vars(self).pop(name, None)
            record = TrainingRecord(early_stopping=watches_score)
        else:
            flat = state.resumed_weights(flat_vector(self, layout, dtype))
            check_weights(flat, layout)
            record = TrainingRecord.resumed(self, early_stopping=watches_score, counts_on=counts_on)
        self._set_sizes(architecture)
        record.publish(self)
        return flat, record, state

    @property
    def _initializer(self):
        """Name of the initializer, or what 'auto' stands for."""
        is_ntk = self.initializer == "auto" and self.parametrization == "ntk"
        return "ntk" if is_ntk else self.initializer

    def _set_sizes(self, architecture):
        """Set the fitted attributes that describe the network."""
        self.n_layers_ = architecture.n_layers + 1
        self.n_outputs_ = architecture.n_outputs
        self.n_parameters_ = architecture.n_parameters
        self.out_activation_ = architecture.loss_part.out_activation

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.numeric_embedding == "none"
        return tags
