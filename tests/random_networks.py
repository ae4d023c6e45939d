"""Random networks on random data, against the slow network and against scikit-learn's.

:func:`run` and :func:`run_against_scikit_learn` try so many of them and return what came out. A
trial is determined by its seed alone, and :func:`draw` gives it again. Both folders, tests/ and
tests/parts/, must be importable.
"""

import warnings
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import sklearn.neural_network
from scipy import sparse
from slow_network import SlowNetwork, probabilities, quantiles

import sknn

ACTIVATIONS = (
    *("identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish"),
    *("softplus", "hard_sigmoid", "maxout"),
)
SOLVERS = ("sgd", "adagrad", "rmsprop", "adadelta", "adam", "adamw", "amsgrad", "nadam", "lbfgs")
SCHEDULES = (
    *("constant", "invscaling", "adaptive", "exponential", "inverse_time", "step", "cosine"),
    *("one_cycle", "coslog", "plateau"),
)
INITIALIZERS = (
    *("auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "he_uniform_fan_out"),
    *("he_normal_fan_out", "lecun_uniform", "lecun_normal", "orthogonal", "random_normal"),
    *("random_uniform", "zeros"),
)
LOSSES = (
    *("squared_error", "absolute_error", "huber", "log_cosh", "poisson", "gamma", "quantile"),
)
# What a value may differ by, over the largest of its kind, before rounding has to explain it. The
# digits of values that are all smaller than this one do not count: sums of larger ones leave them.
TOLERANCE = {"float64": 1e-9, "float32": 2e-5}
SMALL = 0.01
# ... and by how many times what it differs by when the slow network rounds too, and how many last
# digits its gradients then lose, which are sums of sums.
ROUNDING = 100
LOST_DIGITS = 30
# Losses beyond this have gradients whose squares are infinite in float32.
LARGEST_LOSS = {"float64": np.inf, "float32": 1e15}
_NEVER = {"tol": 0.0, "n_iter_no_change": 1000}


class Trial(NamedTuple):
    """An estimator to be fitted, and data."""

    kind: type
    parameters: dict
    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None
    X_new: Any
    by_partial_fit: bool = False

    def __str__(self):
        """Say what is needed to see the trial again."""
        others = f"y of shape {self.y.shape} and dtype {self.y.dtype}, X of {type(self.X)}"
        others += f" and {self.X.dtype}, {self.X.shape}"
        others += ", weighted" if self.sample_weight is not None else ""
        others += ", by partial_fit" if self.by_partial_fit else ""
        return f"{self.kind.__name__}(**{self.parameters}) on {others}"


class Outcome(NamedTuple):
    """How many trials there were, how many were right, and descriptions of the others."""

    tried: int
    survived: int
    wrong: list


# ---- drawing -----------------------------------------------------------------------------------


def _pick(rng, *options):
    return options[rng.integers(len(options))]


def _draw_table(rng, n_rows, n_features):
    X = rng.normal(0, _pick(rng, 0.5, 1.0, 2.0), (n_rows, n_features))
    form = _pick(rng, "array", "array", "float32", "integers", "columns", "csr", "csc")
    if form == "float32":
        return X.astype(np.float32)
    if form == "integers":
        return np.round(2 * X).astype(np.int64)
    if form == "columns":
        return np.asfortranarray(X)
    if form in ("csr", "csc"):
        X *= rng.integers(0, 2, X.shape)
        return sparse.csr_array(X) if form == "csr" else sparse.csc_matrix(X)
    return X


def _draw_classes(rng, n_rows):
    """Return class labels, or an indicator matrix."""
    n_labels = _pick(rng, 1, 1, 1, 2, 5)
    if n_labels > 1:
        return rng.integers(0, 2, (n_rows, n_labels))
    n_classes = int(rng.integers(2, 6))
    codes = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n_rows - n_classes)])
    labels = _pick(rng, np.arange(5), np.arange(5) * 3 - 7, np.array(list("edcba")))
    return labels[rng.permutation(codes)]


def _draw_class_weight(rng, y, weighted):
    if y.ndim == 2:
        return None
    some = {label: float(rng.uniform(0.1, 5)) for label in np.unique(y).tolist()}
    # "balanced" may count the sample weights or not; without them there is one answer.
    return _pick(rng, None, some, None if weighted else "balanced")


def _draw_targets(rng, n_rows, loss, n_targets):
    shape = (n_rows, n_targets) if n_targets > 1 else (n_rows,)
    if loss == "poisson":
        return rng.poisson(2, shape).astype(float)
    if loss == "gamma":
        return rng.gamma(2, 1, shape)
    return rng.normal(_pick(rng, 0.0, 3.0), _pick(rng, 0.5, 2.0), shape)


