"""The weight update: add the penalty's gradient, take the optimizer's step and the proximal step.

It is done block by block, each as soon as its gradient is there; with gradient clipping, or where
gradients are summed over several passes, on the whole gradient at once.
"""

import numpy as np

from .._compiled.intrinsics import segment
from .._compiled.jit import jit
from .._compiled.kinds import (
    call_block_update,
    call_optimizer_step,
    call_pass,
    call_penalty,
    call_proximal_step,
    call_step_sizes,
)
from .layers import FIRST, cut_penalties, cut_weights, has_blocks_of_penalties
from .plan import choose_total, locate_block
from .scheduler import CACHE_LINE, make_phase

# In place of a layer's number. Unlike the literal it is an int64: callees compile only once.
UNPENALIZED = np.int64(-1)


@jit(internal=True)
def _add_penalty(run, batch, layer, offset, size, total):
    """Add the penalty's gradient to a segment of the gradient.

    Parameters
    ----------
    run, batch
    layer : int
        The layer whose penalty it is.
    offset, size : int
        The segment of the flat vector.
    total : ndarray of shape (2,)
        The penalty is added to the second number.
    """
    network = run.network
    scratch = run.scratch
    update = run.update
    per_row = network.weights.dtype.type(1 / batch.n_rows)
    w = segment(network.weights, offset, size)
    g = segment(scratch.gradient, offset, size)
    l1 = update.penalty_strengths[2 * layer] * per_row
    l2 = update.penalty_strengths[2 * layer + 1] * per_row
    call_penalty(update.penalize, w, l1, l2, g, total)


@jit(internal=True)
def _sum_penalty(run, batch, layer, offset, size, number):
    """Do as :func:`_add_penalty`, and add the penalty to a layer's total.

    Parameters
    ----------
    run, batch, layer, offset, size
        As there.
    number : int
        Of the total, among the layer's.
    """
    scratch = run.scratch
    total = segment(scratch.totals, scratch.total_offsets[layer] + 2 * number, 2)
    _add_penalty(run, batch, layer, offset, size, total)
    total[0] += batch.n_rows * total[1]
    total[1] = 0


@jit(inline=True)
def get_hyperparameters(run, batch, table):
    """Return the optimizer's hyperparameters of this step in one of the tables."""
    update = run.update
    size = update.n_hyperparameters
    n_steps = update.weight_decay_factors.size
    return segment(update.hyperparameters, (table * n_steps + batch.step) * size, size)


@jit(internal=True)
def _update_segment(run, batch, offset, size, table, penalized_layer):
    """Let the optimizer update a segment of the flat weight vector by its gradient.

    Parameters
    ----------
    run, batch
    offset, size : int
        The segment.
    table : int
        Number of the table with its hyperparameters.
    penalized_layer : int
        The layer whose weights these are, or ``UNPENALIZED`` for other values, which have no decay
        and no proximal step.
    """
    update = run.update
    w = segment(run.network.weights, offset, size)
    g = segment(run.scratch.gradient, offset, size)
    h = get_hyperparameters(run, batch, table)
    state_0 = segment(update.state_0, offset, size)
    state_1 = segment(update.state_1, offset, size)
    state_2 = segment(update.state_2, offset, size)
    factor = update.weight_decay_factors[batch.step]
    if penalized_layer != UNPENALIZED and factor != 1:
        for i in range(w.size):
            w[i] *= factor
    call_optimizer_step(update.optimizer_step, w, g, state_0, state_1, state_2, h)
    if penalized_layer != UNPENALIZED and update.proximal_step != 0:
        # the gradient is not needed any more: it takes the step sizes
        call_step_sizes(update.step_sizes, g, state_0, state_1, state_2, h)
        per_row = w.dtype.type(1 / batch.n_rows)
        l1 = update.penalty_strengths[2 * penalized_layer] * per_row
        call_proximal_step(update.proximal_step, w, g, l1)


@jit(internal=True)
def _update_weights(run, batch, layer, start, stop):
    """Let the optimizer update rows ``start:stop`` of a layer's W.

    Parameters
    ----------
    run, batch, layer
    start, stop : int
    """
    if layer == 0 and run.passes.update_first_layer != 0:
        call_block_update(run.passes.update_first_layer, run, batch, start, stop)
    else:
        fan_out = run.network.fan_outs[layer]
        offset = run.network.weight_offsets[layer] + start * fan_out
        table = run.update.weight_tables[layer]
        _update_segment(run, batch, offset, (stop - start) * fan_out, table, layer)


