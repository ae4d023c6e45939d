"""Names of the columns that encoders of numbers add."""

import numpy as np


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
