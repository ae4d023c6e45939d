import copy

import numpy as np
import pytest

from sknn._compiled.shuffle import Shuffler

STATES = {
    "fresh": lambda: np.random.RandomState(0),
    "in the middle": lambda: _after_draws(np.random.RandomState(1)),
    "of another bit generator": lambda: np.random.RandomState(np.random.PCG64(2)),
    "of another one with half of a draw left": lambda: _after_draws(
        np.random.RandomState(np.random.PCG64(3))
    ),
}


def _after_draws(random_state):
    random_state.randint(2**31, size=1001, dtype=np.int32)
    return random_state


@pytest.mark.parametrize("make", STATES.values(), ids=STATES)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 63, 64, 65, 1000, 4097, 100_000])
def test_shuffles_and_draws_as_numpy(size, make):
    random_state = make()
    other = copy.deepcopy(random_state)
    shuffler = Shuffler(random_state)
    order = np.arange(size)
    expected = np.arange(size)
    for n_times in (1, 3, 0, 1):
        orders = shuffler.shuffle_repeatedly(order, n_times)
        assert orders.shape == (n_times, size)
        for shuffled in orders:
            other.shuffle(expected)
            np.testing.assert_array_equal(shuffled, expected)
        order = expected.copy()
        assert random_state.randint(2**31) == other.randint(2**31)


def test_the_order_given_stays_as_it_is():
    order = np.arange(50)
    order.setflags(write=False)
    Shuffler(np.random.RandomState(0)).shuffle_repeatedly(order, 2)
    np.testing.assert_array_equal(order, np.arange(50))
