import pytest

from sknn import MLPRegressor
from sknn.schedules import SCHEDULES

# The rate after t samples without a stall, and the rates after one stall after another; None stops.
REFERENCE = {
    "constant": (lambda rate, t, power_t: rate, [None]),
    "invscaling": (lambda rate, t, power_t: rate / (t + 1) ** power_t, [None]),
    "adaptive": (lambda rate, t, power_t: rate, [2e-4, 4e-5, 8e-6, 1.6e-6, 3.2e-7, None]),
}


def test_every_row_has_a_reference():
    assert REFERENCE.keys() == SCHEDULES.keys()


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
        rate = SCHEDULES[name].on_stall(rate)
        assert rate == (None if expected is None else pytest.approx(expected, rel=1e-12))


def test_a_lowered_rate_is_kept_over_epochs():
    schedule = SCHEDULES["adaptive"]
    assert schedule.after_epoch(MLPRegressor(), schedule.on_stall(0.5), 100) == pytest.approx(0.1)


def test_adaptive_stops_at_a_millionth():
    assert SCHEDULES["adaptive"].on_stall(1e-6) is None
    assert SCHEDULES["adaptive"].on_stall(1.0001e-6) is not None
