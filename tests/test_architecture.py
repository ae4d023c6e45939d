"""The rules of the house that can be read off the sources: direction of imports, sizes, no silenced errors."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import sknn

PACKAGE = Path(sknn.__file__).resolve().parent
FOUNDATIONS = ("_jit", "_native", "_tiles", "_math")
PARTS = ("activations", "losses", "regularizers", "optimizers", "initializers", "schedules")
COMPILERS = ("_jit", "_native", "_tiles")  # the only modules that see numba and llvmlite

MOST_LINES = {"mlp": 550, "_tiles": 320}  # mlp is mostly docstring
MOST_LINES_ELSEWHERE = 300
MOST_LINES_OF_A_BODY = 40

SOURCES = {path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path for path in PACKAGE.rglob("*.py")}
TREES = {name: ast.parse(path.read_text()) for name, path in SOURCES.items()}
ENGINE = [name for name in SOURCES if name.startswith("_engine.")]


def imported(name):
    """Return the modules that module ``name`` imports anywhere in it: the package's without its name, others by their first."""
    inside, outside = set(), set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            outside |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            outside.add(node.module.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            folder = name.split(".")[: -node.level]
            module = [*folder, *(node.module or "").split(".")]
            for alias in node.names:
                paths = (".".join(filter(None, path)) for path in ([*module, alias.name], module, [*module, "__init__"]))
                inside.add(next(path for path in paths if path in SOURCES))
    return inside, outside


IMPORTS = {name: imported(name)[0] for name in SOURCES}
FOREIGN_IMPORTS = {name: imported(name)[1] for name in SOURCES}


def test_the_modules_named_here_exist():
    assert {*FOUNDATIONS, *PARTS, *COMPILERS, *MOST_LINES} <= set(SOURCES)
    assert ENGINE


@pytest.mark.parametrize("name", SOURCES)
def test_package_imports_itself_relatively(name):
    assert "sknn" not in FOREIGN_IMPORTS[name]


@pytest.mark.parametrize("name", FOUNDATIONS)
def test_foundations_import_only_foundations(name):
    assert IMPORTS[name] <= set(FOUNDATIONS)


@pytest.mark.parametrize("name", PARTS)
def test_parts_import_neither_parts_nor_the_engine(name):
    assert IMPORTS[name] <= set(FOUNDATIONS)


@pytest.mark.parametrize("name", ENGINE)
def test_engine_imports_no_part_and_nothing_above_it(name):
    assert IMPORTS[name] <= {*FOUNDATIONS, *ENGINE}


def reached(name):
    """Return all modules that ``name`` imports, directly or not."""
    direct = IMPORTS[name]
    return direct.union(*map(reached, direct))


def test_imports_point_downwards():
    """Without cycles, whatever is reached from a module cannot import it."""
    graphlib.TopologicalSorter(IMPORTS).prepare()
    assert "mlp" in IMPORTS["__init__"]
    assert "_base" in IMPORTS["mlp"]
    assert {*FOUNDATIONS, *PARTS, *ENGINE} <= reached("_base") | {"_engine.__init__"}


@pytest.mark.parametrize("name", SOURCES)
def test_only_the_compiling_modules_see_numba(name):
    assert name in COMPILERS or not FOREIGN_IMPORTS[name] & {"numba", "llvmlite"}


NEW_FAMILIES = """
import sys, sklearn.neural_network
before = set(sys.modules)
import sknn
print(*{module.partition(".")[0] for module in set(sys.modules) - before} - set(sys.stdlib_module_names))
"""


def test_import_loads_only_numba_beside_scikit_learn():
    command = [sys.executable, "-c", NEW_FAMILIES]
    new = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True).stdout
    assert set(new.split()) == {"sknn", "numba", "llvmlite"}


@pytest.mark.parametrize("name", SOURCES)
def test_files_are_short(name):
    assert len(SOURCES[name].read_text().splitlines()) <= MOST_LINES.get(name, MOST_LINES_ELSEWHERE)


def body_length(function):
    """Return the lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("name", SOURCES)
def test_function_bodies_are_short(name):
    functions = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {function.name: body_length(function) for function in functions if body_length(function) > MOST_LINES_OF_A_BODY} == {}


@pytest.mark.parametrize("name", SOURCES)
def test_no_error_is_silenced(name):
    handlers = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.ExceptHandler)]
    assert [node.lineno for node in handlers if node.type is None] == []
    assert [node.lineno for node in handlers if isinstance(node.body[0], ast.Pass) or ast.unparse(node.body[0]) == "..."] == []
