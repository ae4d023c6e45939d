"""Microkernels for matrix products with few columns, of which a plain tile would fill no register.

See :mod:`microkernels` for what tiles are, and for their arguments.
"""

import itertools

from .emitter import INT, Emitter
from .microkernels import Tile, as_kernel


class _NarrowTile(Tile):
    """A tile of ``vectors`` registers for a matrix C whose rows fit into half a register.

    Even and odd lanes of a register accumulate different sums. If ``pairs_rows``, they are two rows
    of C, whose elements of A must be adjacent (``a_row`` is 1). Otherwise they are two partial sums
    of one row, over the even and the odd elements of the inner dimension, which must be adjacent
    (``a_step`` is 1); the two are added at the end.
    """

    def __init__(self, module, scalar, vectors, pairs_rows):
        super().__init__(module, scalar)
        self.vectors = vectors
        self.pairs_rows = pairs_rows
        self.depth = 1 if pairs_rows else 2
        self.name = f"tile_of_{vectors}_pairs_of_{'rows' if pairs_rows else 'sums'}"

    def _prepare(self):
        self.half = Emitter(self.ir, self.scalar, self.lanes // 2)
        self.pair = Emitter(self.ir, self.scalar, 2)
        self._mask = self.half.first_lanes(self._rest)
        offsets = (
            INT(2 * i) if self.pairs_rows else self.ir.mul(self._a_row, INT(i))
            for i in range(self.vectors)
        )
        self._a_pairs = [self.whole.at(self._a, offset) for offset in offsets]

    def _rows(self, first, row_length):
        """Yield a pointer to each row of a matrix."""
        for i in range(self.vectors * (2 if self.pairs_rows else 1)):
            yield self.whole.at(first, self.ir.mul(row_length, INT(i)))

    def _interleave(self, even, odd):
        return self.half.shuffle(
            even, odd, [i // 2 + i % 2 * self.half.lanes for i in range(self.lanes)]
        )

    def _load_start(self):
        rows = [
            self.half.load(pointer, self._mask)
            for pointer in self._rows(self._start, self._start_row)
        ]
        pairs = (
            zip(rows[::2], rows[1::2], strict=True)
            if self.pairs_rows
            else ((row, self.half.zero()) for row in rows)
        )
        return [self._interleave(*pair) for pair in pairs]

    def _add(self, sums, a_offset, b):
        even = self.half.load(b, self._mask)
        odd = (
            even if self.pairs_rows else self.half.load(self.whole.at(b, self._b_step), self._mask)
        )
        pairs = (self.pair.load(self.whole.at(a, a_offset)) for a in self._a_pairs)
        factors = (self.pair.shuffle(pair, pair, [0, 1] * self.half.lanes) for pair in pairs)
        return self._multiply_add(factors, self._interleave(even, odd), sums)

    def _multiply_add(self, factors, vector, sums):
        return [
            self.whole.multiply_add(factor, vector, total)
            for factor, total in zip(factors, sums, strict=True)
        ]

    def _add_tail(self, sums, a_offset, b, count, done):
        """Add the last element of an odd inner dimension to the even sums; see the base class."""
        before = self.ir.block
        last = self.ir.append_basic_block("last")
        self.ir.cbranch(self.ir.icmp_signed(">", count, INT(0)), last, done)
        self.ir.position_at_end(last)
        vector = self._interleave(self.half.load(b, self._mask), self.half.zero())
        factors = (
            self.whole.spread(self.ir.load(self.whole.at(a, a_offset))) for a in self._a_pairs
        )
        longer = self._multiply_add(factors, vector, sums)
        self.ir.branch(done)
        self.ir.position_at_end(done)
        return [
            self._phi(self.whole.vector, [(total, before), (value, last)])
            for total, value in zip(sums, longer, strict=True)
        ]

    def _store(self, sums):
        pairs = [
            [self.whole.shuffle(total, total, list(range(i, self.lanes, 2))) for i in range(2)]
            for total in sums
        ]
        rows = (
            itertools.chain(*pairs) if self.pairs_rows else (self.ir.fadd(*pair) for pair in pairs)
        )
        for row, pointer in zip(rows, self._rows(self._c, self._c_row), strict=True):
            self.half.store(row, pointer, self._mask)


def narrow_tile(vectors, *, pairs_rows):
    """Return an intrinsic for a tile of registers that hold two rows, or two sums of one row."""
    return as_kernel(lambda module, scalar: _NarrowTile(module, scalar, vectors, pairs_rows))
