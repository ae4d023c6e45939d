"""Regularizers of the weights (intercepts are never penalised): a kernel over a block of weights, and a row in ``REGULARIZERS``.

    penalize(w, strength, g, totals)     g += strength dP/dw,  totals[1] += strength P(w)

``strength`` is ``alpha`` over the weight of the batch. To add one: write its kernel, add its row, add its formula to ``REFERENCE`` in
tests/test_regularizers.py.
"""

from collections.abc import Callable
from typing import NamedTuple

from ._jit import jit

PENALIZE = "run scalar run totals"


@jit(reassociate=True)
def _l2(w, strength, g, totals):
    squares = strength * 0
    for i in range(w.size):
        squares += w[i] * w[i]
        g[i] += strength * w[i]
    totals[1] += 0.5 * strength * squares


class Regularizer(NamedTuple):
    """A penalty on weights."""

    penalize: Callable
    formula: str


REGULARIZERS = {
    "l2": Regularizer(_l2, "P(w) = w^2 / 2"),
}
