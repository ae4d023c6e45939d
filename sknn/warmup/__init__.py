"""Compilation ahead of the first fit, for container images, worker processes and forks."""

import warnings
from collections.abc import Iterable

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._compiled import kinds
from .._engine import batch_norm, dropout, sparse
from ..mlp import MLPClassifier
from ..parts import activations, losses, optimizers, regularizers

_KERNELS = {  # kernels that only some fits use, by kind
    kinds.ACTIVATION: [part.forward for part in activations.ACTIVATIONS.values()],
    kinds.ACTIVATION_BACKWARD: [part.backward for part in activations.ACTIVATIONS.values()],
    kinds.LOSS: [part.loss for part in losses.LOSSES.values()],
    kinds.LINK: [losses.identity_link, *(part.link for part in losses.LOSSES.values())],
    kinds.OPTIMIZER_STEP: [part.step for part in optimizers.OPTIMIZERS.values()],
    kinds.STEP_SIZES: [part.step_sizes for part in optimizers.OPTIMIZERS.values()],
    kinds.PENALTY: [part.penalize for part in regularizers.REGULARIZERS.values()],
    kinds.PROXIMAL_STEP: [
        part.shrink for part in regularizers.REGULARIZERS.values() if part.shrink is not None
    ],
    kinds.NORMALIZE: [batch_norm.normalize],
    kinds.NORMALIZE_BACKWARD: [batch_norm.normalize_backward],
    kinds.DROPOUT: [dropout.drop],
    kinds.DROPOUT_IN_PLACE: [dropout.drop_in_place],
    kinds.SPARSE_AFFINE: [sparse.affine],
    kinds.SPARSE_WEIGHT_GRADIENT: [sparse.weight_gradient],
}


def warmup(dtypes: str | Iterable[str] = ("float32", "float64")) -> None:
    """Compile all kernels that a fit or a prediction may need, and keep them in the compile cache.

    Without it, a fit compiles the kernels that it is the first to use on this machine, which takes
    ten to twenty seconds the first time. Call it, or run ``python -m sknn.warmup``, when a
    container image is built, before many processes start at once, or before a fork.

    Parameters
    ----------
    dtypes : {'float32', 'float64'} or several of them, default=('float32', 'float64')
        Types of numbers to compile for; see the parameter ``dtype`` of :class:`MLPClassifier`.

    Raises
    ------
    ValueError
        If a dtype is not one of these.

    See Also
    --------
    show_versions : Prints the folder of the compile cache.

    Examples
    --------
    >>> import sknn
    >>> sknn.warmup(["float64"])
    """
    dtypes = [dtypes] if isinstance(dtypes, str) else list(dtypes)
    for name in dtypes:
        if name not in ("float32", "float64"):
            raise ValueError(f"dtypes must be of 'float32' and 'float64', got {name!r}.")
    for name in dtypes:
        for kind, kernels in _KERNELS.items():
            for kernel in kernels:
                kind.address(kernel, np.dtype(name))
        X = np.eye(4, dtype=name)
        y = np.arange(4) % 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for settings in ({"input_dropout": 0.1, "max_grad_norm": 1.0}, {"solver": "lbfgs"}):
                MLPClassifier((2,), max_iter=1, random_state=0, **settings).fit(X, y).predict(X)
            # A minibatch that is large compared to the network is trained on in shards.
            MLPClassifier((600,), max_iter=1, random_state=0).fit(
                np.tile(X, (50, 1)), np.tile(y, 50)
            )
