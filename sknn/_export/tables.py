"""What turns tables into inputs of a network, as graphs of ONNX operators.

The graphs are of float64, as the transformers compute, whatever the inputs and outputs are.
"""

import itertools
from typing import NamedTuple

import numpy as np

from .._tabular import kinds
from .._tabular.numeric import add_numbers
from .graph import add_bins


class Table(NamedTuple):
    """An input of a model."""

    name: str
    value: str
    width: int | None  # number of columns, None if unknown
    is_text: bool


def add_preprocessor(graph, preprocessor, tables):
    """Add what a fitted TabularPreprocessor does with tables, and return its output.

    Parameters
    ----------
    graph : Graph
    preprocessor : TabularPreprocessor
    tables : list of Table
        One for each column, or one or several for all of them, in the order of the columns.
    """
    located = _locate_columns(preprocessor, tables)
    texts = [table.value for table in tables if table.is_text]
    reals = [graph.real(table.value) for table in tables if not table.is_text]
    text = graph.side_by_side(texts) if texts else None
    real = graph.side_by_side(reals) if reals else None
    encoders = preprocessor._encoders
    widths = [len(encoder.names("")) for encoder in encoders]
    starts = np.cumsum([0, *widths[:-1]])
    blocks = []
    numbers = []
    for i, (name, kind) in enumerate(zip(_names(preprocessor), preprocessor.kinds_, strict=True)):
        is_text, place = located[i]
        _check_kind(name, kind, is_text)
        if kind == kinds.NUMBER:
            numbers.append(i)
            continue
        column = graph.columns(text if is_text else real, [place])
        if kind == kinds.EMPTY:
            block = graph.real(graph("ConstantOfShape", graph("Shape", column)))
        else:
            codes = None if is_text else _numbers_of(encoders[i].levels, kind, name)
            block = encoders[i].add_operators(graph, column, codes)
        blocks.append((block, starts[i] + np.arange(widths[i])))
    if numbers:
        values = graph.columns(real, [located[i][1] for i in numbers])
        blocks += add_numbers(graph, [encoders[i] for i in numbers], values, starts[numbers])
    return graph.real(_in_order(graph, blocks), preprocessor._dtype)


def _names(preprocessor):
    return list(getattr(preprocessor, "feature_names_in_", range(preprocessor.n_features_in_)))


def _locate_columns(preprocessor, tables):
    """Return ``(whether it is text, position among the columns that are or are not)`` of each.

    Tables of one column are recognized by their names, if these are the columns'.
    """
    n_features = preprocessor.n_features_in_
    if len(tables) == 1 and tables[0].width is None:
        tables = [tables[0]._replace(width=n_features)]
    counts = {True: itertools.count(), False: itertools.count()}
    located = [
        (table.is_text, next(counts[table.is_text]))
        for table in tables
        for _ in range(table.width or 1)
    ]
    if len(located) != n_features:
        raise ValueError(
            f"The inputs of the model have {len(located)} columns, and TabularPreprocessor was "
            f"fitted to {n_features}. Give it one input a column, or one for all."
        )
    given = [table.name for table in tables]
    names = _names(preprocessor)
    known = set(given) & set(names)
    if len(tables) < n_features or not known:
        return located
    if known != set(names):
        raise ValueError(
            f"The model has inputs with the names {sorted(set(given) - known)}, which are no "
            f"columns of TabularPreprocessor, and lacks {sorted(set(names) - known)}. Name all "
            "inputs by their columns, or none of them."
        )
    places = dict(zip(given, located, strict=True))
    return [places[name] for name in names]


def _check_kind(name, kind, is_text):
    """Raise a ValueError if a column cannot be converted."""
    if kind == kinds.DATETIME:
        raise ValueError(
            f"Column {name!r} holds times, which ONNX does not have. Make numbers of it, such as "
            "the days since a date and the hour, and fit TabularPreprocessor to these."
        )
    if kind == kinds.NUMBER and is_text:
        raise ValueError(
            f"Column {name!r} held numbers in fit, but its input to the model is text. Give each "
            "column an input of its own type, such as FloatTensorType([None, 1])."
        )


def _numbers_of(levels, kind, name):
    """Return the numbers that stand for levels in a column that is no text."""
    levels = levels.tolist()
    if kind == kinds.BOOLEAN:
        return [float(level == "True") for level in levels]
    try:
        numbers = [float(level) for level in levels]
    except ValueError:
        numbers = []
    if [kinds.label(number, name) for number in numbers] != levels:
        raise ValueError(
            f"Column {name!r} had levels such as {levels[0]!r} in fit, but its input to the model "
            "is numbers. Give it an input of text, such as StringTensorType([None, 1])."
        )
    return numbers


def add_encoder(graph, encoder, X):
    """Add what a fitted PiecewiseLinearEncoder does with X, and return its output."""
    n_bins = [max(len(edges) - 1, 0) for edges in encoder.edges_]
    if not any(n_bins):
        return X
    low = np.concatenate([edges[:-1] for edges in encoder.edges_])
    high = np.concatenate([edges[1:] for edges in encoder.edges_])
    columns = np.repeat(np.arange(len(n_bins)), n_bins)
    bins = add_bins(graph, X, columns, low, high, float(encoder._scale))
    return _add_after(graph, X, bins, n_bins)


def add_waves(graph, encoder, X):
    """Add what a fitted PeriodicEncoder does with X, and return its output."""
    n_waves = [len(phases) for phases in encoder.phases_]
    if not any(n_waves):
        return X
    values = graph.columns(X, np.repeat(np.arange(len(n_waves)), n_waves))
    cycles = graph("Mul", values, np.concatenate(encoder.frequencies_))
    largest = np.finfo(np.float64).max
    cycles = graph("Min", graph("Max", cycles, -largest), largest)
    periods = graph("Sub", cycles, graph("Floor", cycles))
    angles = graph("Mul", graph("Add", periods, np.concatenate(encoder.phases_)), 2 * np.pi)
    waves = graph("Mul", graph("Cos", angles), float(encoder._amplitude))
    return _add_after(graph, X, waves, n_waves)


def _add_after(graph, X, added, counts):
    """Return the columns of X, each followed by as many of the added ones as ``counts`` says."""
    starts = np.cumsum([0, *counts[:-1]]) + np.arange(len(counts))
    others = np.setdiff1d(np.arange(len(counts) + sum(counts)), starts)
    return _in_order(graph, [(X, starts), (added, others)])


def _in_order(graph, blocks):
    """Add the columns of several tables in the order of their positions in the output."""
    tables, positions = zip(*blocks, strict=True)
    return graph.columns(graph.side_by_side(tables), np.argsort(np.concatenate(positions)))
