"""Hidden layers as features for other estimators."""

from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils.validation import check_is_fitted


class HiddenFeatures(
    ClassNamePrefixFeaturesOutMixin, MetaEstimatorMixin, TransformerMixin, BaseEstimator
):
    """Transform rows to the activations of a network's hidden layer.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        A copy of it is trained in ``fit``.
    layer : int, default=-1
        Hidden layer, from 0; negative numbers count from the last.

    Attributes
    ----------
    estimator_ : MLPClassifier or MLPRegressor
        The trained network.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sknn import HiddenFeatures, MLPClassifier
    >>> features = HiddenFeatures(MLPClassifier((20, 5), random_state=0, max_iter=2000))
    >>> model = make_pipeline(features, LogisticRegression()).fit(*load_iris(return_X_y=True))
    >>> features.get_feature_names_out()
    array(['hiddenfeatures0', 'hiddenfeatures1', 'hiddenfeatures2',
           'hiddenfeatures3', 'hiddenfeatures4'], dtype=object)
    """

    def __init__(self, estimator, layer=-1):
        self.estimator = estimator
        self.layer = layer

    def fit(self, X, y, **fit_params):
        """Train a copy of ``estimator`` on X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like
        **fit_params : dict
            For the estimator's ``fit``.

        Returns
        -------
        self : HiddenFeatures
        """
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self._n_features_out = self.estimator_.hidden_features(X[:1], self.layer).shape[1]
        return self

    def transform(self, X):
        """Return the hidden layer's activations.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        features : ndarray of shape (n_samples, n_units)
        """
        check_is_fitted(self)
        return self.estimator_.hidden_features(X, self.layer)

    @property
    def n_features_in_(self):
        """Number of features seen in ``fit``."""
        return self.estimator_.n_features_in_
