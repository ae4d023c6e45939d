"""Which columns a network embeds, and what it learns for them: PBLD of arXiv:2407.04491.

What the learned values do is written in ``_engine/embedding.py``. They start as in RealMLP.
"""

import numpy as np

from .._engine.embedding import N_NUMBERS, N_WAVES

FREQUENCIES = "embedding_frequencies_"
PHASES = "embedding_phases_"
EMBEDDING_COEFS = "embedding_coefs_"
EMBEDDING_INTERCEPTS = "embedding_intercepts_"

# The embeddings by name, with the field of the architecture that says which columns they embed.
COLUMNS_OF = {"pbld": "embedded", "piecewise_linear": "bins"}
EMBEDDINGS = ("none", *COLUMNS_OF)  # values of the hyperparameter
RATE_FACTOR = 0.1  # of the learning rate
_FREQUENCY_SCALE = 0.1
_BOUND = 1 / np.sqrt(N_WAVES)
_ROWS_AT_ONCE = 10_000


def _draw_frequencies(random_state, shape):
    return random_state.normal(scale=_FREQUENCY_SCALE, size=shape)


def _draw_phases(random_state, shape):
    return random_state.uniform(-np.pi, np.pi, size=shape)


def _draw_linear_map(random_state, shape):
    return random_state.uniform(-_BOUND, _BOUND, size=shape)


# What is learned, by name: its shape for one column, and what it starts from.
PBLD = {
    FREQUENCIES: ((N_WAVES,), _draw_frequencies),
    PHASES: ((N_WAVES,), _draw_phases),
    EMBEDDING_COEFS: ((N_WAVES, N_NUMBERS), _draw_linear_map),
    EMBEDDING_INTERCEPTS: ((N_NUMBERS,), _draw_linear_map),
}
# The attributes with their documentation: kind and meaning.
PBLD_ATTRIBUTES = {
    FREQUENCIES: (
        "list of one ndarray of shape (n_embedded, 16)",
        "Frequencies of the waves of each embedded column. Only when numeric_embedding='pbld', "
        "like the next three.",
    ),
    PHASES: ("list of one ndarray of shape (n_embedded, 16)", "Phases of these waves."),
    EMBEDDING_COEFS: (
        "list of one ndarray of shape (n_embedded, 16, 3)",
        "Weights of the linear map from the waves to three numbers.",
    ),
    EMBEDDING_INTERCEPTS: (
        "list of one ndarray of shape (n_embedded, 3)",
        "Intercepts of this map.",
    ),
}


def find_columns(X):
    """Return the columns of a dense table that have more than two distinct values, as a tuple.

    Others, such as those of one-hot encoded categories, would gain nothing.
    """
    first = X[0]
    second = first.copy()
    is_found = np.zeros(X.shape[1], bool)
    for start in range(0, len(X), _ROWS_AT_ONCE):
        rows = X[start : start + _ROWS_AT_ONCE]
        is_other = rows != first
        has_no_second = second == first
        second[has_no_second] = _first_of_each(rows, is_other, first)[has_no_second]
        is_found |= (is_other & (rows != second)).any(axis=0)
        if is_found.all():
            break
    return tuple(np.flatnonzero(is_found).tolist())


def _first_of_each(rows, is_chosen, default):
    """Return each column's first chosen element, or ``default`` where none is."""
    numbers = is_chosen.argmax(axis=0)
    chosen = rows[numbers, np.arange(rows.shape[1])]
    return np.where(is_chosen.any(axis=0), chosen, default)
