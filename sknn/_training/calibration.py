"""Temperature scaling: one number by which logits are divided, so that probabilities are right."""

import numpy as np
import scipy.optimize
import scipy.special

from .._runtime.compiled_network import CompiledNetwork

_LARGEST_LOGARITHM = 10.0  # of a temperature or its inverse, as in scikit-learn's calibration
_MORE_ROWS = 10


def calibrated_temperature(architecture, weights, validation_set):
    """Return the temperature of a network on its validation rows.

    Parameters
    ----------
    architecture : Architecture
    weights : ndarray
        Flat.
    validation_set : ValidationSet
    """
    network = CompiledNetwork(weights, architecture)
    logits = network.outputs(validation_set.table, validation_set.rows, link=False)
    is_softmax = architecture.loss_part.out_activation == "softmax"
    return find_temperature(logits, *validation_set.targets_and_weight(), is_softmax=is_softmax)


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
    share = _MORE_ROWS / len(logits)
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
