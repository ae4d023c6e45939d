"""Docstrings of everything public, checked by numpydoc with the rules that scikit-learn uses."""

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
                function = value.fget if isinstance(value, property) else inspect.unwrap(value)
                is_ours = str(getattr(function, "__module__", "")).startswith("sknn")
                if is_ours and not member.startswith("_"):
                    yield f"{public.__module__}.{name}.{member}", True


@pytest.mark.parametrize(("name", "is_member"), list(_public()))
def test_numpydoc_finds_nothing(name, is_member):
    ignored = IGNORED | (OF_CLASSES if is_member else set())
    found = validate(name)["errors"]
    assert [error for error in found if error[0] not in ignored] == []
