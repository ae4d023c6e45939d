"""The structs that kernels take.

They are NamedTuples of contiguous vectors, int64 numbers and numbers of the network's dtype, and
kernels pass them on by reference. Addresses are those of compiled kernels, see
:mod:`sknn._compiled.kinds`; the address 0 stands for a kernel that is not used. Offsets count
elements from the start of a vector. Vectors that are said to be "of the layers" have one element a
layer, hidden or output.
"""

import functools
from typing import NamedTuple, NewType, get_type_hints

import numpy as np

# Contiguous, with numbers of the network's dtype, of int64 and of float64
Vector = NewType("Vector", np.ndarray)
Integers = NewType("Integers", np.ndarray)
Doubles = NewType("Doubles", np.ndarray)
Number = NewType("Number", float)  # of the network's dtype

# Network.batch_norm: none, before the activation, or after it
NO_BATCH_NORM = 0
BATCH_NORM_BEFORE = 1
BATCH_NORM_AFTER = 2


class Network(NamedTuple):
    """A network: learned values, and for each layer its widths, offsets and kernels.

    ``fan_outs`` are widths of pre-activations z, ``widths`` those of activations a. They differ if
    an activation joins several pre-activations, as maxout does.
    """

    weights: Vector  # the flat vector of all that is learned, see _runtime.layout
    # of the layers
    fan_ins: Integers
    fan_outs: Integers
    widths: Integers
    # of the layers, offsets in `weights`
    weight_offsets: Integers
    bias_offsets: Integers
    scale_offsets: Integers  # batch norm's
    shift_offsets: Integers  # batch norm's, right behind the scale
    mean_offsets: Integers  # batch norm's running averages
    variance_offsets: Integers
    # segments of `weights` that are trained besides each layer's W: offsets and sizes, layer by
    # layer; those of a layer have the numbers other_starts[layer]:other_starts[layer + 1]
    other_offsets: Integers
    other_sizes: Integers
    other_starts: Integers
    others_penalized: Integers  # 0 or 1 for each of them
    skip_offset: int  # of the linear path from the inputs to the outputs
    n_features: int  # of the table; the first layer's inputs are more where some are embedded
    embedded: Integers  # columns of the table, see embedding.py
    # of their frequencies, phases, coefficients and intercepts, offsets in `weights`
    embedding_offsets: Integers
    waves_offset: int  # of their waves, in `Scratch.values`
    # of the layers, offsets in `Scratch.values`
    z_offsets: Integers  # layers share one if f' needs only f
    a_offsets: Integers  # for the output layer, of its pre-activations
    x_hat_offsets: Integers  # normalized values, before batch norm's scale and shift
    before_dropout_offsets: Integers  # batch norm's results if it follows a, else a
    out_offsets: Integers  # what the next layer reads: the values above, or those after dropout
    # of the layers, half the offset in `Scratch.statistics`
    statistics_offsets: Integers
    # of the hidden layers
    activations: Integers  # addresses
    activation_backwards: Integers  # addresses
    activation_parameters: Vector
    dropout_rates: Vector  # of the inputs, of each hidden layer, and a 0
    batch_norm: int  # one of the constants above
    # addresses
    loss: int
    link: int
    product: int
    loss_parameters: Vector
    # addresses
    normalize: int
    normalize_backward: int
    drop: int
    drop_in_place: int


