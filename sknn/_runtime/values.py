"""Where the values of a network's layers stand in scratch memory."""

from typing import NamedTuple

import numpy as np

from .._engine.embedding import N_WAVES
from .architecture import ACTIVATION, BATCH_NORM, DENSE, DROPOUT
from .layout import padded


class _Allocator:
    """Bump allocator: returns consecutive aligned offsets into one buffer."""

    def __init__(self):
        self.size = 0

    def take(self, size):
        """Return the offset of ``size`` elements."""
        offset = self.size
        self.size += padded(size)
        return offset


class _ValueOffsets(NamedTuple):
    """Offsets of each layer's intermediate values in ``Scratch.values``; see ``Network``."""

    z: np.ndarray
    a: np.ndarray
    x_hat: np.ndarray
    before_dropout: np.ndarray
    out: np.ndarray
    waves: int  # of embedded columns


def allocate_values(architecture, layout, n_rows):
    """Return the offsets of all intermediate values of ``n_rows`` rows, and their total size."""
    allocator = _Allocator()
    waves = allocator.take(n_rows * N_WAVES * len(architecture.embedded))
    offsets = _ValueOffsets(*np.zeros((5, layout.n_layers), np.int64), waves)
    # Layers whose derivative needs no z share one block for it.
    shared_z = allocator.take(n_rows * int(layout.fan_outs.max()))
    for operation in architecture.operations:
        layer = operation.layer
        size = n_rows * operation.n_outputs
        if operation.kind == DENSE:
            is_output = layer == layout.n_layers - 1
            needs_z = is_output or architecture.hidden[layer].part.needs_z
            offsets.z[layer] = allocator.take(size) if needs_z else shared_z
            if is_output:
                for column in (offsets.a, offsets.before_dropout, offsets.out):
                    column[layer] = offsets.z[layer]
        elif operation.kind == ACTIVATION:
            for column in (offsets.a, offsets.before_dropout, offsets.out):
                column[layer] = allocator.size
            allocator.take(size)
        elif operation.kind == BATCH_NORM:
            offsets.x_hat[layer] = allocator.take(size)
            if architecture.batch_norm == "after":
                offsets.before_dropout[layer] = offsets.out[layer] = allocator.take(size)
        elif operation.kind == DROPOUT and layer >= 0:
            offsets.out[layer] = allocator.take(size)
    return offsets, allocator.size
