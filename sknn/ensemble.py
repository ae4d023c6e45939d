"""Networks that differ by their random numbers, averaged.

scikit-learn's bagging would do, but for three things: without bootstrap it draws all rows, whatever
their sample weights, so these are lost; it takes no multilabel targets; and its score is R^2, also
where networks predict quantiles.

Members are trained one after the other, and each by all cores. Two cores train one large network
nearly twice as fast as one does, so training two side by side would gain little.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, validate_data

from ._targets import score_quantiles
from ._versions import DocumentationLinkMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ._validation.types import Table


class _Ensemble(MetaEstimatorMixin, DocumentationLinkMixin, BaseEstimator):
    """What the two ensembles share: training, and averages of what the members predict."""

    def __init__(
        self,
        estimator: Any,
        n_estimators: int = 4,
        *,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
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
            If ``n_estimators`` is not an int of at least 1.
        """
        self._check_parameters()
        if sample_weight is not None:
            fit_params["sample_weight"] = sample_weight
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        seeds = check_random_state(self.random_state).randint(
            np.iinfo(np.int32).max, size=self.n_estimators
        )
        members = [clone(self.estimator).set_params(random_state=int(seed)) for seed in seeds]
        members = [member.fit(X, y, **fit_params) for member in members]
        validate_data(self, X, skip_check_array=True)  # learns number and names of the features
        self.estimators_ = members
        return self

    def _check_parameters(self):
        """Raise if a parameter is of the wrong type or out of range."""
        if not hasattr(self.estimator, "random_state") or not self._is_of_this_kind(self.estimator):
            raise TypeError(
                f"estimator={self.estimator!r} must be a {self._kind} with the parameter "
                f"random_state, such as {self._example}()."
            )
        n = self.n_estimators
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
            raise ValueError(f"n_estimators={n!r} must be an int of at least 1.")

    def _average(self, X, method):
        """Return the mean over members of what their method predicts."""
        check_is_fitted(self)
        validate_data(self, X, skip_check_array=True, reset=False)
        total = 0.0
        for member in self.estimators_:
            total = total + getattr(member, method)(X)
        return total / len(self.estimators_)

    def get_metadata_routing(self):
        """Get the routing of metadata, such as sample weights, to the members.

        Returns
        -------
        routing : MetadataRouter
            What ``fit`` passes on to the ``fit`` of each member.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        member = get_tags(self.estimator)
        tags.input_tags.sparse = member.input_tags.sparse
        tags.target_tags = member.target_tags
        tags.classifier_tags = member.classifier_tags
        tags.regressor_tags = member.regressor_tags
        return tags


class EnsembleClassifier(ClassifierMixin, _Ensemble):
    """Average of classifiers that differ by their random numbers.

    Networks that start from different weights make different errors. The average of their
    probabilities is more often right than one of them, and less often sure and wrong [1]_. All
    members are trained on the same rows, up to those that each holds out if it stops early.

    Parameters
    ----------
    estimator : MLPClassifier
        Network whose clones are trained, or another classifier with ``predict_proba`` and the
        parameter ``random_state``, which is set in each.
    n_estimators : int, default=4
        Number of members, at least 1. Time and memory are proportional to it.
    random_state : int, RandomState instance or None, default=None
        Draws the ``random_state`` of each member. Pass an int for reproducible results.

    Attributes
    ----------
    estimators_ : list of MLPClassifier
        The fitted members.
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, in the order of the columns of ``predict_proba``.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen during ``fit``. Only if X has names that are all strings.

    See Also
    --------
    tabular_pipeline : A recipe for tables, which uses it.
    sklearn.ensemble.BaggingClassifier : Members with different rows or features.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and Scalable Predictive
       Uncertainty Estimation using Deep Ensembles", 2016, :arxiv:`1612.01474`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import EnsembleClassifier, MLPClassifier
    >>> network = MLPClassifier((20,), learning_rate_init=0.01, max_iter=300)
    >>> model = EnsembleClassifier(network, 3, random_state=0).fit(*load_iris(return_X_y=True))
    >>> model.predict([[5.0, 3.4, 1.5, 0.2]])
    array([0])
    """

    _kind = "classifier"
    _example = "MLPClassifier"
    _is_of_this_kind = staticmethod(is_classifier)

    @property
    def classes_(self) -> np.ndarray:
        """Labels of the classes, in the order of the columns of ``predict_proba``."""
        return self.estimators_[0].classes_

    def predict_proba(self, X: Table) -> np.ndarray:
        """Predict probabilities: the mean of those of the members.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y_prob : ndarray of shape (n_samples, n_classes)
            Probability of each class, in the order of ``classes_``, or of each label for multilabel
            targets.
        """
        return self._average(X, "predict_proba")

    def predict(self, X: Table) -> np.ndarray:
        """Predict the classes with the greatest mean probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Predicted classes; for multilabel targets, 1 where the probability is above 0.5.
        """
        probabilities = self.predict_proba(X)
        if getattr(self.estimators_[0], "_multilabel", False):
            return (probabilities > 0.5).astype(int)
        return self.classes_[probabilities.argmax(axis=1)]


class EnsembleRegressor(RegressorMixin, _Ensemble):
    """Average of regressors that differ by their random numbers.

    Networks that start from different weights make different errors, which partly cancel in the
    average [1]_. All members are trained on the same rows, up to those that each holds out if it
    stops early.

    Parameters
    ----------
    estimator : MLPRegressor
        Network whose clones are trained, or another regressor with the parameter ``random_state``,
        which is set in each.
    n_estimators : int, default=4
        Number of members, at least 1. Time and memory are proportional to it.
    random_state : int, RandomState instance or None, default=None
        Draws the ``random_state`` of each member. Pass an int for reproducible results.

    Attributes
    ----------
    estimators_ : list of MLPRegressor
        The fitted members.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen during ``fit``. Only if X has names that are all strings.

    See Also
    --------
    tabular_pipeline : A recipe for tables, which uses it.
    sklearn.ensemble.BaggingRegressor : Members with different rows or features.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and Scalable Predictive
       Uncertainty Estimation using Deep Ensembles", 2016, :arxiv:`1612.01474`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknn import EnsembleRegressor, MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(20,), normalize_y=True, early_stopping=True)
    >>> EnsembleRegressor(network, 3, random_state=0).fit(X, y).predict(X).shape
    (442,)
    """

    _kind = "regressor"
    _example = "MLPRegressor"
    _is_of_this_kind = staticmethod(is_regressor)

    def predict(self, X: Table) -> np.ndarray:
        """Predict targets: the mean of what the members predict.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets. Means of quantiles do not cross either.
        """
        return self._average(X, "predict")

    def score(self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R^2, or minus the mean pinball loss if the networks have loss='quantile'.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            At most 1 for R^2, and at most 0 for quantiles; greater is better.

        See Also
        --------
        MLPRegressor.score : The same for one network.
        """
        check_is_fitted(self)
        architecture = getattr(self.estimators_[0], "_architecture", None)
        if architecture is None or architecture.loss != "quantile":
            return super().score(X, y, sample_weight=sample_weight)
        return score_quantiles(architecture, self.predict(X), y, sample_weight)
