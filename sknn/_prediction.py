"""What a fitted network offers: predictions, outputs of hidden layers, a summary.

All of it reads the architecture that ``fit`` built and the learned attributes, never the
constructor's parameters.
"""

from numbers import Integral

import numpy as np
import scipy.special
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ._runtime.data import Table
from ._runtime.prediction_cache import keep_network, network_for
from ._validation.data import check_was_fitted, check_X
from .inspection import summarize


def probabilities(logits):
    """Return the logistic function of logits, never 0 or 1, so that logarithms are finite."""
    limits = np.finfo(logits.dtype)
    return scipy.special.expit(logits).clip(limits.tiny, 1 - limits.epsneg)


def check_layer(layer, n_hidden):
    """Raise if ``layer`` is not the index of one of ``n_hidden`` hidden layers."""
    if not isinstance(layer, Integral) or not -n_hidden <= layer < n_hidden:
        choices = f"in [{-n_hidden}, {n_hidden - 1}]" if n_hidden else "the index of a hidden layer"
        raise ValueError(
            f"layer={layer!r} must be {choices}: the network has {n_hidden} hidden layers."
        )


class PredictionMixin:
    """Mixin for estimators with an architecture and learned attributes, which ``fit`` has set."""

    def _outputs(self, X, *, link=True):
        """Return the network's predictions for X, of shape (n_samples, n_outputs); logits if not
        ``link``. All are finite, or an error names the cause.
        """
        network, table = self._for_prediction(X)
        # The logistic function would hide an infinite logit.
        is_logistic = link and self._architecture.loss_part.out_activation == "logistic"
        outputs = network.outputs(table, link=link and not is_logistic)
        keep_network(self, network)
        return probabilities(outputs) if is_logistic else outputs

    def _like_targets(self, labels):
        """Return labels as a sparse matrix if the targets of the fit were one, as scikit-learn's
        networks do.
        """
        is_sparse = getattr(self, "_targets_are_sparse", False)
        return sparse.csr_matrix(labels) if is_sparse else labels

    def _for_prediction(self, X):
        """Return the fitted network, compiled, and the rows of X."""
        check_is_fitted(self)
        check_was_fitted(self)
        X = check_X(self, X)
        n_features = self._architecture.n_features
        if X.shape[1] != n_features:
            raise ValueError(f"X has {X.shape[1]} features, but the network has {n_features}.")
        network = network_for(self)
        return network, Table(X, None, None, network.dtype)

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
        network, table = self._for_prediction(X)
        n_hidden = len(self._architecture.hidden)
        check_layer(layer, n_hidden)
        features = network.hidden(table, layer % n_hidden)
        keep_network(self, network)
        return features

    def summary(self, n_features=None, n_outputs=None):
        """Summarize the layers, their output shapes and their numbers of parameters.

        Parameters
        ----------
        n_features : int, default=None
            Number of inputs. Only used before ``fit``; what depends on it is shown as "?" if it is
            not given.
        n_outputs : int, default=None
            Width of the output layer. Only used before ``fit``, in the same way.

        Returns
        -------
        summary : Summary
            Table that prints as text and shows as HTML in notebooks.

        Examples
        --------
        >>> from sknn import MLPClassifier
        >>> print(MLPClassifier((20,), batch_norm=True).summary(n_features=4, n_outputs=3))
        Layer          Output shape  Parameters
        ---------------------------------------
        dense 1        (None, 20)           100
        batch norm 1   (None, 20)            80
        relu 1         (None, 20)             0
        dense 2        (None, 3)             63
        ---------------------------------------
        Total                               243
        Trainable                           203
        Non-trainable                        40
        """
        return summarize(self, n_features, n_outputs)
