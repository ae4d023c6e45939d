"""Targets of the two estimators: checks, encoding for the loss, decoding of outputs, scores."""

import numpy as np
from sklearn.metrics import mean_pinball_loss, r2_score

from ._validation.data import (
    check_classes,
    check_regression_targets,
    check_sample_weight,
    check_training_data,
    fitted_classes,
    scaled,
    weigh_classes,
)

_CODES_AT_ONCE = 1 << 18  # bounds the memory that encoding class labels takes


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


class RegressionTargets:
    """Mixin for a :class:`BaseMLP` whose targets are real numbers."""

    _score_name = "r2"

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
