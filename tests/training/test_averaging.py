"""Networks that are averaged after a round of training begin the next one with the averages."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from sknn import MLPRegressor
from sknn._runtime.architecture import LEARNED
from sknn._runtime.layout import flat_vector, make_layout
from sknn._training import partitions
from sknn._training.averaging import AveragedNetworks

X, Y = load_diabetes(return_X_y=True)
Y = Y / 100
SETTINGS = {"hidden_layer_sizes": (6,), "batch_size": 40, "random_state": 0}
WEIGHTS = [1.0, 3.0]


def train_a_round(averaged):
    """Let each network train on rows of its own; return what averages are made of."""
    halves = [partitions.Rows(X[i::2], Y[i::2], None) for i in (0, 1)]
    trained = [
        partitions.train(rows, network, 1)
        for rows, network in zip(halves, averaged.networks, strict=True)
    ]
    return trained, [values_of(network) for network in trained]


def values_of(network):
    """Return copies of all arrays that training goes on with."""
    learned = [array for name in LEARNED for array in getattr(network, name, [])]
    states = network._training_state.optimizer.states
    return [np.array(array) for array in [*learned, *states]]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"input_scale": 6.0},
        {"input_scale": True, "dtype": "float32", "solver": "sgd"},
        {"input_scale": True, "skip": True, "parametrization": "ntk", "bias_lr_factor": 0.1},
        {"batch_norm": True, "solver": "nadam", "dropout": 0.2},
        {"numeric_embedding": "pbld", "skip": True},
        {"numeric_embedding": "piecewise_linear"},
    ],
    ids=str,
)
def test_the_next_round_begins_with_the_averages(settings):
    network = MLPRegressor(**SETTINGS, **settings)
    averaged = AveragedNetworks(network._fit(X, Y, None, incremental=True, n_epochs=0), WEIGHTS)
    for _ in range(2):
        trained, values = train_a_round(averaged)
        averaged.average(trained)
        pairs = zip(*values, strict=True)
        means = [np.average(arrays, axis=0, weights=WEIGHTS) for arrays in pairs]
        if settings.get("input_scale"):
            v = means[-1][:60].reshape(10, 6)
            means[0] = means[-1][60:70, None] * v
        for copied in averaged.networks:
            begin_anew(copied)
            for value, mean in zip(values_of(copied), means, strict=True):
                np.testing.assert_allclose(value, mean, rtol=1e-5, atol=1e-6)


def begin_anew(network):
    """Let the state of training look at the weights, as at the beginning of ``partial_fit``."""
    layout = make_layout(network._architecture)
    flat = flat_vector(network, layout, network.coefs_[0].dtype)
    network._training_state.prepare_optimizer(network, flat, network._architecture)
