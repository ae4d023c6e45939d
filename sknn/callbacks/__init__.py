"""Callbacks that watch, stop, store and show the training of a network.

``MLPClassifier().set_callbacks(EarlyStopping(), ...)`` sets them, with scikit-learn 1.9 or later;
:class:`sklearn.callback.ProgressBar` and :class:`sklearn.callback.ScoringMonitor` can stand beside
them. In a pipeline or a search they are set on the network inside. A callback holds nothing but
its arguments: clones share it, several fits may use it at once, and the next fit begins anew. A
callback that raises an error fails the fit, and the estimator stays as it was.
"""

from .checkpoint import Checkpoint
from .history import History
from .learning_curve import LearningCurve
from .stopping import EarlyStopping, TimeLimit

__all__ = ["Checkpoint", "EarlyStopping", "History", "LearningCurve", "TimeLimit"]
