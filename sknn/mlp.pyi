"""Types of the estimators, for editors and type checkers; tests compare them with ``mlp.py``.

Names of parts are ``str``, so that a new part is a row in its registry and nothing else. X may be
whatever NumPy takes as a table, a data frame or a sparse matrix; ``fit`` checks what it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypedDict

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from typing_extensions import Self

from .inspection import Summary
from .parts.custom import Activation, Loss

_Table = ArrayLike | spmatrix | sparray
_Array = np.ndarray[Any, Any]
_ClassWeight = Mapping[Any, float] | Sequence[Mapping[Any, float]] | Literal["balanced"]

class Splitter(Protocol):
    def split(self, X: Any, y: Any = ..., groups: Any = ...) -> Iterator[tuple[_Array, _Array]]: ...

class Gradients(TypedDict, total=False):
    coefs: list[_Array]
    intercepts: list[_Array]
    batch_norm_scale: list[_Array]
    batch_norm_shift: list[_Array]
    X: _Array

class BaseMLP(BaseEstimator):
    coefs_: list[_Array]
    intercepts_: list[_Array]
    batch_norm_scale_: list[_Array]
    batch_norm_shift_: list[_Array]
    batch_norm_mean_: list[_Array]
    batch_norm_var_: list[_Array]
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_iter_: int
    history_: dict[str, list[float]]
    n_iter_: int
    t_: int
    n_layers_: int
    n_outputs_: int
    n_parameters_: int
    out_activation_: str
    n_features_in_: int
    feature_names_in_: _Array
    def fit(
        self,
        X: _Table,
        y: _Table,
        sample_weight: ArrayLike | None = None,
        X_val: _Table | None = None,
        y_val: _Table | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self: ...
    def predict(self, X: _Table) -> _Array: ...
    def score(self, X: _Table, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def hidden_features(self, X: _Table, layer: int = -1) -> _Array: ...
    def evaluate(
        self, X: _Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]: ...
    def gradients(
        self, X: _Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Gradients: ...
    def summary(self, n_features: int | None = None, n_outputs: int | None = None) -> Summary: ...
    def set_callbacks(self, *callbacks: Any) -> Self: ...
    def get_metadata_routing(self) -> Any: ...

class MLPClassifier(ClassifierMixin, BaseMLP):
    classes_: _Array
    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Activation | Sequence[str | Activation] = "relu",
        *,
        solver: str = "adam",
        alpha: float | Sequence[float] = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 0.0001,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float | tuple[float, float] = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool | Literal["auto"] = False,
        validation_fraction: float | Splitter = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        n_iter_no_change: int | float = 10,
        max_fun: int = 15000,
        negative_slope: float = 0.1,
        elu_alpha: float = 1.0,
        maxout_pieces: int = 2,
        initializer: str = "auto",
        rho: float = 0.9,
        decay_rate: float = 0.1,
        warmup_epochs: float = 0,
        l1_ratio: float | Sequence[float] = 0.0,
        weight_decay: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        batch_norm: bool | Literal["before", "after"] = False,
        batch_norm_momentum: float = 0.9,
        label_smoothing: float = 0.0,
        class_weight: _ClassWeight | None = None,
        max_grad_norm: float | None = None,
        scoring: str | Callable[..., float] | None = None,
        early_stopping_window: int = 1,
        restore_best: bool = True,
        dtype: Literal["float32", "float64"] | None = None,
    ) -> None: ...
    def partial_fit(
        self,
        X: _Table,
        y: _Table,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self: ...
    def predict_proba(self, X: _Table) -> _Array: ...
    def predict_log_proba(self, X: _Table) -> _Array: ...
    def logits(self, X: _Table) -> _Array: ...

class MLPRegressor(RegressorMixin, BaseMLP):
    y_mean_: _Array
    y_scale_: _Array
    def __init__(
        self,
        loss: str | Loss = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Activation | Sequence[str | Activation] = "relu",
        *,
        solver: str = "adam",
        alpha: float | Sequence[float] = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 0.0001,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float | tuple[float, float] = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool | Literal["auto"] = False,
        validation_fraction: float | Splitter = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        n_iter_no_change: int | float = 10,
        max_fun: int = 15000,
        negative_slope: float = 0.1,
        elu_alpha: float = 1.0,
        maxout_pieces: int = 2,
        initializer: str = "auto",
        rho: float = 0.9,
        decay_rate: float = 0.1,
        warmup_epochs: float = 0,
        l1_ratio: float | Sequence[float] = 0.0,
        weight_decay: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        batch_norm: bool | Literal["before", "after"] = False,
        batch_norm_momentum: float = 0.9,
        quantile: float | Sequence[float] = 0.5,
        huber_delta: float = 1.0,
        normalize_y: bool = False,
        max_grad_norm: float | None = None,
        scoring: str | Callable[..., float] | None = None,
        early_stopping_window: int = 1,
        restore_best: bool = True,
        dtype: Literal["float32", "float64"] | None = None,
    ) -> None: ...
    def partial_fit(
        self, X: _Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self: ...
