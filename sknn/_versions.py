"""What to tell in a report of a bug."""

import sys
from importlib import metadata

import sklearn

from ._compiled.cache import cache_directory
from ._runtime.threads import usable_cores


def show_versions():
    """Print what scikit-learn's function of that name prints, and sknn's and its compiler's
    versions, cores and compile cache.

    Examples
    --------
    >>> import sknn
    >>> sknn.show_versions()
    <BLANKLINE>
    System:
        python: ...
    sknn:
    ...
    """
    sklearn.show_versions()
    facts = {"sknn": sys.modules[__package__].__version__} | {
        name: metadata.version(name) for name in ("numba", "llvmlite")
    }
    facts |= {"usable cores": usable_cores(), "compile cache": cache_directory()}
    print("\nsknn:", *(f"{name:>13}: {value}" for name, value in facts.items()), sep="\n")
