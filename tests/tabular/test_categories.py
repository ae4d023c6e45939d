"""One-hot columns, levels that share one, and the two ends of binary columns."""

import numpy as np
import pytest

from sknn._tabular.categories import CategoryEncoder


def encode(labels, new=None, min_frequency=1, max_categories=40):
    """Return the names and rows of the outputs."""
    encoder = CategoryEncoder(min_frequency, max_categories).fit(np.array(labels, dtype=object))
    columns = encoder.transform(np.array(labels if new is None else new, dtype=object))
    return encoder.names("x"), np.transpose(columns).tolist()


def test_levels_are_columns_and_missing_and_unknown_are_zeros():
    names, rows = encode(["b", None, "a", "c", "a"], ["a", "c", None, "new"])
    assert names == ["x_a", "x_b", "x_c"]
    assert rows == [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("min_frequency", [1, 2, 0.4])
def test_two_levels_are_one_column(min_frequency):
    names, rows = encode(["n", "y", "n", None], ["n", "y", None, "?"], min_frequency)
    assert names == ["x_y"]
    assert rows == [[-1], [1], [0], [0]]


def test_one_level_is_a_column():
    assert encode(["a", None]) == (["x_a"], [[1], [0]])


@pytest.mark.parametrize("min_frequency", [2, 0.3])
def test_rare_levels_share_a_column(min_frequency):
    labels = ["a", "a", "b", "b", "c", "d", None]
    names, rows = encode(labels, ["a", "c", "d", "e", None], min_frequency)
    if min_frequency == 0.3:  # of 7 samples: two are too few
        assert (names, rows) == (["x_infrequent"], [[1], [1], [1], [0], [0]])
    else:
        assert names == ["x_a", "x_b", "x_infrequent"]
        assert rows == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_number_of_columns_is_bounded():
    labels = [f"user {i}" for i in range(500) for _ in range(2)] + ["me"] * 5
    names, rows = encode(labels, ["me", "user 7"], max_categories=10)
    assert len(names) == 10
    assert names[0] == "x_me"
    assert names[-1] == "x_infrequent"
    assert np.sum(rows, axis=1).tolist() == [1, 1]
