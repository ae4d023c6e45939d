"""The estimators: their constructors, documentation, targets and scores."""

import numpy as np
import scipy.special
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import check_is_fitted

from ._base import BaseMLP
from ._docs import document
from ._tasks import with_callbacks
from ._validation import check_training_data
from .losses import LOSSES, REGRESSION_LOSSES


def _is_stochastic(estimator):
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
    return True


@document
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron classifier, trained by compiled kernels.

    A drop-in replacement for :class:`sklearn.neural_network.MLPClassifier`. It minimises the cross-entropy

        sum_i w_i l_i / (|B| mean(w)) + alpha / (|B| mean(w)) ||W||^2 / 2

    over batches B, with l = -log p_y for more than two classes (softmax outputs) and
    l = -y log p - (1 - y) log(1 - p), summed over outputs, for two classes or several labels (logistic outputs).
    Probabilities in the reported loss are clipped to [eps, 1 - eps], eps being the machine epsilon.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; for multilabel targets, the indices of the labels.
    {attributes}

    See Also
    --------
    MLPRegressor : The same for real targets.
    sklearn.neural_network.MLPClassifier : The estimator whose place this one takes.

    Notes
    -----
    {notes}

    References
    ----------
    {references}

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
        dtype=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dtype = dtype

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Any real dtype; it is read chunk by chunk and never copied as a whole.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any type, or an indicator matrix of labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; None is 1 for every row.

        Returns
        -------
        self : MLPClassifier

        Raises
        ------
        ValueError
            If an argument or parameter is not usable, or if training diverges in the first epoch. The estimator is as it was before.
        MemoryError
            If the network does not fit into memory.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    @available_if(_is_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one more epoch over the given rows.

        ``k`` calls with the same rows are the same, bit for bit, as one ``fit`` with ``max_iter=k`` that is not stopped early.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), default=None
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur; needed in the first call.

        Returns
        -------
        self : MLPClassifier
        """
        with self._unchanged_on_error():
            _check_partial_fit_first_call(self, classes)
            return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X):
        """Return the most probable class of every row (or, for multilabel targets, all labels of probability over 1/2).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        return self._decode(self._outputs(X))

    def predict_proba(self, X):
        """Return the probability of every class; never exactly 0, so that its logarithm is finite.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns are in the order of ``classes_``.
        """
        check_is_fitted(self)
        if self.n_outputs_ > 1:
            return self._outputs(X)
        logits = self._outputs(X, link=False)
        probabilities = scipy.special.expit(np.column_stack([-logits, logits]))  # 1 - p would lose the small one's digits
        limits = np.finfo(probabilities.dtype)
        return probabilities.clip(limits.tiny, 1 - limits.epsneg)[:, : len(self.classes_)]

    def predict_log_proba(self, X):
        """Return the logarithm of ``predict_proba``; finite.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        return np.log(self.predict_proba(X))

    def decision_function(self, X):
        """Return the outputs before the logistic function or softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        logits : ndarray of shape (n_samples,) for two classes, else (n_samples, n_outputs)
        """
        logits = self._outputs(X, link=False)
        return logits.ravel() if self.n_outputs_ == 1 else logits

    # ---- targets -----------------------------------------------------------------------------------------------------

    @property
    def _loss_name(self):
        return "log_loss" if not self._multilabel and len(self.classes_) > 2 else "binary_log_loss"

    def _check_data(self, X, y, *, fresh, incremental):
        X, y = check_training_data(self, X, y, reset=fresh, y_numeric=False)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if type_of_target(y, input_name="y") == "multiclass-multioutput":
            raise ValueError("Multioutput target data is not supported: y must be one column of labels or a 0/1 indicator matrix.")
        seen = unique_labels(y)
        if not hasattr(self, "classes_") or (fresh and not incremental):
            self.classes_ = seen
        elif not incremental and set(seen) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {seen}"
            )
        elif len(np.setdiff1d(seen, self.classes_, assume_unique=True)):
            raise ValueError(f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {seen}.")
        self._multilabel = y.ndim == 2
        return X, y

    def _n_outputs_of(self, y):
        if y.ndim == 2:
            return y.shape[1]
        return len(self.classes_) if len(self.classes_) > 2 else 1

    def _encode(self, y, dtype):
        if y.ndim == 2:
            return (y != 0).astype(dtype)
        return np.searchsorted(self.classes_, y).astype(dtype).reshape(-1, 1)

    def _decode(self, probabilities):
        if self._multilabel:
            return (probabilities > 0.5).astype(int)
        if self.n_outputs_ > 1:
            return self.classes_[probabilities.argmax(axis=1)]
        codes = (probabilities.ravel() > 0.5).astype(int)
        return self.classes_[np.minimum(codes, len(self.classes_) - 1)]

    def _validation_score(self, predictions, y, weight):
        """Return the accuracy; with several labels, the share of rows with all labels right."""
        if self.out_activation_ == "softmax":
            correct = predictions.argmax(axis=1) == y[:, 0]
        else:
            correct = ((predictions > 0.5) == (y > 0.5)).all(axis=1)
        return np.average(correct, weights=weight) if weight.any() else np.nan

    def _stratify(self, targets):
        if self._multilabel:
            return None
        codes = targets[:, 0].astype(int)
        return self.classes_[codes].astype(str) if len(self.classes_) > 2 else np.array(["False", "True"])[codes]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@document
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron regressor, trained by compiled kernels.

    A drop-in replacement for :class:`sklearn.neural_network.MLPRegressor`. It minimises

        sum_i w_i l_i / (|B| mean(w)) + alpha / (|B| mean(w)) ||W||^2 / 2

    over batches B, with the loss l summed over outputs. As in scikit-learn, the squared error is *reported* as its mean over outputs.

    Parameters
    ----------
    loss : {losses}, default='squared_error'
        The loss l of one output z with target y.

        {loss_formulas}

        'poisson' needs non-negative targets and predicts exp(z).
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MLPClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : The estimator whose place this one takes.

    Notes
    -----
    {notes}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.model_selection import train_test_split
    >>> from sknn import MLPRegressor
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=1)
    >>> regr = MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(X_train, y_train)
    >>> regr.predict(X_test[:2]).round()
    array([  28., -291.])
    >>> round(regr.score(X_test, y_test), 2)
    0.98
    """

    _parameter_constraints = {**BaseMLP._parameter_constraints, "loss": [StrOptions(set(REGRESSION_LOSSES))]}

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
        dtype=None,
    ):
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dtype = dtype

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Any real dtype; it is read chunk by chunk and never copied as a whole.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Real targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; None is 1 for every row.

        Returns
        -------
        self : MLPRegressor

        Raises
        ------
        ValueError
            If an argument or parameter is not usable, or if training diverges in the first epoch. The estimator is as it was before.
        MemoryError
            If the network does not fit into memory.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    @available_if(_is_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one more epoch over the given rows.

        ``k`` calls with the same rows are the same, bit for bit, as one ``fit`` with ``max_iter=k`` that is not stopped early.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : MLPRegressor
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X):
        """Return the predicted targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        predictions = self._outputs(X)
        return predictions.ravel() if self.n_outputs_ == 1 else predictions

    # ---- targets -----------------------------------------------------------------------------------------------------

    @property
    def _loss_name(self):
        return self.loss

    def _check_data(self, X, y, *, fresh, incremental):
        X, y = check_training_data(self, X, y, reset=fresh, y_numeric=True)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if LOSSES[self.loss].nonnegative_targets and y.min() < 0:
            raise ValueError(f"loss={self.loss!r} requires y >= 0, got a minimum of {y.min()}; choose another loss.")
        return X, y

    def _n_outputs_of(self, y):
        return 1 if y.ndim == 1 else y.shape[1]

    def _encode(self, y, dtype):
        with np.errstate(over="ignore"):  # what becomes inf makes the loss so, which is reported
            return y.reshape(len(y), -1).astype(dtype)

    def _validation_score(self, predictions, y, weight):
        """Return R^2."""
        if not np.isfinite(predictions).all() or not weight.any():
            return np.nan
        return r2_score(y, predictions, sample_weight=weight)

    def _stratify(self, targets):
        return None
