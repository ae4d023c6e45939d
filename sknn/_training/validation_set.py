"""The validation rows that early stopping watches: which they are, and what they score."""

import copy

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from .._runtime.layout import views


class Monitor:
    """Score a network in training on rows that it is not trained on.

    Parameters
    ----------
    estimator : BaseMLP
    table : Table
    rows : ndarray of int
        Rows of the table to score.
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

    def evaluate(self, session):
        """Return ``(mean loss, score)`` of the validation rows with the session's weights; a
        greater score is better.
        """
        predictions, loss = session.outputs_and_loss(self.table, self.rows)
        scoring = self.estimator.scoring
        if scoring == "loss":
            return loss, -loss
        if scoring is None:
            with np.errstate(over="ignore", invalid="ignore"):
                return loss, float(
                    self.estimator._validation_score(predictions, self._targets, self._weight)
                )
        twin = copy.copy(self.estimator)
        vars(twin).pop("feature_names_in_", None)  # the rows are an array
        vars(twin).update(views(session.flat, session.layout))
        return loss, float(self._scorer(twin, self._X, self._y))


def split_rows(X, y, validation_fraction, random_state, labels):
    """Return ``(training rows, validation rows)``: the first split of a splitter, or drawn as
    scikit-learn draws them.

    Drawn rows are stratified by ``labels`` if there are any. With two classes the split is
    scikit-learn's, errors included. With more, the only row of a class is trained on, and labels
    are ignored if there are more classes than validation rows.
    """
    if hasattr(validation_fraction, "split"):
        rows = np.arange(len(y))
        train_rows, validation_rows = (
            rows[which] for which in next(iter(validation_fraction.split(X, y)))
        )
    else:
        train_rows, validation_rows = _drawn_split(
            len(y), validation_fraction, random_state, labels
        )
    if len(validation_rows) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    return train_rows, validation_rows


def _drawn_split(n_rows, validation_fraction, random_state, labels):
    if validation_fraction == 0:
        raise ValueError("validation_fraction must be in (0, 1) with early_stopping=True, got 0.")
    rows = np.arange(n_rows)
    alone = np.empty(0, dtype=np.int64)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if labels is not None and len(classes) > 2:
        single = counts[codes] == 1
        rows, alone, labels = rows[~single], rows[single], labels[~single]
        n_validation = int(np.ceil(validation_fraction * len(rows)))
        if min(n_validation, len(rows) - n_validation) < (counts > 1).sum():
            labels = None
    train_rows, validation_rows = train_test_split(
        rows, test_size=validation_fraction, random_state=random_state, stratify=labels
    )
    return np.concatenate([train_rows, alone]), validation_rows
