"""Targets of the two estimators: checks, encoding for the loss, decoding of outputs, scores."""

import functools

import numpy as np
import scipy.special
from sklearn.metrics import mean_pinball_loss, r2_score
from sklearn.utils.validation import check_is_fitted

from ._prediction import probabilities
from ._validation.calibrated import divide_by_temperature
from ._validation.classes import check_classes, fitted_classes
from ._validation.data import (
    check_regression_targets,
    check_scored_targets,
    check_targets_of_loss,
    check_training_data,
    check_was_fitted,
    scaled,
    target_range,
)
from ._validation.weights import find_class_weights, weigh_classes
from ._warnings import warn_user

_CODES_AT_ONCE = 1 << 18  # bounds the memory that encoding class labels takes


def pinball_score(y, predictions, levels, sample_weight=None, scale=1.0):
    """Return minus the mean pinball loss, averaged over levels and targets too.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_targets)
    predictions : ndarray of shape (n_samples, n_targets) for one level
        One column for each level if there are several, which have one target.
    levels : sequence of float
    sample_weight : ndarray of shape (n_samples,), default=None
    scale : float or ndarray of shape (n_targets,), default=1.0
        Unit of y and of the predictions.
    """
    losses = []
    for k, level in enumerate(levels):
        of_level = predictions if len(levels) == 1 else predictions[:, [k]]
        of_targets = mean_pinball_loss(
            y, of_level, alpha=level, sample_weight=sample_weight, multioutput="raw_values"
        )
        losses.append(float(np.mean(scale * of_targets)))
    return -sum(losses) / len(levels)


def score_quantiles(architecture, predictions, y, sample_weight=None):
    """Return minus the mean pinball loss of predictions for given rows, whose targets are checked.

    ``architecture`` is that of the network, or of one of several whose predictions were averaged.
    """
    y = check_scored_targets(y, len(predictions), architecture.n_targets)
    predictions = predictions.reshape(len(predictions), -1)
    return pinball_score(y, predictions, architecture.loss_parameters, sample_weight)


class ClassificationTargets:
    """Mixin for a :class:`BaseMLP` whose targets are class labels or a multilabel indicator."""

    _score_name = "accuracy"

    @property
    def _loss_name(self):
        return "log_loss" if not self._multilabel and len(self.classes_) > 2 else "binary_log_loss"

    def _check_data(self, X, y, *, fresh, incremental):
        X, y = check_training_data(self, X, y, reset=fresh, y_numeric=False)
        self.classes_ = check_classes(self, y, fresh=fresh, incremental=incremental)
        self._multilabel = y.ndim == 2
        return X, y

    def _check_fitted_data(self, X, y):
        return self._check_data(X, y, fresh=False, incremental=True)

    def _n_outputs_of(self, y):
        if y.ndim == 2:
            return y.shape[1]
        return len(self.classes_) if len(self.classes_) > 2 else 1

    def _find_class_weights(self, y, sample_weight, *, incremental):
        return find_class_weights(
            self.class_weight, self.classes_, y, sample_weight, incremental=incremental
        )

    def _weigh(self, weight, y, class_weights):
        if class_weights is None:
            return weight
        return weigh_classes(class_weights, self.classes_, *weight, y)

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

    def _prepare_predictions(self, y, weight, fresh):
        """Forget the temperature: while training goes on, probabilities are not calibrated."""
        vars(self).pop("temperature_", None)

    def _probabilities(self, X):
        """Return calibrated probabilities, those of both classes if there are two."""
        check_is_fitted(self)
        check_was_fitted(self)
        architecture = self._architecture
        is_calibrated = "temperature_" in vars(self)
        if architecture.n_outputs > 1 and not is_calibrated:
            return self._outputs(X)
        logits = self._outputs(X, link=False)
        if is_calibrated:
            logits = divide_by_temperature(self, logits)
        if architecture.n_outputs == 1:
            # 1 - p would lose the digits of small probabilities
            both = probabilities(np.column_stack([-logits, logits]))
            return both[:, : len(fitted_classes(self))]
        if architecture.loss_part.out_activation == "logistic":
            return probabilities(logits)
        smallest = np.finfo(logits.dtype).tiny
        return scipy.special.softmax(logits, axis=1).clip(smallest)

    def _validation_score(self, predictions, y, weight, loss):
        """Return the accuracy; for multilabel targets, the fraction of rows without an error."""
        if self._architecture.loss_part.out_activation == "softmax":
            correct = predictions.argmax(axis=1) == y[:, 0]
        else:
            correct = ((predictions > 0.5) == (y > 0.5)).all(axis=1)
        return np.average(correct, weights=weight)

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


