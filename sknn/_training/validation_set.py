"""Validation rows: which they are, and the network's loss and score on them."""

import copy
import re
import zlib

import numpy as np
from sklearn.model_selection import train_test_split

from .._runtime.layout import views
from .._validation.data import naming
from ..parts.custom import loss_part
from .scoring import ValidationScorer

_ROWS_OF_CHECKSUM = 4096


class ValidationSet:
    """Rows on which a network in training is evaluated, and not trained.

    Rows of weight 0 are left out: they must not decide when training stops.

    Parameters
    ----------
    estimator : BaseMLP
    table : Table
    rows : ndarray of int
        Rows of the table to evaluate.
    samples : Samples
        What the table was made of.
    """

    def __init__(self, estimator, table, rows, samples):
        self.estimator = estimator
        self.table = table
        self.rows = rows[table.weight[rows] > 0]  # far smaller ones than others are 0 in float32
        if len(self.rows) == 0:
            raise ValueError(
                "All rows that early_stopping holds back have a weight of 0, or one that is 0 in "
                f"{table.weight.dtype} beside the mean weight, so there is no score "
                "to watch; choose other rows by validation_fraction="
                f"{estimator.validation_fraction!r}, or give X_val and y_val."
            )
        self._samples = samples
        self._targets = table.y[self.rows]
        self._weight = table.weight[self.rows]
        self._n_undefined = 0
        self._cause = None
        self._scorer = None
        if estimator.early_stopping:
            estimator._check_validation_targets(self._targets)
        if estimator.scoring not in (None, "loss"):
            self._scorer = ValidationScorer(estimator, samples, self.rows)

    def evaluate(self, network):
        """Return ``(mean loss, score)`` with the network's weights; a greater score is better, and
        one that is not finite is not defined.
        """
        predictions, loss = network.outputs_and_loss(self.table, self.rows)
        score = float(self._score(network, predictions, loss))
        if not np.isfinite(score):
            self.count_undefined(
                f"scoring={self.estimator.scoring!r} gave {score}; the rows may be too few, or "
                "lack a class"
            )
        return float(loss), score

    def count_undefined(self, cause):
        """Count an epoch whose score early stopping cannot use."""
        self._n_undefined += 1
        self._cause = cause

    def _score(self, network, predictions, loss):
        estimator = self.estimator
        if estimator.scoring == "loss":
            return -loss
        if estimator.scoring is None:
            with np.errstate(over="ignore", invalid="ignore"):
                return estimator._validation_score(
                    predictions, self._targets, self._weight, float(loss)
                )
        return self._scorer(in_training(estimator, network))

    def samples(self):
        """Return the rows of X and their targets, as checked."""
        return self._samples.X[self.rows], self._samples.y[self.rows]

    def targets_and_weight(self):
        """Return the encoded targets of the rows, and their weights."""
        return self._targets, self._weight

    def yardstick(self):
        """Return what decides which scores can be compared: plain values that are equal if the
        score is computed in the same way on the same rows.
        """
        checksum = 0
        for start in range(0, len(self.rows), _ROWS_OF_CHECKSUM):
            rows = self._samples.X[self.rows[start : start + _ROWS_OF_CHECKSUM]]
            parts = (rows.data, rows.indices, rows.indptr) if hasattr(rows, "indptr") else (rows,)
            for part in parts:
                checksum = zlib.crc32(np.ascontiguousarray(part), checksum)
        for part in (self._targets, self._weight):
            checksum = zlib.crc32(np.ascontiguousarray(part), checksum)
        return *_description_of_score(self.estimator), len(self.rows), checksum

    def warnings(self):
        """Return what to tell the user about scores that early stopping could not use."""
        if self._n_undefined == 0 or not self.estimator.early_stopping:
            return []
        return [
            f"The score of the {len(self.rows)} validation rows was not finite after "
            f"{self._n_undefined} epochs, which early stopping counted as no improvement: "
            f"{self._cause}."
        ]


def in_training(estimator, network):
    """Return a copy of an estimator that predicts with the network's present weights."""
    twin = copy.copy(estimator)
    vars(twin).update(views(network.flat, network.layout))
    return twin


def score_name(estimator, scoring=None):
    """Return the name of the score that is watched: a scorer's, or the network's own one if
    ``scoring`` is None.
    """
    if isinstance(scoring, str):
        return scoring
    if scoring is not None:
        return getattr(scoring, "__name__", "score")
    is_error = estimator._score_name == "r2" and estimator._architecture.loss != "squared_error"
    return "neg_loss" if is_error else estimator._score_name


