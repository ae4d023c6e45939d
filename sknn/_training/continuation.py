"""Whether training can go on with a network that was trained before."""

from .._runtime.embedding import COLUMNS_OF


def check_goes_on(estimator, architecture):
    """Raise ValueError if the parameters ask for another network than the one trained before.

    Parameters
    ----------
    estimator : BaseMLP
        Fitted.
    architecture : Architecture
        What its parameters ask for now.
    """
    trained = estimator._architecture
    if _columns_of(architecture) != _columns_of(trained):
        raise ValueError(
            f"numeric_embedding={estimator.numeric_embedding!r} does not fit the network trained "
            f"before, which has {trained.numeric_embedding!r}; set warm_start=False and call fit "
            f"to start anew, or set numeric_embedding={trained.numeric_embedding!r}."
        )
    if architecture.shapes != trained.shapes:
        units = [trained.n_features, *(layer.units for layer in trained.hidden)]
        raise ValueError(
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r}, or another parameter that "
            f"shapes the network, does not fit the one trained before, of widths "
            f"{[*units, trained.n_outputs]}; set warm_start=False to start anew, or give the same "
            "sizes, features and outputs."
        )
    if architecture.scales_targets != trained.scales_targets:
        raise ValueError(
            f"normalize_y={estimator.normalize_y!r} changes what the network trained before "
            "predicts; set warm_start=False to start anew, or give the same normalize_y."
        )


def _columns_of(architecture):
    """Return the columns that are embedded, by the field of the architecture that has them."""
    return [getattr(architecture, field) for field in COLUMNS_OF.values()]
