"""The values that training starts from."""

from ..parts.initializers import INITIALIZERS
from .architecture import COEFS, INTERCEPTS


def draw_weights(architecture, initializer, arrays, random_state, given_activation=None):
    """Fill the learned values with what training starts from.

    Parameters
    ----------
    architecture : Architecture
    initializer : str
        Key of ``INITIALIZERS``.
    arrays : dict of lists of ndarray
        Written: the learned values by name, one a layer; see :func:`layout.views`.
    random_state : RandomState
    given_activation : str, Activation or sequence, default=None
        The constructor's. Without hidden layers, scikit-learn draws the output layer by it.
    """
    initialize = INITIALIZERS[initializer].initialize
    activations = [layer.activation for layer in architecture.hidden]
    # The output layer is drawn like the last hidden one.
    activations += activations[-1:] or [given_activation]
    widths = [*(layer.units for layer in architecture.hidden), architecture.n_outputs]
    for coef, intercept, width, activation in zip(
        arrays[COEFS], arrays[INTERCEPTS], widths, activations, strict=True
    ):
        coef[...], intercept[...] = initialize(random_state, coef.shape, width, activation)
    for value in architecture.learned:
        if value.initial is not None:
            draw = value.initial if callable(value.initial) else None
            initial = draw(random_state, value.shape) if draw else value.initial
            arrays[value.name][value.index][...] = initial
