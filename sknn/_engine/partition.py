"""Partitions: a number of samples or units cut into blocks, with a fixed numbering.

Blocks are numbered such that two threads that take turns stay in a half each: even blocks lie in
the first half, odd ones in the second, as long as both have some. So a thread updates rows of W
that it will read in the next step, when they are still in the cache of its core. Halves consist of
whole vector registers.

These functions take and return integers and also run as plain Python.
"""

from typing import NamedTuple

from .._compiled.jit import portable

VECTOR = 16  # elements in the largest vector register


class Partition(NamedTuple):
    """A number of samples or units, cut into blocks."""

    n_blocks: int
    length: int
    half: int  # length of the first half; all if there is only one
    size: int  # length of a block, but for the last one of each half
    by_samples: bool


@portable
def divide_up(length, size):
    """Return length / size, rounded up."""
    return (length + size - 1) // size


@portable
def first_half(length, size):
    """Return the length of the first of two halves, in which blocks have ``size`` elements.

    It consists of whole registers. There is no second half if one block takes all.
    """
    if size >= length:
        return length
    return min(length, divide_up(length, 2 * VECTOR) * VECTOR)


@portable
def partition_in_halves(length, size, by_samples):
    """Return the partition into blocks of ``size``, which alternate between the two halves."""
    half = first_half(length, size)
    n_blocks = divide_up(half, size) + divide_up(length - half, size)
    return Partition(n_blocks, length, half, size, by_samples)


@portable
def partition_in_order(length, size):
    """Return the partition of samples into blocks of ``size``, one behind the other."""
    return Partition(divide_up(length, size), length, length, size, True)


@portable
def locate_block(partition, number):
    """Return ``(start, stop)`` of block ``number``."""
    half = partition.half
    n_alternating = 2 * divide_up(partition.length - half, partition.size)
    if number < n_alternating and number % 2 == 1:
        start = half + number // 2 * partition.size
        return start, min(partition.length, start + partition.size)
    number_in_half = number // 2 if number < n_alternating else number - n_alternating // 2
    start = number_in_half * partition.size
    return start, min(half, start + partition.size)


@portable
def one_block():
    """Return a single block."""
    return Partition(1, 1, 1, 1, True)


@portable
def locate_rectangle(partition, number, n_rows, n_units):
    """Return ``(first, last, start, stop)`` of a block of an ``n_rows`` x ``n_units`` matrix.

    It consists of the units ``start:stop`` of the samples ``first:last``.
    """
    start, stop = locate_block(partition, number)
    if partition.by_samples:
        return start, stop, 0, n_units
    return 0, n_rows, start, stop
