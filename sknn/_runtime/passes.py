"""The addresses of the engine's passes, of which only those that a network uses are compiled."""

from typing import NamedTuple

from .._compiled.jit import MOST_THREADS
from .._compiled.kinds import BLOCK_UPDATE, LAYER_PASS, PASS, SKIP, UNITS_STEP
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
from .._engine.structs import Minibatch, Passes

NO_PASSES = Passes(*[0] * len(Passes._fields))


class Uses(NamedTuple):
    """What a run uses of the engine."""

    gradient: bool  # the backward pass
    clip: bool  # the update of all weights at once, when the whole gradient is known
    shards: bool
    input_scale: bool


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
    arguments = dtype, run, Minibatch(0, 0, 0, 0, 0, dtype.type(1), 0, 0, 0)

    def address(kind, kernel, is_used=True, n_numbers=0):
        return kind.address_for(kernel, *arguments, *[0] * n_numbers) if is_used else 0

    passes = NO_PASSES._replace(
        forward=address(PASS, forward.forward),
        backward=address(PASS, backward.backward, uses.gradient),
        update_all=address(PASS, update.update_all, uses.clip),
        update_block=address(BLOCK_UPDATE, update.update_block, uses.gradient, 2),
        **_bind_optional_steps(address, architecture, layout, uses),
    )
    if not uses.shards:
        return passes
    return passes._replace(
        forward=address(PASS, shards.forward_backward_shards),
        backward=address(PASS, shards.reduce_shards_and_update),
        shard_forward=passes.forward,
        shard_backward=passes.backward,
    )


def _bind_optional_steps(address, architecture, layout, uses):
    """Return the addresses of the steps that only some networks have, by field of ``Passes``."""

    def step(kernel, is_used):
        return address(UNITS_STEP, kernel, is_used, 5)

    normalizes = architecture.batch_norm is not None
    drops = uses.gradient and any(layer.dropout for layer in architecture.hidden)
    splits = uses.gradient and not uses.shards and _may_split_k(layout)
    # Penalties of a linear path are summed with those of the output layer.
    sums_first = uses.gradient and not architecture.skip
    sums_first = sums_first and sums_penalties_first(
        MOST_THREADS, layout.n_layers, int(uses.shards)
    )
    return {
        "sum_penalties": address(BLOCK_UPDATE, update.sum_penalties, sums_first, 2),
        "update_scaled_weights": address(
            BLOCK_UPDATE, input_scale.update_scaled_weights, uses.input_scale, 2
        ),
        "add_skip": address(SKIP, skip.add_skip, architecture.skip, 2),
        "compute_skip_gradient": address(
            SKIP, skip.compute_skip_gradient, architecture.skip and uses.gradient, 2
        ),
        "drop_inputs": step(dropout.drop_inputs, uses.gradient and architecture.input_dropout > 0),
        "apply_dropout": step(dropout.apply_dropout, drops),
        "backpropagate_dropout": step(dropout.backpropagate_dropout, drops),
        "apply_batch_norm": step(batch_norm.apply_batch_norm, normalizes),
        "backpropagate_batch_norm": step(
            batch_norm.backpropagate_batch_norm, normalizes and uses.gradient
        ),
        "compute_split_k": address(LAYER_PASS, split_k.compute_split_k, splits, 1),
        "add_partial_z": step(split_k.add_partial_z, splits),
    }


def _may_split_k(layout):
    """Return whether a hidden layer is so large that minibatches of some size use split-K."""
    widths = zip(layout.fan_ins[:-1].tolist(), layout.fan_outs[:-1].tolist(), strict=True)
    return any(uses_split_k(Shape(fan_in // 2, fan_in, fan_out, 1)) for fan_in, fan_out in widths)
