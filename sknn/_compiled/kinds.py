"""The kinds of kernels that are called by address: their argument types, addresses and typed calls.

Which activation, loss or optimizer runs is chosen when a network is fitted, so the engine calls
these kernels by address. A kind is the contract between both sides: a part's file has kernels of
the kind, the runtime asks it for their addresses, and the engine calls them through it. Each call
is checked against the kind while Numba compiles it, since a call by address with other types would
read garbage without an error.

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

from .jit import (
    INTERPRETED,
    compiled_address,
    compiled_function,
    interpreted_address,
    interpreted_kernels,
)
from .references import is_reference_to, reference_type

_PACKED = (types.StarArgTuple, types.StarArgUniTuple)  # how ``*arguments`` arrive, once typed
_STRUCTS = ("Run", "Minibatch")
_WITH_DTYPE = ("vector", "scalar", "pointer")  # of the network's dtype, one for all of a call
_FLOATS = (types.float32, types.float64)


class Kind:
    """A kind of kernel, called by address.

    Parameters
    ----------
    name : str
        For error messages.
    arguments : str
        Types of the arguments, see the top of the file.
    returns_integer : bool, default=False
        Whether such a kernel returns an int64, or nothing.

    Attributes
    ----------
    call : function
        ``call(address, *arguments)``, for kernels. Numba rejects other arguments with a
        TypingError while it compiles the caller; interpreted kernels raise a TypeError.
    """

    def __init__(self, name, arguments, *, returns_integer=False):
        self.name = name
        self.result = types.int64 if returns_integer else types.none
        self.arguments = tuple(arguments.split())
        self.call = self._interpreted_call if INTERPRETED else _typed_call(self)
        self._addresses = {}

    def __repr__(self):
        return f"Kind({self.name!r}, {' '.join(self.arguments)!r})"

    def numba_types(self, dtype):
        """Return the Numba types of the arguments for arithmetic in ``dtype``."""
        scalar = numba.from_dtype(np.dtype(dtype))
        return tuple(_numba_type(argument, scalar) for argument in self.arguments)

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
        return self._address(kernel, dtype, lambda: self.numba_types(dtype))

    def function(self, kernel, dtype):
        """Compile or load ``kernel`` for calls from Python and return it; see :meth:`address`."""
        return kernel if INTERPRETED else compiled_function(kernel, self.numba_types(dtype))

    def address_for(self, kernel, dtype, *arguments):
        """Return the address of a kernel of this kind that takes NamedTuples, by reference.

        It is compiled for the types of ``arguments``, which are always the same for one ``dtype``.
        """
        return self._address(kernel, dtype, lambda: self.types_of(*arguments))

    def types_of(self, *arguments):
        """Return the Numba types of arguments, with NamedTuples by reference."""
        given = (reference_type(numba.typeof(value)) for value in arguments)
        return self.expected_types(tuple(given))

    def _address(self, kernel, dtype, signature):
        if (kernel, dtype) not in self._addresses:
            self._addresses[kernel, dtype] = (
                interpreted_address(kernel)
                if INTERPRETED
                else compiled_address(kernel, signature())
            )
        return self._addresses[kernel, dtype]

    def expected_types(self, given):
        """Return the argument types of a call that passes the Numba types ``given``.

        They are the same, but for literal integers.

        Raises
        ------
        TypingError
            If they do not match.
        """
        self._check_number(given, TypingError)
        given = [types.unliteral(argument_type) for argument_type in given]
        scalar = next(
            (
                getattr(argument_type, "dtype", argument_type)
                for argument, argument_type in zip(self.arguments, given, strict=True)
                if argument in _WITH_DTYPE
            ),
            None,
        )
        for position, (argument, argument_type) in enumerate(
            zip(self.arguments, given, strict=True), start=1
        ):
            if argument in _STRUCTS:
                matches = is_reference_to(argument_type, argument)
            elif argument in _WITH_DTYPE and scalar not in _FLOATS:
                matches = False
            else:
                matches = argument_type == _numba_type(argument, scalar)
            if not matches:
                raise TypingError(self._mismatch(position, argument_type, scalar))
        return tuple(given)

    def _interpreted_call(self, address, *arguments):
        self._check_number(arguments, TypeError)
        dtypes = (
            value.dtype
            for argument, value in zip(self.arguments, arguments, strict=True)
            if argument in ("vector", "pointer")
        )
        dtype = next(dtypes, None)
        for position, (argument, value) in enumerate(
            zip(self.arguments, arguments, strict=True), start=1
        ):
            if not _is_interpreted(argument, value, dtype):
                given = f"{type(value).__name__} of {getattr(value, 'dtype', 'no dtype')}"
                raise TypeError(self._mismatch(position, given, dtype))
        return interpreted_kernels[address - 1](*arguments)

    def _check_number(self, given, error):
        if len(given) != len(self.arguments):
            raise error(f"{self.name} takes {len(self.arguments)} arguments, got {len(given)}")

    def _mismatch(self, position, given, dtype):
        wanted = self.arguments[position - 1]
        where = f" in {dtype}" if wanted in _WITH_DTYPE else ""
        return f"argument {position} of {self.name} must be {wanted}{where}, got {given}: {self!r}"


def _numba_type(argument, scalar):
    return {
        "vector": types.Array(scalar, 1, "C"),
        "scalar": scalar,
        "int64": types.int64,
        "int64_vector": types.Array(types.int64, 1, "C"),
        "float64_vector": types.Array(types.float64, 1, "C"),
        "pointer": types.CPointer(scalar),
    }[argument]


def _is_interpreted(argument, value, dtype):
    """Return whether ``value`` is what interpreted kernels pass for ``argument``.

    Python numbers have no dtype, and pointers are vectors.
    """
    if argument in _STRUCTS:
        return type(value).__name__ == argument
    if argument == "int64":
        return isinstance(value, int | np.integer)
    if argument == "scalar":
        return type(value) in (int, float) or type(value) is np.dtype(dtype).type
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        return False
    if argument in _WITH_DTYPE:
        return value.dtype == dtype and dtype in (np.float32, np.float64)
    return value.dtype == {"int64_vector": np.int64, "float64_vector": np.float64}[argument]


def _typed_call(kind):
    """Return an intrinsic that calls a kernel of this kind by its address."""

    @intrinsic
    def typed_call(typing_context, address, *arguments):
        given = tuple(arguments)
        if isinstance(given[0], _PACKED):
            given = tuple(given[0])
        expected = kind.expected_types(given)

        def codegen(context, builder, signature, values):
            function_type = context.call_conv.get_function_type(kind.result, expected)
            function = builder.inttoptr(values[0], function_type.as_pointer())
            unpacked = cgutils.unpack_tuple(builder, values[1])
            converted = [
                context.cast(builder, value, source, target)
                for value, source, target in zip(unpacked, given, expected, strict=True)
            ]
            status, result = context.call_conv.call_function(
                builder, function, kind.result, expected, converted
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return result

        return kind.result(types.int64, types.StarArgTuple(given)), codegen

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
    "vector int64 int64 int64 int64 vector int64 vector vector vector vector vector vector vector"
    " vector vector",
)
NORMALIZE_BACKWARD = Kind(
    "batch norm's gradient",
    "vector int64 int64 int64 int64 vector int64 vector vector vector vector vector",
)
DROPOUT = Kind("dropout", "vector int64 int64 scalar vector")
DROPOUT_IN_PLACE = Kind("dropout in place", "vector int64 int64 scalar")
SKIP = Kind("linear path from the inputs to the outputs", "Run Minibatch int64 int64")
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
UNITS_STEP = Kind("step of some units", "Run Minibatch int64 int64 int64 int64 int64")
LAYER_PASS = Kind("pass of a layer", "Run Minibatch int64")
BLOCK_UPDATE = Kind("update of a block of weights", "Run Minibatch int64 int64")

JOB = Kind(
    "job",
    "Run int64 int64 int64 int64 int64 vector float64_vector",
    returns_integer=True,
)

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
call_skip = SKIP.call
call_sparse_affine = SPARSE_AFFINE.call
call_sparse_weight_gradient = SPARSE_WEIGHT_GRADIENT.call
call_pass = PASS.call
call_units_step = UNITS_STEP.call
call_layer_pass = LAYER_PASS.call
call_block_update = BLOCK_UPDATE.call
call_job = JOB.call
