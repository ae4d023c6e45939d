"""Containers that hold numbers, but not as NumPy's arrays."""

import numpy as np
from sklearn import get_config


def refuse_tensors(estimator, **arguments):
    """Raise if an argument is a tensor that scikit-learn's checks would leave as it is.

    They do so with ``array_api_dispatch=True``. Otherwise tensors become NumPy arrays.

    Parameters
    ----------
    estimator : BaseMLP
    **arguments : dict
        Data by the names of their parameters.
    """
    if not get_config()["array_api_dispatch"]:
        return
    for name, value in arguments.items():
        is_array = hasattr(value, "__array_namespace__") or hasattr(value, "__dlpack__")
        if is_array and not isinstance(value, (np.ndarray, np.generic)):
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise TypeError(
                f"{name} of type {kind} cannot be used with array_api_dispatch=True, because "
                f"{type(estimator).__name__} computes with NumPy; convert it to a NumPy array, or "
                "call sklearn.set_config(array_api_dispatch=False), with which tensors in main "
                "memory are converted."
            )


def refuse_lazy_frames(**arguments):
    """Raise a TypeError if an argument is a query of polars, which has no rows before it is run."""
    for name, value in arguments.items():
        is_query = hasattr(value, "collect") and hasattr(value, "collect_schema")
        if is_query and not hasattr(value, "get_columns"):
            raise TypeError(
                f"{name} is a {type(value).__name__}, which has no rows yet. Pass {name}.collect()."
            )
