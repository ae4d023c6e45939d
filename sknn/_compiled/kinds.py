"""The kinds of kernels that are called by address: their argument types, addresses and typed calls.

Which activation, loss or optimizer runs is chosen at fit time, so the engine calls these kernels
through addresses. A kind is the contract between the two sides: a part's file declares kernels of
the kind, the runtime asks it for their addresses, and the engine calls them through it. Numba
checks each call against the kind while it compiles, since a mismatch would otherwise read garbage.

Argument types, separated by blanks:

    vector           C-contiguous vector of the network's dtype
    scalar           number of the network's dtype
    int64            integer
    int64_vector     C-contiguous vector of int64
    float64_vector   C-contiguous vector of float64, for sums
    pointer          address of an element of a vector, from :func:`intrinsics.at`
    Run, Minibatch   reference to a NamedTuple of that name, see :mod:`_engine.structs`
"""

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from .jit import INTERPRETED, compiled_address, interpreted_kernels
from .references import is_reference_to, reference_type

_PACKED = (types.StarArgTuple, types.StarArgUniTuple)  # how ``*arguments`` arrive, once typed
_STRUCTS = ("Run", "Minibatch")
_WITH_DTYPE = ("vector", "scalar", "pointer")


class Kind:
    """A kind of kernel, called by address.

    Parameters
    ----------
    name : str
        For error messages.
    arguments : str
        Types of the arguments, see above.

    Attributes
    ----------
    call : function
        ``call(address, *arguments)``, for kernels.
    """

    def __init__(self, name, arguments):
        self.name = name
        self.arguments = tuple(arguments.split())
        self.call = self._interpreted_call if INTERPRETED else _typed_call(self)
        self._addresses = {}

    def __repr__(self):
        return f"Kind({self.name!r}, {' '.join(self.arguments)!r})"

    def numba_types(self, dtype):
        """Return the Numba types of the arguments for arithmetic in ``dtype``."""
        return tuple(_numba_type(argument, dtype) for argument in self.arguments)

    def address(self, kernel, dtype):
        """Compile or load ``kernel`` and return the address under which other kernels call it.

        Parameters
        ----------
        kernel : function decorated with ``jit``
        dtype : numpy.dtype

        Raises
        ------
        ValueError
            If Numba cannot compile it for these types, which happens to users' own functions.
        """
        if (kernel, dtype) not in self._addresses:
            signature = None if INTERPRETED else self.numba_types(dtype)
            self._addresses[kernel, dtype] = compiled_address(kernel, signature)
        return self._addresses[kernel, dtype]

    def address_for(self, kernel, dtype, *arguments):
        """Return the address of a kernel of this kind that takes NamedTuples, by reference.

        It is compiled for the types of ``arguments``, which are always the same for one ``dtype``.
        """
        if (kernel, dtype) not in self._addresses:
            signature = None
            if not INTERPRETED:
                signature = tuple(reference_type(numba.typeof(value)) for value in arguments)
                signature = self.expected_types(signature)
            self._addresses[kernel, dtype] = compiled_address(kernel, signature)
        return self._addresses[kernel, dtype]

    def expected_types(self, given):
        """Return the argument types of a call that passes the Numba types ``given``.

        Raises
        ------
        TypingError
            If they do not match.
        """
        if len(given) != len(self.arguments):
            raise TypingError(
                f"{self.name} takes {len(self.arguments)} arguments, got {len(given)}"
            )
        dtype = next(
            (
                types.unliteral(getattr(kind, "dtype", kind))
                for argument, kind in zip(self.arguments, given, strict=True)
                if argument in _WITH_DTYPE
            ),
            None,
        )
        expected = []
        for argument, kind in zip(self.arguments, given, strict=True):
            if argument in _STRUCTS:
                matches = is_reference_to(kind, argument)
                wanted = kind
            else:
                wanted = _numba_type(argument, dtype)
                matches = types.unliteral(kind) == wanted
            if not matches:
                raise TypingError(f"{self.name} takes {argument} ({wanted}), got {kind}: {self!r}")
            expected.append(wanted)
        return tuple(expected)

    def _interpreted_call(self, address, *arguments):
        if len(arguments) != len(self.arguments):
            raise TypeError(f"{self.name} takes {len(self.arguments)} arguments")
        vectors = [a for a, kind in zip(arguments, self.arguments, strict=True) if kind == "vector"]
        if len({vector.dtype for vector in vectors}) > 1:
            raise TypeError(f"{self.name} takes vectors of one dtype")
        interpreted_kernels[address - 1](*arguments)


