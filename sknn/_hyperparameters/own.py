"""Hyperparameters of only the classifier, and of only the regressor."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from ..parts.custom import Loss
from ..parts.losses import LOSSES, REGRESSION_LOSSES
from .rows import POSITIVE, RATE, Choice, Hyperparameter, read_by

_OTHER_NAMES = {"mse": "squared_error", "mae": "absolute_error"}


def _loss_hint(value):
    if isinstance(value, str) and value.lower() in _OTHER_NAMES:
        return f"Did you mean {_OTHER_NAMES[value.lower()]!r}?"
    if isinstance(value, Integral | list | tuple):
        return f"Did you mean hidden_layer_sizes={value!r}? Here the loss comes first."
    return ""


CLASSIFIER = {
    "label_smoothing": Hyperparameter(
        [RATE],
        "float",
        """Fraction e of the target that is spread evenly over all K classes, in [0, 1): 1 - e + e /
        K for the true class and e / K for the others. arXiv:1512.00567.
        """,
    ),
    "class_weight": Hyperparameter(
        [dict, list, Choice(["balanced"]), None],
        "dict, list of dict, 'balanced' or None",
        """Weights of the classes, which multiply ``sample_weight`` and ``sample_weight_val``. A
        dict gives the weights of labels; classes that it does not name weigh 1. Multilabel targets
        take a list with a dict for each column, such as {0: 1, 1: 5}, and a row weighs the product
        over columns. 'balanced' is n_samples / (n_classes np.bincount(y)), where each sample counts
        ``sample_weight``.
        """,
        other_names=("class_weights",),
    ),
}

REGRESSOR = {
    "loss": Hyperparameter(
        [Choice(REGRESSION_LOSSES), Loss],
        "{losses} or Loss",
        """Loss l of an output z, given the target y. :class:`Loss` makes one of your own functions.

        {loss_formulas}

        'poisson' requires y >= 0 and 'gamma' y > 0. Both predict exp(z).
        """,
        hint=_loss_hint,
        other_names=("criterion",),
    ),
    "quantile": Hyperparameter(
        [Interval(Real, 0, 1, closed="neither"), "array-like"],
        "float or sequence of float",
        """Level of the quantile, in (0, 1). An increasing sequence has one output for each level;
        they do not cross, since each lies log(1 + exp(z)) above the one before. ``calibrate``
        shifts each one so that its share of the validation targets lies below it. Only used when
        loss='quantile'.
        """,
        conditions=(read_by(LOSSES, "loss", "quantile"),),
    ),
    "huber_delta": Hyperparameter(
        [POSITIVE],
        "float",
        """Distance from the target beyond which the loss is linear, in units of the target (of the
        standardized target if normalize_y=True). Only used when loss='huber'.
        """,
        conditions=(read_by(LOSSES, "loss", "huber_delta"),),
    ),
    "normalize_y": Hyperparameter(
        ["boolean"],
        "bool",
        """Whether to standardize the targets for training. Predictions are on the original
        scale. Not available when loss is 'poisson' or 'gamma'.
        """,
    ),
    "clip_output": Hyperparameter(
        ["boolean"],
        "bool",
        """Whether predictions, also quantiles, stay within the range of the targets that ``fit``
        and ``partial_fit`` have seen, for each target, arXiv:2407.04491. Validation scores are of
        such predictions; losses are of the network's own outputs.
        """,
        other_names=("clamp_output",),
    ),
}
