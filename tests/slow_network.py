"""A slow, obvious network that trains as the estimators say they do, for all of their options.

It is written from the documentation alone and shares no code with the package. It needs no backward
pass: the gradient of a weight is Im f(w + ih) / h of the objective f, for a tiny h, computed by one
forward pass for each weight, all of them at once. Arrays have the weights' number in front, then
rows, then units.

Dropout is left out, because its random numbers are the package's own.
"""

from types import SimpleNamespace

import numpy as np
import scipy.optimize
from test_activations import REFERENCE as ACTIVATIONS
from test_optimizers import REFERENCE as OPTIMIZERS

_TINY = 1e-200  # whose square is 0, so that no real part moves off a kink
_NORM_EPSILON = 1e-5
_LEAST_NORMALIZED = 8  # rows that weigh something; fewer are normalized by the running averages
_LEAST_AVERAGED = 32  # rows of a batch; the statistics of smaller ones are measured after an epoch


# ---- starting weights --------------------------------------------------------------------------


def _orthogonal(rng, fan_in, n_columns):
    draws = rng.standard_normal((max(fan_in, n_columns), min(fan_in, n_columns)))
    columns = []
    for column in draws.T:
        rest = column - sum((other @ column) * other for other in columns)
        columns.append(rest / np.linalg.norm(rest))
    tall = np.array(columns).T
    return tall if fan_in >= n_columns else tall.T


def draw_layer(rng, initializer, fan_in, fan_out, n_columns, activation):
    """Return weights and intercepts of a layer.

    Parameters
    ----------
    rng : RandomState
    initializer : str
    fan_in, fan_out : int
    n_columns : int
        ``fan_out`` times the pieces of a maxout unit.
    activation : str
    """
    shape = fan_in, n_columns
    if initializer == "auto":
        bound = np.sqrt((2 if activation in ("logistic", "sigmoid") else 6) / (fan_in + fan_out))
        weights = rng.uniform(-bound, bound, shape)
        return weights, rng.uniform(-bound, bound, n_columns)
    variance = {
        "glorot": 2 / (fan_in + fan_out),
        "he": 2 / fan_out if initializer.endswith("fan_out") else 2 / fan_in,
        "lecun": 1 / fan_in,
        "random": 1.0 if initializer == "random_normal" else 0.05**2 / 3,
        "orthogonal": None,
        "zeros": 0.0,
    }[initializer.partition("_")[0]]
    if variance is None:
        weights = _orthogonal(rng, *shape)
    elif variance == 0:
        weights = np.zeros(shape)
    elif "normal" in initializer:
        weights = rng.standard_normal(shape) * np.sqrt(variance)
    else:
        weights = (rng.random_sample(shape) - 0.5) * np.sqrt(12 * variance)
    return weights, np.zeros(n_columns)


# ---- losses ------------------------------------------------------------------------------------


def _absolute(z):
    return np.where(z.real < 0, -z, z)


def _softplus(z):
    return np.where(z.real < 0, 0, z) + np.log1p(np.exp(-_absolute(z)))


def _log_sum(z):
    top = z.real.max(axis=-1, keepdims=True)
    return top + np.log(np.exp(z - top).sum(axis=-1, keepdims=True))


def _smoothed(y, n_outputs, smoothing):
    """Return the probabilities that the outputs should have."""
    if n_outputs > 1 and y.shape[1] == 1:
        return (1 - smoothing) * np.eye(n_outputs)[y[:, 0].astype(int)] + smoothing / n_outputs
    return (1 - smoothing) * y + smoothing / 2


def quantiles(z):
    """Return rising quantiles: the first output, and steps of log(1 + exp(z))."""
    return np.cumsum(np.concatenate([z[..., :1], _softplus(z[..., 1:])], axis=-1), axis=-1)


def _pinball(difference, levels):
    return np.where(difference.real < 0, levels - 1, levels) * difference


def _huber(difference, bound):
    size = _absolute(difference)
    return np.where(size.real <= bound, difference**2 / 2, bound * (size - bound / 2))


