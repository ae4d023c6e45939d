"""Versions and settings that a bug report should contain, and where the documentation is."""

import functools
import sys
from importlib import metadata

import sklearn

from ._compiled.cache_folder import describe_cache
from ._runtime.threads import usable_cores


def show_versions() -> None:
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
    facts |= {"usable cores": usable_cores(), "compile cache": describe_cache()}
    print("\nsknn:", *(f"{name:>13}: {value}" for name, value in facts.items()), sep="\n")


class DocumentationLinkMixin:
    """Mixin for estimators whose HTML representation links to the documentation.

    scikit-learn makes the link of these names. An empty one means that there is none.
    """

    _doc_link_module = __package__

    @property
    def _doc_link_template(self):
        return documentation_url()


@functools.cache
def documentation_url():
    """Return the address that the installed package names as its documentation, or ''."""
    try:
        urls = metadata.metadata(__package__).get_all("Project-URL", [])
    except metadata.PackageNotFoundError:
        return ""
    labeled = dict(url.partition(", ")[::2] for url in urls)
    return labeled.get("Documentation", "")
