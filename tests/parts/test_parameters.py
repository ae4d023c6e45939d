"""Rows name exactly those constructor arguments that they read: others change nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from reference import compiled

from sknn import MLPRegressor
from sknn._compiled.kinds import (
    ACTIVATION,
    ACTIVATION_BACKWARD,
    LINK,
    LOSS,
    OPTIMIZER_STEP,
    PENALTY,
)
from sknn.parts.activations import ACTIVATIONS
from sknn.parts.losses import LOSSES
from sknn.parts.optimizers import OPTIMIZERS
from sknn.parts.regularizers import REGULARIZERS, regularizer_part
from sknn.parts.schedules import SCHEDULES

DEFAULTS = MLPRegressor().get_params() | {"label_smoothing": 0.0}
OTHER_VALUES = {
    "negative_slope": 0.7,
    "elu_alpha": 0.4,
    "maxout_pieces": 3,
    "label_smoothing": 0.3,
    "huber_delta": 0.2,
    "quantile": 0.8,
    "momentum": 0.5,
    "nesterovs_momentum": False,
    "epsilon": 0.1,
    "rho": 0.5,
    "beta_1": 0.3,
    "beta_2": 0.6,
    "power_t": 0.9,
    "decay_rate": 0.4,
    "max_iter": 5,
}
DTYPE = np.dtype(float)
Z = np.linspace(-3, 3, 24)
NOTHING = np.empty(0)


def _run(kernel, kind, *arguments):
    compiled(kernel, kind, DTYPE)(*arguments)


def _use_activation(part, settings):
    parameter = float(part.parameter_value(settings))
    pieces = getattr(settings, part.pieces) if part.pieces else 1
    a = np.empty(Z.size // pieces)
    dz = np.empty_like(Z)
    _run(part.forward, ACTIVATION, Z, parameter, a)
    _run(part.backward, ACTIVATION_BACKWARD, Z, a, parameter, np.ones_like(a), dz)
    return [*a, *dz]


def _use_loss(part, settings):
    parameters = part.parameter_values(settings).astype(DTYPE)
    delta = np.empty_like(Z)
    prediction = np.empty_like(Z)
    totals = np.zeros(2)
    y = np.ones(Z.size)
    n_outputs = 2 if part.class_codes else 1
    weight = np.ones(Z.size // n_outputs)
    _run(part.link, LINK, Z, n_outputs, parameters, prediction)
    _run(part.loss, LOSS, Z.copy(), y, weight, n_outputs, parameters, 1.0, delta, totals)
    return [*totals, *delta, *prediction]


def _use_optimizer(part, settings):
    steps = part.hyperparameters(settings, 1, np.full(3, 0.1), np.arange(3) / 3)
    w = Z.copy()
    states = [np.zeros(Z.size if i < part.n_states else 0) for i in range(3)]
    for i, h in enumerate(steps):
        _run(part.step, OPTIMIZER_STEP, w, np.cos(Z + i), *states, h)
    return w


def _use_schedule(part, settings):
    factors = np.broadcast_to(part.factor(settings, np.arange(1.0, 5.0)), 4)
    return [*factors, part.after_epoch(settings, 0.1, 100), part.on_plateau(settings, 0.1)]


USES = {
    "activation": (ACTIVATIONS, _use_activation),
    "loss": (LOSSES, _use_loss),
    "optimizer": (OPTIMIZERS, _use_optimizer),
    "schedule": (SCHEDULES, _use_schedule),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in USES for name in USES[kind][0]]
)
def test_a_row_reads_what_it_names(kind, name):
    registry, use = USES[kind]
    part = registry[name]
    before = list(use(part, SimpleNamespace(**DEFAULTS)))
    read = {
        parameter
        for parameter in {name for row in registry.values() for name in row.parameters}
        if list(use(part, SimpleNamespace(**DEFAULTS | {parameter: OTHER_VALUES[parameter]})))
        != before
    }
    assert read == set(part.parameters)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_whose_kernels_use_the_parameter_names_one(name):
    part = ACTIVATIONS[name]
    a = [np.empty_like(Z) for _ in range(2)]
    for parameter, out in zip((0.2, 0.7), a, strict=True):
        _run(part.forward, ACTIVATION, Z, parameter, out)
    assert (a[0] != a[1]).any() == (part.parameter is not None)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_whose_kernel_uses_the_parameter_names_one(name):
    part = LOSSES[name]
    results = [
        _use_loss(part._replace(parameters=("first",)), SimpleNamespace(first=value))
        for value in (0.2, 0.7)
    ]
    assert (results[0] != results[1]) == (part.parameters != ())


def test_the_regularizer_depends_on_what_its_row_names():
    def penalty(alpha, l1_ratio):
        part = regularizer_part(SimpleNamespace(alpha=alpha, l1_ratio=l1_ratio))
        g = np.zeros_like(Z)
        totals = np.zeros(2)
        _run(part.penalize, PENALTY, Z, alpha * l1_ratio, alpha * (1 - l1_ratio), g, totals)
        return part, totals[1]

    assert penalty(0.0, 0.5) == penalty(0.0, 0.0) == (REGULARIZERS["l2"], 0)
    assert penalty(0.1, 0.0)[0] is REGULARIZERS["l2"]
    assert REGULARIZERS["l2"].parameters == ("alpha",)
    mixed = [penalty(0.1, 0.5), penalty(0.2, 0.5), penalty(0.1, 0.9)]
    assert {part.parameters for part, _ in mixed} == {("alpha", "l1_ratio")}
    assert len({value for _, value in mixed}) == 3
