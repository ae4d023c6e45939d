"""A warning about validation samples that were not transformed as X was, which nothing else would
show: they are numbers, in as many columns.

A Pipeline, for instance, scales X, but not the X_val that is given to its last step.
"""

import numpy as np
from scipy import sparse

from .._warnings import warn_user

_MOST_ROWS = 2048  # that are compared
_LEAST_ROWS = 50  # of X, whose range is then that of nearly all samples like them
_LEAST_VALIDATION_ROWS = 10
_LEAST_SHARE = 0.05
_NAMED = 5  # columns


def warn_of_other_scale(estimator, X, X_val):
    """Warn if all rows of X_val lie far outside X.

    A value does if it is farther from X's values in its column than these are from each other.
    Where rows of X and X_val come from one distribution, whichever it is, at most 2 values in 51 do
    so on average. So a warning needs a column in which all rows do, or values in every row that are
    a twentieth of all.

    Parameters
    ----------
    estimator : BaseMLP
    X, X_val : ndarray or CSR of shape (n_samples, n_features)
        Checked. Sparse tables are not looked at.
    """
    if sparse.issparse(X) or sparse.issparse(X_val):
        return
    X, X_val = _some_rows(X), _some_rows(X_val)
    if len(X) < _LEAST_ROWS or len(X_val) < _LEAST_VALIDATION_ROWS:
        return
    is_far = _find_far_values(X, X_val)
    is_far_column = is_far.all(axis=0)
    is_everywhere = is_far.any(axis=1).all() and is_far.mean() >= _LEAST_SHARE
    if not (is_far_column.any() or is_everywhere):
        return
    share = is_far.mean(axis=0)
    columns = [int(i) for i in np.argsort(-share, kind="stable")[:_NAMED] if share[i] > 0]
    names = getattr(estimator, "feature_names_in_", None)
    labels = columns if names is None else [str(names[i]) for i in columns]
    i = columns[0]
    warn_user(
        "X_val lies far outside X, as if it had not been transformed as X was: for instance in "
        f"columns {labels}, of which the first ranges from {X[:, i].min():.3g} to "
        f"{X[:, i].max():.3g} in X and from {X_val[:, i].min():.3g} to {X_val[:, i].max():.3g} in "
        "X_val. Transform X_val like X; a Pipeline does so only with transform_input=['X_val'] and "
        "sklearn.set_config(enable_metadata_routing=True)."
    )


def _some_rows(table):
    """Return rows that are drawn at random: evenly spaced ones may be of one hour or sensor."""
    if len(table) <= _MOST_ROWS:
        return np.asarray(table)
    random = np.random.default_rng(0)
    return table[np.sort(random.choice(len(table), _MOST_ROWS, replace=False, shuffle=False))]


def _find_far_values(X, X_val):
    """Return for each value of X_val whether it is far outside X; not where X is constant."""
    low = X.min(axis=0).astype(np.float64)
    high = X.max(axis=0).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        width = high - low
        is_far = (X_val > high + width) | (X_val < low - width)
    return is_far & (width > 0)
