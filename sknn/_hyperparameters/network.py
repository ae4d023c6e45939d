"""Hyperparameters of the network: layers, activations, starting weights, dropout, batch norm."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from ..parts.activations import ACTIVATIONS
from ..parts.custom import Activation
from ..parts.initializers import INITIALIZERS
from .rows import (
    COUNT,
    HAS_HIDDEN_LAYERS,
    IS_STOCHASTIC,
    NOT_NEGATIVE,
    POSITIVE,
    RATE,
    SCHEDULE,
    WITHOUT_HIDDEN_LAYERS,
    Choice,
    Condition,
    Hyperparameter,
    each,
    has_hidden_layers,
    read_by,
)

_OF_SCIKIT_LEARN = ("identity", "logistic", "tanh", "relu")
_HAS_BATCH_NORM = Condition(
    lambda estimator: bool(estimator.batch_norm), "without batch_norm=True, 'before' or 'after'"
)


def _activation_acts(estimator):
    choices = each(estimator.activation)
    return has_hidden_layers(estimator) or all(choice in _OF_SCIKIT_LEARN for choice in choices)


def _drops(estimator):
    of_hidden = each(estimator.dropout) if has_hidden_layers(estimator) else []
    return estimator.input_dropout > 0 or any(rate > 0 for rate in of_hidden)


def _refuse_dropped_embedding(estimator):
    if estimator.numeric_embedding != "pbld" or estimator.input_dropout == 0:
        return None
    return f"'none' or 'piecewise_linear' with input_dropout={estimator.input_dropout!r}"


def _refuse_scaled_l1(estimator):
    l1 = np.ravel(estimator.alpha)[0] * np.ravel(estimator.l1_ratio)[0]
    if not estimator.input_scale or estimator.solver == "lbfgs" or not l1 > 0:
        return None
    return (
        f"False with an L1 penalty on the first layer, alpha={estimator.alpha!r} and "
        f"l1_ratio={estimator.l1_ratio!r}"
    )


def _dtype_hint(value):
    for name in ("float32", "float64"):
        if isinstance(value, type | np.dtype) and np.dtype(name) == value:
            return f"Did you mean dtype={name!r}?"
    return ""


ROWS = {
    "hidden_layer_sizes": Hyperparameter(
        ["array-like", COUNT],
        "int or array-like of shape (n_layers - 2,)",
        """Number of units in each hidden layer. An int is one hidden layer, an empty sequence a
        linear model.
        """,
        other_names=("units", "hidden_units", "hidden_sizes", "layers"),
    ),
    "activation": Hyperparameter(
        [Choice(ACTIVATIONS), list, tuple, Activation],
        "{activations}, Activation or a sequence of these",
        """Activation function f of the hidden layers, applied to their pre-activations z. A
        sequence has one for each hidden layer. :class:`Activation` makes one from functions of your
        own.

        {activation_formulas}
        """,
        conditions=(Condition(_activation_acts, WITHOUT_HIDDEN_LAYERS),),
    ),
    "negative_slope": Hyperparameter(
        [NOT_NEGATIVE],
        "float",
        """Slope for z < 0, itself >= 0. Only used when activation='leaky_relu'.""",
        conditions=(read_by(ACTIVATIONS, "activation", "negative_slope"), HAS_HIDDEN_LAYERS),
    ),
    "elu_alpha": Hyperparameter(
        [POSITIVE],
        "float",
        """Scale for z < 0, itself > 0. Only used when activation='elu'.""",
        conditions=(read_by(ACTIVATIONS, "activation", "elu_alpha"), HAS_HIDDEN_LAYERS),
    ),
    "maxout_pieces": Hyperparameter(
        [Interval(Integral, 2, None, closed="left")],
        "int",
        """Number of linear pieces of a unit. The layer's ``coefs_`` have the shape (fan_in, units x
        pieces), with the pieces of a unit side by side. Only used when activation='maxout'.
        """,
        conditions=(read_by(ACTIVATIONS, "activation", "maxout_pieces"), HAS_HIDDEN_LAYERS),
    ),
    "initializer": Hyperparameter(
        [Choice(INITIALIZERS)],
        "{initializers}",
        """Distribution of the starting weights. Intercepts start at 0, except with 'auto' and
        'ntk'.

        {initializer_formulas}
        """,
        other_names=("kernel_initializer", "weight_init"),
    ),
    "dropout": Hyperparameter(
        [RATE, list, tuple],
        "float or sequence of float",
        """Dropout rate in [0, 1), arXiv:1207.0580: probability that a hidden unit is set to 0 in
        training. The other units are divided by 1 - rate, so that predictions need no scaling. A
        sequence has one rate for each hidden layer. Not used when solver='lbfgs'.
        """,
        conditions=(IS_STOCHASTIC, HAS_HIDDEN_LAYERS),
        other_names=("dropout_rate", "dropout_p"),
    ),
    "input_dropout": Hyperparameter(
        [RATE],
        "float",
        """Dropout rate of the inputs, in [0, 1). Not used when solver='lbfgs'.""",
        conditions=(IS_STOCHASTIC,),
    ),
    "dropout_schedule": Hyperparameter(
        [SCHEDULE],
        "{'constant', 'flat_cos'}",
        """Schedule of ``dropout`` and ``input_dropout``, by steps. 'flat_cos' keeps the rates for
        half of ``max_iter`` epochs, then takes them to 0 along a cosine, arXiv:2407.04491. It
        restarts as described at ``learning_rate``. Not used when solver='lbfgs'.
        """,
        conditions=(IS_STOCHASTIC, Condition(_drops, "without dropout or input_dropout")),
    ),
    "input_scale": Hyperparameter(
        ["boolean", POSITIVE],
        "bool or float",
        """Whether to learn a scale for each input, which starts at 1. A float > 0 is a factor on
        the learning rate of the scales; it is 6 in RealMLP, arXiv:2407.04491. ``coefs_[0]`` are the
        weights with the scales multiplied in, so only training differs from that of a network
        without scales. Not available with an L1 penalty on the first layer. Not used when
        solver='lbfgs'.
        """,
        conditions=(IS_STOCHASTIC,),
        refusal=_refuse_scaled_l1,
    ),
    "numeric_embedding": Hyperparameter(
        [Choice(["none", "pbld", "piecewise_linear"])],
        "{'none', 'pbld', 'piecewise_linear'}",
        """What the first layer reads besides the features: numbers for each feature x with more
        than two distinct values in the X of the first ``fit`` or ``partial_fit`` (in
        :func:`~sknn.distributed.fit_dask`, in the rows of the first worker). ``coefs_[0]`` has the
        rows of all features first, then those of these numbers. Not available with sparse X.

        - 'pbld' (periodic bias linear densenet, arXiv:2407.04491, after arXiv:2203.05556) adds
          three numbers for a feature, sum_k cos(2 pi w_k x + p_k) c_kj + b_j, with 16 waves.
          Frequencies w, phases p, c and b are learned with a tenth of the learning rate and are not
          penalized; w starts from a normal distribution with standard deviation 0.1, so features
          should be scaled to about -3 to 3. Not available with ``input_dropout``.
        - 'piecewise_linear' (arXiv:2203.05556) adds one number for each of up to 16 bins of a
          feature, 0.3 (min(1, max(0, (x - e_{j-1}) / (e_j - e_{j-1}))) - 1 / 2), as
          :class:`PiecewiseLinearEncoder` does. The edges e, ``embedding_edges_``, are distinct
          quantiles of that first X, whatever the sample weights; with fewer than three, a feature
          has no bins. Edges are not trained, only the weights of the first layer are. The numbers
          are computed whenever rows are read, and never kept for all of X.
          ``input_dropout`` drops features and bins one by one.
        """,
        refusal=_refuse_dropped_embedding,
        other_names=("num_emb_type", "embedding"),
    ),
    "skip": Hyperparameter(
        ["boolean"],
        "bool",
        """Whether the outputs also have a linear path from the inputs: ``X @ skip_coefs_[0]`` is
        added to them before the output activation. These weights start at 0 and are penalized like
        those of the output layer.
        """,
        conditions=(HAS_HIDDEN_LAYERS,),
    ),
    "batch_norm": Hyperparameter(
        ["boolean", Choice(["before", "after"])],
        "{False, True, 'before', 'after'}",
        """Whether to use batch normalization, arXiv:1502.03167, before the activation (True or
        'before') or after it. Each unit is normalized over the minibatch, x = (z - mean) / sqrt(var
        + 1e-5), and becomes scale x + shift, where scale and shift are learned. The intercept of z
        would have no effect and is not trained. Predictions use running averages of mean and
        variance, as do minibatches with fewer than 8 samples, after a warning. If ``batch_size`` is
        less than 32, ``fit`` sets them to the statistics of the training samples, or of 2,048 of
        them, after every epoch. Fewer than half of ``batch_size`` samples at the end of an epoch
        join the minibatch before them.
        """,
        conditions=(HAS_HIDDEN_LAYERS,),
        other_names=("batch_normalization",),
    ),
    "batch_norm_momentum": Hyperparameter(
        [RATE],
        "float",
        """Momentum of the running averages, in [0, 1): average = momentum average + (1 - momentum)
        batch statistic, for full minibatches of at least 32 samples. Smaller ones count in
        proportion, and the first ones equally. Only used when batch_norm is not False.
        """,
        conditions=(_HAS_BATCH_NORM, IS_STOCHASTIC, HAS_HIDDEN_LAYERS),
    ),
    "dtype": Hyperparameter(
        [Choice(["float32", "float64"]), None],
        "{'float32', 'float64'} or None",
        """Data type of weights and arithmetic. None is float32 if X is, and float64 otherwise.
        'float32' takes about half the time; a float64 X is cast chunk by chunk, without a copy of
        the whole.
        """,
        hint=_dtype_hint,
    ),
}
