"""Parts made of the user's own functions, and the lookup of rows by name or by such a part."""

import functools

from .._compiled.jit import scalar
from .activations import ACTIVATIONS, elementwise
from .losses import LOSSES, LossPart, pointwise


class _Functions:
    """Two functions of the user's own; equal if both functions are equal."""

    def _check(self, arguments):
        if not all(map(callable, self._functions)):
            given = " and ".join(map(repr, self._functions))
            raise TypeError(
                f"{type(self).__name__} takes two functions of {arguments}, got {given}."
            )

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(_name, self._functions))})"

    def __eq__(self, other):
        return type(self) is type(other) and self._functions == other._functions

    def __hash__(self):
        return hash((type(self), self._functions))


class Activation(_Functions):
    """Activation f(z) of your own, compiled like the built-in ones.

    A hidden layer computes f(z) of each pre-activation z. Training needs its derivative f'(z) too.

    Parameters
    ----------
    forward : callable
        Function f of one number that Numba can compile.
    derivative : callable
        Derivative f', likewise a function of z.

    Raises
    ------
    TypeError
        If one of them is not callable. (If Numba cannot compile one, ``fit`` raises a ValueError
        that names it.)

    See Also
    --------
    Loss : The same for the loss.

    Notes
    -----
    Functions that are defined at the top level of a module can be pickled, which process-based
    parallelism needs. Each pair of functions is compiled once in a process, which takes some tenths
    of a second, and its code is kept until the process ends; equal activations share it. A new
    lambda is a new function, so define functions once, not in a loop.

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
        self.forward = forward
        self.derivative = derivative
        self._check("one number")

    @property
    def _functions(self):
        return self.forward, self.derivative


class Loss(_Functions):
    """Regression loss l(z, y) of your own, compiled like the built-in ones.

    The network minimizes the mean of sum_k l(z_k, y_k) over samples, with z_k its k-th output and
    y_k the k-th target; its prediction is z.

    Parameters
    ----------
    value : callable
        Function l of two numbers, the output z and the target y, that Numba can compile.
    slope : callable
        Derivative dl/dz, likewise a function of z and y.

    Raises
    ------
    TypeError
        If one of them is not callable. (If Numba cannot compile one, ``fit`` raises a ValueError
        that names it.)

    See Also
    --------
    Activation : The same for activations.

    Notes
    -----
    Functions that are defined at the top level of a module can be pickled, which process-based
    parallelism needs. Each pair of functions is compiled once in a process, which takes some tenths
    of a second, and its code is kept until the process ends; equal losses share it. A new lambda is
    a new function, so define functions once, not in a loop.

    Examples
    --------
    The expectile of level 0.9, which lies above the mean:

    >>> from sklearn.datasets import load_diabetes
    >>> from sknn import Loss, MLPRegressor
    >>> def value(z, y):
    ...     return (0.9 if y > z else 0.1) * (z - y) ** 2
    >>> def slope(z, y):
    ...     return 2 * (0.9 if y > z else 0.1) * (z - y)
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regr = MLPRegressor(Loss(value, slope), normalize_y=True, random_state=0, tol=1e-3)
    >>> print((regr.fit(X, y).predict(X) > y).mean().round(1))
    0.8
    """

    def __init__(self, value, slope):
        self.value = value
        self.slope = slope
        self._check("two numbers")

    @property
    def _functions(self):
        return self.value, self.slope


def activation_part(activation):
    """Return the row of an activation: a name in ``ACTIVATIONS`` or an :class:`Activation`."""
    if isinstance(activation, Activation):
        return _activation_part(activation)
    return ACTIVATIONS[activation]


def loss_part(loss):
    """Return the row of a loss: a name in ``LOSSES`` or a :class:`Loss`."""
    return _loss_part(loss) if isinstance(loss, Loss) else LOSSES[loss]


# Rows are kept for ever: code must not be freed while an address of it may be in use.


@functools.cache
def _activation_part(activation):
    f = scalar(activation.forward)
    slope = scalar(activation.derivative)

    def forward(z, parameter):
        return f(z)

    def backward(da, z, a, parameter):
        return da * slope(z)

    forward.__qualname__ = _name(activation.forward)
    backward.__qualname__ = _name(activation.derivative)
    return elementwise(forward, backward, "your own", needs_z=True)


@functools.cache
def _loss_part(loss):
    value = scalar(loss.value)
    slope = scalar(loss.slope)

    def weighted(weight, z, y, parameter):
        return weight * value(z, y), slope(z, y)

    weighted.__qualname__ = repr(loss)
    return LossPart(pointwise(weighted), "your own")


def _name(function):
    return getattr(function, "__name__", repr(function))
