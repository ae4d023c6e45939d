"""Microkernels for matrix products with few columns and many rows: registers hold columns of C.

See :mod:`microkernels` for what tiles are, and for their arguments.
"""

from numba import types
from numba.extending import intrinsic

from .emitter import INT, Emitter
from .microkernels import Tile
from .transpose import transpose_squares

TRANSPOSED = 8
TWO_CHAINS = 16
# Each is a number of columns, and how they are computed. The fewer tiles, the shorter compilation.
_TILES = (5, 5 + TRANSPOSED, 3 + TRANSPOSED, 5 + TWO_CHAINS, 3 + TWO_CHAINS, 2 + TWO_CHAINS)


class _TallTile(Tile):
    """A tile of a few columns of C, with as many rows as a register has lanes.

    A column of A is multiplied by one element of B after another. If A is TRANSPOSED, its columns
    are there (``a_row`` is 1). Otherwise its rows are (``a_step`` is 1), and squares of A are
    transposed in registers, while the processor multiplies columns of the square before. C is
    transposed likewise before it is stored.

    With TWO_CHAINS an element of C is the sum of two partial sums, over the even and the odd
    elements of the inner dimension.

    All rows of ``start`` have to be the same (``start_row`` is 0), or zeros. Unless A is
    TRANSPOSED, the inner dimension has at least as many elements as half a register.
    """

    def __init__(self, module, scalar, columns, variant):
        super().__init__(module, scalar)
        self.columns = columns
        self.is_transposed = variant == TRANSPOSED
        self.chains = 2 if variant == TWO_CHAINS else 1
        self.side = self.lanes // 2  # of a square
        self.depth = 1 if self.is_transposed else self.side
        self.name = f"tall_tile_{columns + variant}"

    def _prepare(self):
        self.half = Emitter(self.ir, self.scalar, self.side)

    def _elements(self, row):
        """Load the tile's elements of a row of B or ``start``, each into all lanes."""
        for j in range(self.columns):
            yield self.whole.spread(self.ir.load(self.whole.at(row, INT(j))))

    def _load_start(self):
        zeros = [self.whole.zero()] * (self.columns * (self.chains - 1))
        return [*self._elements(self._start), *zeros]

    def _build_loop(self, entry, load, loop, body, tail, started):
        """Emit the loop over squares; see the base class.

        Of the first square only so many columns are added that whole squares are left.
        """
        self.ir.position_at_end(loop)
        left = self._phi(INT, [(self._depth, entry), (self._depth, load)])
        a = self._phi(self._a.type, [(self._a, entry), (self._a, load)])
        b = self._phi(self._b.type, [(self._b, entry), (self._b, load)])
        zero = self.whole.zero()
        sums = [self._phi(zero.type, [(zero, entry), (value, load)]) for value in started]
        last = self.ir.and_(self.ir.sub(left, INT(1)), INT(self.depth - 1))
        after, *totals = self._add_columns(self._load_columns(a), last, b, sums, body)

        count = self.ir.add(last, INT(1))
        fewer = self.ir.sub(left, count)
        left.add_incoming(fewer, body)
        a.add_incoming(self.whole.at(a, self.ir.mul(self._a_step, count)), body)
        b.add_incoming(after, body)
        for total, value in zip(sums, totals, strict=True):
            total.add_incoming(value, body)
        self.ir.cbranch(self.ir.icmp_signed(">", fewer, INT(0)), loop, tail)
        return self._depth, None, after, totals

    def _load_columns(self, a):
        """Return ``depth`` columns of A."""
        if self.is_transposed:
            return [self.whole.load(a)]
        rows = [
            self.half.load(self.whole.at(a, self.ir.mul(self._a_row, INT(i))))
            for i in range(self.lanes)
        ]
        # Two squares side by side fill the registers.
        pairs = zip(rows[: self.side], rows[self.side :], strict=True)
        lanes = list(range(self.lanes))
        return transpose_squares(self.whole, [self.half.shuffle(*pair, lanes) for pair in pairs])

    def _add_columns(self, columns, last, b, sums, done):
        """Add columns of A times rows of B, then continue in a block.

        Parameters
        ----------
        columns : list of llvmlite.ir.Value
        last : llvmlite.ir.Value
            Number of the last column that is to be added.
        b : llvmlite.ir.Value
            Where the rows of B begin.
        sums : list of llvmlite.ir.Value
            The registers, those of the chain to begin with in front.
        done : llvmlite.ir.Block

        Returns
        -------
        list of llvmlite.ir.Value
            Where to go on in B, and the registers.
        """
        states = []
        for number, column in enumerate(columns):
            pairs = zip(self._elements(b), sums[: self.columns], strict=True)
            longer = [self.whole.multiply_add(factor, column, total) for factor, total in pairs]
            sums = sums[self.columns :] + longer  # the chains take turns
            b = self.whole.at(b, self._b_step)
            states.append([(value, self.ir.block) for value in (b, *sums)])
            following = self.ir.append_basic_block("column")
            self.ir.cbranch(self.ir.icmp_signed(">", last, INT(number)), following, done)
            self.ir.position_at_end(following)
        self.ir.unreachable()
        self.ir.position_at_end(done)
        return [self._phi(incoming[0][0].type, incoming) for incoming in zip(*states, strict=True)]

    def _store(self, sums):
        if self.chains == 2:
            sums = list(map(self.ir.fadd, sums[: self.columns], sums[self.columns :]))
        for first in range(0, self.columns, self.side):
            square = sums[first : first + self.side]
            mask = self.half.first_lanes(INT(len(square)))
            square += [self.whole.zero()] * (self.side - len(square))
            for i, pair in enumerate(transpose_squares(self.whole, square)):
                for half in range(2):
                    row = self.ir.mul(self._c_row, INT(i + half * self.side))
                    lanes = list(range(half * self.side, (half + 1) * self.side))
                    pointer = self.whole.at(self._c, self.ir.add(row, INT(first)))
                    self.half.store(self.whole.shuffle(pair, pair, lanes), pointer, mask)


@intrinsic
def tall_tile(typing_context, kind, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    """Compute a tile.

    Parameters
    ----------
    kind : int64
        Number of columns: 5, 3 with TRANSPOSED or TWO_CHAINS added, or 2 with TWO_CHAINS.
    depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row
        See :mod:`microkernels`.
    """

    def codegen(context, builder, signature, values):
        kind, *arguments = values
        scalar = context.get_value_type(c.dtype)
        done = builder.append_basic_block("done")
        switch = builder.switch(kind, done)
        for number in _TILES:
            block = builder.append_basic_block("tile")
            switch.add_case(INT(number), block)
            builder.position_at_end(block)
            columns = number % TRANSPOSED
            function = _TallTile(builder.module, scalar, columns, number - columns).function()
            builder.call(function, [*arguments, INT(columns)])
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, n, a, n, n, b, n, start, n, c, n), codegen
