"""Where does the time of a training step go, with one thread?

A chunk of minibatches is trained on again and again, from the same weights. The products of a step,
and the transposes, are also done alone, by the same kernels in the same blocks (from plan.py). What
the other parts of a step take is what it takes less without them: each is replaced by a kernel that
does nothing, and rows that are to be gathered by rows that lie in order. What is then left of the
step is under "rest": calls, and data that one part has pushed out of the cache before another reads
it. Times are of the processor and for one step; the shortest counts.
"""

import itertools
import time
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from report import conclude, option_parser, table

import sknn
from sknn._compiled import kinds
from sknn._compiled.intrinsics import at
from sknn._compiled.jit import jit
from sknn._compiled.transpose import transpose
from sknn._engine import plan
from sknn._engine.plan import locate_block, locate_rectangle, partition_in_order
from sknn._runtime import threads

DTYPE = np.float32
FLOPS = 116e9  # of one core of a Zen 4 at 3.6 GHz, for the column "ideal"


class Workload(NamedTuple):
    """A network, its minibatches, and how many steps to measure at once: about a millisecond."""

    n_features: int
    hidden: tuple
    n_classes: int
    batch_size: int
    n_steps: int


WORKLOADS = {
    "tiny": Workload(20, (50,), 5, 32, 160),
    "small": Workload(50, (100,), 5, 200, 20),
    "mid": Workload(100, (256, 256), 5, 256, 2),
    "lecture-32": Workload(784, (512, 512), 10, 32, 2),
    "lecture-256": Workload(784, (512, 512), 10, 256, 1),
}


# ---- what does nothing --------------------------------------------------------------------------


