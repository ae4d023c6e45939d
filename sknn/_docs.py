"""Documentation that the estimators share, with the options listed from the registries."""

import inspect

from .parts.activations import ACTIVATIONS
from .parts.initializers import INITIALIZERS
from .parts.losses import LOSSES, REGRESSION_LOSSES
from .parts.optimizers import OPTIMIZERS
from .parts.schedules import SCHEDULES

_PARAMETERS = """\
hidden_layer_sizes : int or array-like of shape (n_layers - 2,), default=(100,)
    Units of each hidden layer; an empty sequence gives a linear model.
activation : {activations}, Activation, or a sequence of these, default='relu'
    Activation f of the hidden layers: one for all, or one for each. :class:`Activation` makes one
    of your own functions.

    {activation_formulas}
solver : {{'lbfgs', {optimizers}}}, default='adam'
    How weights w are found from gradients g; "rate" is the learning rate.

    - 'lbfgs': SciPy's L-BFGS-B over the whole training set.
    {optimizer_formulas}
alpha : float, default=0.0001
    Strength of the penalty P(W) = l1_ratio sum abs(w) + (1 - l1_ratio) sum w^2 / 2 on the weights
    (not on intercepts or batch norm's parameters); it is divided by the batch's size x mean sample
    weight.
batch_size : int or 'auto', default='auto'
    Rows a step; 'auto' is min(200, n_samples). Not used by 'lbfgs'.
learning_rate : {schedules}, default='constant'
    Schedule of the rate; rate0 is ``learning_rate_init``, s the epochs (with fractions) before the
    step, max_iter the horizon. 'invscaling' and 'adaptive' act with 'sgd' only, as in scikit-learn;
    the others with every stochastic solver, step by step.

    {schedule_formulas}
learning_rate_init : float, default=0.001
    Step size at the start. Not used by 'lbfgs'.
power_t : float, default=0.5
    Exponent of 'invscaling'.
max_iter : int, default=200
    Most epochs of a stochastic solver, or most iterations of 'lbfgs'.
shuffle : bool, default=True
    Whether every epoch takes the rows in a new order.
random_state : int, RandomState instance or None, default=None
    Seeds starting weights, validation split and shuffling, which are drawn in scikit-learn's order.
tol : float, default=1e-4
    Improvement of the loss (or the validation score) that counts as one; for 'lbfgs' also the
    largest gradient at which it is done.
verbose : bool, default=False
    Print the loss of every epoch.
warm_start : bool, default=False
    Go on from the last fit, with its weights, optimizer, schedule, shuffling, validation split and
    history: 10 + 10 epochs are 20. (scikit-learn's own restarts all but the weights.)
momentum : float or (float, float), default=0.9
    Share of the last step that is kept by 'sgd', in [0, 1]; a pair (start, end) is ramped over the
    first half of ``max_iter``.
nesterovs_momentum : bool, default=True
    Whether 'sgd' looks ahead.
early_stopping : bool, default=False
    Hold ``validation_fraction`` of the rows back, stop when their score no longer improves, and
    keep the best weights. The split is stratified for any number of classes (a class' only row is
    trained on), not for several labels. Works with 'lbfgs' too.
validation_fraction : float or CV splitter, default=0.1
    Fraction of the training set that is held back, in (0, 1), or a splitter whose first split is
    used (for order in time, say).
beta_1, beta_2 : float, default=0.9, 0.999
    Decay of the moments of 'adam' and its kin, in [0, 1).
epsilon : float, default=1e-8
    Added to denominators of the adaptive solvers.
n_iter_no_change : int or np.inf, default=10
    Epochs without improvement by ``tol`` after which training stops.
max_fun : int, default=15000
    Most evaluations of the loss by 'lbfgs'.
negative_slope : float, default=0.1
    Of 'leaky_relu'.
elu_alpha : float, default=1.0
    Of 'elu'.
maxout_pieces : int, default=2
    Linear pieces of a 'maxout' unit. Its layer's ``coefs_`` hold them side by side: shape (fan_in,
    units x pieces).
initializer : {initializers}, default='auto'
    How starting weights are drawn. Intercepts start at 0 except with 'auto'.

    {initializer_formulas}
rho : float, default=0.9
    Decay of the squared gradients' average in 'rmsprop' and 'adadelta', in [0, 1).
decay_rate : float, default=0.1
    Of the schedules 'exponential', 'inverse_time' and 'step', per epoch; factor of 'plateau'.
warmup_epochs : float, default=0
    Epochs over which the rate rises linearly to what the schedule says.
l1_ratio : float, default=0.0
    Share of the L1 penalty in ``alpha``, in [0, 1]. It acts by proximal steps w = sign(w) max(0,
    abs(w) - size l1), with the solver's own step size for each weight, so that weights become
    exactly 0; with 'lbfgs' by bounds.
weight_decay : float, default=0.0
    Decoupled weight decay: w *= 1 - rate weight_decay in every step, whatever the batch size.
dropout : float or sequence of float, default=0.0
    Rate in [0, 1) at which units of the hidden layers (all, or each layer) are dropped in training;
    the others are divided by 1 - rate, so that predictions need no scaling. arXiv:1207.0580. Not
    used by 'lbfgs'.
input_dropout : float, default=0.0
    The same for the inputs.
batch_norm : {{False, True, 'before', 'after'}}, default=False
    Normalise each unit over the batch, x = (z - mean) / sqrt(var + 1e-5), then scale x + shift,
    learned and not penalised; before the activation (True is 'before') or after it. Predictions use
    running averages. arXiv:1502.03167.
batch_norm_momentum : float, default=0.9
    Share that the running averages keep in a step, in [0, 1).
{own_parameters}
max_grad_norm : float or None, default=None
    Bound of the gradient's norm over all parameters; longer gradients are scaled down to it.
scoring : str, callable or None, default=None
    What ``early_stopping`` watches: None is the accuracy (R^2 in regression), 'loss' minus the
    validation loss, else a scorer.
early_stopping_window : int, default=1
    Validation scores are averaged over this many epochs before they are compared.
restore_best : bool, default=True
    Whether ``early_stopping`` ends with the weights of the best epoch, not of the last.
dtype : {{'float32', 'float64'}} or None, default=None
    Arithmetic of the network. None is X's own: float32 for float32, float64 for everything else.
    'float32' about halves the time for float64 tables; rows are cast chunk by chunk."""

