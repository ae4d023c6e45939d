"""Activations and losses of the user's own."""

import math
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import sknn
from sknn import Activation, Loss, MLPClassifier, MLPRegressor
from sknn.parts.custom import activation_part, loss_part

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X = X[:300] / 16
y = y[:300]
TARGETS = X[:, :2] - X[:, 2:4] + y[:, None] / 10


def cube(z):
    return 0.1 * z * z * z


def cube_slope(z):
    return 0.3 * z * z


def half_square(z, y):
    return 0.5 * (z - y) * (z - y)


def difference(z, y):
    return z - y


# ---- activations -------------------------------------------------------------------------------


def test_own_activation_in_a_grid_of_processes():
    grid = {"activation": ["tanh", Activation(cube, cube_slope)]}
    search = GridSearchCV(
        MLPClassifier((5,), max_iter=3, random_state=0), grid, cv=2, n_jobs=2
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    clf = MLPClassifier(
        (5,), activation=Activation(cube, cube_slope), max_iter=3, random_state=0
    ).fit(X, y)
    assert pickle.loads(pickle.dumps(clf)).activation == clf.activation
    np.testing.assert_allclose(
        clf.hidden_features(X), cube(X @ clf.coefs_[0] + clf.intercepts_[0]), rtol=1e-9, atol=1e-12
    )


def leaky_by_list(z):
    return max([z, 0.1 * z])


def leaky_slope_by_array(z):
    return np.where(z > 0, np.array([1.0]), np.array([0.1]))[0]


def test_activation_may_use_lists_and_arrays():
    own = MLPClassifier(
        (5,),
        activation=Activation(leaky_by_list, leaky_slope_by_array),
        max_iter=3,
        random_state=0,
        initializer="he_normal",
    )
    built_in = clone(own).set_params(activation="leaky_relu")
    np.testing.assert_allclose(
        own.fit(X, y).loss_curve_, built_in.fit(X, y).loss_curve_, rtol=1e-12
    )


def refusing(z):
    if z > 0:
        raise ArithmeticError("z is positive")
    return z


@pytest.mark.parametrize("width", [5, 2000])  # on one thread, and on as many as there are
def test_activation_that_raises_leaves_no_traces(width):
    model = MLPClassifier((width,), activation=Activation(refusing, cube_slope), random_state=0)
    with pytest.raises(ArithmeticError, match="z is positive"):
        model.fit(np.tile(X, (1, 20)), y)
    assert not hasattr(model, "coefs_")
    assert np.float64(2.5e-308) * 0.5 > 0  # denormals are as they were
    assert model.set_params(activation="relu", max_iter=200).fit(X, y).score(X, y) > 0.5


# ---- losses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_own_loss_trains_like_the_same_built_in_loss(dtype, solver):
    own = MLPRegressor(
        Loss(half_square, difference), (9,), solver=solver, max_iter=5, dtype=dtype, random_state=0
    )
    weight = np.arange(len(y)) % 3
    own.fit(X, TARGETS, weight)
    built_in = clone(own).set_params(loss="squared_error").fit(X, TARGETS, weight)
    rtol = 1e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(own.predict(X), built_in.predict(X), rtol=rtol, atol=rtol)
    penalty = own.alpha * sum((W**2).sum() for W in own.coefs_) / 2 / len(y)  # about
    mean_over_outputs = np.array(own.loss_curve_) / TARGETS.shape[1]
    np.testing.assert_allclose(mean_over_outputs, built_in.loss_curve_, rtol=1e-3, atol=penalty)
    assert own.out_activation_ == "identity"


def test_own_loss_in_a_grid_of_processes():
    loss = Loss(half_square, difference)
    grid = {"loss": ["huber", loss]}
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0)
    search = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X, TARGETS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    fitted = clone(model).set_params(loss=loss).fit(X, TARGETS)
    copy = pickle.loads(pickle.dumps(fitted))
    assert copy.loss == loss
    np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))


def test_early_stopping_by_own_loss():
    model = MLPRegressor(
        Loss(half_square, difference), (5,), early_stopping=True, scoring="loss", max_iter=4
    ).fit(X, TARGETS)
    np.testing.assert_allclose(model.history_["val_loss"], -np.array(model.validation_scores_))


def test_classifiers_take_no_loss():
    with pytest.raises(TypeError, match="loss"):
        MLPClassifier(loss=Loss(half_square, difference))


# ---- both --------------------------------------------------------------------------------------


def test_functions_that_do_not_compile_are_named():
    def bad(z):
        return object()

    def bad_slope(z, y):
        return object()

    with pytest.raises(ValueError, match=r"^bad cannot be compiled"):
        MLPClassifier((5,), activation=Activation(bad, bad)).fit(X, y)
    with pytest.raises(ValueError, match=r"^Loss\(half_square, bad_slope\) cannot be compiled"):
        MLPRegressor(Loss(half_square, bad_slope)).fit(X, TARGETS)


@pytest.mark.parametrize(
    ("kind", "first", "second", "takes"),
    [
        (Activation, "relu", None, "two functions of one number, got 'relu' and None"),
        (Activation, math.sin, "cos", "two functions of one number"),
        (Loss, "huber", difference, "two functions of two numbers, got 'huber'"),
        (Loss, half_square, 0.5, "two functions of two numbers"),
    ],
)
def test_only_functions_are_taken(kind, first, second, takes):
    with pytest.raises(TypeError, match=f"{kind.__name__} takes {takes}"):
        kind(first, second)


def test_equal_functions_are_equal_parts():
    activation = Activation(cube, cube_slope)
    loss = Loss(half_square, difference)
    assert activation == Activation(cube, cube_slope)
    assert activation != Activation(cube_slope, cube)
    assert loss == Loss(half_square, difference)
    assert loss != Loss(difference, half_square)
    assert Loss(cube, cube_slope) != activation
    assert hash(loss) == hash(Loss(half_square, difference))
    assert repr(activation) == "Activation(cube, cube_slope)"
    assert repr(loss) == "Loss(half_square, difference)"
    assert activation_part(activation) is activation_part(Activation(cube, cube_slope))
    assert loss_part(loss) is loss_part(Loss(half_square, difference))


def test_names_are_looked_up():
    assert activation_part("tanh") is sknn.parts.activations.ACTIVATIONS["tanh"]
    assert loss_part("huber") is sknn.parts.losses.LOSSES["huber"]