def _draw_layers(rng):
    widths = [int(width) for width in rng.integers(1, 6, rng.integers(0, 4))]
    activation = _pick(rng, *ACTIVATIONS)
    if len(widths) > 0 and rng.random() < 0.3:
        activation = tuple(_pick(rng, *ACTIVATIONS) for _ in widths)
    return {"hidden_layer_sizes": tuple(widths), "activation": activation}


def _draw_training(rng, n_rows, batch_norm):
    # With batch norm all minibatches are equally long: a short one has other statistics.
    batch_size = int(rng.integers(1, n_rows + 1))
    if batch_norm:
        batch_size = n_rows // _pick(rng, 1, 2, 3)
    return {
        "batch_size": batch_size,
        "max_iter": int(rng.integers(1, 5)),
        "learning_rate": _pick(rng, *SCHEDULES),
        "learning_rate_init": float(10 ** rng.uniform(-3, -1)),
        "power_t": float(rng.uniform(0, 1)),
        "decay_rate": float(rng.uniform(0.05, 0.9)),
        "warmup_epochs": _pick(rng, 0, 0, 1, 3),
        "momentum": _pick(rng, 0.0, 0.9, (0.5, 0.9)),
        "nesterovs_momentum": bool(rng.integers(2)),
        "beta_1": _pick(rng, 0.0, 0.9),
        "beta_2": _pick(rng, 0.9, 0.999),
        "epsilon": _pick(rng, 1e-8, 1e-3),
        "rho": _pick(rng, 0.5, 0.9),
        "weight_decay": _pick(rng, 0.0, 0.0, 0.1),
        "max_grad_norm": _pick(rng, None, None, 0.1, 10.0),
        "shuffle": bool(rng.integers(2)),
    }


def draw(seed):
    """Return the :class:`Trial` of this seed, which is of anything that the estimators can do
    except dropout and early stopping.
    """
    rng = np.random.default_rng(seed)
    n_rows = 6 * int(rng.integers(2, 6))
    batch_norm = _pick(rng, False, False, "before", "after", True)
    # Batch norm of a minibatch of equal rows, which are likely with few features, or of a single
    # row that weighs something divides by nearly 0: what comes out is amplified rounding.
    n_features = int(rng.integers(3 if batch_norm else 1, 7))
    parameters = {
        **_draw_layers(rng),
        **_draw_training(rng, n_rows, batch_norm),
        **_NEVER,
        "solver": _pick(rng, *SOLVERS),
        "initializer": _pick(rng, "auto", *INITIALIZERS),
        "alpha": _pick(rng, 0.0, 1e-4, 1.0),
        "l1_ratio": _pick(rng, 0.0, 0.0, 0.5, 1.0),
        "negative_slope": float(rng.uniform(0, 1)),
        "elu_alpha": float(rng.uniform(0.5, 2)),
        "maxout_pieces": int(rng.integers(2, 5)),
        "batch_norm": batch_norm,
        "batch_norm_momentum": _pick(rng, 0.5, 0.9),
        "dtype": _pick(rng, None, None, "float32", "float64"),
        "random_state": int(rng.integers(1 << 31)),
    }
    sample_weight = None
    if rng.random() < 0.5:
        is_whole = not batch_norm or parameters["batch_size"] == n_rows
        sample_weight = rng.choice([0.0 if is_whole else 2.0, 0.5, 1.0, 4.0], n_rows)
        sample_weight[rng.integers(n_rows)] = 2.0
    if rng.random() < 0.5:
        kind = sknn.MLPClassifier
        y = _draw_classes(rng, n_rows)
        parameters["label_smoothing"] = _pick(rng, 0.0, 0.0, 0.2)
        parameters["class_weight"] = _draw_class_weight(rng, y, sample_weight is not None)
    else:
        kind = sknn.MLPRegressor
        loss = _pick(rng, *LOSSES)
        n_targets = _pick(rng, 1, 1, 2, 5)
        levels = float(rng.uniform(0.1, 0.9))
        if n_targets == 1 and rng.random() < 0.5:
            levels = tuple(np.linspace(0.1, 0.9, rng.integers(2, 5)).tolist())
        parameters["loss"] = loss
        parameters["quantile"] = levels
        parameters["huber_delta"] = float(rng.uniform(0.3, 2))
        parameters["normalize_y"] = loss not in ("poisson", "gamma") and bool(rng.integers(2))
        y = _draw_targets(rng, n_rows, loss, n_targets)
    X = _draw_table(rng, n_rows, n_features)
    by_partial_fit = (
        parameters["solver"] != "lbfgs"
        and parameters["class_weight" if kind is sknn.MLPClassifier else "loss"] != "balanced"
        and not parameters.get("normalize_y")  # each call would be scaled by the first one's rows
        and rng.random() < 0.2
    )
    X_new = _draw_table(rng, int(rng.integers(1, 9)), n_features)
    parameters["weight_decay_schedule"] = _pick(rng, "constant", "flat_cos")
    return Trial(kind, parameters, X, y, sample_weight, X_new, bool(by_partial_fit))


