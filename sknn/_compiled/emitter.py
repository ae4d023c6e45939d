"""LLVM IR for vectors in this processor's registers, for register tiles and transposition."""

import functools
import warnings

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils

INT = ir.IntType(64)
INDEX = ir.IntType(32)

_FEATURES = llvmlite.binding.get_host_cpu_features()


def _vector_unit(features):
    """Return ``(bytes of a vector register, rows of the largest tile)`` of a processor."""
    if features.get("avx512f"):
        return 64, 8
    if features.get("avx2"):
        return 32, 4
    return 16, 8 if features.get("neon") else 4


REGISTER_BYTES, MOST_ROWS = _vector_unit(_FEATURES)


@functools.cache  # once a process
def warn_without_fma():
    """Warn if the processor cannot multiply and add in one instruction.

    All x86 processors since 2013 can (Haswell, Piledriver), and all 64-bit ARM processors.
    """
    if "sse2" in _FEATURES and not _FEATURES.get("fma"):
        warnings.warn(
            "this processor has no fused multiply-add (FMA) instruction, so matrix products call a "
            "library function for each multiplication, which is slow",
            RuntimeWarning,
            stacklevel=2,
        )


class Emitter:
    """Emits instructions on vectors of ``lanes`` numbers of a type.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Where the instructions go.
    scalar : llvmlite.ir.FloatType or llvmlite.ir.DoubleType
    lanes : int
        Numbers in a vector.
    """

    def __init__(self, builder, scalar, lanes):
        self.ir = builder
        self.module = builder.module
        self.scalar = scalar
        self.lanes = lanes
        self.size = 4 if isinstance(scalar, ir.FloatType) else 8
        self.vector = ir.VectorType(scalar, lanes)
        self.tag = f"v{lanes}f{8 * self.size}"

    def at(self, pointer, offset):
        """Return a pointer to the element ``offset`` elements after ``pointer``."""
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
        """Return the chosen lanes of two concatenated vectors."""
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
        warn_without_fma()
        return self._call(f"llvm.fma.{self.tag}", self.vector, factor, other, total)

    def _call(self, name, result, *arguments):
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.ir.call(cgutils.get_or_insert_function(self.module, kind, name), arguments)
