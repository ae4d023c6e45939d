"""Kernels called by address: every kind rejects wrong arguments, compiled and interpreted."""

from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba import types
from numba.core.errors import TypingError
from processes import run
from reference import compiled_only

from sknn._compiled import kinds
from sknn._compiled.jit import jit
from sknn._compiled.kinds import ACTIVATION, Kind, call_activation
from sknn._compiled.references import reference_type
from sknn.parts.activations import ACTIVATIONS

KINDS = {name: kind for name, kind in vars(kinds).items() if isinstance(kind, Kind)}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
OTHER = {"float32": "float64", "float64": "float32"}
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


class Other(NamedTuple):
    number: int


def struct(name):
    """Return a NamedTuple that is called ``name``."""
    return NamedTuple(name, [("number", int)])(1)


def values_of(kind, dtype):
    """Return an argument of each type that the kind takes, as interpreted kernels pass them."""
    return [
        {
            "vector": np.zeros(1, dtype),
            "scalar": np.dtype(dtype).type(0),
            "int64": 0,
            "int64_vector": np.zeros(1, np.int64),
            "float64_vector": np.zeros(1, np.float64),
            "pointer": np.zeros(1, dtype),
        }.get(argument)
        if argument[0].islower()
        else struct(argument)
        for argument in kind.arguments
    ]


def types_of(kind, dtype):
    """Return an argument type of each type that the kind takes."""
    scalar = numba.from_dtype(np.dtype(dtype))
    return [
        types.CPointer(scalar)
        if argument == "pointer"
        else reference_type(numba.typeof(np.int64(value) if argument == "int64" else value))
        for argument, value in zip(kind.arguments, values_of(kind, dtype), strict=True)
    ]


def others(argument, dtype):
    """Return types that must not be passed for an argument."""
    other = types.float64 if dtype == "float32" else types.float32
    given = numba.from_dtype(np.dtype(dtype))
    wrong = {
        "vector": [
            types.Array(other, 1, "C"),
            types.Array(given, 1, "A"),
            types.Array(given, 2, "C"),
        ],
        "scalar": [other, types.int64, types.literal(1)],
        "int64": [types.float64, types.int32, types.uint64],
        "int64_vector": [types.Array(types.int32, 1, "C"), types.Array(types.float64, 1, "C")],
        "float64_vector": [types.Array(types.float32, 1, "C"), types.float64],
        "pointer": [types.CPointer(other), types.Array(given, 1, "C")],
    }
    return wrong.get(argument, [reference_type(numba.typeof(Other(1))), types.int64])


# ---- compiled ----------------------------------------------------------------------------------


@every_kind
@every_dtype
def test_own_types(kind, dtype):
    given = types_of(kind, dtype)
    assert kind.expected_types(given) == tuple(given)


@every_kind
@every_dtype
def test_literal_integers_are_integers(kind, dtype):
    own = types_of(kind, dtype)
    given = [types.literal(1) if kind == types.int64 else kind for kind in own]
    assert kind.expected_types(given) == tuple(own)


@every_kind
@every_dtype
def test_each_wrong_type_is_rejected(kind, dtype):
    own = types_of(kind, dtype)
    n_with_dtype = sum(argument in ("vector", "scalar", "pointer") for argument in kind.arguments)
    for i, argument in enumerate(kind.arguments):
        for other in others(argument, dtype):
            if n_with_dtype == 1 and other == types_of(kind, OTHER[dtype])[i]:
                continue  # it is right in the other dtype
            with pytest.raises(TypingError, match=f"argument [0-9]+ of {kind.name} must be "):
                kind.expected_types([*own[:i], other, *own[i + 1 :]])


@every_kind
def test_a_wrong_number_of_types_is_rejected(kind):
    own = types_of(kind, "float32")
    n = len(own)
    for given in (own[:-1], [*own, types.int64]):
        with pytest.raises(TypingError, match=f"{kind.name} takes {n} arguments, got {len(given)}"):
            kind.expected_types(given)


def test_vectors_of_integers_are_no_vectors_of_the_network():
    integers = types.Array(types.int64, 1, "C")
    with pytest.raises(TypingError, match="argument 1 of activation must be vector"):
        ACTIVATION.expected_types([integers, types.int64, integers])


