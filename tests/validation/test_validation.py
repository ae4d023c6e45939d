"""Invalid parameters, tables and targets, and calls in the wrong order, with their errors."""

import copy
import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

X = np.random.default_rng(0).normal(size=(40, 3))
TARGETS = {MLPClassifier: np.arange(40) % 3, MLPRegressor: X[:, 0] * X[:, 1]}
both_kinds = pytest.mark.parametrize("kind", TARGETS)

NOT_FRACTIONS = [-0.1, 1.0, 1.5, "half", None, np.nan]
NOT_POSITIVE_INTEGERS = [0, -1, 2.5, "many", None]
NOT_BOOLEANS = ["yes", None, 2, 0.5]
NOT_OPTIONS = ["nonsense", None, 1, "", b"adam"]
OUT_OF_RANGE = {
    "hidden_layer_sizes": [
        0,
        -1,
        True,
        2.5,
        None,
        "wide",
        (2.5,),
        ("a",),
        (0,),
        (3, -1),
        (True,),
        (None,),
        ((3, 4),),
        [[3], [4]],
        {3: 4},
    ],
    "activation": [*NOT_OPTIONS, ["relu", "tanh"], ["nonsense"], [["relu"]]],
    "solver": NOT_OPTIONS,
    "alpha": [-1e-9, "none", None, np.nan, np.inf, [1.0], 1j],
    "batch_size": [*NOT_POSITIVE_INTEGERS, "full", np.inf],
    "learning_rate": NOT_OPTIONS,
    "learning_rate_init": [0, -1.0, "fast", None, np.nan, np.inf],
    "power_t": [-0.5, "root", None, np.nan, np.inf],
    "max_iter": [*NOT_POSITIVE_INTEGERS, np.inf],
    "shuffle": NOT_BOOLEANS,
    "random_state": ["seed", 0.5, -1, np.random.default_rng(0)],
    "tol": [-1e-9, "tight", None, np.nan, np.inf],
    "verbose": ["loud", None, -1, 0.5],
    "warm_start": NOT_BOOLEANS,
    "momentum": [-0.1, 1.1, "much", None, np.nan, (0.5,), (0.5, 1.5), (0.1, 0.2, 0.3)],
    "nesterovs_momentum": NOT_BOOLEANS,
    "early_stopping": NOT_BOOLEANS,
    "validation_fraction": NOT_FRACTIONS,
    "beta_1": NOT_FRACTIONS,
    "beta_2": NOT_FRACTIONS,
    "epsilon": [0, -1e-8, "small", None, np.nan, np.inf],
    "n_iter_no_change": [*NOT_POSITIVE_INTEGERS, -np.inf, np.nan],
    "max_fun": [*NOT_POSITIVE_INTEGERS, np.inf],
    "dtype": ["float16", "int32", np.float32, np.dtype("float64"), 32],
    "loss": [*NOT_OPTIONS, "log_loss"],
    "negative_slope": [-0.1, "little", None, np.nan],
    "elu_alpha": [0, -1.0, "some", None, np.nan],
    "maxout_pieces": [1, 0, 2.5, "many", None],
    "initializer": NOT_OPTIONS,
    "rho": NOT_FRACTIONS,
    "decay_rate": [-0.1, "slow", None, np.nan],
    "warmup_epochs": [-1, "some", None, np.nan],
    "l1_ratio": [-0.1, 1.1, "half", None, np.nan],
    "weight_decay": [-0.1, "some", None, np.nan],
    "dropout": [*NOT_FRACTIONS, (0.1, 0.2), (1.0,), ("half",)],
    "input_dropout": NOT_FRACTIONS,
    "dropout_schedule": ["cosine", None, 1],
    "weight_decay_schedule": ["cosine", None, 1],
    "parametrization": [*NOT_OPTIONS, "NTK"],
    "bias_lr_factor": [-0.1, "0.1", None, np.nan, np.inf],
    "input_scale": [0, -1.0, "learn", None, np.nan, np.inf],
    "numeric_embedding": [*NOT_OPTIONS, "PBLD", True],
    "skip": NOT_BOOLEANS,
    "batch_norm": ["between", None, 2, 0.5],
    "batch_norm_momentum": NOT_FRACTIONS,
    "max_grad_norm": [0, -1.0, "short", np.nan],
    "scoring": [1, 0.5, ["accuracy"]],
    "early_stopping_window": NOT_POSITIVE_INTEGERS,
    "restore_best": NOT_BOOLEANS,
    "refit": NOT_BOOLEANS,
    "label_smoothing": NOT_FRACTIONS,
    "class_weight": ["even", 1, 0.5],
    "quantile": [0, 1, -0.5, "half", None, (0.5, 0.5), (0.9, 0.1), (0.5, 1.0), ()],
    "huber_delta": [0, -1.0, "far", None, np.nan],
    "calibrate": NOT_BOOLEANS,
    "normalize_y": NOT_BOOLEANS,
    "clip_output": NOT_BOOLEANS,
}
AT_THE_EDGE = {
    "hidden_layer_sizes": [1, np.int8(3), (), [], [2], (1, 1), np.array([3, 2]), range(1, 3)],
    "alpha": [0, 1e10, np.float32(0.5)],
    "batch_size": [1, 40, np.int64(7)],
    "learning_rate_init": [5e-324, 1],
    "power_t": [0, 3],
    "max_iter": [1, np.int32(2)],
    "shuffle": [np.False_],
    "random_state": [0, np.int64(3), None, np.random.RandomState(0)],
    "tol": [0, 1e300],
    "momentum": [0, 1],
    "validation_fraction": [0, 0.999],
    "beta_1": [0, 0.9999],
    "beta_2": [0, 0.9999],
    "epsilon": [5e-324, 1e10],
    "n_iter_no_change": [1, np.inf],
    "max_fun": [1],
    "dtype": [None, "float32", "float64"],
}


