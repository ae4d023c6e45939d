"""Predictions are finite numbers, or an error names what is not finite, or too large.

Predictions are looked at, which takes little time, and the cause is found only where they are not
finite. Weights are looked at too, because activations may hide an infinite one.
"""

import contextlib

import numpy as np

from .._warnings import NonFinitePredictionError
from .architecture import RUNNING_VARIANCE
from .layout import views


@contextlib.contextmanager
def refuse_overflow(values, dtype):
    """Raise if numbers overflow when the block casts them to ``dtype``.

    Parameters
    ----------
    values : str
        What they are, for the error.
    dtype : numpy.dtype
    """
    try:
        with np.errstate(over="raise", invalid="ignore"):
            yield
    except FloatingPointError as error:
        raise ValueError(
            f"{values} has values beyond {dtype}, the dtype of this network, which is the "
            f"parameter dtype or that of the training samples; scale {values}"
            f"{'' if dtype == np.float64 else ', or fit with dtype=' + repr('float64')}."
        ) from error


def check_weights(flat, layout):
    """Raise if a learned value is NaN or infinite."""
    # Squares may overflow, but in nearly all networks one sum tells that all are finite. For 80,000
    # weights it takes 4 microseconds, a third of what np.isfinite takes.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(flat.dot(flat)) or np.isfinite(flat).all():
            return
    for name, arrays in views(flat, layout).items():
        for i, array in enumerate(arrays):
            if not np.isfinite(array).all():
                found = "NaN" if np.isnan(array).any() else "infinite values"
                raise ValueError(
                    f"{name}[{i}] has {found}; assign finite numbers, or call fit with "
                    "warm_start=False."
                )


def check_predictions(outputs, network, table, order, what):
    """Raise if an output of a network is not a finite number.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, width)
    network : CompiledNetwork
        Of finite weights, which has computed them.
    table : Table
        Its input.
    order : ndarray of int or None
        Rows of the table; None stands for all.
    what : str
        Name of the outputs, for the error.
    """
    if np.isfinite(outputs).all():
        return
    rows = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
    first = int(rows[0] if order is None else order[rows[0]])
    raise NonFinitePredictionError(
        f"The {what} of {len(rows)} samples, the first in row {first} of {table.name}, are not "
        f"finite: {_name_cause(network, table, first)}"
    )


def _name_cause(network, table, row):
    """Return what makes the outputs for a row of a table too large, and the way out."""
    learned = views(network.flat, network.layout)
    for i, variance in enumerate(learned.get(RUNNING_VARIANCE, ())):
        if variance.min() < 0:
            return f"{RUNNING_VARIANCE}[{i}] has negative values; assign variances."
    sample = table.X[row].data if table.is_sparse else table.X[row]
    largest = {f"{table.name} in this row": np.abs(sample).max(initial=0)}
    largest |= {
        f"{name}[{i}]": np.abs(array).max(initial=0)
        for name, arrays in learned.items()
        for i, array in enumerate(arrays)
    }
    top = max(largest, key=largest.get)
    means_exp = network.architecture.loss_part.out_activation == "exp"
    link = f"loss={network.architecture.loss!r} predicts exp(z), and " if means_exp else ""
    wider = "" if network.dtype == np.float64 else " or fit with dtype='float64',"
    return (
        f"{link}numbers grew beyond {network.dtype}. The largest inputs and weights are in {top}, "
        f"up to {largest[top]:.3g}. Scale X as in training,{wider} or fit again with scaled X and "
        "y and a lower learning_rate_init."
    )
