"""Columns of numbers, embedded by waves that are learned: PBLD of arXiv:2407.04491.

The first layer reads all features x, and behind them ``N_NUMBERS`` numbers for each embedded one:

    wave_k = cos(2 pi frequency_k x + phase_k)          for k < N_WAVES
    number_j = sum_k wave_k coef_kj + intercept_j       for j < N_NUMBERS

In memory, frequencies and phases have ``N_WAVES`` elements a column, coefs ``N_WAVES x N_NUMBERS``,
intercepts ``N_NUMBERS``. Called by address: only networks that embed columns compile it.

A block of the gradient has some columns and all samples, whose terms are added in their order.
"""

import math

import numpy as np

from .._compiled.elementary import cosine
from .._compiled.intrinsics import at, segment, tail
from .._compiled.jit import jit
from .._compiled.kinds import call_product
from .dense import compute_da_block
from .layers import FIRST, get_deltas, get_weights
from .plan import divide_up, locate_block, partition_in_order
from .scheduler import make_phase

N_WAVES = 16
N_NUMBERS = 3

_FREQUENCIES, _PHASES, _COEFS, _INTERCEPTS = map(np.int64, range(4))
_WAVES = np.int64(N_WAVES)
_NUMBERS = np.int64(N_NUMBERS)
_TWO = np.int64(2)
_COLUMNS_OF_A_BLOCK = np.int64(8)  # whose numbers are at least one vector register
_TWO_PI = 2 * math.pi
_PERIODS = 1 / _TWO_PI  # of a radian
_QUARTER = 0.25
_ZEROS = -1  # instead of the row length of a product's starting values: start from zeros


@jit(inline=True)
def _get_learned(run, vector, kind, column, size):
    """Return the part of a column, of ``size`` elements, in the weights or their gradient."""
    return segment(vector, run.network.embedding_offsets[kind] + column * size, size)


@jit(inline=True)
def _get_waves(run, i, column):
    """Return the waves of a column for a sample of the minibatch."""
    n_waves = _WAVES * run.network.embedded.size
    return segment(
        run.scratch.values, run.network.waves_offset + i * n_waves + column * _WAVES, _WAVES
    )


# ---- forward pass ------------------------------------------------------------------------------


@jit(internal=True)
def _compute_waves(x, frequencies, phases, waves):
    """Compute the waves of one number."""
    T = type(x)
    for k in range(_WAVES):
        waves[k] = cosine(frequencies[k] * x + phases[k] * T(_PERIODS))


@jit(internal=True)
def _map_waves(run, first, last, column):
    """Compute the numbers that some samples' waves of a column become."""
    network = run.network
    n_inputs = network.fan_ins[0]
    numbers = at(run.rows.gathered, first * n_inputs + network.n_features + column * _NUMBERS)
    call_product(
        network.product,
        last - first,
        _NUMBERS,
        _WAVES,
        at(_get_waves(run, first, column), 0),
        _WAVES * network.embedded.size,
        1,
        at(_get_learned(run, network.weights, _COEFS, column, _WAVES * _NUMBERS), 0),
        _NUMBERS,
        at(_get_learned(run, network.weights, _INTERCEPTS, column, _NUMBERS), 0),
        0,
        numbers,
        n_inputs,
    )


@jit(internal=True)
def embed_inputs(run, batch, layer, first, last, start, stop):
    """Gather some samples of a minibatch from the table, with what embedded columns become.

    Parameters
    ----------
    run, batch
    layer : int
        0.
    first, last : int
        Samples.
    start, stop : int
        Inputs, which are all.
    """
    network = run.network
    rows = run.rows
    n_features = network.n_features
    for i in range(first, last):
        number = batch.first_row + i
        if rows.order.size > 0:
            number = rows.order[number]
        source = segment(rows.dense, number * n_features, n_features)
        row = segment(rows.gathered, i * network.fan_ins[0], n_features)
        for j in range(row.size):
            row[j] = source[j]
        for column in range(network.embedded.size):
            _compute_waves(
                source[network.embedded[column]],
                _get_learned(run, network.weights, _FREQUENCIES, column, _WAVES),
                _get_learned(run, network.weights, _PHASES, column, _WAVES),
                _get_waves(run, i, column),
            )
    for column in range(network.embedded.size):
        _map_waves(run, first, last, column)


# ---- backward pass -----------------------------------------------------------------------------


