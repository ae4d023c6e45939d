"""Hyperparameters of training: solver, minibatches, learning rate, penalties."""

import math
from numbers import Real

from ..parts.optimizers import OPTIMIZERS
from ..parts.regularizers import regularizer_part
from ..parts.schedules import SCHEDULES
from .rows import (
    COUNT,
    FRACTION,
    IS_STOCHASTIC,
    NOT_NEGATIVE,
    POSITIVE,
    RATE,
    SCHEDULE,
    WITH_LBFGS,
    Choice,
    Condition,
    Hyperparameter,
    read_by,
)

SOLVERS = ("lbfgs", *OPTIMIZERS)
SOLVERS_WITH_NTK = [name for name, part in OPTIMIZERS.items() if part.has_ntk]


def _schedule_acts(estimator):
    """Return whether the learning rate follows the schedule, or the schedule is scikit-learn's."""
    schedule = estimator.learning_rate
    is_scikit_learns = schedule == "constant" or SCHEDULES[schedule].sgd_only
    return is_scikit_learns or estimator.solver != "lbfgs"


def _momentum_acts(estimator):
    return estimator.solver == "sgd" or isinstance(estimator.momentum, Real)


def _l1_ratio_acts(estimator):
    return "l1_ratio" in regularizer_part(estimator).parameters


def _refuse_ntk(estimator):
    if estimator.parametrization == "standard" or estimator.solver in SOLVERS_WITH_NTK:
        return None
    solvers = ", ".join(map(repr, SOLVERS_WITH_NTK))
    return f"'standard' with solver={estimator.solver!r}; 'ntk' is for {solvers}"


def _schedule_hint(value):
    """Return the way out for a number, which may be in quotes."""
    try:
        rate = float(value)
    except (TypeError, ValueError):
        return ""
    return (
        f"This is the schedule of the learning rate. Did you mean learning_rate_init={rate:g}?"
        if 0 < rate < math.inf
        else ""
    )


