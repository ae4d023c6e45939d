"""HiddenFeatures among scikit-learn's transformers: containers, names, routing, frozen networks."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import HiddenFeatures, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

rng = np.random.default_rng(0)
X = rng.standard_normal((120, 5)) * (rng.random((120, 5)) < 0.5)
y = (X[:, 0] > 0).astype(int)
FRAME = pd.DataFrame(X, columns=list("abcde"))


def network(**settings):
    return MLPClassifier(
        **{"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0} | settings
    )


TRANSFORMERS = [
    HiddenFeatures(network(hidden_layer_sizes=(5,), max_iter=20)),
    HiddenFeatures(MLPRegressor(hidden_layer_sizes=(5, 3), max_iter=20, random_state=0), layer=0),
]


@pytest.mark.filterwarnings("ignore")  # the checks themselves say where a warning is wrong
@parametrize_with_checks(TRANSFORMERS)
def test_estimator_checks(estimator, check):
    if check.func.__name__ == "check_array_api_input":
        assert not sklearn.utils.get_tags(estimator).array_api_support
        return
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=["classifier", "regressor"])
@pytest.mark.parametrize(
    "check",
    [
        "check_dataframe_column_names_consistency",
        "check_transformer_get_feature_names_out",
        "check_transformer_get_feature_names_out_pandas",
        "check_set_output_transform",
        "check_set_output_transform_pandas",
        "check_global_output_transform_pandas",
        "check_transformer_preserve_dtypes",
    ],
)
def test_checks_of_transformers(check, transformer):
    getattr(estimator_checks, check)("HiddenFeatures", sklearn.base.clone(transformer))


@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix")
@pytest.mark.parametrize(
    "container",
    [
        *(f"{format}_array" for format in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")),
        "coo_matrix",
        "bsr_matrix",
    ],
)
def test_all_sparse_containers_train_the_same(container):
    expected = HiddenFeatures(network()).fit_transform(X, y)
    rows = getattr(sparse, container)(X)
    found = HiddenFeatures(network())
    np.testing.assert_allclose(found.fit_transform(rows, y), expected)
    np.testing.assert_allclose(found.transform(rows), expected)


@pytest.mark.parametrize("convert", [np.ndarray.tolist, pd.DataFrame, memoryview])
def test_other_tables_train_the_same(convert):
    expected = HiddenFeatures(network()).fit_transform(X, y)
    found = HiddenFeatures(network()).fit_transform(convert(X), y)
    np.testing.assert_array_equal(found, expected)


def test_names_of_features_are_known_and_checked():
    features = HiddenFeatures(network()).fit(FRAME, y)
    assert list(features.feature_names_in_) == list("abcde")
    assert features.n_features_in_ == 5
    with pytest.raises(ValueError, match="feature names"):
        features.transform(FRAME[list("edcba")])
    frozen = HiddenFeatures(FrozenEstimator(network().fit(X, y)))
    frozen.fit(FRAME, y)
    assert list(frozen.feature_names_in_) == list("abcde")
    assert not hasattr(features.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize("layer", [2, -3, 1.5, "last"])
def test_a_layer_that_is_not_there_is_named_before_training(layer):
    features = HiddenFeatures(network(hidden_layer_sizes=(4, 3), max_iter=10**9, tol=0), layer)
    with pytest.raises(ValueError, match=rf"layer={layer!r} must be in \[-2, 1\]"):
        features.fit(X, y)
    with pytest.raises(NotFittedError):
        features.transform(X)
    with pytest.raises(ValueError, match="the network has 0 hidden layers"):
        HiddenFeatures(network(hidden_layer_sizes=())).fit(X, y)


@pytest.mark.parametrize(("layer", "width"), [(0, 4), (1, 3), (-1, 3), (-2, 4)])
def test_columns_are_the_units_of_the_layer(layer, width):
    for settings in ({}, {"activation": "maxout"}):
        inner = network(hidden_layer_sizes=(4, 3), **settings)
        features = HiddenFeatures(inner, layer).fit(X, y)
        names = features.get_feature_names_out()
        assert len(names) == features.transform(X).shape[1] == width


def test_a_failed_fit_leaves_the_last_one():
    features = HiddenFeatures(network()).fit(FRAME, y)
    before = features.transform(FRAME)
    with pytest.raises(ValueError, match="NaN"):
        features.fit(np.full((10, 2), np.nan), y[:10])
    np.testing.assert_array_equal(features.transform(FRAME), before)


def test_other_estimators_are_refused():
    for estimator in (LogisticRegression(), make_pipeline(StandardScaler(), network())):
        with pytest.raises(TypeError, match="must be an MLPClassifier or MLPRegressor of sknn"):
            HiddenFeatures(estimator).fit(X, y)


@pytest.mark.parametrize("estimator", [None, MLPClassifier])
def test_what_is_no_estimator_is_refused_by_fit_alone(estimator):
    features = HiddenFeatures(estimator)
    with pytest.raises(TypeError):
        features.fit(X, y)
    with pytest.raises(NotFittedError):
        features.transform(X)
    assert "HiddenFeatures" in features._repr_html_()


def test_a_frozen_network_is_used_as_it_is():
    fitted = network().fit(X, y)
    features = HiddenFeatures(FrozenEstimator(fitted)).fit(X[:10], y[:10])
    np.testing.assert_array_equal(features.transform(X), fitted.hidden_features(X))
    with pytest.raises(NotFittedError):
        HiddenFeatures(FrozenEstimator(network())).fit(X, y)


def test_metadata_is_routed_to_the_network_where_it_asks_for_it():
    weight = np.arange(120.0)
    direct = network().fit(X, y, weight, X_val=X, y_val=y)
    with sklearn.config_context(enable_metadata_routing=True):
        inner = network().set_fit_request(sample_weight=True, X_val="other_X", y_val=True)
        model = make_pipeline(
            HiddenFeatures(inner), LogisticRegression().set_fit_request(sample_weight=False)
        )
        model.fit(X, y, sample_weight=weight, other_X=X, y_val=y)
        found = model[0].estimator_
        silent = HiddenFeatures(network())
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            silent.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(found.coefs_[0], direct.coefs_[0])
    assert found.history_["val_loss"] == direct.history_["val_loss"]


def test_arguments_of_fit_reach_the_network_without_routing():
    weight = np.arange(120.0)
    found = HiddenFeatures(network()).fit(X, y, sample_weight=weight)
    direct = network().fit(X, y, weight)
    np.testing.assert_array_equal(found.estimator_.coefs_[0], direct.coefs_[0])


def test_tags_are_those_of_the_network():
    for inner in (network(), MLPRegressor()):
        tags = sklearn.utils.get_tags(HiddenFeatures(inner))
        assert tags.input_tags.sparse
        assert tags.target_tags.required
        assert not tags.input_tags.allow_nan
