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
        units = [trained.n_features, *_units_of(trained)]
        others = " and ".join(_other_shapes(estimator, architecture, trained))
        raise ValueError(
            f"The network with {others} does not fit the one trained before, of widths "
            f"{[*units, trained.n_outputs]}; set warm_start=False and call fit to start anew, or "
            "give what it was trained with."
        )
    if architecture.scales_targets != trained.scales_targets:
        raise ValueError(
            f"normalize_y={estimator.normalize_y!r} changes what the network trained before "
            "predicts; set warm_start=False to start anew, or give the same normalize_y."
        )


def _columns_of(architecture):
    """Return the columns that are embedded, by the field of the architecture that has them."""
    return [getattr(architecture, field) for field in COLUMNS_OF.values()]


def _units_of(architecture):
    return [layer.units for layer in architecture.hidden]


def _other_shapes(estimator, architecture, trained):
    """Yield in words what makes weights of other shapes than those of the trained network."""
    if _units_of(architecture) != _units_of(trained):
        yield f"hidden_layer_sizes={estimator.hidden_layer_sizes!r}"
    elif _pieces_of(architecture) != _pieces_of(trained):
        pieces = estimator.maxout_pieces
        yield f"activation={estimator.activation!r} (maxout_pieces={pieces!r})"
    for name in ("batch_norm", "skip"):
        if getattr(architecture, name) != getattr(trained, name):
            yield f"{name}={getattr(estimator, name)!r}"
    if len(architecture.loss_parameters) != len(trained.loss_parameters):
        yield f"loss={architecture.loss!r} for {architecture.n_outputs} quantiles"
    elif architecture.n_outputs != trained.n_outputs:
        yield f"{architecture.n_outputs} outputs for y"


def _pieces_of(architecture):
    return [layer.pieces for layer in architecture.hidden]
