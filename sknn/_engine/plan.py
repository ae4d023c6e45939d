"""The plan: which block of which phase of a step is computed where, decided from shapes alone.

A step is the forward pass, the backward pass and the weight update of one minibatch. It consists of
phases with a barrier after each. The result of a phase is a matrix, partitioned into blocks by
samples (each block reads all of a layer's weights) or by units (each block reads all samples).
Threads claim blocks one after another (scheduler.py), so a plan does not say who computes a block.

- Blocks depend on shapes, never on the number of threads, so neither do sums over blocks.
- Two threads that take turns get the same half of a layer's weights in every phase that reads or
  updates them (partition.py), which then are in the cache of their core.
- Blocks consist of whole vector registers, and of whole tiles of a matrix product where they can.

These functions take and return integers and also run as plain Python. Lengths are numbers of
samples (rows) or of units (columns).
"""

from typing import NamedTuple

from .._compiled.jit import portable
from .partition import (
    VECTOR,
    Partition,
    divide_up,
    first_half,
    locate_block,
    partition_in_halves,
    partition_in_order,
)

# about the length of a block: whole tiles of the matrix product, small enough for the cache
UNITS_OF_A_BLOCK = 96
SAMPLES_OF_A_BLOCK = 32
# of a sparse first layer's weights, since each block looks for its elements in all samples
SPARSE_BLOCKS = 8
_SMALL_PRODUCT = 1 << 17  # multiplications below which a matrix product is one block

# shards
_LEAST_STEP_OPERATIONS = 2_000_000  # multiplications of a step worth being cut into shards
_SHARD_OPERATIONS = 4_000_000  # multiplications of a shard, about
_LEAST_SHARD_ROWS = 48
_MOST_SHARDS = 16
_TILE_ROWS = 8


# ---- sizes -------------------------------------------------------------------------------------


@portable
def choose_block_size(n_operations, length, largest):
    """Return the length of a block of a matrix product of ``n_operations`` multiplications.

    Small products are one block. Blocks of others have at most ``largest`` elements, and as nearly
    the same number in each as whole registers allow.
    """
    if n_operations <= _SMALL_PRODUCT:
        return length
    half = first_half(length, 1)
    n_blocks = divide_up(half, largest)
    return min(length, divide_up(divide_up(half, n_blocks), VECTOR) * VECTOR)


def bound_blocks(length):
    """Return an upper bound of the number of blocks of samples, or of rows of W."""
    return length // VECTOR + 1 + SPARSE_BLOCKS


# ---- forward pass ------------------------------------------------------------------------------


@portable
def uses_split_k(n_rows, fan_in, fan_out):
    """Return whether to split a hidden layer's product along the input dimension (split-K).

    Then each thread reads the rows of W that it updated in the previous step and still has in its
    cache; fetching them from another core's cache can take longer than the product. It costs a
    second matrix of pre-activations, which is added in a phase of its own, so W has to be much
    larger than these. Smaller matrices would make too few blocks.
    """
    is_cut = n_rows * fan_in * fan_out > _SMALL_PRODUCT
    is_wide = min(fan_in, fan_out) >= UNITS_OF_A_BLOCK
    return is_cut and is_wide and fan_in >= 2 * n_rows


