"""What the engine works on: NamedTuples of contiguous vectors, int64 numbers and numbers of the network's dtype."""

from typing import NamedTuple

import numpy as np


class Network(NamedTuple):
    """A network: its weights and where each layer's parts are."""

    weights: np.ndarray  # the flat vector of _layout
    fan_ins: np.ndarray  # of each layer, hidden or output, as are the next five
    fan_outs: np.ndarray
    weight_offsets: np.ndarray
    bias_offsets: np.ndarray
    a_offsets: np.ndarray  # of activations in Scratch.values; for the output layer, of its pre-activations
    z_offsets: np.ndarray  # of pre-activations in Scratch.values; layers share one place where f' needs only f
    forwards: np.ndarray  # addresses of the hidden layers' activations
    backwards: np.ndarray
    shapes: np.ndarray  # their parameters
    loss: int  # address, as are the next two
    link: int
    product: int


class Rows(NamedTuple):
    """A chunk of rows of the data, dense or CSR, cast to the network's dtype."""

    dense: np.ndarray  # row after row; empty if sparse
    data: np.ndarray  # CSR; empty if dense
    indices: np.ndarray
    indptr: np.ndarray
    y: np.ndarray  # targets, row after row
    weight: np.ndarray  # one a row, with mean one over the training set
    is_sparse: int


class Update(NamedTuple):
    """What is done with gradients."""

    step: int  # address of the optimizer's kernel; 0 leaves weights as they are
    penalize: int  # address of the regularizer's kernel
    alpha: np.ndarray  # one element: strength of the penalty, over the mean of the sample weights
    hyperparameters: np.ndarray  # of the chunk's steps, one after another
    n_hyperparameters: int
    state_0: np.ndarray
    state_1: np.ndarray
    state_2: np.ndarray


class Scratch(NamedTuple):
    """Memory for one pass over a block of rows."""

    values: np.ndarray  # activations and pre-activations of all layers
    deltas: np.ndarray  # dL/dz, at the same offsets as activations
    work: np.ndarray  # for one layer's deltas on their way through transposes
    gradient: np.ndarray  # laid out like the weights
    totals: np.ndarray  # float64: sum of weighted losses, sum of penalties
