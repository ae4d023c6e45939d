"""scikit-learn's multi-layer perceptrons with compiled training.

Every ingredient of a first deep-learning course is a hyperparameter.
"""

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
