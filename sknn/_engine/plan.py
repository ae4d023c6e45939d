"""The plan: which blocks there are in each phase of a step, decided from integers alone.

A step is the forward pass, the backward pass and the weight update of one minibatch, in phases with
a barrier after each. The result of a phase is a matrix, cut into blocks by samples (each block
reads all of a layer's weights) or by units (each block reads all samples). Threads claim blocks one
after another (scheduler.py), so a plan does not say who computes a block.

- Results have the same bits for every number of threads. No element of a product depends on the
  blocks, so products may be cut for the threads that share them. What is summed over blocks is cut
  by shapes alone: losses, penalties, the inputs of split-K, shards.
- Two threads that take turns get the same half of a layer's weights in every phase: even blocks lie
  in the first half, odd ones in the second. So the weights are in the cache of the thread's core.
- Blocks and halves consist of whole vector registers, or of whole tiles of a matrix product.

These functions also run as plain Python. Lengths are numbers of samples or of units.
"""

from typing import NamedTuple

from .._compiled.jit import portable

VECTOR = 16  # elements in the largest vector register
TILE = 8  # rows of a tile of a matrix product

# about the length of a block: whole tiles of the matrix product, small enough for the cache
UNITS_OF_A_BLOCK = 96
SAMPLES_OF_A_BLOCK = 32
# of a sparse first layer's weights, since each block looks for its elements in all samples
SPARSE_BLOCKS = 8
_SMALL_PRODUCT = 1 << 17  # multiplications below which a matrix product is one block

_LEAST_STEP_OPERATIONS = 2_000_000  # multiplications of a step worth being cut into shards
_SHARD_OPERATIONS = 4_000_000  # multiplications of a shard, about
_LEAST_SHARD_ROWS = 48
_MOST_SHARDS = 16


class Shape(NamedTuple):
    """What the blocks of a layer depend on."""

    n_rows: int  # samples of the minibatch
    fan_in: int
    fan_out: int
    n_threads: int  # that share the blocks


class Partition(NamedTuple):
    """A number of samples or units, cut into blocks."""

    n_blocks: int
    length: int
    half: int  # length of the first half; all if there is only one
    size: int  # length of a block, but for the last one of each half
    by_samples: bool


def count_phases(n_layers):
    """Return how many phases a step has at most."""
    of_a_layer = 3  # the products of split-K, the outputs, the backward pass
    of_all_layers = 4  # gathering the inputs, what embeds them, all weights at once, the results
    return of_a_layer * n_layers + of_all_layers


# ---- blocks ------------------------------------------------------------------------------------


@portable
def divide_up(length, size):
    """Return length / size, rounded up."""
    return (length + size - 1) // size


@portable
def first_half(length, size, unit=VECTOR):
    """Return the length of the first of two halves, or all if one block of ``size`` takes all."""
    return length if size >= length else min(length, divide_up(length, 2 * unit) * unit)


@portable
def partition_in_halves(length, size, by_samples, unit=VECTOR):
    """Return the partition into blocks of ``size``, which alternate between the two halves."""
    half = first_half(length, size, unit)
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
def locate_rectangle(partition, number, n_rows, n_units):
    """Return ``(first, last, start, stop)`` of a block: units ``start:stop`` of some samples."""
    start, stop = locate_block(partition, number)
    if partition.by_samples:
        return start, stop, 0, n_units
    return 0, n_rows, start, stop


