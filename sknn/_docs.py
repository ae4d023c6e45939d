"""Docstrings that both estimators share, with the options of the registries filled in."""

import inspect

from .parts.activations import ACTIVATIONS
from .parts.initializers import INITIALIZERS
from .parts.losses import LOSSES, REGRESSION_LOSSES
from .parts.optimizers import OPTIMIZERS
from .parts.schedules import SCHEDULES

_PARAMETERS = """\
hidden_layer_sizes : int or array-like of shape (n_layers - 2,), default=(100,)
    Number of units in each hidden layer. An int is one hidden layer, an empty sequence a linear
    model.
activation : {activations}, Activation or a sequence of these, default='relu'
    Activation function f of the hidden layers, applied to their pre-activations z. A sequence has
    one for each hidden layer. :class:`Activation` makes one from functions of your own.

    {activation_formulas}
solver : {'lbfgs', {optimizers}}, default='adam'
    Solver that updates the weights w from their gradients g. In the formulas, "rate" is the current
    learning rate.

    - 'lbfgs': SciPy's L-BFGS-B on the whole training set, without minibatches.
    {optimizer_formulas}
alpha : float, default=0.0001
    Strength, >= 0, of the penalty P(W) = l1_ratio sum abs(w) + (1 - l1_ratio) sum w^2 / 2 on the
    weights. Intercepts and the parameters of batch normalization are not penalized. As in
    scikit-learn, the penalty is divided by the number of samples in the minibatch (times their mean
    sample weight).
batch_size : int or 'auto', default='auto'
    Number of samples per minibatch. 'auto' is min(200, n_samples). Not used when solver='lbfgs'.
learning_rate : {schedules}, default='constant'
    Learning-rate schedule. In the formulas, rate0 is ``learning_rate_init``, s is the number of
    epochs (with fractions) completed before the weight update, and training is taken to last
    ``max_iter`` epochs. 'invscaling' and 'adaptive' are only used when solver='sgd', as in
    scikit-learn. The others are used by every solver but 'lbfgs'.

    {schedule_formulas}
learning_rate_init : float, default=0.001
    Initial learning rate, > 0. Not used when solver='lbfgs'.
power_t : float, default=0.5
    Exponent of inverse scaling, >= 0. Only used when learning_rate='invscaling'.
max_iter : int, default=200
    Maximum number of epochs (stochastic solvers) or iterations ('lbfgs').
shuffle : bool, default=True
    Whether to shuffle the samples in every epoch. Not used when solver='lbfgs'.
random_state : int, RandomState instance or None, default=None
    Determines starting weights, validation split, shuffling and dropout, drawn in the same order as
    in scikit-learn. Pass an int for reproducible results.
tol : float, default=1e-4
    Minimum improvement of the loss (or validation score) that counts as progress. 'lbfgs' also
    stops when no component of the gradient is larger.
verbose : bool or int, default=False
    Whether to print every epoch. True prints a line of a table with the losses, the score, the
    learning rate and the seconds, and a positive int prints what scikit-learn prints.
warm_start : bool, default=False
    Whether ``fit`` continues training where the last fit ended: with its weights, optimizer state,
    schedule, shuffling, validation split and history, so that 10 + 10 epochs equal 20. In
    scikit-learn only the weights are kept.
momentum : float or (float, float), default=0.9
    Momentum, in [0, 1]. A pair (start, end) rises or falls linearly over the first half of
    ``max_iter`` epochs. Only used when solver='sgd'.
nesterovs_momentum : bool, default=True
    Whether to use Nesterov's momentum. Only used when solver='sgd'.
early_stopping : bool or 'auto', default=False
    Whether to hold out ``validation_fraction`` of the training set, to stop when the score of these
    samples does not improve by ``tol`` for ``n_iter_no_change`` epochs, and to keep the weights of
    the best epoch. The split is stratified for any number of classes (classes with a single sample
    stay in the training set), but not for multilabel targets. Also used when solver='lbfgs'.
    'auto' is True if ``X_val`` is given to ``fit``, and False otherwise.
validation_fraction : float or CV splitter, default=0.1
    Fraction of the training set to hold out, in (0, 1), or a splitter such as
    :class:`~sklearn.model_selection.TimeSeriesSplit`, whose first split is used. Only used when
    early_stopping=True.
beta_1 : float, default=0.9
    Exponential decay rate of the first moment estimate, in [0, 1). Only used when solver is 'adam',
    'adamw', 'amsgrad' or 'nadam'.
beta_2 : float, default=0.999
    Exponential decay rate of the second moment estimate, in [0, 1). Only used by the same solvers.
epsilon : float, default=1e-8
    Small number that keeps denominators from being 0. Only used by solvers with epsilon in their
    formula.
n_iter_no_change : int or np.inf, default=10
    Maximum number of consecutive epochs without an improvement by ``tol``. With 'lbfgs', only used
    when early_stopping=True.
max_fun : int, default=15000
    Maximum number of evaluations of the loss. Only used when solver='lbfgs'.
negative_slope : float, default=0.1
    Slope for z < 0, itself >= 0. Only used when activation='leaky_relu'.
elu_alpha : float, default=1.0
    Scale for z < 0, itself > 0. Only used when activation='elu'.
maxout_pieces : int, default=2
    Number of linear pieces of a unit, whose ``coefs_`` stand side by side: their shape is (fan_in,
    units x pieces). Only used when activation='maxout'.
initializer : {initializers}, default='auto'
    Distribution of the starting weights. Intercepts start at 0, except with 'auto'.

    {initializer_formulas}
rho : float, default=0.9
    Exponential decay rate of the average of squared gradients, in [0, 1). Only used when solver is
    'rmsprop' or 'adadelta'.
decay_rate : float, default=0.1
    Decay of the learning rate per epoch, >= 0, and factor of 'plateau'. Only used when
    learning_rate is 'exponential', 'inverse_time', 'step' or 'plateau'.
warmup_epochs : float, default=0
    Number of epochs over which the learning rate rises linearly to the schedule's. Not used when
    solver='lbfgs'.
l1_ratio : float, default=0.0
    Fraction of the L1 penalty in ``alpha``, in [0, 1]. After each weight update comes a proximal
    step w = sign(w) max(0, abs(w) - size l1), where l1 is the strength of the L1 penalty and size
    the solver's own step size for that weight, so that weights become exactly 0. 'lbfgs' instead
    minimizes over positive and negative parts of the weights.
weight_decay : float, default=0.0
    Decoupled weight decay, arXiv:1711.05101: w *= 1 - rate weight_decay in every update, whatever
    the batch size. Not used when solver='lbfgs'.
dropout : float or sequence of float, default=0.0
    Dropout rate in [0, 1), arXiv:1207.0580: probability that a hidden unit is set to 0 in training.
    The other units are divided by 1 - rate, so that predictions need no scaling. A sequence has one
    rate for each hidden layer. Not used when solver='lbfgs'.
input_dropout : float, default=0.0
    Dropout rate of the inputs, in [0, 1). Not used when solver='lbfgs'.
batch_norm : {False, True, 'before', 'after'}, default=False
    Whether to use batch normalization, arXiv:1502.03167, before the activation (True or 'before')
    or after it. Each unit is normalized over the minibatch, x = (z - mean) / sqrt(var + 1e-5), and
    becomes scale x + shift, where scale and shift are learned. Predictions use running averages of
    mean and variance.
batch_norm_momentum : float, default=0.9
    Momentum of the running averages, in [0, 1): average = momentum average + (1 - momentum) batch
    statistic. Only used when batch_norm is not False.
{own_parameters}
max_grad_norm : float or None, default=None
    Maximum Euclidean norm of the gradient of all parameters, arXiv:1211.5063. Longer gradients are
    scaled down to it. Not used when solver='lbfgs'.
scoring : str, callable or None, default=None
    Score that is monitored: None is the accuracy (R^2 in regression), 'loss' is the negative
    validation loss, and anything else a scorer of scikit-learn. Only used when early_stopping=True.
early_stopping_window : int, default=1
    Number of epochs over which validation scores are averaged before they are compared. Only used
    when early_stopping=True.
restore_best : bool, default=True
    Whether to end with the weights of the best epoch instead of the last. Only used when
    early_stopping=True.
dtype : {'float32', 'float64'} or None, default=None
    Data type of weights and arithmetic. None is float32 if X is, and float64 otherwise. 'float32'
    takes about half the time; a float64 X is cast chunk by chunk, without a copy of the whole."""

