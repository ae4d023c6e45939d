import numpy as np
import pytest
from reference import (
    Batch,
    Network,
    central_differences,
    coefs_and_intercepts,
    data_loss,
    forward,
    gradient,
    objective,
    outputs,
    penalty,
)
from scipy import sparse
from test_activations import KINKS
from test_activations import REFERENCE as ACTIVATIONS
from test_losses import REFERENCE as LOSSES
from test_losses import parameters as loss_parameters

from sknn import MLPClassifier, MLPRegressor
from sknn._runtime.compiled_network import CompiledNetwork
from sknn._runtime.data import Table
from sknn._runtime.layout import make_layout
from sknn._runtime.requested import make_architecture

ELEMENTWISE = [
    name for name in ACTIVATIONS if name not in ("maxout", "sigmoid")
]  # sigmoid is logistic
SHAPE = 1.0  # of activations that take one
combinations = pytest.mark.parametrize(
    ("activation", "loss"), [(activation, loss) for activation in ELEMENTWISE for loss in LOSSES]
)


def settings_for(loss, n_outputs, **parameters):
    """Return an estimator with the parameters of the loss."""
    of_loss = loss_parameters(n_outputs)
    if loss.endswith("log_loss"):
        return MLPClassifier(
            label_smoothing=of_loss["label_smoothing"], negative_slope=SHAPE, **parameters
        )
    return MLPRegressor(
        huber_delta=of_loss["huber_delta"],
        quantile=of_loss["quantile"],
        negative_slope=SHAPE,
        **parameters,
    )


class Problem:
    """A small random network and its data, in the package's terms and in the oracle's."""

    def __init__(self, activation, loss, *, alpha=0.3, n_rows=12, units=(4, 5, 3, 3), seed=0):
        rng = np.random.default_rng(seed)
        self.loss = loss
        self.settings = settings_for(
            loss, units[-1], activation=activation, alpha=alpha, solver="lbfgs"
        )
        self.architecture = make_architecture(self.settings, units[1:-1], units[0], units[-1], loss)
        self.layout = make_layout(self.architecture)
        self.flat = np.zeros(self.layout.size)
        for array in (
            array for arrays in coefs_and_intercepts(self.flat, self.layout) for array in arrays
        ):
            array[...] = rng.normal(0, 0.6, array.shape)
        X = rng.normal(0, 1, (n_rows, units[0])) * rng.integers(0, 2, (n_rows, units[0]))
        y = np.asarray(LOSSES[loss].targets(rng, n_rows, units[-1]), np.float64)
        weight = rng.choice([0.0, 0.5, 1.0, 4.0], n_rows)
        self.batch = Batch(X, y, weight, weight.mean())

    def table(self, *, is_sparse=False):
        X, y, weight, mean_weight = self.batch
        return Table(
            sparse.csr_matrix(X) if is_sparse else X,
            y,
            weight / mean_weight,
            np.dtype(np.float64),
            mean_weight,
        )

    def session(self):
        return CompiledNetwork(self.flat, self.architecture, self.settings)

    def network(self, flat=None):
        activation = ACTIVATIONS[self.settings.activation]
        coefs, intercepts = coefs_and_intercepts(self.flat if flat is None else flat, self.layout)
        return Network(
            coefs,
            intercepts,
            lambda z: activation(z, SHAPE),
            LOSSES[self.loss].loss,
            self.settings.alpha,
        )

    def is_near_a_kink(self):
        hidden = np.concatenate(
            [z for x in self.batch.X for z in forward(self.network(), x)[0][:-1]]
        )
        return any(
            np.abs(hidden - kink).min() < 1e-3 for kink in KINKS.get(self.settings.activation, ())
        )


def _smooth_problem(activation, loss, **kwargs):
    """Return the first problem whose pre-activations keep away from where the activation has no
    derivative."""
    return next(
        problem
        for seed in range(20)
        if not (problem := Problem(activation, loss, seed=seed, **kwargs)).is_near_a_kink()
    )


def _relative_error(array, expected):
    return np.abs(array - expected).max() / np.abs(expected).max()


@combinations
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_gradient_is_the_central_difference_of_the_objective(activation, loss, alpha):
    problem = _smooth_problem(activation, loss, alpha=alpha)
    expected = central_differences(
        lambda flat: objective(problem.network(flat), problem.batch), problem.flat
    )
    by_layer = [part for parts in coefs_and_intercepts(expected, problem.layout) for part in parts]
    assert all(
        np.abs(part).max() > 1e-4 for part in by_layer
    )  # or there would be nothing to compare
    for is_sparse in (False, True):
        value, _, found = problem.session().loss_and_gradient(
            problem.table(is_sparse=is_sparse), np.arange(12)
        )
        np.testing.assert_allclose(value, objective(problem.network(), problem.batch), rtol=1e-12)
        for part, expected_part in zip(
            (part for parts in coefs_and_intercepts(found, problem.layout) for part in parts),
            by_layer,
            strict=True,
        ):
            assert _relative_error(part, expected_part) < 1e-6


