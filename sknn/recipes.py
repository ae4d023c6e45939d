"""Recipes: pipelines with hyperparameters that were chosen together, for a kind of data."""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from .ensemble import EnsembleClassifier, EnsembleRegressor
from .mlp import MLPClassifier, MLPRegressor
from .tabular import TabularPreprocessor

_SHARED = {
    "hidden_layer_sizes": (128, 128, 128),
    "activation": "mish",
    "batch_size": 64,
    "learning_rate": "coslog",
    "learning_rate_init": 0.012,
    "beta_2": 0.95,
    "alpha": 0.0,
    "dropout": 0.15,
    "weight_decay": 0.02,
    "max_iter": 64,
    "n_iter_no_change": np.inf,
}


class _Task(NamedTuple):
    network: type
    ensemble: type
    recipe: dict


_TASKS = {
    "classifier": _Task(MLPClassifier, EnsembleClassifier, {"label_smoothing": 0.1}),
    "regressor": _Task(MLPRegressor, EnsembleRegressor, {"normalize_y": True}),
}
_EFFORTS = {"fast": {}, "best": {"hidden_layer_sizes": (256, 256, 256), "max_iter": 96}}
_MEMBERS = 4
_POSITIVE_LOSSES = ("poisson", "gamma")  # their outputs are exponentials: they need no scaling


def tabular_pipeline(task: str, effort: str = "fast", **overrides: Any) -> Pipeline:
    r"""Make a pipeline for tables: a preprocessor and networks with hyperparameters that suit it.

    The recipe follows RealMLP [1]_. It is one for all tables, and was chosen by cross-validation.
    All of it is visible in ``get_params`` and can be searched.

    Parameters
    ----------
    task : {'classifier', 'regressor'}
        What to predict: classes (binary, multiclass or multilabel), or numbers (one or many).
    effort : {'fast', 'best'}, default='fast'
        'fast' is a pipeline of the steps 'preprocessor', a :class:`TabularPreprocessor`, and
        'network', an :class:`MLPClassifier` or :class:`MLPRegressor`. 'best' has larger networks
        that are trained for longer, and averages several: its second step is 'ensemble', an
        :class:`EnsembleClassifier` or :class:`EnsembleRegressor`.
    **overrides : dict
        Parameters to set otherwise, by their own names: those of the preprocessor, of the network,
        and, with effort='best', of the ensemble. `dtype` is the preprocessor's, and the networks
        follow it; `random_state` determines all random numbers.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        The pipeline, not fitted yet.

    Raises
    ------
    TypeError
        If an override is no parameter of any step.
    ValueError
        If ``task`` or ``effort`` is not one of those above.

    See Also
    --------
    TabularPreprocessor : The first step.
    MLPClassifier : The network of a classifier, with its parameters.
    MLPRegressor : The network of a regressor, with its parameters.

    References
    ----------
    .. [1] D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data", 2024, :arxiv:`2407.04491`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import cross_val_score
    >>> from sknn import tabular_pipeline
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = tabular_pipeline("classifier", random_state=0)
    >>> cross_val_score(model, X, y, cv=3).mean().round(2)
    np.float64(0.97)

    Parameters of all steps are given by their names, and searched by those of the pipeline:

    >>> from sklearn.model_selection import GridSearchCV
    >>> model = tabular_pipeline("classifier", "best", n_estimators=8, max_categories=20)
    >>> search = GridSearchCV(model, {"ensemble__estimator__dropout": [0.0, 0.15, 0.3]})
    """
    _check_choice("task", task, _TASKS)
    _check_choice("effort", effort, _EFFORTS)
    chosen = _TASKS[task]
    is_single = effort == "fast"
    classes = [TabularPreprocessor, chosen.network, *([] if is_single else [chosen.ensemble])]
    preprocessor, network, *ensemble = _route(overrides, classes)
    seed = {"random_state": overrides["random_state"]} if "random_state" in overrides else {}
    recipe = {**_SHARED, **chosen.recipe, **_EFFORTS[effort]}
    if network.get("loss") in _POSITIVE_LOSSES:
        recipe["normalize_y"] = False
    estimator = chosen.network(**{**recipe, **network, **(seed if is_single else {})})
    name = "network"
    if ensemble:
        name = "ensemble"
        estimator = chosen.ensemble(estimator, **{"n_estimators": _MEMBERS, **ensemble[0], **seed})
    return Pipeline([("preprocessor", TabularPreprocessor(**preprocessor)), (name, estimator)])


def _check_choice(name, value, choices):
    """Raise a ValueError that names the argument unless its value is one of the choices."""
    if isinstance(value, str) and value in choices:
        return
    words = " or ".join(map(repr, choices))
    close = difflib.get_close_matches(str(value).lower(), choices, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"{name}={value!r} must be {words}.{hint}")


def _route(overrides, classes):
    """Return a dict of arguments for the constructor of each class.

    A parameter belongs to the first class that has it, and ``random_state`` to none of them.
    """
    arguments = [{} for _ in classes]
    parameters = [set(kind._get_param_names()) - {"random_state", "estimator"} for kind in classes]
    for name, value in overrides.items():
        owners = [i for i, names in enumerate(parameters) if name in names]
        if owners:
            arguments[owners[0]][name] = value
        elif name != "random_state":
            raise TypeError(_describe_unknown(name, classes, set().union(*parameters)))
    return arguments


def _describe_unknown(name, classes, known):
    """Return the message for a name that no class has as parameter."""
    close = difflib.get_close_matches(name.rpartition("__")[2], sorted(known), n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    owners = ", ".join(kind.__name__ for kind in classes)
    return (
        f"tabular_pipeline() got an unexpected keyword argument {name!r}. {hint}It takes the "
        f"parameters of {owners}."
    )
