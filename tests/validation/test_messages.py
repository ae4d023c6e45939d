"""Errors about constructor arguments say what would be valid and what may have been meant."""

import pickle
import re

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from sknn import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(12, 2))
CODES = np.arange(12) % 2
ACTIVATION_OPTIONS = (
    "{'elu', 'gelu', 'hard_sigmoid', 'identity', 'leaky_relu', 'logistic', 'maxout', 'mish', "
    "'relu', 'selu', 'sigmoid', 'silu', 'softplus', 'tanh'}"
)

MEANT = [
    ("activation", "rellu", "'relu'"),
    ("activation", "ReLU", "'relu'"),
    ("activation", "LeakyReLU", "'leaky_relu'"),
    ("activation", np.array(["relu"]), "activation=['relu']"),
    ("solver", "Adam", "'adam'"),
    ("solver", "SGD ", "'sgd'"),
    ("initializer", "he_norm", "'he_normal'"),
    ("initializer", "lecun", "'lecun_normal' or 'lecun_uniform'"),
    ("learning_rate", 0.01, "learning_rate_init=0.01"),
    ("learning_rate", np.float32(0.01), "learning_rate_init=0.01"),
    ("learning_rate", "1e-3", "learning_rate_init=0.001"),
    ("learning_rate", "cosin", "'cosine'"),
    ("loss", "mse", "'squared_error'"),
    ("loss", "MAE", "'absolute_error'"),
    ("loss", "squared-error", "'squared_error'"),
    ("loss", (64,), "hidden_layer_sizes=(64,)"),
    ("alpha", "0.1", "alpha=0.1"),
    ("hidden_layer_sizes", "100", "hidden_layer_sizes=100"),
    ("hidden_layer_sizes", "(100, 50)", "hidden_layer_sizes=(100, 50)"),
    ("hidden_layer_sizes", 64.0, "hidden_layer_sizes=64"),
    ("max_iter", 1e3, "max_iter=1000"),
    ("batch_size", "32", "batch_size=32"),
    ("shuffle", "True", "shuffle=True"),
    ("shuffle", 0, "shuffle=False"),
    ("batch_norm", 1, "batch_norm=True"),
    ("batch_norm", "Before", "'before'"),
    ("momentum", np.array([0.5, 0.9]), "momentum=[0.5, 0.9]"),
    ("dropout", np.array([0.5]), "dropout=[0.5]"),
    ("random_state", "0", "random_state=0"),
    ("dtype", np.float32, "dtype='float32'"),
    ("dtype", np.dtype("float64"), "dtype='float64'"),
    ("dtype", float, "dtype='float64'"),
    ("scoring", "auc", "'roc_auc'"),
    ("scoring", "val_loss", "'loss'"),
    ("quantile", "0.5", "quantile=0.5"),
    ("quantile", 90, "quantile=0.9"),
    ("quantile", [10, 50, 90], "quantile=[0.1, 0.5, 0.9]"),
    ("dropout", 50, "dropout=0.5"),
    ("input_dropout", 12.5, "input_dropout=0.125"),
    ("dropout", 99.99, "dropout=0.9999"),
    ("quantile", (90, 10), "quantile=[0.1, 0.9]"),
    ("validation_fraction", 20, "validation_fraction=0.2"),
]
NOTHING_MEANT = [
    ("activation", "nonsense"),
    ("activation", ""),
    ("activation", None),
    ("learning_rate", None),
    ("learning_rate", "-1"),
    ("learning_rate", "nan"),
    ("loss", None),
    ("alpha", "none"),
    ("alpha", "-1"),
    ("alpha", "(((("),
    ("alpha", "\0"),
    ("alpha", np.nan),
    ("dropout", 1.5),
    ("dropout", 100),
    ("quantile", [1, 2]),
    ("quantile", []),
    ("max_iter", 2.5),
    ("max_iter", np.inf),
    ("dtype", int),
    ("scoring", 1),
]


def error_of(name, value, method="fit", **settings):
    """Return the message of the error that a parameter raises."""
    kind = MLPRegressor if name in ("loss", "quantile") else MLPClassifier
    estimator = kind(**settings | {name: value})
    with pytest.raises(InvalidParameterError) as error:
        getattr(estimator, method)(X, CODES, *([] if method == "fit" else [None, [0, 1]]))
    beginning, _, hint = str(error.value).partition(f" Got {value!r} instead.")
    assert beginning.startswith(f"The {name!r} parameter of {kind.__name__} must be ")
    assert vars(estimator) == estimator.get_params()
    return beginning, hint


@pytest.mark.parametrize(("name", "value", "meant"), MEANT)
def test_error_says_what_may_have_been_meant(name, value, meant):
    _, hint = error_of(name, value)
    assert f"Did you mean {meant}?" in hint


@pytest.mark.parametrize(("name", "value"), NOTHING_MEANT)
def test_error_does_not_guess_wildly(name, value):
    _, hint = error_of(name, value)
    assert hint == ""


def test_options_are_in_order():
    for method in ("fit", "partial_fit"):
        valid, _ = error_of("activation", "rellu", method)
        assert ACTIVATION_OPTIONS in valid