@jit(internal=True)
def _penalize_others(run, batch, layer, total_number):
    """Add the penalty's gradient to that of what else a layer learns, where it is penalized."""
    network = run.network
    for i in range(network.other_starts[layer], network.other_starts[layer + 1]):
        if network.others_penalized[i] != 0:
            offset = network.other_offsets[i]
            _sum_penalty(run, batch, layer, offset, network.other_sizes[i], total_number)


@jit(internal=True)
def _update_others(run, batch, layer):
    """Let the optimizer update what a layer learns besides its weights, such as intercepts."""
    network = run.network
    for i in range(network.other_starts[layer], network.other_starts[layer + 1]):
        offset = network.other_offsets[i]
        size = network.other_sizes[i]
        table = run.update.other_tables[i]
        penalized_layer = layer if network.others_penalized[i] != 0 else UNPENALIZED
        _update_segment(run, batch, offset, size, table, penalized_layer)


@jit(internal=True)
def sum_penalties(run, batch, layer, number):
    """Sum the penalties of a block of weights.

    The gradient, which takes the penalty's as well, is overwritten afterwards.

    Parameters
    ----------
    run, batch
    layer, number : int
        Number of the block, counted from the first one of this layer through all layers above.
    """
    blocks = cut_penalties(run, batch, layer)
    while number >= blocks.n_blocks:
        number -= blocks.n_blocks
        layer += 1
        blocks = cut_penalties(run, batch, layer)
    start, stop = locate_block(blocks, number)
    fan_out = run.network.fan_outs[layer]
    total_number = choose_total(number, blocks.n_blocks)
    offset = run.network.weight_offsets[layer] + start * fan_out
    _sum_penalty(run, batch, layer, offset, (stop - start) * fan_out, total_number)


@jit(internal=True)
def update_block(run, batch, layer, number):
    """Penalize and update block ``number`` of a layer's weights by its gradient.

    The block with the last rows of W has everything else that the layer learns with it.
    """
    network = run.network
    fan_out = network.fan_outs[layer]
    blocks = cut_weights(run, batch, layer)
    start, stop = locate_block(blocks, number)
    offset = network.weight_offsets[layer] + start * fan_out
    size = (stop - start) * fan_out
    total_number = choose_total(number, blocks.n_blocks)
    if has_blocks_of_penalties(run):
        total = segment(run.scheduler.discarded, batch.thread * CACHE_LINE, 2)
        _add_penalty(run, batch, layer, offset, size, total)
    else:
        _sum_penalty(run, batch, layer, offset, size, total_number)
    _update_weights(run, batch, layer, start, stop)
    if stop == network.fan_ins[layer]:
        _penalize_others(run, batch, layer, total_number)
        _update_others(run, batch, layer)


@jit(internal=True)
def _clip_gradient(update, gradient):
    """Scale the gradient down to the norm that it may have."""
    squares = 0.0
    for i in range(gradient.size):
        squares += gradient[i] * gradient[i]
    norm = np.sqrt(squares)
    if norm > update.max_gradient_norm[0]:
        factor = gradient.dtype.type(update.max_gradient_norm[0] / norm)
        for i in range(gradient.size):
            gradient[i] *= factor


@jit(internal=True)
def _update_all_weights(run, batch, blocks, number):
    """Do what :func:`update_all` says, in one block."""
    network = run.network
    for layer in range(network.fan_ins.size):
        size = network.fan_ins[layer] * network.fan_outs[layer]
        _sum_penalty(run, batch, layer, network.weight_offsets[layer], size, FIRST)
        _penalize_others(run, batch, layer, FIRST)
    if run.update.optimizer_step != 0:
        call_pass(run.passes.clip_and_step, run, batch)


@jit(internal=True)
def clip_and_step(run, batch):
    """Clip the gradient, and let the optimizer update all that is learned.

    It is the second half of :func:`update_all`, which 'lbfgs' has no use for.
    """
    network = run.network
    if run.update.max_gradient_norm[0] > 0:
        _clip_gradient(run.update, run.scratch.gradient)
    for layer in range(network.fan_ins.size):
        _update_weights(run, batch, layer, FIRST, network.fan_ins[layer])
        _update_others(run, batch, layer)


_run_update = make_phase(None, _update_all_weights)


@jit(internal=True)
def update_all(run, batch):
    """Penalize the whole gradient of a minibatch.

    If there is an optimizer, the gradient is clipped, and all weights are updated.
    """
    _run_update(run, batch)
