"""Properties of the plan over many shapes, checked against slow and obvious counts."""

import itertools

import pytest
from test_partition import blocks_of, covered

from sknn._engine import plan
from sknn._engine.partition import VECTOR, locate_block, partition_in_order

ROWS = (1, 2, 7, 16, 31, 32, 33, 64, 100, 200, 256, 1000)
FANS = (1, 3, 16, 20, 64, 96, 100, 128, 257, 512, 784)
SHAPES = list(itertools.product(ROWS, FANS, FANS))  # n_rows, fan_in, fan_out


def partitions(n_rows, fan_in, fan_out):
    """Return all partitions that a layer of this shape may have, with the length that each is
    of."""
    weights = [plan.partition_weights(n_rows, fan_in, fan_out, is_sparse) for is_sparse in (0, 1)]
    found = [(partition, fan_in) for partition in weights]
    found += [(plan.partition_inputs(n_rows, weights[0], by_features=True), fan_in)]
    found += [(plan.partition_inputs(n_rows, weights[0], by_features=False), n_rows)]
    found += [(plan.partition_output_layer(n_rows, fan_in, fan_out), n_rows)]
    for needs_all_samples in (False, True):
        deltas = plan.partition_deltas(n_rows, fan_in, fan_out, needs_all_samples)
        found += [(deltas, n_rows if deltas.by_samples else fan_in)]
        for n_pieces in (1, 2, 5):
            if fan_out % n_pieces == 0:
                width = fan_out // n_pieces
                hidden = plan.partition_hidden_layer(
                    n_rows, fan_in, fan_out, width, needs_all_samples
                )
                found += [(hidden, n_rows if hidden.by_samples else width)]
                assert not (needs_all_samples and hidden.by_samples)
    return found


@pytest.mark.parametrize("n_rows", ROWS)
def test_blocks_of_all_phases_cover_everything_once(n_rows):
    for _, fan_in, fan_out in (shape for shape in SHAPES if shape[0] == n_rows):
        for partition, length in partitions(n_rows, fan_in, fan_out):
            blocks = sorted(blocks_of(partition))
            assert blocks[0][0] == 0
            assert blocks[-1][1] == length
            assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(blocks))


# ---- sizes of blocks -----------------------------------------------------------------------------


@pytest.mark.parametrize("largest", [plan.UNITS_OF_A_BLOCK, plan.SAMPLES_OF_A_BLOCK])
@pytest.mark.parametrize("length", [1, 16, 31, 100, 128, 200, 256, 300, 512, 784, 2048])
def test_small_products_are_not_cut_and_others_evenly(length, largest):
    assert plan.choose_block_size(plan._SMALL_PRODUCT, length, largest) == length
    size = plan.choose_block_size(plan._SMALL_PRODUCT + 1, length, largest)
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
        (100, 64, 64),
        (200, 64, 112),
        (256, 64, 128),
        (400, 80, 208),
        (512, 96, 256),
        (784, 80, 400),
        (1024, 96, 512),
    ],
)
def test_two_threads_have_nearly_the_same_to_do(length, size, half):
    weights = plan.partition_weights(10_000, length, 100, False)
    assert (weights.size, weights.half) == (size, half)


@pytest.mark.parametrize("n_rows", ROWS)
def test_bounds_of_numbers_of_blocks(n_rows):
    for _, fan_in, fan_out in (shape for shape in SHAPES if shape[0] == n_rows):
        output = plan.partition_output_layer(n_rows, fan_in, fan_out)
        assert output.n_blocks <= plan.bound_blocks(n_rows)
        for is_sparse in (False, True):
            weights = plan.partition_weights(n_rows, fan_in, fan_out, is_sparse)
            assert weights.n_blocks <= plan.bound_blocks(fan_in)


@pytest.mark.parametrize("n_blocks", range(1, 20))
def test_each_block_of_weights_has_its_own_total(n_blocks):
    totals = [plan.choose_total(number, n_blocks) for number in range(n_blocks)]
    assert sorted(totals) == list(range(n_blocks))
    if n_blocks > 1:
        assert max(totals[::2]) < min(totals[1::2])  # of one half, then of the other


# ---- forward pass --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_sparse", [False, True])
def test_split_k_multiplies_every_input_with_every_unit_once(is_sparse):
    shapes = [shape for shape in SHAPES if plan.uses_split_k(*shape)]
    assert len(shapes) > 20
    for n_rows, fan_in, fan_out in shapes:
        weights = plan.partition_weights(n_rows, fan_in, fan_out, is_sparse)
        units = plan.partition_split_k(n_rows, fan_in, fan_out)
        found = [
            plan.locate_split_k_block(units, weights, number) for number in range(units.n_blocks)
        ]
        assert {block[:2] for block in found[::2]} == {(0, weights.half)}
        assert {block[:2] for block in found[1::2]} == {(weights.half, fan_in)}
        for half in (found[::2], found[1::2]):
            assert covered(block[2:] for block in half) == list(range(fan_out))


def test_two_threads_read_in_split_k_what_they_have_updated():
    """Even blocks of the update have the inputs of even blocks of the forward pass, and so have the
    features that are gathered."""
    for n_rows, fan_in, fan_out in (shape for shape in SHAPES if plan.uses_split_k(*shape)):
        weights = plan.partition_weights(n_rows, fan_in, fan_out, False)
        deltas = plan.partition_deltas(n_rows, fan_in, fan_out, False)
        assert deltas == weights
        features = plan.partition_inputs(n_rows, weights, by_features=True)
        assert blocks_of(features) == [(0, weights.half), (weights.half, fan_in)]
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
    assert plan.uses_split_k(n_rows, fan_in, fan_out) == expected


def test_layers_are_cut_by_samples_where_weights_are_the_smaller_matrix():
    assert plan.partition_hidden_layer(256, 100, 256, 256, False).by_samples
    assert not plan.partition_hidden_layer(32, 784, 512, 512, False).by_samples
    assert not plan.partition_hidden_layer(256, 100, 256, 256, True).by_samples


# ---- backward pass -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", ROWS)
def test_transposed_blocks_neither_overlap_nor_leave_their_memory(n_rows):
    for _, fan_in, fan_out in (shape for shape in SHAPES if shape[0] == n_rows):
        for needs_all_samples in (False, True):
            deltas = plan.partition_deltas(n_rows, fan_in, fan_out, needs_all_samples)
            intervals = []
            for number in range(deltas.n_blocks):
                offset = plan.locate_packed(deltas, number, n_rows, fan_in, fan_out)
                start, stop = locate_block(deltas, number)
                n_inputs = fan_in if deltas.by_samples else stop - start
                is_w = plan.transposes_weights(n_rows, fan_out)
                assert is_w or not deltas.by_samples
                intervals.append((offset, offset + n_inputs * (fan_out if is_w else n_rows)))
            intervals.sort()
            assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(intervals))
            assert intervals[-1][1] <= plan.bound_packed_size(n_rows, max(fan_in, fan_out))


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
        n_blocks = plan.partition_weights(*shape, False).n_blocks
        claimed = itertools.chain(*blocks_by_thread(n_blocks, n_threads))
        assert sorted(claimed) == list(range(n_blocks))


def test_two_threads_that_take_turns_have_a_half_each():
    for shape in SHAPES:
        weights = plan.partition_weights(*shape, False)
        if weights.n_blocks > 1:
            loads = [
                sum(stop - start for start, stop in (locate_block(weights, i) for i in own))
                for own in blocks_by_thread(weights.n_blocks, 2)
            ]
            assert abs(loads[0] - loads[1]) <= 2 * weights.size