@jit
def call_part(function, z, parameter, a):
    call_activation(function, z, parameter, a)


@jit
def call_with_half_the_parameter(function, z, parameter, a):
    call_activation(function, z, parameter * 0.5, a)  # float64, whatever the parameter is


@jit
def call_without_a_result(function, z, parameter, a):
    call_activation(function, z, parameter)


@jit
def scale_or_fail(z, parameter, a):
    if parameter == 0:
        raise ValueError("parameter is 0")
    for i in range(z.size):
        a[i] = parameter * z[i]


@compiled_only
@every_dtype
def test_a_call_by_address(dtype):
    z = np.array([1, np.nan, -np.inf], dtype)
    a = np.zeros(3, dtype)
    call_part(ACTIVATION.address(scale_or_fail, np.dtype(dtype)), z, z.dtype.type(2), a)
    np.testing.assert_array_equal(a, 2 * z)


@compiled_only
def test_an_error_passes_through_a_call_by_address():
    function = ACTIVATION.address(scale_or_fail, np.dtype(float))
    z = np.ones(1)
    with pytest.raises(ValueError, match="parameter is 0"):
        call_part(function, z, 0.0, z.copy())


@compiled_only
def test_a_caller_with_a_wrong_argument_is_not_compiled():
    function = ACTIVATION.address(scale_or_fail, np.dtype("float32"))
    z = np.ones(1, np.float32)
    wrong = r"argument 2 of activation must be scalar in float32, got float64"
    with pytest.raises(TypingError, match=wrong):
        call_with_half_the_parameter(function, z, np.float32(2), z.copy())
    with pytest.raises(TypingError, match="activation takes 3 arguments, got 2"):
        call_without_a_result(function, z, np.float32(2), z.copy())


@compiled_only
def test_addresses_are_one_for_each_kernel_and_dtype():
    kernels = {part.forward for part in ACTIVATIONS.values()}
    keys = [(kernel, np.dtype(dtype)) for kernel in kernels for dtype in ("f4", "f8")]
    addresses = [ACTIVATION.address(*key) for key in keys]
    assert [ACTIVATION.address(*key) for key in keys] == addresses
    assert len(set(addresses)) == len(keys)
    assert 0 not in addresses  # the engine's "none"


@pytest.mark.parametrize(("dtype", "scalar"), [("f4", "float32"), ("f8", "float64")])
def test_names_of_argument_types(dtype, scalar):
    kind = Kind("of this test", "vector scalar int64 float64_vector pointer")
    assert [str(argument_type) for argument_type in kind.numba_types(np.dtype(dtype))] == [
        f"array({scalar}, 1d, C)",
        scalar,
        "int64",
        "array(float64, 1d, C)",
        f"{scalar}*",
    ]


# ---- interpreted -------------------------------------------------------------------------------


def interpreted_errors():
    """Call a kernel of each kind with right and with wrong arguments; return the errors."""
    errors = {}
    for name, kind in KINDS.items():
        called = []
        address = kind.address(lambda *arguments, to=called: to.append(arguments), np.dtype("f4"))
        own = values_of(kind, "float32")
        kind.call(address, *own)
        assert len(called) == 1
        wrong = {"scalar": np.float64(0), "int64": 0.0}
        errors[name] = [error_of(kind, address, own[:-1])]
        for i, argument in enumerate(kind.arguments):
            other = wrong.get(argument, np.zeros(1, np.int32))
            errors[name].append(error_of(kind, address, [*own[:i], other, *own[i + 1 :]]))
        assert len(called) == 1
    return errors


def error_of(kind, address, arguments):
    try:
        kind.call(address, *arguments)
    except TypeError as error:
        return str(error)
    return "none"


def test_interpreted_kinds_reject_what_is_not_theirs():
    errors = run(interpreted_errors, NUMBA_DISABLE_JIT=1).value
    for name, kind in KINDS.items():
        number, *wrong = errors[name]
        assert number == f"{kind.name} takes {len(kind.arguments)} arguments, got {len(wrong) - 1}"
        assert len(wrong) == len(kind.arguments)
        for message in wrong:
            assert f" of {kind.name} must be " in message