@jit(internal=True)
def _add_gradient_of_waves(x, d, frequencies, phases, coefs, g_frequencies, g_phases):
    """Add one number's gradients of frequencies and phases.

    Parameters
    ----------
    x : float
        The number.
    d : ndarray of shape (N_NUMBERS,)
        dL/d of what it becomes.
    frequencies, phases, coefs : ndarray
    g_frequencies, g_phases : ndarray
        Changed.
    """
    T = type(x)
    for k in range(_WAVES):
        d_wave = T(0)
        for j in range(_NUMBERS):
            d_wave += d[j] * coefs[k * _NUMBERS + j]
        # The derivative of a cosine is minus the sine, which is a quarter of a period ahead.
        periods = frequencies[k] * x + phases[k] * T(_PERIODS)
        d_phase = d_wave * cosine(periods + T(_QUARTER))
        g_phases[k] += d_phase
        g_frequencies[k] += d_phase * (x * T(_TWO_PI))


@jit(internal=True)
def _multiply_transposed(run, batch, a, a_step, n_rows_of_g, n_numbers, d, g):
    """Compute a product that sums over samples, with dL/d of numbers as its second factor.

    Parameters
    ----------
    run, batch
    a : pointer
        First factor, transposed: one row a sample.
    a_step : int
        Elements from one sample of ``a`` to the next.
    n_rows_of_g, n_numbers : int
        Shape of the result.
    d : ndarray
        The second factor, in rows as long as the first layer's inputs.
    g : ndarray
        Written or, where gradients accumulate, added to.
    """
    result = at(g, 0)
    call_product(
        run.network.product,
        n_rows_of_g,
        n_numbers,
        batch.n_rows,
        a,
        1,
        a_step,
        at(d, 0),
        run.network.fan_ins[0],
        result,
        n_numbers if batch.accumulate else _ZEROS,
        result,
        n_numbers,
    )


@jit(internal=True)
def _backpropagate_column(run, batch, column, da):
    """Compute the gradients of what embeds a column.

    Parameters
    ----------
    run, batch, column
    da : ndarray
        dL/d of the column's numbers, in rows as long as the first layer's inputs.
    """
    network = run.network
    gradient = run.scratch.gradient
    n_inputs = network.fan_ins[0]
    frequencies = _get_learned(run, network.weights, _FREQUENCIES, column, _WAVES)
    phases = _get_learned(run, network.weights, _PHASES, column, _WAVES)
    coefs = _get_learned(run, network.weights, _COEFS, column, _WAVES * _NUMBERS)
    g_frequencies = _get_learned(run, gradient, _FREQUENCIES, column, _WAVES)
    g_phases = _get_learned(run, gradient, _PHASES, column, _WAVES)
    if not batch.accumulate:
        for k in range(g_phases.size):
            g_frequencies[k] = 0
            g_phases[k] = 0
    for i in range(batch.n_rows):
        x = run.rows.gathered[i * n_inputs + network.embedded[column]]
        d = segment(da, i * n_inputs, _NUMBERS)
        _add_gradient_of_waves(x, d, frequencies, phases, coefs, g_frequencies, g_phases)
    waves = at(_get_waves(run, FIRST, column), 0)
    n_waves = _WAVES * network.embedded.size
    g_coefs = _get_learned(run, gradient, _COEFS, column, _WAVES * _NUMBERS)
    _multiply_transposed(run, batch, waves, n_waves, _WAVES, _NUMBERS, da, g_coefs)
    one = at(run.scratch.one, 0)
    g_intercepts = _get_learned(run, gradient, _INTERCEPTS, column, _NUMBERS)
    _multiply_transposed(run, batch, one, FIRST, FIRST + 1, _NUMBERS, da, g_intercepts)


@jit(internal=True)
def _cut_columns(run, batch):
    """Return the partition of the embedded columns."""
    n_columns = run.network.embedded.size
    return partition_in_order(n_columns, min(_COLUMNS_OF_A_BLOCK, divide_up(n_columns, _TWO)))


@jit(internal=True)
def _backpropagate_block(run, batch, blocks, number):
    """Compute the gradients of what embeds some columns."""
    network = run.network
    scratch = run.scratch
    n_inputs = network.fan_ins[0]
    fan_out = network.fan_outs[0]
    start, stop = locate_block(blocks, number)
    first_number = network.n_features + start * _NUMBERS
    last_number = network.n_features + stop * _NUMBERS
    compute_da_block(
        network.product,
        get_deltas(run, FIRST),
        batch.n_rows,
        fan_out,
        get_weights(run, FIRST),
        n_inputs,
        first_number,
        last_number,
        tail(scratch.packed_weights, first_number * fan_out),
        scratch.da,
    )
    for column in range(start, stop):
        da = tail(scratch.da, network.n_features + column * _NUMBERS)
        _backpropagate_column(run, batch, column, da)


_backpropagate = make_phase(_cut_columns, _backpropagate_block)


@jit(internal=True)
def backpropagate_inputs(run, batch):
    """Compute the gradients of what embeds columns, from the deltas of the first layer."""
    _backpropagate(run, batch)
