"""Calibration on the validation rows: of probabilities by temperature scaling, one number by which
logits are divided, and of quantiles by conformal prediction, a number for each that is added.
"""

import numpy as np
import scipy.optimize
import scipy.special

from .._runtime.compiled_network import CompiledNetwork

_LARGEST_LOGARITHM = 10.0  # of a temperature or its inverse, as in scikit-learn's calibration
# Rows that are counted besides, which say that predictions are right as they are. A quantile of few
# residuals scatters more than a temperature. On small tables, shifts with 30 rows had a smaller
# pinball loss than with 10, and intervals of averaged networks were closer to their levels.
_ROWS_FOR_NO_TEMPERATURE = 10
_ROWS_FOR_NO_SHIFT = 30


def calibration_of(estimator, architecture, weights, validation_set):
    """Return the fitted attribute that calibrates a network's predictions, by its name.

    Parameters
    ----------
    estimator : BaseMLP
        Has the scale of the targets.
    architecture : Architecture
    weights : ndarray
        Flat.
    validation_set : ValidationSet
    """
    network = CompiledNetwork(weights, architecture)
    table = validation_set.table
    rows = validation_set.rows
    y, weight = validation_set.targets_and_weight()
    if architecture.loss_part.task == "classification":
        logits = network.outputs(table, rows, link=False)
        is_softmax = architecture.loss_part.out_activation == "softmax"
        return {"temperature_": find_temperature(logits, y, weight, is_softmax=is_softmax)}
    residuals = y.astype(np.float64) - network.outputs(table, rows)
    if architecture.scales_targets:
        residuals *= estimator.y_scale_
    return {"quantile_shifts_": find_shifts(residuals, architecture.loss_parameters, weight)}


def find_temperature(logits, y, weight, *, is_softmax):
    """Return the T > 0 for which logits / T have the least mean log loss, arXiv:1706.04599.

    Few rows say little of T, and if the greatest logit of every row is that of the true class, the
    loss falls as T goes to 0. So ten more rows count, with the same logits on average, whose
    classes are as likely as softmax or logistic function of their logits say: for them, T = 1 is
    the best.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_outputs)
    y : ndarray of shape (n_rows, 1) or (n_rows, n_outputs)
        Codes of the classes; zeros and ones if not ``is_softmax``.
    weight : ndarray of shape (n_rows,)
    is_softmax : bool
        Whether the outputs are classes that exclude each other.
    """
    margins, weight = _margins(logits.astype(np.float64), y, weight, is_softmax)
    if not margins.any():
        return 1.0
    share = _ROWS_FOR_NO_TEMPERATURE / len(logits)
    expected = (scipy.special.softmax(margins, axis=1) * margins).sum(axis=1)
    mean_expected = np.average(expected, weights=weight)

    def objective(log_inverse):
        inverse = np.exp(log_inverse)
        mean_loss = np.average(scipy.special.logsumexp(inverse * margins, axis=1), weights=weight)
        return mean_loss + share * (mean_loss - inverse * mean_expected)

    limits = -_LARGEST_LOGARITHM, _LARGEST_LOGARITHM
    result = scipy.optimize.minimize_scalar(
        objective, bounds=limits, method="bounded", options={"xatol": 1e-9}
    )
    return float(np.exp(-result.x))


def _margins(logits, y, weight, is_softmax):
    """Return logits minus that of the true class, and the weights of these rows.

    Each output of the logistic function is a choice of its own between two classes, of logits 0 and
    z, so it becomes a row.
    """
    if is_softmax:
        return logits - np.take_along_axis(logits, y.astype(np.int64), axis=1), weight
    of_other_class = np.where(y > 0, -logits, logits).ravel()
    margins = np.column_stack([np.zeros_like(of_other_class), of_other_class])
    return margins, np.repeat(weight, logits.shape[1])


def find_shifts(residuals, levels, weight):
    """Return what to add to each predicted quantile, arXiv:1905.03222.

    Of n residuals in rising order, the k-th has the level k / (n + 1): with this probability, on
    average, that of a further row is less, whatever their distribution is. Between residuals,
    shifts are interpolated, and levels beyond all of them get the first or the last one. So low and
    high levels are treated alike. Few rows say little, and 0 counts as much as thirty.

    Parameters
    ----------
    residuals : ndarray of shape (n_rows, n_outputs)
        Targets minus predictions.
    levels : sequence of float
        One for each output, or one for all.
    weight : ndarray of shape (n_rows,)
        Positive. They count as so many equal weights as would give a mean the same variance.
    """
    # By a power of two, which is exact, so that squares of tiny weights are not 0.
    weight = np.ldexp(weight.astype(np.float64), -np.frexp(weight.max())[1])
    weight *= weight.sum() / (weight**2).sum()
    n_rows = weight.sum()
    shifts = []
    levels = np.broadcast_to(levels, residuals.shape[1:])
    for of_output, level in zip(residuals.T, levels, strict=True):
        order = of_output.argsort()
        levels_of_rows = (np.cumsum(weight[order]) - weight[order] / 2 + 0.5) / (n_rows + 1)
        shifts.append(np.interp(level, levels_of_rows, of_output[order]))
    return n_rows / (n_rows + _ROWS_FOR_NO_SHIFT) * np.array(shifts)
