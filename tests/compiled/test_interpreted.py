"""With NUMBA_DISABLE_JIT=1 the same kernels run as plain Python, and training goes the same way."""

import warnings

import numpy as np
import pytest
from processes import run
from scipy import sparse

from sknn import MLPClassifier, MLPRegressor
from sknn._compiled import jit as jit_module
from sknn._hyperparameters.training import SOLVERS
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.losses import REGRESSION_LOSSES

RANDOM = np.random.RandomState(0)
X = np.round(RANDOM.randn(30, 4), 3) * (RANDOM.rand(30, 4) > 0.3)
CLASSES = np.arange(30) % 3
CASES = {
    **{
        f"solver={solver}": (MLPClassifier, X, CLASSES == 0, {"solver": solver})
        for solver in SOLVERS
    },
    **{
        f"activation={name}": (MLPClassifier, X, CLASSES, {"activation": name})
        for name in ACTIVATIONS
    },
    **{
        f"loss={loss}": (MLPRegressor, X, RANDOM.rand(30), {"loss": loss})
        for loss in REGRESSION_LOSSES
    },
    "sparse": (MLPClassifier, sparse.csr_array(X), CLASSES, {}),
    "sparse, lbfgs": (MLPRegressor, sparse.csr_array(X), RANDOM.rand(30, 2), {"solver": "lbfgs"}),
    "several labels": (MLPClassifier, X, RANDOM.randint(0, 2, (30, 3)), {}),
    "early stopping": (
        MLPClassifier,
        X,
        CLASSES,
        {"early_stopping": True, "validation_fraction": 0.3},
    ),
    "weights in halves": (
        MLPClassifier,
        np.tile(X, (1, 32)),
        CLASSES,
        {"hidden_layer_sizes": (160,)},
    ),
    "no hidden layer": (MLPRegressor, X, RANDOM.rand(30), {"hidden_layer_sizes": ()}),
}


def fit_all():
    """Return whether kernels are interpreted, and the record of each case's training.

    A record has the loss curve, the validation scores and the first predictions.
    """
    warnings.simplefilter("ignore")
    records = {}
    for name, (kind, data, y, parameters) in CASES.items():
        settings = {
            "hidden_layer_sizes": (5, 4),
            "max_iter": 4,
            "batch_size": 8,
            "alpha": 0.1,
            "random_state": 0,
        }
        model = kind(**{**settings, **parameters}).fit(data, y)
        outputs = (
            model.predict_proba(data[:3]) if kind is MLPClassifier else model.predict(data[:3])
        )
        records[name] = (
            model.loss_curve_,
            model.validation_scores_ or [],
            np.ravel(outputs).tolist(),
        )
    return jit_module.INTERPRETED, records


@pytest.fixture(scope="module")
def records():
    """Return the records of ``fit_all``, compiled and interpreted."""
    (compiled_is_interpreted, compiled), _ = run(fit_all)
    (is_interpreted, interpreted), _ = run(fit_all, NUMBA_DISABLE_JIT=1)
    assert (compiled_is_interpreted, is_interpreted) == (False, True)
    return compiled, interpreted


@pytest.mark.parametrize("case", CASES)
def test_interpreted_training_is_compiled_training(records, case):
    compiled, interpreted = (record[case] for record in records)
    assert len(compiled[0]) > 1
    for one, other in zip(compiled, interpreted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