_OWN_PARAMETERS = {
    "MLPClassifier": """\
label_smoothing : float, default=0.0
    Fraction e of the target that is spread evenly over all K classes, in [0, 1): 1 - e + e / K for
    the true class and e / K for the others. arXiv:1512.00567.
class_weight : dict, 'balanced' or None, default=None
    Weights of the classes, which multiply ``sample_weight``. 'balanced' is n_samples / (n_classes
    np.bincount(y)), as in scikit-learn.""",
    "MLPRegressor": """\
quantile : float or sequence of float, default=0.5
    Level of the quantile, in (0, 1). An increasing sequence has one output for each level; they do
    not cross, since each lies log(1 + exp(z)) above the one before. Only used when loss='quantile'.
huber_delta : float, default=1.0
    Distance from the target beyond which the loss is linear, in units of the target (of the
    standardized target if normalize_y=True). Only used when loss='huber'.
normalize_y : bool, default=False
    Whether to standardize the targets for training. Predictions are on the original scale.""",
}

_OWN_ATTRIBUTES = {
    "MLPClassifier": """\
classes_ : ndarray of shape (n_classes,)
    Class labels. For multilabel targets, the column numbers of the labels.""",
    "MLPRegressor": """\
y_mean_ : ndarray of shape (n_outputs,)
    Means of the targets. Only when normalize_y=True.
y_scale_ : ndarray of shape (n_outputs,)
    Standard deviations of the targets. Only when normalize_y=True.""",
}

