"""The architecture and the style that the sources themselves show.

Direction of imports, sizes, documentation, spelling, mirrored tests, no silenced errors.
"""

import ast
import graphlib
import inspect
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
import sknn.callbacks
from sknn.parts.activations import ACTIVATIONS

PACKAGE = Path(sknn.__file__).resolve().parent
ROOT = PACKAGE.parent
TESTS = Path(__file__).resolve().parent
# The folders that a folder may import from, besides itself. _base and _targets, mlp, and the
# modules that users import stand above all of them.
BELOW = {
    "_compiled": set(),
    "parts": {"_compiled"},
    "_engine": {"_compiled"},
    "_hyperparameters": {"parts"},
    "_validation": {"parts", "_hyperparameters"},
    "_runtime": {"_compiled", "parts", "_engine"},
    "_training": {"_compiled", "parts", "_engine", "_validation", "_runtime"},
    "_tabular": set(),
    "_export": {"parts", "_engine", "_runtime", "_training", "_validation", "_tabular", "mlp"},
}
ABOVE_THE_ESTIMATORS = {"_export", "_tabular"}
# Files of parts that hold no kind of part, but what several kinds share.
SHARED_BY_PARTS = {"parts.operators", "parts.links"}
FOR_ALL = {"_warnings"}  # imports nothing of the package

MAX_LINES = {"mlp": 520}  # two constructors of 45 arguments, and docstrings
MAX_LINES_ELSEWHERE = 330
MAX_LINES_OF_A_BODY = 40
MAX_COLUMNS = 100
MAX_PRIVATE_MODULES_AT_THE_TOP = 6
MAX_PARALLEL_ASSIGNMENTS = 0.05  # of all names that are bound
MANY_ARGUMENTS = 5
MIN_DOCUMENTED = 0.7  # of the functions with many arguments
MIN_MIRRORED_TESTS = 20

SOURCES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path
    for path in PACKAGE.rglob("*.py")
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}
PYTHON_FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("sknn", "tests", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def imported(name):
    """Return what a module imports anywhere: modules of the package, and top-level packages."""
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
                named = [*module, alias.name]
                paths = (
                    ".".join(filter(None, path))
                    for path in (named, [*named, "__init__"], module, [*module, "__init__"])
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
    assert folders == {*BELOW, "callbacks", "ensemble", "warmup"}
    assert set(MAX_LINES) <= set(SOURCES)


def test_few_private_modules_at_the_top():
    private = [name for name in SOURCES if re.fullmatch("_[a-z]\\w*", name)]
    assert len(private) <= MAX_PRIVATE_MODULES_AT_THE_TOP


@pytest.mark.parametrize("name", SOURCES)
def test_package_imports_itself_relatively(name):
    assert "sknn" not in FOREIGN_IMPORTS[name]


@pytest.mark.parametrize("name", [name for name in SOURCES if name.partition(".")[0] in BELOW])
def test_folders_import_only_what_is_below_them(name):
    folder = name.partition(".")[0]
    allowed = {folder, *FOR_ALL, *BELOW[folder]}
    assert {module.partition(".")[0] for module in IMPORTS[name]} <= allowed


@pytest.mark.parametrize("name", FOR_ALL)
def test_what_all_may_import_imports_nothing_of_the_package(name):
    assert IMPORTS[name] == set()


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("parts.")])
def test_parts_import_no_other_kind_of_part(name):
    kinds = {module for module in IMPORTS[name] if module.startswith("parts.")}
    kinds -= SHARED_BY_PARTS | {"parts.__init__"}
    assert kinds <= ({"parts.activations", "parts.losses"} if name == "parts.custom" else set())


def reached(name):
    """Return all modules that ``name`` imports, directly or not."""
    direct = IMPORTS[name]
    return direct.union(*map(reached, direct))


