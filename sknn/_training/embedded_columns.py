"""Which columns a fit embeds."""

from scipy import sparse

from .._runtime.embedding import COLUMNS_OF, find_columns
from .._runtime.piecewise_linear import find_bins
from .._warnings import warn_user

_FIND = {"pbld": find_columns, "piecewise_linear": find_bins}


def choose_columns(estimator, X, fresh):
    """Return the columns of X that ``numeric_embedding`` embeds, by the field of the architecture
    that has them.

    They are found when training begins, and stay the same when it goes on.

    Parameters
    ----------
    estimator : BaseMLP
    X : ndarray or CSR of shape (n_samples, n_features)
    fresh : bool
        Whether training begins anew.
    """
    embedding = estimator.numeric_embedding
    if embedding == "none":
        return {}
    field = COLUMNS_OF[embedding]
    if not fresh and estimator._architecture.numeric_embedding == embedding:
        return {field: getattr(estimator._architecture, field)}
    columns = _FIND[embedding](X)
    if not columns:
        distinct = "values" if embedding == "pbld" else "quantiles"
        warn_user(
            f"numeric_embedding={embedding!r} has no effect, since no column of X has more than "
            f"two distinct {distinct}."
        )
    return {field: columns}


def refuse_sparse(embedding, X, name="X"):
    """Raise ValueError if columns of a sparse table were to be embedded.

    Parameters
    ----------
    embedding : str
        The estimator's ``numeric_embedding``, or that of the network that predicts.
    X : ndarray, CSR or None
    name : str, default="X"
        What the error calls the table.
    """
    if embedding != "none" and sparse.issparse(X):
        raise ValueError(
            f"numeric_embedding={embedding!r} needs dense tables, but {name} is sparse; pass "
            f"{name}.toarray(), or set numeric_embedding='none'."
        )
