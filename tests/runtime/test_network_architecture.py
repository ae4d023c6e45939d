"""What fit built is what predicts: no later change may let a kernel leave its arrays.

The trials run in child processes, since what they guard against kills a process.
"""

import copy
import itertools
import pickle
import warnings

import numpy as np
import processes
import pytest
from reference import architecture, compiled_only
from sklearn.exceptions import ConvergenceWarning

from sknn import Activation, MLPClassifier, MLPRegressor
from sknn._runtime.architecture import LEARNED, Architecture
from sknn._runtime.layout import make_layout, views
from sknn._runtime.requested import make_architecture

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 5))
Y = np.abs(X[:, :2]) + 0.5

CHANGES = {
    "activation": ["relu", "maxout", ("leaky_relu", "maxout")],
    "maxout_pieces": [2, 5],
    "batch_norm": [False, "before", "after"],
    "dropout": [0.0, (0.2, 0.0)],
    "hidden_layer_sizes": [(33, 17), (60, 7)],
    "dtype": [None, "float32"],
    "loss": ["squared_error", "poisson"],
}


def _configurations():
    for values in itertools.product(*CHANGES.values()):
        configuration = dict(zip(CHANGES, values, strict=True))
        if configuration["maxout_pieces"] == 2 or "maxout" in configuration["activation"]:
            yield configuration


def changed_after_fit(parity):
    """Fit every second configuration, change it to all others; count wrong predictions."""
    warnings.simplefilter("ignore")
    configurations = list(_configurations())
    wrong = []
    n_tried = 0
    for fitted in configurations[int(parity) :: 2]:
        model = MLPRegressor(max_iter=1, random_state=0, **fitted).fit(X, Y)
        expected = model.predict(X)
        for changed in configurations:
            found = model.set_params(**changed).predict(X)
            n_tried += 1
            if not np.array_equal(found, expected):
                wrong.append([str(fitted), str(changed)])
    return n_tried, wrong[:3]


@compiled_only
@pytest.mark.parametrize("parity", ["0", "1"])
def test_parameters_changed_after_fit_change_no_prediction(parity):
    n_tried, wrong = processes.run(changed_after_fit, parity).value
    assert n_tried > 10_000
    assert wrong == []


OTHERS = [
    (MLPRegressor, {"normalize_y": True}, {"normalize_y": False}),
    (MLPRegressor, {}, {"normalize_y": True}),
    (MLPRegressor, {"loss": "quantile", "quantile": (0.1, 0.9)}, {"quantile": 0.5}),
    (MLPRegressor, {"loss": "quantile", "quantile": (0.1, 0.9)}, {"loss": "huber"}),
    (MLPRegressor, {"activation": "elu", "elu_alpha": 0.5}, {"elu_alpha": 2.0}),
    (MLPRegressor, {"activation": Activation(np.sin, np.cos)}, {"activation": "relu"}),
    (MLPClassifier, {"input_dropout": 0.5}, {"input_dropout": 0.0}),
    (MLPClassifier, {"label_smoothing": 0.1}, {"label_smoothing": 0.0, "solver": "lbfgs"}),
    (MLPClassifier, {}, {"hidden_layer_sizes": ()}),
    (MLPClassifier, {"numeric_embedding": "pbld"}, {"numeric_embedding": "none"}),
    (MLPClassifier, {"numeric_embedding": "piecewise_linear"}, {"numeric_embedding": "none"}),
    (MLPRegressor, {}, {"numeric_embedding": "pbld", "input_dropout": 0.5}),
    (MLPClassifier, {}, {"activation": "no such activation", "batch_norm": "nowhere"}),
]


