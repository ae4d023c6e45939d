"""Properties of the plan over many shapes, checked against slow and obvious counts."""

import itertools

import numpy as np
import pytest

from sknn._compiled.jit import jit
from sknn._engine import plan
from sknn._engine.plan import (
    VECTOR,
    Shape,
    divide_up,
    locate_block,
    locate_rectangle,
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
    assert blocks_of(partition_in_order(1, 1)) == [(0, 1)]


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


# ---- shapes -------------------------------------------------------------------------------------

ROWS = (1, 2, 7, 16, 31, 32, 33, 64, 100, 200, 256, 1000)
FANS = (1, 3, 16, 20, 64, 96, 100, 128, 257, 512, 784)
SHAPES = [Shape(*sizes, 2) for sizes in itertools.product(ROWS, FANS, FANS)]
TEAMS = (1, 2, 3, 4, 7, 16, 64)


def partitions(shape):
    """Return all partitions that a layer of this shape may have, with the length that each is
    of."""
    weights = [plan.partition_weights(shape, is_sparse) for is_sparse in (0, 1)]
    found = [(partition, shape.fan_in) for partition in weights]
    for by_features in (True, False):
        inputs = plan.partition_inputs(shape, weights[0], by_features)
        found += [(inputs, shape.n_rows if inputs.by_samples else shape.fan_in)]
    found += [(plan.partition_output_layer(shape), shape.n_rows)]
    for needs_all_samples in (False, True):
        deltas = plan.partition_deltas(shape, needs_all_samples)
        found += [(deltas, shape.n_rows if deltas.by_samples else shape.fan_in)]
        for n_pieces in (1, 2, 5):
            if shape.fan_out % n_pieces == 0:
                width = shape.fan_out // n_pieces
                hidden = plan.partition_hidden_layer(shape, width, needs_all_samples)
                found += [(hidden, shape.n_rows if hidden.by_samples else width)]
                assert not (needs_all_samples and hidden.by_samples)
    return found


@pytest.mark.parametrize("n_threads", TEAMS)
def test_blocks_of_all_phases_cover_everything_once(n_threads):
    for shape in SHAPES[::3]:
        for partition, length in partitions(shape._replace(n_threads=n_threads)):
            blocks = sorted(blocks_of(partition))
            assert blocks[0][0] == 0
            assert blocks[-1][1] == length
            assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(blocks))


# ---- sizes of blocks -----------------------------------------------------------------------------