# ---- the estimator and the slow network --------------------------------------------------------


def fit(trial, kind=None):
    """Return the fitted estimator, of ``trial.kind`` or another class with its parameters."""
    estimator = (kind or trial.kind)(**trial.parameters)
    weights = {} if trial.sample_weight is None else {"sample_weight": trial.sample_weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not trial.by_partial_fit:
            return estimator.fit(trial.X, trial.y, **weights)
        classes = {}
        if trial.kind is sknn.MLPClassifier:
            several = trial.y.ndim == 2
            classes["classes"] = np.arange(trial.y.shape[1]) if several else np.unique(trial.y)
        for _ in range(estimator.max_iter):
            estimator.partial_fit(trial.X, trial.y, **weights, **classes)
    return estimator


def values_of(trial, estimator):
    """Return what is compared of a fitted estimator, as a dict of arrays."""
    by_lbfgs = trial.parameters["solver"] == "lbfgs"  # scikit-learn's has no curve
    is_classifier = hasattr(estimator, "predict_proba")
    predict = estimator.predict_proba if is_classifier else estimator.predict
    values = {
        "coefs": np.concatenate([w.ravel() for w in estimator.coefs_]),
        "losses": np.array([estimator.loss_] if by_lbfgs else estimator.loss_curve_),
        "predictions": np.asarray(predict(trial.X_new)),
    }
    if hasattr(estimator, "hidden_features") and estimator.hidden_layer_sizes:
        values["hidden features"] = estimator.hidden_features(trial.X_new)
    if hasattr(estimator, "logits"):
        values["logits"] = estimator.logits(trial.X_new).reshape(trial.X_new.shape[0], -1)
    return values


def _dense(X, dtype):
    """Return the table as an array of float64 values that ``dtype`` can hold."""
    return np.asarray(X.toarray() if sparse.issparse(X) else X, dtype).astype(np.float64)


def _arithmetic_dtype(trial):
    own = "float32" if trial.X.dtype == np.float32 else "float64"
    return trial.parameters["dtype"] or own


def _settings(trial):
    parameters = dict(trial.parameters)
    sizes = list(parameters["hidden_layer_sizes"])
    activation = parameters["activation"]
    if isinstance(activation, str):
        activation = [activation] * len(sizes)
    parameters.update(
        hidden_layer_sizes=sizes,
        # The output layer's weights are drawn like those of the last hidden layer, if there is one.
        activation_of_output=activation[-1] if sizes else parameters["activation"],
        activation=list(activation),
        dtype=_arithmetic_dtype(trial),
        by_partial_fit=trial.by_partial_fit,
    )
    return SimpleNamespace(**parameters)


def _row_weight(trial):
    n_rows = len(trial.y)
    weight = np.ones(n_rows) if trial.sample_weight is None else trial.sample_weight
    class_weight = trial.parameters.get("class_weight")
    if class_weight == "balanced":
        labels, counts = np.unique(trial.y, return_counts=True)
        class_weight = dict(zip(labels.tolist(), n_rows / len(labels) / counts, strict=True))
    if class_weight is not None:
        weight = weight * [class_weight[label] for label in trial.y.tolist()]
    return weight


def _targets(trial, weight):
    """Return ``(targets, number of outputs, loss, mean, scale)``."""
    y = trial.y
    if trial.kind is sknn.MLPClassifier:
        if y.ndim == 2:
            return y.astype(float), y.shape[1], "binary_log_loss", 0.0, 1.0
        labels = sorted(set(y.tolist()))
        codes = np.array([[labels.index(label)] for label in y.tolist()], float)
        if len(labels) == 2:
            return codes, 1, "binary_log_loss", 0.0, 1.0
        return codes, len(labels), "log_loss", 0.0, 1.0
    loss = trial.parameters["loss"]
    y = y.reshape(len(y), -1)
    mean = np.zeros(y.shape[1])
    scale = np.ones(y.shape[1])
    if trial.parameters["normalize_y"]:
        mean = (weight[:, None] * y).sum(axis=0) / weight.sum()
        scale = np.sqrt((weight[:, None] * (y - mean) ** 2).sum(axis=0) / weight.sum())
    n_outputs = y.shape[1]
    if loss == "quantile":
        n_outputs *= np.size(trial.parameters["quantile"])
    return (y - mean) / scale, n_outputs, loss, mean, scale


def slow_values_of(trial, rng=None):
    """Return the same dict, of the slow network.

    Parameters
    ----------
    trial : Trial
    rng : Generator or None
        Perturbs gradients and weights by a last digit in each step, to show what rounding does.
    """
    settings = _settings(trial)
    dtype = settings.dtype
    eps = np.finfo(dtype).eps if rng is not None else 0.0

    def noise(values, sums=False):
        if rng is None:
            return values
        # A sum may be much smaller than its terms, which round.
        size = LOST_DIGITS * max(1.0, np.abs(values).max()) if sums else values
        return values + eps * size * rng.uniform(-1, 1, values.shape)

    weight = _row_weight(trial)
    targets, n_outputs, loss, mean, scale = _targets(trial, weight)
    X = _dense(trial.X, dtype)
    network = SlowNetwork(settings, X.shape[1], n_outputs, loss)
    network.weights = noise(network.weights.astype(dtype).astype(float))
    by_lbfgs = settings.solver == "lbfgs"
    train = network.train_by_lbfgs if by_lbfgs else network.train
    losses = train(noise(X), targets.astype(dtype).astype(float), weight, noise)
    z, hidden, _ = network.forward(network.weights[None], _dense(trial.X_new, dtype))
    values = {
        "coefs": network.weights[network.penalized],
        "losses": np.array(losses),
        "logits": z[0],
        "hidden features": hidden[0],
    }
    if trial.kind is sknn.MLPClassifier:
        values["predictions"] = probabilities(loss, z[0])
        if n_outputs == 1:
            values["predictions"] = np.column_stack([probabilities(loss, -z[0]), z[0]])
            values["predictions"][:, 1:] = probabilities(loss, z[0])
        return values
    predictions = z[0]
    if loss in ("poisson", "gamma"):
        predictions = np.exp(predictions)
    elif loss == "quantile" and np.size(settings.quantile) > 1:
        predictions = quantiles(predictions)
    predictions = predictions * scale + mean
    values["predictions"] = predictions.ravel() if n_outputs == 1 else predictions
    return values


# ---- comparing ---------------------------------------------------------------------------------


def _difference(value, expected):
    """Return the largest difference over the largest value."""
    if value.shape != expected.shape:
        return np.inf
    with np.errstate(all="ignore"):
        difference = np.abs(value - expected).max(initial=0)
        return float(difference / max(np.abs(expected).max(initial=0), SMALL))


def compare(values, expected, perturbed, dtype):
    """Return what of ``values`` is not what was ``expected``, as text; "" if all is.

    Parameters
    ----------
    values, expected : dict of ndarray
    perturbed : callable
        Returns ``expected`` with other roundings. Called only where values differ.
    dtype : str
    """
    differences = {name: _difference(values[name], expected[name]) for name in values}
    suspects = {
        name for name, difference in differences.items() if not difference <= TOLERANCE[dtype]
    }
    if not suspects:
        return ""
    others = [perturbed() for _ in range(3)]
    wrong = []
    for name in sorted(suspects):
        of_rounding = max(_difference(other[name], expected[name]) for other in others)
        if not differences[name] <= TOLERANCE[dtype] + ROUNDING * of_rounding:
            wrong.append(f"{name} differ by {differences[name]:.1e} (rounding: {of_rounding:.1e})")
    return ", ".join(wrong)


def _has_diverged(trial):
    """Return whether the estimator says so: by an error when it is fitted or predicts, or by an
    epoch without a loss.
    """
    try:
        estimator = fit(trial)
        values_of(trial, estimator)
    except ValueError as error:
        return "non-finite" in str(error) or "not finite" in str(error)
    return not np.isfinite(estimator.loss_curve_).all()


def check(seed):
    """Return what is wrong with the trial of this seed, "" if nothing is."""
    trial = draw(seed)
    dtype = _arithmetic_dtype(trial)
    with np.errstate(all="ignore"):
        expected = slow_values_of(trial)
        if not all(np.isfinite(value).all() for value in expected.values()):
            return "" if _has_diverged(trial) else "diverges without a word"
        if expected["losses"].max() > LARGEST_LOSS[dtype]:
            return ""
        try:
            values = values_of(trial, fit(trial))
        except ValueError as error:
            return f"{type(error).__name__}: {error}"
        noise = np.random.default_rng(seed)
        return compare(values, expected, lambda: slow_values_of(trial, noise), dtype)


# ---- against scikit-learn ----------------------------------------------------------------------


def draw_for_scikit_learn(seed):
    """Return the :class:`Trial` of this seed, with options that scikit-learn's networks have."""
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(8, 60))
    n_features = int(rng.integers(1, 9))
    solver = _pick(rng, "sgd", "adam", "adam", "lbfgs")
    batch_size = int(rng.integers(1, n_rows + 1))
    weighted = rng.random() < 0.3
    parameters = {
        "hidden_layer_sizes": tuple(int(w) for w in rng.integers(1, 20, rng.integers(0, 4))),
        "activation": _pick(rng, "identity", "logistic", "tanh", "relu"),
        "solver": solver,
        "alpha": _pick(rng, 0.0, 1e-4, 1.0),
        # Their weights act in a minibatch of all rows only.
        "batch_size": n_rows if weighted else batch_size,
        "learning_rate": _pick(rng, "constant", "invscaling", "adaptive"),
        "learning_rate_init": float(10 ** rng.uniform(-3, -1.5)),
        "power_t": float(rng.uniform(0, 1)),
        "max_iter": int(rng.integers(1, 12 if solver != "lbfgs" else 5)),
        "shuffle": bool(rng.integers(2)),
        "random_state": int(rng.integers(1 << 31)),
        "momentum": _pick(rng, 0.0, 0.5, 0.9),
        "nesterovs_momentum": bool(rng.integers(2)),
        "beta_1": _pick(rng, 0.0, 0.9),
        "beta_2": _pick(rng, 0.9, 0.999),
        "epsilon": _pick(rng, 1e-8, 1e-3),
        **_NEVER,
    }
    if rng.random() < 0.5:
        kind = sknn.MLPClassifier
        y = _draw_classes(rng, n_rows)
    else:
        kind = sknn.MLPRegressor
        parameters["loss"] = _pick(rng, "squared_error", "squared_error", "poisson")
        n_targets = _pick(rng, 1, 2, 5)
        if solver == "lbfgs" and parameters["loss"] == "squared_error":
            n_targets = 1  # of several, theirs takes the mean loss and the gradient of the sum
        y = _draw_targets(rng, n_rows, parameters["loss"], n_targets)
    X = _draw_table(rng, n_rows, n_features).astype(float)
    X_new = _draw_table(rng, int(rng.integers(1, 9)), n_features).astype(float)
    sample_weight = rng.exponential(size=n_rows) if weighted else None
    by_partial_fit = solver != "lbfgs" and rng.random() < 0.2
    if by_partial_fit:  # theirs begins each call with the rows' first order
        parameters["shuffle"] = False
    return Trial(kind, parameters, X, y, sample_weight, X_new, bool(by_partial_fit))