def _name(value):
    """Name a case, without addresses in memory."""
    return value.__name__ if isinstance(value, type) else repr(value).split(" at 0x")[0]


# ---- parameters --------------------------------------------------------------------------------


@both_kinds
def test_every_parameter_has_values_out_of_range(kind):
    assert set(kind._parameter_constraints) == set(kind().get_params())
    assert set(OUT_OF_RANGE) >= set(kind._parameter_constraints)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (kind, name, value)
        for kind in TARGETS
        for name in sorted(kind._parameter_constraints)
        for value in OUT_OF_RANGE.get(name, [])
    ],
    ids=_name,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_parameter_out_of_range_is_named(kind, name, value, method):
    estimator = kind(**{name: value})
    if not hasattr(estimator, method):  # solver="lbfgs" has no partial_fit
        method = "fit"
    classes = {"classes": [0, 1, 2]} if method == "partial_fit" and kind is MLPClassifier else {}
    with pytest.raises((ValueError, TypeError), match=name):
        getattr(estimator, method)(X, TARGETS[kind], **classes)
    assert vars(estimator).keys() == estimator.get_params().keys()


@both_kinds
def test_parameter_out_of_range_is_named_by_later_calls_of_partial_fit(kind):
    classes = {"classes": [0, 1, 2]} if kind is MLPClassifier else {}
    network = kind(hidden_layer_sizes=4).partial_fit(X, TARGETS[kind], **classes)
    before = dict(vars(network))
    for name in sorted(kind._parameter_constraints):
        for value in OUT_OF_RANGE[name]:
            network.set_params(**{name: value})
            with pytest.raises((ValueError, TypeError), match=name):
                network.partial_fit(X, TARGETS[kind])
            network.set_params(**{name: before[name]})
    assert all(vars(network)[name] is value for name, value in before.items())


@both_kinds
@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in AT_THE_EDGE.items() for value in values],
    ids=_name,
)
def test_parameter_at_the_edge_of_its_range_is_accepted(kind, name, value):
    settings = {"hidden_layer_sizes": 4, "max_iter": 2, "random_state": 0, name: value}
    predictions = kind(**settings).fit(X, TARGETS[kind]).predict(X)
    assert np.isfinite(predictions).all()
    assert len(predictions) == 40


def test_invalid_parameters_are_scikit_learns_error():
    with pytest.raises(
        InvalidParameterError,
        match="The 'alpha' parameter of MLPClassifier must be a float in the range",
    ):
        MLPClassifier(alpha=-1).fit(X, TARGETS[MLPClassifier])


@both_kinds
def test_validation_fraction_of_zero_is_refused_only_where_it_is_used(kind):
    with pytest.raises(ValueError, match="validation_fraction"):
        kind(validation_fraction=0, early_stopping=True).fit(X, TARGETS[kind])