ROWS = {
    "solver": Hyperparameter(
        [Choice(SOLVERS)],
        "{'lbfgs', {optimizers}}",
        """Solver that updates the weights w from their gradients g. In the formulas, "rate" is the
        current learning rate.

        - 'lbfgs': SciPy's L-BFGS-B on the whole training set, without minibatches.
        {optimizer_formulas}
        """,
        other_names=("optimizer",),
    ),
    "batch_size": Hyperparameter(
        [Choice(["auto"]), COUNT],
        "int or 'auto'",
        """Number of samples per minibatch. 'auto' is min(200, n_samples). A number above n_samples
        is clipped to it, with a warning if it is above 32. Not used when solver='lbfgs'.
        """,
    ),
    "learning_rate": Hyperparameter(
        [Choice(SCHEDULES)],
        "{schedules}",
        """Learning-rate schedule. In the formulas, rate0 is ``learning_rate_init``, s is the number
        of epochs (with fractions) completed before the weight update, and training is taken to last
        ``max_iter`` epochs. 'invscaling' and 'adaptive' are only used when solver='sgd', as in
        scikit-learn. The others are used by every solver but 'lbfgs'. Where ``max_iter`` is in the
        formula, s is 0 again in every ``fit``, and after ``max_iter`` calls of ``partial_fit``.

        {schedule_formulas}
        """,
        conditions=(Condition(_schedule_acts, WITH_LBFGS),),
        hint=_schedule_hint,
        other_names=("scheduler", "lr_schedule"),
    ),
    "learning_rate_init": Hyperparameter(
        [POSITIVE],
        "float",
        """Initial learning rate, > 0. Not used when solver='lbfgs'.""",
        other_names=("lr", "eta"),
    ),
    "power_t": Hyperparameter(
        [NOT_NEGATIVE],
        "float",
        """Exponent of inverse scaling, >= 0. Only used when learning_rate='invscaling'.""",
    ),
    "decay_rate": Hyperparameter(
        [NOT_NEGATIVE],
        "float",
        """Decay of the learning rate per epoch, >= 0, and factor of 'plateau'. Only used when
        learning_rate is 'exponential', 'inverse_time', 'step' or 'plateau'.
        """,
        conditions=(IS_STOCHASTIC, read_by(SCHEDULES, "learning_rate", "decay_rate")),
    ),
    "warmup_epochs": Hyperparameter(
        [NOT_NEGATIVE],
        "float",
        """Number of epochs over which the learning rate rises linearly to the schedule's. Not used
        when solver='lbfgs'.
        """,
        conditions=(IS_STOCHASTIC,),
    ),
    "parametrization": Hyperparameter(
        [Choice(["standard", "ntk"])],
        "{'standard', 'ntk'}",
        """Which weights the solver updates. 'standard' updates W, the ``coefs_`` of a layer. 'ntk'
        is the neural tangent kernel parametrization, arXiv:1806.07572: it updates V, where W = V /
        sqrt(fan_in), so wide layers learn more slowly, and one learning rate suits layers of all
        widths. Penalties and ``max_grad_norm`` act on W in both cases. With 'ntk',
        initializer='auto' is 'ntk'. Not available when solver is 'lbfgs' or 'adadelta'.
        """,
        refusal=_refuse_ntk,
    ),
    "bias_lr_factor": Hyperparameter(
        [NOT_NEGATIVE],
        "float",
        """Factor on the learning rate of ``intercepts_``, >= 0. It is 0.1 in RealMLP,
        arXiv:2407.04491. Not used when solver='lbfgs'.
        """,
        conditions=(IS_STOCHASTIC,),
    ),
    "shuffle": Hyperparameter(
        ["boolean"],
        "bool",
        """Whether to shuffle the samples in every epoch. Not used when solver='lbfgs'.""",
    ),
    "random_state": Hyperparameter(
        ["random_state"],
        "int, RandomState instance or None",
        """Determines starting weights, validation split, shuffling and dropout, drawn in the same
        order as in scikit-learn. Pass an int for reproducible results.
        """,
        other_names=("seed", "random_seed"),
    ),
    "momentum": Hyperparameter(
        [FRACTION, list, tuple],
        "float or (float, float)",
        """Momentum, in [0, 1]. A pair (start, end) is interpolated linearly over the first half of
        ``max_iter`` epochs since training began; then it is end. Only used when solver='sgd'.
        """,
        conditions=(Condition(_momentum_acts, "without solver='sgd'"),),
    ),
    "nesterovs_momentum": Hyperparameter(
        ["boolean"],
        "bool",
        """Whether to use Nesterov's momentum. Only used when solver='sgd'.""",
    ),
    "beta_1": Hyperparameter(
        [RATE],
        "float",
        """Exponential decay rate of the first moment estimate, in [0, 1). Only used when solver is
        'adam', 'adamw', 'amsgrad' or 'nadam'.
        """,
    ),
    "beta_2": Hyperparameter(
        [RATE],
        "float",
        """Exponential decay rate of the second moment estimate, in [0, 1). Only used by the same
        solvers.
        """,
    ),
    "epsilon": Hyperparameter(
        [POSITIVE],
        "float",
        """Small number that keeps denominators from being 0. Only used by solvers with epsilon in
        their formula.
        """,
    ),
    "rho": Hyperparameter(
        [RATE],
        "float",
        """Exponential decay rate of the average of squared gradients, in [0, 1). Only used when
        solver is 'rmsprop' or 'adadelta'.
        """,
        conditions=(read_by(OPTIMIZERS, "solver", "rho"),),
    ),
    "max_grad_norm": Hyperparameter(
        [POSITIVE, None],
        "float or None",
        """Maximum Euclidean norm of the gradient of all parameters, arXiv:1211.5063. Longer
        gradients are scaled down to it. Not used when solver='lbfgs'.
        """,
        conditions=(IS_STOCHASTIC,),
        other_names=("clipnorm", "global_clipnorm", "gradient_clip_val"),
    ),
    "alpha": Hyperparameter(
        [NOT_NEGATIVE, list, tuple],
        "float or sequence of float",
        """Strength, >= 0, of the penalty P(W) = l1_ratio sum abs(w) + (1 - l1_ratio) sum w^2 / 2 on
        the weights. Intercepts and the parameters of batch normalization are not penalized. As in
        scikit-learn, the penalty is divided by the number of samples in the minibatch (times their
        mean sample weight). A sequence has one strength for each layer, the output layer included.
        """,
        other_names=("l2", "l2_regularization", "kernel_regularizer"),
    ),
    "l1_ratio": Hyperparameter(
        [FRACTION, list, tuple],
        "float or sequence of float",
        """Fraction of the L1 penalty in ``alpha``, in [0, 1]. After each weight update comes a
        proximal step w = sign(w) max(0, abs(w) - size l1), which makes weights exactly 0; l1 is the
        strength of the L1 penalty, and size the solver's step size for that weight. 'lbfgs' instead
        minimizes over positive and negative parts of the weights. A sequence has one fraction for
        each layer, the output layer included.
        """,
        conditions=(Condition(_l1_ratio_acts, "with alpha=0"),),
    ),
    "weight_decay": Hyperparameter(
        [NOT_NEGATIVE],
        "float",
        """Decoupled weight decay, arXiv:1711.05101: w *= 1 - rate weight_decay in every update,
        whatever the batch size. Not used when solver='lbfgs'.
        """,
        conditions=(IS_STOCHASTIC,),
    ),
    "weight_decay_schedule": Hyperparameter(
        [SCHEDULE],
        "{'constant', 'flat_cos'}",
        """Schedule of ``weight_decay``, by steps. 'flat_cos' keeps it for half of ``max_iter``
        epochs, then takes it to 0 along a cosine, arXiv:2407.04491. It restarts as described at
        ``learning_rate``. Not used when solver='lbfgs'.
        """,
        conditions=(
            IS_STOCHASTIC,
            Condition(lambda estimator: estimator.weight_decay > 0, "with weight_decay=0"),
        ),
    ),
}
