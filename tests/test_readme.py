"""The code in the documents runs and prints what they show, and what they say agrees with the
package.
"""

import ast
import re
import sys
import zlib
from pathlib import Path
from types import ModuleType

import pytest

from sknn import MLPClassifier, MLPRegressor
from sknn._hyperparameters.training import SOLVERS
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.losses import REGRESSION_LOSSES
from sknn.parts.schedules import SCHEDULES

ROOT = Path(__file__).resolve().parent.parent
GUIDES = [f"examples/{path.name}" for path in sorted((ROOT / "examples").glob("*.md"))]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *GUIDES]
OPTIONS = {
    "activation": ACTIVATIONS,
    "solver": SOLVERS,
    "learning_rate": SCHEDULES,
    "loss": REGRESSION_LOSSES,
}


def _read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def _blocks(name, *languages):
    """Return ``(line of the first statement, code)`` of every fenced block in these languages."""
    text = _read(name)
    fences = re.finditer(
        rf"^```(?:{'|'.join(languages)})\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL
    )
    return [(text.count("\n", 0, fence.start(1)), fence[1]) for fence in fences]


def _output_after(name, line, code):
    """Return the block of text that follows a block of code, or None."""
    rest = _read(name).splitlines(keepends=True)[line + code.count("\n") + 1 :]
    shown = re.match(r"\n```text\n(.*?)^```$", "".join(rest), flags=re.MULTILINE | re.DOTALL)
    return None if shown is None else shown[1]


def _words_and_numbers(text):
    """Return the text without its numbers and spaces, and the numbers."""
    numbers = re.findall(r"\d+\.?\d*", text)
    return re.sub(r"[\d.\s]+", "", text), [float(number) for number in numbers]


def _parameter_rows():
    """Yield ``(parameters, default values, meaning)`` of every row of the README's table."""
    table = (
        _read("README.md").partition("| parameter | default | meaning |\n")[2].partition("\n\n")[0]
    )
    for row in table.splitlines()[1:]:
        names, defaults, meaning = row.strip("|").split("|")
        yield (
            re.findall("`([^`]+)`", names),
            [ast.literal_eval(value) for value in re.findall("`([^`]+)`", defaults)],
            meaning,
        )


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if _blocks(name, "python")])
def test_python_blocks_run_and_print_what_is_shown(name, monkeypatch, tmp_path, capsys):
    blocks = _blocks(name, "python")
    monkeypatch.chdir(tmp_path)
    # Numba asks for the module that defines a kernel. A hash of the text in its name keeps kernels
    # from being taken for older ones.
    module = ModuleType(f"blocks_{zlib.crc32(_read(name).encode()):08x}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for line, code in blocks:
        exec(compile("\n" * line + code, name, "exec"), vars(module))
        printed, numbers = _words_and_numbers(capsys.readouterr().out)
        shown = _output_after(name, line, code)
        if shown is not None:
            words, expected = _words_and_numbers(shown)
            assert printed == words
            assert numbers == pytest.approx(expected, abs=0.02, rel=0.05)


def test_commands_are_those_of_ci():
    commands = [
        line for _, code in _blocks("README.md", "bash", "console") for line in code.splitlines()
    ]
    ci = [line.strip() for line in _read(".ci/run").splitlines()]
    [test] = [command.split(" && ") for command in commands if "pytest" in command]
    assert test[-1] == "python -m pytest"
    assert test[-1] in ci
    installs = [
        re.findall(r'"\.\[\w+\]"', line) for line in (test[-2], *ci) if "pip install" in line
    ]
    assert sorted(installs) == [[], ['".[test]"'], ['".[test]"']]


def test_commands_run_files_that_exist():
    files = re.findall(
        r"python (\S+\.py)", "\n".join(code for _, code in _blocks("README.md", "bash", "console"))
    )
    assert files == ["examples/plot_01_classification.py"]
    assert (ROOT / files[0]).is_file()


def _anchors(path):
    """Return what headings of a document are called in links."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*DOCUMENTS, "CHANGELOG.md"])
def test_links_lead_somewhere(name):
    folder = (ROOT / name).parent
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", _read(name)):
        path = folder / target if target else ROOT / name
        assert path.exists(), target
        if anchor:
            assert anchor in _anchors(path), f"{target}#{anchor}"


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_parameter_table_has_names_and_defaults(estimator):
    others = "regressor only" if estimator is MLPClassifier else "classifier only"
    rows = [
        (names, defaults)
        for names, defaults, meaning in _parameter_rows()
        if not meaning.strip().startswith(others)
    ]
    table = {
        name: default
        for names, defaults in rows
        for name, default in zip(names, defaults, strict=True)
    }
    assert table == estimator().get_params()


def test_parameter_table_has_no_row_twice():
    names = [name for names, _, _ in _parameter_rows() for name in names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("parameter", OPTIONS)
def test_parameter_table_lists_the_options(parameter):
    [meaning] = [meaning for names, _, meaning in _parameter_rows() if parameter in names]
    listed = set(re.findall("`'([^`]+)'`", meaning))
    options = set(OPTIONS[parameter])
    if parameter == "activation":  # a new one needs no other file than its own
        assert listed <= options
    else:
        assert listed == options


def _files_of_the_map():
    """Yield the paths that the tree in CONTRIBUTING.md names, relative to the package."""
    [tree] = [code for _, code in _blocks("CONTRIBUTING.md", "") if code.startswith("sknn/\n")]
    folder = ""
    for indent, name in re.findall(r"^( +)(\S+)  +\S", tree, flags=re.MULTILINE):
        if len(indent) == 2:
            folder = name if name.endswith("/") else ""
            yield name
        else:
            yield folder + name


def test_map_of_files_is_complete():
    package = ROOT / "sknn"
    files = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if not path.name.startswith("__")
    }
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert sorted(_files_of_the_map()) == sorted(files | folders)