@both_kinds
def test_batch_size_over_the_number_of_rows_is_clipped_with_a_warning(kind):
    clipped = kind(batch_size=41, max_iter=2, random_state=0)
    with pytest.warns(UserWarning, match="batch_size.=41, more than the 40 samples.*clipped to 40"):
        clipped.fit(X, TARGETS[kind])
    whole = kind(batch_size=40, max_iter=2, random_state=0).fit(X, TARGETS[kind])
    np.testing.assert_array_equal(clipped.coefs_[0], whole.coefs_[0])


@both_kinds
@pytest.mark.parametrize("sizes", [10**9, (10**9,), (10, 10**8, 10**8)])
def test_network_larger_than_memory_is_refused_and_the_old_one_kept(kind, sizes):
    network = kind(hidden_layer_sizes=5, max_iter=2).fit(X, TARGETS[kind])
    predictions = network.predict(X)
    before = copy.deepcopy(network.coefs_)
    network.set_params(hidden_layer_sizes=sizes)
    with pytest.raises(MemoryError, match=r"hidden_layer_sizes=.* GiB"):
        network.fit(X, TARGETS[kind])
    np.testing.assert_array_equal(network.predict(X), predictions)
    for coef, kept in zip(network.coefs_, before, strict=True):
        np.testing.assert_array_equal(coef, kept)


@both_kinds
@pytest.mark.parametrize("sizes", [2**62, (2**64,), (2**32, 2**32), (3, 10**400), (10**15,) * 9])
def test_width_beyond_int64_is_refused_and_the_old_network_kept(kind, sizes):
    network = kind(hidden_layer_sizes=5, max_iter=2).fit(X, TARGETS[kind])
    predictions = network.predict(X)
    with pytest.raises((MemoryError, ValueError), match="hidden_layer_sizes"):
        network.set_params(hidden_layer_sizes=sizes).fit(X, TARGETS[kind])
    np.testing.assert_array_equal(network.predict(X), predictions)


@both_kinds
@pytest.mark.parametrize("pieces", [2**40, 2**60, 2**62, 2**63, 2**64])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_more_pieces_than_memory_are_refused(kind, pieces, batch_norm):
    network = kind(activation="maxout", maxout_pieces=pieces, batch_norm=batch_norm)
    with pytest.raises(MemoryError, match="maxout_pieces"):
        network.fit(X, TARGETS[kind])


