"""The addresses of the engine's passes: those that a run needs, so that no others are compiled."""

from .._compiled.kinds import BLOCK_UPDATE, PASS, SKIP
from .._engine import backward, forward, shards
from .._engine.input_scale import update_scaled_weights
from .._engine.skip import add_skip, compute_skip_gradient
from .._engine.structs import Minibatch, Passes
from .._engine.update import update_all, update_block

UNBOUND = Passes(*[0] * len(Passes._fields))


def bind_passes(run, *, with_gradient, clip, has_skip):
    """Return the passes of a run.

    Parameters
    ----------
    run : Run
        Complete but for its passes.
    with_gradient : bool
        Whether the entry point runs the backward pass.
    clip : bool
        Whether it updates all weights at once.
    has_skip : bool
        Whether there is a linear path from the inputs to the outputs.
    """
    dtype = run.network.weights.dtype
    arguments = dtype, run, Minibatch(0, 0, 0, 0, 0, dtype.type(1), 0, 0, 0)
    block = *arguments, 0, 0
    passes = UNBOUND._replace(forward=PASS.address_for(forward.forward, *arguments))
    if has_skip:
        passes = passes._replace(add_skip=SKIP.address_for(add_skip, *block))
    if with_gradient:
        passes = passes._replace(
            backward=PASS.address_for(backward.backward, *arguments),
            update_block=BLOCK_UPDATE.address_for(update_block, *block),
        )
    if with_gradient and has_skip:
        gradient = SKIP.address_for(compute_skip_gradient, *block)
        passes = passes._replace(compute_skip_gradient=gradient)
    if clip:
        passes = passes._replace(update_all=PASS.address_for(update_all, *arguments))
    if run.update.input_scale.size > 0:
        scaled = BLOCK_UPDATE.address_for(update_scaled_weights, *block)
        passes = passes._replace(update_scaled_weights=scaled)
    if run.shard_rows:
        passes = passes._replace(
            forward=PASS.address_for(shards.forward_backward_shards, *arguments),
            backward=PASS.address_for(shards.reduce_shards_and_update, *arguments),
            shard_forward=passes.forward,
            shard_backward=passes.backward,
        )
    return passes
