"""How much faster would a training step be with more threads than this machine has cores?

The plan of a step (sknn/_engine/plan.py) is integers, so it can be laid out for any number of
threads. Here the threads claim blocks as scheduler.py lets them: their own ones first, then those
of others. Each block takes as long as its products, measured on this machine in its very shape, and
what is done element by element around them. The model knows

- blocks of unequal length, and threads that find none;
- claims, looks at the counters of the other threads, and barriers, at which threads add to one
  counter after another;
- split-K with the sum of its halves, the weight update, sums of penalties, shards and their sum;
- moves: what a block reads was written by other cores, but for one part in n_threads.

Moves are the cheapest and the dearest that were measured: of cores that share a cache, and of cores
that are far apart, if there were such. The model does not know that cores slow each other down, by
heat or at the memory. Fits of one and two threads here show how far it can be trusted.
"""

import heapq
import itertools
import time
import warnings
from typing import NamedTuple

import block_costs as cost
import numpy as np
from report import conclude, option_parser, table

import sknn._runtime.threads
from sknn import MLPClassifier
from sknn._engine import plan
from sknn._engine.plan import Shape, divide_up, locate_block, locate_rectangle

THREADS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


class Workload(NamedTuple):
    """A network and its minibatches."""

    units: tuple
    n_rows: int

    @property
    def shapes(self):
        """Fan-in and fan-out of every layer."""
        return list(itertools.pairwise(self.units))

    @property
    def n_weights(self):
        """All that is learned."""
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in self.shapes)

    @property
    def shard_rows(self):
        """Rows of a shard, or 0."""
        return plan.choose_shard_rows(self.n_rows, self.n_weights, sum(self.units), False)


WORKLOADS = {
    "tiny": Workload((20, 50, 5), 32),
    "small": Workload((50, 100, 10), 200),
    "small, 2000": Workload((50, 100, 10), 2000),
    "mid": Workload((100, 256, 256, 5), 256),
    "lecture-32": Workload((784, 512, 512, 10), 32),
    "lecture-256": Workload((784, 512, 512, 10), 256),
    "lecture-1024": Workload((784, 512, 512, 10), 1024),
    "wide-1024": Workload((784, 1024, 1024, 10), 1024),
}


class Block(NamedTuple):
    """What a block costs: its time, and elements that it reads and other threads have written."""

    seconds: float
    own: int = 0  # elements that only this block reads
    shared: int = 0  # elements that all blocks of its kind read: they move once for each thread
    kind: str = ""


# ---- blocks --------------------------------------------------------------------------------------


