"""``parametrization``, ``bias_lr_factor`` and ``input_scale`` against a slow network that has the
trained values as arrays of their own.
"""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from test_optimizers import REFERENCE as STEPS

from sknn import MLPClassifier, MLPRegressor
from sknn._hyperparameters.training import SOLVERS_WITH_NTK
from tests import reference
from tests.reference import DTYPES, assert_same_weights

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(36, 5)) * [1, 2, 0.5, 1, 3]
Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] * X[:, 4]])
SETTINGS = {
    "hidden_layer_sizes": (7, 4),
    "activation": "tanh",
    "batch_size": 12,
    "max_iter": 5,
    "shuffle": False,
    "alpha": 0.3,
    "weight_decay": 0.05,
    "learning_rate_init": 0.02,
    "random_state": 0,
}
STEP_SIZES = {
    "sgd": lambda states, rate, t, epsilon: rate / (1 - 0.9),  # momentum included
    "adam": lambda states, rate, t, epsilon: (
        rate * np.sqrt(1 - 0.999**t) / (np.sqrt(states[1]) + epsilon)
    ),
}


def start_of(model):
    """Return the model before its first step."""
    return clone(model).set_params(learning_rate_init=1e-30, max_iter=1, weight_decay=0).fit(X, Y)


class ScaledNetwork:
    """A network that trains V, where W = V / sqrt(fan_in) or W = V, and intercepts.

    Inputs are multiplied by scales, which it trains too if the model has ``input_scale``.

    Parameters
    ----------
    model : MLPRegressor
        With the settings, not fitted.
    """

    def __init__(self, model):
        self.settings = SimpleNamespace(**model.get_params())
        start = start_of(model)
        is_ntk = model.parametrization == "ntk"
        self.scales = [len(W) ** -0.5 if is_ntk else 1.0 for W in start.coefs_]
        self.V = [W / scale for W, scale in zip(start.coefs_, self.scales, strict=True)]
        self.intercepts = [b.copy() for b in start.intercepts_]
        self.of_inputs = np.ones(X.shape[1])
        trained = *self.V, *self.intercepts, self.of_inputs
        self.states = [[np.zeros_like(values)] * 3 for values in trained]

    @property
    def coefs(self):
        return self._coefs(self.of_inputs)

    def _coefs(self, of_inputs):
        first, *others = (scale * V for scale, V in zip(self.scales, self.V, strict=True))
        return [of_inputs[:, None] * first, *others]

    def gradients(self, batch):
        """Return the gradients of V of each layer, of the intercepts and of the inputs' scales."""
        settings = self.settings
        alpha = settings.alpha * (1 - settings.l1_ratio)
        network = reference.Network(
            self.coefs, self.intercepts, np.tanh, lambda z, y: 0.5 * (z - y) ** 2, alpha
        )
        of_coefs, of_intercepts = reference.gradient(network, batch)
        of_V = [scale * g for scale, g in zip(self.scales, of_coefs, strict=True)]
        of_V[0] *= self.of_inputs[:, None]
        of_scales = reference.partials(
            lambda scales: reference.objective(network._replace(coefs=self._coefs(scales)), batch),
            self.of_inputs,
        )
        return of_V, of_intercepts, of_scales

    def train(self):
        """Train for ``max_iter`` epochs."""
        settings = self.settings
        t = 0
        for _ in range(settings.max_iter):
            for first in range(0, len(X), settings.batch_size):
                t += 1
                rows = slice(first, first + settings.batch_size)
                batch = reference.Batch(X[rows], Y[rows], np.ones(settings.batch_size), 1.0)
                self.step(*self.gradients(batch), t)
        return self

    def step(self, of_V, of_intercepts, of_scales, t):
        settings = self.settings
        rate = settings.learning_rate_init
        for i, g in enumerate(of_V):
            self.V[i] = self.V[i] * (1 - rate * settings.weight_decay)
            self.V[i] = self._moved(i, self.V[i], g, rate, t)
            if settings.l1_ratio > 0:
                size = STEP_SIZES[settings.solver](self.states[i], rate, t, settings.epsilon)
                bound = size * settings.alpha * settings.l1_ratio / settings.batch_size
                bound *= self.scales[i]  # the penalty of V is l1 abs(W) = l1 scale abs(V)
                self.V[i] = np.sign(self.V[i]) * np.maximum(np.abs(self.V[i]) - bound, 0)
        rate *= settings.bias_lr_factor
        for i, g in enumerate(of_intercepts):
            number = len(of_V) + i
            self.intercepts[i] = self._moved(number, self.intercepts[i], g, rate, t)
        if settings.input_scale:
            rate = settings.learning_rate_init * settings.input_scale
            self.of_inputs = self._moved(-1, self.of_inputs, of_scales, rate, t)

    def _moved(self, i, values, g, rate, t):
        step = STEPS[self.settings.solver]
        moved, self.states[i] = step(values, g, self.states[i], self.settings, rate, t)
        return moved


