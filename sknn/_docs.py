"""Documentation that the estimators share, with the options listed from the registries."""

import inspect

from .activations import ACTIVATIONS
from .losses import LOSSES, REGRESSION_LOSSES

_PARAMETERS = """\
hidden_layer_sizes : int or array-like of shape (n_layers - 2,), default=(100,)
    Units of each hidden layer; an empty sequence gives a linear model.
activation : {activations}, default='relu'
    Activation f of the hidden layers.

    {activation_formulas}
solver : {{'lbfgs', 'sgd', 'adam'}}, default='adam'
    How weights are found.

    - 'lbfgs': SciPy's L-BFGS-B over the whole training set.
    - 'sgd': v = momentum v - rate g, then w += v, or with Nesterov's momentum w += momentum v - rate g.
    - 'adam': first and second moments m and v of the gradient g, then
      w -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon), in step t. As in scikit-learn, ``epsilon`` stands
      beside the uncorrected root (section 2 of the paper), where PyTorch and Keras' Algorithm 1 correct first.
alpha : float, default=0.0001
    Strength of the L2 penalty on the weights (not on the intercepts), divided by the batch's size x mean sample weight.
batch_size : int or 'auto', default='auto'
    Rows a step; 'auto' is min(200, n_samples). Not used by 'lbfgs'.
learning_rate : {{'constant', 'invscaling', 'adaptive'}}, default='constant'
    Schedule of the rate; acts with ``solver='sgd'`` only, as in scikit-learn.

    - 'constant': ``learning_rate_init``.
    - 'invscaling': learning_rate_init / (t + 1)^power_t after t samples, changed after every epoch.
    - 'adaptive': divided by 5 whenever training would stop for lack of improvement, down to 1e-6.
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
    Improvement of the loss (or the validation score) that counts as one; for 'lbfgs' also the largest gradient at which it is done.
verbose : bool, default=False
    Print the loss of every epoch.
warm_start : bool, default=False
    Go on from the last fit, with its weights, optimizer, shuffling, validation split and history: 10 + 10 epochs are 20 epochs.
    (scikit-learn's own restarts all but the weights.)
momentum : float, default=0.9
    Share of the last step that is kept by 'sgd', in [0, 1].
nesterovs_momentum : bool, default=True
    Whether 'sgd' looks ahead.
early_stopping : bool, default=False
    Hold ``validation_fraction`` of the rows back, stop when their score no longer improves, and keep the best weights. The split is
    stratified for any number of classes (a class' only row is trained on), not for several labels. Works with 'lbfgs' too.
validation_fraction : float, default=0.1
    Fraction of the training set that is held back, in (0, 1).
beta_1, beta_2 : float, default=0.9, 0.999
    Decay of adam's moments, in [0, 1).
epsilon : float, default=1e-8
    Added to adam's denominator.
n_iter_no_change : int or np.inf, default=10
    Epochs without improvement by ``tol`` after which training stops.
max_fun : int, default=15000
    Most evaluations of the loss by 'lbfgs'.
dtype : {{'float32', 'float64'}} or None, default=None
    Arithmetic of the network. None is X's own: float32 for float32, float64 for everything else. 'float32' about halves the time
    for float64 tables; rows are cast chunk by chunk."""

_ATTRIBUTES = """\
coefs_ : list of ndarray of shape (fan_in, fan_out)
    Weights of every layer. They may be assigned to; predictions follow.
intercepts_ : list of ndarray of shape (fan_out,)
    Intercepts of every layer.
loss_ : float
    Loss of the last epoch, penalty included.
best_loss_ : float or None
    Lowest loss of all epochs; None with ``early_stopping``.
loss_curve_ : list of float
    Loss of every epoch.
validation_scores_ : list of float or None
    Score (accuracy, or R^2) of the validation rows after every epoch; None without ``early_stopping``.
best_validation_score_ : float or None
    Highest of them.
best_iter_ : int
    Epoch, from 1, of the lowest loss or the highest validation score.
history_ : dict of lists
    For every epoch: epoch, loss, val_loss and val_score (NaN without validation rows), learning_rate (NaN for 'lbfgs'), seconds.
n_iter_ : int
    Epochs of the last ``fit``, or of all ``partial_fit`` since it.
t_ : int
    Training samples seen.
n_layers_ : int
    Number of layers, input and output included.
n_outputs_ : int
    Number of outputs.
n_parameters_ : int
    Number of weights and intercepts.
out_activation_ : str
    Activation of the outputs.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Their names, if X had any that are all strings."""

_NOTES = """\
Starting weights, batches and loss curve are those of scikit-learn 1.9 for the same ``random_state``. Some things differ on purpose: the
validation split is stratified for three and more classes; sample weights act at any batch size and must not be negative; early stopping
works with 'lbfgs'; ``warm_start`` and ``partial_fit`` continue all of training, not the weights alone; ``predict_log_proba`` is finite;
training that diverges stops in that epoch, warns, and keeps the last finite weights (in the first epoch it raises).

An interrupt (Ctrl-C) is raised, as always; the estimator then predicts with the weights of the last finished epoch."""

_REFERENCES = """\
Kingma and Ba, "Adam: A method for stochastic optimization", 2014, arXiv:1412.6980.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010."""


def _options(names):
    return "{" + ", ".join(repr(name) for name in names) + "}"


def _formulas(registry, names):
    return "\n".join(f"- {name!r}: {registry[name].formula}" for name in names)


def document(cls):
    """Fill the placeholders of a class' docstring."""
    texts = {
        "activations": _options(ACTIVATIONS),
        "activation_formulas": _formulas(ACTIVATIONS, ACTIVATIONS),
        "losses": _options(REGRESSION_LOSSES),
        "loss_formulas": _formulas(LOSSES, REGRESSION_LOSSES),
    }
    texts["parameters"] = _fill(_PARAMETERS, texts).replace("{{", "{").replace("}}", "}")
    texts |= {"attributes": _ATTRIBUTES, "notes": _NOTES, "references": _REFERENCES}
    cls.__doc__ = _fill(inspect.cleandoc(cls.__doc__), texts)
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
