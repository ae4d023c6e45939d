"""Categories: one-hot columns, or one column of -1 and 1 for two levels."""

import numpy as np
from sklearn.preprocessing import OneHotEncoder


class CategoryEncoder:
    """Encoder of a column of strings.

    Parameters
    ----------
    min_frequency : int or float
        Levels that are less frequent share a column.
    max_categories : int
        Largest number of columns, that one included.
    """

    def __init__(self, min_frequency, max_categories):
        self.min_frequency = min_frequency
        self.max_categories = max_categories

    def fit(self, labels, targets=None):
        """Learn the levels. Missing is none of them, so it is encoded as zeros, like unknown."""
        levels = sorted(set(labels.tolist()) - {None})
        self.is_binary = len(levels) == 2
        limits = {"min_frequency": self.min_frequency, "max_categories": self.max_categories}
        encoder = OneHotEncoder(
            categories=[np.array(levels, dtype=object)],
            handle_unknown="ignore",
            sparse_output=False,
            **({} if self.is_binary else limits),
        )
        # Arrays, also where sklearn.set_config(transform_output=...) asks for DataFrames.
        self.encoder = encoder.set_output(transform="default").fit(labels[:, np.newaxis])
        return self

    @property
    def levels(self):
        """All levels, also rare ones, as an array of str objects."""
        return self.encoder.categories_[0]

    def names(self, name):
        """Return the names of the outputs."""
        names = self.encoder.get_feature_names_out([str(name)]).tolist()
        if self.is_binary:
            return names[1:]
        if self.encoder.infrequent_categories_[0] is not None:
            names[-1] = f"{name}_infrequent"
        return names

    def transform(self, labels):
        """Return the columns of the levels. For two, missing is in the middle between -1 and 1."""
        columns = self.encoder.transform(labels[:, np.newaxis]).T
        return [columns[1] - columns[0]] if self.is_binary else list(columns)

    def add_operators(self, graph, column, numbers=None):
        """Add what ``transform`` does to an ONNX graph, and return the columns as one table.

        Parameters
        ----------
        graph : Graph
            Called with an operator, its inputs and attributes, it returns the output.
        column : str
            Name of the column, a table of shape (n_samples, 1).
        numbers : list of float or None, default=None
            Numbers that stand for the levels, if the column has such. None means that it has text.
        """
        encoded = np.column_stack(self.transform(self.levels))
        encoded, codes = np.unique(encoded, axis=0, return_inverse=True)
        if numbers is None:
            codes = dict(zip(self.levels.tolist(), codes.ravel().tolist(), strict=True))
            column = graph.codes(column, codes)
            numbers = np.arange(len(encoded))
        else:
            encoded = encoded[codes.ravel()]
        is_level = graph("Equal", column, np.asarray(numbers)[np.newaxis])
        return graph("MatMul", graph.real(is_level), encoded)