def assert_same_network(model, slow, rtol=1e-9):
    for mine, expected in zip(
        (*model.coefs_, *model.intercepts_), (*slow.coefs, *slow.intercepts), strict=True
    ):
        np.testing.assert_allclose(mine, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("solver", SOLVERS_WITH_NTK)
@pytest.mark.parametrize("epsilon", [1e-8, 0.1])
def test_ntk_trains_the_scaled_weights(solver, epsilon):
    model = MLPRegressor(
        **SETTINGS, solver=solver, epsilon=epsilon, parametrization="ntk", bias_lr_factor=0.1
    )
    model.fit(X, Y)
    assert_same_network(model, ScaledNetwork(model).train())
    standard = clone(model).set_params(parametrization="standard", initializer="ntk").fit(X, Y)
    assert np.abs(model.coefs_[0] - standard.coefs_[0]).max() > 1e-3


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_ntk_with_l1_shrinks_the_scaled_weights(solver):
    settings = SETTINGS | {"alpha": 1.0, "l1_ratio": 0.7, "weight_decay": 0.0}
    model = MLPRegressor(**settings, solver=solver, parametrization="ntk").fit(X, Y)
    assert_same_network(model, ScaledNetwork(model).train())


@pytest.mark.parametrize("solver", STEPS)
def test_intercepts_learn_at_their_own_rate(solver):
    model = MLPRegressor(**SETTINGS, solver=solver, bias_lr_factor=0.3).fit(X, Y)
    assert_same_network(model, ScaledNetwork(model).train())


def test_intercepts_stay_with_a_factor_of_zero():
    model = MLPRegressor(**SETTINGS, bias_lr_factor=0).fit(X, Y)
    for mine, start in zip(model.intercepts_, start_of(model).intercepts_, strict=True):
        np.testing.assert_array_equal(mine, start)


@pytest.mark.parametrize(
    "changes",
    [
        {"input_scale": 6, "early_stopping": True},
        {"input_scale": 6, "dtype": "float32", "solver": "sgd", "learning_rate_init": 1e-3},
        {"max_grad_norm": 1e30},  # all weights at once instead of block by block
        {"batch_size": 36, "shuffle": True},
        {"dtype": "float32", "batch_norm": True, "dropout": 0.2},
        {"batch_norm": "after", "input_dropout": 0.2, "early_stopping": True},
    ],
    ids=str,
)
def test_further_training_goes_on_bit_for_bit(changes):
    settings = SETTINGS | {"parametrization": "ntk", "bias_lr_factor": 0.1, "tol": 0} | changes
    once = MLPRegressor(**settings | {"max_iter": 6}).fit(X, Y)
    twice = MLPRegressor(**settings | {"max_iter": 3}, warm_start=True).fit(X, Y).fit(X, Y)
    assert_same_weights(once, twice)


def test_updates_all_at_once_are_those_by_blocks():
    settings = SETTINGS | {"hidden_layer_sizes": (130, 100), "parametrization": "ntk"}
    settings |= {"input_scale": 2.0}
    by_blocks = MLPRegressor(**settings, bias_lr_factor=0.1).fit(X, Y)
    at_once = MLPRegressor(**settings, bias_lr_factor=0.1, max_grad_norm=1e30).fit(X, Y)
    assert_same_weights(by_blocks, at_once)


@pytest.mark.parametrize("dtype", DTYPES)
def test_auto_draws_what_ntk_does(dtype):
    auto = start_of(MLPRegressor(**SETTINGS, parametrization="ntk", dtype=dtype))
    named = start_of(MLPRegressor(**SETTINGS, initializer="ntk", dtype=dtype))
    assert_same_weights(auto, named)
    other = start_of(MLPRegressor(**SETTINGS, parametrization="ntk", initializer="he_normal"))
    he = start_of(MLPRegressor(**SETTINGS, initializer="he_normal"))
    assert_same_weights(other, he)


@pytest.mark.parametrize("solver", ["lbfgs", "adadelta"])
def test_solvers_without_ntk_refuse_it(solver):
    model = MLPRegressor(solver=solver, parametrization="ntk")
    with pytest.raises(
        ValueError, match=f"parametrization.*solver='{solver}'; 'ntk' is for.*'adam'"
    ):
        model.fit(X, Y)


@pytest.mark.parametrize("solver", STEPS)
@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_inputs_learn_their_scales(solver, parametrization):
    if parametrization == "ntk" and solver not in SOLVERS_WITH_NTK:
        return
    model = MLPRegressor(
        **SETTINGS, solver=solver, parametrization=parametrization, input_scale=3.0
    ).fit(X, Y)
    slow = ScaledNetwork(model).train()
    assert_same_network(model, slow)
    assert np.abs(slow.of_inputs - 1).max() > 1e-4


def test_true_is_a_factor_of_one():
    one, true = (MLPRegressor(**SETTINGS, input_scale=value).fit(X, Y) for value in (1.0, True))
    assert_same_weights(one, true)


def test_scales_go_on_after_a_pickle_and_by_partial_fit():
    settings = SETTINGS | {"input_scale": 6.0, "tol": 0, "dropout": 0.1}
    once = MLPRegressor(**settings | {"max_iter": 4}).fit(X, Y)
    stepwise = MLPRegressor(**settings)
    for _ in range(4):
        stepwise = pickle.loads(pickle.dumps(stepwise.partial_fit(X, Y)))
    assert_same_weights(once, stepwise)


def test_assigned_weights_begin_with_scales_of_one():
    settings = SETTINGS | {"input_scale": 6.0, "solver": "sgd", "momentum": 0.0, "max_iter": 3}
    model = MLPRegressor(**settings, warm_start=True).fit(X, Y)
    model.coefs_[0] = model.coefs_[0] * 1.5
    slow = ScaledNetwork(model)
    slow.V = [W.copy() for W in model.coefs_]
    slow.intercepts = [b.copy() for b in model.intercepts_]
    model.fit(X, Y)
    assert_same_network(model, slow.train())


def test_scales_of_sparse_inputs():
    dense = MLPRegressor(**SETTINGS, input_scale=6.0).fit(X, Y)
    rows = MLPRegressor(**SETTINGS, input_scale=6.0).fit(sparse.csr_array(X), Y)
    for mine, expected in zip(rows.coefs_, dense.coefs_, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9)


def test_scales_with_l1_are_refused():
    model = MLPRegressor(input_scale=True, hidden_layer_sizes=3, alpha=[0.1, 0.0], l1_ratio=0.5)
    with pytest.raises(ValueError, match=r"input_scale.*L1 penalty.*alpha=\[0.1, 0.0\]"):
        model.fit(X, Y)
    model.set_params(alpha=[0.0, 0.1], max_iter=1).fit(X, Y)


def test_a_search_takes_them():
    grid = {"parametrization": ["standard", "ntk"], "bias_lr_factor": [1, 0.1]}
    grid["input_scale"] = [False, 6.0]
    y = (X[:, 0] > 0).astype(int)
    search = GridSearchCV(MLPClassifier((4,), max_iter=3, random_state=0), grid, cv=2).fit(X, y)
    assert len(set(map(str, search.cv_results_["params"]))) == 8


@pytest.mark.parametrize("batch_norm", ["before", "after"])
def test_the_factor_of_intercepts_is_theirs_alone_beside_batch_norm(batch_norm):
    model = MLPRegressor(**SETTINGS, batch_norm=batch_norm, bias_lr_factor=0.0)
    start = start_of(model)
    model.fit(X, Y)
    for before, after in zip(start.intercepts_, model.intercepts_, strict=True):
        np.testing.assert_array_equal(before, after)
    for name in ("coefs_", "batch_norm_scale_", "batch_norm_shift_"):
        for before, after in zip(getattr(start, name), getattr(model, name), strict=True):
            assert (np.abs(after - before) > 1e-6).all()
