"""The structs that kernels take.

They are NamedTuples of contiguous vectors, int64 numbers and numbers of the network's dtype, and
kernels pass them on by reference. Addresses are those of compiled kernels, see
:mod:`sknn._compiled.kinds`; the address 0 stands for a kernel that is not used. Offsets count
elements from the start of a vector. Vectors that are said to be "of the layers" have one element a
layer, hidden or output.
"""

from typing import NamedTuple

import numpy as np

# Network.batch_norm: none, before the activation, or after it
NO_BATCH_NORM = 0
BATCH_NORM_BEFORE = 1
BATCH_NORM_AFTER = 2


class Network(NamedTuple):
    """A network: learned values, and for each layer its widths, offsets and kernels.

    ``fan_outs`` are widths of pre-activations z, ``widths`` those of activations a. They differ if
    an activation joins several pre-activations, as maxout does.
    """

    weights: np.ndarray  # the flat vector of all that is learned, see _runtime.layout
    # of the layers
    fan_ins: np.ndarray
    fan_outs: np.ndarray
    widths: np.ndarray
    # of the layers, offsets in `weights`
    weight_offsets: np.ndarray
    bias_offsets: np.ndarray
    scale_offsets: np.ndarray  # batch norm's
    shift_offsets: np.ndarray  # batch norm's, right behind the scale
    mean_offsets: np.ndarray  # batch norm's running averages
    variance_offsets: np.ndarray
    # segments of `weights` that are trained besides each layer's W: offsets and sizes, layer by
    # layer; those of a layer have the numbers other_starts[layer]:other_starts[layer + 1]
    other_offsets: np.ndarray
    other_sizes: np.ndarray
    other_starts: np.ndarray
    others_penalized: np.ndarray  # 0 or 1 for each of them
    skip_offset: int  # of the linear path from the inputs to the outputs
    # of the layers, offsets in `Scratch.values`
    z_offsets: np.ndarray  # layers share one if f' needs only f
    a_offsets: np.ndarray  # for the output layer, of its pre-activations
    x_hat_offsets: np.ndarray  # normalized values, before batch norm's scale and shift
    before_dropout_offsets: np.ndarray  # batch norm's results if it follows a, else a
    out_offsets: np.ndarray  # what the next layer reads: the values above, or those after dropout
    # of the layers, half the offset in `Scratch.statistics`
    statistics_offsets: np.ndarray
    # of the hidden layers
    activations: np.ndarray  # addresses
    activation_backwards: np.ndarray  # addresses
    activation_parameters: np.ndarray
    dropout_rates: np.ndarray  # of the inputs, of each hidden layer, and a 0
    batch_norm: int  # one of the constants above
    # addresses
    loss: int
    link: int
    product: int
    loss_parameters: np.ndarray
    # addresses
    normalize: int
    normalize_backward: int
    drop: int
    drop_in_place: int


class Rows(NamedTuple):
    """Rows of a table in the network's dtype.

    They are a chunk, dense or CSR, or the whole table, dense, with the indices of a chunk's rows.
    """

    dense: np.ndarray  # row after row; empty if sparse
    order: np.ndarray  # int64, the chunk's rows of `dense`; empty if `dense` is the chunk
    gathered: np.ndarray  # memory for the rows of a minibatch, used if there is an order
    # CSR with sorted indices; empty if dense
    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    y: np.ndarray  # the chunk's targets, row after row
    sample_weight: np.ndarray  # the chunk's, with mean one over the training set
    # addresses of the sparse first layer's kernels; 0 if dense
    sparse_affine: int
    sparse_weight_gradient: int