def row_losses(settings, loss, z, y):
    """Return the loss of each row, for outputs of shape (..., n_rows, n_outputs).

    Parameters
    ----------
    settings : SimpleNamespace
        The estimator's parameters.
    loss : str
        That of the regressor, or "log_loss" or "binary_log_loss".
    z : ndarray, may be complex
    y : ndarray of shape (n_rows, n_targets)
    """
    if loss == "log_loss":
        targets = _smoothed(y, z.shape[-1], settings.label_smoothing)
        return (targets * (_log_sum(z) - z)).sum(axis=-1)
    if loss == "binary_log_loss":
        return (_softplus(z) - _smoothed(y, 1, settings.label_smoothing) * z).sum(axis=-1)
    if loss == "quantile":
        levels = np.atleast_1d(settings.quantile)
        values = z if len(levels) == 1 else quantiles(z)
        return _pinball(y - values, levels).sum(axis=-1) / len(levels)
    if loss == "poisson":
        logarithm = y * np.log(np.where(y > 0, y, 1))
        return (logarithm - y * z - y + np.exp(z)).sum(axis=-1)
    if loss == "gamma":
        return (z - np.log(y) + y * np.exp(-z) - 1).sum(axis=-1)
    difference = z - y
    size = _absolute(difference)
    if loss == "squared_error":
        terms = difference**2 / 2
    elif loss == "absolute_error":
        terms = np.where(size.real == 0, 0, size)  # whose slope is taken to be 0 there
    elif loss == "huber":
        terms = _huber(difference, settings.huber_delta)
    else:
        terms = size + np.log1p(np.exp(-2 * size)) - np.log(2)  # log(cosh)
    return terms.sum(axis=-1)


def clipped_losses(settings, loss, z, y, noise):
    """Return the loss of each row with probabilities, which are rounded, at least a machine epsilon
    from 0 and 1. Arguments: see :func:`row_losses`; ``noise``: :meth:`SlowNetwork.train`.
    """
    if loss not in ("log_loss", "binary_log_loss"):
        return row_losses(settings, loss, z, y)
    eps = np.finfo(settings.dtype).eps
    p = noise(probabilities(loss, z)).clip(eps, 1 - eps)
    if loss == "log_loss":
        return -(_smoothed(y, z.shape[-1], settings.label_smoothing) * np.log(p)).sum(axis=-1)
    targets = _smoothed(y, 1, settings.label_smoothing)
    return -(targets * np.log(p) + (1 - targets) * np.log1p(-p)).sum(axis=-1)


def probabilities(loss, z):
    """Return what a classifier's outputs z mean."""
    if loss == "log_loss":
        return np.exp(z - _log_sum(z))
    return np.exp(-_softplus(-z))


# ---- the network -------------------------------------------------------------------------------


