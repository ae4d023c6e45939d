"""What the engine works on: NamedTuples of contiguous vectors, int64 numbers and numbers of the
network's dtype.
"""

from typing import NamedTuple

import numpy as np

# batch norm before the activation, or after it
NO_NORM = 0
NORM_BEFORE = 1
NORM_AFTER = 2


class Network(NamedTuple):
    """A network: its weights and where each layer's parts are. Vectors have one element a layer,
    hidden or output.
    """

    weights: np.ndarray  # the flat vector of _layout
    fan_ins: np.ndarray
    fan_outs: np.ndarray  # width of the pre-activations
    widths: (
        np.ndarray
    )  # width of the activations; less than fan_outs if several pre-activations make one
    weight_offsets: np.ndarray
    bias_offsets: np.ndarray
    norm_offsets: np.ndarray  # of batch norm's scale in the weights
    shift_offsets: np.ndarray  # of its shift, right behind, and of its running averages
    mean_offsets: np.ndarray
    variance_offsets: np.ndarray
    z_offsets: (
        np.ndarray
    )  # of pre-activations in Scratch.values; layers share one place where f' needs only f
    a_offsets: np.ndarray  # of activations; for the output layer, of its pre-activations
    x_offsets: np.ndarray  # of batch norm's normalised values, before scale and shift
    normed_offsets: (
        np.ndarray
    )  # of its results if it follows the activation, else of the activations
    out_offsets: (
        np.ndarray
    )  # of what the next layer reads: one of the above, or those after dropout
    statistics_offsets: np.ndarray  # of the batch's statistics, halved
    forwards: np.ndarray  # addresses of the hidden layers' activations
    backwards: np.ndarray
    shapes: np.ndarray  # their parameters
    dropout: np.ndarray  # rates, of the inputs first
    norm: int  # one of the constants above
    loss: int  # address, as are the next two
    link: int
    product: int
    loss_shape: np.ndarray  # parameters of the loss
    normalize: int  # addresses of batch norm's and dropout's kernels; 0 if not used
    normalize_backward: int
    drop: int
    drop_in_place: int


class Rows(NamedTuple):
    """Rows of the data in the network's dtype: a chunk of them, dense or CSR, or all, dense, with
    the chunk's places in them.
    """

    dense: np.ndarray  # row after row; empty if sparse
    order: np.ndarray  # int64, which of the dense rows the chunk has; empty if they are the chunk
    read: np.ndarray  # memory for a batch's rows if there is an order
    data: np.ndarray  # CSR with sorted indices; empty if dense
    indices: np.ndarray
    indptr: np.ndarray
    y: np.ndarray  # the chunk's targets, row after row
    weight: np.ndarray  # one a row, with mean one over the training set
    affine: int  # addresses of the sparse first layer's kernels; 0 if dense
    weight_gradient: int


class Update(NamedTuple):
    """What is done with gradients."""

    step: int  # address of the optimizer's kernel; 0 leaves weights as they are
    step_sizes: int  # address of the kernel for its step sizes, weight by weight
    penalize: int  # addresses of the regularizer's kernels
    shrink: int  # 0 if it has none
    strengths: np.ndarray  # of the L1 and the L2 penalty, over the mean of the sample weights
    hyperparameters: np.ndarray  # of the chunk's steps, one after another
    n_hyperparameters: int
    decays: (
        np.ndarray
    )  # of the chunk's steps: factor that weights keep under decoupled weight decay
    state_0: np.ndarray
    state_1: np.ndarray
    state_2: np.ndarray
    max_norm: np.ndarray  # one element: bound of the gradient's norm; 0 is none
    norm_momentum: np.ndarray  # one element: share that batch norm's running statistics keep
    seed: int  # of dropout
    first_step: int  # number of the chunk's first step, counted from the start of training


class Scratch(NamedTuple):
    """Memory for one pass over a block of rows."""

    values: np.ndarray  # z, a, x and out of all layers
    deltas: np.ndarray  # dL/dz of all layers, at delta_offsets
    delta_offsets: np.ndarray
    statistics: np.ndarray  # of the batch: mean and 1 / deviation, at 2 x statistics_offsets
    # in quarters: transposed deltas of two layers, dL/da of one, transposed blocks on the way to
    # it; before, a half of z
    work: np.ndarray
    one: np.ndarray  # its only element is 1
    gradient: np.ndarray  # laid out like the weights
    partials: (
        np.ndarray
    )  # gradients of the batch's shards, of which the first is the one above: see by_rows.py
    totals: (
        np.ndarray
    )  # float64, two for each block: of rows, their losses; of a layer's weights, their penalties
    total_offsets: np.ndarray  # of each layer's first block


class Team(NamedTuple):
    """The threads that run an entry point together."""

    size: int
    counters: np.ndarray  # int64, of all phases of all steps: see team.py; empty for one thread
    arrivals: np.ndarray  # one int64: threads that have come
    stop: np.ndarray  # one int64: not 0 once everyone has to leave


class Passes(NamedTuple):
    """Addresses of the engine's own passes, each compiled once for all that call it, and only if it
    is used.
    """

    forward: int
    backward: int
    clip_and_move: int
    use_gradient: int
    forward_of_shard: int  # 0, as is the next one, unless the batch is cut into shards
    backward_of_shard: int


class Work(NamedTuple):
    """All that an entry point works on; passed on by reference."""

    passes: Passes
    network: Network
    update: Update
    scratch: Scratch
    rows: Rows
    team: Team
    shard_rows: int  # of the batches, where these are cut into shards


class Batch(NamedTuple):
    """The rows that go through the network together and what is done with them; passed on by
    reference.
    """

    member: int  # number of the thread in its team
    place: int  # row of the whole batch that the first one is
    first: int  # row of the chunk
    n_rows: int
    step: int  # number of the batch in the chunk
    scale: float  # factor of the losses' gradients
    is_training: int  # 0 or 1, as are the next two
    # penalise gradients and move weights block by block; else gradients stay in Scratch.gradient
    consume: int
    add: int  # add gradients to what that holds
