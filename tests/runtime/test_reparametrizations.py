"""What the first layer's weights are made of in training: rows that nothing else has to know."""

from pathlib import Path

import numpy as np
import pytest

import sknn
from sknn import MLPRegressor
from sknn._runtime.architecture import COEFS
from sknn._runtime.layout import make_layout, views
from sknn._runtime.reparametrizations import (
    REPARAMETRIZATIONS,
    count_values,
    find_reparametrization,
    match_weights,
    set_weights,
)
from sknn._validation.parameters import settings_of

PACKAGE = Path(sknn.__file__).resolve().parent


def fitted(name, **settings):
    X = np.random.RandomState(0).normal(size=(30, 3))
    settings |= {"tol": 0, "n_iter_no_change": 9, "max_iter": 2, "random_state": 0}
    network = MLPRegressor("squared_error", (4,), **settings, **{name: True})
    return network.fit(X, X[:, 0])


@pytest.mark.parametrize("name", REPARAMETRIZATIONS)
def test_values_make_the_weights_that_they_began_with(name):
    network = fitted(name)
    settings = settings_of(network)
    layout = make_layout(network._architecture)
    flat = np.random.RandomState(1).normal(size=layout.size)
    weights = views(flat, layout)[COEFS][0]
    before = weights.copy()
    values = np.zeros(count_values(settings, layout))
    match_weights(settings, values, flat, layout)
    weights[...] = 0
    set_weights(settings, values, flat, layout)
    np.testing.assert_array_equal(weights, before)


@pytest.mark.parametrize("name", REPARAMETRIZATIONS)
def test_values_that_make_the_weights_are_kept(name):
    network = fitted(name)
    layout = make_layout(network._architecture)
    flat = network.coefs_[0].base
    values = network._training_state.optimizer.states[-1]
    before = values.copy()
    match_weights(settings_of(network), values, flat, layout)
    np.testing.assert_array_equal(values, before)
    flat[0] += 1
    match_weights(settings_of(network), values, flat, layout)
    assert (values != before).any()


@pytest.mark.parametrize("name", REPARAMETRIZATIONS)
def test_lbfgs_trains_the_weights_themselves(name):
    network = MLPRegressor(**{name: True})
    assert find_reparametrization(settings_of(network)) == name
    assert find_reparametrization(settings_of(network.set_params(solver="lbfgs"))) is None


@pytest.mark.parametrize("name", REPARAMETRIZATIONS)
def test_few_files_know_the_name(name):
    """The constructor, the hyperparameter's row, the row here and a recipe that uses it."""
    files = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if name in path.read_text(encoding="utf-8")
    }
    assert files <= {
        "mlp.py",
        "_hyperparameters/network.py",
        "_runtime/reparametrizations.py",
        "recipes.py",
    }
