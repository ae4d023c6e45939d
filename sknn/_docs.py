"""Docstrings that both estimators share, with hyperparameters and their options filled in."""

import inspect
import textwrap

from ._hyperparameters import HYPERPARAMETERS
from ._runtime.architecture import LEARNED
from .parts.activations import ACTIVATIONS
from .parts.initializers import INITIALIZERS
from .parts.losses import LOSSES, REGRESSION_LOSSES
from .parts.optimizers import OPTIMIZERS
from .parts.schedules import SCHEDULES

_OWN_ATTRIBUTES = {
    "MLPClassifier": """\
classes_ : ndarray of shape (n_classes,)
    Class labels. For multilabel targets, the column numbers of the labels.
temperature_ : float
    Number by which logits are divided before the softmax or logistic function. Less than 1 makes
    probabilities more certain. Only when calibrate=True.""",
    "MLPRegressor": """\
y_mean_ : ndarray of shape (n_outputs,)
    Means of the targets. Only when normalize_y=True.
y_scale_ : ndarray of shape (n_outputs,)
    Standard deviations of the targets. Only when normalize_y=True.
y_min_ : ndarray of shape (n_targets,)
    Smallest targets, and so the smallest predictions. Only when clip_output=True.
y_max_ : ndarray of shape (n_targets,)
    Largest targets. Only when clip_output=True.
quantile_shifts_ : ndarray of shape (n_outputs,)
    Numbers that are added to the network's quantiles, in units of y. Only when
    calibrate=True and loss='quantile'.""",
}

_FIT_ARGUMENTS = """\
sample_weight : array-like of shape (n_samples,), default=None
    Sample weights, not negative. None is 1 for every sample.
X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
    Validation samples, to be given together with ``y_val``, and transformed as X is. Their loss
    and score are recorded in ``history_``. With early_stopping=True or 'auto' they are monitored
    instead of samples held out of X. There is a warning if they lie far outside X.
y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
    Validation targets.
sample_weight_val : array-like of shape (n_val,), default=None
    Weights of the validation samples.
groups : array-like of shape (n_samples,), default=None
    Groups of the samples, for a splitter as ``validation_fraction``; routed as it requests them.

Returns
-------
self : {name}
    The fitted estimator.

Raises
------
ValueError
    If an argument or parameter is invalid, or if training diverges in the first epoch. The
    estimator is left as it was before the call.
MemoryError
    If the network does not fit into memory. The estimator is left as it was."""

_ATTRIBUTES = """\
{own_attributes}
{learned_attributes}
embedding_edges_ : list of ndarray
    Edges of the bins of each feature, empty for features that have none. Only when
    numeric_embedding='piecewise_linear'.
loss_ : float
    Loss of the last epoch, penalty included.
best_loss_ : float or None
    Lowest loss of all epochs. None when early_stopping=True.
loss_curve_ : list of float
    Loss of each epoch.
validation_scores_ : list of float or None
    Validation score of each epoch. None when early_stopping=False.
best_validation_score_ : float or None
    Highest validation score (averaged over ``early_stopping_window`` epochs). None when
    early_stopping=False.
best_iter_ : int
    Epoch, counted from 1, with the lowest loss or the highest validation score, or whose weights
    :class:`~sknn.callbacks.EarlyStopping` has restored.
history_ : dict of lists
    A list over epochs for each of 'epoch', 'loss', 'val_loss' and 'val_score' (NaN without
    validation samples), 'learning_rate' (NaN with 'lbfgs') and 'seconds', and for each metric of
    :class:`~sknn.callbacks.History`.
history_before_refit_ : dict of lists
    ``history_`` of the first training, which early stopping ended. Only when refit=True.
n_iter_ : int
    Number of epochs of the last ``fit``, and of every ``partial_fit`` since.
t_ : int
    Number of training samples seen.
n_layers_ : int
    Number of layers, with the input and output layers.
n_outputs_ : int
    Number of outputs.
n_parameters_ : int
    Number of trained parameters, as ``summary().n_trainable``.
out_activation_ : str
    Name of the output activation.
n_features_in_ : int
    Number of features seen during ``fit``.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features seen during ``fit``. Only if X has names that are all strings."""

