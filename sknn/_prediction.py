"""What a fitted network offers: predictions, outputs of hidden layers, a summary.

All of it reads the architecture that ``fit`` built and the learned attributes, never the
constructor's parameters.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import scipy.special
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ._compiled.progress import reports_compilation
from ._runtime.data import Table
from ._runtime.gradients import compute_gradients
from ._runtime.layout import views
from ._runtime.prediction_cache import keep_network, network_for
from ._training.embedded_columns import refuse_sparse
from ._validation.data import Samples, check_was_fitted, check_X
from ._validation.weights import check_sample_weight
from .inspection import summarize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ._validation.types import Gradients, Table
    from .inspection import Summary


def probabilities(logits):
    """Return the logistic function of logits, never 0 or 1, so that logarithms are finite."""
    limits = np.finfo(logits.dtype)
    return scipy.special.expit(logits).clip(limits.tiny, 1 - limits.epsneg)


def check_layer(layer, n_hidden):
    """Raise if ``layer`` is not the index of one of ``n_hidden`` hidden layers."""
    if not isinstance(layer, Integral) or not -n_hidden <= layer < n_hidden:
        choices = f"in [{-n_hidden}, {n_hidden - 1}]" if n_hidden else "the index of a hidden layer"
        number = f"{n_hidden} hidden layer{'' if n_hidden == 1 else 's'}"
        raise ValueError(f"layer={layer!r} must be {choices}: the network has {number}.")


class PredictionMixin:
    """Mixin for estimators with an architecture and learned attributes, which ``fit`` has set."""

    @reports_compilation
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
        refuse_sparse(self._architecture.numeric_embedding, X)
        n_features = self._architecture.n_features
        if X.shape[1] != n_features:
            raise ValueError(f"X has {X.shape[1]} features, but the network has {n_features}.")
        network = network_for(self)
        return network, Table(X, None, None, network.dtype, bins=self._architecture.bins)

    @reports_compilation
    def hidden_features(self, X: Table, layer: int = -1) -> np.ndarray:
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

    @reports_compilation
    def evaluate(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Compute the loss and the score on samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. None is 1 for every sample.

        Returns
        -------
        results : dict of float
            "loss", the mean loss without the penalty, as in ``history_["val_loss"]``, and the
            result of ``score`` under its name: "accuracy", "r2" or "neg_mean_pinball_loss". The
            loss is that of the network as it is trained: with normalize_y=True of standardized
            targets, and before calibrate=True and clip_output=True change predictions.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sknn import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = MLPClassifier(learning_rate_init=0.01, tol=1e-3, random_state=0).fit(X, y)
        >>> results = clf.evaluate(X, y)
        >>> print(sorted(results), round(results["accuracy"], 2))
        ['accuracy', 'loss'] 0.98
        """
        network, table = self._with_targets(X, y, sample_weight)
        _, loss = network.outputs_and_loss(table, np.arange(table.n_rows))
        keep_network(self, network)
        return {"loss": float(loss), self._score_name: float(self.score(X, y, sample_weight))}

    @reports_compilation
    def gradients(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Gradients:
        """Compute the gradients of the loss with respect to weights and inputs.

        The loss L is that of :meth:`evaluate`: the mean over the samples, without the penalty, of
        the network as it predicts, that is without dropout and with the running statistics of batch
        normalization. Small gradients in the first layers show that they vanish; large ones with
        respect to X show which inputs a prediction depends on.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. None is 1 for every sample.

        Returns
        -------
        gradients : dict
            "coefs" and "intercepts" are lists with an array for each layer, shaped like ``coefs_``
            and ``intercepts_``, "X" is an ndarray of shape (n_samples, n_features). With batch
            normalization there are "batch_norm_scale" and "batch_norm_shift" too, "skip_coefs" if
            skip=True, and "embedding_frequencies", "embedding_phases", "embedding_coefs" and
            "embedding_intercepts" when numeric_embedding='pbld'.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from sknn import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = MLPClassifier((8,) * 4, activation="logistic", random_state=0, max_iter=20)
        >>> gradients = clf.set_params(tol=0, n_iter_no_change=20).fit(X, y).gradients(X, y)
        >>> sizes = [np.abs(gradient).mean() for gradient in gradients["coefs"]]
        >>> bool(sizes[0] < 0.1 * sizes[-1])
        True
        """
        network, table = self._with_targets(X, y, sample_weight)
        learned = views(network.flat, network.layout)
        of_trained, of_inputs = compute_gradients(self._architecture, learned, table)
        gradients = {name.removesuffix("_"): arrays for name, arrays in of_trained.items()}
        return gradients | {"X": of_inputs}

    def _with_targets(self, X, y, sample_weight):
        """Return the fitted network, compiled, and the rows of X with targets and weights."""
        check_is_fitted(self)
        check_was_fitted(self)
        given = X, y
        X, y = self._check_fitted_data(X, y)
        network, _ = self._for_prediction(X[:1])
        n_targets = y.shape[1] if y.ndim == 2 else 1
        n_fitted = self._architecture.n_targets
        if n_targets != n_fitted:
            raise ValueError(f"y has {n_targets} columns, but fit had {n_fitted}.")
        samples = Samples(X, y, check_sample_weight(sample_weight, X), given)
        return network, self._make_table(samples, None, network.dtype, False)

    def summary(self, n_features: int | None = None, n_outputs: int | None = None) -> Summary:
        """Summarize the layers, their output shapes and their numbers of parameters.

        Parameters
        ----------
        n_features : int, default=None
            Number of inputs. Only used before ``fit``; what depends on it is shown as "?" if it is
            not given.
        n_outputs : int, default=None
            Number of outputs. Only used before ``fit``, in the same way.

        Returns
        -------
        summary : Summary
            Table that prints as text and shows as HTML in notebooks. Before ``fit``, its memory is
            that of float64, unless dtype='float32'.

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
        Total          1.90 KB              243
        Trainable      1.59 KB              203
        Non-trainable  320 B                 40
        """
        return summarize(self, n_features, n_outputs)
