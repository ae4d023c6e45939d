"""Microkernels of matrix products: register tiles, written as LLVM IR.

A tile is a block of C = start + A B that is kept in vector registers. It begins with the block of
``start``, or zeros, and adds one outer product after another: elements of a column of A times
vectors of a row of B. Nothing is packed beforehand; the rows of B are read where they are.

Plain tiles are in this file, narrow ones in :mod:`narrow_tiles`. The arguments of a tile are those
of :data:`matmul.product` without ``m`` and ``n``, which are known when it is built:

    depth               inner dimension: columns of A, rows of B
    a, a_row, a_step    pointer to the first element of A; distance between its rows and columns
    b, b_step           pointer to the first element of B; distance between its rows
    start, start_row    the same for the matrix to begin with; a negative distance stands for zeros
    c, c_row            the same for the result
    rest                number of columns in the last vector of a row, if that is not full

Distances count elements.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .emitter import INT, REGISTER_BYTES, Emitter

_NAMES = [
    "depth",
    "a",
    "a_row",
    "a_step",
    "b",
    "b_step",
    "start",
    "start_row",
    "c",
    "c_row",
    "rest",
]


class Tile:
    """An LLVM function that computes one tile; subclasses emit what differs between kinds of tiles.

    Parameters
    ----------
    module : llvmlite.ir.Module
        Where the function goes.
    scalar : llvmlite.ir.FloatType or llvmlite.ir.DoubleType
    """

    depth = 1  # columns of A that an iteration of the loop reads

    def __init__(self, module, scalar):
        self.module = module
        self.scalar = scalar
        self.lanes = REGISTER_BYTES // (4 if isinstance(scalar, ir.FloatType) else 8)

    def function(self):
        """Return the function, built once a module."""
        name = f"sknn_{self.name}_v{self.lanes}"
        known = self.module.globals.get(name)
        if known is not None:
            return known
        pointer = self.scalar.as_pointer()
        kinds = [INT, pointer, INT, INT, pointer, INT, pointer, INT, pointer, INT, INT]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        self._build(function)
        return function

    def _build(self, function):
        for name, argument in zip(_NAMES, function.args, strict=True):
            setattr(self, f"_{name}", argument)
        entry, load, loop, body, tail, done = (
            function.append_basic_block(f"tile_{i}") for i in range(6)
        )
        self.ir = ir.IRBuilder(entry)
        self.whole = Emitter(self.ir, self.scalar, self.lanes)
        self._prepare()
        self.ir.cbranch(self.ir.icmp_signed(">=", self._start_row, INT(0)), load, loop)

        self.ir.position_at_end(load)
        started = self._load_start()
        self.ir.branch(loop)

        step, a_offset, b, sums = self._build_loop(entry, load, loop, body, tail, started)

        self.ir.position_at_end(tail)
        sums = self._add_tail(sums, a_offset, b, self.ir.sub(self._depth, step), done)
        self._store(sums)
        self.ir.ret_void()

    def _build_loop(self, entry, load, loop, body, tail, started):
        """Emit the loop over the inner dimension.

        Parameters
        ----------
        entry, load, loop, body, tail : llvmlite.ir.Block
            The loop is entered from the first two; ``loop`` and ``body`` are its own, and it leaves
            for ``tail``.
        started : list of llvmlite.ir.Value
            What ``load`` has put into the registers.

        Returns
        -------
        step, a_offset, b, sums
            Columns of A that were read, where to go on in A and B, and the registers.
        """
        self.ir.position_at_end(loop)
        step = self._phi(INT, [(INT(0), entry), (INT(0), load)])
        a_offset = self._phi(INT, [(INT(0), entry), (INT(0), load)])
        b = self._phi(self._b.type, [(self._b, entry), (self._b, load)])
        sums = [
            self._phi(self.whole.vector, [(self.whole.zero(), entry), (value, load)])
            for value in started
        ]
        after = self.ir.add(step, INT(self.depth))
        self.ir.cbranch(self.ir.icmp_signed("<=", after, self._depth), body, tail)

        self.ir.position_at_end(body)
        for total, value in zip(sums, self._add(sums, a_offset, b), strict=True):
            total.add_incoming(value, body)
        step.add_incoming(after, body)
        a_offset.add_incoming(
            self.ir.add(a_offset, self.ir.mul(self._a_step, INT(self.depth))), body
        )
        b.add_incoming(self.whole.at(b, self.ir.mul(self._b_step, INT(self.depth))), body)
        self.ir.branch(loop)
        return step, a_offset, b, sums

    def _phi(self, kind, incoming):
        phi = self.ir.phi(kind)
        for value, block in incoming:
            phi.add_incoming(value, block)
        return phi

    def _add_tail(self, sums, a_offset, b, count, done):
        """Add what is left of the inner dimension, then continue in the block ``done``.

        Parameters
        ----------
        sums : list of llvmlite.ir.Value
            The registers.
        a_offset, b : llvmlite.ir.Value
            Where to go on in A and B.
        count : llvmlite.ir.Value
            Columns of A that are left, fewer than ``depth``.
        done : llvmlite.ir.Block
        """
        self.ir.branch(done)
        self.ir.position_at_end(done)
        return sums


class _PlainTile(Tile):
    """A tile of ``rows`` x ``vectors`` registers, where no register holds parts of two rows.

    If ``masked``, the last vector of a row has only ``rest`` columns.
    """

    def __init__(self, module, scalar, rows, vectors, masked):
        super().__init__(module, scalar)
        self.rows = rows
        self.vectors = vectors
        self.masked = masked
        self.name = f"tile_{rows}x{vectors}{'m' if masked else ''}"

    def _prepare(self):
        mask = self.whole.first_lanes(self._rest) if self.masked else None
        self._masks = [None] * (self.vectors - 1) + [mask]
        self._a_rows = [
            self.whole.at(self._a, self.ir.mul(self._a_row, INT(i))) for i in range(self.rows)
        ]

    def _vectors(self, first, row_length):
        """Yield a pointer to each vector of a matrix, and its mask."""
        for i in range(self.rows):
            for v, mask in enumerate(self._masks):
                offset = self.ir.add(self.ir.mul(row_length, INT(i)), INT(v * self.lanes))
                yield self.whole.at(first, offset), mask

    def _load_start(self):
        return [
            self.whole.load(pointer, mask)
            for pointer, mask in self._vectors(self._start, self._start_row)
        ]

    def _add(self, sums, a_offset, b):
        vectors = [
            self.whole.load(self.whole.at(b, INT(v * self.lanes)), mask)
            for v, mask in enumerate(self._masks)
        ]
        factors = (
            self.whole.spread(self.ir.load(self.whole.at(a, a_offset))) for a in self._a_rows
        )
        pairs = ((factor, vector) for factor in factors for vector in vectors)
        return [
            self.whole.multiply_add(*pair, total) for pair, total in zip(pairs, sums, strict=True)
        ]

    def _store(self, sums):
        for total, (pointer, mask) in zip(sums, self._vectors(self._c, self._c_row), strict=True):
            self.whole.store(total, pointer, mask)


def as_kernel(make):
    """Return an intrinsic that calls the tile which ``make(module, scalar)`` returns.

    Its arguments are ``i``, the number of the tile's first row, and those at the top of the file,
    for tiles from row 0 on.
    """

    @intrinsic
    def tile(
        typing_context, i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest
    ):
        """See the top of the file for the arguments."""

        def codegen(context, builder, signature, values):
            i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest = values
            a, start, c = (
                builder.gep(first, [builder.mul(i, row)])
                for first, row in ((a, a_row), (start, start_row), (c, c_row))
            )
            scalar = context.get_value_type(signature.args[9].dtype)
            function = make(builder.module, scalar).function()
            builder.call(
                function, [depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest]
            )
            return context.get_dummy_value()

        n = types.int64
        return types.void(n, n, a, n, n, b, n, start, n, c, n, n), codegen

    return tile


def plain_tile(rows, vectors, *, masked):
    """Return an intrinsic for a tile of ``rows`` rows of ``vectors`` registers each."""
    return as_kernel(lambda module, scalar: _PlainTile(module, scalar, rows, vectors, masked))


@intrinsic
def lanes_of(typing_context, vector):
    """Return how many elements of ``vector`` fit into a register."""

    def codegen(context, builder, signature, values):
        return INT(REGISTER_BYTES // (vector.dtype.bitwidth // 8))

    return types.int64(vector), codegen


def memory_on_stack(size):
    """Return an intrinsic for memory that lasts until the calling kernel returns.

    With a pointer as its argument, it returns a pointer to memory for ``size`` numbers of that
    type.
    """

    @intrinsic
    def memory(typing_context, like):
        def codegen(context, builder, signature, values):
            scalar = context.get_value_type(like.dtype)
            memory = cgutils.alloca_once(builder, ir.ArrayType(scalar, size))
            return builder.bitcast(memory, scalar.as_pointer())

        return types.CPointer(like.dtype)(like), codegen

    return memory
