"""Averages of networks that differ by their random numbers, and perhaps by hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, RegressorMixin, is_classifier, is_regressor
from sklearn.utils.multiclass import type_of_target

from .._targets import score_quantiles
from .members import BaseEnsemble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from .._validation.types import Table


class EnsembleClassifier(ClassifierMixin, BaseEnsemble):
    """Average of classifiers that differ by their random numbers.

    Networks that start from different weights make different errors. The average of their
    probabilities is more accurate than those of one network, and less overconfident [1]_. All
    members are trained on the same rows, except those that each holds out for early stopping.

    Parameters
    ----------
    estimator : MLPClassifier
        Network whose clones are trained, a pipeline that ends with one, or another classifier with
        ``predict_proba`` and the parameter ``random_state``, which is set in each.
    n_estimators : int, default=4
        Number of members, at least 1. Time and memory are proportional to it.
    variants : list of dict, default=None
        Parameters of the estimator in which members differ: the first member has those of the first
        dict, and so on; after the last dict comes the first again [2]_. They may replace steps of a
        pipeline. Dicts beyond ``n_estimators`` are not used. None means random numbers only.
    random_state : int, RandomState instance or None, default=None
        Determines every ``random_state`` within each member, unless a variant sets it. Pass an int
        for reproducible results.

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
    .. [2] F. Wenzel, J. Snoek, D. Tran, R. Jenatton, "Hyperparameter Ensembles for Robustness and
       Uncertainty Quantification", 2020, :arxiv:`2006.13570`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import EnsembleClassifier, MLPClassifier
    >>> network = MLPClassifier((20,), learning_rate_init=0.01, max_iter=300)
    >>> model = EnsembleClassifier(network, 3, random_state=0).fit(*load_iris(return_X_y=True))
    >>> model.predict([[5.0, 3.4, 1.5, 0.2]])
    array([0])
    """

    _kind = "classifier with predict_proba and"
    _example = "MLPClassifier"

    def __init__(
        self,
        estimator: Any,
        n_estimators: int = 4,
        *,
        variants: Sequence[dict[str, Any]] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(estimator, n_estimators, variants, random_state)

    @staticmethod
    def _is_of_this_kind(estimator):
        return is_classifier(estimator) and hasattr(estimator, "predict_proba")

    @property
    def classes_(self) -> np.ndarray:
        """Labels of the classes, in the order of the columns of ``predict_proba``."""
        return self.estimators_[0].classes_

    def _learn_targets(self, y):
        """Keep what predictions should be like, whatever the members are."""
        self._is_multilabel = type_of_target(y) == "multilabel-indicator"
        self._targets_are_sparse = sparse.issparse(y)

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

    def predict_log_proba(self, X: Table) -> np.ndarray:
        """Predict logarithms of the mean probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            The logarithm of ``predict_proba(X)``: finite for networks, and minus infinity where all
            members, of other kinds, give the probability 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Table) -> np.ndarray:
        """Predict the classes with the greatest mean probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : {ndarray, sparse matrix} of shape (n_samples,) or (n_samples, n_classes)
            Predicted classes; for multilabel targets, 1 where the probability is above 0.5, as a
            sparse matrix if the targets of the fit were one.
        """
        probabilities = self.predict_proba(X)
        if self._is_multilabel:
            labels = (probabilities > 0.5).astype(int)
            return sparse.csr_matrix(labels) if self._targets_are_sparse else labels
        return self.classes_[probabilities.argmax(axis=1)]


class EnsembleRegressor(RegressorMixin, BaseEnsemble):
    """Average of regressors that differ by their random numbers.

    Networks that start from different weights make different errors, which partly cancel in the
    average [1]_. All members are trained on the same rows, except those that each holds out for
    early stopping.

    Parameters
    ----------
    estimator : MLPRegressor
        Network whose clones are trained, a pipeline that ends with one, or another regressor with
        the parameter ``random_state``, which is set in each.
    n_estimators : int, default=4
        Number of members, at least 1. Time and memory are proportional to it.
    variants : list of dict, default=None
        Parameters of the estimator in which members differ: the first member has those of the first
        dict, and so on; after the last dict comes the first again [2]_. They may replace steps of a
        pipeline. Dicts beyond ``n_estimators`` are not used. None means random numbers only.
    random_state : int, RandomState instance or None, default=None
        Determines every ``random_state`` within each member, unless a variant sets it. Pass an int
        for reproducible results.

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
    .. [2] F. Wenzel, J. Snoek, D. Tran, R. Jenatton, "Hyperparameter Ensembles for Robustness and
       Uncertainty Quantification", 2020, :arxiv:`2006.13570`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknn import EnsembleRegressor, MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(normalize_y=True, learning_rate="cosine", max_iter=20)
    >>> EnsembleRegressor(network, 3, random_state=0).fit(X, y).predict(X).shape
    (442,)
    """

    _kind = "regressor with"
    _example = "MLPRegressor"
    _is_of_this_kind = staticmethod(is_regressor)

    def __init__(
        self,
        estimator: Any,
        n_estimators: int = 4,
        *,
        variants: Sequence[dict[str, Any]] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(estimator, n_estimators, variants, random_state)

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
        architecture = getattr(self._first_network, "_architecture", None)
        if architecture is None or architecture.loss != "quantile":
            return super().score(X, y, sample_weight=sample_weight)
        return score_quantiles(architecture, self.predict(X), y, sample_weight)
