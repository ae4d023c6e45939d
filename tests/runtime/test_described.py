"""Architectures that were edited by hand are refused, and never reach a kernel."""

import pickle
import sys
import warnings

import numpy as np
import pytest
from reference import architecture
from sklearn.exceptions import ConvergenceWarning

from sknn import Activation, Loss, MLPRegressor
from sknn._runtime.architecture import Architecture

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 5))
HUGE = sys.maxsize

# (key, its new value): of the architecture, or of its first hidden layer.
EDITED = [
    ("n_features", 0),
    ("n_features", -5),
    ("n_features", 5.0),
    ("n_features", True),
    ("n_features", None),
    ("n_features", HUGE),
    ("n_features", 10**400),
    ("n_outputs", 3),  # two levels are no divisor
    ("n_outputs", "2"),
    ("hidden", None),
    ("hidden", {}),
    ("hidden", [7]),
    ("hidden", [{"units": 3}]),
    ("loss", "no such loss"),
    ("loss", ["quantile"]),
    ("loss", "squared_error"),  # which has one parameter
    ("loss_parameters", ()),
    ("loss_parameters", (0.1, 0.5, 0.9)),
    ("loss_parameters", (0.9, 0.1)),
    ("loss_parameters", (0.1, np.nan)),
    ("loss_parameters", (0.1, 1.0)),
    ("loss_parameters", 0.5),
    ("loss_parameters", (0.1, "0.9")),
    ("batch_norm", True),
    ("batch_norm", "nowhere"),
    ("batch_norm", []),
    ("input_dropout", 1.0),
    ("input_dropout", np.nan),
    ("input_dropout", None),
    ("scales_targets", 2),
    ("skip", None),
    ("numeric_embedding", "plr"),
    ("numeric_embedding", None),
    ("embedded", (0,)),  # without an embedding
    ("embedded", (1, 0)),
    ("embedded", (-1,)),
    ("embedded", (1, 1)),
    ("embedded", (True,)),
    ("embedded", (0.5,)),
    ("embedded", None),
    ("bins", ((0, (0.0, 1.0, 2.0)),)),  # without an embedding
    ("units", -1),
    ("units", 2.5),
    ("units", HUGE),
    ("activation", "no such activation"),
    ("activation", None),
    ("parameter", np.nan),
    ("parameter", np.inf),
    ("parameter", 10**400),
    ("pieces", 0),
    ("pieces", HUGE),
    ("dropout", -0.1),
    ("dropout", np.nan),
]
OF_A_LAYER = {"units", "activation", "parameter", "pieces", "dropout"}


@pytest.fixture(scope="module")
def network():
    estimator = MLPRegressor("quantile", (6, 4), activation="maxout", quantile=(0.1, 0.9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.set_params(max_iter=2).fit(X, X[:, 0])


def edited(network, key, value):
    """Return the network's state for a pickle, with one value changed."""
    state = network.__getstate__()
    described = pickle.loads(pickle.dumps(state["_architecture"]))
    (described["hidden"][0] if key in OF_A_LAYER else described)[key] = value
    return state | {"_architecture": described}


@pytest.mark.parametrize(("key", "value"), EDITED, ids=str)
def test_edited_values_are_refused_by_name(network, key, value):
    with pytest.raises(
        ValueError, match=rf"^{key} of|^(hidden|loss_parameters) of|^hidden\[0\] must be a dict"
    ):
        MLPRegressor().__setstate__(edited(network, key, value))


EDGES = (0.0, 1.0, 2.0)


@pytest.mark.parametrize(
    "bins",
    [
        None,
        "0",
        (0,),
        ((0,),),
        ((0, EDGES, 1),),
        ((-1, EDGES),),
        ((5, EDGES),),
        ((True, EDGES),),
        ((0.5, EDGES),),
        ((1, EDGES), (0, EDGES)),
        ((1, EDGES), (1, EDGES)),
        ((0, None),),
        ((0, ()),),
        ((0, (0.0, 1.0)),),
        ((0, (0.0, 2.0, 1.0)),),
        ((0, (0.0, 1.0, 1.0)),),
        ((0, (0.0, 5e-324, 1.0)),),  # the width of whose half is 0
        ((0, (0.0, np.nan, 1.0)),),
        ((0, (0.0, 1.0, np.inf)),),
        ((0, (0.0, 1.0, 10**400)),),
        ((0, ("0", "1", "2")),),
    ],
    ids=str,
)
def test_bins_that_no_fit_makes(bins):
    described = architecture((5, 4, 2), numeric_embedding="piecewise_linear").to_dict()
    assert Architecture.from_dict(described | {"bins": [[0, [0, 1, 2]]]}).n_inputs == 7
    with pytest.raises(ValueError, match=r"^bins of the architecture must be"):
        Architecture.from_dict(described | {"bins": bins})


@pytest.mark.parametrize("described", [None, 3, [], {}, {"hidden": []}])
def test_what_is_no_architecture(network, described):
    with pytest.raises(ValueError, match="the architecture must be a dict with the keys"):
        MLPRegressor().__setstate__(network.__getstate__() | {"_architecture": described})


def test_pieces_without_maxout(network):
    state = edited(network, "activation", "relu")
    with pytest.raises(ValueError, match=r"pieces of hidden\[0\] must be 1"):
        MLPRegressor().__setstate__(state)


@pytest.mark.parametrize(("key", "value"), [("units", 10**9), ("n_outputs", 2 * 10**12)])
def test_other_widths_than_the_weights_have_are_refused_before_memory_is_allocated(
    network, key, value
):
    other = MLPRegressor()
    with pytest.raises(ValueError, match="_flat_vector must be"):
        other.__setstate__(edited(network, key, value))


def test_whatever_fit_makes_is_accepted():
    own = Loss(min, max)
    networks = [
        architecture((5, 6, 4, 2), batch_norm="after", input_dropout=0.1),
        Architecture(np.int64(5), (), 1, "squared_error"),
        Architecture(5, (), 1, own),
        Architecture(5, (), 4, "quantile", (0.1, 0.9)),
        architecture((5, 4, 2), numeric_embedding="pbld", embedded=(0, 4)),
        architecture(
            (5, 4, 2),
            numeric_embedding="piecewise_linear",
            bins=((1, (-1.5, 0.0, 1e300)), (4, (0.0, 0.1, 0.2, 0.3))),
            input_dropout=0.1,
        ),
    ]
    for network in networks:
        assert Architecture.from_dict(network.to_dict()) == network


def test_an_activation_of_ones_own_is_accepted():
    estimator = MLPRegressor(activation=Activation(np.sin, np.cos), max_iter=200, tol=1.0)
    estimator.fit(X, X[:, 0])
    twin = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(twin.predict(X), estimator.predict(X))


@pytest.mark.parametrize("shape", [(1,), (2,), ()])
def test_quantiles_are_scaled_by_one_mean_or_by_one_each(shape):
    estimator = MLPRegressor("quantile", quantile=(0.1, 0.9), normalize_y=True, max_iter=200, tol=1)
    estimator.fit(X, 5 * X[:, 0] + 3)
    assert estimator.y_mean_.shape == (1,)
    expected = estimator.predict(X)
    for name in ("y_mean_", "y_scale_"):
        setattr(estimator, name, np.full(shape, getattr(estimator, name)[0]))
    twin = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(twin.predict(X), expected)
