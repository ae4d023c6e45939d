"""Weights of samples, and of classes, by which those of samples are multiplied.

Weights of classes belong to the classes that the network knows, not to those of the rows at hand,
so that a batch of ``partial_fit`` or a validation set without some class changes nothing.
"""

from numbers import Real

import numpy as np
from sklearn.utils.validation import _check_sample_weight

_INDICATOR = np.array([0, 1])


class NoWeightError(ValueError):
    """The weights of the classes leave no row with a positive weight."""


def check_sample_weight(sample_weight, X):
    """Check sample weights and scale them to a maximum of 1, so that sums cannot overflow.

    Returns
    -------
    weight : ndarray of shape (n_samples,), float64
    largest : float
        What they were divided by.
    """
    if sample_weight is None:
        return np.broadcast_to(1.0, X.shape[0]), 1.0
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    largest = weight.max()
    if largest == 0:
        raise ValueError("sample_weight must have at least one positive weight, got only zeros.")
    _check_largest(largest, "sample_weight")
    return weight / largest, largest


def _check_largest(largest, name):
    """Raise if the largest weight is a number that has lost its digits, or is infinite."""
    if not np.finfo(np.float64).tiny <= largest < np.inf:
        raise ValueError(
            f"{name} must have a largest weight between 2.3e-308 and 1.7e308, got {largest}; "
            "multiply all of them by a constant, which changes only how much alpha counts."
        )


def relative_weight(weight, largest, train_rows, dtype, seen=(0.0, 0)):
    """Scale sample weights to a mean of 1 over the training rows.

    Rows of one call of ``partial_fit`` may all have the same weight, so that only other calls show
    what it is worth: there the mean is that of the rows of all calls so far.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
    largest : float
        As :func:`check_sample_weight` returns them.
    train_rows : ndarray of int or None
        None stands for all rows.
    dtype : dtype
        Of the result.
    seen : (float, int), default=(0.0, 0)
        Mean weight and number of the rows of the calls before.

    Returns
    -------
    relative : ndarray of shape (n_samples,)
    mean : float
        Mean of the weights as the user gave them, over the rows before and these.
    """
    rows = weight if train_rows is None else weight[train_rows]
    mean = rows.mean()
    if mean == 0:
        raise ValueError(
            "sample_weight must have at least one positive weight among the rows that "
            "early_stopping leaves for training."
        )
    mean_before, n_before = seen
    mean_here = mean * largest
    mean_of_all = mean_before + (mean_here - mean_before) * (len(rows) / (n_before + len(rows)))
    if mean_of_all != mean_here:
        mean = mean_of_all / largest
    relative = np.empty(len(weight), dtype)
    # computed in float64, but without a float64 array of its own
    np.divide(weight, mean, out=relative, casting="same_kind")
    return relative, mean_of_all


def find_class_weights(class_weight, classes, y, sample_weight, *, incremental):
    """Return the weight of each class: an array over the classes for each column of y.

    Parameters
    ----------
    class_weight : dict, list of dict, 'balanced' or None
        As given by the user.
    classes : ndarray
        Sorted class labels. Not used for the columns of an indicator matrix, which hold 0 and 1.
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Checked targets of the training set.
    sample_weight : ndarray of shape (n_samples,)
        Sample weights, which 'balanced' counts.
    incremental : bool
        Whether y is only some of the targets, so that they cannot be balanced.

    Returns
    -------
    class_weights : list of ndarray, or None without ``class_weight``
    """
    if class_weight is None:
        return None
    if incremental and _is_balanced(class_weight):
        raise ValueError(
            "class_weight='balanced' cannot be used with partial_fit, which sees only some of the "
            "samples; use a dict of weights."
        )
    if y.ndim == 1:
        if isinstance(class_weight, list):
            raise ValueError(
                "class_weight must be a dict or 'balanced' for one column of labels; a list of "
                f"dicts is for multilabel targets. Got {class_weight!r}."
            )
        return [_weights_of(class_weight, classes, y, sample_weight)]
    return [
        _weights_of(of_column, _INDICATOR, column != 0, sample_weight)
        for of_column, column in zip(_for_each_column(class_weight, y), y.T, strict=True)
    ]


