"""Training by L-BFGS-B: its minimum, going on from its weights, and BLAS on one thread."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl
from problems import CASES, both_kinds, regression
from sklearn.linear_model import Ridge

from sknn import MLPRegressor
from sknn._runtime.thread_limits import single_blas_thread

pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_linear_network_is_ridgeregression(n_outputs):
    X, y = regression(n_outputs=n_outputs)
    network = MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", alpha=7.0, tol=1e-9, max_iter=1000, random_state=0
    ).fit(X, y)
    ridge = Ridge(alpha=7.0).fit(X, y)
    np.testing.assert_allclose(network.predict(X), ridge.predict(X), rtol=1e-4, atol=1e-5)


@both_kinds
def test_warm_start_of_lbfgs_goes_on_from_its_weights(kind):
    X, y = CASES[kind]
    network = kind(
        solver="lbfgs", hidden_layer_sizes=8, max_iter=5, warm_start=True, random_state=0
    ).fit(X, y)
    losses = [network.loss_]
    for _ in range(3):
        losses.append(network.fit(X, y).loss_)
    assert all(after < before for before, after in itertools.pairwise(losses))
    assert len(network.loss_curve_) == 20


def n_blas_threads():
    found = threadpoolctl.threadpool_info()
    return [library["num_threads"] for library in found if library["user_api"] == "blas"]


def test_blas_gets_its_threads_back_when_the_last_fit_has_ended():
    before = n_blas_threads()
    with single_blas_thread:
        with single_blas_thread:
            assert set(n_blas_threads()) <= {1}
        assert set(n_blas_threads()) <= {1}
    assert n_blas_threads() == before


def test_concurrent_fits_leave_blas_as_it_was():
    X, y = regression()
    before = n_blas_threads()
    with ThreadPoolExecutor(4) as pool:
        networks = [
            MLPRegressor(hidden_layer_sizes=5, solver="lbfgs", max_iter=20) for _ in range(8)
        ]
        list(pool.map(lambda network: network.fit(X, y), networks))
    assert n_blas_threads() == before
