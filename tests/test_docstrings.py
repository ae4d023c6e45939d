"""Docstrings of all that is public, checked by numpydoc with scikit-learn's choice of rules."""

import inspect

import pytest
from numpydoc.validate import validate

import sknn

# scikit-learn ignores these everywhere: where a summary begins, blank lines, and names of what is
# returned.
IGNORED = {"RT02", "GL01", "GL02"}
# Extended summaries, "See Also" and examples are asked of classes and functions, not of methods.
OF_CLASSES = {"ES01", "SA01", "EX01"}


def _public():
    for name in sknn.__all__:
        public = getattr(sknn, name)
        yield f"{public.__module__}.{name}", False
        if inspect.isclass(public):
            for member, value in inspect.getmembers(public):
                is_ours = getattr(inspect.unwrap(value), "__module__", "").startswith("sknn")
                is_property = isinstance(value, property)
                if not member.startswith("_") and (is_ours or is_property):
                    yield f"{public.__module__}.{name}.{member}", True


@pytest.mark.parametrize(("name", "is_member"), _public())
def test_numpydoc_finds_nothing(name, is_member):
    ignored = IGNORED | (OF_CLASSES if is_member else set())
    found = validate(name)["errors"]
    assert [error for error in found if error[0] not in ignored] == []