def weigh_classes(class_weights, classes, weight, largest, y):
    """Multiply sample weights by the weights of the classes.

    Parameters
    ----------
    class_weights : list of ndarray
        From :func:`find_class_weights`.
    classes : ndarray
        Sorted class labels.
    weight : ndarray of shape (n_samples,)
    largest : float
        As ``check_sample_weight`` returns them.
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Checked targets, all of them known classes.

    Returns
    -------
    weight, largest : like the arguments
        The new ones, scaled to a maximum of 1 again.
    """
    if y.ndim == 1:
        weight = weight * class_weights[0][np.searchsorted(classes, y)]
    else:
        for of_column, column in zip(class_weights, y.T, strict=True):
            weight = weight * of_column[(column != 0).astype(int)]
    factor = weight.max()
    if factor == 0:
        raise NoWeightError(
            "class_weight and sample_weight must leave at least one row with a positive weight, "
            "their products are all 0."
        )
    _check_largest(largest * factor, "class_weight times sample_weight")
    return weight / factor, largest * factor


def _is_balanced(class_weight):
    return "balanced" in (class_weight if isinstance(class_weight, list) else [class_weight])


def _for_each_column(class_weight, y):
    """Return what was given for each column of an indicator matrix."""
    n_labels = y.shape[1]
    if isinstance(class_weight, dict):
        raise ValueError(
            "For multi-output, class_weight should be a list of dicts, one for each label such as "
            f"{{0: 1, 1: 5}}, or the string 'balanced'. Got {class_weight!r}."
        )
    if not isinstance(class_weight, list):
        return [class_weight] * n_labels
    if len(class_weight) != n_labels:
        raise ValueError(
            "For multi-output, number of elements in class_weight should match number of outputs: "
            f"got {len(class_weight)} for {n_labels} labels."
        )
    return class_weight


def _weights_of(choice, classes, y, sample_weight):
    """Return the weights of the classes of one column."""
    if isinstance(choice, dict):
        return _named_weights(choice, classes)
    if isinstance(choice, str) and choice == "balanced":
        return _balanced_weights(classes, y, sample_weight)
    raise ValueError(f"class_weight must consist of dicts, got {choice!r}.")


def _balanced_weights(classes, y, sample_weight):
    """Return n_samples / (n_classes n_samples_of_class), where each sample counts its weight."""
    counts = np.bincount(np.searchsorted(classes, y), sample_weight, minlength=len(classes))
    is_present = counts > 0
    weights = np.ones(len(classes))
    weights[is_present] = counts.sum() / (is_present.sum() * counts[is_present])
    return weights


def _named_weights(weight_of, classes):
    """Return the weights that a dict gives, and 1 for classes that it does not name.

    As in scikit-learn, other keys are allowed if all classes are named, and a class that is a
    string of digits may be named by the number.
    """
    weights = np.ones(len(classes))
    used = set()
    missing = []
    for position, label in enumerate(classes.tolist()):
        names = [name for name in (label, _number_in(label)) if name in weight_of]
        if names:
            weights[position] = _checked_weight(weight_of, names[0])
            used.add(names[0])
        else:
            missing.append(label)
    unknown = [key for key in weight_of if key not in used]
    if unknown and missing:
        raise ValueError(
            f"The classes, {missing}, are not in class_weight, which has the keys {unknown} that "
            f"are no classes. Keys must be labels in classes_: {classes.tolist()}."
        )
    return weights


def _number_in(label):
    """Return the integer that a string of digits stands for; other labels as they are."""
    is_number = isinstance(label, str) and label.removeprefix("-").isdecimal()
    return int(label) if is_number else label


def _checked_weight(weight_of, name):
    weight = weight_of[name]
    if not isinstance(weight, (Real, np.bool_)) or not 0 <= weight < np.inf:
        raise ValueError(
            f"class_weight must have finite weights that are not negative, got {weight!r} for "
            f"{name!r}."
        )
    return float(weight)
