"""What is done with gradients, block by block or, where they are clipped, as a whole: weights are
penalised and moved.
"""

import numpy as np

from .._compiled.intrinsics import part
from .._compiled.jit import jit
from .._compiled.kinds import call_optimizer_step, call_penalty, call_proximal_step, call_step_sizes
from .dense import SPARSE_BLOCKS, bounds_of, count_blocks, input_block_size, n_blocks_of
from .scheduler import claim_block, count_phases, wait_at_barrier


@jit(internal=True)
def weight_block_size(run, batch, layer):
    """Return how many rows of a layer's weights make a block."""
    fan_in = run.network.fan_ins[layer]
    if layer == 0 and run.rows.sparse_affine != 0:
        return count_blocks(fan_in, SPARSE_BLOCKS)
    return input_block_size(batch.n_rows, fan_in, run.network.fan_outs[layer])


@jit(internal=True)
def n_weight_blocks(run, batch, layer):
    """Return the number of blocks of a layer's gradient: rows of its weights; the last rows have
    intercepts and batch norm with them.
    """
    return n_blocks_of(run.network.fan_ins[layer], weight_block_size(run, batch, layer))


@jit(internal=True)
def weight_block(run, batch, layer, block):
    """Return the first row of a block of a layer's weights and the one behind its last."""
    return bounds_of(block, run.network.fan_ins[layer], weight_block_size(run, batch, layer))


@jit(internal=True)
def _add_penalty(run, batch, layer, start, size, block):
    """Add the penalty's gradient to ``size`` elements of the gradient from ``start``, and the
    penalty to the block's total.
    """
    network = run.network
    scratch = run.scratch
    update = run.update
    offset = network.weight_offsets[layer] + start
    share = network.weights.dtype.type(1 / batch.n_rows)
    w = part(network.weights, offset, size)
    g = part(scratch.gradient, offset, size)
    total = part(scratch.totals, scratch.total_offsets[layer] + 2 * block, 2)
    call_penalty(
        update.penalize,
        w,
        update.penalty_strengths[0] * share,
        update.penalty_strengths[1] * share,
        g,
        total,
    )
    total[0] += batch.n_rows * total[1]
    total[1] = 0


@jit(internal=True)
def _update_segment(run, batch, offset, size, share):
    """Let the optimizer move one block by its gradient; with ``share`` > 0 they are weights,
    decayed and shrunk too.
    """
    update = run.update
    w = part(run.network.weights, offset, size)
    g = part(run.scratch.gradient, offset, size)
    h = part(
        update.hyperparameters, batch.step * update.n_hyperparameters, update.n_hyperparameters
    )
    state_0 = part(update.state_0, offset, size)
    state_1 = part(update.state_1, offset, size)
    state_2 = part(update.state_2, offset, size)
    keep = update.weight_decay_factors[batch.step]
    if share > 0 and keep != 1:
        for i in range(w.size):
            w[i] *= keep
    call_optimizer_step(update.optimizer_step, w, g, state_0, state_1, state_2, h)
    if share > 0 and update.proximal_step != 0:
        call_step_sizes(update.step_sizes, g, state_0, state_1, state_2, h)
        call_proximal_step(update.proximal_step, w, g, update.penalty_strengths[0] * share)


@jit(internal=True)
def _update_biases_and_batch_norm(run, batch, layer):
    """Let the optimizer move a layer's intercepts and the scale and shift of its batch norm."""
    network = run.network
    none = run.network.weights.dtype.type(0)
    norm_width = network.shift_offsets[layer] - network.scale_offsets[layer]
    _update_segment(run, batch, network.bias_offsets[layer], network.fan_outs[layer], none)
    if norm_width > 0:
        _update_segment(run, batch, network.scale_offsets[layer], 2 * norm_width, none)


@jit(internal=True)
def update_block(run, batch, layer, block):
    """Penalise a block of a layer's gradient and move the weights by it."""
    network = run.network
    fan_out = run.network.fan_outs[layer]
    start, stop = weight_block(run, batch, layer, block)
    offset = network.weight_offsets[layer] + start * fan_out
    size = (stop - start) * fan_out
    place = block // 2 + (n_weight_blocks(run, batch, layer) + 1) // 2 * (
        block % 2
    )  # threads that take turns write to other cache lines
    _add_penalty(run, batch, layer, start * fan_out, size, place)
    _update_segment(run, batch, offset, size, network.weights.dtype.type(1 / batch.n_rows))
    if stop == network.fan_ins[layer]:
        _update_biases_and_batch_norm(run, batch, layer)


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
def update_all(run, batch):
    """Penalise the whole gradient of a batch, clip it, and, if there is an optimizer, take its
    step.
    """
    network = run.network
    update = run.update
    none = np.int64(0)
    phase = (batch.step + 1) * count_phases(network.fan_ins.size) - 2
    n_computed = np.int64(0)
    n_blocks = np.int64(1)
    if claim_block(run.scheduler, batch.thread, phase, n_blocks, np.int64(-1)) == 0:
        for layer in range(network.fan_ins.size):
            _add_penalty(
                run, batch, layer, none, network.fan_ins[layer] * network.fan_outs[layer], none
            )
        if update.max_gradient_norm[0] > 0:
            _clip_gradient(update, run.scratch.gradient)
        if update.optimizer_step != 0:
            for layer in range(network.fan_ins.size):
                size = network.fan_ins[layer] * network.fan_outs[layer]
                _update_segment(
                    run,
                    batch,
                    network.weight_offsets[layer],
                    size,
                    network.weights.dtype.type(1 / batch.n_rows),
                )
                _update_biases_and_batch_norm(run, batch, layer)
        n_computed = n_blocks
    wait_at_barrier(run.scheduler, phase, n_computed, n_blocks)
