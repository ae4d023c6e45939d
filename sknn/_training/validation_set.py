"""Validation rows: which they are, and the network's loss and score on them."""

import copy

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from .._runtime.layout import views
from .._validation.data import naming


class ValidationSet:
    """Rows on which a network in training is evaluated, and not trained.

    Parameters
    ----------
    estimator : BaseMLP
    table : Table
    rows : ndarray of int
        Rows of the table to evaluate.
    y : ndarray
        Targets of all rows of the table, as they were given.
    """

    def __init__(self, estimator, table, rows, y):
        self.estimator = estimator
        self.table = table
        self.rows = rows
        self._targets = table.y[rows]
        self._weight = table.weight[rows]
        if estimator.scoring not in (None, "loss"):
            self._scorer = check_scoring(estimator, scoring=estimator.scoring)
            self._X = table.X[rows]
            self._y = y[rows]

    def evaluate(self, network):
        """Return ``(mean loss, score)`` with the network's weights; a greater score is better."""
        predictions, loss = network.outputs_and_loss(self.table, self.rows)
        return float(loss), float(self._score(network, predictions, loss))

    def _score(self, network, predictions, loss):
        estimator = self.estimator
        if estimator.scoring == "loss":
            return -loss
        if estimator.scoring is None:
            with np.errstate(over="ignore", invalid="ignore"):
                return estimator._validation_score(predictions, self._targets, self._weight)
        twin = copy.copy(estimator)
        vars(twin).pop("feature_names_in_", None)  # the rows are an array
        vars(twin).update(views(network.flat, network.layout))
        return self._scorer(twin, self._X, self._y)


def split_rows(X, y, validation_fraction, random_state, labels):
    """Return ``(training rows, validation rows)``.

    They are the first split of a splitter, or drawn as scikit-learn draws them. Drawn rows are
    stratified by ``labels``, if there are any. With two classes the split is scikit-learn's, errors
    included. With more, the only row of a class is a training row, and labels are ignored if there
    are more classes than validation rows.

    Parameters
    ----------
    X, y : as for ``split`` of a splitter
    validation_fraction : float or CV splitter
    random_state : RandomState
    labels : ndarray of shape (n_samples,) or None
    """
    if hasattr(validation_fraction, "split"):
        train_rows, validation_rows = _split_by(validation_fraction, X, y)
    else:
        train_rows, validation_rows = _drawn_split(
            len(y), validation_fraction, random_state, labels
        )
    if len(validation_rows) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return train_rows, validation_rows


def _split_by(splitter, X, y):
    rows = np.arange(len(y))
    chosen = next(iter(splitter.split(X, y)))
    try:
        train_rows, validation_rows = (rows[indices] for indices in chosen)
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"validation_fraction={splitter!r} must split {len(y)} rows into two arrays of "
            f"indices: {error}"
        ) from error
    if train_rows.ndim != 1 or validation_rows.ndim != 1 or len(train_rows) == 0:
        raise ValueError(
            f"validation_fraction={splitter!r} must give one-dimensional indices of training and "
            f"validation rows, got shapes {train_rows.shape} and {validation_rows.shape}."
        )
    return train_rows, validation_rows


def _drawn_split(n_rows, validation_fraction, random_state, labels):
    if validation_fraction == 0:
        raise ValueError("validation_fraction must be in (0, 1) with early_stopping=True, got 0.")
    rows = np.arange(n_rows)
    only_rows = np.empty(0, dtype=np.int64)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if labels is not None and len(classes) > 2:
        is_only = counts[codes] == 1
        only_rows = rows[is_only]
        rows = rows[~is_only]
        labels = labels[~is_only]
        n_validation = int(np.ceil(validation_fraction * len(rows)))
        if min(n_validation, len(rows) - n_validation) < (counts > 1).sum():
            labels = None
    with naming(
        f"early_stopping=True cannot hold out validation_fraction={validation_fraction!r} of "
        f"{len(rows)} rows; change the fraction, pass X_val and y_val to fit, or set "
        "early_stopping=False"
    ):
        train_rows, validation_rows = train_test_split(
            rows, test_size=validation_fraction, random_state=random_state, stratify=labels
        )
    return np.concatenate([train_rows, only_rows]), validation_rows