@portable
def choose_block_size(shape, length, largest, unit):
    """Return the length of the blocks of one dimension of a layer's matrix product.

    Small products are one block. Blocks of others have at most ``largest`` elements, and as nearly
    the same number in each as whole registers allow. More than two threads get smaller ones, by
    multiples of ``unit``, if the thread with the most elements has fewer then.
    """
    if shape.n_rows * shape.fan_in * shape.fan_out <= _SMALL_PRODUCT:
        return length
    half = first_half(length, 1)
    n_blocks = divide_up(half, largest)
    size = min(length, divide_up(divide_up(half, n_blocks), VECTOR) * VECTOR)
    if shape.n_threads <= 2 or size >= length:
        return size
    # A last block of at most half a register is summed in another order: it has to stay as it is.
    before_last = length - half - 1
    ends_narrow = before_last % size < VECTOR // 2
    most = length
    for smaller in range(size, 0, -unit):
        of_a_thread = divide_up(divide_up(length, smaller), shape.n_threads) * smaller
        if of_a_thread < most and (before_last % smaller < VECTOR // 2) == ends_narrow:
            most = of_a_thread
            size = smaller
    return size


def bound_blocks(length):
    """Return an upper bound of the number of blocks of samples or rows of W for two threads."""
    return length // VECTOR + 1 + SPARSE_BLOCKS


# ---- forward pass ------------------------------------------------------------------------------


@portable
def uses_split_k(shape):
    """Return whether to split a hidden layer's product along the input dimension (split-K).

    Then each of two threads reads the rows of W that it updated in the previous step and still has
    in its cache; fetching them from another core's can take longer than the product. It costs a
    second matrix of pre-activations, added in a phase of its own, so W has to be much larger.
    Smaller matrices would make too few blocks.
    """
    is_cut = shape.n_rows * shape.fan_in * shape.fan_out > _SMALL_PRODUCT
    is_wide = min(shape.fan_in, shape.fan_out) >= UNITS_OF_A_BLOCK
    return is_cut and is_wide and shape.fan_in >= 2 * shape.n_rows


@portable
def partition_inputs(shape, weights, by_features):
    """Return the partition for gathering the inputs of a minibatch.

    With ``by_features``, for split-K, each of two threads gathers the features that belong to its
    half of ``weights``, the partition of the first layer's rows of W.
    """
    if by_features and shape.n_threads <= 2:
        return partition_in_halves(weights.length, weights.half, by_samples=False)
    size = SAMPLES_OF_A_BLOCK if shape.n_threads <= 2 else TILE
    return partition_in_halves(shape.n_rows, size, by_samples=True)


@portable
def partition_split_k(shape):
    """Return the partition of a layer's units for :func:`locate_split_k_block`."""
    of_a_half = Shape(shape.n_rows, shape.fan_in, shape.fan_out, shape.n_threads // 2)
    size = choose_block_size(of_a_half, shape.fan_out, UNITS_OF_A_BLOCK, VECTOR)
    n_blocks = 2 * divide_up(shape.fan_out, size)
    return Partition(n_blocks, shape.fan_out, shape.fan_out, size, False)


@portable
def locate_split_k_block(partition, weights, number):
    """Return ``(low, high, start, stop)`` of block ``number``.

    It is the product of the inputs ``low:high`` with columns ``start:stop`` of W. Even blocks have
    the first half of the inputs, as cut by ``weights``, odd ones the second.
    """
    start = number // 2 * partition.size
    stop = min(partition.length, start + partition.size)
    if number % 2 == 0:
        return 0, weights.half, start, stop
    return weights.half, weights.length, start, stop


@portable
def partition_hidden_layer(shape, width, needs_all_samples):
    """Return the partition of a hidden layer's outputs, of which there are ``width``.

    Each block of samples reads all of W, each block of units all samples. So W is read as a whole
    if it is smaller than the layer's inputs and outputs, unless blocks need all samples, as in
    batch norm and split-K. Blocks of units have all pre-activations of an activation.
    """
    n_values = shape.n_rows * (shape.fan_in + shape.fan_out)
    if not needs_all_samples and n_values >= shape.fan_in * shape.fan_out:
        size = choose_block_size(shape, shape.n_rows, SAMPLES_OF_A_BLOCK, TILE)
        return partition_in_halves(shape.n_rows, size, by_samples=True)
    n_pieces = shape.fan_out // width
    size = choose_block_size(shape, shape.fan_out, UNITS_OF_A_BLOCK, VECTOR) // n_pieces
    return partition_in_halves(width, max(1, size), by_samples=False)


@portable
def partition_output_layer(shape):
    """Return the partition of the output layer: by samples, whose losses are summed by blocks."""
    for_anyone = Shape(shape.n_rows, shape.fan_in, shape.fan_out, 1)
    size = choose_block_size(for_anyone, shape.n_rows, SAMPLES_OF_A_BLOCK, TILE)
    return partition_in_order(shape.n_rows, size)


# ---- backward pass and weight update -----------------------------------------------------------


class BackwardPartition(NamedTuple):
    """The blocks of a phase of the backward pass.

    First come the layer's own blocks: of the deltas of the layer below it or, for the first layer,
    of its weights. Then come the blocks of the weights of the layer above, from ``first_above``.
    """

    n_blocks: int
    own: Partition
    first_above: int
    above: Partition


@portable
def partition_weights(shape, is_sparse):
    """Return the partition of a layer's rows of W. Of all sums, only split-K's depend on halves."""
    if is_sparse:
        size = divide_up(shape.fan_in, max(SPARSE_BLOCKS, shape.n_threads))
    else:
        size = choose_block_size(shape, shape.fan_in, UNITS_OF_A_BLOCK, TILE)
    unit = VECTOR if is_sparse or uses_split_k(shape) else TILE
    return partition_in_halves(shape.fan_in, size, by_samples=False, unit=unit)


@portable
def partition_deltas(shape, needs_all_samples):
    """Return the partition of dL/da of a layer's inputs."""
    # Each block of samples transposes W for itself, so it has to be a small matrix.
    if not needs_all_samples and 2 * shape.fan_out <= SAMPLES_OF_A_BLOCK <= shape.n_rows:
        size = partition_output_layer(shape).size
        return partition_in_halves(shape.n_rows, size, by_samples=True)
    size = choose_block_size(shape, shape.fan_in, UNITS_OF_A_BLOCK, VECTOR)
    return partition_in_halves(shape.fan_in, size, by_samples=False)


@portable
def join_partitions(own, above, n_above):
    """Return the blocks of ``own`` and the first ``n_above`` of ``above`` as one phase's blocks.

    The second ones begin at an even number, so that threads that take turns get the same rows of W
    in every phase.
    """
    first_above = own.n_blocks + own.n_blocks % 2
    n_blocks = first_above + n_above if n_above > 0 else own.n_blocks
    return BackwardPartition(n_blocks, own, first_above, above)


@portable
def transposes_weights(n_rows, fan_out):
    """Return whether dL/da = dz W' transposes W: dz and the result are, where that copies less."""
    return fan_out <= n_rows


@portable
def locate_packed(partition, number, shape):
    """Return the offset in ``Scratch.packed_weights`` of what a block of the deltas transposes."""
    if partition.by_samples:  # each transposes all of W
        return number * shape.fan_in * shape.fan_out
    start, _ = locate_block(partition, number)
    return start * min(shape.n_rows, shape.fan_out)


@portable
def sums_penalties_first(n_threads, n_layers, shard_rows):
    """Return whether penalties are summed in blocks of their own, before weights are updated.

    Then the blocks of weights may be cut for more than two threads. It happens in the last layer's
    phase of the backward pass, which updates no weights if there are others. Shards have none.
    """
    return n_threads > 2 and n_layers > 1 and shard_rows == 0


@portable
def choose_total(number, n_blocks):
    """Return the position among a layer's totals to which block ``number`` adds.

    Blocks of different halves write to different cache lines.
    """
    return number // 2 + divide_up(n_blocks, 2) * (number % 2)


# ---- shards ------------------------------------------------------------------------------------


def choose_shard_rows(n_rows, n_weights, n_row_values, needs_all_samples):
    """Return how many rows of a minibatch make a shard, or 0 if it is not to be cut.

    Shards suit networks whose ``n_weights`` are few compared to the ``n_row_values`` inputs and
    pre-activations of each row: each shard has a gradient of its own, and all of them have to be
    added up. Batch norm ``needs_all_samples`` in one piece.
    """
    n_operations = 3 * n_rows * n_weights
    n_wanted = max(2, n_operations // _SHARD_OPERATIONS)
    n_shards = min(n_wanted, n_rows // _LEAST_SHARD_ROWS, _MOST_SHARDS)
    n_shards -= n_shards % 2
    is_large = n_operations >= _LEAST_STEP_OPERATIONS
    has_room = n_shards * n_weights < n_rows * n_row_values
    if needs_all_samples or not is_large or n_shards < 2 or not has_room:
        return 0
    rows = divide_up(n_rows, n_shards)
    whole_tiles = divide_up(rows, TILE) * TILE
    # an even number of shards, so that two threads have the same to do
    return rows if divide_up(n_rows, whole_tiles) % 2 == 1 else whole_tiles
