"""The table of hyperparameters agrees with the constructors and fills their documentation."""

import ast
import inspect
import re
import warnings

import numpy as np
import pytest
from sklearn.model_selection import TimeSeriesSplit

from sknn import MLPClassifier, MLPRegressor
from sknn._hyperparameters import HYPERPARAMETERS, network, own, stopping, training
from sknn._validation.messages import check_constraints

X = np.random.default_rng(0).normal(size=(12, 2))
Y = X[:, 0]
CODES = np.arange(12) % 2
both_kinds = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])

LBFGS = {"solver": "lbfgs"}
NO_LAYERS = {"hidden_layer_sizes": ()}
STOPPING = {"early_stopping": True}
# For each hyperparameter with a condition, settings under which it has no effect and the reason;
# and settings under which it has one.
WITHOUT_EFFECT = {
    "activation": [({"activation": "elu"} | NO_LAYERS, "without hidden layers", {})],
    "learning_rate": [({"learning_rate": "cosine"} | LBFGS, "with solver='lbfgs'", {})],
    "momentum": [({"momentum": (0.5, 0.9)}, "without solver='sgd'", {"solver": "sgd"})],
    "validation_fraction": [
        (
            {"validation_fraction": TimeSeriesSplit(2)},
            "without early_stopping=True",
            {"early_stopping": True},
        )
    ],
    "negative_slope": [
        (
            {"negative_slope": 0.3},
            "without activation='leaky_relu'",
            {"activation": ["leaky_relu"]},
        ),
        (
            {"negative_slope": 0.3, "activation": "leaky_relu"} | NO_LAYERS,
            "without hidden layers",
            {},
        ),
    ],
    "elu_alpha": [({"elu_alpha": 0.3}, "without activation='elu'", {"activation": "elu"})],
    "maxout_pieces": [
        ({"maxout_pieces": 3}, "without activation='maxout'", {"activation": "maxout"})
    ],
    "rho": [
        ({"rho": 0.5}, "without solver='rmsprop' or 'adadelta'", {"solver": "adadelta"}),
        ({"rho": 0.5} | LBFGS, "without solver='rmsprop' or 'adadelta'", {"solver": "rmsprop"}),
    ],
    "decay_rate": [
        (
            {"decay_rate": 0.5},
            "without learning_rate='exponential', 'inverse_time', 'step' or 'plateau'",
            {"learning_rate": "step"},
        ),
        (
            {"decay_rate": 0.5} | LBFGS,
            "with solver='lbfgs' and without learning_rate='exponential', 'inv",
            {"solver": "sgd", "learning_rate": "plateau"},
        ),
    ],
    "bias_lr_factor": [({"bias_lr_factor": 0.5} | LBFGS, "with solver='lbfgs'", {"solver": "sgd"})],
    "warmup_epochs": [({"warmup_epochs": 2} | LBFGS, "with solver='lbfgs'", {"solver": "sgd"})],
    "l1_ratio": [({"l1_ratio": 0.5, "alpha": 0}, "with alpha=0", {"alpha": 0.1})],
    "weight_decay": [({"weight_decay": 0.5} | LBFGS, "with solver='lbfgs'", {"solver": "adam"})],
    "weight_decay_schedule": [
        ({"weight_decay_schedule": "flat_cos"}, "with weight_decay=0", {"weight_decay": 0.1}),
        (
            {"weight_decay_schedule": "flat_cos", "weight_decay": 0.1} | LBFGS,
            "with solver='lbfgs'",
            {"solver": "adam"},
        ),
    ],
    "dropout": [
        ({"dropout": 0.5} | LBFGS, "with solver='lbfgs'", {"solver": "adam"}),
        ({"dropout": 0.5} | NO_LAYERS, "without hidden layers", {}),
        (
            {"dropout": 0.5} | LBFGS | NO_LAYERS,
            "with solver='lbfgs' and without hidden layers",
            {"solver": "adam"},
        ),
    ],
    "input_dropout": [({"input_dropout": 0.5} | LBFGS, "with solver='lbfgs'", {"solver": "adam"})],
    "dropout_schedule": [
        (
            {"dropout_schedule": "flat_cos"},
            "without dropout or input_dropout",
            {"dropout": [0.1]},
        ),
        (
            {"dropout_schedule": "flat_cos", "dropout": 0.1} | NO_LAYERS,
            "without dropout or input_dropout",
            {"input_dropout": 0.1},
        ),
        (
            {"dropout_schedule": "flat_cos", "dropout": 0.1} | LBFGS,
            "with solver='lbfgs'",
            {"solver": "adam"},
        ),
    ],
    "input_scale": [({"input_scale": True} | LBFGS, "with solver='lbfgs'", {"solver": "adam"})],
    "skip": [({"skip": True} | NO_LAYERS, "without hidden layers", {})],
    "batch_norm": [({"batch_norm": True} | NO_LAYERS, "without hidden layers", {})],
    "batch_norm_momentum": [
        (
            {"batch_norm_momentum": 0.5},
            "without batch_norm=True, 'before' or 'after'",
            {"batch_norm": "after"},
        ),
        (
            {"batch_norm_momentum": 0.5, "batch_norm": np.False_},
            "without batch_norm=True, 'before' or 'after'",
            {"batch_norm": np.True_},
        ),
        (
            {"batch_norm_momentum": 0.5, "batch_norm": True} | LBFGS,
            "with solver='lbfgs'",
            {"solver": "adam"},
        ),
    ],
    "max_grad_norm": [({"max_grad_norm": 1.0} | LBFGS, "with solver='lbfgs'", {"solver": "adam"})],
    "scoring": [({"scoring": "loss"}, "without early_stopping=True", STOPPING)],
    "early_stopping_window": [
        ({"early_stopping_window": 2}, "without early_stopping=True", STOPPING)
    ],
    "restore_best": [({"restore_best": np.False_}, "without early_stopping=True", STOPPING)],
    "refit": [({"refit": True}, "without early_stopping=True", STOPPING)],
    "calibrate": [
        ({"calibrate": True}, "without loss='quantile'", {"loss": "quantile"} | STOPPING)
    ],
    "quantile": [({"quantile": 0.4}, "without loss='quantile'", {"loss": "quantile"})],
    "huber_delta": [({"huber_delta": 0.4}, "without loss='huber'", {"loss": "huber"})],
}
CASES = [(name, *case) for name, cases in WITHOUT_EFFECT.items() for case in cases]