def may_use_split_k(fan_in, fan_out):
    """Return whether minibatches of some size use split-K in a hidden layer."""
    return uses_split_k(fan_in // 2, fan_in, fan_out)


@portable
def partition_inputs(n_rows, weights, by_features):
    """Return the partition for gathering the inputs of a minibatch.

    With ``by_features``, for split-K, a thread gathers the features that belong to its half of
    ``weights``, the partition of the first layer's rows of W.
    """
    if by_features:
        return partition_in_halves(weights.length, weights.half, by_samples=False)
    return partition_in_halves(n_rows, SAMPLES_OF_A_BLOCK, by_samples=True)


@portable
def partition_split_k(n_rows, fan_in, fan_out):
    """Return the partition of a layer's units for :func:`locate_split_k_block`."""
    size = choose_block_size(n_rows * fan_in * fan_out, fan_out, UNITS_OF_A_BLOCK)
    return Partition(2 * divide_up(fan_out, size), fan_out, fan_out, size, False)


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
def prefers_samples(n_rows, fan_in, fan_out):
    """Return True to partition a layer by samples, False to partition it by units.

    Each block of samples reads all of W, each block of units all samples. So W is read as a whole
    if it is smaller than the layer's inputs and outputs.
    """
    return n_rows * (fan_in + fan_out) >= fan_in * fan_out


@portable
def partition_hidden_layer(n_rows, fan_in, fan_out, width, needs_all_samples):
    """Return the partition of a hidden layer's outputs.

    Parameters
    ----------
    n_rows, fan_in : int
    fan_out, width : int
        Pre-activations and activations: blocks of units have all pre-activations of an activation.
    needs_all_samples : bool
        Whether blocks of units are required: by batch norm and split-K.
    """
    n_operations = n_rows * fan_in * fan_out
    if not needs_all_samples and prefers_samples(n_rows, fan_in, fan_out):
        size = choose_block_size(n_operations, n_rows, SAMPLES_OF_A_BLOCK)
        return partition_in_halves(n_rows, size, by_samples=True)
    n_pieces = fan_out // width
    size = choose_block_size(n_operations, fan_out, UNITS_OF_A_BLOCK) // n_pieces
    return partition_in_halves(width, max(1, size), by_samples=False)


@portable
def partition_output_layer(n_rows, fan_in, n_outputs):
    """Return the partition of the output layer: by samples, since losses need whole samples."""
    size = choose_block_size(n_rows * fan_in * n_outputs, n_rows, SAMPLES_OF_A_BLOCK)
    return partition_in_order(n_rows, size)


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
def partition_weights(n_rows, fan_in, fan_out, is_sparse):
    """Return the partition of a layer's rows of W, for their gradient and update."""
    if is_sparse:
        size = divide_up(fan_in, SPARSE_BLOCKS)
    else:
        size = choose_block_size(n_rows * fan_in * fan_out, fan_in, UNITS_OF_A_BLOCK)
    return partition_in_halves(fan_in, size, by_samples=False)


@portable
def partition_deltas(n_rows, fan_in, fan_out, needs_all_samples):
    """Return the partition of dL/da of a layer's inputs.

    Each block of samples transposes W for itself, so it has to be a small matrix.
    """
    if not needs_all_samples and 2 * fan_out <= SAMPLES_OF_A_BLOCK <= n_rows:
        size = choose_block_size(n_rows * fan_in * fan_out, n_rows, SAMPLES_OF_A_BLOCK)
        return partition_in_halves(n_rows, size, by_samples=True)
    size = choose_block_size(n_rows * fan_in * fan_out, fan_in, UNITS_OF_A_BLOCK)
    return partition_in_halves(fan_in, size, by_samples=False)


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
    """Return whether dL/da = dz W' is computed by transposing blocks of W.

    Otherwise dz and the result are transposed. Whichever copies less is chosen.
    """
    return fan_out <= n_rows


@portable
def locate_packed(partition, number, n_rows, fan_in, fan_out):
    """Return the offset, in ``Scratch.packed_weights``, of what a block of the deltas transposes.

    A block of samples transposes all of W, a block of units its rows of W or of the result.

    Parameters
    ----------
    partition : Partition
        Of the deltas.
    number : int
        Of the block.
    n_rows, fan_in, fan_out : int
        Shape of the layer, whose inputs' deltas are computed.
    """
    if partition.by_samples:
        return number * fan_in * fan_out
    start, _ = locate_block(partition, number)
    return start * min(n_rows, fan_out)


@portable
def choose_total(number, n_blocks):
    """Return the position among a layer's totals to which block ``number`` adds.

    Blocks of different halves write to different cache lines.
    """
    return number // 2 + divide_up(n_blocks, 2) * (number % 2)


def bound_packed_size(n_rows, widest):
    """Return the size of ``Scratch.packed_weights``, if no layer is wider than ``widest``."""
    return n_rows * widest


# ---- shards ------------------------------------------------------------------------------------


def choose_shard_rows(n_rows, n_weights, n_row_values, needs_all_samples):
    """Return how many rows of a minibatch make a shard, or 0 if it is not to be cut.

    Shards suit networks whose weights are few compared to what the minibatch becomes in their
    layers: each shard has a gradient of its own, and all of them have to be added up.

    Parameters
    ----------
    n_rows : int
    n_weights : int
        Size of the flat vector of weights.
    n_row_values : int
        Inputs and pre-activations of a row.
    needs_all_samples : bool
        Whether the network has batch norm.
    """
    n_operations = 3 * n_rows * n_weights
    n_shards = min(
        max(2, n_operations // _SHARD_OPERATIONS), n_rows // _LEAST_SHARD_ROWS, _MOST_SHARDS
    )
    n_shards -= n_shards % 2
    if (
        needs_all_samples
        or n_operations < _LEAST_STEP_OPERATIONS
        or n_shards < 2
        or not _has_room(n_shards * n_weights, n_rows * n_row_values)
    ):
        return 0
    rows = divide_up(n_rows, n_shards)
    whole_tiles = divide_up(rows, _TILE_ROWS) * _TILE_ROWS
    # an even number of shards, so that two threads have the same to do
    return rows if divide_up(n_rows, whole_tiles) % 2 == 1 else whole_tiles


def _has_room(n_gradients, n_values):
    """Return whether the shards' gradients are smaller than what the minibatch becomes."""
    return n_gradients < n_values
