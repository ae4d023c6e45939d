"""What calibration does to predictions, after a check of the fitted attribute that it reads."""

from numbers import Real

import numpy as np

from .._warnings import NonFinitePredictionError


def divide_by_temperature(estimator, logits):
    """Return logits over ``temperature_``, after checking that it is one."""
    temperature = checked_temperature(estimator)
    limit = np.finfo(logits.dtype).max
    with np.errstate(over="ignore"):
        return (logits / temperature).clip(-limit, limit).astype(logits.dtype)


def checked_temperature(estimator):
    """Return ``temperature_`` in float64, after checking that it is a positive number."""
    temperature = estimator.temperature_
    is_number = isinstance(temperature, Real) and not isinstance(temperature, bool)
    if not is_number or not 0 < temperature < np.inf:
        raise ValueError(
            f"temperature_ must be a positive number, got {temperature!r}; assign one, or call fit "
            "with calibrate=True."
        )
    return np.float64(temperature)


def shift_quantiles(estimator, predictions):
    """Return predicted quantiles plus ``quantile_shifts_``, those of a row in rising order.

    Where shifts make quantiles cross, sorting brings them closer to the true ones, arXiv:0704.3649.
    """
    shifts = checked_shifts(estimator)
    levels = estimator._architecture.loss_parameters
    with np.errstate(over="ignore"):
        shifted = (predictions + shifts).astype(predictions.dtype)
    if not np.isfinite(shifted).all():
        raise NonFinitePredictionError(
            f"Predictions plus quantile_shifts_={shifts} are not finite in {predictions.dtype}; "
            "assign smaller numbers, or fit with dtype='float64' or with y in other units."
        )
    return np.sort(shifted, axis=1) if len(levels) > 1 else shifted


def checked_shifts(estimator):
    """Return ``quantile_shifts_``, after checking that there is a number for each output."""
    shifts = np.asarray(estimator.quantile_shifts_)
    n_outputs = estimator._architecture.n_outputs
    is_numeric = shifts.dtype.kind in "iuf" and shifts.shape == (n_outputs,)
    if not is_numeric or not np.isfinite(shifts).all():
        raise ValueError(
            f"quantile_shifts_ must be an array of {n_outputs} finite numbers, got {shifts!r}; "
            "assign one for each quantile, or call fit with calibrate=True."
        )
    return shifts