def test_more_features_than_memory_are_refused():
    table = sparse.csr_array(([1.0], ([0], [2**40 - 1])), shape=(3, 2**40))
    for units in (2, 2**23, 2**24):  # 2**40 * 2**24 is 0 in int64
        with pytest.raises(MemoryError, match="features"):
            MLPRegressor(hidden_layer_sizes=units).fit(table, [1.0, 2.0, 3.0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_runs_out_leaves_the_old_network():
    program = """
        import resource, warnings
        import numpy as np
        import sknn

        warnings.simplefilter("ignore")
        X = np.random.default_rng(0).normal(size=(40, 3))
        network = sknn.MLPRegressor(hidden_layer_sizes=5, max_iter=2).fit(X, X[:, 0])
        before = network.predict(X)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        limit = used + 2**28  # half of what three vectors of weights need
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            network.set_params(hidden_layer_sizes=(4000, 4000)).fit(X, X[:, 0])
        except MemoryError:
            assert (network.predict(X) == before).all() and network.n_parameters_ == 26
            print("kept")
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    assert (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        == "kept\n"
    )


# ---- tables ------------------------------------------------------------------------------------


def _with(value):
    spoiled = X.copy()
    spoiled[7, 1] = value
    return spoiled


UNUSABLE_TABLES = {
    "NaN": (_with(np.nan), "contains NaN"),
    "infinity": (_with(np.inf), "contains infinity"),
    "NaN, float32": (_with(np.nan).astype("f4"), "contains NaN"),
    "sparse NaN": (sparse.csr_array(_with(np.nan)), "contains NaN"),
    "sparse infinity": (sparse.csc_matrix(_with(np.inf)), "contains infinity"),
    "strings": (np.full((40, 3), "word"), "not compatible with arrays of bytes/strings"),
    "words in objects": (
        np.full((40, 3), "word", dtype=object),
        "could not convert string to float",
    ),
    "None in objects": (np.where(X > 2, None, X), "NaN|NoneType"),
    "complex": (X + 1j, "[Cc]omplex data not supported"),
    "sparse complex": (sparse.csr_array(X + 1j), "[Cc]omplex data not supported"),
    "dates": (X.astype("datetime64[s]"), "X|DType"),
    "structured": (np.zeros(40, dtype=[("a", float)]), "Expected 2D array|cast"),
    "no rows": (X[:0], r"0 sample\(s\)"),
    "no columns": (X[:, :0], r"0 feature\(s\)"),
    "one-dimensional": (X[:, 0], "Expected 2D array, got 1D array"),
    "three-dimensional": (np.ones((40, 3, 2)), "dim 3|<= 2"),
    "a number": (3.0, "Expected 2D array, got scalar array|scalar"),
    "None": (None, "NoneType|scalar|None"),
    "too few rows": (X[:39], "inconsistent numbers of samples"),
    "sparse DIA of NaN": (sparse.dia_array(_with(np.nan)), "contains NaN"),
    "a frame with text": (pd.DataFrame({"a": ["x"] * 40}), "could not convert string to float"),
}


@both_kinds
@pytest.mark.parametrize(("table", "message"), UNUSABLE_TABLES.values(), ids=UNUSABLE_TABLES)
def test_unusable_table_is_refused(kind, table, message):
    estimator = kind()
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(table, TARGETS[kind])
    assert vars(estimator) == kind().get_params()


@both_kinds
@pytest.mark.parametrize(
    "name", sorted(set(UNUSABLE_TABLES) - {"too few rows", "a frame with text"})
)
def test_unusable_table_is_refused_in_prediction(kind, name):
    table, message = UNUSABLE_TABLES[name]
    network = kind(max_iter=2).fit(X, TARGETS[kind])
    with pytest.raises((ValueError, TypeError), match=f"{message}|features"):
        network.predict(table)


@both_kinds
@pytest.mark.parametrize("n_features", [1, 2, 4])
def test_other_number_of_features_is_refused(kind, n_features):
    network = kind(max_iter=2, warm_start=True).fit(X, TARGETS[kind])
    message = f"X has {n_features} features, but {kind.__name__} is expecting 3 features as input"
    table = np.ones((40, n_features))
    for call in (network.predict, network.score, network.fit, network.partial_fit):
        arguments = [table] if call == network.predict else [table, TARGETS[kind]]
        with pytest.raises(ValueError, match=message):
            call(*arguments)


# ---- targets -----------------------------------------------------------------------------------

UNUSABLE_TARGETS = {
    "NaN": (np.where(np.arange(40) == 3, np.nan, 1.0), "NaN"),
    "infinity": (np.where(np.arange(40) == 3, np.inf, 1.0), "infinity"),
    "too few": (np.ones(39), "inconsistent numbers of samples"),
    "too many": (np.ones(41), "inconsistent numbers of samples"),
    "none": (np.ones(0), r"inconsistent numbers of samples|0 sample\(s\)"),
    "None": (None, "requires y to be passed, but the target y is None"),
    "a number": (1.0, "Singleton|scalar|collection|y should be"),
    "complex": (np.ones(40) * 1j, "[Cc]omplex data not supported"),
    "three-dimensional": (np.ones((40, 2, 2)), "dim 3|<= 2|Unknown label type|Multioutput"),
}


@both_kinds
@pytest.mark.parametrize(("y", "message"), UNUSABLE_TARGETS.values(), ids=UNUSABLE_TARGETS)
def test_unusable_target_is_refused(kind, y, message):
    estimator = kind()
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(X, y)
    assert vars(estimator) == kind().get_params()


def test_classifier_refuses_continuous_targets():
    with pytest.raises(ValueError, match="Unknown label type"):
        MLPClassifier().fit(X, X[:, 0])


def test_classifier_refuses_several_columns_of_classes():
    with pytest.raises(ValueError, match="Multioutput target data is not supported"):
        MLPClassifier().fit(X, np.column_stack([np.arange(40) % 3, np.arange(40) % 2]))


def test_regressor_refuses_words():
    with pytest.raises(ValueError, match="could not convert string to float"):
        MLPRegressor().fit(X, np.array(["word"] * 40, dtype=object))


def test_poisson_loss_refuses_negative_targets():
    with pytest.raises(ValueError, match="loss='poisson' requires y >= 0, got a minimum of -1"):
        MLPRegressor(loss="poisson").fit(X, np.r_[-1.0, np.ones(39)])


# ---- calls in the wrong order ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "method"),
    [(MLPClassifier, name) for name in ("predict", "predict_proba", "predict_log_proba", "logits")]
    + [(MLPRegressor, "predict")],
)
def test_predicting_before_fitting(kind, method):
    with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted yet"):
        getattr(kind(), method)(X)
    with pytest.raises(NotFittedError):
        kind().score(X, TARGETS[kind])


@both_kinds
def test_weights_assigned_before_fitting_are_refused(kind):
    n_outputs = 3 if kind is MLPClassifier else 1
    network = kind(hidden_layer_sizes=4, warm_start=True)
    network.coefs_ = [np.ones((3, 4)), np.ones((4, n_outputs))]
    network.intercepts_ = [np.zeros(4), np.zeros(n_outputs)]
    network.n_features_in_ = 3
    classes = {"classes": [0, 1, 2]} if kind is MLPClassifier else {}
    for call in (
        lambda: network.predict(X),
        lambda: network.hidden_features(X),
        lambda: network.fit(X, TARGETS[kind]),
        lambda: network.partial_fit(X, TARGETS[kind], **classes),
    ):
        with pytest.raises(NotFittedError, match=f"coefs_ .* this {kind.__name__} was fitted"):
            call()
    network.set_params(warm_start=False, max_iter=2).fit(X, TARGETS[kind]).predict(X)


@both_kinds
@pytest.mark.parametrize("sizes", [6, (5, 5), ()])
def test_warm_start_with_other_layers_is_refused(kind, sizes):
    network = kind(hidden_layer_sizes=5, max_iter=2, warm_start=True).fit(X, TARGETS[kind])
    predictions = network.predict(X)
    network.set_params(hidden_layer_sizes=sizes)
    with pytest.raises(
        ValueError,
        match=r"hidden_layer_sizes=.* does not fit the one trained before, of widths \[3, 5, ",
    ):
        network.fit(X, TARGETS[kind])
    np.testing.assert_array_equal(network.predict(X), predictions)
    network.set_params(warm_start=False).fit(X, TARGETS[kind])
    assert len(network.coefs_) == 1 + np.size(sizes)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"batch_norm": True}, "batch_norm=True"),
        ({"skip": True, "hidden_layer_sizes": 6}, "hidden_layer_sizes=6 and skip=True"),
        ({"activation": "maxout"}, r"activation='maxout' \(maxout_pieces=2\)"),
        ({"loss": "quantile", "quantile": [0.1, 0.9]}, "loss='quantile' for 2 quantiles"),
    ],
    ids=str,
)
def test_warm_start_with_another_network_names_what_is_other(change, named):
    network = MLPRegressor(hidden_layer_sizes=5, max_iter=2, warm_start=True).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=f"The network with {named} does not fit the one trained"):
        network.set_params(**change).fit(X, X[:, 0])


def test_warm_start_with_other_targets_is_refused():
    classifier = MLPClassifier(max_iter=2, warm_start=True).fit(X, TARGETS[MLPClassifier])
    for y in (np.arange(40) % 2, np.arange(40) % 4, np.arange(40) % 3 + 1):
        with pytest.raises(
            ValueError, match="warm_start can only be used where `y` has the same classes"
        ):
            classifier.fit(X, y)
    regressor = MLPRegressor(max_iter=2, warm_start=True).fit(X, X[:, 0])
    with pytest.raises(
        ValueError, match="with 2 outputs for y does not fit the one trained before"
    ):
        regressor.fit(X, X[:, :2])


@both_kinds
def test_partial_fit_does_not_stop_early(kind):
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        kind(early_stopping=True).partial_fit(
            X, TARGETS[kind], **({"classes": [0, 1, 2]} if kind is MLPClassifier else {})
        )


@both_kinds
def test_lbfgs_has_no_partial_fit(kind):
    assert not hasattr(kind(solver="lbfgs"), "partial_fit")
    with pytest.raises(AttributeError):
        kind(solver="lbfgs").partial_fit(X, TARGETS[kind])


def test_partial_fit_asks_for_all_classes_and_keeps_to_them():
    network = MLPClassifier(random_state=0)
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        network.partial_fit(X, TARGETS[MLPClassifier])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
        network.partial_fit(X, TARGETS[MLPClassifier], classes=[0, 1])
    assert vars(network) == MLPClassifier(random_state=0).get_params()
    network.partial_fit(X, np.ones(40, int), classes=[2, 0, 1])
    assert list(network.classes_) == [0, 1, 2]
    probabilities = network.predict_proba(X)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        network.partial_fit(X, np.ones(40, int), classes=[0, 1])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
        network.partial_fit(X, np.full(40, 5))
    np.testing.assert_array_equal(network.predict_proba(X), probabilities)
    assert network.partial_fit(X, TARGETS[MLPClassifier]).n_iter_ == 2
