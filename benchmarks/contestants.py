"""The models of ``bench_accuracy.py``: functions of the task and the seed, by name."""

import functools
from importlib.util import find_spec

from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknn import tabular_pipeline


def scikit_learn(task, seed):
    """Return scikit-learn's network; numbers and targets are standardized, categories one-hot."""
    is_category = make_column_selector(dtype_include="category")
    is_number = make_column_selector(dtype_exclude="category")
    preprocess = make_column_transformer(
        (StandardScaler(), is_number),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), is_category),
    )
    if task != "regression":
        return make_pipeline(preprocess, MLPClassifier(random_state=seed))
    model = make_pipeline(preprocess, MLPRegressor(random_state=seed))
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def hist_gradient_boosting(task, seed):
    kinds = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    return kinds[task == "regression"](categorical_features="from_dtype", random_state=seed)


def light_gbm(task, seed):
    import lightgbm

    kinds = (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor)
    return kinds[task == "regression"](random_state=seed, verbose=-1)


def real_mlp(task, seed, *, variant=""):
    import pytabkit

    kind = "Regressor" if task == "regression" else "Classifier"
    model = getattr(pytabkit, f"RealMLP_TD{variant}_{kind}")
    return model(random_state=seed, device="cpu", verbosity=0)


def recipe(task, seed, effort="fast", **overrides):
    """Return the recipe, with overrides; those that this kind of task lacks are left out."""
    task = "regressor" if task == "regression" else "classifier"
    lacking = {"classifier": {"normalize_y"}, "regressor": {"label_smoothing"}}[task]
    overrides = {name: value for name, value in overrides.items() if name not in lacking}
    return tabular_pipeline(task, effort, random_state=seed, **overrides)


_REQUIRED = {"LightGBM": "lightgbm", "RealMLP-TD-S": "pytabkit", "RealMLP-TD": "pytabkit"}
_MODELS = {
    "scikit-learn": scikit_learn,
    "HistGradientBoosting": hist_gradient_boosting,
    "LightGBM": light_gbm,
    "RealMLP-TD-S": functools.partial(real_mlp, variant="_S"),
    "RealMLP-TD": real_mlp,
    "sknn fast": recipe,
    "sknn best": functools.partial(recipe, effort="best"),
}
_WITHOUT = {
    "no bins": {"n_bins": 0},
    "learned waves instead of bins": {"n_bins": 0, "numeric_embedding": "pbld"},
    "standard parametrization": {
        "parametrization": "standard",
        "bias_lr_factor": 1.0,
        "learning_rate_init": 0.0035,
    },
    "no scales of inputs": {"input_scale": False},
    "constant learning rate": {"learning_rate": "constant"},
    "beta_2=0.999": {"beta_2": 0.999},
    "batch_size=256": {"batch_size": 256},
    "relu": {"activation": "relu"},
    "one hidden layer": {"hidden_layer_sizes": (192,)},
    "no dropout": {"dropout": 0.0},
    "no weight decay": {"weight_decay": 0.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "targets as they are": {"normalize_y": False},
    "last epoch of all rows": {"early_stopping": False, "scoring": None},
}
_OF_BEST = {
    "best, one member": {"n_estimators": 1, "n_bins": 16},
    "best, two members": {"n_estimators": 2},
    "best, all with bins": {"n_bins": 16},
    "best, none with bins": {"n_bins": 0},
}
_FAST = {name: functools.partial(recipe, **overrides) for name, overrides in _WITHOUT.items()}
_BEST = {
    name: functools.partial(recipe, effort="best", **overrides)
    for name, overrides in _OF_BEST.items()
}
ALL = _MODELS | _FAST | _BEST
ABLATION = ["sknn fast", *_FAST, "sknn best", *_BEST]


def installed():
    """Return the names of the models whose packages are installed."""
    return [name for name in _MODELS if find_spec(_REQUIRED.get(name, "sknn")) is not None]