class Step:
    """The phases of a step: for each, what its blocks cost, in the order of their numbers."""

    def __init__(self, workload, n_rows, n_threads, *, is_shard=False):
        self.n_rows = n_rows
        self.n_threads = n_threads
        self.is_shard = is_shard
        self.shapes = [Shape(n_rows, *fans, n_threads) for fans in workload.shapes]
        self.last = len(self.shapes) - 1
        self.sums_first = plan.sums_penalties_first(n_threads, self.last + 1, int(is_shard))
        self.element = cost.element_seconds()

    def phases(self):
        """Return the blocks of all phases."""
        found = [self.gather()]
        for layer in range(self.last):
            found += self.hidden_layer(layer)
        found.append(self.output_layer())
        return found + [self.backward_layer(layer) for layer in range(self.last, -1, -1)]

    def splits_k(self, layer):
        """Return whether a layer's product is split along its inputs."""
        return not self.is_shard and layer < self.last and plan.uses_split_k(self.shapes[layer])

    def weights(self, layer, *, for_penalties=False):
        """Return the partition of a layer's rows of W."""
        shape = self.shapes[layer]
        follows_threads = self.sums_first and not for_penalties
        return plan.partition_weights(
            shape if follows_threads else shape._replace(n_threads=1), False
        )

    def gather(self):
        """Return the blocks of the inputs."""
        n_features = self.shapes[0].fan_in
        blocks = plan.partition_inputs(self.shapes[0], self.weights(0), self.splits_k(0))
        found = []
        for number in range(blocks.n_blocks):
            first, last, start, stop = locate_rectangle(blocks, number, self.n_rows, n_features)
            found.append(Block(self.element["gather"] * (last - first) * (stop - start)))
        return found

    def product_of_inputs(self, layer, n_rows, n_inputs, n_units):
        """Return the cost of a block of pre-activations."""
        _, fan_in, fan_out, _ = self.shapes[layer]
        seconds = cost.product_seconds(n_rows, n_units, n_inputs, fan_in, 1, fan_out, fan_out)
        inputs = n_rows * n_inputs
        weights = n_inputs * n_units
        if n_units < fan_out:  # a thread's half of W stays in its cache if there are two
            return Block(seconds, weights if self.n_threads > 2 else 0, inputs, "inputs")
        return Block(seconds, inputs, weights, "weights")

    def hidden_layer(self, layer):
        """Return the blocks of a hidden layer's phases, of which there are two with split-K."""
        shape = self.shapes[layer]
        splits = self.splits_k(layer)
        found = []
        if splits:
            blocks = plan.partition_split_k(shape)
            products = []
            for number in range(blocks.n_blocks):
                low, high, start, stop = plan.locate_split_k_block(
                    blocks, self.weights(layer), number
                )
                products.append(
                    self.product_of_inputs(layer, self.n_rows, high - low, stop - start)
                )
            found.append(products)
        blocks = plan.partition_hidden_layer(shape, shape.fan_out, splits)
        outputs = []
        for number in range(blocks.n_blocks):
            first, last, start, stop = locate_rectangle(blocks, number, self.n_rows, shape.fan_out)
            n_values = (last - first) * (stop - start)
            if splits:
                block = Block(self.element["sum"] * n_values, n_values)
            else:
                block = self.product_of_inputs(layer, last - first, shape.fan_in, stop - start)
            seconds = block.seconds + self.element["forward"] * n_values
            outputs.append(block._replace(seconds=seconds))
        return [*found, outputs]

    def output_layer(self):
        """Return the blocks of the output layer and its losses."""
        shape = self.shapes[-1]
        blocks = plan.partition_output_layer(shape)
        found = []
        for number in range(blocks.n_blocks):
            start, stop = locate_block(blocks, number)
            block = self.product_of_inputs(self.last, stop - start, shape.fan_in, shape.fan_out)
            seconds = block.seconds + (stop - start) * cost.loss_seconds(shape.fan_out)
            found.append(block._replace(seconds=seconds))
        return found

    def backward_layer(self, layer):
        """Return the blocks of a layer's phase of the backward pass."""
        if layer > 0:
            blocks = plan.partition_deltas(self.shapes[layer], False)
            own = [self.delta_block(layer, blocks, i) for i in range(blocks.n_blocks)]
        else:
            own = self.weight_blocks(layer)
        if layer < self.last:
            return own + self.weight_blocks(layer + 1)
        return own + (self.penalty_blocks() if self.sums_first else [])

    def delta_block(self, layer, blocks, number):
        """Return the cost of a block of the deltas of the layer below."""
        _, fan_in, fan_out, _ = self.shapes[layer]
        first, last, start, stop = locate_rectangle(blocks, number, self.n_rows, fan_in)
        n_rows, n_units = last - first, stop - start
        if plan.transposes_weights(self.n_rows, fan_out):
            n_transposed = n_units * fan_out
            seconds = cost.product_seconds(n_rows, n_units, fan_out, fan_out, 1, n_units, fan_in)
        else:
            n_transposed = n_units * self.n_rows
            seconds = cost.product_seconds(
                n_units, self.n_rows, fan_out, fan_out, 1, self.n_rows, self.n_rows
            )
        if layer > 1 and not plan.transposes_weights(self.n_rows, fan_in):
            n_transposed += n_rows * n_units
        seconds += self.element["transpose"] * n_transposed
        seconds += self.element["backward"] * n_rows * n_units
        weights = n_units * fan_out if self.n_threads > 2 else 0
        if blocks.by_samples:
            return Block(seconds, n_rows * fan_out, n_units * fan_out, "weights")
        return Block(seconds, weights, n_rows * fan_out, "deltas")

    def weight_blocks(self, layer):
        """Return the blocks of a layer's gradient, with the update unless they are a shard's."""
        _, fan_in, fan_out, _ = self.shapes[layer]
        blocks = self.weights(layer)
        found = []
        for number in range(blocks.n_blocks):
            start, stop = locate_block(blocks, number)
            seconds = cost.product_seconds(
                stop - start, fan_out, self.n_rows, 1, fan_in, fan_out, fan_out
            )
            if stop == fan_in:  # with the intercepts
                seconds += cost.product_seconds(1, fan_out, self.n_rows, 0, 0, fan_out, fan_out)
            if not self.is_shard:
                seconds += self.update_seconds((stop - start) * fan_out)
            inputs = self.n_rows * (stop - start)
            found.append(Block(seconds, inputs, self.n_rows * fan_out, f"deltas {layer}"))
        return found

    def update_seconds(self, n_weights):
        """Return the time of the update of some weights."""
        return (self.element["penalty"] + self.element["step"]) * n_weights

    def penalty_blocks(self):
        """Return the blocks of the sums of penalties."""
        found = []
        for layer, shape in enumerate(self.shapes):
            blocks = self.weights(layer, for_penalties=True)
            for number in range(blocks.n_blocks):
                start, stop = locate_block(blocks, number)
                n_weights = (stop - start) * shape.fan_out
                found.append(Block(self.element["penalty"] * n_weights, n_weights))
        return found


