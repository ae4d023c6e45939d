"""Which columns a fit embeds."""

from scipy import sparse

from .._runtime.embedding import find_columns
from .._warnings import warn_user


def choose_columns(estimator, X, fresh):
    """Return the columns of X that ``numeric_embedding`` embeds, as a tuple.

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
        return ()
    if not fresh and estimator._architecture.numeric_embedding == embedding:
        return estimator._architecture.embedded
    columns = find_columns(X)
    if not columns:
        warn_user(
            f"numeric_embedding={embedding!r} has no effect, since no column of X has more than "
            "two distinct values."
        )
    return columns


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