@pytest.mark.parametrize("largest", [plan.UNITS_OF_A_BLOCK, plan.SAMPLES_OF_A_BLOCK])
@pytest.mark.parametrize("length", [1, 16, 31, 100, 128, 200, 256, 300, 512, 784, 2048])
def test_small_products_are_not_cut_and_others_evenly(length, largest):
    small = Shape(1, 1, plan._SMALL_PRODUCT, 64)
    assert plan.choose_block_size(small, length, largest, VECTOR) == length
    shape = Shape(1, 1, plan._SMALL_PRODUCT + 1, 2)
    size = plan.choose_block_size(shape, length, largest, VECTOR)
    assert plan.choose_block_size(shape._replace(n_threads=1), length, largest, VECTOR) == size
    assert size <= largest
    if size < length:
        assert size % VECTOR == 0
        half = plan.first_half(length, size)
        fewest = -(-half // largest)  # blocks of a half
        assert -(-half // size) == fewest
        assert size == VECTOR or -(-half // (size - VECTOR)) > fewest  # none is smaller


@pytest.mark.parametrize(
    ("length", "size", "half"),
    [
        (64, 32, 32),
        (100, 64, 56),
        (200, 64, 104),
        (256, 64, 128),
        (400, 80, 200),
        (512, 96, 256),
        (784, 80, 392),
        (1024, 96, 512),
    ],
)
def test_two_threads_have_nearly_the_same_to_do(length, size, half):
    weights = plan.partition_weights(Shape(10_000, length, 100, 2), False)
    assert (weights.size, weights.half) == (size, half)


@pytest.mark.parametrize("n_rows", ROWS)
def test_bounds_of_numbers_of_blocks(n_rows):
    for shape in (shape for shape in SHAPES if shape.n_rows == n_rows):
        output = plan.partition_output_layer(shape)
        assert output.n_blocks <= plan.bound_blocks(n_rows)
        for is_sparse in (False, True):
            weights = plan.partition_weights(shape, is_sparse)
            assert weights.n_blocks <= plan.bound_blocks(shape.fan_in)


@pytest.mark.parametrize("n_blocks", range(1, 20))
def test_each_block_of_weights_has_its_own_total(n_blocks):
    totals = [plan.choose_total(number, n_blocks) for number in range(n_blocks)]
    assert sorted(totals) == list(range(n_blocks))
    if n_blocks > 1:
        assert max(totals[::2]) < min(totals[1::2])  # of one half, then of the other


# ---- forward pass --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_sparse", [False, True])
def test_split_k_multiplies_every_input_with_every_unit_once(is_sparse):
    shapes = [shape for shape in SHAPES if plan.uses_split_k(shape)]
    assert len(shapes) > 20
    for shape, n_threads in itertools.product(shapes, TEAMS):
        weights = plan.partition_weights(shape._replace(n_threads=n_threads), is_sparse)
        units = plan.partition_split_k(shape._replace(n_threads=n_threads))
        found = [
            plan.locate_split_k_block(units, weights, number) for number in range(units.n_blocks)
        ]
        assert weights.half == plan.partition_weights(shape, is_sparse).half
        assert {block[:2] for block in found[::2]} == {(0, weights.half)}
        assert {block[:2] for block in found[1::2]} == {(weights.half, shape.fan_in)}
        for half in (found[::2], found[1::2]):
            assert covered(block[2:] for block in half) == list(range(shape.fan_out))


def test_two_threads_read_in_split_k_what_they_have_updated():
    """Even blocks of the update have the inputs of even blocks of the forward pass, and so have the
    features that are gathered."""
    for shape in (shape for shape in SHAPES if plan.uses_split_k(shape)):
        weights = plan.partition_weights(shape, False)
        deltas = plan.partition_deltas(shape, False)
        assert deltas == weights
        features = plan.partition_inputs(shape, weights, by_features=True)
        assert blocks_of(features) == [(0, weights.half), (weights.half, shape.fan_in)]
        n_second = sum(start >= weights.half for start, _ in blocks_of(weights))
        assert weights.n_blocks - n_second <= n_second + 1


@pytest.mark.parametrize(
    ("n_rows", "fan_in", "fan_out", "expected"),
    [
        (30, 100, 128, True),
        (30, 128, 100, True),
        (80, 100, 128, False),
        (80, 128, 100, False),
        (32, 784, 512, True),
        (32, 784, 64, False),
        (10, 100, 100, False),
    ],
)
def test_which_layers_use_split_k(n_rows, fan_in, fan_out, expected):
    assert plan.uses_split_k(Shape(n_rows, fan_in, fan_out, 2)) == expected


def test_layers_are_cut_by_samples_where_weights_are_the_smaller_matrix():
    assert plan.partition_hidden_layer(Shape(256, 100, 256, 2), 256, False).by_samples
    assert not plan.partition_hidden_layer(Shape(32, 784, 512, 2), 512, False).by_samples
    assert not plan.partition_hidden_layer(Shape(256, 100, 256, 2), 256, True).by_samples


# ---- backward pass -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", TEAMS)
@pytest.mark.parametrize("needs_all_samples", [False, True])
def test_transposed_blocks_neither_overlap_nor_leave_their_memory(n_threads, needs_all_samples):
    for shape in (shape._replace(n_threads=n_threads) for shape in SHAPES):
        n_rows, fan_in, fan_out, _ = shape
        deltas = plan.partition_deltas(shape, needs_all_samples)
        intervals = []
        for number in range(deltas.n_blocks):
            offset = plan.locate_packed(deltas, number, shape)
            start, stop = locate_block(deltas, number)
            n_inputs = fan_in if deltas.by_samples else stop - start
            is_w = plan.transposes_weights(n_rows, fan_out)
            assert is_w or not deltas.by_samples
            intervals.append((offset, offset + n_inputs * (fan_out if is_w else n_rows)))
        intervals.sort()
        assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(intervals))
        assert intervals[-1][1] <= n_rows * max(fan_in, fan_out)


@pytest.mark.parametrize("n_own", range(1, 6))
@pytest.mark.parametrize("n_above", range(5))
def test_a_phase_of_the_backward_pass_has_all_blocks_of_both_kinds(n_own, n_above):
    own = partition_in_order(n_own, 1)
    above = partition_in_order(n_above, 1)
    blocks = plan.join_partitions(own, above, n_above)
    of_above = [number - blocks.first_above for number in range(blocks.n_blocks)]
    assert [number for number in of_above if number >= 0] == list(range(n_above))
    assert blocks.first_above >= n_own
    assert blocks.first_above % 2 == 0
    assert blocks.n_blocks <= n_own + n_above + 1


# ---- shards --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "n_rows", "needs_all_samples", "expected"),
    [
        ((64, 100, 10), 200, False, 104),  # two shards of whole tiles
        ((64, 100, 10), 2000, False, 200),
        ((64, 100, 10), 20_000, False, 1256),
        ((30, 128, 128, 3), 872, False, 73),  # an even number of shards
        ((64, 100, 10), 200, True, 0),
        ((64, 20, 10), 200, False, 0),  # nothing to share
        ((64, 512, 512, 10), 200, False, 0),  # the shards' gradients would outweigh their rows
        ((64, 100, 10), 40, False, 0),
    ],
)
def test_which_minibatches_are_cut_into_shards(units, n_rows, needs_all_samples, expected):
    n_weights = sum((i + 1) * o for i, o in itertools.pairwise(units))
    assert plan.choose_shard_rows(n_rows, n_weights, sum(units), needs_all_samples) == expected


def test_shards_cover_the_minibatch_and_two_threads_have_as_many():
    for n_rows, n_weights in itertools.product(range(90, 3000, 37), (3000, 7500, 20_000)):
        rows = plan.choose_shard_rows(n_rows, n_weights, 10**6, False)
        if rows > 0:
            shards = partition_in_order(n_rows, rows)
            assert covered(blocks_of(shards)) == list(range(n_rows))
            assert shards.n_blocks % 2 == 0
            assert shards.n_blocks <= plan._MOST_SHARDS
            assert rows >= plan._LEAST_SHARD_ROWS


# ---- any number of threads -----------------------------------------------------------------------


def blocks_by_thread(n_blocks, n_threads):
    """Return the blocks that each thread claims if all are equally fast: its own ones."""
    return [range(thread, n_blocks, n_threads) for thread in range(n_threads)]


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8, 64])
def test_own_blocks_of_all_threads_are_all_blocks(n_threads):
    for shape in SHAPES:
        n_blocks = plan.partition_weights(shape, False).n_blocks
        claimed = itertools.chain(*blocks_by_thread(n_blocks, n_threads))
        assert sorted(claimed) == list(range(n_blocks))