@combinations
@pytest.mark.parametrize("units", [(4, 3), (4, 1, 2), (1, 2, 2, 2, 1)])
def test_gradient_is_the_chain_rule_for_other_shapes(activation, loss, units):
    _check_against_chain_rule(Problem(activation, loss, units=units))


@pytest.mark.parametrize("is_sparse", [False, True])
def test_gradient_over_many_rows_and_wide_layers(is_sparse):
    _check_against_chain_rule(
        Problem("tanh", "log_loss", n_rows=530, units=(30, 130, 101, 3)), is_sparse=is_sparse
    )


def _check_against_chain_rule(problem, *, is_sparse=False):
    _, _, found = problem.session().loss_and_gradient(
        problem.table(is_sparse=is_sparse), np.arange(len(problem.batch.X))
    )
    for parts, expected_parts in zip(
        coefs_and_intercepts(found, problem.layout),
        gradient(problem.network(), problem.batch),
        strict=True,
    ):
        for part, expected in zip(parts, expected_parts, strict=True):
            np.testing.assert_allclose(
                part, expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max() + 1e-300
            )


def test_gradient_takes_the_rows_that_it_is_given():
    problem = Problem("tanh", "squared_error")
    some = np.array([7, 2, 2, 11])
    X, y, weight, mean_weight = problem.batch
    value, _, _ = problem.session().loss_and_gradient(problem.table(), some)
    expected = objective(problem.network(), Batch(X[some], y[some], weight[some], mean_weight))
    np.testing.assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_as_reported(loss):
    problem = Problem("tanh", loss)
    session = problem.session()
    table = problem.table()
    rows = np.arange(12)
    some = np.array([1, 4, 4, 9, 11])
    X, y, weight, _ = problem.batch
    validation = Batch(X[some], y[some], weight[some], weight[some].mean())
    n_averaged = (
        3 if loss == "squared_error" else 1
    )  # scikit-learn reports this one as the mean over outputs
    data = data_loss(problem.network(), problem.batch)
    regularization = penalty(problem.network(), problem.batch)
    np.testing.assert_allclose(
        session.loss_and_gradient(table, rows)[1], data / n_averaged + regularization, rtol=1e-12
    )
    np.testing.assert_allclose(
        session.outputs_and_loss(table, some)[1],
        data_loss(problem.network(), validation) / n_averaged,
        rtol=1e-12,
    )


@combinations
@pytest.mark.parametrize("is_sparse", [False, True])
def test_predictions(activation, loss, is_sparse):
    problem = Problem(activation, loss)
    session = problem.session()
    table = problem.table(is_sparse=is_sparse)
    logits = outputs(problem.network(), problem.batch.X)
    np.testing.assert_allclose(session.outputs(table, link=False), logits, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        session.outputs(table), [LOSSES[loss].link(z) for z in logits], rtol=1e-12, atol=1e-14
    )
    some = np.array([3, 0, 11])
    np.testing.assert_allclose(
        session.outputs_and_loss(table, some)[0], session.outputs(table)[some], rtol=1e-14
    )


def test_blocks_of_rows_may_grow_from_call_to_call():
    problem = Problem("tanh", "log_loss", n_rows=300)
    expected = problem.session().outputs(problem.table())
    session = problem.session()
    for n_rows in (1, 3, 40, 300):
        found, _ = session.outputs_and_loss(problem.table(), np.arange(n_rows))
        np.testing.assert_allclose(found, expected[:n_rows], rtol=1e-14)


def test_nothing_is_left_over_from_the_last_call():
    problem = Problem("tanh", "log_loss")
    other = Problem("tanh", "log_loss", n_rows=40, seed=1)
    session = problem.session()
    *losses, gradient_before = session.loss_and_gradient(problem.table(), np.arange(12))
    gradient_before = gradient_before.copy()
    session.outputs(problem.table())
    session.loss_and_gradient(other.table(), np.arange(40))
    *losses_again, gradient_again = session.loss_and_gradient(problem.table(), np.arange(12))
    assert losses_again == losses
    np.testing.assert_array_equal(gradient_again, gradient_before)