def check_against_scikit_learn(seed):
    """Return what is wrong with the trial of this seed, "" if nothing is."""
    trial = draw_for_scikit_learn(seed)
    theirs = getattr(sklearn.neural_network, trial.kind.__name__)
    with np.errstate(all="ignore"):
        try:
            expected = values_of(trial, fit(trial, theirs))
        except ValueError:
            return "" if _has_diverged(trial) else "only scikit-learn's diverges"
        values = values_of(trial, fit(trial))
    shared = {name: values[name] for name in expected}
    rng = np.random.default_rng(seed)

    def perturbed():
        noise = 1 + np.finfo(float).eps * rng.uniform(-1, 1, trial.X.shape)
        X = trial.X.multiply(noise).tocsr() if sparse.issparse(trial.X) else trial.X * noise
        return values_of(trial, fit(trial._replace(X=X), theirs))

    return compare(shared, expected, perturbed, "float64")


# ---- many of them ------------------------------------------------------------------------------


def _run(n_trials, seed, check_one, draw_one):
    wrong = []
    for number in range(seed, seed + n_trials):
        problem = check_one(number)
        if problem:
            wrong.append(f"seed {number}: {problem}; {draw_one(number)}")
    return Outcome(n_trials, n_trials - len(wrong), wrong)


def run(n_trials, seed=0):
    """Return the :class:`Outcome` of trials against the slow network, of seeds from ``seed``."""
    return _run(n_trials, seed, check, draw)


def run_against_scikit_learn(n_trials, seed=0):
    """Return the :class:`Outcome` of trials against scikit-learn's networks."""
    return _run(n_trials, seed, check_against_scikit_learn, draw_for_scikit_learn)