def phases_of(workload, n_threads):
    """Return the blocks of all phases of a step."""
    rows = workload.shard_rows
    if rows == 0:
        return Step(workload, workload.n_rows, n_threads).phases()
    n_shards = divide_up(workload.n_rows, rows)
    shards = []
    for number in range(n_shards):
        n_rows = min(workload.n_rows - number * rows, rows)
        blocks = itertools.chain(*Step(workload, n_rows, 1, is_shard=True).phases())
        shards.append(Block(sum(block.seconds for block in blocks)))
    step = Step(workload, workload.n_rows, n_threads, is_shard=True)
    sums = []
    for layer, shape in enumerate(step.shapes):
        blocks = step.weights(layer)
        for number in range(blocks.n_blocks):
            start, stop = locate_block(blocks, number)
            n_weights = (stop - start) * shape.fan_out
            seconds = step.element["sum"] * n_weights * (n_shards - 1)
            seconds += step.update_seconds(n_weights)
            sums.append(Block(seconds, n_shards * n_weights))
    return [shards, sums]


# ---- threads -------------------------------------------------------------------------------------


def phase_seconds(blocks, n_threads, moved):
    """Return the time of a phase, in which the threads claim blocks as in scheduler.py."""
    if n_threads == 1:
        return sum(block.seconds for block in blocks)
    n_blocks = len(blocks)
    left = [list(range(owner, n_blocks, n_threads)) for owner in range(n_threads)]
    look = cost.line_seconds() / 2  # at a counter that another thread has changed
    free = [(0.0, thread) for thread in range(n_threads)]
    kinds = [set() for _ in range(n_threads)]
    moved *= (n_threads - 1) / n_threads
    last = 0.0
    while free:
        now, thread = heapq.heappop(free)
        for i in range(min(n_threads, n_blocks)):
            owner = (thread + i) % n_threads
            if left[owner]:
                block = blocks[left[owner].pop(0)]
                n_moved = block.own + (0 if block.kind in kinds[thread] else block.shared)
                kinds[thread].add(block.kind)
                now += cost.claim_seconds() + (cost.line_seconds() if i > 0 else 0)
                heapq.heappush(free, (now + block.seconds + n_moved * moved, thread))
                break
            now += look if i > 0 else 0
        last = max(last, now)
    return last + barrier_seconds(n_threads)


def barrier_seconds(n_threads):
    """Return the time from the last block's end until all threads go on.

    The threads' additions to the counter of blocks that are done follow one another.
    """
    return n_threads * cost.line_seconds()


def step_seconds(workload, n_threads, moved):
    """Return the modeled time of a step, where an element takes ``moved`` to another core."""
    return sum(phase_seconds(blocks, n_threads, moved) for blocks in phases_of(workload, n_threads))


def chosen_threads(workload, n_cores):
    """Return how many threads a fit starts with on a machine of so many cores."""
    n_operations = 3 * workload.n_rows * workload.n_weights + 20 * workload.n_weights
    rows = workload.shard_rows
    most = divide_up(workload.n_rows, rows) if rows else n_cores
    return sknn._runtime.threads.worthwhile_threads(n_operations, min(n_cores, most))


# ---- measurements --------------------------------------------------------------------------------


