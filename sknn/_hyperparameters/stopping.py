"""Hyperparameters of when training stops and goes on, and of what follows it: epochs, early
stopping, warm starts, calibration.
"""

from numbers import Real

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import HasMethods, Options

from .rows import (
    COUNT,
    NOT_NEGATIVE,
    RATE,
    STOPS_EARLY,
    WITHOUT_EARLY_STOPPING,
    Choice,
    Condition,
    Hyperparameter,
)


class _Scorer(Choice):
    """A name of scikit-learn's scorers, or 'loss'. They are too many for a message."""

    def __init__(self):
        super().__init__(["loss", *get_scorer_names()])

    def __str__(self):
        return "'loss', the name of a scorer (sklearn.metrics.get_scorer_names() lists them)"


def _has_calibration(estimator):
    return not hasattr(estimator, "loss") or estimator.loss == "quantile"


def _splitter_acts(estimator):
    is_splitter = not isinstance(estimator.validation_fraction, Real)
    return STOPS_EARLY.holds(estimator) or not is_splitter


ROWS = {
    "max_iter": Hyperparameter(
        [COUNT],
        "int",
        """Maximum number of epochs (stochastic solvers) or iterations ('lbfgs').""",
        other_names=("epochs", "n_epochs", "num_epochs", "max_epochs"),
    ),
    "max_fun": Hyperparameter(
        [COUNT],
        "int",
        """Maximum number of evaluations of the loss. Only used when solver='lbfgs'.""",
    ),
    "tol": Hyperparameter(
        [NOT_NEGATIVE],
        "float",
        """Minimum improvement of the loss (or validation score) that counts as progress. 'lbfgs'
        also stops when no component of the gradient is larger.
        """,
        other_names=("min_delta",),
    ),
    "n_iter_no_change": Hyperparameter(
        [COUNT, Options(Real, {np.inf})],
        "int or np.inf",
        """Maximum number of consecutive epochs without an improvement by ``tol``. With 'lbfgs',
        only used when early_stopping=True.
        """,
        other_names=("patience",),
    ),
    "early_stopping": Hyperparameter(
        ["boolean", Choice(["auto"])],
        "bool or 'auto'",
        """Whether to hold out ``validation_fraction`` of the training set, to stop when the score
        of these samples does not improve by ``tol`` for ``n_iter_no_change`` epochs, and to keep
        the weights of the best epoch. The split is stratified for any number of classes (classes
        with a single sample stay in the training set), but not for multilabel targets. Rows of
        weight 0 are never held out. An epoch whose score is not finite counts as no improvement,
        and there is a warning. Also used when solver='lbfgs'. 'auto' is True if ``X_val`` is given
        to ``fit``, and False otherwise.
        """,
    ),
    "validation_fraction": Hyperparameter(
        [RATE, HasMethods(["split", "get_n_splits"])],
        "float or CV splitter",
        """Fraction of the training set to hold out, in (0, 1), or a splitter such as
        :class:`~sklearn.model_selection.TimeSeriesSplit`, whose first split is used. A
        splitter that needs groups gets those given to ``fit``. Only used when early_stopping=True.
        """,
        conditions=(Condition(_splitter_acts, WITHOUT_EARLY_STOPPING),),
        other_names=("validation_split",),
    ),
    "scoring": Hyperparameter(
        [_Scorer(), callable, None],
        "str, callable or None",
        """Score of the validation samples that is monitored, greater is better. None is the
        accuracy in classification, R^2 for loss='squared_error', minus the mean pinball loss (see
        ``score``) for loss='quantile', and minus the mean of the loss for other losses. 'loss' is
        minus the validation loss, and anything else a scikit-learn scorer. Weights of samples and
        classes count, for scorers if they take ``sample_weight``. Only used when
        early_stopping=True, or for ``history_`` when ``X_val`` is given.
        """,
        conditions=(STOPS_EARLY._replace(or_with_X_val=lambda estimator: True),),
        other_names=("monitor",),
    ),
    "early_stopping_window": Hyperparameter(
        [COUNT],
        "int",
        """Number of epochs over which validation scores are averaged before they are compared. Only
        used when early_stopping=True.
        """,
        conditions=(STOPS_EARLY,),
    ),
    "restore_best": Hyperparameter(
        ["boolean", Choice(["latest"])],
        "bool or 'latest'",
        """Whether to end with the weights of the best epoch instead of the last. Of several epochs
        that are equally good, True takes the first and 'latest' the last, which has been trained
        for longer, as in arXiv:2407.04491. To choose among all ``max_iter`` epochs, set
        n_iter_no_change=np.inf. Only used when early_stopping=True.
        """,
        conditions=(STOPS_EARLY,),
        other_names=("restore_best_weights",),
    ),
    "refit": Hyperparameter(
        ["boolean"],
        "bool",
        """Whether to train again after early stopping has found the best epoch: from the start, on
        all rows, for that number of epochs, with the same random numbers and schedules. The
        network, ``loss_curve_``, ``n_iter_`` and ``history_`` are then those of the second
        training, and ``history_before_refit_`` that of the first; validation scores,
        ``best_iter_``, ``temperature_`` and ``quantile_shifts_`` stay. Callbacks see the first
        training only. Only used when early_stopping=True and no ``X_val`` is given.
        """,
        conditions=(
            STOPS_EARLY._replace(or_with_X_val=lambda estimator: False),
            Condition(lambda estimator: True, "with X_val", not_with_X_val=True),
        ),
    ),
    "calibrate": Hyperparameter(
        ["boolean"],
        "bool",
        """Whether to calibrate predictions on the validation rows when training has ended.

        - Probabilities, by temperature scaling, arXiv:1706.04599: ``temperature_`` is the T for
          which logits / T have the least log loss, and ``predict_proba`` divides the logits by it.
        - Quantiles of loss='quantile', by conformal prediction, arXiv:1905.03222: sort the
          residuals, y minus prediction, of the n rows, and take the one at position q (n + 1) for
          the level q. ``predict`` adds ``quantile_shifts_``, n / (n + 30) times this residual. If
          quantiles cross after that, they are sorted.

        With few rows, T stays near 1 and shifts near 0: T = 1 counts as much as ten rows, a shift
        of 0 as much as thirty. Predicted labels, scores during training and ``logits`` do not
        change. Requires early_stopping=True, or ``X_val`` in ``fit``.
        """,
        conditions=(Condition(_has_calibration, "without loss='quantile'"),),
        other_names=("calibration", "temperature_scaling"),
    ),
    "verbose": Hyperparameter(
        ["verbose"],
        "bool or int",
        """Whether to print progress after every epoch. True prints a table with losses, score,
        learning rate and seconds; a positive int prints what scikit-learn prints. Both also
        report compilation that takes more than a second.
        """,
    ),
    "warm_start": Hyperparameter(
        ["boolean"],
        "bool",
        """Whether ``fit`` continues training where the last fit ended: with its weights, optimizer
        state, schedule, shuffling, validation split and history, so that 10 + 10 epochs equal 20
        (unless the schedule's formula has ``max_iter`` in it). 'lbfgs' keeps weights and history,
        not its estimate of the curvature, so short fits take more iterations in all. In
        scikit-learn only the weights are kept.
        """,
    ),
}
