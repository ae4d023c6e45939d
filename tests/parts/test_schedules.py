import numpy as np
import pytest

from sknn import MLPRegressor
from sknn.parts.schedules import SCHEDULES, warmup

MAX_ITER = 20
DECAY = 0.3


def _one_cycle(s):
    p = s / MAX_ITER
    if p < 0.3:
        return 1 / 25 + (1 - 1 / 25) * (1 - np.cos(np.pi * p / 0.3)) / 2
    return 1 / 250_000 + (1 - 1 / 250_000) * (1 + np.cos(np.pi * (p - 0.3) / 0.7)) / 2


# The factor of a step that has s epochs before it.
FACTORS = {
    "exponential": lambda s: np.exp(-DECAY * s),
    "inverse_time": lambda s: 1 / (1 + DECAY * s),
    "step": lambda s: 2.0 ** -np.floor(DECAY * s),
    "cosine": lambda s: (1 + np.cos(np.pi * s / MAX_ITER)) / 2,
    "flat_cos": lambda s: 1 if s < 10 else (1 + np.cos(np.pi * (s - 10) / 10)) / 2,
    "one_cycle": _one_cycle,
    "coslog": lambda s: (1 - np.cos(2 * np.pi * np.log2(1 + 15 * s / MAX_ITER))) / 2,
}
STOPS = (lambda rate, t, power_t: rate, [None])
# The rate after t samples without a stall, and the rates after one stall after another; None stops.
REFERENCE = dict.fromkeys(["constant", *FACTORS], STOPS) | {
    "invscaling": (lambda rate, t, power_t: rate / (t + 1) ** power_t, [None]),
    "adaptive": (lambda rate, t, power_t: rate, [2e-4, 4e-5, 8e-6, 1.6e-6, 3.2e-7, None]),
    "plateau": (lambda rate, t, power_t: rate, [1e-3 * DECAY**k for k in range(1, 7)] + [None]),
}


def test_every_row_has_a_reference():
    assert REFERENCE.keys() == SCHEDULES.keys()


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_are_the_formula(name):
    settings = MLPRegressor(max_iter=MAX_ITER, decay_rate=DECAY)
    epochs = np.array([0, 0.25, 1, 3.5, 5.999, 6, 9.9, 10, 15, 19.9])
    expected = [FACTORS.get(name, lambda s: 1.0)(s) for s in epochs]
    np.testing.assert_allclose(
        SCHEDULES[name].factor(settings, epochs), expected, rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("name", ["cosine", "flat_cos", "one_cycle", "coslog"])
def test_nothing_changes_beyond_the_horizon(name):
    settings = MLPRegressor(max_iter=MAX_ITER)
    end, beyond = SCHEDULES[name].factor(settings, np.array([20.0, 35.0]))
    assert end == beyond


def test_warmup_is_linear():
    epochs = np.array([0.1, 1, 2, 4, 9])
    np.testing.assert_allclose(
        warmup(MLPRegressor(warmup_epochs=4), epochs), [0.025, 0.25, 0.5, 1, 1]
    )
    np.testing.assert_array_equal(warmup(MLPRegressor(), epochs), 1)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("initial", [1e-3, 10.0])
@pytest.mark.parametrize("power_t", [0.0, 0.5, 2.0])
def test_rates_are_the_formula(name, initial, power_t):
    settings = MLPRegressor(learning_rate=name, learning_rate_init=initial, power_t=power_t)
    rate = initial
    for t in range(50, 500, 50):
        rate = SCHEDULES[name].after_epoch(settings, rate, t)
        assert rate == pytest.approx(REFERENCE[name][0](initial, t, power_t), rel=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_stalls_lower_the_rate_or_stop(name):
    rate = 1e-3
    for expected in REFERENCE[name][1]:
        rate = SCHEDULES[name].on_plateau(MLPRegressor(decay_rate=DECAY), rate)
        assert rate == (None if expected is None else pytest.approx(expected, rel=1e-12))


def test_a_lowered_rate_is_kept_over_epochs():
    schedule = SCHEDULES["adaptive"]
    assert schedule.after_epoch(
        MLPRegressor(), schedule.on_plateau(MLPRegressor(), 0.5), 100
    ) == pytest.approx(0.1)


def test_adaptive_stops_at_a_millionth():
    assert SCHEDULES["adaptive"].on_plateau(MLPRegressor(), 1e-6) is None
    assert SCHEDULES["adaptive"].on_plateau(MLPRegressor(), 1.0001e-6) is not None
