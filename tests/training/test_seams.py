"""Parameters that change between calls, and targets of odd shapes and sizes."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sknn import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5))
Y = X[:, 0] + 0.1 * RNG.standard_normal(60)
SETTINGS = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


def test_another_loss_changes_what_is_told_of_the_outputs():
    model = MLPRegressor(warm_start=True, **SETTINGS).fit(X, np.abs(Y))
    assert model.out_activation_ == "identity"
    assert model.set_params(loss="poisson").fit(X, np.abs(Y)).out_activation_ == "exp"


def test_normalize_y_cannot_change_in_training():
    model = MLPRegressor(normalize_y=True, **SETTINGS).fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="normalize_y=False changes"):
        model.set_params(normalize_y=False).partial_fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize("shape", [(60,), (60, 3), (30, 4), (120, 1)])
def test_scored_quantiles_need_targets_of_their_shape(shape):
    model = MLPRegressor("quantile", **SETTINGS).fit(X, np.c_[Y, Y])
    with pytest.raises(ValueError, match="must have 2 columns for 60 samples"):
        model.score(X, np.ones(shape))
    with pytest.raises(ValueError, match="y must hold one real number for each target: dtype="):
        model.score(X, np.full((60, 2), "one"))


def test_targets_whose_deviation_overflows_are_refused():
    with pytest.raises(ValueError, match="normalize_y=True needs targets"):
        MLPRegressor(normalize_y=True, **SETTINGS).fit(X, Y * 1e300)


def test_sparse_targets_of_a_regression_are_refused():
    with pytest.raises(TypeError, match="y must be dense"):
        MLPRegressor(**SETTINGS).fit(X, sparse.csr_array(np.c_[Y, Y]))


def test_lbfgs_that_gives_up_says_so():
    model = MLPRegressor(solver="lbfgs", **SETTINGS)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        model.fit(X, Y * 1e100)


def test_gradients_of_values_beyond_float32_are_refused():
    model = MLPClassifier(**SETTINGS).fit(X.astype("float32"), Y > 0)
    large = X.copy()
    large[0, 0] = 1e39
    with pytest.raises(ValueError, match="beyond float32"):
        model.gradients(large, Y > 0)