def description_of_loss(estimator):
    """Return the loss as text that is the same in every process, and its parameters."""
    loss = estimator._loss_name
    return _description(loss), *loss_part(loss).parameter_values(estimator).tolist()


def _description_of_score(estimator):
    """Return how the score is computed, as texts that are the same in every process."""
    scoring = estimator.scoring
    if scoring is not None and scoring != "loss":
        return (_description(scoring),)
    name = score_name(estimator, scoring)
    return (name,) if name in ("accuracy", "r2") else (name, *description_of_loss(estimator))


def _description(value):
    """Return a text that describes a parameter, without addresses in memory."""
    if hasattr(value, "__code__"):  # lambda functions share a name
        return f"{value.__module__}.{value.__qualname__}:{value.__code__.co_firstlineno}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def description_of_split(validation_fraction, groups, known):
    """Return what decides how rows are split, as plain values that are the same in every process.

    Groups that are not given again stay as they were ``known``.
    """
    if not hasattr(validation_fraction, "split"):
        return validation_fraction, None, None
    arrays = [
        array.tolist()
        for array in getattr(validation_fraction, "__dict__", {}).values()
        if isinstance(array, np.ndarray)
    ]
    if groups is not None:
        groups = zlib.crc32(repr(np.asarray(groups).tolist()).encode())
    elif known is not None:
        groups = known[-1]
    return _description(validation_fraction), zlib.crc32(repr(arrays).encode()), groups


def split_rows(X, y, validation_fraction, random_state, labels, *, weight=None, groups=None):
    """Return ``(training rows, validation rows)``.

    They are the first split of a splitter, or drawn as scikit-learn draws them. Drawn rows are
    stratified by ``labels``, if there are any. With two classes the split is scikit-learn's, and a
    class of one row is refused. With more, the only row of a class is a training row, and labels
    are ignored if there are more classes than validation rows. Rows of weight 0 are as good as
    absent: rows are drawn among the others, and these are training rows.

    Parameters
    ----------
    X, y : as for ``split`` of a splitter
    validation_fraction : float or CV splitter
    random_state : RandomState
    labels : ndarray of shape (n_samples,) or None
    weight : ndarray of shape (n_samples,) or None, default=None
        Sample weights. None is 1 for every sample.
    groups : array-like of shape (n_samples,) or None, default=None
        For a splitter that reads them.
    """
    if hasattr(validation_fraction, "split"):
        train_rows, validation_rows = _split_by(validation_fraction, X, y, groups)
    elif weight is None or weight.all():
        train_rows, validation_rows = _drawn_split(
            len(y), validation_fraction, random_state, labels
        )
    else:
        rows = np.flatnonzero(weight)
        labels = None if labels is None else labels[rows]
        with naming(f"only {len(rows)} rows have a positive weight"):
            train_rows, validation_rows = (
                rows[drawn]
                for drawn in _drawn_split(len(rows), validation_fraction, random_state, labels)
            )
        train_rows = np.concatenate([train_rows, np.flatnonzero(weight == 0)])
    if len(validation_rows) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            f"dataset: {len(validation_rows)} of {len(y)} rows were held back; rows of weight 0 "
            "do not count. Or pass X_val and y_val to fit, or set early_stopping=False."
        )
    return train_rows, validation_rows


def _first_split(splitter, X, y, groups):
    further = {} if groups is None else {"groups": groups}
    with naming(
        f"validation_fraction={splitter!r} cannot split the rows; if it needs groups, pass them as "
        "fit(X, y, groups=...); a search such as GridSearchCV keeps its groups for cv, and passes "
        "them on only after sklearn.set_config(enable_metadata_routing=True)"
    ):
        split = next(iter(splitter.split(X, y, **further)), None)
        if split is None:
            raise ValueError("it gives no split.")
    return split


def _split_by(splitter, X, y, groups):
    rows = np.arange(len(y))
    chosen = _first_split(splitter, X, y, groups)
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
    problem = (
        f"early_stopping=True cannot hold out validation_fraction={validation_fraction!r} of "
        f"{len(rows)} rows; change the fraction"
    )
    if len(classes) == 2 and counts.min() == 1:
        problem = (
            "early_stopping=True needs two rows of each class, one to train on and one to hold "
            "out, and of one class in y there is only one; leave that row out"
        )
    with naming(f"{problem}, pass X_val and y_val to fit, or set early_stopping=False"):
        train_rows, validation_rows = train_test_split(
            rows, test_size=validation_fraction, random_state=random_state, stratify=labels
        )
    return np.concatenate([train_rows, only_rows]), validation_rows
