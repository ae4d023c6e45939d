"""The two estimators: constructors, documentation and public methods.

Types of arguments are for editors and type checkers. Names of parts are ``str``, so that a new part
is a row in its registry and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.utils.metaestimators import available_if

from ._base import BaseMLP
from ._docs import document
from ._hyperparameters import CLASSIFIER, REGRESSOR, constraints
from ._targets import ClassificationTargets, RegressionTargets, score_quantiles
from ._training.callbacks import with_callbacks
from ._validation.calibrated import shift_quantiles
from ._validation.classes import check_first_call
from ._validation.data import target_range, unscaled
from ._validation.messages import explain_unknown_names
from ._validation.types import keeps_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ._validation.types import ClassWeight, Splitter, Table
    from .parts.custom import Activation, Loss


def _is_stochastic(estimator):
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True


@document
class MLPClassifier(ClassificationTargets, ClassifierMixin, BaseMLP):
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
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Activation | Sequence[str | Activation] = "relu",
        *,
        solver: str = "adam",
        alpha: float | Sequence[float] = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float | tuple[float, float] = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool | Literal["auto"] = False,
        validation_fraction: float | Splitter = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int | float = 10,
        max_fun: int = 15000,
        negative_slope: float = 0.1,
        elu_alpha: float = 1.0,
        maxout_pieces: int = 2,
        initializer: str = "auto",
        parametrization: Literal["standard", "ntk"] = "standard",
        bias_lr_factor: float = 1.0,
        rho: float = 0.9,
        decay_rate: float = 0.1,
        warmup_epochs: float = 0,
        l1_ratio: float | Sequence[float] = 0.0,
        weight_decay: float = 0.0,
        weight_decay_schedule: str = "constant",
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        dropout_schedule: str = "constant",
        input_scale: bool | float = False,
        numeric_embedding: str = "none",
        skip: bool = False,
        batch_norm: bool | Literal["before", "after"] = False,
        batch_norm_momentum: float = 0.9,
        label_smoothing: float = 0.0,
        class_weight: ClassWeight | None = None,
        calibrate: bool = False,
        max_grad_norm: float | None = None,
        scoring: str | Callable[..., float] | None = None,
        early_stopping_window: int = 1,
        restore_best: bool | Literal["latest"] = True,
        refit: bool = False,
        dtype: Literal["float32", "float64"] | None = None,
    ) -> None:
        self._set_parameters(locals())

    @explain_unknown_names
    @with_callbacks
    @keeps_type(_fit_context(prefer_skip_nested_validation=True))
    def fit(
        self,
        X: Table,
        y: Table,
        sample_weight: ArrayLike | None = None,
        X_val: Table | None = None,
        y_val: Table | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
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
        return self._fit(
            X, y, sample_weight, incremental=False, validation=validation, groups=groups
        )

    @keeps_type(available_if(_is_stochastic))
    @explain_unknown_names
    @keeps_type(_fit_context(prefer_skip_nested_validation=False))  # so that _fit knows to validate
    def partial_fit(
        self,
        X: Table,
        y: Table,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on the given samples.

        ``k`` calls with the same samples give the same weights, bit for bit, as one ``fit`` with
        ``max_iter=k`` that does not stop early (with ``batch_norm``, if ``batch_size`` is at least
        32). Not available when solver='lbfgs'.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or the indicator matrix of a multilabel target.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. None is 1 for every sample. They and ``class_weight``
            count relative to the mean weight of the samples of all calls so far.
        classes : array-like of shape (n_classes,), default=None
            All classes that any call will see. Required in the first call.

        Returns
        -------
        self : MLPClassifier
            The trained estimator.
        """
        with self._unchanged_on_error():
            check_first_call(self, classes)
            return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Table) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class of each sample. For a multilabel target, the indicator matrix of
            the labels with a probability over 1/2, sparse if that of the fit was.
        """
        return self._like_targets(self._decode(self._outputs(X)))

    def predict_proba(self, X: Table) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns are in the order of ``classes_``. No probability is exactly 0. With
            calibrate=True they are those of logits / ``temperature_``.
        """
        return self._probabilities(X)

    def predict_log_proba(self, X: Table) -> np.ndarray:
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

    def logits(self, X: Table) -> np.ndarray:
        """Compute the outputs before the logistic function or softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            One-dimensional for two classes. calibrate=True does not change them.
        """
        logits = self._outputs(X, link=False)
        return logits.ravel() if self._architecture.n_outputs == 1 else logits


