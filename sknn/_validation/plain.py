"""Constructor arguments with Python's numbers in place of NumPy's.

Python's numbers neither wrap around nor round: minus an unsigned NumPy integer is a large number,
2**8 does not fit into int8, and sums of float32 with Python's numbers are float32.
"""

from types import SimpleNamespace

import numpy as np


def plain_settings(parameters):
    """Return a namespace of parameters, given by name, without NumPy scalars."""
    return SimpleNamespace(**{name: plain_number(value) for name, value in parameters.items()})


def plain_number(value):
    """Return Python's number for NumPy's; for a sequence, a list of them; others as they are."""
    if isinstance(value, (list, tuple)):
        return [plain_number(element) for element in value]
    return value.item() if isinstance(value, np.generic) else value
