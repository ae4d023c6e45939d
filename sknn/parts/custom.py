"""Activations of the user's own."""

import functools

from .._compiled.jit import jit, scalar
from .activations import ACTIVATIONS, ActivationPart
from .losses import LOSSES


class Activation:
    """An activation of your own, from two scalar functions, compiled like the built-in ones.

    Parameters
    ----------
    forward : callable
        f: a function of one number that Numba can compile.
    derivative : callable
        f': the same, of the pre-activation z.

    Notes
    -----
    -----
    Module-level functions make it picklable, which process-based parallelism needs. Compiling
    takes some tenths of a second in every process.

    Examples
    --------
    >>> import math
    >>> from sklearn.datasets import load_iris
    >>> from sknn import Activation, MLPClassifier
    >>> sine = Activation(math.sin, math.cos)
    >>> X, y = load_iris(return_X_y=True)
    >>> MLPClassifier(activation=sine, max_iter=1000, random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, forward, derivative):
        if not (callable(forward) and callable(derivative)):
            raise TypeError(
                f"Activation takes two functions of one number, got {forward!r} and {derivative!r}."
            )
        self.forward = forward
        self.derivative = derivative

    def __repr__(self):
        names = (
            getattr(function, "__name__", repr(function))
            for function in (self.forward, self.derivative)
        )
        return f"Activation({', '.join(names)})"

    def __eq__(self, other):
        return isinstance(other, Activation) and (self.forward, self.derivative) == (
            other.forward,
            other.derivative,
        )

    def __hash__(self):
        return hash((self.forward, self.derivative))


def activation_part(activation):
    """Return the row of an activation: a name in ``ACTIVATIONS`` or an :class:`Activation`."""
    if isinstance(activation, Activation):
        return _activation_part(activation.forward, activation.derivative)
    return ACTIVATIONS[activation]


def loss_part(loss):
    """Return the row of a loss, a name in ``LOSSES``."""
    return LOSSES[loss]


@functools.cache
def _activation_part(forward, derivative):
    f = scalar(forward)
    slope = scalar(derivative)

    @jit
    def custom_forward(z, shape, a):
        for i in range(z.size):
            a[i] = f(z[i])

    @jit
    def custom_backward(z, a, shape, da, dz):
        for i in range(dz.size):
            dz[i] = da[i] * slope(z[i])

    return ActivationPart(custom_forward, custom_backward, "your own", needs_z=True)