@pytest.mark.parametrize(
    ("name", "values", "element", "hint"),
    [
        ("activation", ["relu", "ReLU"], "'activation[1]'", "Did you mean 'relu'?"),
        ("activation", [None, "relu"], "'activation[0]'", "Got None instead."),
        ("dropout", (0.1, 1.0), "'dropout[1]'", "Got 1.0 instead."),
        ("dropout", (0.1, 30), "'dropout[1]'", "Did you mean dropout[1]=0.3?"),
        ("dropout", ["0.1", 0.1], "'dropout[0]'", "Did you mean dropout[0]=0.1?"),
    ],
)
@pytest.mark.parametrize("skips_validation", [False, True])
def test_error_names_the_layer(name, values, element, hint, skips_validation):
    network = MLPClassifier((3, 2), **{name: values})
    with (
        sklearn.config_context(skip_parameter_validation=skips_validation),
        pytest.raises(InvalidParameterError, match=re.escape(element)) as error,
    ):
        network.fit(X, CODES)
    assert str(error.value).endswith(hint)


def test_error_says_how_many_layers_there_are():
    valid, _ = error_of("dropout", [0.1], hidden_layer_sizes=(3, 2))
    assert valid.endswith("one value, or a sequence of 2, one for each hidden layer.")


@pytest.mark.parametrize("sizes", [(2.5,), ("100",), [[3], [4]], True, [None], {3: 4}])
def test_error_says_what_sizes_are(sizes):
    valid, _ = error_of("hidden_layer_sizes", sizes)
    assert valid.endswith("an int or a sequence of ints, such as (100, 50).")


@pytest.mark.parametrize("quantile", [["a"], [None], [0.5, 0.2], [[0.1, 0.2]], [1], [np.nan]])
def test_error_says_what_quantiles_are(quantile):
    valid, _ = error_of("quantile", quantile, loss="quantile")
    assert valid.endswith("a level in (0, 1) or a strictly increasing sequence of such levels.")


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        (MLPClassifier, "epochs", " Did you mean 'max_iter'?"),
        (MLPClassifier, "optimizer", " Did you mean 'solver'?"),
        (MLPClassifier, "patience", " Did you mean 'n_iter_no_change'?"),
        (MLPClassifier, "kernel_initializer", " Did you mean 'initializer'?"),
        (MLPClassifier, "hidden_layer_size", " Did you mean 'hidden_layer_sizes'?"),
        (MLPClassifier, "batchnorm", " Did you mean 'batch_norm'?"),
        (MLPRegressor, "criterion", " Did you mean 'loss'?"),
        (MLPClassifier, "loss", " A classifier's loss is always the cross-entropy."),
        (MLPRegressor, "callbacks", " Did you mean set_callbacks, a method to call before fit?"),
        (
            MLPRegressor,
            "metrics",
            " Did you mean set_callbacks(sknn.callbacks.History(metrics)), before fit?",
        ),
        (MLPClassifier, "normalize_y", ""),
        (MLPClassifier, "x", ""),
    ],
)
def test_unknown_keyword_argument_is_translated(kind, name, hint):
    message = f"{kind.__name__}.__init__() got an unexpected keyword argument {name!r}."
    with pytest.raises(TypeError) as error:
        kind(**{name: 1})
    assert str(error.value) == message + hint


@pytest.mark.parametrize(
    ("method", "name", "hint"),
    [
        ("fit", "validation_data", " Did you mean X_val and y_val?"),
        ("fit", "eval_set", " Did you mean X_val and y_val?"),
        ("fit", "sample_weights", " Did you mean sample_weight?"),
        ("fit", "callbacks", " Did you mean set_callbacks, a method to call before fit?"),
        ("fit", "epochs", " Did you mean 'max_iter' of the constructor, MLPRegressor()?"),
        ("fit", "verbose", " Did you mean 'verbose' of the constructor, MLPRegressor()?"),
        ("fit", "shufle", " Did you mean 'shuffle' of the constructor, MLPRegressor()?"),
        ("fit", "class_weight", ""),
        ("fit", "nonsense", ""),
        (
            "partial_fit",
            "lr",
            " Did you mean 'learning_rate_init' of the constructor, MLPRegressor()?",
        ),
        ("partial_fit", "eval_set", ""),
        ("partial_fit", "X_val", ""),
    ],
)
def test_unknown_argument_of_a_method_is_translated(method, name, hint):
    message = f"MLPRegressor.{method}() got an unexpected keyword argument {name!r}."
    with pytest.raises(TypeError) as error:
        getattr(MLPRegressor(), method)(X, CODES, **{name: 1})
    assert str(error.value) == message + hint


def test_constructor_is_as_before():
    with pytest.raises(TypeError, match="multiple values"):
        MLPClassifier((3,), hidden_layer_sizes=(3,))
    with pytest.raises(TypeError, match="positional argument"):
        MLPClassifier((3,), "relu", "adam")
    network = MLPClassifier((3,), "tanh", alpha=0.5)
    for copy in (clone(network), pickle.loads(pickle.dumps(network))):
        assert copy.get_params() == network.get_params()
