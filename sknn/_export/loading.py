"""From the content of a model file to an estimator: everything is checked on the way.

A checksum shows damage. Whoever edits a file on purpose can write a new one, so what the header
says is checked against the architecture, and the arrays against both. Constructor parameters are
checked one by one: together they matter for the next fit, which checks them.
"""

from numbers import Integral, Real

import numpy as np

from .._runtime.architecture import Architecture
from .._training.attributes import installed_version
from .._training.record import HISTORY_COLUMNS, TrainingRecord
from .._validation.calibrated import checked_shifts, checked_temperature
from .._validation.classes import fitted_classes
from .._validation.data import target_range
from .._validation.parameters import check_elements
from ..mlp import MLPClassifier, MLPRegressor
from ..parts.custom import loss_part
from .plain import from_plain

FORMAT = 1
KINDS = {kind.__name__: kind for kind in (MLPClassifier, MLPRegressor)}
RECORD = tuple(vars(TrainingRecord(early_stopping=False)))
BEFORE_REFIT = "history_before_refit_"  # only some networks have it
SCALING = ("y_mean_", "y_scale_")
RANGE = ("y_min_", "y_max_")
SHIFTS = "quantile_shifts_"

_KEYS = {
    "format": int,
    "sknn": str,
    "estimator": str,
    "parameters": dict,
    "architecture": dict,
    "dtype": str,
    "record": dict,
    "feature_names": (list, type(None)),
    "multilabel": (bool, type(None)),
    "object_labels": bool,
    "sparse_targets": bool,
}
_COUNTS = {"n_iter_", "t_", "best_iter_"}
_COLUMNS = {"loss_curve_", "validation_scores_"}
_MAY_BE_NONE = {"best_loss_", "best_validation_score_", "validation_scores_"}


def make_estimator(header, arrays):
    """Return the estimator that the content of a file describes.

    Parameters
    ----------
    header : object
        See files.py for what it should be.
    arrays : dict of ndarray

    Raises
    ------
    ValueError, TypeError, KeyError, RecursionError or OverflowError
        If something is wrong with them.
    """
    _check_header(header)
    arrays = dict(arrays)
    kind = KINDS[header["estimator"]]
    estimator = kind(**_parameters(kind, header["parameters"]))
    estimator._validate_params()
    check_elements(estimator)
    architecture = Architecture.from_dict(header["architecture"])
    task = "classification" if kind is MLPClassifier else "regression"
    _require(loss_part(architecture.loss).task == task, f"loss is {architecture.loss!r}")
    estimator._architecture = architecture
    vars(estimator).update(_checked_record(header["record"]))
    estimator._set_sizes(architecture)
    estimator._targets_are_sparse = header["sparse_targets"]
    _set_features(estimator, header["feature_names"])
    _set_learned(estimator, arrays, np.dtype(header["dtype"]))
    if kind is MLPClassifier:
        _set_classes(estimator, header, arrays.pop("classes_"))
        if "temperature_" in arrays:
            estimator.temperature_ = arrays.pop("temperature_").item()
            checked_temperature(estimator)  # raises unless it is one
    else:
        names = SCALING if architecture.scales_targets else ()
        names += RANGE if "y_min_" in arrays else ()
        for name in names:
            setattr(estimator, name, _of_targets(name, arrays.pop(name), architecture.n_targets))
        if "y_min_" in names:
            target_range(estimator, np.dtype(float))  # raises unless it is one
        if SHIFTS in arrays:
            estimator.quantile_shifts_ = arrays.pop(SHIFTS).copy()
            checked_shifts(estimator)  # raises unless they are
    _require(not arrays, f"it has the arrays {sorted(arrays)} too many")
    estimator._gather_weights()
    return estimator


def _require(condition, message):
    if not condition:
        raise ValueError(message)