def test_two_threads_that_take_turns_have_a_half_each():
    for shape in SHAPES:
        weights = plan.partition_weights(shape, False)
        if weights.n_blocks > 1:
            loads = [
                sum(stop - start for start, stop in (locate_block(weights, i) for i in own))
                for own in blocks_by_thread(weights.n_blocks, 2)
            ]
            assert abs(loads[0] - loads[1]) <= 2 * weights.size


def most_of_a_thread(partition, n_threads):
    """Return the elements of the thread with the most, if all are equally fast."""
    sizes = [stop - start for start, stop in blocks_of(partition)]
    own = blocks_by_thread(partition.n_blocks, n_threads)
    return max(sum(sizes[number] for number in numbers) for numbers in own)


@pytest.mark.parametrize("n_threads", [3, 4, 8, 16, 48])
def test_larger_teams_get_smaller_blocks_so_that_none_has_much_more_to_do(n_threads):
    for length in (256, 512, 784, 1024):
        shape = Shape(256, length, 512, n_threads)
        rows_of_w = plan.partition_weights(shape, False)
        columns = plan.partition_deltas(shape, needs_all_samples=True)
        for partition, unit in ((rows_of_w, plan.TILE), (columns, VECTOR)):
            assert partition.size % unit == 0
            for_two = plan.partition_weights(shape._replace(n_threads=2), False)
            most = most_of_a_thread(partition, n_threads)
            assert most <= most_of_a_thread(for_two, n_threads) + unit
            assert most <= 2 * unit + 1.34 * length / n_threads


def test_what_is_summed_over_blocks_is_cut_alike_for_every_team():
    for shape in SHAPES:
        for n_threads in (1, 3, 16):
            team = shape._replace(n_threads=n_threads)
            assert plan.partition_output_layer(team) == plan.partition_output_layer(shape)


@pytest.mark.parametrize("length", [36, 52, 100, 104, 200, 257, 300, 785])
def test_a_last_block_is_narrow_for_every_team_or_for_none(length):
    """Products add up narrow blocks of columns in another order."""
    narrow = set()
    for n_threads in range(1, 40):
        deltas = plan.partition_deltas(Shape(200, length, 150, n_threads), needs_all_samples=True)
        widths = [stop - start for start, stop in blocks_of(deltas)]
        narrow.add(min(widths) if min(widths) <= VECTOR // 2 else None)
    assert len(narrow) == 1


@pytest.mark.parametrize(
    ("n_threads", "n_layers", "shard_rows", "expected"),
    [(2, 3, 0, False), (3, 3, 0, True), (3, 1, 0, False), (3, 3, 100, False)],
)
def test_when_penalties_are_summed_first(n_threads, n_layers, shard_rows, expected):
    assert plan.sums_penalties_first(n_threads, n_layers, shard_rows) == expected
