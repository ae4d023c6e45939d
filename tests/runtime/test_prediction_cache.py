"""What is kept from one prediction for the next one changes nothing."""

import copy
import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from reference import DTYPES
from scipy import sparse
from sklearn.base import clone

from sknn import MLPClassifier, MLPRegressor
from sknn._runtime.prediction_cache import _MOST_KEPT, kept_networks

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 9))
y = (X[:, :3]).argmax(axis=1)


@pytest.fixture
def model():
    return MLPClassifier((20, 15), max_iter=3, random_state=0).fit(X, y)


def by_hand(model, X):
    a = X
    for coef, intercept in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        a = np.maximum(a @ coef + intercept, 0)
    return a @ model.coefs_[-1] + model.intercepts_[-1]


def test_changed_weights_are_seen(model):
    for _ in range(2):
        np.testing.assert_allclose(model.logits(X[:5]), by_hand(model, X[:5]), rtol=1e-12)
    model.coefs_[0][:] *= 2  # in place
    np.testing.assert_allclose(model.logits(X[:5]), by_hand(model, X[:5]), rtol=1e-12)
    model.coefs_[1] = rng.normal(size=(20, 15))  # another array
    np.testing.assert_allclose(model.logits(X[:5]), by_hand(model, X[:5]), rtol=1e-12)
    model.intercepts_ = [np.ones(20), np.ones(15), np.ones(3)]  # another list
    np.testing.assert_allclose(model.logits(X[:5]), by_hand(model, X[:5]), rtol=1e-12)


def test_changed_parameters_are_for_the_next_fit(model):
    before = model.logits(X[:5])
    changed = model.set_params(activation=["tanh", "relu"]).logits(X[:5])
    np.testing.assert_array_equal(changed, before)
    assert (model.fit(X, y).logits(X[:5]) != before).any()
    fitted = model.logits(X[:5])
    model.activation[0] = "relu"  # in place
    np.testing.assert_array_equal(model.logits(X[:5]), fitted)


def test_another_fit_is_seen(model):
    model.predict(X[:5])
    model.fit(X[:, :4], y)
    np.testing.assert_allclose(model.logits(X[:5, :4]), by_hand(model, X[:5, :4]), rtol=1e-12)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
)
def test_copies_predict_alike(model, again):
    expected = model.predict_proba(X[:5])
    np.testing.assert_array_equal(again(model).predict_proba(X[:5]), expected)
    assert not hasattr(clone(model), "coefs_")


def test_predictions_leave_the_estimator_as_it_is(model):
    before = dict(vars(model))
    model.predict_proba(X[:5])
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


def n_kept():
    return len(kept_networks._entries)


def test_few_are_kept_and_none_keeps_its_estimator_alive(model):
    models = [pickle.loads(pickle.dumps(model)) for _ in range(_MOST_KEPT + 5)]
    for other in models:
        other.predict(X[:2])
    assert n_kept() == _MOST_KEPT
    reference = weakref.ref(models.pop())
    del other
    gc.collect()
    assert reference() is None
    assert n_kept() == _MOST_KEPT - 1


def test_weights_of_others_and_large_networks_are_not_kept(model):
    model.coefs_ = [coef.copy() for coef in model.coefs_]
    before = n_kept()
    first = model.logits(X[:5])
    assert n_kept() == before
    model.coefs_[0][:] = 0
    assert (model.logits(X[:5]) != first).any()
    large = MLPClassifier((3000,), max_iter=1, random_state=0).fit(X, y)
    large.predict(X)
    assert n_kept() == before


def test_a_fit_drops_what_was_kept(model):
    model.predict(X[:5])
    before = n_kept()
    model.partial_fit(X, y)
    assert n_kept() == before - 1


def test_the_loss_is_that_of_the_fit():
    model = MLPRegressor(max_iter=3, random_state=0).fit(X, X[:, 0] ** 2)
    linear = model.predict(X[:3])
    np.testing.assert_array_equal(model.set_params(loss="poisson").predict(X[:3]), linear)


class Unhashable(MLPClassifier):
    def __eq__(self, other):
        return True

    __hash__ = None


def test_estimators_need_no_hash():
    first = Unhashable((3,), max_iter=2).fit(X, y)
    second = Unhashable((3,), max_iter=2).fit(X[:, ::-1], y)
    expected = [copy.deepcopy(model).predict_proba(X[:4]) for model in (first, second)]
    for _ in range(2):
        np.testing.assert_array_equal(
            [model.predict_proba(X[:4]) for model in (first, second)], expected
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_have_the_same_bits_alone_and_together(dtype):
    data = X.astype(dtype)
    model = MLPRegressor(hidden_layer_sizes=(40, 30), max_iter=3, random_state=0).fit(
        data, data[:, 0]
    )
    together = model.predict(data)
    np.testing.assert_array_equal([model.predict(row[None])[0] for row in data], together)
    np.testing.assert_array_equal(model.predict(data[:130]), together[:130])
    np.testing.assert_allclose(
        model.predict(sparse.csr_array(data)), together, rtol=1e-4 if dtype == "float32" else 1e-12
    )


def test_many_threads_predict_with_one_estimator(model):
    expected = model.predict_proba(X)
    parts = [slice(start, start + 1 + start % 40) for start in range(250)] * 4
    with ThreadPoolExecutor(8) as pool:
        for part, found in zip(
            parts, pool.map(lambda part: model.predict_proba(X[part]), parts), strict=True
        ):
            np.testing.assert_array_equal(found, expected[part])


@pytest.mark.parametrize(
    "bad", [np.full((1, 9), np.nan), np.ones((1, 8)), np.ones(9), np.ones((0, 9))]
)
def test_small_tables_are_checked_too(model, bad):
    model.predict(X[:1])
    with pytest.raises(ValueError, match=r"NaN|features|array|sample"):
        model.predict(bad)
