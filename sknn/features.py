"""Hidden layers as features for other estimators."""

from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils.validation import check_is_fitted

from ._versions import DocumentationLinkMixin


class HiddenFeatures(
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    DocumentationLinkMixin,
    BaseEstimator,
):
    """Transformer from samples to the outputs of a network's hidden layer.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Network to train. ``fit`` trains a clone of it.
    layer : int, default=-1
        Index of the hidden layer. 0 is the first, negative numbers count from the last.

    Attributes
    ----------
    estimator_ : MLPClassifier or MLPRegressor
        The fitted network.
    n_features_in_ : int
        Number of features seen during ``fit``.

    See Also
    --------
    MLPClassifier.hidden_features : The same for a network that is already fitted.

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
        """Fit a clone of ``estimator`` to samples X and targets y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        **fit_params : dict
            Arguments for the ``fit`` of the estimator.

        Returns
        -------
        self : HiddenFeatures
            The fitted transformer.
        """
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self._n_features_out = self.estimator_.hidden_features(X[:1], self.layer).shape[1]
        return self

    def transform(self, X):
        """Compute the outputs of the hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        features : ndarray of shape (n_samples, n_units)
            One column for each unit of the layer.
        """
        check_is_fitted(self)
        return self.estimator_.hidden_features(X, self.layer)

    @property
    def n_features_in_(self):
        """Number of features seen during ``fit``."""
        return self.estimator_.n_features_in_
