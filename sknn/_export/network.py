"""What every format needs: the architecture of a fitted network and its learned arrays."""

from sklearn.utils.validation import check_is_fitted

from .._runtime.finiteness import check_weights
from .._runtime.layout import flat_vector, make_layout, views, weights_dtype
from .._validation.data import check_was_fitted
from ..mlp import MLPClassifier, MLPRegressor


def fitted_network(estimator, caller):
    """Return ``(architecture, dict from names to lists of learned arrays)``.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    caller : str
        Name of the function that the user has called, for the error.

    Raises
    ------
    TypeError
        If it is not an estimator of this package.
    NotFittedError
        If it is not fitted.
    ValueError
        If an array that the user has assigned does not fit the network or is not finite.
    """
    if not isinstance(estimator, (MLPClassifier, MLPRegressor)):
        raise TypeError(
            f"{caller} takes a fitted MLPClassifier or MLPRegressor of sknn, got {estimator!r}; "
            "take it out of a Pipeline or search, such as pipeline[-1] or search.best_estimator_."
        )
    check_is_fitted(estimator)
    check_was_fitted(estimator)
    architecture = estimator._architecture
    layout = make_layout(architecture)
    flat = flat_vector(estimator, layout, weights_dtype(estimator))
    check_weights(flat, layout)
    return architecture, views(flat, layout)
