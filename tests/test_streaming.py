"""Rows that come in parts, from a file that is larger than memory."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier
from tests.reference import assert_same_weights

X, Y = load_digits(return_X_y=True)
SETTINGS = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.01, "random_state": 0}
PARTS = [slice(start, start + 600) for start in range(0, len(X), 600)]


def train(parts, n_epochs=6):
    """Train on ``parts()``, which yields rows and labels, once for each epoch."""
    network = MLPClassifier(**SETTINGS)
    for _ in range(n_epochs):
        for rows, labels in parts():
            network.partial_fit(rows, labels, classes=range(10))
    return network


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_parts_of_a_memory_mapped_array(dtype, tmp_path):
    np.save(tmp_path / "rows.npy", X.astype(dtype))
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert isinstance(rows, np.memmap)
    trained = train(lambda: ((rows[part], Y[part]) for part in PARTS))
    assert_same_weights(trained, train(lambda: ((X[part], Y[part]) for part in PARTS)))


def test_batches_of_a_parquet_file(tmp_path):
    """With names of columns, and scaled by what a first pass over the batches has seen."""
    pd = pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = [f"pixel {i}" for i in range(64)]
    table = pd.DataFrame(X, columns=names).assign(digit=Y)
    table.to_parquet(tmp_path / "digits.parquet", row_group_size=500)
    scaler = StandardScaler().set_output(transform="pandas")

    def batches():
        for batch in parquet.ParquetFile(tmp_path / "digits.parquet").iter_batches(600):
            frame = batch.to_pandas()
            yield frame[names], frame["digit"]

    for rows, _ in batches():
        scaler.partial_fit(rows)
    streamed = train(lambda: ((scaler.transform(rows), labels) for rows, labels in batches()))
    assert streamed.feature_names_in_.tolist() == names
    scaled = StandardScaler().fit_transform(X)
    expected = train(lambda: ((scaled[part], Y[part]) for part in PARTS))
    for mine, other in zip(streamed.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)
    assert streamed.score(scaler.transform(table[names]), Y) > 0.8
