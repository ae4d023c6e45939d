"""The examples run, on little data where they would take long."""

import gzip
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from sknn._compiled.jit import INTERPRETED

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


@pytest.fixture
def fashion_mnist(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    path = EXAMPLES / "plot_02_fashion_mnist.py"
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    yield module
    plt.close("all")


def test_classification_prints_its_tables():
    # Always compiled: as plain Python the example would take minutes.
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "NUMBA_DISABLE_JIT": "0",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, EXAMPLES / "plot_01_classification.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    search, networks = done.stdout.split("\n\n")[1:]
    header, *candidates = search.splitlines()
    assert header.split() == ["mean_test_score", "std_test_score", "mean_fit_time", "params"]
    scores = [float(row.split()[0]) for row in candidates]
    assert len(scores) == 6
    assert scores == sorted(scores, reverse=True)
    accuracies = {row.split()[0]: float(row.split()[1]) for row in networks.splitlines()[1:]}
    assert accuracies.keys() == {"sknn", "scikit-learn"}
    assert accuracies["sknn"] == pytest.approx(accuracies["scikit-learn"], abs=0.01)
    assert accuracies["sknn"] > 0.93


def _random_images(n_train, n_test):
    """Return images of two kinds of clothes, the second brighter than the first."""
    random = np.random.default_rng(0)
    y = np.arange(n_train + n_test) % 2
    X = (random.random((len(y), 784)) * (0.5 + 0.5 * y[:, None])).astype(np.float32)
    return X[:n_train], y[:n_train], X[n_train:], y[n_train:]


def test_fashion_mnist_learns_and_prints_epochs(fashion_mnist, capsys):
    if fashion_mnist.FOLDER.exists() and not INTERPRETED:
        n_rows = 4000
        least = 0.75
        data = None
    else:
        n_rows = 64
        least = 0.4
        data = _random_images(128, 100)
    network, accuracy = fashion_mnist.main(n_rows=n_rows, max_iter=2, data=data)
    assert network.t_ == 2 * n_rows
    assert accuracy > least
    header, *epochs, summary = capsys.readouterr().out.splitlines()
    assert header.split() == ["epoch", "loss", "seconds"]
    assert [int(row.split()[0]) for row in epochs] == [1, 2]
    assert f"{accuracy:.4f}" in summary


def test_fashion_mnist_reads_idx_files(fashion_mnist, monkeypatch, tmp_path):
    images = np.arange(3 * 784).astype(np.uint8).reshape(3, 28, 28)
    labels = np.array([9, 0, 4], np.uint8)
    for part in ("train", "t10k"):
        for name, content in [("images-idx3", images), ("labels-idx1", labels)]:
            shape = b"".join(size.to_bytes(4, "big") for size in content.shape)
            header = bytes([0, 0, 8, content.ndim]) + shape
            (tmp_path / f"{part}-{name}-ubyte.gz").write_bytes(
                gzip.compress(header + content.tobytes())
            )
    monkeypatch.setattr(fashion_mnist, "FOLDER", tmp_path)
    monkeypatch.setattr(fashion_mnist, "N_TRAIN", 3)
    X_train, y_train, X_test, y_test = fashion_mnist.load()
    np.testing.assert_array_equal(y_train, labels)
    np.testing.assert_array_equal(y_test, labels)
    np.testing.assert_array_equal(X_train, X_test)
    np.testing.assert_allclose(X_train, images.reshape(3, 784) / 255, rtol=1e-7)
    assert X_train.dtype == np.float32