class SlowNetwork:
    """Weights in one vector; layer by layer coefs, intercepts, and with batch norm scale and shift.

    Parameters
    ----------
    settings : SimpleNamespace
        The estimator's parameters, checked; ``hidden_layer_sizes`` and ``activation`` are lists.
        ``by_partial_fit`` says whether each epoch is a call of its own.
    n_features, n_outputs : int
    loss : str
        As in :func:`row_losses`.
    """

    def __init__(self, settings, n_features, n_outputs, loss):
        self.settings = settings
        self.loss = loss
        self.rng = np.random.RandomState(settings.random_state)
        self.shapes = []  # of coefs, intercepts, scale, shift of each layer
        self.penalized = []
        self.trained = []
        values = []
        fan_in = n_features
        names = [*settings.activation, settings.activation_of_output]
        for name, units in zip(names, [*settings.hidden_layer_sizes, n_outputs], strict=True):
            is_last = len(self.shapes) == len(settings.hidden_layer_sizes)
            pieces = settings.maxout_pieces if name == "maxout" and not is_last else 1
            n_columns = units * pieces
            arrays = draw_layer(self.rng, settings.initializer, fan_in, units, n_columns, name)
            if settings.batch_norm and not is_last:
                width = units if settings.batch_norm == "after" else n_columns
                arrays = (*arrays, np.ones(width), np.zeros(width))
            self.shapes.append([array.shape for array in arrays])
            for i, array in enumerate(arrays):
                values.append(array.ravel())
                self.penalized.append(np.full(array.size, i == 0))
                # Batch norm takes away the intercepts before it, so they are left as they are.
                is_shifted = i == 1 and len(arrays) > 2 and settings.batch_norm != "after"
                self.trained.append(np.full(array.size, not is_shifted))
            fan_in = units
        self.weights = np.concatenate(values)
        self.penalized = np.concatenate(self.penalized)
        self.trained = np.concatenate(self.trained)
        self.running = [
            (np.zeros(shapes[2]), np.ones(shapes[2])) for shapes in self.shapes if len(shapes) > 2
        ]

    def layers(self, weights):
        """Return the arrays of each layer, from weights of shape (..., n_weights)."""
        start = 0
        layers = []
        for shapes in self.shapes:
            arrays = []
            for shape in shapes:
                size = int(np.prod(shape))
                part = weights[..., start : start + size]
                arrays.append(part.reshape(*weights.shape[:-1], *shape))
                start += size
            layers.append(arrays)
        return layers

    def forward(self, weights, X, row_weight=None, least=_LEAST_NORMALIZED):
        """Return ``(outputs, the last hidden layer, batch statistics of each hidden layer)``.

        Parameters
        ----------
        weights : ndarray of shape (n_copies, n_weights)
        X : ndarray of shape (n_rows, n_features)
        row_weight : ndarray of shape (n_rows,) or None
            In training; without, batch norm takes the running averages.
        least : int, default=8
            It takes them too with fewer rows that weigh something.
        """
        a = X[None]
        statistics = []
        least = 2 if self.settings.solver == "lbfgs" else least

        def normalize(values, scale, shift):
            averages = mean, variance = self.running[len(statistics)]
            if row_weight is not None and row_weight.sum() > 0:
                share = (row_weight / row_weight.sum())[:, None]
                mean = (share * values).sum(axis=1, keepdims=True)
                variance = (share * (values - mean) ** 2).sum(axis=1, keepdims=True)
            statistics.append((mean, variance))
            if row_weight is not None and (row_weight > 0).sum() < least:
                mean, variance = averages
            normalized = (values - mean) / np.sqrt(variance + _NORM_EPSILON)
            return scale[:, None] * normalized + shift[:, None]

        for number, (W, b, *norm) in enumerate(self.layers(weights)):
            z = a @ W + b[:, None]
            if number == len(self.shapes) - 1:
                return z, a, statistics
            if norm and self.settings.batch_norm != "after":
                z = normalize(z, *norm)
            a = self._activate(z, self.settings.activation[number])
            if norm and self.settings.batch_norm == "after":
                a = normalize(a, *norm)
        return None

    def _activate(self, z, name):
        settings = self.settings
        if name == "maxout":
            pieces = z.reshape(*z.shape[:-1], -1, settings.maxout_pieces)
            largest = pieces.real.argmax(axis=-1)[..., None]
            return np.take_along_axis(pieces, largest, axis=-1)[..., 0]
        parameter = settings.elu_alpha if name == "elu" else settings.negative_slope
        return ACTIVATIONS[name](z, parameter)

    # ---- loss and gradient ----------------------------------------------------------------------

    def strengths(self, n_rows, mean_weight):
        """Return the strengths of the L1 and the L2 penalty of a minibatch."""
        alpha = self.settings.alpha / (n_rows * mean_weight)
        return alpha * self.settings.l1_ratio, alpha * (1 - self.settings.l1_ratio)

    def objective(self, weights, X, y, row_weight, mean_weight):
        """Return what is minimized but for the L1 penalty, for each copy of the weights.

        Parameters
        ----------
        weights : ndarray of shape (n_copies, n_weights)
        X, y, row_weight : ndarray
            Of the minibatch.
        mean_weight : float
            Of the whole training set.
        """
        z, _, _ = self.forward(weights, X, row_weight)
        losses = row_losses(self.settings, self.loss, z, y)
        _, l2 = self.strengths(len(X), mean_weight)
        squares = (weights[:, self.penalized] ** 2).sum(axis=-1)
        return (row_weight * losses).sum(axis=-1) / (len(X) * mean_weight) + l2 / 2 * squares

    def gradient(self, weights, *batch):
        """Return the gradient of :meth:`objective`, whose arguments it takes."""
        steps = weights + 1j * _TINY * np.eye(len(weights))
        return self.objective(steps, *batch).imag / _TINY

    def loss_and_penalties(self, weights, X, y, row_weight, mean_weight, noise):
        """Return the loss of a minibatch, its L1 and its L2 penalty, for weights of shape
        (n_weights,). Other arguments: see :meth:`objective` and :meth:`train`.
        """
        z, _, _ = self.forward(weights[None], X, row_weight)
        losses = clipped_losses(self.settings, self.loss, z[0], y, noise)
        l1, l2 = self.strengths(len(X), mean_weight)
        w = weights[self.penalized]
        data = (row_weight * losses).sum() / (len(X) * mean_weight)
        return data, l1 * np.abs(w).sum(), l2 / 2 * (w**2).sum()

    def reported_loss(self, *batch_and_noise):
        """Return the objective as it is reported: the squared error is the mean over outputs."""
        data, *penalties = self.loss_and_penalties(self.weights, *batch_and_noise)
        n_outputs = self.shapes[-1][1][0]
        return data / (n_outputs if self.loss == "squared_error" else 1) + sum(penalties)

    # ---- training -------------------------------------------------------------------------------

    def train(self, X, y, row_weight, noise):
        """Train for ``max_iter`` epochs of minibatches; return the loss of each epoch.

        Parameters
        ----------
        X, y, row_weight : ndarray
        noise : callable
            Called with gradients, probabilities and, after each step, weights, to see what rounding
            would do.
        """
        settings = self.settings
        order = np.arange(len(X))
        states = [np.zeros_like(self.weights)] * 3
        n_steps = -(-len(X) // settings.batch_size)
        rate_of_epoch = settings.learning_rate_init
        losses = []
        t = 0
        for epoch in range(settings.max_iter):
            if settings.shuffle:
                self.rng.shuffle(order)
            losses.append(0.0)
            for step in range(n_steps):
                rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
                batch = X[rows], y[rows], row_weight[rows], row_weight.mean()
                loss = self.reported_loss(*batch, noise)
                losses[-1] += loss * len(rows) / len(X)
                t += 1
                now = epoch + step / n_steps
                rate = rate_of_epoch * rate_factor(settings, now, n_steps)
                states = self._step(batch, states, rate, now, t, noise)
                self.weights = noise(self.weights)
            if settings.batch_size < _LEAST_AVERAGED and not settings.by_partial_fit:
                self._measure(X, row_weight)
            if settings.learning_rate == "invscaling" and settings.solver == "sgd":
                seen = (epoch + 1) * len(X)
                rate_of_epoch = settings.learning_rate_init / (seen + 1) ** settings.power_t
        return losses

    def _step(self, batch, states, rate, now, t, noise):
        """Move the weights by one optimizer step and return the optimizer's states.

        Parameters
        ----------
        batch : (X, y, row_weight, mean_weight)
        states : list of three ndarray
        rate : float
        now : float
            Epochs before this step.
        t : int
            Number of the step, from 1.
        noise : callable
        """
        settings = self.settings
        g = noise(self.gradient(self.weights, *batch), sums=True)
        statistics = self.forward(self.weights[None], batch[0], batch[2])[2]
        self._follow(statistics, batch[2], batch[3], t)
        if settings.max_grad_norm is not None:
            g *= min(1.0, settings.max_grad_norm / max(np.linalg.norm(g), 1e-300))
        g *= self.trained
        w = self.weights * np.where(self.penalized, 1 - rate * weight_decay(settings, now), 1)
        step = OPTIMIZERS[settings.solver]
        at_this_step = SimpleNamespace(**{**vars(settings), "momentum": momentum(settings, now)})
        moved, new_states = step(w, g, states, at_this_step, rate, t)
        l1, _ = self.strengths(len(batch[0]), batch[3])
        if l1 > 0:
            # What a gradient is multiplied with, given the states after the step.
            bound = l1 * self._step_sizes(new_states, rate, t, at_this_step.momentum)
            shrunk = np.sign(moved) * np.maximum(np.abs(moved) - bound, 0)
            moved = np.where(self.penalized, shrunk, moved)
        self.weights = moved
        return new_states

    def _step_sizes(self, states, rate, t, momentum):
        settings = self.settings
        of_square = np.sqrt(1 - settings.beta_2**t)
        return {
            "sgd": lambda: rate / (1 - momentum),
            "adagrad": lambda: rate / (np.sqrt(states[0]) + settings.epsilon),
            "rmsprop": lambda: rate / (np.sqrt(states[0]) + settings.epsilon),
            "adadelta": lambda: rate * states[2],
            "adam": lambda: rate * of_square / (np.sqrt(states[1]) + settings.epsilon),
            "amsgrad": lambda: rate * of_square / (np.sqrt(states[1]) + settings.epsilon),
            "adamw": lambda: rate / (np.sqrt(states[1]) / of_square + settings.epsilon),
            "nadam": lambda: rate / (np.sqrt(states[1]) / of_square + settings.epsilon),
        }[settings.solver]()

    def _follow(self, statistics, row_weight, mean_weight, t):
        """Let the running averages follow the statistics of the minibatch of step ``t``, by the law
        of total variance.
        """
        settings = self.settings
        size = min(1.0, settings.batch_size / _LEAST_AVERAGED)
        fraction = max(1 - settings.batch_norm_momentum, 1 / (1 + size * (t - 1))) * size
        fraction = min(1.0, fraction * row_weight.sum() / mean_weight / settings.batch_size)
        for i, of_batch in enumerate(statistics):
            mean, variance = self.running[i]
            new_mean, new_variance = (value.reshape(mean.shape) for value in of_batch)
            between = fraction * (1 - fraction) * (new_mean - mean) ** 2
            self.running[i] = (
                (1 - fraction) * mean + fraction * new_mean,
                (1 - fraction) * variance + fraction * new_variance + between,
            )

    def _measure(self, X, row_weight):
        """Set the running averages to the statistics of all rows."""
        statistics = self.forward(self.weights[None], X, row_weight, least=2)[2]
        self.running = [
            tuple(value.reshape(old.shape) for value, old in zip(new, running, strict=True))
            for new, running in zip(statistics, self.running, strict=True)
        ]

    def train_by_lbfgs(self, X, y, row_weight, noise):
        """Train by SciPy's L-BFGS-B; return the last loss. Arguments: see :meth:`train`."""
        settings = self.settings
        batch = X, y, row_weight, row_weight.mean()
        l1, _ = self.strengths(len(X), batch[3])
        strengths = l1 * self.penalized

        def smooth(w):
            w = noise(w)
            data, _, l2 = self.loss_and_penalties(w, *batch, noise)
            return data + l2, noise(self.gradient(w, *batch), sums=True)

        def of_both_parts(x):
            up, down = np.split(x, 2)
            value, g = smooth(up - down)
            return value + strengths @ (up + down), np.concatenate([strengths + g, strengths - g])

        start = self.weights
        has_l1 = l1 > 0
        if has_l1:
            start = np.concatenate([np.maximum(start, 0), np.maximum(-start, 0)])
        result = scipy.optimize.minimize(
            of_both_parts if has_l1 else smooth,
            start,
            method="L-BFGS-B",
            jac=True,
            bounds=[(0, None)] * len(start) if has_l1 else None,
            options={"maxiter": settings.max_iter, "gtol": settings.tol, "maxfun": 15_000},
        )
        self.weights = np.subtract(*np.split(result.x, 2)) if has_l1 else result.x
        self._measure(X, row_weight)
        return [self.reported_loss(*batch, noise)]


# ---- schedules ---------------------------------------------------------------------------------


def rate_factor(settings, now, n_steps):
    """Return what the learning rate is multiplied by, after ``now`` epochs, in a step of
    ``n_steps`` an epoch.
    """
    part = min(1.0, now / settings.max_iter)
    decay = settings.decay_rate

    def one_cycle():
        if part < 0.3:
            return 1 / 25 + (1 - 1 / 25) * (1 - np.cos(np.pi * part / 0.3)) / 2
        return 1 / 250_000 + (1 - 1 / 250_000) * (1 + np.cos(np.pi * (part - 0.3) / 0.7)) / 2

    factor = {
        "exponential": lambda: np.exp(-decay * now),
        "inverse_time": lambda: 1 / (1 + decay * now),
        "step": lambda: 0.5 ** np.floor(decay * now),
        "cosine": lambda: (1 + np.cos(np.pi * part)) / 2,
        "one_cycle": one_cycle,
        "coslog": lambda: (1 - np.cos(2 * np.pi * np.log2(1 + 15 * part))) / 2,
    }.get(settings.learning_rate, lambda: 1.0)()
    if settings.warmup_epochs > 0:
        factor *= min(1.0, (now + 1 / n_steps) / settings.warmup_epochs)
    return factor


def weight_decay(settings, now):
    """Return the weight decay after ``now`` epochs."""
    half = settings.max_iter / 2
    if settings.weight_decay_schedule == "constant" or now < half:
        return settings.weight_decay
    return settings.weight_decay * (1 + np.cos(np.pi * min(1.0, (now - half) / half))) / 2


def momentum(settings, now):
    """Return the momentum after ``now`` epochs."""
    if np.ndim(settings.momentum) == 0:
        return settings.momentum
    start, end = settings.momentum
    return start + (end - start) * min(1.0, now / (settings.max_iter / 2))
