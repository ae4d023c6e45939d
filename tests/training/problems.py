"""Small problems to train on, and comparisons of what was learned, bit for bit."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_regression

from sknn import MLPClassifier, MLPRegressor

PATIENT = {"tol": 0, "n_iter_no_change": np.inf}


def classification(n_rows=120, n_classes=3):
    return make_blobs(n_rows, n_features=5, centers=n_classes, cluster_std=4.0, random_state=1)


def regression(n_rows=120, n_outputs=1):
    X, y = make_regression(n_rows, 5, n_targets=n_outputs, noise=10, random_state=1)
    return X, (y - y.mean(axis=0)) / y.std(axis=0)


CASES = {MLPClassifier: classification(), MLPRegressor: regression()}
both_kinds = pytest.mark.parametrize("kind", CASES)


def parts(estimator):
    return [*estimator.coefs_, *estimator.intercepts_]


def assert_same_bits(one, other):
    for mine, reference in zip(parts(one), parts(other), strict=True):
        assert mine.dtype == reference.dtype
        np.testing.assert_array_equal(mine, reference)


def assert_close_weights(one, other, rtol):
    for mine, reference in zip(parts(one), parts(other), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=rtol, atol=rtol)


def without_seconds(history):
    return {column: values for column, values in history.items() if column != "seconds"}


def assert_same_training(one, other):
    """Compare weights and the whole record of training, bit for bit."""
    assert_same_bits(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_scores_ == other.validation_scores_
    np.testing.assert_equal(without_seconds(one.history_), without_seconds(other.history_))
    for name in (
        "loss_",
        "best_loss_",
        "best_validation_score_",
        "best_iter_",
        "t_",
        "n_parameters_",
    ):
        assert getattr(one, name) == getattr(other, name), name


def settings_name(settings):
    """Name a case by the values of its settings."""
    return "-".join(map(str, settings.values())) or "defaults"
