"""Types of ``distributed.py``, for editors and type checkers. Collections are those of Dask."""

from typing import Any, TypeVar

from .mlp import BaseMLP

_Network = TypeVar("_Network", bound=BaseMLP)

class ClusterLostError(RuntimeError):
    estimator: BaseMLP | None
    def __init__(self, message: str, estimator: BaseMLP | None) -> None: ...

def fit_dask(
    estimator: _Network,
    X: Any,
    y: Any,
    *,
    client: Any = None,
    sample_weight: Any = None,
    rounds: int | None = None,
    local_epochs: int = 1,
) -> _Network: ...
