"""What the parts of a training step cost on this machine, one by one, for model_scaling.py.

All times are seconds, in float32, and the best of several: other programs only add to them.
"""

import functools
import threading
import time

import numpy as np

from sknn._compiled.intrinsics import at, atomic_add, atomic_load, pause
from sknn._compiled.jit import jit
from sknn._compiled.kinds import (
    ACTIVATION,
    ACTIVATION_BACKWARD,
    LOSS,
    OPTIMIZER_STEP,
    PENALTY,
    PRODUCT,
    call_activation,
    call_activation_backward,
    call_loss,
    call_optimizer_step,
    call_penalty,
    call_product,
)
from sknn._compiled.matmul import product
from sknn._compiled.transpose import transpose
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.losses import LOSSES
from sknn.parts.optimizers import OPTIMIZERS
from sknn.parts.regularizers import REGULARIZERS

DTYPE = np.dtype(np.float32)
SIZE = 1 << 15  # elements, 128 KB, of what is measured by the element
REPEATS = 7


def best(repeat, *arguments, least=3e-4):
    """Return the shortest time of one of the calls that ``repeat(n, *arguments)`` makes."""
    repeat(1, *arguments)
    started = time.perf_counter()
    repeat(1, *arguments)
    n_calls = max(1, int(least / (time.perf_counter() - started)))
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        repeat(n_calls, *arguments)
        times.append((time.perf_counter() - started) / n_calls)
    return min(times)


# ---- matrix products ---------------------------------------------------------------------------


@jit
def repeat_product(n_calls, address, sizes, a, b, c):
    m, n, k, a_row, a_step, b_step, c_row = sizes
    for _ in range(n_calls):
        call_product(
            address,
            m,
            n,
            k,
            at(a, 0),
            a_row,
            a_step,
            at(b, 0),
            b_step,
            at(c, 0),
            -1,
            at(c, 0),
            c_row,
        )


@functools.cache
def product_seconds(m, n, k, a_row, a_step, b_step, c_row):
    """Return the time of a block of a product; see matmul.py for the arguments."""
    if min(m, n, k) <= 0:
        return 0.0
    rng = np.random.default_rng(0)
    sizes = [m * a_row + k * a_step, k * b_step, m * c_row]
    a, b, c = (rng.standard_normal(size + 64, np.float32) for size in sizes)
    address = PRODUCT.address(product, DTYPE)
    return best(repeat_product, address, (m, n, k, a_row, a_step, b_step, c_row), a, b, c)


# ---- what is done element by element -----------------------------------------------------------


@jit
def repeat_forward(n_calls, address, z, parameter, a):
    for _ in range(n_calls):
        call_activation(address, z, parameter, a)


@jit
def repeat_backward(n_calls, address, z, a, parameter, da, delta):
    for _ in range(n_calls):
        call_activation_backward(address, z, a, parameter, da, delta)


@jit
def repeat_loss(n_calls, address, z, y, weight, n_outputs, parameters, scale, delta, total):
    for _ in range(n_calls):
        call_loss(address, z, y, weight, n_outputs, parameters, scale, delta, total)


@jit
def repeat_penalty(n_calls, address, w, strength, g, total):
    for _ in range(n_calls):
        call_penalty(address, w, strength, strength, g, total)


@jit
def repeat_step(n_calls, address, w, g, m, v, h):
    for _ in range(n_calls):
        call_optimizer_step(address, w, g, m, v, v, h)


@jit
def repeat_transpose(n_calls, side, matrix, target):
    for _ in range(n_calls):
        transpose(matrix, side, side, side, target, side)


@jit
def repeat_sum(n_calls, z, other):
    for _ in range(n_calls):
        for i in range(z.size):
            z[i] += other[i]


@jit
def repeat_gather(n_calls, table, order, n_features, rows):
    for _ in range(n_calls):
        for i in range(order.size):
            source = table[order[i] * n_features : (order[i] + 1) * n_features]
            row = rows[i * n_features : (i + 1) * n_features]
            for j in range(row.size):
                row[j] = source[j]


