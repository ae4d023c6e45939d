"""Warnings point at the user's own line, however the call got there."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier, MLPRegressor
from sknn._warnings import warn_user

X = np.random.default_rng(0).normal(size=(40, 3))
CODES = np.arange(40) % 3


class SilentCallback:
    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...
    def on_fit_task_end(self, estimator, context): ...


def with_callbacks(network):
    pytest.importorskip("sklearn.callback")
    return network.set_callbacks(SilentCallback())


def in_search(network):
    return GridSearchCV(network, {"alpha": [0.1]}, cv=2, error_score="raise")


WRAPPERS = {
    "directly": lambda network: network,
    "with callbacks": with_callbacks,
    "in a pipeline": lambda network: make_pipeline(StandardScaler(), network),
    "in a pipeline, with callbacks": lambda network: make_pipeline(
        StandardScaler(), with_callbacks(network)
    ),
    "in a search": in_search,
}
WARNED = {
    "without effect": ({"rho": 0.5}, "rho=0.5 has no effect"),
    "batch size": ({"batch_size": 50}, "Got `batch_size`"),
    "epochs": ({"n_iter_no_change": 1}, "Stochastic Optimizer: Maximum iterations"),
    "lbfgs": ({"solver": "lbfgs"}, "lbfgs failed to converge"),
    "divergence": (
        {"solver": "sgd", "learning_rate_init": 0.35, "activation": "identity", "max_iter": 300},
        "learning_rate_init=0.35 made the loss",
    ),
}


def origins(call, message):
    """Return the places that warnings beginning with ``message`` name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    found = [w for w in caught if str(w.message).startswith(message)]
    assert found, [str(w.message) for w in caught]
    return {(w.filename, w.lineno) for w in found}


def line_of(function):
    return (__file__, function.__code__.co_firstlineno)


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize(("settings", "message"), WARNED.values(), ids=WARNED)
def test_a_warning_of_fit_names_the_line_that_calls_fit(wrap, settings, message):
    kind = MLPRegressor if "divergence" not in message and "0.35" in message else MLPClassifier
    y = 10 * X[:, 0] if kind is MLPRegressor else CODES
    network = wrap(
        kind(**{"hidden_layer_sizes": (7, 5), "max_iter": 2, "random_state": 0} | settings)
    )
    call = lambda: network.fit(X, y)  # noqa: E731
    assert origins(call, message) == {line_of(call)}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize(
    ("kind", "y", "message"),
    [
        (MLPRegressor, X[:, :1], "A column-vector y was passed"),
        (MLPClassifier, np.eye(3)[CODES], "y of shape ("),
    ],
    ids=["column", "one-hot"],
)
def test_a_warning_about_targets_names_the_line_that_calls_fit(wrap, kind, y, message):
    network = wrap(kind(hidden_layer_sizes=(7, 5), max_iter=2, random_state=0))
    call = lambda: network.fit(X, y)  # noqa: E731
    assert origins(call, message) == {line_of(call)}


def test_a_warning_of_partial_fit_names_the_line_that_calls_it():
    network = MLPRegressor(rho=0.5)
    call = lambda: network.partial_fit(X, CODES)  # noqa: E731
    assert origins(call, "rho=0.5 has no effect") == {line_of(call)}


def test_outside_of_the_package_the_caller_is_the_user():
    call = lambda: warn_user("directly")  # noqa: E731
    assert origins(call, "directly") == {line_of(call)}
