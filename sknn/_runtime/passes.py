"""The addresses of the engine's passes, of which only those that a network uses are compiled."""

from collections.abc import Callable
from typing import NamedTuple

from .._compiled.jit import MOST_THREADS
from .._compiled.kinds import BLOCK_UPDATE, LAYER_PASS, PASS, SKIP, UNITS_STEP, Kind
from .._engine import (
    backward,
    batch_norm,
    dropout,
    forward,
    input_scale,
    shards,
    skip,
    split_k,
    update,
)
from .._engine.plan import Shape, sums_penalties_first, uses_split_k
from .._engine.structs import Minibatch, Passes, make_empty

NO_PASSES = Passes(*[0] * len(Passes._fields))


class Uses(NamedTuple):
    """What a run uses of the engine."""

    gradient: bool  # the backward pass
    clip: bool  # the update of all weights at once, when the whole gradient is known
    shards: bool
    input_scale: bool


class Pass(NamedTuple):
    """A pass, or a step of one."""

    kind: Kind
    kernel: Callable
    n_numbers: int = 0  # that the kernel takes besides a Run and a Minibatch

    def arguments(self, run):
        """Return arguments of the kernel, of which only the types matter."""
        batch = make_empty(Minibatch, run.network.weights.dtype)
        return run, batch, *[0] * self.n_numbers


def bind_passes(run, architecture, layout, uses):
    """Return the addresses of the passes of a run, compiled if need be.

    Parameters
    ----------
    run : Run
        Of which only the types matter.
    architecture : Architecture
    layout : Layout
    uses : Uses
    """
    dtype = run.network.weights.dtype
    addresses = {
        field: used.kind.address_for(used.kernel, dtype, *used.arguments(run))
        for field, used in passes_of(architecture, layout, uses).items()
    }
    return NO_PASSES._replace(**addresses)


def passes_of(architecture, layout, uses):
    """Return the passes that a run uses, by field of :class:`Passes`; see :func:`bind_passes`."""
    passes = {"forward": Pass(PASS, forward.forward)}
    if uses.gradient:
        passes["backward"] = Pass(PASS, backward.backward)
        passes["update_block"] = Pass(BLOCK_UPDATE, update.update_block, 2)
    if uses.clip:
        passes["update_all"] = Pass(PASS, update.update_all)
    if uses.shards:
        passes |= {f"shard_{field}": passes[field] for field in ("forward", "backward")}
        passes["forward"] = Pass(PASS, shards.forward_backward_shards)
        passes["backward"] = Pass(PASS, shards.reduce_shards_and_update)
    return passes | _optional_steps(architecture, layout, uses)


def _optional_steps(architecture, layout, uses):
    """Return the steps that only some networks have, by field of :class:`Passes`."""

    def step(kernel):
        return Pass(UNITS_STEP, kernel, 5)

    steps = {}
    # Penalties of a linear path are summed with those of the output layer.
    if (
        uses.gradient
        and not architecture.skip
        and sums_penalties_first(MOST_THREADS, layout.n_layers, int(uses.shards))
    ):
        steps["sum_penalties"] = Pass(BLOCK_UPDATE, update.sum_penalties, 2)
    if uses.input_scale:
        kernel = input_scale.update_scaled_weights
        steps["update_scaled_weights"] = Pass(BLOCK_UPDATE, kernel, 2)
    if architecture.skip:
        steps["add_skip"] = Pass(SKIP, skip.add_skip, 2)
    if architecture.batch_norm is not None:
        steps["apply_batch_norm"] = step(batch_norm.apply_batch_norm)
    if uses.gradient:
        steps |= _optional_steps_of_training(architecture, layout, uses, step)
    return steps


def _optional_steps_of_training(architecture, layout, uses, step):
    """Return those of the optional steps that belong to training alone, or to its minibatches."""
    steps = {}
    if architecture.skip:
        steps["compute_skip_gradient"] = Pass(SKIP, skip.compute_skip_gradient, 2)
    if architecture.input_dropout > 0:
        steps["drop_inputs"] = step(dropout.drop_inputs)
    if any(layer.dropout for layer in architecture.hidden):
        steps["apply_dropout"] = step(dropout.apply_dropout)
        steps["backpropagate_dropout"] = step(dropout.backpropagate_dropout)
    if architecture.batch_norm is not None:
        steps["backpropagate_batch_norm"] = step(batch_norm.backpropagate_batch_norm)
    if not uses.shards and _may_split_k(layout):
        steps["compute_split_k"] = Pass(LAYER_PASS, split_k.compute_split_k, 1)
        steps["add_partial_z"] = step(split_k.add_partial_z)
    return steps


def _may_split_k(layout):
    """Return whether a hidden layer is so large that minibatches of some size use split-K."""
    widths = zip(layout.fan_ins[:-1].tolist(), layout.fan_outs[:-1].tolist(), strict=True)
    return any(uses_split_k(Shape(fan_in // 2, fan_in, fan_out, 1)) for fan_in, fan_out in widths)
