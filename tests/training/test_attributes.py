"""Pickles carry the version, and hold nothing private that a reader would have to trust."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import skops.io
from sklearn.exceptions import InconsistentVersionWarning

import sknn
from sknn import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).standard_normal((40, 5))
Y = X[:, 0] + 3


@pytest.fixture
def network():
    return MLPRegressor(hidden_layer_sizes=(6,), tol=1.0, max_iter=200).fit(X, Y)


@pytest.mark.parametrize("version", ["0.0.1", "99.0", None])
def test_a_pickle_of_another_version_warns_at_the_users_line(network, version, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(sknn, "__version__", version)
        content = pickle.dumps(network)
    expected = (
        f"MLPRegressor from version sknn {version} when using version sknn {sknn.__version__}"
    )
    with pytest.warns(InconsistentVersionWarning, match=expected) as caught:
        twin = pickle.loads(content)
    assert caught[0].filename == __file__
    assert not hasattr(twin, "_sknn_version")
    np.testing.assert_array_equal(twin.predict(X), network.predict(X))


def test_a_pickle_without_a_version_warns(network):
    state = network.__getstate__()
    del state["_sknn_version"]
    with pytest.warns(InconsistentVersionWarning, match="from version sknn unknown"):
        MLPRegressor().__setstate__(state)


def test_this_version_does_not_warn(network):
    state = network.__getstate__()
    before = dict(state)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for twin in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network), MLPRegressor()):
            twin.__setstate__(state)
    assert state.keys() == before.keys()


@pytest.mark.parametrize("settings", [{}, {"warm_start": True}, {"batch_norm": True}], ids=str)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_skops_asks_for_the_estimators_class_only(kind, settings):
    network = kind(hidden_layer_sizes=(6,), tol=1.0, max_iter=200, **settings)
    network.fit(X, (Y > 3).astype(int) if kind is MLPClassifier else Y)
    content = skops.io.dumps(network)
    untrusted = skops.io.get_untrusted_types(data=content)
    assert untrusted == [f"sknn.mlp.{kind.__name__}"]
    twin = skops.io.loads(content, trusted=untrusted)
    np.testing.assert_array_equal(twin.predict(X), network.predict(X))