class RegressionTargets:
    """Mixin for a :class:`BaseMLP` whose targets are real numbers."""

    @property
    def _score_name(self):
        return "neg_mean_pinball_loss" if self._architecture.loss == "quantile" else "r2"

    @property
    def _loss_name(self):
        return self.loss

    def _check_data(self, X, y, *, fresh, incremental):
        X, y = check_training_data(self, X, y, reset=fresh, y_numeric=True)
        check_regression_targets(self, y)
        return X, y

    def _check_fitted_data(self, X, y):
        X, y = check_training_data(self, X, y, reset=False, y_numeric=True)
        check_targets_of_loss(self._architecture.loss, y)
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
        # Targets that overflow when they are cast make the loss infinite, which is reported.
        with np.errstate(over="ignore", invalid="ignore"):
            scales = self._architecture.scales_targets
            if scales and (fresh or not hasattr(self, "y_mean_")):
                self.y_mean_ = np.average(y, axis=0, weights=weight)
                deviation = np.sqrt(np.average((y - self.y_mean_) ** 2, axis=0, weights=weight))
                self.y_scale_ = np.where(deviation > 0, deviation, 1.0)
                if not np.isfinite([self.y_mean_, self.y_scale_]).all():
                    raise ValueError(
                        "normalize_y=True needs targets whose mean and standard deviation are "
                        f"finite, got values up to {np.abs(y).max():.3g}; divide y by a constant."
                    )
            return (scaled(self, y) if scales else y).astype(dtype)

    def _prepare_predictions(self, y, weight, fresh):
        """Keep the range of the targets of all rows that training has seen, to clip predictions,
        and forget the shifts of quantiles: while training goes on, they are not calibrated.
        """
        vars(self).pop("quantile_shifts_", None)
        goes_on = not fresh and "y_min_" in vars(self) and self.clip_output
        known = target_range(self, np.dtype(float)) if goes_on else ()
        for name in ("y_min_", "y_max_"):
            vars(self).pop(name, None)
        if self.clip_output:
            seen = y.reshape(len(y), -1)[weight > 0]
            self.y_min_ = functools.reduce(np.minimum, known[:1], seen.min(axis=0).astype(float))
            self.y_max_ = functools.reduce(np.maximum, known[1:], seen.max(axis=0).astype(float))

    def _validation_score(self, predictions, y, weight, loss):
        """Return R^2 for the squared error, the score of quantiles, or minus another loss."""
        if self.clip_output:
            limits = np.vstack(target_range(self, predictions.dtype))
            predictions = predictions.clip(*(scaled(self, limits) if self.normalize_y else limits))
        if self.loss == "quantile":
            scale = self.y_scale_ if self.normalize_y else 1.0
            levels = self._architecture.loss_parameters
            return pinball_score(y, predictions, levels, weight, scale)
        if self.loss != "squared_error":
            return -loss
        return r2_score(y, predictions, sample_weight=weight) if len(y) > 1 else np.nan

    def _check_validation_targets(self, y):
        is_default = self.scoring is None and self.loss == "squared_error"
        if not is_default and self.scoring not in ("r2", "explained_variance"):
            return
        if len(y) < 2:
            raise ValueError(
                f"scoring={self.scoring!r} needs two or more validation rows of positive weight, "
                "since R^2 of one row is not defined; give more rows, or set scoring='loss'."
            )
        if (y == y[0]).all():
            warn_user(
                "The validation targets are all the same, so R^2 is 0 for whatever is predicted "
                "and early stopping cannot tell epochs apart by it; set scoring='loss', or give "
                "other validation rows.",
                RuntimeWarning,  # scikit-learn's tests forbid a UserWarning here
            )

    def _stratify(self, y):
        return None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = self.loss == "quantile"  # scikit-learn expects R^2
        return tags
