import numpy as np
import pytest
from reference import DTYPES, EXTREMES, FINITE, SIZES, compiled, run

from sknn import MLPRegressor
from sknn._compiled.kinds import OPTIMIZER_STEP, STEP_SIZES
from sknn.parts.optimizers import OPTIMIZERS


def _sgd(w, g, states, settings, rate, t):
    velocity = settings.momentum * states[0] - rate * g
    moved = (
        w + settings.momentum * velocity - rate * g if settings.nesterovs_momentum else w + velocity
    )
    return moved, [velocity, *states[1:]]


def _adam(w, g, states, settings, rate, t):
    # As in scikit-learn, epsilon stands beside the root that is not corrected.
    mean = settings.beta_1 * states[0] + (1 - settings.beta_1) * g
    square = settings.beta_2 * states[1] + (1 - settings.beta_2) * g**2
    corrected_rate = rate * np.sqrt(1 - settings.beta_2**t) / (1 - settings.beta_1**t)
    return w - corrected_rate * mean / (np.sqrt(square) + settings.epsilon), [
        mean,
        square,
        *states[2:],
    ]


def _adagrad(w, g, states, settings, rate, t):
    squares = states[0] + g**2
    return w - rate * g / (np.sqrt(squares) + settings.epsilon), [squares, *states[1:]]


def _rmsprop(w, g, states, settings, rate, t):
    squares = settings.rho * states[0] + (1 - settings.rho) * g**2
    return w - rate * g / (np.sqrt(squares) + settings.epsilon), [squares, *states[1:]]


def _adadelta(w, g, states, settings, rate, t):
    squares = settings.rho * states[0] + (1 - settings.rho) * g**2
    size = np.sqrt((states[1] + settings.epsilon) / (squares + settings.epsilon))
    moves = settings.rho * states[1] + (1 - settings.rho) * (size * g) ** 2
    return w - rate * size * g, [squares, moves, size]


def _moments(g, states, settings, t):
    mean = settings.beta_1 * states[0] + (1 - settings.beta_1) * g
    square = settings.beta_2 * states[1] + (1 - settings.beta_2) * g**2
    return mean, square, mean / (1 - settings.beta_1**t), square / (1 - settings.beta_2**t)


def _adamw(w, g, states, settings, rate, t):
    mean, square, corrected_mean, corrected_square = _moments(g, states, settings, t)
    return w - rate * corrected_mean / (np.sqrt(corrected_square) + settings.epsilon), [
        mean,
        square,
        states[2],
    ]


def _amsgrad(w, g, states, settings, rate, t):
    mean, square, corrected_mean, _ = _moments(g, [states[0], states[2]], settings, t)
    largest = np.maximum(states[1], square)
    root = np.sqrt(largest) + settings.epsilon
    corrected_rate = rate * np.sqrt(1 - settings.beta_2**t)
    return w - corrected_rate * corrected_mean / root, [mean, largest, square]


def _nadam(w, g, states, settings, rate, t):
    mean, square, _, corrected_square = _moments(g, states, settings, t)
    ahead = settings.beta_1 * mean / (1 - settings.beta_1 ** (t + 1)) + (
        1 - settings.beta_1
    ) * g / (1 - settings.beta_1**t)
    return w - rate * ahead / (np.sqrt(corrected_square) + settings.epsilon), [
        mean,
        square,
        states[2],
    ]


# step(w, g, states, settings, rate, t) -> (w, states); t counts from 1.
REFERENCE = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adadelta": _adadelta,
    "adam": _adam,
    "adamw": _adamw,
    "amsgrad": _amsgrad,
    "nadam": _nadam,
}

SETTINGS = (
    {},
    {"momentum": 0.0, "beta_1": 0.0, "beta_2": 0.0},
    {"momentum": 0.6, "nesterovs_momentum": False, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3},
)
RATES = np.array([0.1, 0.1, 0.05, 0.2, 0.01])
EPOCHS = np.arange(5) / 5

rows_and_dtypes = pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name in OPTIMIZERS for dtype in DTYPES]
)


def _settings(name, changes):
    return MLPRegressor(solver=name, **changes)


def _steps(name, settings, w, gradients, states, first=1):
    """Let the kernel move w and states, in place, by one gradient after another."""
    part = OPTIMIZERS[name]
    dtype = w.dtype
    step = compiled(part.step, OPTIMIZER_STEP, dtype)
    for g, h in zip(
        gradients,
        part.hyperparameters(
            settings, first, RATES[: len(gradients)], EPOCHS[: len(gradients)]
        ).astype(dtype),
        strict=True,
    ):
        with np.errstate(all="ignore"):
            step(w, g, *states, h)


def _zero_states(name, size, dtype):
    n_states = OPTIMIZERS[name].n_states
    return [np.zeros(size if i < n_states else 0, dtype) for i in range(3)]


def _gradients(values, size, dtype):
    """Return gradients for as many steps as there are rates, each element always of the same size
    and sign."""
    factors = np.random.default_rng(0).uniform(0.5, 1.5, (len(RATES), size))
    return (run(values, size, dtype) * factors).astype(dtype)