class Rows(NamedTuple):
    """Rows of a table in the network's dtype.

    They are a chunk, dense or CSR, or the whole table, dense, with the indices of a chunk's rows.
    """

    dense: Vector  # row after row; empty if sparse
    order: Integers  # the chunk's rows of `dense`; empty if `dense` is the chunk
    # memory for a minibatch's inputs of the first layer; empty if it reads `dense` itself
    gathered: Vector
    # CSR with sorted indices; empty if dense
    data: Vector
    indices: Integers
    indptr: Integers
    y: Vector  # the chunk's targets, row after row
    sample_weight: Vector  # the chunk's, with mean one over the training set
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
    penalty_strengths: Vector  # of L1 and L2, layer by layer, over the mean sample weight
    # of the chunk's steps, one after another, in each of the tables, one after another
    hyperparameters: Vector
    n_hyperparameters: int  # of one step
    weight_tables: Integers  # of the layers, numbers of the tables for their W
    other_tables: Integers  # the same for each of the other segments
    # what the first layer's W is made of, with a table of its own; empty if W itself is trained
    first_layer_values: Vector
    first_layer_table: int
    # of the chunk's steps: factors of weights under decoupled weight decay
    weight_decay_factors: Vector
    # of the optimizer, laid out like the weights
    state_0: Vector
    state_1: Vector
    state_2: Vector
    max_gradient_norm: Vector  # one element; 0 if gradients are not clipped
    # of the chunk's steps: how far a sample of weight 1 moves batch norm's running averages
    batch_norm_rates: Vector
    batch_norm_least: int  # samples below which a minibatch is normalized by these averages
    dropout_factors: Vector  # of the chunk's steps: factors of `Network.dropout_rates`
    dropout_seed: int
    first_step: int  # number of the chunk's first step, counted from the start of training


class Scratch(NamedTuple):
    """Memory for one pass over a minibatch."""

    values: Vector  # z, a, x_hat and out of all layers, at the offsets in Network
    deltas: Vector  # dL/dz of all layers
    delta_offsets: Integers
    statistics: Vector  # batch norm's: mean and 1 / deviation, at 2 * statistics_offsets
    delta_t: Vector  # transposed dL/dz of two layers alternately
    da: Vector  # dL/da of one layer
    packed_weights: Vector  # what is transposed on the way to `da`: blocks of W, or of `da`
    partial_z: Vector  # with split-K, z from the second half of the inputs; see plan.py
    one: Vector  # its only element is 1
    gradient: Vector  # laid out like the weights
    # gradients of the minibatch's shards, of which the first is `gradient`; see shards.py
    shard_gradients: Vector
    # two for each block: first sums of losses for blocks of rows, then penalties for
    # blocks of each layer's weights
    totals: Doubles
    total_offsets: Integers  # of the layers, of their first block's penalties


class Scheduler(NamedTuple):
    """What the threads that run an entry point together share; see scheduler.py."""

    n_threads: int
    counters: Integers  # of all phases of all steps; empty for one thread
    # one cache line for each thread, empty for one thread
    n_begun: Integers  # phases that it has begun
    discarded: Doubles  # penalties that are summed elsewhere
    n_arrived: Integers  # one number: threads that have called the entry point
    stop: Integers  # one number: not 0 once all threads have to leave


class Passes(NamedTuple):
    """Addresses of the engine's own passes.

    Each is compiled once for all that call it, and only if it is used.
    """

    forward: int
    backward: int
    update_all: int
    clip_and_step: int  # the end of `update_all`, if there is an optimizer
    update_block: int
    update_first_layer: int  # 0 unless its weights are made of other values
    sum_penalties: int  # of a block; 0 if blocks of weights do not follow the number of threads
    # of the linear path from the inputs to the outputs; 0 unless there is one
    add_skip: int
    compute_skip_gradient: int
    # of one shard; 0 unless the minibatch is cut into shards
    shard_forward: int
    shard_backward: int
    # steps that only some networks have; 0 for the others
    embed_inputs: int
    backpropagate_inputs: int
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
    gradient_scale: Number  # factor of the losses' gradients
    is_training: int  # 0 or 1, as are the next two
    # 1: update each block of weights as soon as its gradient is there;
    # 0: leave the gradient in Scratch.gradient
    fuse_update: int
    accumulate: int  # 1: add the gradient to what Scratch.gradient holds; 0: overwrite it


@functools.cache  # every fit needs some, and Python takes long to resolve the fields' types
def make_empty(struct, dtype):
    """Return a struct of empty vectors and zeros, whose types are those of any other.

    Parameters
    ----------
    struct : one of the classes above
    dtype : numpy.dtype
        Of the network.
    """
    values = {
        Vector: np.empty(0, dtype),
        Integers: np.empty(0, np.int64),
        Doubles: np.empty(0),
        Number: dtype.type(0),
        int: 0,
    }
    kinds = get_type_hints(struct).values()
    return struct(*[values[kind] if kind in values else make_empty(kind, dtype) for kind in kinds])
