"""Validation samples that were not transformed as X was are warned of, and others are not."""

import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier
from sknn._validation.scales import warn_of_other_scale

X, Y = load_breast_cancer(return_X_y=True)


def fit_in_pipeline(X, X_val):
    model = make_pipeline(StandardScaler(), MLPClassifier((3,), max_iter=2, random_state=0))
    return model.fit(X, Y[:400], mlpclassifier__X_val=X_val, mlpclassifier__y_val=Y[400:])


def test_rows_that_a_pipeline_has_not_scaled_are_warned_of():
    with pytest.warns(UserWarning, match=r"(?s)X_val lies far outside X.*transform_input=") as seen:
        fit_in_pipeline(X[:400], X[400:])
    assert seen[0].filename == __file__


def test_scaled_rows_are_not_warned_of():
    scaler = StandardScaler().fit(X[:400])
    fit_in_pipeline(X[:400], scaler.transform(X[400:]))


def warns(X, X_val, **fitted):
    network = MLPClassifier()
    vars(network).update(fitted)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_other_scale(network, X, X_val)
    return str(caught[0].message) if caught else ""


def test_raw_pixels_beside_scaled_ones_are_warned_of():
    images = load_digits().data
    assert warns(images[:1000] / 16, images[1000:])
    assert warns(images[:1000] / 16, images[1000:] / 16) == ""
    assert warns(images[:1000].astype(np.uint8), images[1000:].astype(np.uint8)) == ""


def test_columns_are_named_the_most_distant_first():
    table = np.random.default_rng(0).uniform(size=(100, 3))
    other = table.copy()
    other[:, 1] += 9
    other[2:, 2] += 9
    names = np.array(["age", "income", "rooms"], dtype=object)
    assert "columns ['income', 'rooms']" in warns(table, other, feature_names_in_=names)
    assert "columns [1, 2]" in warns(table, other)


DRAWS = {
    "normal": lambda random, shape: random.normal(size=shape),
    "cauchy": lambda random, shape: random.standard_cauchy(shape),
    "lognormal": lambda random, shape: random.lognormal(0, 4, shape),
    "rare": lambda random, shape: random.lognormal(0, 3, shape) * (random.random(shape) < 0.02),
    "counts": lambda random, shape: random.geometric(0.5, shape),
    "one distribution a row": lambda random, shape: (
        random.normal(size=shape) * random.lognormal(0, 4, (shape[0], 1))
    ),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("n_features", [1, 20, 2000])
def test_rows_of_one_distribution_are_not_warned_of(draw, n_features):
    random = np.random.default_rng(0)
    for _ in range(5):
        table = draw(random, (65, n_features))
        assert warns(table[:50], table[50:]) == ""


@pytest.mark.parametrize(
    ("table", "other"),
    [
        (X[:49] / 1000, X[400:]),  # few rows
        (X[:400] / 1000, X[400:409]),
        (np.zeros((60, 2)), np.ones((60, 2))),  # constant
        (sparse.csr_array(X[:400] / 1000), sparse.csr_array(X[400:])),
        (np.arange(100.0)[:, None], np.arange(100.0, 200)[:, None]),  # later times
        (np.full((60, 1), 1e308) * (-1.0) ** np.arange(60)[:, None], np.full((60, 1), 1.7e308)),
    ],
)
def test_nothing_is_said_where_little_is_known(table, other):
    assert warns(table, other) == ""


@pytest.mark.parametrize("period", [2, 3, 24])
def test_rows_in_turns(period):
    """Of a table with rows of several sensors in turns, X_val may be one."""
    random = np.random.default_rng(0)
    sensors = np.arange(period * 2048) % period
    table = random.uniform(size=(len(sensors), 2)) + 10.0 * sensors[:, None]
    assert warns(table, table[period - 1 :: period][:100]) == ""


def test_the_way_out_works():
    with sklearn.config_context(enable_metadata_routing=True):
        network = MLPClassifier((3,), max_iter=2).set_fit_request(X_val=True, y_val=True)
        model = Pipeline([("scale", StandardScaler()), ("mlp", network)], transform_input=["X_val"])
        model.fit(X[:400], Y[:400], X_val=X[400:], y_val=Y[400:])