@pytest.mark.parametrize(("kind", "fitted", "changed"), OTHERS)
def test_other_parameters_changed_after_fit_change_no_prediction(kind, fitted, changed):
    target = Y[:, 0] if kind is MLPRegressor else (X[:, 0] > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = kind((9,) if kind is MLPClassifier else "squared_error", max_iter=2)
        model.set_params(random_state=0, **fitted).fit(X, target)
    expected = model.predict(X)
    hidden = model.hidden_features(X)
    text = str(model.summary())
    model.set_params(**changed)
    for twin in (model, copy.copy(model), copy.deepcopy(model)):
        np.testing.assert_array_equal(twin.predict(X), expected)
        np.testing.assert_array_equal(twin.hidden_features(X), hidden)
        assert str(twin.summary()) == text


def test_a_failed_fit_leaves_the_fitted_network():
    model = MLPRegressor(hidden_layer_sizes=(6,), max_iter=300, tol=0.1).fit(X, Y)
    expected = model.predict(X)
    model.set_params(hidden_layer_sizes=(3, 3), batch_norm=True, activation="maxout")
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan, Y)
    np.testing.assert_array_equal(model.predict(X), expected)


# ---- assigned weights --------------------------------------------------------------------------

ASSIGNED = {
    "fewer arrays": lambda arrays: arrays[:1],
    "more arrays": lambda arrays: [*arrays, arrays[-1]],
    "none": lambda arrays: None,
    "a number": lambda arrays: 3,
    "empty": lambda arrays: [],
    "transposed": lambda arrays: [array.T for array in arrays],
    "fewer columns": lambda arrays: [array[..., :-1] for array in arrays],
    "one more row": lambda arrays: [np.concatenate([array, array[:1]]) for array in arrays],
    "flat": lambda arrays: [array.ravel()[:-1] for array in arrays],
    "complex": lambda arrays: [array.astype(complex) for array in arrays],
    "objects": lambda arrays: [array.astype(object) for array in arrays],
    "strings": lambda arrays: [array.astype(str) for array in arrays],
    "ragged": lambda arrays: [[[1.0], [1.0, 2.0]] for _ in arrays],
    "no arrays": lambda arrays: [None for _ in arrays],
    "one of another size": lambda arrays: [*arrays[:-1], np.ones((400, 400))],
}
SAME = {
    "copies": lambda arrays: [array.copy() for array in arrays],
    "Fortran order": lambda arrays: [np.asfortranarray(array) for array in arrays],
    "lists": lambda arrays: [array.tolist() for array in arrays],
    "a tuple": tuple,
    "strided": lambda arrays: [np.repeat(array, 2, axis=-1)[..., ::2] for array in arrays],
    "long doubles": lambda arrays: [array.astype(np.longdouble) for array in arrays],
    "other byte order": lambda arrays: [array.astype(">f8") for array in arrays],
    "read-only": lambda arrays: [_read_only(array) for array in arrays],
}


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def _networks():
    for settings in (
        {},
        {"batch_norm": True},
        {"activation": "maxout", "batch_norm": "after"},
        {"numeric_embedding": "pbld"},
    ):
        yield MLPRegressor(hidden_layer_sizes=(6, 4), max_iter=1, random_state=0, **settings).fit(
            X, Y
        )


def assign_everything():
    """Assign every unusable value to every learned attribute; list what was not refused by name."""
    warnings.simplefilter("ignore")
    wrong = []
    n_tried = 0
    for network in _networks():
        for name, trial in itertools.product(LEARNED, ASSIGNED):
            if not hasattr(network, name):
                continue
            twin = copy.deepcopy(network)
            arrays = getattr(twin, name)
            setattr(twin, name, ASSIGNED[trial](arrays))
            is_same = trial in ("transposed", "fewer arrays")
            is_same = is_same and list(map(np.shape, getattr(twin, name))) == list(
                map(np.shape, arrays)
            )
            for use in (
                lambda model: model.predict(X),
                lambda model: model.hidden_features(X, 0),
                lambda model: model.partial_fit(X, Y),
                lambda model: pickle.loads(pickle.dumps(model)).predict(X),
            ):
                n_tried += 1
                try:
                    use(copy.copy(twin))  # since the copies of some are refused already
                    refused = False
                except ValueError as error:
                    refused = name in str(error)
                if refused == is_same:
                    wrong.append([name, trial])
    return n_tried, wrong


