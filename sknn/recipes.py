"""Pipelines whose hyperparameters were chosen together, for a kind of data."""

from __future__ import annotations

import copy
import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._hyperparameters.training import SOLVERS_WITH_NTK
from ._validation.parameters import reasons_without_effect
from .ensemble import EnsembleClassifier, EnsembleRegressor
from .mlp import MLPClassifier, MLPRegressor
from .periodic import PeriodicEncoder
from .piecewise_linear import PiecewiseLinearEncoder
from .tabular import TabularPreprocessor

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Chosen on the training parts of ten tables: three quarters of each were trained on, and the others
# compared. Of what else was tried there, standard parametrization, SELU, other schedules, other
# learning rates, stronger and weaker regularization, larger batches and training without validation
# rows were worse, or overfit tables with noisy targets. So were, for averages, more epochs, fewer
# validation rows, epochs chosen by accuracy, and training again on all rows.
_NETWORK = {
    "hidden_layer_sizes": (192, 192, 192),
    "activation": "mish",
    "parametrization": "ntk",
    "input_scale": 6.0,
    "bias_lr_factor": 0.1,
    "learning_rate": "coslog",
    "learning_rate_init": 0.04,
    "beta_2": 0.95,
    "batch_size": 32,
    "alpha": 0.0,
    "dropout": 0.15,
    "weight_decay": 0.02,
    "label_smoothing": 0.05,  # of classifiers
    "normalize_y": True,  # of regressors
    "early_stopping": True,
    "scoring": "loss",
    "max_iter": 22,
    "n_iter_no_change": np.inf,
}
_OF_BEST = {"hidden_layer_sizes": (256, 256, 256), "max_iter": 48, "calibrate": True}
_MEMBERS = 8
_EXPONENTIAL_OUTPUTS = {"normalize_y": False}
# While a network is trained with dropout, its predictions scatter. Its quantiles have to span that
# too, and were too far apart without it: 90 % of one table's targets lay in intervals for 80 %.
# Without dropout 74 to 80 % do on four tables, calibrated 78 to 82 %, also in averages of networks
# that are calibrated one by one, which span a little more than each.
_OF_LOSSES = {
    "poisson": _EXPONENTIAL_OUTPUTS,
    "gamma": _EXPONENTIAL_OUTPUTS,
    "quantile": {"dropout": 0.0, "calibrate": True},
}


class _Task(NamedTuple):
    network: type
    ensemble: type
    variants: list  # of the members of an ensemble


# Members with other encoders make other errors. On five of the tables, three splits of the training
# part of each, averages of these kinds had 4 % less error than averages of as many networks with
# and without bins of one kind. Numbers are predicted worse with members that have no bins.
_FINE_BINS = {"encoder": PiecewiseLinearEncoder(48, scale=1.0)}
_COARSE_BINS = {"encoder": PiecewiseLinearEncoder(16)}
_STEEP_BINS = {"encoder": PiecewiseLinearEncoder(16, scale=1.0)}
_WAVES = {"encoder": PeriodicEncoder(8)}
_NUMBERS_ALONE = {"encoder": PiecewiseLinearEncoder(0)}
_TASKS = {
    "classifier": _Task(
        MLPClassifier, EnsembleClassifier, [_FINE_BINS, _NUMBERS_ALONE, _WAVES, _STEEP_BINS]
    ),
    "regressor": _Task(
        MLPRegressor, EnsembleRegressor, [_FINE_BINS, _COARSE_BINS, _WAVES, _STEEP_BINS]
    ),
}
_EFFORTS = ("fast", "best")


