"""What ensembles of classifiers and of regressors share.

scikit-learn's bagging would do, but for four things: without bootstrap it draws all rows, whatever
their sample weights, so these are lost; it takes no multilabel targets; its score is R^2, also
where networks predict quantiles; and its members have the same hyperparameters.

Members are trained one after the other, and each by all cores. Two cores train one large network
nearly twice as fast as one does, so training two side by side would gain little.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRequest,
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from .._validation.parameters import checked_random_state
from .._versions import DocumentationLinkMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from .._validation.types import Table


def _is_pipeline(estimator):
    """Return whether an estimator has steps, without importing scikit-learn's pipelines."""
    return hasattr(estimator, "steps")


def _network_of(estimator):
    """Return the network within pipelines, searches and ensembles, or what stands in its place."""
    if _is_pipeline(estimator):
        return _network_of(estimator[-1])
    if isinstance(estimator, BaseEnsemble):
        return estimator._first_network
    if hasattr(estimator, "best_estimator_"):
        return _network_of(estimator.best_estimator_)
    return estimator


def _name_of_weights(estimator):
    """Return what an estimator's ``fit`` calls sample weights, if none are routed."""
    if _is_pipeline(estimator):
        name, last = estimator.steps[-1]
        return f"{name}__{_name_of_weights(last)}"
    return "sample_weight"


def _is_instance(estimator):
    """Return whether it is an estimator, and not a class."""
    return hasattr(estimator, "__sklearn_tags__") and not isinstance(estimator, type)


def _is_variant(value):
    """Return whether a value is a dict of parameters' names."""
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)


def _seeds(estimator):
    """Return the names of an estimator's parameters that determine random numbers."""
    return [name for name in estimator.get_params() if name.rpartition("__")[2] == "random_state"]


def _determines(variant, member, name):
    """Return whether a variant has set a member's seed, be it within an encoder or a network."""
    is_set = any(name == key or name.startswith(f"{key}__") for key in variant)
    return is_set and member.get_params()[name] is not None


class BaseEnsemble(MetaEstimatorMixin, DocumentationLinkMixin, BaseEstimator):
    """What the two ensembles share: training, and averages of what the members predict."""

    def __init__(self, estimator, n_estimators, variants, random_state):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.variants = variants
        self.random_state = random_state

    def fit(
        self, X: Table, y: Table, sample_weight: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Fit the members to samples X and targets y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. None is 1 for every sample.
        **fit_params : dict
            Further arguments for the ``fit`` of each member. With
            ``sklearn.set_config(enable_metadata_routing=True)``, those that its
            ``set_fit_request`` asks for.

        Returns
        -------
        self : estimator
            The fitted ensemble.

        Raises
        ------
        TypeError
            If the estimator is not of this ensemble's kind.
        ValueError
            If ``n_estimators`` is not an int of at least 1, or if a variant has parameters that the
            estimator lacks.
        """
        self._check_parameters()
        is_routed = get_config()["enable_metadata_routing"]
        if sample_weight is not None:
            name = "sample_weight" if is_routed else _name_of_weights(self.estimator)
            fit_params[name] = sample_weight
        if is_routed:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        members = [member.fit(X, y, **fit_params) for member in self._unfitted_members()]
        validate_data(self, X, skip_check_array=True)  # learns number and names of the features
        self._learn_targets(y)
        self.estimators_ = members
        return self

    def _learn_targets(self, y):
        """Keep what predictions need to know of the targets."""

    def _check_parameters(self):
        """Raise if a parameter is of the wrong type or out of range."""
        estimator = self.estimator
        has_seeds = _is_instance(estimator) and _seeds(estimator)
        if not has_seeds or not self._is_of_this_kind(estimator):
            raise TypeError(
                f"estimator={estimator!r} must be a {self._kind} the parameter "
                f"random_state, such as {self._example}()."
            )
        n = self.n_estimators
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
            raise ValueError(f"n_estimators={n!r} must be an int of at least 1.")
        is_sequence = isinstance(self.variants, list | tuple) and len(self.variants) > 0
        if self.variants is not None and not (is_sequence and all(map(_is_variant, self.variants))):
            raise TypeError(
                f"variants={self.variants!r} must be None, or a list of dicts with parameters of "
                "the estimator."
            )

    def _unfitted_members(self):
        """Return clones of the estimator, each with its variant's parameters, and a seed for all
        random numbers but those that the variant determines.
        """
        random_state = checked_random_state(self.random_state)
        members = []
        for number in range(self.n_estimators):
            seed = random_state.randint(np.iinfo(np.int32).max)
            variant = self.variants[number % len(self.variants)] if self.variants else {}
            variant = {name: clone(value, safe=False) for name, value in variant.items()}
            member = clone(self.estimator).set_params(**variant)
            names = [name for name in _seeds(member) if not _determines(variant, member, name)]
            members.append(member.set_params(**dict.fromkeys(names, seed)))
        return members

    @property
    def _first_network(self):
        """The network of the first member, or what stands in its place."""
        check_is_fitted(self)
        return _network_of(self.estimators_[0])

    def _average(self, X, method):
        """Return the mean over members of what their method predicts."""
        check_is_fitted(self)
        total = 0.0
        for member in self.estimators_:  # which check X as an array
            predicted = getattr(member, method)(X)
            if isinstance(predicted, list):
                raise TypeError(
                    f"{method} of {type(member).__name__} returns a list for targets with several "
                    f"columns; use an estimator that returns an array, such as {self._example}()."
                )
            total = total + predicted
        validate_data(self, X, skip_check_array=True, reset=False)
        return total / len(self.estimators_)

    def get_metadata_routing(self):
        """Get the routing of metadata, such as sample weights, to the members.

        Returns
        -------
        routing : MetadataRouter
            What ``fit`` passes on to the ``fit`` of each member, and what ``score`` takes itself.
        """
        own = MetadataRequest(owner=self)
        own.score = super().get_metadata_routing().score
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(own)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if not _is_instance(self.estimator):
            return tags  # fit raises the error
        member = get_tags(self.estimator)
        tags.input_tags.sparse = member.input_tags.sparse
        tags.target_tags = member.target_tags
        tags.classifier_tags = member.classifier_tags
        tags.regressor_tags = member.regressor_tags
        return tags
