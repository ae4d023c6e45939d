"""A recipe for tables on few rows: no warning of its own numbers, and if none can be held out, the
error says what helps.
"""

import numpy as np
import pandas as pd
import pytest

from sknn import TabularPreprocessor, tabular_pipeline

TABLE = pd.DataFrame({"age": [31, 45, None, 28] * 3, "city": ["Rome", "Oslo", "Rome", None] * 3})
TARGETS = {"classifier": np.array(["yes", "no"] * 6), "regressor": np.arange(12.0)}
QUICK = {"max_iter": 3, "random_state": 0}


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("n_rows", [3, 10])
def test_early_stopping_is_named_and_can_be_turned_off(task, n_rows):
    rows, y = TABLE[:n_rows], TARGETS[task][:n_rows]
    with pytest.raises(ValueError, match="or set early_stopping=False"):
        tabular_pipeline(task, **QUICK).fit(rows, y)
    model = tabular_pipeline(task, early_stopping=False, **QUICK).fit(rows, y)
    assert model.predict(rows).shape == (n_rows,)


@pytest.mark.parametrize("task", TARGETS)
def test_a_larger_fraction_can_be_held_out(task):
    y = TARGETS[task][:10]
    model = tabular_pipeline(task, validation_fraction=0.4, **QUICK).fit(TABLE[:10], y)
    assert model.predict(TABLE[:10]).shape == (10,)


def test_eleven_rows_are_enough():
    for task, y in TARGETS.items():
        tabular_pipeline(task, **QUICK).fit(TABLE[:11], y[:11])


@pytest.mark.parametrize("values", [np.arange(500.0), np.ones((500, 2)) * 1j])
def test_values_of_what_is_no_table_are_not_printed(values):
    with pytest.raises(ValueError, match=r"Expected 2D array|Complex data") as error:
        TabularPreprocessor().fit(values)
    assert len(str(error.value)) < 300