def test_imports_point_downwards():
    """Without cycles, whatever is reached from a module cannot import it."""
    graphlib.TopologicalSorter(IMPORTS).prepare()
    assert "mlp" in IMPORTS["__init__"]
    assert {"_base", "_targets"} <= IMPORTS["mlp"]
    assert "_base" not in reached("_targets")
    assert "_targets" not in reached("_base")
    below = {
        name
        for name in SOURCES
        if name.partition(".")[0] in set(BELOW) - ABOVE_THE_ESTIMATORS
        and not name.endswith("__init__")
    }
    assert below - {"parts.custom"} <= reached("mlp") | reached("distributed")


@pytest.mark.parametrize("name", SOURCES)
def test_only_the_compiling_modules_see_numba(name):
    assert name.startswith("_compiled.") or not FOREIGN_IMPORTS[name] & {"numba", "llvmlite"}


NEW_FAMILIES = """
import sys, numba, sklearn.neural_network
before = set(sys.modules)
import sknn
new = {module.partition(".")[0] for module in set(sys.modules) - before}
print(*new - set(sys.stdlib_module_names))
"""


def test_import_loads_only_numba_beside_scikit_learn():
    command = [sys.executable, "-c", NEW_FAMILIES]
    new = subprocess.run(
        command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    ).stdout
    assert set(new.split()) <= {"sknn", "sklearn"}


USED_WITHOUT_IMPORT = """
import sys, sknn
print(*(module.removeprefix("sknn.") for module in sys.modules if module.startswith("sknn.")))
print(*dir(sknn))
print(sknn.export.save.__module__, sknn.callbacks.EarlyStopping.__module__)
print(sknn.inspection.Summary.__name__, sknn.distributed.fit_dask.__name__)
print(sknn.exports)
"""


