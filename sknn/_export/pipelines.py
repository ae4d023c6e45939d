"""ONNX models of pipelines and ensembles, through skl2onnx and the converters for it."""

import copy

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from .._runtime.layout import weights_dtype
from .._tabular.kinds import CATEGORY
from ..mlp import MLPClassifier, MLPRegressor
from .models import build_model, check_options

_IDLE = "passthrough"


def build_any_model(estimator, name, dtype, opset):
    """Return a fitted estimator as a ``ModelProto``; see ``to_onnx`` for the arguments."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    if isinstance(estimator, (MLPClassifier, MLPRegressor)):
        return build_model(estimator, name, dtype, opset)
    check_is_fitted(estimator)
    try:
        import onnx  # noqa: PLC0415
        import skl2onnx  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            "to_onnx requires onnx, and for pipelines and ensembles skl2onnx; install them with "
            "`pip install onnx skl2onnx`."
        ) from error
    newest = min(onnx.defs.onnx_opset_version(), skl2onnx.__max_supported_opset__)
    check_options(name, dtype, opset, ("label", "probabilities", "variable"), newest)
    estimator = _without_idle_steps(estimator)
    return skl2onnx.to_onnx(
        estimator,
        initial_types=_inputs(estimator, name, dtype),
        options={"zipmap": False} if is_classifier(estimator) else None,
        target_opset=int(opset),
    )


def _without_idle_steps(estimator):
    """Return it without the steps 'passthrough' of all its pipelines, which skl2onnx refuses."""
    copied = copy.copy(estimator)
    steps = [step for step in getattr(estimator, "steps", []) if step[1] not in (None, _IDLE)]
    if steps:
        copied.steps = [(name, _without_idle_steps(step)) for name, step in steps]
    elif isinstance(getattr(estimator, "estimators_", None), list):
        copied.estimators_ = [_without_idle_steps(member) for member in estimator.estimators_]
    elif hasattr(estimator, "best_estimator_"):
        copied.best_estimator_ = _without_idle_steps(estimator.best_estimator_)
    return copied


def _inputs(estimator, name, dtype):
    """Return names of a model's inputs, and their types as skl2onnx has them.

    Parameters
    ----------
    estimator : fitted estimator
    name : str
        Name of a table of numbers.
    dtype : str, type or None
        Of numbers.
    """
    from skl2onnx.common.data_types import StringTensorType  # noqa: PLC0415

    from .converters import REAL_TYPES  # noqa: PLC0415

    first = _end(estimator, 0)
    _check_selection(first)
    kinds = getattr(first, "kinds_", None)  # of a TabularPreprocessor's columns
    if kinds is None:
        real = REAL_TYPES[np.dtype(dtype or weights_dtype(_end(estimator, -1)))]
        return [(name, real([None, estimator.n_features_in_]))]
    real = REAL_TYPES[np.dtype(dtype or np.float64)]
    names = getattr(first, "feature_names_in_", None)
    if names is None and CATEGORY not in kinds:
        return [(name, real([None, len(kinds)]))]
    names = [f"x{i}" for i in range(len(kinds))] if names is None else names
    return [
        (column, (StringTensorType if kind == CATEGORY else real)([None, 1]))
        for column, kind in zip(names, kinds, strict=True)
    ]


def _check_selection(first):
    """Raise a ValueError if a step chooses columns by names, of which it knows no types."""
    chosen = [columns for *_, columns in getattr(first, "transformers_", [])]
    if any(isinstance(name, str) for columns in chosen for name in np.atleast_1d(columns)):
        raise ValueError(
            f"{type(first).__name__} chooses columns by their names, and does not know their "
            "types. Call skl2onnx.to_onnx(estimator, X[:1], options={'zipmap': False}) instead, "
            "where X is such a DataFrame as in fit."
        )


def _end(estimator, position):
    """Return the first (0) or last (-1) step within pipelines, ensembles and searches."""
    while True:
        estimator = getattr(estimator, "best_estimator_", estimator)
        steps = [step for _, step in getattr(estimator, "steps", [])]
        parts = steps or list(getattr(estimator, "estimators_", []))
        if not parts:
            return estimator
        estimator = parts[position]
