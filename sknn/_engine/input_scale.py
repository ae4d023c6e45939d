"""The update of a first layer whose inputs have learned scales (arXiv:2407.04491).

The network computes with W = diag(scale) V, so the forward and the backward pass know nothing of
scales. The solver trains scale and V, which are ``Update.first_layer_values``:

    V (fan_in x fan_out), then rows of fan_in elements: scale, its gradient, its three states

The states of V are where those of W would be. Called by address: only fits that use it compile it.
"""

from .._compiled.intrinsics import segment
from .._compiled.jit import jit
from .._compiled.kinds import call_optimizer_step
from .layers import FIRST, get_weights
from .update import get_hyperparameters

N_ROWS = 5  # behind V
_SCALE, _GRADIENT, _STATE_0, _STATE_1, _STATE_2 = range(N_ROWS)


@jit(inline=True)
def _get_row(run, number, start, stop):
    """Return the elements ``start:stop`` of a row behind V."""
    fan_in = run.network.fan_ins[0]
    offset = fan_in * run.network.fan_outs[0] + number * fan_in
    return segment(run.update.first_layer_values, offset + start, stop - start)


@jit(internal=True)
def _backpropagate(v, scale, g, g_scale):
    """Turn the gradient of some rows of W into those of V, in ``g``, and of their scales."""
    fan_out = v.size // scale.size
    for i in range(scale.size):
        v_row = v[i * fan_out : (i + 1) * fan_out]
        g_row = g[i * fan_out : (i + 1) * fan_out]
        total = v.dtype.type(0)
        for j in range(g_row.size):
            total += v_row[j] * g_row[j]
            g_row[j] *= scale[i]
        g_scale[i] = total


@jit(internal=True)
def _multiply(v, scale, w):
    """Compute some rows of W = diag(scale) V."""
    fan_out = v.size // scale.size
    for i in range(scale.size):
        v_row = v[i * fan_out : (i + 1) * fan_out]
        w_row = w[i * fan_out : (i + 1) * fan_out]
        for j in range(w_row.size):
            w_row[j] = scale[i] * v_row[j]


@jit(internal=True)
def update_scaled_weights(run, batch, start, stop):
    """Let the optimizer update some rows of V and their scales by the gradient of W.

    Parameters
    ----------
    run, batch
    start, stop : int
        Rows of the first layer's W.
    """
    update = run.update
    fan_out = run.network.fan_outs[0]
    first = start * fan_out
    size = (stop - start) * fan_out
    offset = run.network.weight_offsets[0] + first
    v = segment(update.first_layer_values, first, size)
    g = segment(run.scratch.gradient, offset, size)
    scale = _get_row(run, _SCALE, start, stop)
    g_scale = _get_row(run, _GRADIENT, start, stop)
    _backpropagate(v, scale, g, g_scale)
    factor = update.weight_decay_factors[batch.step]
    for i in range(v.size):
        v[i] *= factor
    call_optimizer_step(
        update.optimizer_step,
        v,
        g,
        segment(update.state_0, offset, size),
        segment(update.state_1, offset, size),
        segment(update.state_2, offset, size),
        get_hyperparameters(run, batch, update.weight_tables[0]),
    )
    call_optimizer_step(
        update.optimizer_step,
        scale,
        g_scale,
        _get_row(run, _STATE_0, start, stop),
        _get_row(run, _STATE_1, start, stop),
        _get_row(run, _STATE_2, start, stop),
        get_hyperparameters(run, batch, update.first_layer_table),
    )
    _multiply(v, scale, get_weights(run, FIRST)[first : first + size])
