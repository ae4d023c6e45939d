"""Types of the public interface, for editors and type checkers."""

import ast
import inspect
from pathlib import Path

import pytest

import sknn
from sknn import MLPClassifier, MLPRegressor, distributed

PACKAGE = Path(sknn.__file__).parent


def _stub(module):
    """Return the functions that a stub declares, by name."""
    tree = ast.parse((PACKAGE / f"{module}.pyi").read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _declared_arguments(function):
    """Return ``(name, default)`` of the arguments, and how many may be given by position."""
    signature = function.args
    names = [argument.arg for argument in signature.args + signature.kwonlyargs]
    n_required = len(signature.args) - len(signature.defaults)
    defaults = [None] * n_required + signature.defaults + signature.kw_defaults
    values = [inspect.Parameter.empty if d is None else ast.literal_eval(d) for d in defaults]
    return list(zip(names, values, strict=True)), len(signature.args)


def _real_arguments(function):
    """Return the same of a function."""
    parameters = inspect.signature(function).parameters.values()
    named = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    n_positional = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in named)
    return [(p.name, p.default) for p in named], n_positional


def _public_methods(kind):
    """Return the names of the methods that the package itself defines."""
    return {
        name
        for name in dir(kind)
        if not name.startswith("_")
        and inspect.isfunction(method := getattr(kind, name))
        and inspect.unwrap(method).__module__.startswith("sknn.")
    }


def test_package_says_that_it_has_types():
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_the_estimators_say_their_types(kind):
    """Names in annotations are those of the module's own namespace, or of its type checking."""
    methods = _public_methods(kind) - {"get_metadata_routing"}
    assert {"fit", "predict", "gradients", "summary"} <= methods
    for name in ("__init__", *methods):
        parameters = inspect.signature(getattr(kind, name)).parameters
        annotations = inspect.get_annotations(inspect.unwrap(getattr(kind, name)))
        assert parameters.keys() - {"self"} == annotations.keys() - {"return"}, name
        assert "return" in annotations, name


def test_stub_of_fit_dask():
    declared = _stub("distributed")["fit_dask"]
    assert _declared_arguments(declared) == _real_arguments(distributed.fit_dask)
