"""Versions and settings that a bug report should contain."""

import sys
from importlib import metadata

import sklearn

from ._compiled.cache import cache_directory
from ._runtime.threads import usable_cores


def show_versions():
    """Print versions and settings for a bug report.

    Prints what :func:`sklearn.show_versions` prints, and the versions of sknn and its compiler, the
    number of usable cores and the folder of the compile cache.

    See Also
    --------
    sklearn.show_versions : The same for scikit-learn alone.

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
