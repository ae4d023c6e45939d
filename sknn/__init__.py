"""scikit-learn's multi-layer perceptrons with compiled training.

Every ingredient of a first deep-learning course is a hyperparameter.
"""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING

from ._versions import show_versions
from .display import TrainingHistoryDisplay
from .ensemble import EnsembleClassifier, EnsembleRegressor
from .features import HiddenFeatures
from .mlp import MLPClassifier, MLPRegressor
from .parts.custom import Activation, Loss
from .periodic import PeriodicEncoder
from .piecewise_linear import PiecewiseLinearEncoder
from .recipes import tabular_pipeline
from .tabular import TabularPreprocessor
from .warmup import warmup  # the function: as an attribute it hides the package of that name

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "EnsembleClassifier",
    "EnsembleRegressor",
    "HiddenFeatures",
    "Loss",
    "MLPClassifier",
    "MLPRegressor",
    "PeriodicEncoder",
    "PiecewiseLinearEncoder",
    "TabularPreprocessor",
    "TrainingHistoryDisplay",
    "show_versions",
    "tabular_pipeline",
    "warmup",
]

_SUBMODULES = ("callbacks", "distributed", "export", "inspection")

if _TYPE_CHECKING:
    from . import callbacks as callbacks
    from . import distributed as distributed
    from . import export as export
    from . import inspection as inspection
else:  # with this function, type checkers would take any name for an attribute

    def __getattr__(name):
        """Import a public module when it is first used, so that importing sknn takes no longer."""
        if name in _SUBMODULES:
            return _importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES})
