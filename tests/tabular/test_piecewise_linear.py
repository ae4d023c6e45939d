"""PiecewiseLinearEncoder against its formula, one value at a time."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import PiecewiseLinearEncoder

DRAWS = np.random.default_rng(0)


@parametrize_with_checks([PiecewiseLinearEncoder(), PiecewiseLinearEncoder(0)])
def test_estimator_checks(estimator, check):
    check(estimator)


def slowly_encoded(x, edges, scale):
    """Return the columns of one number, bin by bin."""
    columns = [x]
    for j in range(1, len(edges)):
        if x <= edges[j - 1]:
            share = 0.0
        elif x >= edges[j]:
            share = 1.0
        else:
            share = (x - edges[j - 1]) / (edges[j] - edges[j - 1])
        columns.append(scale * (share - 0.5))
    return columns


@pytest.mark.parametrize("n_bins", [2, 5])
def test_formula(n_bins):
    column = DRAWS.normal(size=50)
    new = [*DRAWS.normal(size=20), -100.0, 100.0]
    encoder = PiecewiseLinearEncoder(n_bins, scale=0.7).fit(column[:, np.newaxis])
    edges = [np.quantile(column, j / n_bins) for j in range(n_bins + 1)]
    np.testing.assert_allclose(encoder.edges_[0], edges, rtol=1e-12)
    np.testing.assert_allclose(
        encoder.transform(np.c_[new]), [slowly_encoded(x, edges, 0.7) for x in new], atol=1e-12
    )


def test_columns_of_few_values_stay_as_they_are():
    X = pd.DataFrame(
        {
            "constant": 1.0,
            "binary": [0.0, 1.0] * 10,
            "rare": [0.0] * 18 + [1.0, 2.0],
            "number": np.arange(20.0),
        }
    )
    encoder = PiecewiseLinearEncoder(4).set_output(transform="pandas")
    encoded = encoder.fit_transform(X)
    added = [f"number_bin{i}" for i in range(1, 5)]
    assert encoded.columns.tolist() == ["constant", "binary", "rare", "number", *added]
    pd.testing.assert_frame_equal(encoded[X.columns], X)


def test_names_of_bins_are_unique():
    X = pd.DataFrame(DRAWS.normal(size=(9, 3)), columns=["a", "a_bin1", "a_bin1_"])
    names = PiecewiseLinearEncoder(2).fit(X).get_feature_names_out().tolist()
    assert names[:6] == ["a", "a_bin1__", "a_bin2", "a_bin1", "a_bin1_bin1", "a_bin1_bin2"]
    assert len(set(names)) == len(names)


def test_parameters_of_the_fit_decide():
    encoder = PiecewiseLinearEncoder(2).fit(np.c_[:9])
    expected = encoder.transform(np.c_[:9])
    encoder.set_params(scale=2.0, n_bins=4)
    assert np.array_equal(encoder.transform(np.c_[:9]), expected)


def test_no_bins_change_nothing():
    X = DRAWS.normal(size=(9, 3)).astype(np.float32)
    encoded = PiecewiseLinearEncoder(0).fit_transform(X)
    assert encoded.dtype == np.float32
    assert np.array_equal(encoded, X)


def test_large_numbers_do_not_overflow():
    X = np.array([[-1.7], [-0.85], [0.0], [1.0], [1.7]])
    encoded = PiecewiseLinearEncoder(2).fit_transform(1e308 * X)
    np.testing.assert_allclose(encoded[:, 1:], PiecewiseLinearEncoder(2).fit_transform(X)[:, 1:])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_bins": 1}, "n_bins=1 must be 0, or an int of at least 2."),
        ({"n_bins": -2}, "n_bins=-2 must be"),
        ({"n_bins": 2.5}, "n_bins=2.5 must be"),
        ({"n_bins": True}, "n_bins=True must be"),
        ({"scale": 0}, "scale=0 must be a number > 0, and at most 3.4e+38."),
        ({"scale": 1e39}, "scale=1e+39 must be"),
        ({"scale": np.inf}, "scale=inf must be"),
        ({"scale": "big"}, "scale='big' must be"),
    ],
)
def test_errors_name_the_parameter(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PiecewiseLinearEncoder(**parameters).fit(np.zeros((3, 2)))
