"""Types of what users give, for editors and type checkers; checks at run time do not read them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypedDict, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix

Table = ArrayLike | spmatrix | sparray
ClassWeight = Mapping[Any, float] | Sequence[Mapping[Any, float]] | Literal["balanced"]


Function = TypeVar("Function", bound=Callable[..., Any])


def keeps_type(decorator: Any) -> Callable[[Function], Function]:
    """Return a decorator of scikit-learn's, which says no types, as one that keeps the type."""
    return decorator


class Splitter(Protocol):
    """A CV splitter of scikit-learn's kind."""

    def split(
        self, X: Any, y: Any = ..., groups: Any = ...
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield indices of training and test samples."""


class Gradients(TypedDict, total=False):
    """What ``gradients`` returns."""

    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]
    batch_norm_scale: list[np.ndarray]
    batch_norm_shift: list[np.ndarray]
    skip_coefs: list[np.ndarray]
    X: np.ndarray
