"""Hyperparameters: all that is known about each constructor parameter, as one table of rows.

A row says which values are valid, what the documentation tells, and when the parameter has an
effect. Validation, warnings and docstrings read the rows. To add a hyperparameter, add its row to
the file of its theme here, and the parameter with its default to the constructors in ``mlp.py``.
"""

from . import network, own, stopping, training

SHARED = {**network.ROWS, **training.ROWS, **stopping.ROWS}
CLASSIFIER = {**SHARED, **own.CLASSIFIER}
REGRESSOR = {**SHARED, **own.REGRESSOR}
HYPERPARAMETERS = {**CLASSIFIER, **REGRESSOR}


def constraints(rows):
    """Return the constraints of all rows by name, as scikit-learn checks them."""
    return {name: row.constraints for name, row in rows.items()}
