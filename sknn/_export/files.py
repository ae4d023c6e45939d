"""Model files: an estimator as arrays and JSON, without pickle.

The header of the file is a dict:

    format          number of this format
    sknn            version of the package that wrote the file
    estimator       name of the class
    parameters      constructor arguments
    architecture    see ``Architecture.to_dict``
    dtype           of the weights
    record          fitted attributes that training updates, such as ``loss_curve_``
    feature_names   names of the features, or None
    multilabel      whether the targets are an indicator matrix; None for regressors
    object_labels   whether ``classes_`` is an array of objects, which are strings

The arrays are the learned ones under names like ``coefs_0``, and ``classes_`` and, where
probabilities are calibrated, ``temperature_``; or, where targets are
standardized, ``y_mean_`` and ``y_scale_``, where predictions are clipped, ``y_min_`` and
``y_max_``, and where quantiles are calibrated, ``quantile_shifts_``.
"""

import json
import os

import numpy as np
from sklearn.base import is_classifier

from .._runtime.layout import weights_dtype
from .._training.attributes import installed_version
from .._validation.calibrated import checked_shifts, checked_temperature
from .._warnings import clause
from ..parts.custom import Activation, Loss
from .archive import read_archive, write_archive
from .loading import BEFORE_REFIT, FORMAT, KINDS, RANGE, RECORD, SCALING, SHIFTS, make_estimator
from .network import fitted_network
from .plain import to_plain


def save_estimator(estimator, path):
    """Write a fitted estimator to a file; see ``save``."""
    architecture, learned = fitted_network(estimator, "save")
    if type(estimator) not in KINDS.values():
        raise TypeError(
            f"save takes an MLPClassifier or MLPRegressor, got a {type(estimator).__name__}, whose "
            "code load could not find; pickle instances of subclasses."
        )
    header = {
        "format": FORMAT,
        "sknn": installed_version(),
        "estimator": type(estimator).__name__,
        "parameters": _plain_parameters(estimator),
        "architecture": _plain_architecture(architecture),
        "dtype": weights_dtype(estimator).name,
        "record": _plain_record(estimator),
        "feature_names": _feature_names(estimator),
        "multilabel": None,
        "object_labels": False,
        "sparse_targets": bool(getattr(estimator, "_targets_are_sparse", False)),
    }
    arrays = {
        f"{name}{i}": array for name, several in learned.items() for i, array in enumerate(several)
    }
    if is_classifier(estimator):
        header["multilabel"] = bool(estimator._multilabel)
        header["object_labels"] = np.asarray(estimator.classes_).dtype == object
        arrays["classes_"] = _plain_classes(estimator)
        if "temperature_" in vars(estimator):
            arrays["temperature_"] = np.asarray(checked_temperature(estimator))
    else:
        names = SCALING if architecture.scales_targets else ()
        names += RANGE if "y_min_" in vars(estimator) else ()
        arrays |= {name: _plain_numbers(estimator, name) for name in names}
        if SHIFTS in vars(estimator):
            arrays[SHIFTS] = checked_shifts(estimator).astype(float)
    try:
        make_estimator(json.loads(json.dumps(header)), arrays)
    except ValueError as error:
        raise ValueError(f"save found what load would refuse: {clause(error)}.") from error
    write_archive(path, header, arrays)


def load_estimator(path):
    """Return the estimator in a file; see ``load``."""
    path = os.fsdecode(path)
    try:
        return make_estimator(*read_archive(path))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{path} cannot be loaded: {clause(error)}; load takes unchanged files that "
            "sknn.export.save has written."
        ) from error


def _plain_parameters(estimator):
    parameters = {}
    for name, value in estimator.get_params(deep=False).items():
        try:
            parameters[name] = to_plain(value)
        except TypeError as error:
            raise ValueError(
                f"{name}={value!r} cannot be saved without pickle; call set_params({name}=...) "
                "with numbers or strings first, which changes no prediction, or use pickle or "
                "joblib."
            ) from error
    return parameters


def _plain_architecture(architecture):
    for part in [architecture.loss, *(layer.activation for layer in architecture.hidden)]:
        if isinstance(part, (Activation, Loss)):
            raise ValueError(
                f"{part!r} consists of functions of your own, which cannot be saved without "
                "pickle; use pickle or joblib."
            )
    return architecture.to_dict()


def _plain_numbers(estimator, name):
    value = getattr(estimator, name, None)
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, got {value!r}; assign some, or fit.") from error


def _plain_record(estimator):
    histories = ("history_", BEFORE_REFIT) if BEFORE_REFIT in vars(estimator) else ("history_",)
    record = {name: getattr(estimator, name, None) for name in (*RECORD, *histories)}
    try:
        columns = {name: _plain_columns(record[name]) for name in histories}
        return {name: to_plain(value) for name, value in record.items()} | columns
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{', '.join(RECORD)} must be as the last fit has left them to be saved: "
            f"{clause(error)}."
        ) from error


def _plain_columns(history):
    return {name: to_plain(column) for name, column in dict(history).items()}


def _feature_names(estimator):
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _plain_classes(estimator):
    classes = np.asarray(estimator.classes_)
    if classes.dtype == object and all(isinstance(label, str) for label in classes):
        plain = np.array(classes.tolist(), dtype=str)
    else:
        plain = classes
    if plain.dtype.kind not in "biufU" or plain.tolist() != classes.tolist():
        raise ValueError(
            f"classes_ must be numbers or strings to be saved without pickle, got {classes!r}; use "
            "pickle or joblib."
        )
    return plain
