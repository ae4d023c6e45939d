"""Numbers of the phases of a step, under which their counters of blocks are found.

Counters stand in one vector for all phases of all steps of a chunk of rows (scheduler.py). A phase
that a step does not need is left out by all threads, and its counters stay 0. A step of n layers
has these phases:

    0             gather the inputs
    1 + 2 l       the products of split-K of layer l
    2 + 2 l       the outputs of layer l
    3 n - l       the backward pass of layer l, from the last layer on
    3 n + 1       the update of all weights at once
    3 n + 2       results: outputs, or losses of an epoch

A step in shards has two phases of its own in place of all but the last two: 0 runs forward and
backward on the shards, 1 sums their gradients.
"""

from .._compiled.jit import portable


@portable
def count_phases(n_layers):
    """Return the number of phases of a step."""
    return 3 * n_layers + 3


@portable
def input_phase(step, n_layers):
    """Return the number of the phase that gathers the inputs of a step, its first one."""
    return step * count_phases(n_layers)


@portable
def split_k_phase(step, n_layers, layer):
    """Return the number of the phase that computes a layer's two products of split-K."""
    return input_phase(step, n_layers) + 1 + 2 * layer


@portable
def forward_phase(step, n_layers, layer):
    """Return the number of the phase that computes a layer's outputs."""
    return input_phase(step, n_layers) + 2 + 2 * layer


@portable
def backward_phase(step, n_layers, layer):
    """Return the number of a layer's phase of the backward pass."""
    return input_phase(step, n_layers) + 3 * n_layers - layer


@portable
def update_phase(step, n_layers):
    """Return the number of the phase that updates all weights at once."""
    return input_phase(step, n_layers) + 3 * n_layers + 1


@portable
def result_phase(step, n_layers):
    """Return the number of the phase that hands over results, a step's last one."""
    return input_phase(step, n_layers) + 3 * n_layers + 2


@portable
def shard_phase(step, n_layers):
    """Return the number of the phase that runs forward and backward on the shards."""
    return input_phase(step, n_layers)


@portable
def reduce_phase(step, n_layers):
    """Return the number of the phase that sums the shards' gradients."""
    return input_phase(step, n_layers) + 1