def test_every_row_has_a_reference():
    assert REFERENCE.keys() == OPTIMIZERS.keys()


@rows_and_dtypes
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("changes", SETTINGS)
def test_steps_are_the_formula(name, dtype, size, changes):
    settings = _settings(name, changes)
    w = run([0.5, -0.25, 2.0], size, dtype)
    states = _zero_states(name, size, dtype)
    gradients = _gradients(EXTREMES, size, dtype)
    expected = w.astype(np.float64)
    expected_states = [np.zeros(size)] * 3
    with np.errstate(all="ignore"):
        for t, (g, rate) in enumerate(
            zip(gradients.astype(np.float64), RATES, strict=True), start=1
        ):
            expected, expected_states = REFERENCE[name](
                expected, g, expected_states, settings, rate, t
            )
    _steps(name, settings, w, gradients, states)
    rtol = 60 * np.finfo(dtype).eps
    np.testing.assert_allclose(w, expected, rtol=rtol, atol=rtol)
    for state, expected_state in zip(
        states[: OPTIMIZERS[name].n_states], expected_states, strict=False
    ):
        np.testing.assert_allclose(state, expected_state, rtol=rtol, atol=4 * np.finfo(dtype).tiny)


@rows_and_dtypes
def test_gradients_are_only_read(name, dtype):
    gradients = _gradients(FINITE, 33, dtype)
    before = gradients.copy()
    _steps(name, _settings(name, {}), np.zeros(33, dtype), gradients, _zero_states(name, 33, dtype))
    np.testing.assert_array_equal(gradients, before)


@rows_and_dtypes
def test_weights_without_gradient_stay(name, dtype):
    w = run(FINITE, 33, dtype)
    states = _zero_states(name, 33, dtype)
    before = w.copy()
    _steps(name, _settings(name, {}), w, np.zeros((len(RATES), 33), dtype), states)
    np.testing.assert_array_equal(w, before)
    np.testing.assert_array_equal(np.concatenate(states[:2]), 0)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("changes", SETTINGS)
def test_hyperparameters_of_a_step_do_not_depend_on_the_chunk_it_is_in(name, changes):
    part = OPTIMIZERS[name]
    settings = _settings(name, changes)
    together = part.hyperparameters(settings, 3, RATES, EPOCHS)
    apart = [
        part.hyperparameters(settings, 3 + i, RATES[i : i + 1], EPOCHS[i : i + 1])[0]
        for i in range(len(RATES))
    ]
    assert together.shape[0] == len(RATES)
    np.testing.assert_array_equal(together, apart)
    assert np.isfinite(part.hyperparameters(settings, 10**6, RATES, EPOCHS)).all()


@rows_and_dtypes
def test_a_block_of_weights_moves_as_it_does_within_a_larger_one(name, dtype):
    settings = _settings(name, {})
    gradients = _gradients(FINITE, 33, dtype)
    w = run([0.5, -0.25, 2.0], 33, dtype)
    states = _zero_states(name, 33, dtype)
    for block in (slice(0, 7), slice(7, 8), slice(8, 33)):
        _steps(
            name,
            settings,
            w[block],
            np.ascontiguousarray(gradients[:, block]),
            [state[block] for state in states],
        )
    whole = run([0.5, -0.25, 2.0], 33, dtype)
    whole_states = _zero_states(name, 33, dtype)
    _steps(name, settings, whole, gradients, whole_states)
    np.testing.assert_array_equal(w, whole)
    np.testing.assert_array_equal(np.concatenate(states), np.concatenate(whole_states))


@rows_and_dtypes
def test_step_sizes_are_what_gradients_are_multiplied_with(name, dtype):
    part = OPTIMIZERS[name]
    settings = _settings(
        name, {"momentum": 0.0, "nesterovs_momentum": False, "beta_1": 0.0, "epsilon": 1e-3}
    )
    w = run([0.5, -0.25, 2.0], 33, dtype)
    states = _zero_states(name, 33, dtype)
    gradients = _gradients([0.3, -0.7, 1.9], 33, dtype)
    _steps(name, settings, w, gradients[:4], states)
    before = w.copy()
    sizes = np.empty(33, dtype)
    h = part.hyperparameters(settings, 5, RATES[4:], EPOCHS[4:]).astype(dtype)[0]
    compiled(part.step, OPTIMIZER_STEP, w.dtype)(w, gradients[4], *states, h)
    compiled(part.step_sizes, STEP_SIZES, w.dtype)(sizes, *states, h)
    np.testing.assert_allclose(
        before - sizes * gradients[4],
        w,
        rtol=20 * np.finfo(dtype).eps,
        atol=20 * np.finfo(dtype).eps,
    )


def test_momentum_is_ramped_over_half_of_max_iter():
    settings = MLPRegressor(solver="sgd", momentum=(0.5, 0.9), max_iter=10)
    momentum = OPTIMIZERS["sgd"].hyperparameters(
        settings, 1, np.ones(5), np.array([0, 1.25, 2.5, 5, 9])
    )[:, 1]
    np.testing.assert_allclose(momentum, [0.5, 0.6, 0.7, 0.9, 0.9])
