"""The rules of the house that can be read off the sources: direction of imports, sizes, no silenced
errors."""

import ast
import graphlib
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import processes
import pytest
from sklearn.datasets import load_iris

import sknn
from sknn.parts.activations import ACTIVATIONS

PACKAGE = Path(sknn.__file__).resolve().parent
# Which folders a folder may import, itself aside; modules outside of folders are floors of their
# own.
BELOW = {
    "_compiled": set(),
    "parts": {"_compiled"},
    "_engine": {"_compiled"},
    "_runtime": {"_compiled", "parts", "_engine"},
    "_training": {"_compiled", "parts", "_engine", "_runtime"},
}

MOST_LINES = {"mlp": 500}  # mlp is mostly docstring
MOST_LINES_ELSEWHERE = 300
MOST_LINES_OF_A_BODY = 40

SOURCES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path
    for path in PACKAGE.rglob("*.py")
}
TREES = {name: ast.parse(path.read_text()) for name, path in SOURCES.items()}


def imported(name):
    """Return the modules that module ``name`` imports anywhere in it: the package's without its
    name, others by their first."""
    inside = set()
    outside = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            outside |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            outside.add(node.module.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            folder = name.split(".")[: -node.level]
            module = [*folder, *(node.module or "").split(".")]
            for alias in node.names:
                paths = (
                    ".".join(filter(None, path))
                    for path in ([*module, alias.name], module, [*module, "__init__"])
                )
                inside.add(next(path for path in paths if path in SOURCES))
    return inside, outside


IMPORTS = {name: imported(name)[0] for name in SOURCES}
FOREIGN_IMPORTS = {name: imported(name)[1] for name in SOURCES}


@pytest.mark.parametrize("kind", [sknn.MLPClassifier, sknn.MLPRegressor])
def test_docstrings_have_no_placeholders(kind):
    for documented in (kind, kind.fit):
        assert not re.search(r"^\s*\{\w+\}$", documented.__doc__, flags=re.MULTILINE)


def test_the_modules_named_here_exist():
    folders = {name.partition(".")[0] for name in SOURCES if "." in name}
    assert folders == {*BELOW, "warmup"}
    assert set(MOST_LINES) <= set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_package_imports_itself_relatively(name):
    assert "sknn" not in FOREIGN_IMPORTS[name]


@pytest.mark.parametrize("name", [name for name in SOURCES if name.partition(".")[0] in BELOW])
def test_folders_import_only_what_is_below_them(name):
    folder = name.partition(".")[0]
    assert {module.partition(".")[0] for module in IMPORTS[name]} <= {folder, *BELOW[folder]}


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("parts.")])
def test_parts_import_no_other_kind_of_part(name):
    kinds = {module for module in IMPORTS[name] if module.startswith("parts.")}
    assert kinds <= ({"parts.activations", "parts.losses"} if name == "parts.custom" else set())


def reached(name):
    """Return all modules that ``name`` imports, directly or not."""
    direct = IMPORTS[name]
    return direct.union(*map(reached, direct))


def test_imports_point_downwards():
    """Without cycles, whatever is reached from a module cannot import it."""
    graphlib.TopologicalSorter(IMPORTS).prepare()
    assert "mlp" in IMPORTS["__init__"]
    assert "_base" in IMPORTS["mlp"]
    below = {
        name
        for name in SOURCES
        if name.partition(".")[0] in BELOW and not name.endswith("__init__")
    }
    assert below - {"parts.custom"} <= reached("_base")


@pytest.mark.parametrize("name", SOURCES)
def test_only_the_compiling_modules_see_numba(name):
    assert name.startswith("_compiled.") or not FOREIGN_IMPORTS[name] & {"numba", "llvmlite"}


NEW_FAMILIES = """
import sys, sklearn.neural_network
before = set(sys.modules)
import sknn
print(*{module.partition(".")[0] for module in set(sys.modules) - before} - set(sys.stdlib_module_names))
"""


def test_import_loads_only_numba_beside_scikit_learn():
    command = [sys.executable, "-c", NEW_FAMILIES]
    new = subprocess.run(
        command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    ).stdout
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
    functions = [
        node
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert {
        function.name: body_length(function)
        for function in functions
        if body_length(function) > MOST_LINES_OF_A_BODY
    } == {}


@pytest.mark.parametrize("name", SOURCES)
def test_no_error_is_silenced(name):
    handlers = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.ExceptHandler)]
    assert [node.lineno for node in handlers if node.type is None] == []
    assert [
        node.lineno
        for node in handlers
        if isinstance(node.body[0], ast.Pass) or ast.unparse(node.body[0]) == "..."
    ] == []


