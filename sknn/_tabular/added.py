"""What encoders that add columns to numbers share: the names of these, and a check."""

import numbers

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)  # outputs may be of float32


def names_with_added(names, counts, kind):
    """Return all names: each one, then as many others as were added after it.

    Parameters
    ----------
    names : sequence of str
        The names of the inputs, which stay as they are.
    counts : sequence of int
        How many columns were added after each input.
    kind : str
        Of the added columns: 'bin' makes 'a_bin1', 'a_bin2' and so on. A '_' is appended until no
        other column has that name.
    """
    taken = set(names)
    outputs = []
    for name, count in zip(names, counts, strict=True):
        outputs.append(name)
        for i in range(1, count + 1):
            output = f"{name}_{kind}{i}"
            while output in taken:
                output += "_"
            taken.add(output)
            outputs.append(output)
    return np.array(outputs, dtype=object)


def check_factor(name, value):
    """Raise a ValueError that names the parameter unless it can be a factor of added columns."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not 0 < value <= _LARGEST:
        raise ValueError(f"{name}={value!r} must be a number > 0, and at most {_LARGEST:.1e}.")