def measured_step(workload, n_cores, n_steps):
    """Return the shortest time of a step of a fit on so many of this machine's cores."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_steps * workload.n_rows, workload.units[0]), np.float32)
    y = rng.integers(0, workload.units[-1], len(X))
    times = []
    sknn._runtime.threads.usable_cores = lambda: n_cores
    for _ in range(5):
        model = MLPClassifier(
            workload.units[1:-1],
            batch_size=workload.n_rows,
            max_iter=3,
            n_iter_no_change=np.inf,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of max_iter
            started = time.perf_counter()
            model.fit(X, y)
        times.append((time.perf_counter() - started) / (3 * n_steps))
    return min(times)


def measured_steps(workload):
    """Return the times of steps with one and with two threads."""
    n_steps = int(np.clip(2e9 / (3 * workload.n_rows * workload.n_weights), 4, 200))
    usable = sknn._runtime.threads.usable_cores
    try:
        return [measured_step(workload, n_cores, n_steps) for n_cores in (1, 2)]
    finally:
        sknn._runtime.threads.usable_cores = usable


# ---- results -------------------------------------------------------------------------------------


def model(name, *, measures):
    """Return what is modeled and measured of a workload."""
    workload = WORKLOADS[name]
    teams = {n_cores: chosen_threads(workload, n_cores) for n_cores in range(1, max(THREADS) + 1)}
    near, far = (
        {n_threads: step_seconds(workload, n_threads, moved) for n_threads in set(teams.values())}
        for moved in cost.moved_seconds()
    )
    return {
        "threads": teams,
        "step": {n_cores: near[n_threads] for n_cores, n_threads in teams.items()},
        "far": {n_cores: far[n_threads] for n_cores, n_threads in teams.items()},
        "measured": measured_steps(workload) if measures else [],
    }


def slowest_addition(step):
    """Return how much longer a step takes at most with more cores than with fewer."""
    best = np.minimum.accumulate([step[n_cores] for n_cores in sorted(step)])
    return max(step[n_cores] / best[i] for i, n_cores in enumerate(sorted(step)))


def tables(results):
    """Return markdown tables."""
    text = ""
    for title, key in (("times faster on so many cores", "step"), ("the same, far apart", "far")):
        rows = []
        for name, found in results.items():
            speedups = (f"{found[key][1] / found[key][n]:.1f}" for n in THREADS)
            rows.append([name, *speedups, f"{slowest_addition(found[key]):.2f}"])
        text += table([title, *THREADS, "slower than on fewer"], rows) + "\n\n"
    rows = [[name, *(found["threads"][n] for n in THREADS)] for name, found in results.items()]
    text += table(["threads", *THREADS], rows)
    rows = []
    for name, found in results.items():
        if not found["measured"]:
            continue
        one, two = found["measured"]
        modeled = [f"{1e6 * found['step'][n]:.0f}" for n in (1, 2)]
        measured = [f"{1e6 * seconds:.0f}" for seconds in (one, two)]
        rows.append([name, modeled[0], measured[0], modeled[1], measured[1]])
    columns = ["1, modeled", "1, measured", "2, modeled", "2, measured"]
    if rows:
        text += "\n\n" + table(["us a step, threads", *columns], rows)
    costs = {
        "a thread sees what another has written": cost.line_seconds(),
        "claim of a block": cost.claim_seconds(),
        "1000 elements from another core": 1000 * cost.moved_seconds()[0],
        "1000 elements from a core far apart": 1000 * cost.moved_seconds()[1],
    }
    rows = [[name, f"{1e9 * seconds:.0f}"] for name, seconds in costs.items()]
    return text + "\n\n" + table(["costs", "ns"], rows)


def plot(results, path):
    """Draw the speed-up by the number of cores."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    ax = figure.subplots()
    for name, found in results.items():
        cores = sorted(found["step"])
        ax.plot(cores, [found["step"][1] / found["step"][n] for n in cores], label=name)
    ax.plot(cores, cores, color="black", linewidth=0.5, label="as many times as cores")
    ticks = [2**i for i in range(7)]
    ax.set(xscale="log", yscale="log", xlabel="cores", ylabel="times faster than one thread")
    ax.set(xticks=ticks, xticklabels=ticks, yticks=ticks, yticklabels=ticks)
    ax.legend()
    figure.savefig(path, dpi=150)


def main():
    parser = option_parser(__doc__, rounds=1)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--model-only", action="store_true", help="without fits to compare with")
    options = parser.parse_args()
    results = {name: model(name, measures=not options.model_only) for name in options.workloads}
    saved = conclude(options, "scaling", results, tables(results))
    if saved is not None:
        plot(results, saved.with_suffix(".png"))


if __name__ == "__main__":
    main()
