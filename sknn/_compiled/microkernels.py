"""Register tiles, of which matrix products are made, written as LLVM IR for the vector registers of
this processor.

A tile is a block of C = start + A B. It begins with the block of ``start``, or zeros, and adds one
outer product after another: elements of a column of A times vectors of a row of B. Nothing is
packed beforehand; the rows of B are read where they are.
"""

import itertools

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

INT = ir.IntType(64)
INDEX = ir.IntType(32)
_FLAG = ir.IntType(1)


def _vector_unit():
    """Return ``(bytes of a vector register, rows of the largest tile)`` of this processor."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 8
    if features.get("avx2"):
        return 32, 4
    return 16, 8 if features.get("neon") else 4


REGISTER_BYTES, MOST_ROWS = _vector_unit()
# registers that a tile of one vector a row adds to by turns, since each waits some cycles for its
# last sum
SUMS = 8


class Emitter:
    """Emit pieces of IR about vectors of ``lanes`` numbers of a type."""

    def __init__(self, builder, scalar, lanes):
        self.ir = builder
        self.module = builder.module
        self.scalar = scalar
        self.lanes = lanes
        self.size = 4 if isinstance(scalar, ir.FloatType) else 8
        self.vector = ir.VectorType(scalar, lanes)
        self.tag = f"v{lanes}f{8 * self.size}"

    def at(self, pointer, offset):
        """Return the place ``offset`` elements behind ``pointer``."""
        return self.ir.gep(pointer, [offset])

    def zero(self):
        """Return a vector of zeros."""
        return ir.Constant(self.vector, [0.0] * self.lanes)

    def spread(self, value):
        """Return a vector with ``value`` in every lane."""
        kind = ir.VectorType(value.type, self.lanes)
        first = self.ir.insert_element(ir.Constant(kind, ir.Undefined), value, INDEX(0))
        return self.shuffle(first, first, [0] * self.lanes)

    def shuffle(self, one, other, lanes):
        """Return the chosen lanes of two vectors behind each other."""
        return self.ir.shuffle_vector(
            one, other, ir.Constant(ir.VectorType(INDEX, len(lanes)), lanes)
        )

    def first_lanes(self, count):
        """Return the mask of the first ``count`` lanes."""
        numbers = ir.Constant(ir.VectorType(INT, self.lanes), list(range(self.lanes)))
        return self.ir.icmp_signed("<", numbers, self.spread(count))

    def load(self, pointer, mask=None):
        """Load a vector, or its lanes in ``mask``, the others being zero."""
        pointer = self.ir.bitcast(pointer, self.vector.as_pointer())
        if mask is not None:
            return self._call(
                f"llvm.masked.load.{self.tag}.p0",
                self.vector,
                pointer,
                INDEX(self.size),
                mask,
                self.zero(),
            )
        value = self.ir.load(pointer)
        value.align = self.size
        return value

    def store(self, value, pointer, mask=None):
        """Store a vector, or its lanes in ``mask``."""
        pointer = self.ir.bitcast(pointer, self.vector.as_pointer())
        if mask is not None:
            self._call(
                f"llvm.masked.store.{self.tag}.p0",
                ir.VoidType(),
                value,
                pointer,
                INDEX(self.size),
                mask,
            )
        else:
            self.ir.store(value, pointer).align = self.size

    def multiply_add(self, factor, other, total):
        """Return ``factor * other + total``, rounded once."""
        return self._call(f"llvm.fma.{self.tag}", self.vector, factor, other, total)

    def _call(self, name, result, *arguments):
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.ir.call(cgutils.get_or_insert_function(self.module, kind, name), arguments)


class _Tile:
    """A function that computes one tile; what differs between kinds of tiles is left to subclasses.

    Its arguments are those of :data:`_products.product`, for a tile whose size is known but for
    ``rest``, columns in its last vector.
    """

    depth = 1  # of the outer product that is added at a time

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
        names = (
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
        )
        for name, argument in zip(names, function.args, strict=True):
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

        self.ir.position_at_end(tail)
        sums = self._add_tail(sums, a_offset, b, self.ir.sub(self._depth, step), done)
        self._store(sums)
        self.ir.ret_void()

    def _phi(self, kind, incoming):
        phi = self.ir.phi(kind)
        for value, block in incoming:
            phi.add_incoming(value, block)
        return phi

    def _add_tail(self, sums, a_offset, b, count, done):
        """Add the last ``count`` < ``depth`` columns of A times rows of B and go on in the block
        ``done``.
        """
        self.ir.branch(done)
        self.ir.position_at_end(done)
        return sums


class _PlainTile(_Tile):
    """``rows`` x ``vectors`` registers, the last vector ``masked`` to its first ``rest`` lanes:
    each row of C has its own ones.
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

    def _places(self, pointer, row_length):
        for i in range(self.rows):
            for v, mask in enumerate(self._masks):
                yield (
                    self.whole.at(
                        pointer, self.ir.add(self.ir.mul(row_length, INT(i)), INT(v * self.lanes))
                    ),
                    mask,
                )

    def _load_start(self):
        return [
            self.whole.load(place, mask)
            for place, mask in self._places(self._start, self._start_row)
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
        for total, (place, mask) in zip(sums, self._places(self._c, self._c_row), strict=True):
            self.whole.store(total, place, mask)


class _NarrowTile(_Tile):
    """``vectors`` registers for a matrix C that fits into half of one: even and odd lanes add up
    different things, column by column.

    These are two rows of C, whose elements of A stand together (``a_row`` is 1), or two sums for
    one row, over the even and the odd elements of the inner dimension (``a_step`` is 1), which are
    added in the end.
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

    def _places(self, pointer, row_length):
        for i in range(self.vectors * (2 if self.pairs_rows else 1)):
            yield self.whole.at(pointer, self.ir.mul(row_length, INT(i)))

    def _alternating(self, even, odd):
        return self.half.shuffle(
            even, odd, [i // 2 + i % 2 * self.half.lanes for i in range(self.lanes)]
        )

    def _load_start(self):
        rows = [
            self.half.load(place, self._mask)
            for place in self._places(self._start, self._start_row)
        ]
        pairs = (
            zip(rows[::2], rows[1::2], strict=True)
            if self.pairs_rows
            else ((row, self.half.zero()) for row in rows)
        )
        return [self._alternating(*pair) for pair in pairs]

    def _add(self, sums, a_offset, b):
        even = self.half.load(b, self._mask)
        odd = (
            even if self.pairs_rows else self.half.load(self.whole.at(b, self._b_step), self._mask)
        )
        pairs = (self.pair.load(self.whole.at(a, a_offset)) for a in self._a_pairs)
        factors = (self.pair.shuffle(pair, pair, [0, 1] * self.half.lanes) for pair in pairs)
        return self._added(factors, self._alternating(even, odd), sums)

    def _added(self, factors, vector, sums):
        return [
            self.whole.multiply_add(factor, vector, total)
            for factor, total in zip(factors, sums, strict=True)
        ]

    def _add_tail(self, sums, a_offset, b, count, done):
        """Where the inner dimension is odd, its last element belongs to the even sums."""
        before = self.ir.block
        last = self.ir.append_basic_block("last")
        self.ir.cbranch(self.ir.icmp_signed(">", count, INT(0)), last, done)
        self.ir.position_at_end(last)
        vector = self._alternating(self.half.load(b, self._mask), self.half.zero())
        factors = (
            self.whole.spread(self.ir.load(self.whole.at(a, a_offset))) for a in self._a_pairs
        )
        longer = self._added(factors, vector, sums)
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
        for row, place in zip(rows, self._places(self._c, self._c_row), strict=True):
            self.half.store(row, place, self._mask)


def _as_kernel(make):
    """Return an intrinsic for the tile that ``make(module, scalar)`` returns, with its arguments
    behind the number of its first row.
    """

    @intrinsic
    def tile(
        typing_context, i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest
    ):
        def codegen(context, builder, signature, values):
            i, depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest = values
            a, start, c = (
                builder.gep(place, [builder.mul(i, row)])
                for place, row in ((a, a_row), (start, start_row), (c, c_row))
            )
            function = make(
                builder.module, context.get_value_type(signature.args[9].dtype)
            ).function()
            builder.call(
                function, [depth, a, a_row, a_step, b, b_step, start, start_row, c, c_row, rest]
            )
            return context.get_dummy_value()

        n = types.int64
        return types.void(n, n, a, n, n, b, n, start, n, c, n, n), codegen

    return tile


def plain_tile(rows, vectors, *, masked):
    """Return a kernel for a tile of so many rows and vectors a row."""
    return _as_kernel(lambda module, scalar: _PlainTile(module, scalar, rows, vectors, masked))


def narrow_tile(vectors, *, pairs_rows):
    """Return a kernel for a tile of so many vectors, each for two rows, or for two sums of one
    row.
    """
    return _as_kernel(lambda module, scalar: _NarrowTile(module, scalar, vectors, pairs_rows))


@intrinsic
def lanes_of(typing_context, vector):
    """Return how many elements of a vector fit into a register."""

    def codegen(context, builder, signature, values):
        return INT(REGISTER_BYTES // (vector.dtype.bitwidth // 8))

    return types.int64(vector), codegen