def _check_header(header):
    _require(isinstance(header, dict) and "format" in header, "its header is of another kind")
    version = header["format"]
    if isinstance(version, int) and version > FORMAT:
        raise ValueError(
            f"sknn {header.get('sknn')} wrote it in format {version}, and this is sknn "
            f"{installed_version()}, which knows formats up to {FORMAT}; update sknn"
        )
    _require(version == FORMAT, f"format {version!r} does not exist")
    _require(set(header) == set(_KEYS), f"its header has the keys {sorted(header)}")
    for key, kinds in _KEYS.items():
        _require(isinstance(header[key], kinds), f"{key} is {header[key]!r}")
    _require(header["estimator"] in KINDS, f"estimator is {header['estimator']!r}")
    _require(header["dtype"] in ("float32", "float64"), f"dtype is {header['dtype']!r}")


def _parameters(kind, plain):
    unknown = sorted(set(plain) - set(kind().get_params()))
    _require(not unknown, f"{kind.__name__} has no parameters {unknown}")
    return {name: from_plain(value) for name, value in plain.items()}


def _set_learned(estimator, arrays, dtype):
    for value in estimator._architecture.learned:
        name = f"{value.name}{value.index}"
        array = arrays.pop(name)
        described = f"{name} has shape {array.shape} and type {array.dtype}"
        _require(array.shape == value.shape and array.dtype == dtype, described)
        _require(np.isfinite(array).all(), f"{name} has values that are not finite")
        vars(estimator).setdefault(value.name, []).append(array)


def _set_classes(estimator, header, classes):
    _require(header["multilabel"] is not None, "multilabel is None")
    _require(classes.ndim == 1, f"classes_ has shape {classes.shape}")
    is_number = classes.dtype.kind in "biuf"
    _require(is_number or classes.dtype.kind == "U", f"classes_ has type {classes.dtype}")
    rising = bool((classes[:-1] < classes[1:]).all())
    _require(rising, "classes_ are not in rising order")
    _require(not (is_number and header["object_labels"]), "classes_ are no strings")
    estimator.classes_ = classes.astype(object) if header["object_labels"] else classes.copy()
    estimator._multilabel = header["multilabel"]
    fitted_classes(estimator)  # raises unless there is one for each output
    loss = estimator._architecture.loss
    _require(loss == estimator._loss_name, f"loss is {loss!r} for {len(classes)} classes")
    if estimator._multilabel:
        _require(len(classes) == estimator.n_outputs_, f"there are {len(classes)} labels")


def _of_targets(name, array, n_targets):
    is_possible = array.shape in ((), (1,), (n_targets,)) and array.dtype == np.float64
    _require(is_possible, f"{name} has shape {array.shape} and type {array.dtype}")
    _require(np.isfinite(array).all(), f"{name} has values that are not finite")
    return array.copy()


def _set_features(estimator, names):
    estimator.n_features_in_ = estimator._architecture.n_features
    if names is not None:
        are_strings = all(isinstance(name, str) for name in names)
        fits = are_strings and len(names) == estimator.n_features_in_
        _require(fits, f"feature_names has {len(names)} elements, which must be strings")
        estimator.feature_names_in_ = np.array(names, dtype=object)


# ---- the record of training --------------------------------------------------------------------


def _checked_record(record):
    """Return the fitted attributes that training updates, after checking them."""
    _require(set(record) - {BEFORE_REFIT} == set(RECORD), f"record has the keys {sorted(record)}")
    for name, value in record.items():
        if name in _COUNTS:
            is_possible = _is_number(value) and isinstance(value, Integral) and value >= 0
        elif name in _COLUMNS:
            is_possible = _is_column(value)
        elif name in ("history_", BEFORE_REFIT):
            is_possible = _is_history(value)
        else:
            is_possible = _is_number(value)
        is_possible = is_possible or (value is None and name in _MAY_BE_NONE)
        _require(is_possible, f"{name} is {value!r}")
    return record


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_column(value):
    return isinstance(value, list) and all(map(_is_number, value))


def _is_history(value):
    """Return whether it is a dict of equally long columns; callbacks may have added some."""
    if not isinstance(value, dict) or not set(HISTORY_COLUMNS) <= set(value):
        return False
    columns = list(value.values())
    return all(map(_is_column, columns)) and len(set(map(len, columns))) == 1
