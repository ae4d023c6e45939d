"""The addresses of the engine's passes, of which only those that a network uses are compiled."""

from collections.abc import Callable
from typing import NamedTuple

from .._compiled.ahead import task_by_address
from .._compiled.jit import MOST_THREADS
from .._compiled.kinds import BLOCK_UPDATE, LAYER_PASS, PASS, SKIP, UNITS_STEP, Kind
from .._engine import (
    backward,
    batch_norm,
    dropout,
    embedding,
    forward,
    shards,
    skip,
    split_k,
    update,
)
from .._engine.plan import Shape, sums_penalties_first, uses_split_k
from .._engine.structs import Minibatch, Passes, make_empty
from .reparametrizations import REPARAMETRIZATIONS

NO_PASSES = Passes(*[0] * len(Passes._fields))


class Uses(NamedTuple):
    """What a run uses of the engine."""

    gradient: bool  # the backward pass
    optimizer: bool  # its step
    clip: bool  # the update of all weights at once, when the whole gradient is known
    shards: bool
    reparametrization: str | None  # name of what the first layer's weights are made of


class Pass(NamedTuple):
    """A pass, or a step of one."""

    kind: Kind
    kernel: Callable
    n_numbers: int = 0  # that the kernel takes besides a Run and a Minibatch

    def task(self, run):
        """Return the kernel as a task, see :mod:`sknn._compiled.ahead`."""
        return task_by_address(self.kind, self.kernel, *self._arguments(run))

    def address(self, run):
        """Return the address of the kernel, compiled if need be."""
        dtype = run.network.weights.dtype
        return self.kind.address_for(self.kernel, dtype, *self._arguments(run))

    def _arguments(self, run):
        """Return arguments of the kernel; of them, and of ``run``, only the types matter."""
        batch = make_empty(Minibatch, run.network.weights.dtype)
        return run, batch, *[0] * self.n_numbers


PASSES = {
    "forward": Pass(PASS, forward.forward),
    "backward": Pass(PASS, backward.backward),
    "update_all": Pass(PASS, update.update_all),
    "clip_and_step": Pass(PASS, update.clip_and_step),
    "update_block": Pass(BLOCK_UPDATE, update.update_block, 2),
    "sum_penalties": Pass(BLOCK_UPDATE, update.sum_penalties, 2),
    "add_skip": Pass(SKIP, skip.add_skip, 2),
    "compute_skip_gradient": Pass(SKIP, skip.compute_skip_gradient, 2),
    "embed_inputs": Pass(UNITS_STEP, embedding.embed_inputs, 5),
    "backpropagate_inputs": Pass(PASS, embedding.backpropagate_inputs),
    "drop_inputs": Pass(UNITS_STEP, dropout.drop_inputs, 5),
    "apply_dropout": Pass(UNITS_STEP, dropout.apply_dropout, 5),
    "backpropagate_dropout": Pass(UNITS_STEP, dropout.backpropagate_dropout, 5),
    "apply_batch_norm": Pass(UNITS_STEP, batch_norm.apply_batch_norm, 5),
    "backpropagate_batch_norm": Pass(UNITS_STEP, batch_norm.backpropagate_batch_norm, 5),
    "compute_split_k": Pass(LAYER_PASS, split_k.compute_split_k, 1),
    "add_partial_z": Pass(UNITS_STEP, split_k.add_partial_z, 5),
}
PASSES_IN_SHARDS = {
    "forward": Pass(PASS, shards.forward_backward_shards),
    "backward": Pass(PASS, shards.reduce_shards_and_update),
}
UPDATES_OF_FIRST_LAYER = {
    name: Pass(BLOCK_UPDATE, row.update, 2) for name, row in REPARAMETRIZATIONS.items()
}
ALL_PASSES = [*PASSES.values(), *PASSES_IN_SHARDS.values(), *UPDATES_OF_FIRST_LAYER.values()]


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
    passes = passes_of(architecture, layout, uses)
    return NO_PASSES._replace(**{field: each.address(run) for field, each in passes.items()})


def passes_of(architecture, layout, uses):
    """Return the passes that a run uses, by field of :class:`Passes`; see :func:`bind_passes`."""
    normalizes = architecture.batch_norm is not None
    drops = uses.gradient and any(layer.dropout for layer in architecture.hidden)
    splits = uses.gradient and not uses.shards and _may_split_k(layout)
    # Penalties of a linear path are summed with those of the output layer.
    sums_first = uses.gradient and not architecture.skip
    sums_first = sums_first and sums_penalties_first(
        MOST_THREADS, layout.n_layers, int(uses.shards)
    )
    is_used = {
        "update_block": uses.optimizer and not uses.clip,
        "forward": True,
        "backward": uses.gradient,
        "update_all": uses.clip,
        "clip_and_step": uses.clip and uses.optimizer,
        "sum_penalties": sums_first,
        "add_skip": architecture.skip,
        "compute_skip_gradient": architecture.skip and uses.gradient,
        "embed_inputs": len(architecture.embedded) > 0,
        "backpropagate_inputs": uses.gradient and len(architecture.embedded) > 0,
        "drop_inputs": uses.gradient and architecture.input_dropout > 0,
        "apply_dropout": drops,
        "backpropagate_dropout": drops,
        "apply_batch_norm": normalizes,
        "backpropagate_batch_norm": normalizes and uses.gradient,
        "compute_split_k": splits,
        "add_partial_z": splits,
    }
    passes = {field: PASSES[field] for field, value in is_used.items() if value}
    if uses.reparametrization is not None:
        passes["update_first_layer"] = UPDATES_OF_FIRST_LAYER[uses.reparametrization]
    if uses.shards:
        passes["shard_forward"] = passes["forward"]
        passes["shard_backward"] = passes["backward"]
        passes |= PASSES_IN_SHARDS
    return passes


def _may_split_k(layout):
    """Return whether a hidden layer is so large that minibatches of some size use split-K."""
    widths = zip(layout.fan_ins[:-1].tolist(), layout.fan_outs[:-1].tolist(), strict=True)
    return any(uses_split_k(Shape(fan_in // 2, fan_in, fan_out, 1)) for fan_in, fan_out in widths)
