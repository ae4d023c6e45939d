"""The two estimators: constructors, targets and scores."""

import numpy as np
import scipy.special
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.metrics import mean_pinball_loss, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from ._base import BaseMLP
from ._docs import document
from ._hyperparameters import CLASSIFIER, REGRESSOR, constraints
from ._training.callbacks import with_callbacks
from ._validation.data import (
    check_classes,
    check_regression_targets,
    check_sample_weight,
    check_training_data,
    fitted_classes,
    scaled,
    unscaled,
    weigh_classes,
)
from ._validation.messages import explain_unknown_names

_CODES_AT_ONCE = 1 << 18  # bounds the memory that encoding class labels takes


def _is_stochastic(estimator):
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True


@document
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron classifier with compiled training.

    A drop-in replacement for :class:`sklearn.neural_network.MLPClassifier`. It minimizes the
    cross-entropy

        sum_i w_i l_i / (|B| mean(w)) + alpha / (|B| mean(w)) P(W)

    over minibatches B with sample weights w, where l = -log p_y for more than two classes
    (softmax outputs), and l = -y log p - (1 - y) log(1 - p), summed over outputs, for two classes
    or multilabel targets (logistic outputs). In the reported loss, p is clipped to [eps, 1 - eps],
    where eps is the machine epsilon.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MLPRegressor : Multi-layer perceptron regressor.
    sklearn.neural_network.MLPClassifier : The estimator that this one replaces.

    {notes}

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.model_selection import train_test_split
    >>> from sknn import MLPClassifier
    >>> X, y = make_classification(n_samples=100, random_state=1)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=1)
    >>> clf = MLPClassifier(random_state=1, max_iter=300).fit(X_train, y_train)
    >>> clf.predict_proba(X_test[:1]).round(3)
    array([[0.038, 0.962]])
    >>> clf.predict(X_test[:5, :])
    array([1, 0, 1, 0, 1])
    >>> clf.score(X_test, y_test)
    0.88
    """

    _parameter_constraints = constraints(CLASSIFIER)

    @explain_unknown_names
    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        negative_slope=0.1,
        elu_alpha=1.0,
        maxout_pieces=2,
        initializer="auto",
        rho=0.9,
        decay_rate=0.1,
        warmup_epochs=0,
        l1_ratio=0.0,
        weight_decay=0.0,
        dropout=0.0,
        input_dropout=0.0,
        batch_norm=False,
        batch_norm_momentum=0.9,
        label_smoothing=0.0,
        class_weight=None,
        max_grad_norm=None,
        scoring=None,
        early_stopping_window=1,
        restore_best=True,
        dtype=None,
    ):
        self._set_parameters(locals())

    @explain_unknown_names
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to samples X and class labels y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples of any real dtype, read chunk by chunk without a copy of the whole.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any type, or the indicator matrix of a multilabel target.
        {fit_arguments}
        """
        validation = X_val, y_val, sample_weight_val
        return self._fit(X, y, sample_weight, incremental=False, validation=validation)

    @available_if(_is_stochastic)
    @explain_unknown_names
    @_fit_context(prefer_skip_nested_validation=False)  # so that _fit knows whether to validate
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one epoch on the given samples.

        ``k`` calls with the same samples give the same weights, bit for bit, as one ``fit`` with
        ``max_iter=k`` that does not stop early. Not available when solver='lbfgs'.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or the indicator matrix of a multilabel target.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. None is 1 for every sample.
        classes : array-like of shape (n_classes,), default=None
            All classes that any call will see. Required in the first call.

        Returns
        -------
        self : MLPClassifier
            The trained estimator.
        """
        with self._unchanged_on_error():
            _check_partial_fit_first_call(self, classes)
            return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X):
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class of each sample. For a multilabel target, the indicator matrix of
            the labels with a probability over 1/2.
        """
        return self._decode(self._outputs(X))

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns are in the order of ``classes_``. No probability is exactly 0.
        """
        if not hasattr(self, "_architecture") or self._architecture.n_outputs > 1:
            return self._outputs(X)
        logits = self._outputs(X, link=False)
        # 1 - p would lose the digits of small probabilities
        probabilities = scipy.special.expit(np.column_stack([-logits, logits]))
        limits = np.finfo(probabilities.dtype)
        return probabilities[:, : len(fitted_classes(self))].clip(limits.tiny, 1 - limits.epsneg)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            The logarithm of ``predict_proba(X)``, always finite.
        """
        return np.log(self.predict_proba(X))

    def logits(self, X):
        """Compute the outputs before the logistic function or softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            One-dimensional for two classes.
        """
        logits = self._outputs(X, link=False)
        return logits.ravel() if self._architecture.n_outputs == 1 else logits

    # ---- targets --------------------------------------------------------------------------------

    @property
    def _loss_name(self):
        return "log_loss" if not self._multilabel and len(self.classes_) > 2 else "binary_log_loss"

    def _check_data(self, X, y, *, fresh, incremental):
        X, y = check_training_data(self, X, y, reset=fresh, y_numeric=False)
        self.classes_ = check_classes(self, y, fresh=fresh, incremental=incremental)
        self._multilabel = y.ndim == 2
        return X, y

    def _n_outputs_of(self, y):
        if y.ndim == 2:
            return y.shape[1]
        return len(self.classes_) if len(self.classes_) > 2 else 1

    def _check_weight(self, sample_weight, X, y, *, incremental):
        weight = check_sample_weight(sample_weight, X)
        if self.class_weight is None:
            return weight
        return weigh_classes(self.class_weight, *weight, X, y, incremental=incremental)

    def _encode(self, y, weight, dtype, fresh):
        if y.ndim == 2:
            return (y != 0).astype(dtype)
        codes = np.empty((len(y), 1), dtype)
        for start in range(0, len(y), _CODES_AT_ONCE):
            rows = slice(start, start + _CODES_AT_ONCE)
            codes[rows, 0] = np.searchsorted(self.classes_, y[rows])
        return codes

    def _decode(self, probabilities):
        if self._multilabel:
            return (probabilities > 0.5).astype(int)
        classes = fitted_classes(self)
        if self._architecture.n_outputs > 1:
            return classes[probabilities.argmax(axis=1)]
        codes = (probabilities.ravel() > 0.5).astype(int)
        return classes[np.minimum(codes, len(classes) - 1)]

    def _validation_score(self, predictions, y, weight):
        """Return the accuracy; for multilabel targets, the fraction of rows without an error."""
        if self._architecture.loss_part.out_activation == "softmax":
            correct = predictions.argmax(axis=1) == y[:, 0]
        else:
            correct = ((predictions > 0.5) == (y > 0.5)).all(axis=1)
        return np.average(correct, weights=weight) if weight.any() else np.nan

    def _stratify(self, y):
        if self._multilabel:
            return None
        # scikit-learn's own network splits by its binarized labels, whose order decides which rows
        # are drawn. For two classes that order is False < True; the strings sort like that.
        return y if len(self.classes_) > 2 else np.where(y == self.classes_[-1], "True", "False")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@document
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron regressor with compiled training.

    A drop-in replacement for :class:`sklearn.neural_network.MLPRegressor`. It minimizes

        sum_i w_i l_i / (|B| mean(w)) + alpha / (|B| mean(w)) P(W)

    over minibatches B with sample weights w, where the loss l is summed over outputs. As in
    scikit-learn, the squared error is *reported* as its mean over outputs.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MLPClassifier : Multi-layer perceptron classifier.
    sklearn.neural_network.MLPRegressor : The estimator that this one replaces.

    {notes}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.model_selection import train_test_split
    >>> from sknn import MLPRegressor
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=1)
    >>> regr = MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(X_train, y_train)
    >>> regr.predict(X_test[:2]).round()
    array([  29., -291.])
    >>> round(regr.score(X_test, y_test), 2)
    0.98
    """

    _parameter_constraints = constraints(REGRESSOR)

    @explain_unknown_names
    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        negative_slope=0.1,
        elu_alpha=1.0,
        maxout_pieces=2,
        initializer="auto",
        rho=0.9,
        decay_rate=0.1,
        warmup_epochs=0,
        l1_ratio=0.0,
        weight_decay=0.0,
        dropout=0.0,
        input_dropout=0.0,
        batch_norm=False,
        batch_norm_momentum=0.9,
        quantile=0.5,
        huber_delta=1.0,
        normalize_y=False,
        max_grad_norm=None,
        scoring=None,
        early_stopping_window=1,
        restore_best=True,
        dtype=None,
    ):
        self._set_parameters(locals())

    @explain_unknown_names
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to samples X and targets y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples of any real dtype, read chunk by chunk without a copy of the whole.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Real targets.
        {fit_arguments}
        """
        validation = X_val, y_val, sample_weight_val
        return self._fit(X, y, sample_weight, incremental=False, validation=validation)

    @available_if(_is_stochastic)
    @explain_unknown_names
    @_fit_context(prefer_skip_nested_validation=False)  # so that _fit knows whether to validate
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on the given samples.

        ``k`` calls with the same samples give the same weights, bit for bit, as one ``fit`` with
        ``max_iter=k`` that does not stop early. Not available when solver='lbfgs'.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Real targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. None is 1 for every sample.

        Returns
        -------
        self : MLPRegressor
            The trained estimator.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        predictions = self._outputs(X)
        if self._architecture.scales_targets:
            predictions = unscaled(self, predictions)
        return predictions.ravel() if self._architecture.n_outputs == 1 else predictions

    # ---- targets --------------------------------------------------------------------------------

    @property
    def _loss_name(self):
        return self.loss

    def _check_data(self, X, y, *, fresh, incremental):
        X, y = check_training_data(self, X, y, reset=fresh, y_numeric=True)
        check_regression_targets(self, y)
        return X, y

    def _n_outputs_of(self, y):
        if self.loss == "quantile" and y.ndim == 1:
            return np.size(self.quantile)
        return 1 if y.ndim == 1 else y.shape[1]

    def _encode(self, y, weight, dtype, fresh):
        y = y.reshape(len(y), -1)
        if fresh:
            vars(self).pop("y_mean_", None)
            vars(self).pop("y_scale_", None)
        # What overflows makes the loss infinite, which is reported.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.normalize_y and (fresh or not hasattr(self, "y_mean_")):
                self.y_mean_ = np.average(y, axis=0, weights=weight)
                deviation = np.sqrt(np.average((y - self.y_mean_) ** 2, axis=0, weights=weight))
                self.y_scale_ = np.where(deviation > 0, deviation, 1.0)
            return (scaled(self, y) if self.normalize_y else y).astype(dtype)

    def _validation_score(self, predictions, y, weight):
        """Return R^2, or minus the pinball loss of several quantiles."""
        if not np.isfinite(predictions).all() or not weight.any():
            return np.nan
        if predictions.shape[1] != y.shape[1]:
            levels = self._architecture.loss_parameters
            errors = (
                mean_pinball_loss(y, predictions[:, k], alpha=level, sample_weight=weight)
                for k, level in enumerate(levels)
            )
            return -sum(errors) / len(levels)
        return r2_score(y, predictions, sample_weight=weight)

    def _stratify(self, y):
        return None
