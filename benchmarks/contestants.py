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
    "sknn fast, constant learning rate": {"learning_rate": "constant"},
    "sknn fast, beta_2=0.999": {"beta_2": 0.999},
    "sknn fast, relu": {"activation": "relu"},
    "sknn fast, batch_size=256": {"batch_size": 256},
    "sknn fast, no dropout": {"dropout": 0.0},
    "sknn fast, no weight decay": {"weight_decay": 0.0},
    "sknn fast, no label smoothing": {"label_smoothing": 0.0},
    "sknn fast, one hidden layer": {"hidden_layer_sizes": (128,)},
    "sknn fast, no copies of heavy tails": {"heavy_tail_threshold": 0.0},
}
ALL = _MODELS | {
    name: functools.partial(recipe, **overrides) for name, overrides in _WITHOUT.items()
}
ABLATION = ["sknn fast", *_WITHOUT, "sknn best", "sknn best, one member"]
ALL["sknn best, one member"] = functools.partial(recipe, effort="best", n_estimators=1)


def installed():
    """Return the names of the models whose packages are installed."""
    return [name for name in _MODELS if find_spec(_REQUIRED.get(name, "sknn")) is not None]