@functools.cache
def element_seconds():
    """Return the time of one element of each kind of work, by its name."""
    z, a, da, delta = np.random.default_rng(0).standard_normal((4, SIZE), np.float32)
    one = np.float32(1)
    relu = ACTIVATIONS["relu"]
    forward = ACTIVATION.address(relu.forward, DTYPE)
    backward = ACTIVATION_BACKWARD.address(relu.backward, DTYPE)
    penalize = PENALTY.address(REGULARIZERS["l2"].penalize, DTYPE)
    step = OPTIMIZER_STEP.address(OPTIMIZERS["adam"].step, DTYPE)
    table = np.zeros(1 << 24, np.float32)
    order = np.random.default_rng(0).permutation(table.size // 512)[: SIZE // 512]
    zeros = np.zeros(SIZE, np.float32)
    h = np.full(16, 1e-3, np.float32)
    small = np.float32(1e-9)
    whole = {
        "forward": best(repeat_forward, forward, z, one, a),
        "backward": best(repeat_backward, backward, z, a, one, da, delta),
        "penalty": best(repeat_penalty, penalize, z, small, da, np.zeros(2)),
        "step": best(repeat_step, step, z, delta, zeros, zeros.copy(), h),
        "transpose": best(repeat_transpose, 128, z, a) * SIZE / 128**2,
        "sum": best(repeat_sum, a, zeros),
        "gather": best(repeat_gather, table, order, 512, a),
    }
    return {name: seconds / SIZE for name, seconds in whole.items()}


@functools.cache
def loss_seconds(n_outputs):
    """Return the time of one sample's softmax and cross-entropy."""
    n_rows = 32
    z = np.random.default_rng(0).standard_normal(n_rows * n_outputs).astype(np.float32)
    y = (np.arange(n_rows) % n_outputs).astype(np.float32)
    weight = np.ones(n_rows, np.float32)
    address = LOSS.address(LOSSES["log_loss"].loss, DTYPE)
    parameters = np.zeros(4, np.float32)
    arguments = address, z, y, weight, n_outputs, parameters, np.float32(1), z.copy(), np.zeros(2)
    return best(repeat_loss, *arguments) / n_rows


# ---- two threads -------------------------------------------------------------------------------


@jit
def take_turns(flag, me, n_rounds, multiplies, address, sizes, a, b, c):
    """Write ``b`` in one thread and, if it ``multiplies``, multiply with it in the other."""
    m, n, k = sizes
    first = at(c, 0)
    for i in range(n_rounds):
        while atomic_load(flag, 0) < 2 * i + me:
            pause()
        if me == 0:
            for j in range(b.size):
                b[j] = i
        elif multiplies:
            call_product(address, m, n, k, at(a, 0), k, 1, at(b, 0), n, first, -1, first, n)
        atomic_add(flag, 0, 1)


def turn_seconds(sizes, n_rounds, *, multiplies):
    """Return the time of a turn of both of two threads."""
    m, n, k = sizes
    a, b, c = (np.zeros(size + 64, np.float32) for size in (m * k, n * k, m * n))
    arguments = n_rounds, int(multiplies), PRODUCT.address(product, DTYPE), sizes, a, b, c
    times = []
    for _ in range(400):
        flag = np.zeros(1, np.int64)
        other = threading.Thread(target=take_turns, args=(flag, 1, *arguments))
        other.start()
        time.sleep(1e-4)
        started = time.perf_counter()
        take_turns(flag, 0, *arguments)
        times.append((time.perf_counter() - started) / n_rounds)
        other.join()
    return min(times)


@functools.cache
def line_seconds():
    """Return how long it takes until a thread sees what another one has written."""
    return turn_seconds((1, 1, 1), 200, multiplies=False) / 2


@functools.cache
def moved_seconds():
    """Return what an element costs that a product reads and another core has written.

    Virtual cores move to other physical ones, which may share a cache or not: returned are the
    least and the most of several measurements with pauses between them.
    """
    m, n, k = sizes = 64, 512, 256
    found = []
    for _ in range(8):
        warm = turn_seconds(sizes, 4, multiplies=False) + product_seconds(m, n, k, k, 1, n, n)
        found.append(max(0.0, turn_seconds(sizes, 4, multiplies=True) - warm) / (n * k))
        time.sleep(1)
    return min(found), max(found)


@jit
def repeat_claim(n_calls, counters):
    for _ in range(n_calls):
        if atomic_load(counters, 0) >= 0:
            atomic_add(counters, 0, 1)


@functools.cache
def claim_seconds():
    """Return the time of claiming a block that no other thread looks at."""
    return best(repeat_claim, np.zeros(8, np.int64))