# ---- what adding a part touches ----------------------------------------------------------------

# scikit-learn's own names, which defaults, outputs and its rule for starting weights speak of
NAMES_ELSEWHERE = {"identity", "logistic", "sigmoid", "tanh", "relu"}


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "parts.activations"])
def test_activations_are_named_in_their_file_only(name):
    strings = {
        node.value
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not strings & (set(ACTIVATIONS) - NAMES_ELSEWHERE)


NEW_ACTIVATION = """

def _softsign(z, parameter):
    T = type(z)
    return z / (T(1) + abs(z))


def _softsign_backward(da, z, a, parameter):
    T = type(a)
    rest = T(1) - abs(a)
    return da * rest * rest


ACTIVATIONS["softsign"] = elementwise(_softsign, _softsign_backward, "f(z) = z / (1 + |z|)")
"""

NEW_LOSS = """
def _pseudo_huber(weight, z, y, delta):
    T = type(z)
    ratio = (z - y) / delta
    root = math.sqrt(T(1) + ratio * ratio)
    return weight * delta * delta * (root - T(1)), (z - y) / root


LOSSES["pseudo_huber"] = LossPart(
    pointwise(_pseudo_huber),
    "huber_delta^2 (sqrt(1 + ((z - y) / huber_delta)^2) - 1)",
    parameters=("huber_delta",),
)
"""

NEW_OPTIMIZER = """

@jit
def _sign_descent(w, g, mean, state_1, state_2, h):
    rate = h[_RATE]
    rho = h[_RHO]
    one_minus_rho = h[_ONE_MINUS_RHO]
    for i in range(w.size):
        mean[i] = rho * mean[i] + one_minus_rho * g[i]
        w[i] -= rate * np.sign(mean[i])


OPTIMIZERS["sign_descent"] = OptimizerPart(
    _sign_descent,
    _sgd_sizes,
    _rho_hyperparameters,
    1,
    ("rho",),
    "m = rho m + (1 - rho) g; w -= rate sign(m)",
)
"""


def use_the_new_parts():
    warnings.simplefilter("error")
    X, y = load_iris(return_X_y=True)
    classifier = sknn.MLPClassifier(
        (20,),
        activation="softsign",
        solver="sign_descent",
        rho=0.8,
        tol=1e-3,
        learning_rate_init=0.001,
        max_iter=1000,
        random_state=0,
    ).fit(X, y)
    regressor = sknn.MLPRegressor(
        "pseudo_huber",
        (20,),
        huber_delta=0.5,
        learning_rate_init=0.01,
        max_iter=1000,
        tol=1e-5,
        random_state=0,
    ).fit(X[:, :3], X[:, 3])
    z = X @ classifier.coefs_[0] + classifier.intercepts_[0]
    difference = classifier.hidden_features(X) - z / (1 + abs(z))
    return {
        "origin": sknn.__file__,
        "difference": float(abs(difference).max()),
        "scores": [classifier.score(X, y), regressor.score(X[:, :3], X[:, 3])],
        "are_documented": "z / (1 + |z|)" in sknn.MLPClassifier.__doc__
        and "w -= rate sign(m)" in sknn.MLPClassifier.__doc__
        and "'pseudo_huber'" in sknn.MLPRegressor.__doc__,
    }


def test_a_part_needs_nothing_but_its_row(tmp_path):
    """In a copy of the package, text in one file makes a new name known to validation, training and
    documentation."""
    parts = tmp_path / "sknn" / "parts"
    shutil.copytree(PACKAGE, tmp_path / "sknn", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in {"activations": NEW_ACTIVATION, "optimizers": NEW_OPTIMIZER}.items():
        with (parts / f"{name}.py").open("a") as file:
            file.write(text)
    before, derived, after = (parts / "losses.py").read_text().partition("REGRESSION_LOSSES =")
    (parts / "losses.py").write_text(before + NEW_LOSS + derived + after)
    found = processes.run(use_the_new_parts, root=tmp_path).value
    assert found["origin"] == str(tmp_path / "sknn" / "__init__.py")
    assert found["difference"] < 1e-12
    assert min(found["scores"]) > 0.85
    assert found["are_documented"]