class Update(NamedTuple):
    """Everything a weight update needs.

    Kernel addresses, hyperparameters of each step, optimizer state; and what changes with the step.
    """

    optimizer_step: int  # address; 0 leaves the weights as they are
    step_sizes: int  # address of the kernel for the optimizer's step sizes, weight by weight
    penalize: int  # address of the penalty with its gradient
    proximal_step: int  # address; 0 if the penalty has none
    penalty_strengths: np.ndarray  # of L1 and L2, layer by layer, over the mean sample weight
    # of the chunk's steps, one after another, in each of the tables, one after another
    hyperparameters: np.ndarray
    n_hyperparameters: int  # of one step
    weight_tables: np.ndarray  # of the layers, numbers of the tables for their W
    other_tables: np.ndarray  # the same for each of the other segments
    # of the first layer's inputs, with their own table; empty if not learned. See input_scale.py
    input_scale: np.ndarray
    input_scale_table: int
    # of the chunk's steps: factors of weights under decoupled weight decay
    weight_decay_factors: np.ndarray
    # of the optimizer, laid out like the weights
    state_0: np.ndarray
    state_1: np.ndarray
    state_2: np.ndarray
    max_gradient_norm: np.ndarray  # one element; 0 if gradients are not clipped
    # of the chunk's steps: how far a sample of weight 1 moves batch norm's running averages
    batch_norm_rates: np.ndarray
    batch_norm_least: int  # samples below which a minibatch is normalized by these averages
    dropout_factors: np.ndarray  # of the chunk's steps: factors of `Network.dropout_rates`
    dropout_seed: int
    first_step: int  # number of the chunk's first step, counted from the start of training


class Scratch(NamedTuple):
    """Memory for one pass over a minibatch."""

    values: np.ndarray  # z, a, x_hat and out of all layers, at the offsets in Network
    deltas: np.ndarray  # dL/dz of all layers
    delta_offsets: np.ndarray
    statistics: np.ndarray  # batch norm's: mean and 1 / deviation, at 2 * statistics_offsets
    delta_t: np.ndarray  # transposed dL/dz of two layers alternately
    da: np.ndarray  # dL/da of one layer
    packed_weights: np.ndarray  # what is transposed on the way to `da`: blocks of W, or of `da`
    partial_z: np.ndarray  # with split-K, z from the second half of the inputs; see plan.py
    one: np.ndarray  # its only element is 1
    gradient: np.ndarray  # laid out like the weights
    # gradients of the minibatch's shards, of which the first is `gradient`; see shards.py
    shard_gradients: np.ndarray
    # float64, two for each block: first sums of losses for blocks of rows, then penalties for
    # blocks of each layer's weights
    totals: np.ndarray
    total_offsets: np.ndarray  # of the layers, of their first block's penalties


class Scheduler(NamedTuple):
    """What the threads that run an entry point together share; see scheduler.py."""

    n_threads: int
    counters: np.ndarray  # int64, of all phases of all steps; empty for one thread
    # one cache line for each thread, empty for one thread
    n_begun: np.ndarray  # int64: phases that it has begun
    discarded: np.ndarray  # float64: penalties that are summed elsewhere
    n_arrived: np.ndarray  # one int64: threads that have called the entry point
    stop: np.ndarray  # one int64: not 0 once all threads have to leave


class Passes(NamedTuple):
    """Addresses of the engine's own passes.

    Each is compiled once for all that call it, and only if it is used.
    """

    forward: int
    backward: int
    update_all: int
    update_block: int
    update_scaled_weights: int  # 0 unless inputs have learned scales
    sum_penalties: int  # of a block; 0 if blocks of weights do not follow the number of threads
    # of the linear path from the inputs to the outputs; 0 unless there is one
    add_skip: int
    compute_skip_gradient: int
    # of one shard; 0 unless the minibatch is cut into shards
    shard_forward: int
    shard_backward: int
    # steps that only some networks have; 0 for the others
    drop_inputs: int
    apply_dropout: int
    backpropagate_dropout: int
    apply_batch_norm: int
    backpropagate_batch_norm: int
    compute_split_k: int
    add_partial_z: int


class Run(NamedTuple):
    """All that an entry point needs."""

    passes: Passes
    network: Network
    update: Update
    scratch: Scratch
    rows: Rows
    scheduler: Scheduler
    shard_rows: int  # rows of a minibatch's shards; 0 if it is not cut into shards


class Minibatch(NamedTuple):
    """The rows that go through the network together, and what to do with them."""

    thread: int  # number of the calling thread
    shard_start: int  # rows of the minibatch before these, if these are a shard of it; else 0
    first_row: int  # the first of these rows in the chunk
    n_rows: int
    step: int  # number of the minibatch in the chunk
    gradient_scale: float  # factor of the losses' gradients
    is_training: int  # 0 or 1, as are the next two
    # 1: update each block of weights as soon as its gradient is there;
    # 0: leave the gradient in Scratch.gradient
    fuse_update: int
    accumulate: int  # 1: add the gradient to what Scratch.gradient holds; 0: overwrite it