def _numba_type(argument, dtype):
    scalar = numba.from_dtype(np.dtype(dtype)) if not isinstance(dtype, types.Type) else dtype
    return {
        "vector": types.Array(scalar, 1, "C"),
        "scalar": scalar,
        "int64": types.int64,
        "int64_vector": types.Array(types.int64, 1, "C"),
        "float64_vector": types.Array(types.float64, 1, "C"),
        "pointer": types.CPointer(scalar),
    }[argument]


def _typed_call(kind):
    """Return an intrinsic that calls a kernel of this kind by its address."""

    @intrinsic
    def typed_call(typing_context, address, *arguments):
        given = tuple(arguments)
        if isinstance(given[0], _PACKED):
            given = tuple(given[0])
        expected = kind.expected_types(given)

        def codegen(context, builder, signature, values):
            function_type = context.call_conv.get_function_type(types.none, expected)
            function = builder.inttoptr(values[0], function_type.as_pointer())
            unpacked = cgutils.unpack_tuple(builder, values[1])
            converted = [
                context.cast(builder, value, source, target)
                for value, source, target in zip(unpacked, given, expected, strict=True)
            ]
            status, _ = context.call_conv.call_function(
                builder, function, types.none, expected, converted
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value()

        return types.void(types.int64, types.StarArgTuple(given)), codegen

    return typed_call


# ---- parts -------------------------------------------------------------------------------------
# Which argument is what stands at the top of the file of each kind of part.

ACTIVATION = Kind("activation", "vector scalar vector")
ACTIVATION_BACKWARD = Kind("activation's derivative", "vector vector scalar vector vector")
LOSS = Kind("loss", "vector vector vector int64 vector scalar vector float64_vector")
LINK = Kind("link", "vector int64 vector vector")
PENALTY = Kind("penalty", "vector scalar scalar vector float64_vector")
PROXIMAL_STEP = Kind("proximal step", "vector vector scalar")
OPTIMIZER_STEP = Kind("optimizer step", "vector vector vector vector vector vector")
STEP_SIZES = Kind("step sizes", "vector vector vector vector vector")

# ---- kernels of the engine that only some networks use ------------------------------------------

PRODUCT = Kind(
    "matrix product",
    "int64 int64 int64 pointer int64 int64 pointer int64 pointer int64 pointer int64",
)
NORMALIZE = Kind(
    "batch norm",
    "vector int64 int64 int64 int64 vector vector vector vector vector vector vector vector"
    " vector vector",
)
NORMALIZE_BACKWARD = Kind(
    "batch norm's gradient",
    "vector int64 int64 int64 int64 vector vector vector vector vector vector",
)
DROPOUT = Kind("dropout", "vector int64 int64 scalar vector")
DROPOUT_IN_PLACE = Kind("dropout in place", "vector int64 int64 scalar")
SPARSE_AFFINE = Kind(
    "sparse layer",
    "vector int64_vector int64_vector int64 int64 int64 int64 vector vector int64 int64 int64"
    " vector",
)
SPARSE_WEIGHT_GRADIENT = Kind(
    "sparse layer's gradient",
    "vector int64_vector int64_vector int64 int64 vector int64 int64 int64 int64 vector",
)

# ---- passes of the engine, each compiled once for all that call it ------------------------------

PASS = Kind("pass over a minibatch", "Run Minibatch")
BLOCK_UPDATE = Kind("update of a block of weights", "Run Minibatch int64 int64")

# Numba resolves functions, not attributes of a Kind, as globals of a kernel.
call_activation = ACTIVATION.call
call_activation_backward = ACTIVATION_BACKWARD.call
call_loss = LOSS.call
call_link = LINK.call
call_penalty = PENALTY.call
call_proximal_step = PROXIMAL_STEP.call
call_optimizer_step = OPTIMIZER_STEP.call
call_step_sizes = STEP_SIZES.call
call_product = PRODUCT.call
call_normalize = NORMALIZE.call
call_normalize_backward = NORMALIZE_BACKWARD.call
call_dropout = DROPOUT.call
call_dropout_in_place = DROPOUT_IN_PLACE.call
call_sparse_affine = SPARSE_AFFINE.call
call_sparse_weight_gradient = SPARSE_WEIGHT_GRADIENT.call
call_pass = PASS.call
call_block_update = BLOCK_UPDATE.call