def reports(estimator, y, **fit_arguments):
    """Return the warnings of a fit about parameters without effect."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y, **fit_arguments)
    return [str(w.message) for w in caught if "has no effect" in str(w.message)]


@both_kinds
def test_every_parameter_has_one_row(kind):
    themes = [network.ROWS, training.ROWS, stopping.ROWS, own.CLASSIFIER, own.REGRESSOR]
    assert sum(map(len, themes)) == len(HYPERPARAMETERS)
    known = set(inspect.signature(kind).parameters)
    assert set(kind._parameter_constraints) == known
    others = set(own.REGRESSOR if kind is MLPClassifier else own.CLASSIFIER)
    assert set(HYPERPARAMETERS) - others == known


@both_kinds
def test_documentation_has_every_row_with_its_default(kind):
    documented = dict(re.findall(r"^(\w+) : .*, default=(.*)$", kind.__doc__, flags=re.MULTILINE))
    defaults = {name: ast.literal_eval(text) for name, text in documented.items()}
    assert defaults == kind().get_params()
    assert list(defaults) == list(inspect.signature(kind).parameters)
    text = " ".join(kind.__doc__.split())
    for name in defaults:
        last_sentence = HYPERPARAMETERS[name].documentation.rsplit(". ")[-1]
        if "{" not in last_sentence:
            assert " ".join(last_sentence.split()) in text


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_documentation_says_when_a_row_needs_another_solver(name):
    row = HYPERPARAMETERS[name]
    if any(condition.otherwise == "with solver='lbfgs'" for condition in row.conditions):
        assert re.search(
            r"Not used\s+when\s+solver='lbfgs'|Only used\s+when|but 'lbfgs'", row.documentation
        )


def test_every_row_with_a_condition_is_tried():
    conditional = {name for name, row in HYPERPARAMETERS.items() if row.conditions}
    assert conditional == set(WITHOUT_EFFECT)


@pytest.mark.parametrize(("name", "settings", "reason", "remedy"), CASES)
def test_a_parameter_without_effect_is_reported_with_the_reason(name, settings, reason, remedy):
    common = {"max_iter": 1, "random_state": 0, "hidden_layer_sizes": (2,)}
    kind = MLPRegressor if name in {*own.REGRESSOR, "calibrate"} else MLPClassifier
    y = Y if kind is MLPRegressor else CODES
    [report] = [
        report
        for report in reports(kind(**common | settings), y)
        if report.startswith(f"{name}={settings[name]!r} has no effect")
    ]
    assert f"has no effect {reason}" in report
    if remedy:
        remedied = common | settings | {"hidden_layer_sizes": (2,)} | remedy
        assert not any(report.startswith(name) for report in reports(kind(**remedied), y))


@both_kinds
def test_defaults_are_not_reported(kind):
    defaults = {
        name: np.array(value)[()] if isinstance(value, bool | float | str) else value
        for name, value in kind().get_params().items()
    }
    settings = defaults | {"max_iter": 1, "solver": "lbfgs", "hidden_layer_sizes": ()}
    assert reports(kind(**settings), CODES) == []


@pytest.mark.parametrize("hidden_layer_sizes", [(), (2,)])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_parameters_of_scikit_learn_are_never_reported(solver, hidden_layer_sizes):
    settings = {
        "activation": "tanh",
        "alpha": 0.5,
        "batch_size": 3,
        "learning_rate_init": 0.01,
        "power_t": 0.3,
        "shuffle": False,
        "momentum": 0.3,
        "nesterovs_momentum": False,
        "validation_fraction": 0.3,
        "beta_1": 0.3,
        "beta_2": 0.3,
        "epsilon": 0.1,
        "n_iter_no_change": 2,
        "max_fun": 3,
        "tol": 0.1,
    }
    for learning_rate in ("constant", "invscaling", "adaptive"):
        estimator = MLPClassifier(
            hidden_layer_sizes, solver=solver, learning_rate=learning_rate, max_iter=1, **settings
        )
        assert reports(estimator, CODES) == []


def test_validation_samples_are_scored_without_early_stopping():
    network = MLPClassifier((2,), scoring="neg_log_loss", max_iter=2, random_state=0)
    assert reports(network, CODES, X_val=X, y_val=CODES) == []
    assert network.history_["val_score"][0] < 0  # an accuracy is not
    network.set_params(restore_best=False)
    [report] = reports(network, CODES, X_val=X, y_val=CODES)
    assert report == "restore_best=False has no effect without early_stopping=True."


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_defaults_satisfy_the_constraints(kind):
    """Fits do not check them again."""
    known = kind._constructor_parameters()
    check_constraints({name: parameter.default for name, parameter in known.items()}, "kind")
