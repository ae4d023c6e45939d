"""Hidden layers as features for other estimators."""

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, validate_data

from ._prediction import check_layer
from ._validation.parameters import check_hidden_layer_sizes
from ._versions import DocumentationLinkMixin


class HiddenFeatures(
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    DocumentationLinkMixin,
    BaseEstimator,
):
    """Transformer from samples to the outputs of a network's hidden layer.

    ``fit`` trains the network on the targets. ``transform`` returns what the layer after the hidden
    one reads in prediction, after activation and batch normalization, without dropout.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Network to train. ``fit`` trains a clone of it. A network in a
        :class:`~sklearn.frozen.FrozenEstimator` is used as it is.
    layer : int, default=-1
        Index of the hidden layer. 0 is the first, negative numbers count from the last.

    Attributes
    ----------
    estimator_ : MLPClassifier or MLPRegressor
        The fitted network.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen during ``fit``. Only if X has names that are all strings.

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

    def __init__(self, estimator: Any, layer: int = -1) -> None:
        self.estimator = estimator
        self.layer = layer

    def fit(self, X: Any, y: Any, **fit_params: Any) -> "HiddenFeatures":
        """Fit a clone of ``estimator`` to samples X and targets y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        **fit_params : dict
            Arguments for the ``fit`` of the estimator. With
            ``sklearn.set_config(enable_metadata_routing=True)``, those that its
            ``set_fit_request`` asks for.

        Returns
        -------
        self : HiddenFeatures
            The fitted transformer.

        Raises
        ------
        TypeError
            If the estimator has no hidden layers to read.
        ValueError
            If there is no such layer.
        """
        estimator = self._checked_estimator()
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        estimator = estimator.fit(X, y, **fit_params)
        validate_data(self, X, skip_check_array=True)  # learns number and names of the features
        self.estimator_ = estimator
        self._n_features_out = estimator.coefs_[self.layer + (self.layer >= 0)].shape[0]
        return self

    def _checked_estimator(self):
        """Return a clone of the estimator, after checking that it will have the layer."""
        if not hasattr(self.estimator, "hidden_features"):
            raise TypeError(
                f"estimator={self.estimator!r} must be an MLPClassifier or MLPRegressor of sknn. "
                "In a pipeline, let other steps stand before HiddenFeatures(network)."
            )
        estimator = clone(self.estimator)
        if hasattr(estimator, "coefs_"):  # a frozen one
            n_hidden = len(estimator.coefs_) - 1
        else:
            n_hidden = len(check_hidden_layer_sizes(estimator))
        check_layer(self.layer, n_hidden)
        return estimator

    def transform(self, X: Any) -> np.ndarray:
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
        features = self.estimator_.hidden_features(X, self.layer)  # which checks X as an array
        validate_data(self, X, skip_check_array=True, reset=False)
        return features

    def get_metadata_routing(self):
        """Get the routing of metadata, such as sample weights, to the estimator.

        Returns
        -------
        routing : MetadataRouter
            What ``fit`` passes on to the ``fit`` of the estimator.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if not hasattr(self.estimator, "fit") or isinstance(self.estimator, type):
            return tags  # fit raises the error
        tags_of_estimator = get_tags(self.estimator)
        tags.input_tags.sparse = tags_of_estimator.input_tags.sparse
        tags.target_tags = tags_of_estimator.target_tags
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
