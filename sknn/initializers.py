"""Initializers: functions that draw one layer's weights and intercepts, and a row in ``INITIALIZERS``.

    initialize(random_state, fan_in, fan_out, activation)     (weights of shape (fan_in, fan_out), intercepts of shape (fan_out,))

To add one: write the function, add the row, add its property to tests/test_initializers.py.
"""

import math


def _auto(random_state, fan_in, fan_out, activation):
    """Draw as scikit-learn does: uniform within sqrt(6 / (fan_in + fan_out)), with 2 for 6 in logistic networks."""
    factor = 2.0 if activation == "logistic" else 6.0
    bound = math.sqrt(factor / (fan_in + fan_out))
    weights = random_state.uniform(-bound, bound, (fan_in, fan_out))
    return weights, random_state.uniform(-bound, bound, fan_out)


INITIALIZERS = {"auto": _auto}
