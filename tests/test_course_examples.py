"""The examples on the topics of a course run without warnings and print what they show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[1]
NO_WINDOW = "ignore:FigureCanvasAgg is non-interactive:UserWarning"

EXPECTED = {
    "plot_03_spiral.py": r"^20 +relu +123 +0\.9\d\d$",
    "plot_04_initialization.py": r"^tanh +random_normal( +0\.9\d){3} +8\d% beyond 0\.99$",
    "plot_05_optimizers.py": r"^constant +0\.5000 +0\.5000 +0\.5000 +0\.\d{4} +0\.\d{4}$",
    "plot_06_overfitting.py": r"^L1: +9\d\.\d% of 84480 weights are exactly zero, the largest is",
    "plot_07_model_selection.py": r"^test accuracy: 0\.9\d\d$",
    "plot_08_callbacks.py": r"^1 epoch, then \d+ in all, with the same weights: True$",
    "plot_09_activation_functions.py": r"^sigmoid +0\.045 +0\.250 +0\.045 +0\.250$",
    "plot_10_gradients.py": r"^sigmoid +glorot_normal( +\d\.\de-\d\d){2} +\d\.\de-0[5-9]$",
    "plot_11_learning_rate.py": r"^adam +\d\.\de-0[23] +0\.[01]\d\d +[3-7] of 15$",
    "plot_12_learned_features.py": r"^accuracy with two features: 0\.9\d\d of the test samples$",
    "plot_13_capacity.py": r"^ +30 +0\.0\d\d +0\.(1[6-9]|[2-9]\d)\d +0\.1\d\d$",
    "plot_14_moving_average.py": r"^ +10 +\d\d +\d\d +0\.\d+ +0\.[89]\d\d$",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_example_prints_what_it_shows(name):
    if "optuna" in name:
        pytest.importorskip("optuna_integration", reason="optuna-integration is not installed")
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONWARNINGS": NO_WINDOW}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    )
    command = [sys.executable, str(ROOT / "examples" / name)]
    result = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    assert re.search(EXPECTED[name], result.stdout, re.MULTILINE), result.stdout


def test_gallery_shows_every_example():
    gallery = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "examples").glob("plot_*.py"):
        assert f"]({path.name})" in gallery
    assert all(
        path.stat().st_size <= 60 * 1024 for path in (ROOT / "examples" / "images").iterdir()
    )
    pictures = {path.name for path in (ROOT / "examples" / "images").iterdir()}
    assert pictures == set(re.findall(r"\(images/(\S+)\)", gallery))