_OWN_PARAMETERS = {
    "MLPClassifier": """\
label_smoothing : float, default=0.0
    Share e of the target that is spread over all K classes: 1 - e + e / K for the true class, e / K
    for the others.
class_weight : dict, 'balanced' or None, default=None
    Weights of the classes, multiplied with ``sample_weight``.""",
    "MLPRegressor": """\
quantile : float or sequence of float, default=0.5
    Level in (0, 1) of ``loss='quantile'``. A rising sequence gives one output a level; they do not
    cross, since each lies log(1 + exp(z)) above the one before it.
huber_delta : float, default=1.0
    Where 'huber' becomes linear, in units of the (scaled) target.
normalize_y : bool, default=False
    Standardise the targets inside; predictions are in their own units.""",
}

_FIT_ARGUMENTS = """\
sample_weight : array-like of shape (n_samples,), default=None
    Non-negative weights; None is 1 for every row.
X_val, y_val, sample_weight_val : like X, y and sample_weight, default=None
    Rows to validate on; their loss and score are in ``history_``, and ``early_stopping`` watches
    them instead of rows held back.

Returns
-------
self : {name}

Raises
------
ValueError
    If an argument or parameter is not usable, or if training diverges in the first epoch. The
    estimator is as it was before.
MemoryError
    If the network does not fit into memory."""

_ATTRIBUTES = """\
coefs_ : list of ndarray of shape (fan_in, fan_out)
    Weights of every layer. They may be assigned to; predictions follow.
intercepts_ : list of ndarray of shape (fan_out,)
    Intercepts of every layer.
batch_norm_scale_, batch_norm_shift_, batch_norm_mean_, batch_norm_var_ : lists of ndarray
    For every hidden layer, only with ``batch_norm``: what was learned, and the running averages.
loss_ : float
    Loss of the last epoch, penalty included.
best_loss_ : float or None
    Lowest loss of all epochs; None with ``early_stopping``.
loss_curve_ : list of float
    Loss of every epoch.
validation_scores_ : list of float or None
    Score (accuracy, or R^2) of the validation rows after every epoch; None without
    ``early_stopping``.
best_validation_score_ : float or None
    Highest of them (of their averages over ``early_stopping_window`` epochs).
best_iter_ : int
    Epoch, from 1, of the lowest loss or the highest validation score.
history_ : dict of lists
    For every epoch: epoch, loss, val_loss and val_score (NaN without validation rows),
    learning_rate (NaN for 'lbfgs'), seconds.
n_iter_ : int
    Epochs of the last ``fit``, or of all ``partial_fit`` since it.
t_ : int
    Training samples seen.
n_layers_ : int
    Number of layers, input and output included.
n_outputs_ : int
    Number of outputs.
n_parameters_ : int
    Number of weights, intercepts and batch norm's scales and shifts.
out_activation_ : str
    Activation of the outputs.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Their names, if X had any that are all strings."""

_NOTES = """\
Notes
-----
Starting weights, batches and loss curve are those of scikit-learn 1.9 for the same
``random_state``. Some things differ on purpose: the validation split is stratified for three and
more classes; sample weights act at any batch size and must not be negative; early stopping works
with 'lbfgs'; ``warm_start`` and ``partial_fit`` continue all of training, not the weights alone;
``predict_log_proba`` is finite; training that diverges stops in that epoch, warns, and keeps the
last finite weights (in the first epoch it raises).

An interrupt (Ctrl-C) is raised, as always; the estimator then predicts with the weights of the last
finished epoch.

References
----------
Kingma and Ba, "Adam: A method for stochastic optimization", 2014, arXiv:1412.6980.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
AISTATS 2010."""


def _options(names):
    return "{" + ", ".join(repr(name) for name in names) + "}"


def _formulas(registry):
    return "\n".join(f"- {name!r}: {row.formula}" for name, row in registry.items())


def document(cls):
    """Fill the placeholders in the docstrings of a class and of its ``fit``."""
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
        "own_parameters": _OWN_PARAMETERS[cls.__name__],
    }
    texts["parameters"] = _fill(_PARAMETERS, texts).replace("{{", "{").replace("}}", "}")
    texts |= {"attributes": _ATTRIBUTES, "notes": _NOTES}
    texts["fit_arguments"] = _fill(_FIT_ARGUMENTS, {"name": cls.__name__})
    for documented in (cls, cls.fit):
        if documented.__doc__ is None:  # python -OO
            continue
        documented.__doc__ = _fill(inspect.cleandoc(documented.__doc__), texts)
    return cls


def _fill(template, texts):
    """Replace each ``{name}``, indenting what it stands for as far as the placeholder."""
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