def test_public_modules_are_imported_when_they_are_first_used():
    command = [sys.executable, "-c", USED_WITHOUT_IMPORT]
    finished = subprocess.run(
        command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    imported_before, names, *used = (line.split() for line in finished.stdout.splitlines())
    assert not {"export", "distributed"} & set(imported_before)
    assert {"MLPClassifier", "callbacks", "distributed", "export", "inspection"} <= set(names)
    assert used == [["sknn.export", "sknn.callbacks.stopping"], ["Summary", "fit_dask"]]
    assert "AttributeError: module 'sknn' has no attribute 'exports'" in finished.stderr


WITHOUT_DOCSTRINGS = """
import numpy, sknn, sknn._base, sknn.features, sknn.inspection, sknn.parts.custom, sknn.warmup
import sknn.callbacks
assert False, "assertions are off"
sknn.MLPClassifier.__doc__ is None or exit("docstrings are on")
X = numpy.eye(20)
sknn.MLPClassifier(max_iter=200, tol=0.1).fit(X, numpy.arange(20) % 2).predict(X)
sknn.MLPRegressor(max_iter=200, tol=1.0).fit(X, numpy.arange(20)).predict(X)
print(*sknn.__all__)
"""


@pytest.mark.parametrize("command", [["-c", WITHOUT_DOCSTRINGS], ["-m", "sknn.warmup", "--help"]])
def test_python_without_docstrings(command):
    finished = subprocess.run(
        [sys.executable, "-OO", "-W", "error::UserWarning:sknn", *command],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "warmup" in finished.stdout


@pytest.mark.parametrize("name", SOURCES)
def test_files_are_short(name):
    lines = SOURCES[name].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES.get(name, MAX_LINES_ELSEWHERE)


@pytest.mark.parametrize("name", PYTHON_FILES)
def test_lines_are_short(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > MAX_COLUMNS] == []


def body_length(function):
    """Return the lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def functions(tree):
    """Return all functions and methods in a module."""
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_function_bodies_are_short(name):
    lengths = {function.name: body_length(function) for function in functions(TREES[name])}
    assert {name: n for name, n in lengths.items() if n > MAX_LINES_OF_A_BODY} == {}


def bound_names(tree):
    """Return how many names assignments bind, and how many of these in parallel: ``a, b = c, d``.

    Two names that change places, ``a, b = b, a``, count as bound one by one.
    """
    n_bound = n_parallel = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                n_bound += len(names)
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    sides = [
                        {ast.unparse(element) for element in side.elts}
                        for side in (target, node.value)
                    ]
                    n_parallel += len(names) if sides[0] != sides[1] else 0
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            n_bound += 1
    return n_bound, n_parallel


def test_names_are_bound_one_by_one():
    n_bound, n_parallel = map(sum, zip(*map(bound_names, TREES.values()), strict=True))
    assert n_parallel <= MAX_PARALLEL_ASSIGNMENTS * n_bound


def documents_arguments(function, owner):
    """Return whether a function's docstring, or for constructors its class', tells the arguments.

    It has a section "Parameters", or refers to the signature at the top of the file.
    """
    documented = owner if function.name == "__init__" else function
    docstring = ast.get_docstring(documented) or ""
    return "Parameters\n-------" in docstring or bool(
        re.search("(top|end) of the file", " ".join(docstring.split()))
    )


def functions_with_many_arguments():
    """Yield ``(name, whether its arguments are documented)``.

    Constructors of estimators aside, whose documentation is filled in, and whose arguments
    tests/test_readme.py and scikit-learn's checks compare with it.
    """
    for name, tree in TREES.items():
        owners = {
            function: node
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for function in node.body
        }
        for function in functions(tree):
            every = function.args
            arguments = [arg.arg for arg in every.posonlyargs + every.args + every.kwonlyargs]
            n_arguments = len(set(arguments) - {"self", "cls"})
            is_estimator = name == "mlp" and function.name == "__init__"
            if n_arguments >= MANY_ARGUMENTS and not is_estimator:
                is_documented = documents_arguments(function, owners.get(function, function))
                yield f"{name}.{function.name}", is_documented


def test_most_functions_with_many_arguments_document_them():
    documented = dict(functions_with_many_arguments())
    missing = [name for name, is_documented in documented.items() if not is_documented]
    assert len(missing) <= (1 - MIN_DOCUMENTED) * len(documented), missing


PUBLIC_CLASSES = [
    sknn.Activation,
    sknn.EnsembleClassifier,
    sknn.EnsembleRegressor,
    sknn.HiddenFeatures,
    sknn.MLPClassifier,
    sknn.MLPRegressor,
    sknn.PeriodicEncoder,
    sknn.PiecewiseLinearEncoder,
    sknn.TabularPreprocessor,
    *(getattr(sknn.callbacks, name) for name in sknn.callbacks.__all__),
]


@pytest.mark.parametrize("kind", [*PUBLIC_CLASSES, sknn.TrainingHistoryDisplay])
def test_public_methods_document_every_argument(kind):
    methods = [
        (name, method)
        for base in kind.__mro__
        if base.__module__.startswith("sknn.")
        for name, method in vars(base).items()
        if name == "__init__" or not name.startswith("_")
    ]
    missing = []
    for name, method in methods:
        function = getattr(method, "fn", getattr(method, "__func__", method))
        if inspect.isfunction(function):
            documented = kind if name == "__init__" else function
            missing += [
                (name, argument)
                for argument in list(inspect.signature(function).parameters)[1:]
                if not re.search(rf"^\s*\**{argument} : ", documented.__doc__, flags=re.MULTILINE)
            ]
    assert missing == []


BRITISH = re.compile(
    r"\b\w*(?:normal|standard|penal|regular|vector|minim|optim|initial|summar|recogn|general)"
    r"is(?:e|es|ed|ing|ation|er|ers)\b|\b(?:behavi|col|fav|neighb)our|\b(?:cent|fib)re\b"
    r"|\b(?:label|model|cancel)l(?:ed|ing)\b|\bgrey\b",
    flags=re.IGNORECASE,
)


@pytest.mark.parametrize("name", [*PYTHON_FILES, "README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_spelling_is_american(name):
    assert BRITISH.findall((ROOT / name).read_text(encoding="utf-8")) == []


def test_tests_mirror_the_package():
    """Folders of tests have the names of the package's, without the underscore."""
    folders = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert folders == {folder.lstrip("_") for folder in BELOW}
    assert len(list(TESTS.glob("*/test_*.py"))) >= MIN_MIRRORED_TESTS


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


# A recipe chooses one.
@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"parts.activations", "recipes"}))
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
