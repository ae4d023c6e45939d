"""Tables for measuring accuracy: a folder of npz files, or scikit-learn's bundled tables.

A file ``<name>.npz`` holds ``columns``, the names of the columns; ``c0``, ``c1`` and so on, their
values; ``k0`` and so on, for columns that are categories, the names of the levels that the values
are codes of; ``y``, codes of classes or targets; and ``task``, which is 'binary', 'multiclass' or
'regression'.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

BUNDLED = {
    "breast_cancer": (datasets.load_breast_cancer, "binary"),
    "diabetes": (datasets.load_diabetes, "regression"),
    "digits": (datasets.load_digits, "multiclass"),
    "wine": (datasets.load_wine, "multiclass"),
}


def names(folder=None):
    """Return the names of the tables in a folder, or of the bundled ones if it is None."""
    return sorted(path.stem for path in Path(folder).glob("*.npz")) if folder else list(BUNDLED)


def load(folder, name):
    """Return ``(X, y, task)``, where X is a DataFrame."""
    if not folder:
        load_bundled, task = BUNDLED[name]
        X, y = load_bundled(return_X_y=True, as_frame=True)
        return X, y.to_numpy(), task
    with np.load(Path(folder) / f"{name}.npz", allow_pickle=False) as file:
        columns = {}
        for i, column in enumerate(file["columns"]):
            values = file[f"c{i}"]
            if f"k{i}" in file.files:
                values = pd.Categorical.from_codes(values, list(map(str, file[f"k{i}"])))
            columns[str(column)] = values
        return pd.DataFrame(columns), file["y"], str(file["task"])
