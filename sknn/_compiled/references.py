"""NamedTuples by reference.

Kernels that pass NamedTuples on by value copy hundreds of numbers onto the stack at every call. A
reference is a pointer to the tuple. Its fields are read like those of the tuple itself, and a field
that is a NamedTuple is read as a reference again. With ``NUMBA_DISABLE_JIT=1`` it is the tuple.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.datamodel import models
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, register_model

_POINTER = ir.IntType(8).as_pointer()
_INDEX = ir.IntType(32)


class _Reference(types.Type):
    def __init__(self, target):
        self.target = target
        super().__init__(f"Reference({target})")

    def position(self, name):
        return self.target.fields.index(name)

    def kind(self, name):
        return reference_type(self.target.types[self.position(name)])


def reference_type(kind):
    """Return the type of references to a NamedTuple type; any other ``kind`` is returned as is."""
    return _Reference(kind) if isinstance(kind, types.BaseNamedTuple) else kind


def is_reference_to(kind, name):
    """Return whether ``kind`` is the type of references to a NamedTuple class called ``name``."""
    return isinstance(kind, _Reference) and kind.target.instance_class.__name__ == name


@register_model(_Reference)
class _ReferenceModel(models.PrimitiveModel):
    def __init__(self, manager, reference):
        super().__init__(manager, reference, _POINTER)


@infer_getattr
class _ReferenceFields(AttributeTemplate):
    key = _Reference

    def generic_resolve(self, reference, name):
        return reference.kind(name) if name in reference.target.fields else None


# Aggregates are loaded and stored element by element, since LLVM compiles whole ones slowly.


def _element(builder, pointer, i):
    return builder.gep(pointer, [_INDEX(0), _INDEX(i)], inbounds=True)


def _load(builder, pointer, kind):
    if not isinstance(kind, ir.Aggregate):
        return builder.load(pointer)
    value = ir.Constant(kind, ir.Undefined)
    for i in range(len(kind)):
        value = builder.insert_value(
            value, _load(builder, _element(builder, pointer, i), kind.gep(_INDEX(i))), i
        )
    return value


def _store(builder, value, pointer):
    if not isinstance(value.type, ir.Aggregate):
        builder.store(value, pointer)
        return
    for i in range(len(value.type)):
        _store(builder, builder.extract_value(value, i), _element(builder, pointer, i))


@lower_getattr_generic(_Reference)
def _read_field(context, builder, reference, pointer, name):
    tuple_type = context.get_value_type(reference.target)
    kind = reference.kind(name)
    field = _element(
        builder, builder.bitcast(pointer, tuple_type.as_pointer()), reference.position(name)
    )
    if isinstance(kind, _Reference):
        return builder.bitcast(field, _POINTER)
    return _load(builder, field, context.get_value_type(kind))


@intrinsic
def _by_reference(typing_context, value):
    def codegen(context, builder, signature, values):
        pointer = cgutils.alloca_once(builder, values[0].type)
        _store(builder, values[0], pointer)
        return builder.bitcast(pointer, _POINTER)

    return _Reference(value)(value), codegen


def _by_reference_interpreted(value):
    return value


by_reference = _by_reference_interpreted if config.DISABLE_JIT else _by_reference
"""Return a reference to a NamedTuple, valid until the calling kernel returns."""


@intrinsic
def _value_of(typing_context, reference):
    def codegen(context, builder, signature, values):
        kind = context.get_value_type(reference.target)
        return _load(builder, builder.bitcast(values[0], kind.as_pointer()), kind)

    return reference.target(reference), codegen


value_of = _by_reference_interpreted if config.DISABLE_JIT else _value_of
"""Return a copy of the NamedTuple behind a reference."""
