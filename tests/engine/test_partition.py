"""Blocks cover everything once, and alternate between the halves."""

import numpy as np
import pytest

from sknn._compiled.jit import jit
from sknn._engine.partition import (
    VECTOR,
    divide_up,
    locate_block,
    locate_rectangle,
    one_block,
    partition_in_halves,
    partition_in_order,
)

LENGTHS = (1, 7, 15, 16, 17, 31, 32, 33, 48, 64, 96, 97, 100, 128, 200, 256, 300, 512, 784, 1000)
SIZES = (1, 5, 13, 16, 32, 48, 96, 100, 2000)


def blocks_of(partition):
    return [locate_block(partition, number) for number in range(partition.n_blocks)]


def covered(blocks):
    """Return all elements of the blocks, sorted."""
    return sorted(i for start, stop in blocks for i in range(start, stop))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_blocks_cover_everything_once(length, size):
    for partition in (
        partition_in_halves(length, size, by_samples=True),
        partition_in_order(length, size),
    ):
        blocks = blocks_of(partition)
        assert all(0 < stop - start <= size for start, stop in blocks)
        assert covered(blocks) == list(range(length))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_blocks_alternate_between_halves_as_long_as_there_are_some_of_each(length, size):
    partition = partition_in_halves(length, size, by_samples=True)
    is_second = [start >= partition.half for start, _ in blocks_of(partition)]
    n_second = sum(is_second)
    assert is_second[: 2 * n_second] == [False, True] * n_second
    assert not any(is_second[2 * n_second :])


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_halves_are_whole_registers_and_nearly_equal(length, size):
    half = partition_in_halves(length, size, by_samples=True).half
    if size >= length:
        assert half == length
    else:
        assert half % VECTOR == 0 or half == length
        assert 0 <= half - (length - half) < 2 * VECTOR


def test_blocks_in_order():
    assert blocks_of(partition_in_order(10, 4)) == [(0, 4), (4, 8), (8, 10)]
    assert blocks_of(one_block()) == [(0, 1)]


def test_rectangles_have_whole_rows_or_whole_columns():
    by_samples = partition_in_halves(40, 16, by_samples=True)
    by_units = partition_in_halves(40, 16, by_samples=False)
    for number, (start, stop) in enumerate(blocks_of(by_samples)):
        assert locate_rectangle(by_samples, number, 40, 7) == (start, stop, 0, 7)
        assert locate_rectangle(by_units, number, 7, 40) == (0, 7, start, stop)


@pytest.mark.parametrize(("length", "size"), [(0, 3), (1, 3), (3, 3), (4, 3), (6, 3), (7, 3)])
def test_division_is_rounded_up(length, size):
    assert divide_up(length, size) == -(-length // size)


@jit
def write_blocks(length, size, blocks):
    partition = partition_in_halves(length, size, True)
    for number in range(partition.n_blocks):
        blocks[number, 0], blocks[number, 1] = locate_block(partition, number)
    return partition.n_blocks


@pytest.mark.parametrize(("length", "size"), [(1, 1), (100, 13), (784, 96), (1000, 32)])
def test_compiled_blocks_are_the_plain_ones(length, size):
    blocks = np.zeros((length, 2), np.int64)
    n_blocks = write_blocks(length, size, blocks)
    expected = blocks_of(partition_in_halves(length, size, by_samples=True))
    assert list(map(tuple, blocks[:n_blocks].tolist())) == expected
