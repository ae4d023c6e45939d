"""Gradients of a fitted network against central differences of its own ``evaluate``."""

import copy

import numpy as np
import pytest
from scipy import sparse

from sknn import MLPClassifier, MLPRegressor
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.losses import REGRESSION_LOSSES

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4))
WEIGHT = RNG.uniform(0.5, 2, len(X))
CODES = np.arange(len(X)) % 3
TARGETS = {
    "binary": CODES > 0,
    "multiclass": np.array(["a", "b", "c"])[CODES],
    "multilabel": np.eye(3, dtype=int)[CODES][:, :2],
}
SETTINGS = {"max_iter": 3, "random_state": 0, "solver": "sgd", "learning_rate_init": 0.1}
STEP = 1e-6


def moved(model, name, layer, index, step):
    """Return a copy of a fitted network with one learned number changed."""
    changed = copy.deepcopy(model)
    getattr(changed, name)[layer][index] += step
    return changed


def numerical(model, y, name, layer, index):
    up, down = (
        moved(model, name, layer, index, step).evaluate(X, y, WEIGHT)["loss"]
        for step in (STEP, -STEP)
    )
    return (up - down) / (2 * STEP)


def assert_right(model, y):
    """Compare each array's first, last and a middle element, and some of X."""
    gradients = model.gradients(X, y, WEIGHT)
    for key in gradients.keys() - {"X"}:
        arrays = getattr(model, f"{key}_")
        assert len(gradients[key]) == len(arrays)
        for layer, array in enumerate(arrays):
            assert gradients[key][layer].shape == array.shape
            for flat in {0, array.size // 2, array.size - 1}:
                index = np.unravel_index(flat, array.shape)
                expected = numerical(model, y, f"{key}_", layer, index)
                np.testing.assert_allclose(
                    gradients[key][layer][index], expected, rtol=1e-5, atol=1e-8
                )
    for index in [(0, 0), (5, 2), (11, 3)]:
        losses = []
        for step in (STEP, -STEP):
            near = X.copy()
            near[index] += step
            losses.append(model.evaluate(near, y, WEIGHT)["loss"])
        expected = (losses[0] - losses[1]) / (2 * STEP)
        np.testing.assert_allclose(gradients["X"][index], expected, rtol=1e-5, atol=1e-8)
    assert gradients["X"].shape == X.shape


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, "before", "after"])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_activations(activation, batch_norm):
    model = MLPClassifier(
        (5, 3), activation, batch_norm=batch_norm, input_dropout=0.1, dropout=0.2, **SETTINGS
    )
    assert_right(model.fit(X, TARGETS["multiclass"]), TARGETS["multiclass"])


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_classifiers(kind):
    model = MLPClassifier((5,), "tanh", label_smoothing=0.1, **SETTINGS)
    assert_right(model.fit(X, TARGETS[kind]), TARGETS[kind])


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_regressors(loss, n_targets):
    y = RNG.uniform(0.5, 2, (len(X), n_targets))
    y = y[:, 0] if n_targets == 1 else y
    model = MLPRegressor(loss, (5,), "tanh", **SETTINGS)
    assert_right(model.fit(X, y), y)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_linear_path_from_the_inputs():
    y = TARGETS["multiclass"]
    model = MLPClassifier((5, 3), "tanh", skip=True, input_scale=True, batch_norm=True, **SETTINGS)
    assert_right(model.fit(X, y), y)
    assert model.gradients(X, y)["skip_coefs"][0].any()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("hidden", [(), (5, 3)])
def test_columns_with_bins(hidden):
    y = TARGETS["multiclass"]
    settings = SETTINGS | {"numeric_embedding": "piecewise_linear", "skip": len(hidden) > 0}
    table = X + RNG.uniform(-0.01, 0.01, X.shape)  # at an edge there would be two slopes
    model = MLPClassifier(hidden, "tanh", **settings).fit(table, y)
    model.coefs_[0][4:] *= 10  # so that features without their bins would have other gradients
    assert_right(model, y)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("hidden", [(), (5, 3)])
def test_embedded_columns(hidden):
    y = TARGETS["multiclass"]
    skip = len(hidden) > 0
    model = MLPClassifier(hidden, numeric_embedding="pbld", skip=skip, **SETTINGS)
    assert_right(model.fit(X, y), y)
    assert model.gradients(X, y)["embedding_frequencies"][0].any()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_scaled_targets_and_several_quantiles():
    y = 100 + 10 * X[:, 0]
    assert_right(MLPRegressor(hidden_layer_sizes=(), normalize_y=True, **SETTINGS).fit(X, y), y)
    model = MLPRegressor("quantile", (4,), "tanh", quantile=[0.1, 0.9], **SETTINGS)
    assert_right(model.fit(X, X[:, 0]), X[:, 0])
    assert model.evaluate(X, X[:, 0])["neg_mean_pinball_loss"] == model.score(X, X[:, 0])


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_constructor_parameters_are_not_read():
    y = 100 + 10 * X[:, 0]
    model = MLPRegressor("huber", (4,), "tanh", normalize_y=True, **SETTINGS).fit(X, y)
    results = model.evaluate(X, y)
    gradients = model.gradients(X, y)
    model.set_params(loss="gamma", activation="relu", normalize_y=False, hidden_layer_sizes=(9,))
    assert model.evaluate(X, y) == results
    np.testing.assert_array_equal(model.gradients(X, y)["X"], gradients["X"])


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_sparse_rows_blocks_and_dtype(monkeypatch):
    from sknn._runtime import gradients as module

    y = TARGETS["multiclass"]
    model = MLPClassifier((5,), dtype="float32", **SETTINGS).fit(X, y)
    whole = model.gradients(X, y)
    assert whole["coefs"][0].dtype == whole["X"].dtype == np.float32
    monkeypatch.setattr(module, "_BLOCK_ROWS", 5)
    for given in (X, sparse.csr_array(X), sparse.csc_matrix(X)):
        parts = model.gradients(given, y)
        np.testing.assert_allclose(parts["coefs"][0], whole["coefs"][0], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(parts["X"], whole["X"], rtol=1e-4, atol=1e-7)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_targets_of_another_width_are_named():
    model = MLPRegressor(hidden_layer_sizes=(5,), **SETTINGS).fit(X, X[:, :2])
    for method in (model.evaluate, model.gradients):
        with pytest.raises(ValueError, match="y has 1 columns, but fit had 2"):
            method(X, X[:, 0])


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_evaluate_is_what_training_records():
    y = TARGETS["multiclass"]
    model = MLPClassifier((5,), early_stopping=True, restore_best=False, **SETTINGS)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=WEIGHT)
    results = model.evaluate(X, y, WEIGHT)
    np.testing.assert_allclose(results["loss"], model.history_["val_loss"][-1], rtol=1e-12)
    assert results["accuracy"] == model.score(X, y, WEIGHT) == model.validation_scores_[-1]