_NOTES = """\
Notes
-----
With the same ``random_state``, starting weights, minibatches and loss curve are those of
scikit-learn 1.9, up to rounding. Some differences are deliberate: the validation split is
stratified for three and more classes too; sample weights have an effect for every batch size and
cannot be negative; early stopping works with 'lbfgs'; ``warm_start`` and ``partial_fit`` continue
all of training, not the weights alone; ``predict_log_proba`` is finite; training that diverges
stops in that epoch with a warning and keeps the last finite weights (in the first epoch it raises).

``fit`` determines the network. Later calls of ``set_params`` have an effect on the next ``fit``,
not on predictions.

Ctrl-C raises KeyboardInterrupt, and the estimator keeps the weights of the last completed epoch.

References
----------
Kingma and Ba, "Adam: A method for stochastic optimization", 2014, arXiv:1412.6980.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
AISTATS 2010."""


def _options(names):
    return "{" + ", ".join(repr(name) for name in names) + "}"


def _formulas(registry):
    return "\n".join(f"- {name!r}: {row.formula}" for name, row in registry.items())


def _parameters(cls):
    """Return the section of all constructor parameters, in their order, as a template."""
    known = inspect.signature(cls).parameters.values()
    return "\n".join(
        f"{parameter.name} : {HYPERPARAMETERS[parameter.name].kind}, default={parameter.default!r}"
        "\n"
        + textwrap.indent(inspect.cleandoc(HYPERPARAMETERS[parameter.name].documentation), "    ")
        for parameter in known
    )


def document(cls):
    """Fill in the placeholders in the docstrings of a class and of its ``fit``, if there are any.

    ``python -OO`` removes docstrings.
    """
    texts = {
        "activations": _options(ACTIVATIONS),
        "activation_formulas": _formulas(ACTIVATIONS),
        "optimizers": _options(OPTIMIZERS)[1:-1],
        "optimizer_formulas": _formulas(OPTIMIZERS),
        "schedules": _options(SCHEDULES),
        "schedule_formulas": _formulas(SCHEDULES),
        "initializers": _options(INITIALIZERS),
        "initializer_formulas": _formulas(INITIALIZERS),
        "losses": _options(REGRESSION_LOSSES),
        "loss_formulas": _formulas({name: LOSSES[name] for name in REGRESSION_LOSSES}),
    }
    texts["parameters"] = _fill(_parameters(cls), texts)
    attributes = {
        "own_attributes": _OWN_ATTRIBUTES[cls.__name__],
        "learned_attributes": "\n".join(
            f"{name} : {kind}\n    {meaning}" for name, (kind, meaning) in LEARNED.items()
        ),
    }
    texts |= {"attributes": _fill(_ATTRIBUTES, attributes), "notes": _NOTES}
    texts["fit_arguments"] = _fill(_FIT_ARGUMENTS, {"name": cls.__name__})
    for documented in (cls, cls.fit):
        if documented.__doc__ is not None:
            documented.__doc__ = _fill(inspect.cleandoc(documented.__doc__), texts)
    return cls


def _fill(template, texts):
    """Replace each ``{name}`` in a template.

    Parameters
    ----------
    template : str
    texts : dict of str
        Text for each name. Its lines are indented like a placeholder that is alone on its line.
    """
    lines = []
    for line in template.splitlines():
        stripped = line.strip()
        if stripped.startswith("{") and stripped[1:-1] in texts:
            indent = line[: len(line) - len(stripped)]
            lines += [indent + text if text else "" for text in texts[stripped[1:-1]].splitlines()]
        else:
            filled = line
            for name, text in texts.items():
                filled = filled.replace("{" + name + "}", text)
            lines.append(filled)
    return "\n".join(lines)
