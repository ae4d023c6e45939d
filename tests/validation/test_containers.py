"""Containers other than NumPy's: tensors under array API dispatch, sparse indicator matrices."""

import array_api_strict
import numpy as np
import polars as pl
import pytest
import sklearn.neural_network
from scipy import sparse
from sklearn.datasets import make_multilabel_classification

from sknn import HiddenFeatures, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

X, Y = make_multilabel_classification(60, 5, random_state=0)
y = Y[:, 0]
SETTINGS = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0}


@pytest.fixture(scope="module")
def tensors():
    return array_api_strict.asarray(X), array_api_strict.asarray(y)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_tensors_are_refused_under_array_api_dispatch(kind, tensors, monkeypatch):
    tensor_X, tensor_y = tensors
    network = kind(**SETTINGS).fit(X, y)
    features = HiddenFeatures(network).fit(X, y)
    calls = {
        "X of type": [
            lambda: network.predict(tensor_X),
            lambda: network.hidden_features(tensor_X),
            lambda: network.score(tensor_X, tensor_y),
            lambda: network.fit(tensor_X, tensor_y),
            lambda: network.partial_fit(tensor_X, tensor_y),
            lambda: features.transform(tensor_X),
            lambda: features.fit(tensor_X, tensor_y),
        ],
        "y of type": [lambda: network.fit(X, tensor_y)],
        "X_val and y_val must be like X and y": [
            lambda: network.fit(X, y, X_val=tensor_X, y_val=tensor_y)
        ],
    }
    expected = network.predict(X)
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with sklearn.config_context(array_api_dispatch=True):
        for named, of_this_kind in calls.items():
            for call in of_this_kind:
                with pytest.raises(TypeError, match=named) as error:
                    call()
                assert "array_api_dispatch=False" in str(error.value)
        np.testing.assert_array_equal(network.predict(X), expected)


def test_tensors_are_converted_without_dispatch(tensors):
    network = MLPClassifier(**SETTINGS)
    expected = network.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(network.fit(*tensors).predict_proba(tensors[0]), expected)


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}], ids=str)
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array, sparse.lil_array])
def test_sparse_indicator_targets_do_what_they_do_in_scikit_learn(container, settings):
    targets = container(Y)
    ours = MLPClassifier(**SETTINGS, **settings).fit(X, targets)
    theirs = sklearn.neural_network.MLPClassifier(**SETTINGS, **settings).fit(X, targets)
    for _ in range(2):
        found = ours.predict(X)
        assert type(found) is type(theirs.predict(X))
        np.testing.assert_array_equal(found.toarray(), theirs.predict(X).toarray())
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-7)
        for given in (targets, Y):
            assert ours.score(X, given) == theirs.score(X, given)
        if settings:
            break
        ours.partial_fit(X, targets)
        theirs.partial_fit(X, targets)
        ours.partial_fit(X, Y)  # the first targets decide
        theirs.partial_fit(X, Y)
    assert isinstance(ours.set_params(warm_start=False).fit(X, Y).predict(X), np.ndarray)


def test_queries_have_to_be_run_first():
    table = pl.DataFrame(X)
    network = MLPClassifier(**SETTINGS).fit(table, Y)
    for method, data in (
        (network.fit, (table.lazy(), Y)),
        (network.fit, (table, pl.DataFrame(Y).lazy())),
        (network.predict, (table.lazy(),)),
    ):
        with pytest.raises(TypeError, match=r"is a LazyFrame.* Pass [Xy]\.collect\(\)"):
            method(*data)