def tabular_pipeline(task: str, effort: str = "fast", **overrides: Any) -> Pipeline:
    r"""Make a pipeline for tables: a preprocessor and networks with hyperparameters that suit it.

    The recipe follows RealMLP [1]_. It is the same for all tables, and was chosen on validation
    rows of ten tables. ``get_params`` shows all of it, and all of it can be searched. Each network
    holds out a tenth of the rows, and keeps the weights of the epoch with the lowest loss on them,
    which limits overfitting on small or noisy tables. Time is proportional to the number of rows.

    Parameters
    ----------
    task : {'classifier', 'regressor'}
        What to predict: classes (binary, multiclass or multilabel), or numbers (one or many).
    effort : {'fast', 'best'}, default='fast'
        'fast' is a pipeline of the steps 'preprocessor', a :class:`TabularPreprocessor`, 'encoder',
        a :class:`PiecewiseLinearEncoder`, and 'network', an :class:`MLPClassifier` or
        :class:`MLPRegressor`. 'best' averages several larger networks that are trained for longer:
        after 'preprocessor' comes 'ensemble', an :class:`EnsembleClassifier` or
        :class:`EnsembleRegressor`, whose members are pipelines of 'encoder' and 'network'. Members
        take turns with the four encoders in `variants`, among them a :class:`PeriodicEncoder` and,
        for classifiers, one that adds nothing. These replace 'encoder', so a search over encoders
        has to set `variants`. Classifiers are calibrated.
    **overrides : dict
        Other values of parameters, by name: those of the preprocessor, the encoder, the networks
        and, with effort='best', the ensemble. `dtype` is the preprocessor's, and the networks
        follow it; `random_state` determines all random numbers. With loss='quantile', networks are
        calibrated, with any `effort`, and have no `dropout`, which would make intervals too wide.
        With `n_bins` or `scale`, all members have the same encoder. Settings of the recipe that
        would have no effect then, such as `scoring` with early_stopping=False, are left out.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        The pipeline, not fitted yet.

    Raises
    ------
    TypeError
        If no step has a parameter of that name.
    ValueError
        If ``task`` or ``effort`` is not one of those above, or if a parameter of the networks is
        out of range.

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
    >>> bool(cross_val_score(model, X, y, cv=3).mean() > 0.95)
    True

    Parameters of all steps are given by their names, and searched by those of the pipeline:

    >>> from sklearn.model_selection import GridSearchCV
    >>> model = tabular_pipeline("classifier", "best", n_estimators=8, max_categories=20)
    >>> search = GridSearchCV(model, {"ensemble__estimator__network__dropout": [0.0, 0.15, 0.3]})
    """
    _check_choice("task", task, _TASKS)
    _check_choice("effort", effort, _EFFORTS)
    # Here, so that it takes no longer to import the package.
    from sklearn.pipeline import Pipeline  # noqa: PLC0415

    parts = _TASKS[task]
    is_best = effort == "best"
    ensembles = (parts.ensemble,) if is_best else ()
    classes = (TabularPreprocessor, PiecewiseLinearEncoder, parts.network, *ensembles)
    given = _route(overrides, classes)
    seed = {name: overrides[name] for name in ("random_state",) if name in overrides}
    loss = given[parts.network].get("loss")
    of_loss = _OF_LOSSES.get(loss, {}) if isinstance(loss, str) else {}
    recipe = {**_NETWORK, **(_OF_BEST if is_best else {}), **of_loss}
    preprocessor = TabularPreprocessor(**given[TabularPreprocessor])
    encoder = PiecewiseLinearEncoder(**given[PiecewiseLinearEncoder])
    network = _make_network(parts.network, recipe, given[parts.network])
    network.set_params(**({} if is_best else seed))
    steps = [("encoder", encoder), ("network", network)]
    if is_best:
        settings = {"n_estimators": _MEMBERS, **given[parts.ensemble], **seed}
        if not given[PiecewiseLinearEncoder]:
            settings.setdefault("variants", copy.deepcopy(parts.variants))
        steps = [("ensemble", parts.ensemble(Pipeline(steps), **settings))]
    return Pipeline([("preprocessor", preprocessor), *steps])


def _make_network(kind, recipe, given):
    """Return a network with what is given, and what of the recipe has an effect beside it.

    Fits would warn about the rest, which nobody has set.
    """
    kind(**given)._validate_params()  # what has an effect depends on them
    recipe = {name: recipe[name] for name in recipe if name in kind._get_param_names()}
    network = kind(**{**recipe, **given})
    if network.early_stopping is False:
        recipe.pop("calibrate", None)  # there are no validation rows
    if network.solver not in SOLVERS_WITH_NTK:
        recipe.pop("parametrization")
    has_X_val = isinstance(network.early_stopping, str)  # 'auto' tells that it will be given
    has_effect = {
        name: value
        for name, value in recipe.items()
        if not reasons_without_effect(network, name, has_X_val)
    }
    return kind(**{**has_effect, **given})


def _check_choice(name, value, choices):
    """Raise a ValueError that names the argument unless its value is one of the choices."""
    if isinstance(value, str) and value in choices:
        return
    words = " or ".join(map(repr, choices))
    close = difflib.get_close_matches(str(value).lower(), choices, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"{name}={value!r} must be {words}.{hint}")


def _route(overrides, kinds):
    """Return ``{class: arguments}``: a parameter belongs to the first class that has it.

    ``random_state`` belongs to none of them, and ``estimator`` is no override.
    """
    arguments = {kind: {} for kind in kinds}
    parameters = {
        kind: {*kind._get_param_names()} - {"random_state", "estimator"} for kind in kinds
    }
    for name, value in overrides.items():
        owners = [kind for kind in kinds if name in parameters[kind]]
        if owners:
            arguments[owners[0]][name] = value
        elif name != "random_state":
            raise TypeError(_describe_unknown(name, kinds, set().union(*parameters.values())))
    return arguments


def _describe_unknown(name, kinds, known):
    """Return the message for a name that no class has as parameter."""
    close = difflib.get_close_matches(name.rpartition("__")[2], sorted(known), n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    owners = ", ".join(kind.__name__ for kind in kinds)
    return (
        f"tabular_pipeline() got an unexpected keyword argument {name!r}. {hint}It takes the "
        f"parameters of {owners}."
    )