@document
class MLPRegressor(RegressionTargets, RegressorMixin, BaseMLP):
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
        loss: str | Loss = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Activation | Sequence[str | Activation] = "relu",
        *,
        solver: str = "adam",
        alpha: float | Sequence[float] = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float | tuple[float, float] = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool | Literal["auto"] = False,
        validation_fraction: float | Splitter = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int | float = 10,
        max_fun: int = 15000,
        negative_slope: float = 0.1,
        elu_alpha: float = 1.0,
        maxout_pieces: int = 2,
        initializer: str = "auto",
        parametrization: Literal["standard", "ntk"] = "standard",
        bias_lr_factor: float = 1.0,
        rho: float = 0.9,
        decay_rate: float = 0.1,
        warmup_epochs: float = 0,
        l1_ratio: float | Sequence[float] = 0.0,
        weight_decay: float = 0.0,
        weight_decay_schedule: str = "constant",
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        dropout_schedule: str = "constant",
        input_scale: bool | float = False,
        numeric_embedding: str = "none",
        skip: bool = False,
        batch_norm: bool | Literal["before", "after"] = False,
        batch_norm_momentum: float = 0.9,
        quantile: float | Sequence[float] = 0.5,
        huber_delta: float = 1.0,
        normalize_y: bool = False,
        clip_output: bool = False,
        calibrate: bool = False,
        max_grad_norm: float | None = None,
        scoring: str | Callable[..., float] | None = None,
        early_stopping_window: int = 1,
        restore_best: bool | Literal["latest"] = True,
        refit: bool = False,
        dtype: Literal["float32", "float64"] | None = None,
    ) -> None:
        self._set_parameters(locals())

    @explain_unknown_names
    @with_callbacks
    @keeps_type(_fit_context(prefer_skip_nested_validation=True))
    def fit(
        self,
        X: Table,
        y: Table,
        sample_weight: ArrayLike | None = None,
        X_val: Table | None = None,
        y_val: Table | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
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
        return self._fit(
            X, y, sample_weight, incremental=False, validation=validation, groups=groups
        )

    @keeps_type(available_if(_is_stochastic))
    @explain_unknown_names
    @keeps_type(_fit_context(prefer_skip_nested_validation=False))  # so that _fit knows to validate
    def partial_fit(self, X: Table, y: Table, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on the given samples.

        ``k`` calls with the same samples give the same weights, bit for bit, as one ``fit`` with
        ``max_iter=k`` that does not stop early (with ``batch_norm``, if ``batch_size`` is at least
        32). Not available when solver='lbfgs'.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Real targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. None is 1 for every sample. They count relative to the
            mean weight of the samples of all calls so far.

        Returns
        -------
        self : MLPRegressor
            The trained estimator.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Table) -> np.ndarray:
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
        if "quantile_shifts_" in vars(self):
            predictions = shift_quantiles(self, predictions)
        if "y_min_" in vars(self):
            predictions = predictions.clip(*target_range(self, predictions.dtype))
        return predictions.ravel() if self._architecture.n_outputs == 1 else predictions

    def score(self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R^2, or minus the mean pinball loss if loss='quantile'.

        R^2 rewards the mean, not a quantile. The pinball loss of a prediction p at level q
        is max(q (y - p), (q - 1) (y - p)), averaged over samples, levels and targets.

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
        """
        fitted = getattr(self, "_architecture", None)
        if fitted is None or fitted.loss != "quantile":
            return super().score(X, y, sample_weight=sample_weight)
        return score_quantiles(fitted, self.predict(X), y, sample_weight)
