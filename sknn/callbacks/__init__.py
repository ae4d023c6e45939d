"""Callbacks that monitor, stop, store and plot the training of a network.

``MLPClassifier().set_callbacks(EarlyStopping(), ...)`` sets them, with scikit-learn 1.9 or later,
in place of those set before. :class:`sklearn.callback.ProgressBar` and
:class:`sklearn.callback.ScoringMonitor` can be among them. In a pipeline or a search, set them on
the network inside. A callback keeps no state of a fit: clones share it, and several fits may use
it at once. If a callback raises an error, so does the fit, and the estimator stays as it was.
"""

from .checkpoint import Checkpoint
from .history import History
from .learning_curve import LearningCurve
from .stopping import EarlyStopping, TimeLimit

__all__ = ["Checkpoint", "EarlyStopping", "History", "LearningCurve", "TimeLimit"]
