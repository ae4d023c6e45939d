"""Types of what users give, for editors and type checkers; checks at run time do not read them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypedDict

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix

Table = ArrayLike | spmatrix | sparray
ClassWeight = Mapping[Any, float] | Sequence[Mapping[Any, float]] | Literal["balanced"]


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
    X: np.ndarray