_FIT_ARGUMENTS = """\
sample_weight : array-like of shape (n_samples,), default=None
    Sample weights, not negative. None is 1 for every sample.
X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
    Validation samples, to be given together with ``y_val``. Their loss and score are recorded in
    ``history_``. With early_stopping=True or 'auto' they are monitored, and none are held out.
y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
    Validation targets.
sample_weight_val : array-like of shape (n_val,), default=None
    Weights of the validation samples.

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
coefs_ : list of ndarray of shape (fan_in, fan_out)
    Weights of each layer. Predictions use what is assigned to them.
intercepts_ : list of ndarray of shape (fan_out,)
    Intercepts (biases) of each layer.
batch_norm_scale_ : list of ndarray
    Learned scales of each hidden layer. Only with batch normalization, like the next three.
batch_norm_shift_ : list of ndarray
    Learned shifts.
batch_norm_mean_ : list of ndarray
    Running averages of the means.
batch_norm_var_ : list of ndarray
    Running averages of the variances.
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
n_iter_ : int
    Number of epochs of the last ``fit``, and of every ``partial_fit`` since.
t_ : int
    Number of training samples seen.
n_layers_ : int
    Number of layers, with the input and output layers.
n_outputs_ : int
    Number of outputs.
n_parameters_ : int
    Number of learned parameters: weights, intercepts, scales and shifts.
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
        "own_parameters": _OWN_PARAMETERS[cls.__name__],
    }
    texts["parameters"] = _fill(_PARAMETERS, texts)
    own_attributes = {"own_attributes": _OWN_ATTRIBUTES[cls.__name__]}
    texts |= {"attributes": _fill(_ATTRIBUTES, own_attributes), "notes": _NOTES}
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
