"""Random numbers of dropout: their rate, their independence, and that they can be drawn again."""

import numpy as np
import pytest
from reference import DTYPES, compiled

from sknn._compiled.jit import jit
from sknn._compiled.kinds import DROPOUT, DROPOUT_IN_PLACE
from sknn._engine import dropout


@jit
def key_of(seed, step, layer):
    return dropout.dropout_key(seed, step, layer)


def drop(values, key, rate=0.3, first_unit=0):
    out = np.full_like(values, np.nan)
    kernel = compiled(dropout.drop, DROPOUT, values.dtype)
    kernel(values, first_unit, key, values.dtype.type(rate), out)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
def test_fraction_and_scale(dtype):
    ones = np.ones(100_000, dtype)
    out = drop(ones, key_of(7, 1, 1))
    assert set(np.unique(out)) == {0, np.dtype(dtype).type(1 / (1 - np.dtype(dtype).type(0.3)))}
    assert abs((out == 0).mean() - 0.3) < 0.005


def test_units_steps_layers_and_seeds_are_independent():
    ones = np.ones(100_000)
    out = drop(ones, key_of(7, 1, 1))
    assert abs(np.corrcoef(out[1:], out[:-1])[0, 1]) < 0.01
    for other in ((7, 2, 1), (7, 1, 2), (8, 1, 1), (7, 1 + 2**32, 1)):
        assert abs(np.corrcoef(out, drop(ones, key_of(*other)))[0, 1]) < 0.01


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_backward_pass_drops_what_the_forward_pass_did(dtype):
    values = np.arange(1, 1001).astype(dtype)
    expected = drop(values, key_of(7, 1, 1))
    kernel = compiled(dropout.drop_in_place, DROPOUT_IN_PLACE, values.dtype)
    kernel(values, 0, key_of(7, 1, 1), values.dtype.type(0.3))
    np.testing.assert_array_equal(values, expected)


def test_a_unit_s_number_does_not_depend_on_the_block_in_which_it_is_computed():
    values = np.arange(1.0, 101.0)
    expected = drop(values, key_of(3, 4, 2))
    for first in (1, 17, 99):
        np.testing.assert_array_equal(
            drop(values[first:].copy(), key_of(3, 4, 2), first_unit=first), expected[first:]
        )
