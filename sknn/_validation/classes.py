"""Class labels: those of a fit, against those of earlier ones."""

from numbers import Real

import numpy as np
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)

from .explanations import WITHOUT_MISSING, has_missing, warn_of_one_hot

_TYPES = {"b": "bool", "i": "int", "u": "int", "f": "float"}
_SEQUENCES = (list, tuple, set, frozenset, np.ndarray)


def check_first_call(estimator, classes):
    """Set ``classes_`` in a first call of ``partial_fit``, or raise an error about the argument
    ``classes``.
    """
    try:
        labels = np.asarray(classes)
    except ValueError as error:
        raise ValueError(f"classes={classes!r} must have one label for each class.") from error
    if classes is not None and labels.ndim == 1:
        if labels.dtype.kind == "f" and np.isnan(labels).any():
            raise ValueError(f"classes={classes!r} has missing values; leave them out.")
        _check_types(labels, "classes")
    _check_partial_fit_first_call(estimator, classes)


def check_classes(estimator, y, *, fresh, incremental):
    """Check the labels of a fit against those of earlier ones.

    Parameters
    ----------
    estimator : MLPClassifier
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Targets from :func:`check_training_data`.
    fresh : bool
        Whether training starts anew.
    incremental : bool
        Whether y may lack classes: in ``partial_fit``, and in validation sets.

    Returns
    -------
    classes : ndarray
        Sorted class labels of all fits, or column numbers of an indicator matrix.
    """
    seen = _classes_in(y)
    is_multilabel = y.ndim == 2
    if fresh and is_multilabel:
        warn_of_one_hot(y)
    if not fresh or incremental:
        was_multilabel = getattr(estimator, "_multilabel", is_multilabel)
        if is_multilabel != was_multilabel:
            raise ValueError(
                f"y of shape {y.shape} does not fit the earlier training, which was on "
                f"{'an indicator matrix' if was_multilabel else 'one column'} of labels."
            )
    if not hasattr(estimator, "classes_") or (fresh and not incremental):
        return seen
    classes = np.asarray(estimator.classes_)
    if classes.ndim != 1 or not (classes[:-1] < classes[1:]).all():
        # targets are looked up by bisection
        raise ValueError(
            f"classes_ must be sorted labels to train further, got {estimator.classes_!r}; set "
            "warm_start=False and call fit to begin anew."
        )
    if not incremental and set(seen) != set(classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call "
            f"to fit. Previously got {classes}, `y` has {seen}"
        )
    unseen = np.setdiff1d(seen, classes, assume_unique=True)
    if len(unseen):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. "
            f"'y' has {seen}. Leave rows of {unseen} out, or begin training with these classes too."
        )
    return classes


def _classes_in(y):
    if y.ndim == 1:
        _check_types(y, "y")
    # Integers are always classes. type_of_target would take longer than many an epoch.
    are_codes = y.ndim == 1 and y.dtype.kind in "biu"
    kind = "multiclass" if are_codes else type_of_target(y, input_name="y")
    if kind == "multiclass-multioutput":
        raise ValueError(
            "Multioutput target data is not supported: y must be one column of labels or a 0/1 "
            "indicator matrix; MultiOutputClassifier fits a network for each column."
        )
    if kind not in ("binary", "multiclass", "multilabel-indicator"):
        check_classification_targets(y)  # its error names the kind
    # unique_labels would ask for the type of target once more
    is_plain = y.ndim == 1 and y.dtype.kind in "biuf" and y.dtype.isnative
    return np.unique(y) if is_plain else unique_labels(y)


def _check_types(labels, name):
    """Raise if labels have a type that scikit-learn does not know, or that cannot be sorted.

    It would not say which argument is meant, and sorts before it looks: text and bytes differ.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
    name : str
        Of the argument.
    """
    if labels.dtype.kind == "S":
        raise TypeError(
            "Support for labels represented as bytes is not supported: decode them, such as by "
            f"{name}.astype(str)."
        )
    if labels.dtype.kind == "V":
        raise ValueError(
            f"Unknown label type: unknown. {name} has dtype {labels.dtype}; pass one of its fields."
        )
    if labels.dtype.kind == "O":
        _check_objects(labels, name)


def _check_objects(labels, name):
    """Raise a ValueError if labels of dtype object are not all strings."""
    values = labels.tolist()
    if all(isinstance(label, str) for label in values):
        return
    if has_missing(labels):
        way_out = WITHOUT_MISSING if name == "y" else f"{name} has missing values; leave them out."
        raise ValueError(f"Unknown label type: unknown. {way_out}")
    if not any(isinstance(label, _SEQUENCES) for label in values):  # else scikit-learn's error
        found = ", ".join(sorted({type(label).__name__ for label in values}))
        are_plain = all(isinstance(label, str | Real | np.bool_) for label in values)
        common = _TYPES.get(np.array(values).dtype.kind, "str") if are_plain else "str"
        raise ValueError(
            f"Unknown label type: unknown. {name} has dtype object, with labels of type {found}; "
            f"convert them to one dtype, such as by {name}.astype({common})."
        )


def fitted_classes(estimator):
    """Return ``classes_`` as an array, after checking that there is one for each output."""
    classes = np.asarray(getattr(estimator, "classes_", None))
    n_outputs = estimator._architecture.n_outputs
    if classes.ndim != 1 or len(classes) not in ((1, 2) if n_outputs == 1 else (n_outputs,)):
        raise ValueError(
            f"classes_ must be an array of {max(2, n_outputs)} labels for this network, got shape "
            f"{classes.shape}; assign as many labels as fit has found."
        )
    return classes