@jit
def _no_product(m, n, k, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    return


@jit
def _no_activation(z, parameter, a):
    return


@jit
def _no_derivative(z, a, parameter, da, dz):
    return


@jit
def _no_loss(z, y, weight, n_outputs, parameters, scale, delta, totals):
    return


@jit
def _no_penalty(w, l1, l2, g, totals):
    return


@jit
def _no_optimizer(w, g, state_0, state_1, state_2, h):
    return


def _without(run, part):
    """Return a run whose steps leave a part out."""
    network = run.network
    update = run.update
    if part == "products":
        network = network._replace(product=kinds.PRODUCT.address(_no_product, DTYPE))
    elif part == "activations":
        forward = kinds.ACTIVATION.address(_no_activation, DTYPE)
        backward = kinds.ACTIVATION_BACKWARD.address(_no_derivative, DTYPE)
        network = network._replace(
            activations=np.full_like(network.activations, forward),
            activation_backwards=np.full_like(network.activation_backwards, backward),
        )
    elif part == "loss":
        network = network._replace(loss=kinds.LOSS.address(_no_loss, DTYPE))
    elif part == "update":
        update = update._replace(
            penalize=kinds.PENALTY.address(_no_penalty, DTYPE),
            optimizer_step=kinds.OPTIMIZER_STEP.address(_no_optimizer, DTYPE),
        )
    elif part == "gather":
        rows = run.rows
        n_features = network.fan_ins[0]
        dense = rows.dense.reshape(-1, n_features)[rows.order].ravel()
        run = run._replace(rows=rows._replace(dense=dense, order=np.zeros(0, np.int64)))
    return run._replace(network=network, update=update)


REPLACED = ("gather", "activations", "loss", "update")


# ---- products and transposes, alone -------------------------------------------------------------


class Product(NamedTuple):
    """Sizes and distances of a product, see :mod:`sknn._compiled.matmul`."""

    kind: str
    m: int
    n: int
    k: int
    a_row: int
    a_step: int
    b_step: int
    c_row: int


def _forward_products(n_rows, widths):
    n_layers = len(widths) - 1
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        shape = plan.Shape(n_rows, fan_in, fan_out, 1)
        if layer == n_layers - 1:
            blocks = plan.partition_output_layer(shape)
        else:
            blocks = plan.partition_hidden_layer(shape, fan_out, False)
        for number in range(blocks.n_blocks):
            first, last, start, stop = locate_rectangle(blocks, number, n_rows, fan_out)
            size = last - first, stop - start, fan_in
            yield Product("forward", *size, fan_in, 1, fan_out, fan_out)


def _delta_products(n_rows, widths):
    """Yield products, and transposes as ``(rows, columns, row, transposed row)``."""
    for fan_in, fan_out in itertools.pairwise(widths[1:]):
        shape = plan.Shape(n_rows, fan_in, fan_out, 1)
        blocks = plan.partition_deltas(shape, False)
        by_weights = plan.transposes_weights(n_rows, fan_out)
        if not by_weights:
            yield n_rows, fan_out, fan_out, n_rows
        for number in range(blocks.n_blocks):
            first, last, start, stop = locate_rectangle(blocks, number, n_rows, fan_in)
            count = stop - start
            if by_weights:
                yield count, fan_out, fan_out, count
                yield Product("deltas", last - first, count, fan_out, fan_out, 1, count, fan_in)
            else:
                yield Product("deltas", count, n_rows, fan_out, fan_out, 1, n_rows, n_rows)
                yield count, n_rows, n_rows, fan_in


def _weight_products(n_rows, widths, batch_size):
    for fan_in, fan_out in itertools.pairwise(widths):
        blocks = plan.partition_weights(plan.Shape(batch_size, fan_in, fan_out, 1), False)
        for number in range(blocks.n_blocks):
            start, stop = locate_block(blocks, number)
            yield Product("weights", stop - start, fan_out, n_rows, 1, fan_in, fan_out, fan_out)
        yield Product("weights", 1, fan_out, n_rows, 0, 0, fan_out, fan_out)


def _operations(batch_size, widths, shard_rows):
    """Return the products of a step, and the transposes."""
    found = []
    shards = partition_in_order(batch_size, shard_rows or batch_size)
    for number in range(shards.n_blocks):
        start, stop = locate_block(shards, number)
        n_rows = stop - start
        found += _forward_products(n_rows, widths)
        found += _delta_products(n_rows, widths)
        found += _weight_products(n_rows, widths, n_rows)
    products = [operation for operation in found if isinstance(operation, Product)]
    return products, [operation for operation in found if not isinstance(operation, Product)]


@jit(entry=True)
def _multiply(product, sizes, a, b, c):
    """Compute products one after another, all in the same memory."""
    for i in range(0, sizes.size, 7):
        m, n, k = sizes[i], sizes[i + 1], sizes[i + 2]
        a_row, a_step, b_step, c_row = sizes[i + 3], sizes[i + 4], sizes[i + 5], sizes[i + 6]
        start = at(c, 0)
        zeros = np.int64(-1)
        kinds.call_product(
            product, m, n, k, at(a, 0), a_row, a_step, at(b, 0), b_step, start, zeros, start, c_row
        )


@jit(entry=True)
def _transpose(sizes, matrix, transposed):
    """Transpose blocks one after another, all in the same memory."""
    for i in range(0, sizes.size, 4):
        transpose(matrix, sizes[i], sizes[i + 1], sizes[i + 2], transposed, sizes[i + 3])


# ---- measurements -------------------------------------------------------------------------------


def _train_arguments(workload):
    """Return the training kernel and the arguments of a chunk of minibatches."""
    rng = np.random.default_rng(0)
    n_rows = workload.n_steps * workload.batch_size
    X = rng.standard_normal((n_rows, workload.n_features), DTYPE)
    y = np.arange(n_rows) % workload.n_classes
    calls = []
    kept = threads._call

    def call(entry, arguments):
        calls.append((entry, arguments))
        return kept(entry, arguments)

    with patch.object(threads, "_call", call), patch.object(threads, "usable_cores", lambda: 1):
        network = sknn.MLPClassifier(
            workload.hidden, batch_size=workload.batch_size, random_state=0
        )
        network.partial_fit(X, y, classes=np.arange(workload.n_classes))
    return calls[0]


def _contestants(workload):
    """Return ``{what: function that does it for all steps}`` and the operations of a step."""
    n_steps = workload.n_steps
    entry, (run, *others) = _train_arguments(workload)
    assert others[0] == n_steps * workload.batch_size
    vectors = run.network.weights, run.update.state_0, run.update.state_1
    before = [vector.copy() for vector in vectors]

    def train(changed):
        for vector, values in zip(vectors, before, strict=True):
            np.copyto(vector, values)
        started = time.thread_time()
        entry(changed, *others)
        return time.thread_time() - started

    widths = [*run.network.fan_ins.tolist(), int(run.network.fan_outs[-1])]
    products, transposes = _operations(workload.batch_size, widths, run.shard_rows)
    a, b, c = np.random.default_rng(0).standard_normal((3, 1_200_000), DTYPE)

    def alone(kernel, *arguments):
        started = time.thread_time()
        for _ in range(n_steps):
            kernel(*arguments)
        return time.thread_time() - started

    def multiply(kind):
        sizes = np.array([call[1:] for call in products if call.kind == kind], np.int64).ravel()
        return lambda: alone(_multiply, run.network.product, sizes, a, b, c)

    tasks = {"step": lambda: train(run)}
    tasks |= {part: (lambda part=part: train(_without(run, part))) for part in REPLACED}
    tasks |= {kind: multiply(kind) for kind in ("forward", "deltas", "weights")}
    sizes = np.array(transposes, np.int64).ravel()
    tasks["transposes"] = lambda: alone(_transpose, sizes, a, c)
    return tasks, 2 * sum(call.m * call.n * call.k for call in products)


def measure(name, rounds):
    """Return the microseconds of each part of a step of a workload."""
    n_steps = WORKLOADS[name].n_steps
    tasks, flops = _contestants(WORKLOADS[name])
    best = dict.fromkeys(tasks, np.inf)
    for _ in range(rounds):
        for what, task in tasks.items():
            best[what] = min(best[what], 1e6 * task() / n_steps)
    result = {what: best[what] for what in ("step", "forward", "deltas", "weights", "transposes")}
    result |= {part: best["step"] - best[part] for part in REPLACED}
    result["rest"] = 2 * best["step"] - sum(result.values())
    result["ideal"] = 1e6 * flops / FLOPS
    return result


def tables(results):
    """Return markdown tables of microseconds and of shares of the step."""
    rows = []
    for name, result in results.items():
        products = sum(result[kind] for kind in ("forward", "deltas", "weights"))
        ratios = f"{result['step'] / products:.2f}", f"{result['step'] / result['ideal']:.2f}"
        rows.append([name, *(f"{value:.1f}" for value in result.values()), *ratios])
        shares = (f"{100 * value / result['step']:.0f} %" for value in result.values())
        rows.append(["", *shares, "", ""])
    columns = list(next(iter(results.values())))
    return table(["us", *columns, "step / products", "step / ideal"], rows)


def main():
    parser = option_parser(__doc__, rounds=40)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    options = parser.parse_args()
    results = {name: measure(name, options.rounds) for name in options.workloads}
    conclude(options, "step", results, tables(results))


if __name__ == "__main__":
    main()