@compiled_only
def test_unusable_assigned_weights_are_refused_by_name():
    n_tried, wrong = processes.run(assign_everything).value
    assert n_tried > 500
    assert wrong == []


@pytest.mark.parametrize("trial", SAME)
def test_assigned_weights_of_any_container_and_order_predict_alike(trial):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        networks = list(_networks())
    for network in networks:
        expected = network.predict(X)
        for name in LEARNED:
            if hasattr(network, name):
                setattr(network, name, SAME[trial](getattr(network, name)))
                np.testing.assert_array_equal(network.predict(X), expected)


def test_a_changed_number_of_features_is_refused():
    model = MLPRegressor(hidden_layer_sizes=(6,), max_iter=300, tol=0.1).fit(X, Y)
    model.n_features_in_ = 3
    with pytest.raises(ValueError, match="3 features, but the network has 5"):
        model.predict(X[:, :3])


@pytest.mark.parametrize("layer", [2, -3, 0.5, None, "1"])
def test_hidden_layers_that_are_not_there(layer):
    model = MLPRegressor(hidden_layer_sizes=(6, 4), max_iter=300, tol=0.1).fit(X, Y)
    with pytest.raises(ValueError, match="layer="):
        model.hidden_features(X, layer)


def test_nothing_learned_is_left_of_an_earlier_fit():
    model = MLPRegressor(
        hidden_layer_sizes=(6,), max_iter=300, tol=0.1, batch_norm=True, normalize_y=True
    ).fit(X, Y)
    model.set_params(batch_norm=False, normalize_y=False).fit(X, Y)
    for name in (*list(LEARNED)[2:], "y_mean_", "y_scale_"):
        assert not hasattr(model, name)


# ---- the list of operations --------------------------------------------------------------------


def test_operations_are_in_the_order_in_which_they_act():
    estimator = MLPRegressor(
        activation="maxout", batch_norm="after", dropout=(0.1, 0.0), input_dropout=0.2
    )
    network = make_architecture(estimator, [6, 4], 5, 2, "squared_error")
    kinds = [(operation.kind, operation.layer) for operation in network.operations]
    assert kinds == [
        ("dropout", -1),
        ("dense", 0),
        ("activation", 0),
        ("batch norm", 0),
        ("dropout", 0),
        ("dense", 1),
        ("activation", 1),
        ("batch norm", 1),
        ("dense", 2),
        ("link", 2),
    ]
    widths = [(operation.n_inputs, operation.n_outputs) for operation in network.operations]
    assert widths[1:4] == [(5, 12), (12, 6), (6, 6)]
    assert network.n_parameters == 6 * 12 + 2 * 6 + 7 * 8 + 2 * 4 + 5 * 2


def test_learned_values_are_the_views_of_the_flat_vector():
    embedding = {"numeric_embedding": "pbld", "embedded": (1, 4)}
    network = architecture((5, 6, 4, 2), batch_norm="before", pieces=3, skip=True, **embedding)
    layout = make_layout(network)
    arrays = views(np.zeros(layout.size), layout)
    assert {name: [a.shape for a in arrays[name]] for name in arrays} == {
        name: [value.shape for value in network.learned if value.name == name] for name in LEARNED
    }


@pytest.mark.parametrize("units", [(5, 2), (5, 6, 2), (5, 6, 4, 2)])
def test_a_dict_of_built_in_types_describes_the_architecture(units):
    network = architecture(units, batch_norm="after", input_dropout=0.1)
    described = network.to_dict()
    assert Architecture.from_dict(described) == network
    assert {type(value).__module__ for value in described.values()} <= {"builtins"}
