"""PeriodicEncoder against its formula, one value at a time."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import PeriodicEncoder

DRAWS = np.random.default_rng(0)


@parametrize_with_checks([PeriodicEncoder(), PeriodicEncoder(0)])
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_formula(dtype):
    X = DRAWS.normal(size=(20, 2)).astype(dtype)
    encoder = PeriodicEncoder(3, amplitude=0.7, random_state=0).fit(X)
    slow = []
    for row in X:
        outputs = []
        for x, frequencies, phases in zip(row, encoder.frequencies_, encoder.phases_, strict=True):
            periods = [w * float(x) + b for w, b in zip(frequencies, phases, strict=True)]
            outputs += [x, *(0.7 * math.cos(2 * math.pi * period) for period in periods)]
        slow.append(outputs)
    encoded = encoder.transform(X)
    assert encoded.dtype == dtype
    np.testing.assert_allclose(encoded, slow, atol=1e-12 if dtype == np.float64 else 1e-6)


def test_frequencies_are_drawn_for_each_column():
    X = DRAWS.normal(size=(9, 2))
    encoder = PeriodicEncoder(2000, frequency_scale=0.5, random_state=0).fit(X)
    for frequencies, phases in zip(encoder.frequencies_, encoder.phases_, strict=True):
        assert np.std(frequencies) == pytest.approx(0.5, rel=0.1)
        np.testing.assert_allclose(np.quantile(phases, [0, 0.5, 1]), [0, 0.5, 1], atol=0.05)
    assert not np.array_equal(*encoder.frequencies_)
    other = PeriodicEncoder(2000, frequency_scale=0.5, random_state=1).fit(X)
    assert not np.array_equal(other.frequencies_[0], encoder.frequencies_[0])


def test_columns_of_few_values_stay_as_they_are():
    X = pd.DataFrame({"constant": 1.0, "binary": [0.0, 1.0] * 10, "number": np.arange(20.0)})
    encoder = PeriodicEncoder(2, random_state=0).set_output(transform="pandas")
    encoded = encoder.fit_transform(X)
    added = ["number_wave1", "number_wave2"]
    assert encoded.columns.tolist() == ["constant", "binary", "number", *added]
    pd.testing.assert_frame_equal(encoded[X.columns], X)


def test_names_of_waves_are_unique():
    X = pd.DataFrame(DRAWS.normal(size=(9, 2)), columns=["a", "a_wave1"])
    names = PeriodicEncoder(1).fit(X).get_feature_names_out().tolist()
    assert names == ["a", "a_wave1_", "a_wave1", "a_wave1_wave1"]


def test_parameters_of_the_fit_decide():
    X = DRAWS.normal(size=(9, 2))
    encoder = PeriodicEncoder(2, random_state=0).fit(X)
    expected = encoder.transform(X)
    encoder.set_params(n_frequencies=3, frequency_scale=2.0, amplitude=2.0, random_state=1)
    assert np.array_equal(encoder.transform(X), expected)


def test_large_numbers_do_not_overflow():
    X = 1e308 * np.array([[-1.7], [0.0], [1.0], [1.7]])
    encoder = PeriodicEncoder(20, frequency_scale=1e6, random_state=0)
    assert np.abs(encoder.fit_transform(X)[:, 1:]).max() <= 0.3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_frequencies": -1}, "n_frequencies=-1 must be an int of at least 0."),
        ({"n_frequencies": 2.5}, "n_frequencies=2.5 must be"),
        ({"n_frequencies": True}, "n_frequencies=True must be"),
        ({"frequency_scale": 0}, "frequency_scale=0 must be a number > 0, and at most 3.4e+38."),
        ({"frequency_scale": 1e308}, "frequency_scale=1e+308 must be"),
        ({"amplitude": 1e39}, "amplitude=1e+39 must be"),
        ({"frequency_scale": np.inf}, "frequency_scale=inf must be"),
        ({"amplitude": "big"}, "amplitude='big' must be"),
        ({"random_state": "seed"}, "random_state='seed' must be None, an int in the range"),
        ({"random_state": -1}, "random_state=-1 must be"),
    ],
)
def test_errors_name_the_parameter(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PeriodicEncoder(**parameters).fit(np.zeros((3, 2)))
