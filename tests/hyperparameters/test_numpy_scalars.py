"""NumPy's numbers, booleans and strings are as good as Python's own, for every hyperparameter."""

import warnings

import numpy as np
import pytest

from sknn import MLPClassifier, MLPRegressor
from sknn._hyperparameters import HYPERPARAMETERS, own

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed")

X = np.random.default_rng(0).normal(size=(150, 3))
TARGETS = {MLPClassifier: np.arange(150) % 7 % 3, MLPRegressor: np.exp(X[:, 0])}
SGD = {"solver": "sgd"}
STOPPING = {"early_stopping": True, "n_iter_no_change": 1, "max_iter": 10, "tol": 0.1}
# A value, and settings with which it has an effect. float32 and float16 round these floats, and
# would round all that is computed from them; sums and products of these ints overflow in int8.
VALUES = {
    "hidden_layer_sizes": (100, {}),
    "activation": ("relu", {}),
    "solver": ("lbfgs", {}),
    "alpha": (0.3, {"l1_ratio": 0.3}),
    "batch_size": (100, {}),
    "learning_rate": ("adaptive", SGD | {"tol": 0.5, "n_iter_no_change": 1, "max_iter": 10}),
    "learning_rate_init": (0.07, {"learning_rate": "one_cycle", "warmup_epochs": 0.7}),
    "power_t": (0.3, SGD | {"learning_rate": "invscaling"}),
    "max_iter": (100, SGD | {"momentum": (0.3, 0.7), "learning_rate": "cosine", "tol": 0.0}),
    "shuffle": (False, {}),
    "random_state": (100, {}),
    "tol": (0.07, {"max_iter": 30}),
    "verbose": (True, {}),
    "warm_start": (True, {}),
    "momentum": (0.3, SGD),
    "nesterovs_momentum": (False, SGD),
    "early_stopping": (True, {}),
    "validation_fraction": (0.3, STOPPING),
    "beta_1": (0.3, {"solver": "nadam"}),
    "beta_2": (0.9, {"solver": "nadam"}),
    "epsilon": (0.3, {}),
    "n_iter_no_change": (3, {"tol": 0.5, "max_iter": 20}),
    "max_fun": (3, {"solver": "lbfgs", "max_iter": 20}),
    "negative_slope": (0.3, {"activation": "leaky_relu"}),
    "elu_alpha": (0.3, {"activation": "elu"}),
    "maxout_pieces": (100, {"activation": "maxout"}),
    "initializer": ("he_normal", {}),
    "parametrization": ("ntk", {}),
    "bias_lr_factor": (0.3, {}),
    "rho": (0.7, {"solver": "rmsprop"}),
    "decay_rate": (0.3, {"learning_rate": "exponential"}),
    "warmup_epochs": (3, {}),
    "l1_ratio": (0.3, {"alpha": 0.3}),
    "weight_decay": (0.3, {}),
    "weight_decay_schedule": ("flat_cos", {"weight_decay": 0.3}),
    "dropout": (0.3, {}),
    "input_dropout": (0.3, {}),
    "dropout_schedule": ("flat_cos", {"dropout": 0.3}),
    "input_scale": (3, {}),
    "numeric_embedding": ("pbld", {}),
    "skip": (True, {}),
    "batch_norm": (True, {}),
    "batch_norm_momentum": (0.3, {"batch_norm": "before"}),
    "max_grad_norm": (0.07, {}),
    "scoring": ("loss", STOPPING),
    "early_stopping_window": (
        2,
        STOPPING | {"scoring": "loss", "learning_rate_init": 0.05, "tol": 0.01, "max_iter": 20},
    ),
    "restore_best": (False, STOPPING),
    "refit": (True, STOPPING),
    "dtype": ("float32", {}),
    "label_smoothing": (0.3, {}),
    "class_weight": ("balanced", {}),
    "calibrate": (True, {"early_stopping": True}),
    "loss": ("huber", {}),
    "quantile": (0.3, {"loss": "quantile"}),
    "huber_delta": (0.3, {"loss": "huber"}),
    "normalize_y": (True, {}),
    "clip_output": (True, {}),
}
# Values inside of sequences and dicts.
MORE_VALUES = [
    (MLPClassifier, "hidden_layer_sizes", [2, 3], {}),
    (MLPClassifier, "activation", ["relu"], {}),
    (MLPClassifier, "dropout", [0.3], {}),
    (MLPClassifier, "momentum", [0.3, 0.9], SGD),
    (MLPClassifier, "class_weight", {0: 0.3, 1: 3.0, 2: 1.0}, {}),
    (MLPRegressor, "quantile", [0.3, 0.9], {"loss": "quantile"}),
    (MLPClassifier, "batch_norm", "after", {}),
    (MLPRegressor, "power_t", 3, SGD | {"learning_rate": "invscaling"}),
    (MLPRegressor, "decay_rate", 0.3, {"learning_rate": "plateau", "tol": 0.5, "max_iter": 30}),
    (MLPRegressor, "alpha", 0.3, {"solver": "lbfgs", "l1_ratio": 0.3}),
    (MLPRegressor, "l1_ratio", 0.3, {"solver": "lbfgs", "alpha": 0.3}),
    (MLPRegressor, "rho", 0.7, {"solver": "adadelta"}),
    (MLPRegressor, "max_iter", 100, {"solver": "lbfgs"}),
]
CASES = [
    (MLPRegressor if name in own.REGRESSOR else MLPClassifier, name, *value)
    for name, value in VALUES.items()
] + MORE_VALUES
TYPES = {
    bool: [np.bool_],
    int: [np.int64, np.int8, np.uint8],
    float: [np.float64, np.float32, np.float16],
    str: [np.str_],
}


def converted(value, convert):
    """Return a value, or a list or dict of values, with a function applied to it."""
    if isinstance(value, dict):
        return {key: convert(element) for key, element in value.items()}
    return [convert(element) for element in value] if isinstance(value, list) else convert(value)


def fitted(kind, settings):
    """Return all numbers of a training: weights, and history without seconds."""
    defaults = {"hidden_layer_sizes": (2,), "max_iter": 3, "random_state": 0}
    network = kind(**defaults | settings)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "overflow")
        warnings.filterwarnings("error", ".* has no effect")
        network.fit(X, TARGETS[kind])
    if network.warm_start:
        network.fit(X, TARGETS[kind])
    history = {key: values for key, values in network.history_.items() if key != "seconds"}
    averages = vars(network).get("batch_norm_var_", [])
    weights = [*network.coefs_, *network.intercepts_, *averages]
    predict = network.predict_proba if kind is MLPClassifier else network.predict
    return [*weights, *history.values(), predict(4 * X)]  # some are beyond the range of targets


def test_every_parameter_is_tried():
    assert set(VALUES) == set(HYPERPARAMETERS)


@pytest.mark.parametrize(("kind", "name", "value", "settings"), CASES)
def test_numpy_scalars_train_as_pythons_own(kind, name, value, settings):
    default = fitted(kind, {n: v for n, v in settings.items() if n != name})
    first = next(iter(value.values())) if isinstance(value, dict) else np.ravel(value).tolist()[0]
    for type_ in TYPES[type(first)]:
        of_numpy = converted(value, type_)
        of_python = converted(of_numpy, lambda scalar: scalar.item())
        expected = fitted(kind, settings | {name: of_python})
        if name not in ("activation", "verbose"):  # the default, or without effect on numbers
            assert str(expected) != str(default)
        found = fitted(kind, settings | {name: of_numpy})
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_array_equal(x, y, err_msg=f"{name}={of_numpy!r}")
