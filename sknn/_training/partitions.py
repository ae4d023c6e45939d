"""What a worker of a cluster does with its rows: join them, measure them, train on them."""

import copy
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier

from .._validation.weights import NoWeightError


class Rows(NamedTuple):
    """The rows of a group of partitions."""

    X: object
    y: object
    sample_weight: object


def join(*columns):
    """Return the :class:`Rows` of partitions, given as a list of blocks for each column."""
    return Rows(*map(_concatenate, columns))


def _concatenate(blocks):
    first = blocks[0]
    if len(blocks) == 1 or first is None:
        return first
    if hasattr(first, "iloc"):
        import pandas as pd  # noqa: PLC0415

        return pd.concat(blocks)
    return sparse.vstack(blocks).tocsr() if sparse.issparse(first) else np.concatenate(blocks)


def find_classes(rows, network):
    """Return the class labels among the rows, or the column numbers of an indicator matrix."""
    y = np.asarray(rows.y)
    return np.arange(y.shape[1]) if y.ndim == 2 and y.shape[1] > 1 else np.unique(y)


def compute_moments(rows, network):
    """Return total weight, and weighted mean and variance of regression targets.

    The weight includes that of the classes. It is 0 if there is nothing to train on.
    """
    nothing = 0.0, 0.0, 0.0
    if rows.X.shape[0] == 0:
        return nothing
    if rows.sample_weight is not None and not np.any(rows.sample_weight):
        return nothing
    checking = copy.deepcopy(network)  # which learns the number of features
    try:
        samples, _ = checking._check_samples(*rows, (None, None, None), True, incremental=True)
    except NoWeightError:
        return nothing
    weight, largest = samples.weight
    total = weight.sum() * largest
    if is_classifier(network):
        return total, 0.0, 0.0
    y = samples.y.reshape(len(samples.y), -1).astype(np.float64)
    mean = np.average(y, axis=0, weights=weight)
    return total, mean, np.average((y - mean) ** 2, axis=0, weights=weight)


def initialize(rows, network):
    """Return a copy of the network with drawn weights, trained for no epoch."""
    return copy.deepcopy(network)._fit(*rows, incremental=True, n_epochs=0)


def train(rows, network, n_epochs):
    """Return a copy of the network, trained for some more epochs."""
    trained = copy.deepcopy(network)  # workers in this process get the client's own object
    for _ in range(n_epochs):
        trained.partial_fit(*rows)
    return trained
