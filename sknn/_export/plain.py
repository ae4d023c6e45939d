"""Constructor arguments as JSON, and back."""

from numbers import Integral, Real

import numpy as np

# NumPy's numbers become Python's.
_SCALARS = (
    (type(None), lambda value: value),
    (str, str),
    ((bool, np.bool_), bool),
    (Integral, int),
    (Real, float),
)


def to_plain(value):
    """Return a value as what JSON can represent.

    Tuples and dicts become ``{"tuple": [...]}`` and ``{"dict": [[key, value], ...]}``, since JSON
    has no tuples and its keys are strings.

    Raises
    ------
    TypeError
        If it is anything else, such as a function or a random generator.
    """
    if isinstance(value, dict):
        return {"dict": [[to_plain(key), to_plain(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [to_plain(element) for element in value]}
    if isinstance(value, (list, np.ndarray)):
        return [to_plain(element) for element in value]
    for accepted, plain in _SCALARS:
        if isinstance(value, accepted):
            return plain(value)
    raise TypeError(f"{value!r} has no representation in JSON")


def from_plain(value):
    """Return the value that :func:`to_plain` has represented."""
    if isinstance(value, list):
        return [from_plain(element) for element in value]
    if isinstance(value, dict):
        ((kind, elements),) = value.items()
        elements = from_plain(elements)
        return {"tuple": tuple, "dict": dict}[kind](elements)
    return value
