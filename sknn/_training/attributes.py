"""An estimator's attributes as a whole: copied, pickled, and restored when a fit fails."""

import contextlib
import copy
import sys

import numpy as np
from sklearn.exceptions import InconsistentVersionWarning

from .._runtime.architecture import Architecture
from .._runtime.layout import (
    check_flat_vector,
    common_base,
    flat_vector,
    has_shapes_of,
    make_layout,
    views,
    weights_dtype,
)
from .._warnings import warn_user
from .callbacks import FIT_ATTRIBUTES
from .state import TrainingState


def installed_version():
    """Return the version of this package."""
    return sys.modules[__package__.partition(".")[0]].__version__


def _warn_about_version(name, version):
    """Warn if a pickle comes from another version, as scikit-learn does for its own estimators."""
    if version != installed_version():
        warning = InconsistentVersionWarning(
            estimator_name=name,
            current_sklearn_version=f"sknn {installed_version()}",
            original_sklearn_version=f"sknn {version}",
        )
        warn_user(warning)


class AttributesMixin:
    """Mixin for estimators whose weights are views of one flat vector, and whose
    ``_training_state`` is a :class:`TrainingState`.

    Copies keep all that training goes on with. Pickles keep it only where training is meant to go
    on, since it takes several times the memory of the weights.
    """

    def __copy__(self):
        """Return a copy with the same arrays; training never writes to them."""
        twin = type(self).__new__(type(self))
        vars(twin).update(
            {name: value for name, value in vars(self).items() if name not in FIT_ATTRIBUTES}
        )
        return twin

    def __deepcopy__(self, memo):
        twin = copy.copy(self)
        memo[id(self)] = twin
        vars(twin).update(copy.deepcopy(vars(twin), memo))
        twin._gather_weights()
        return twin

    def __getstate__(self):
        """Return what is pickled: the training state only if training is meant to go on."""
        attributes = {
            name: value
            for name, value in super().__getstate__().items()
            if name not in FIT_ATTRIBUTES
        }
        state = attributes.pop("_training_state", None)
        if state is not None and (self.warm_start or state.is_incremental):
            attributes["_training_state"] = state.to_dict()
        if "_architecture" in attributes:
            attributes["_architecture"] = self._architecture.to_dict()
            self._put_flat_vector(attributes)
        return attributes | {"_sknn_version": installed_version()}

    def _put_flat_vector(self, attributes):
        """Replace the weights among the attributes by the flat vector that they are views of.

        As one array, they are used where a file that is mapped into memory has them. Weights that
        a user has assigned stay as they are.
        """
        layout = make_layout(self._architecture)
        flat = common_base(self, layout, weights_dtype(self))
        if flat is not None:
            attributes["_flat_vector"] = flat
            for name in views(flat, layout):
                del attributes[name]

    def __setstate__(self, attributes):
        attributes = dict(attributes)
        _warn_about_version(type(self).__name__, attributes.pop("_sknn_version", "unknown"))
        defaults = self._constructor_parameters()  # a pickle may lack parameters that are new
        attributes = {name: parameter.default for name, parameter in defaults.items()} | attributes
        super().__setstate__(attributes)
        if "_training_state" in attributes:
            self._training_state = TrainingState.from_dict(attributes["_training_state"])
        if "_architecture" in attributes:
            self._architecture = Architecture.from_dict(attributes["_architecture"])
            if "_flat_vector" in attributes:
                layout = make_layout(self._architecture)
                flat = check_flat_vector(vars(self).pop("_flat_vector"), layout)
                vars(self).update(views(flat, layout))
        self._gather_weights()

    def _gather_weights(self):
        """Make the weights views of one flat vector again; copied arrays come one by one.

        In a copy made during a refit they may be the old ones, of other shapes.
        """
        architecture = vars(self).get("_architecture")
        if architecture is not None and has_shapes_of(self, architecture):
            layout = make_layout(architecture)
            vars(self).update(views(flat_vector(self, layout, weights_dtype(self)), layout))

    def __getattr__(self, name):
        """Raise AttributeError, which says so if the estimator is not fitted yet."""
        if name.endswith("_") and not name.startswith("_") and "coefs_" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}. This "
                f"{type(self).__name__} is not fitted yet, and fit sets attributes that end with "
                "'_'."
            )
        return object.__getattribute__(self, name)

    @property
    def embedding_edges_(self):
        """Edges of the bins of each feature; only when numeric_embedding='piecewise_linear'."""
        architecture = vars(self).get("_architecture")
        if architecture is None or architecture.numeric_embedding != "piecewise_linear":
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute 'embedding_edges_'. Networks "
                "that were fitted with numeric_embedding='piecewise_linear' have it."
            )
        edges = dict(architecture.bins)
        return [np.array(edges.get(i, ()), float) for i in range(architecture.n_features)]

    # Names that scikit-learn's networks have for these, and that its tests look at.

    @property
    def _optimizer(self):
        return self._training_state.optimizer

    @property
    def _no_improvement_count(self):
        return self._training_state.n_stalled

    @property
    def _split_kept(self):
        """Rows to train on and rows held back by early stopping, or None."""
        return self._training_state.split

    @contextlib.contextmanager
    def _unchanged_on_error(self):
        """Restore every attribute if the block fails.

        Neither an interrupt nor a warning that a filter turns into an error is a failure, if
        training has handed over its last finished epoch.
        """
        before = dict(vars(self))
        try:
            yield
        except BaseException as error:
            state = vars(self).get("_training_state")
            is_handed_over = state is not before.get("_training_state")
            if not (is_handed_over and isinstance(error, (KeyboardInterrupt, Warning))):
                # scikit-learn's teardown of callbacks still needs its own attributes.
                kept = {name: value for name, value in vars(self).items() if name in FIT_ATTRIBUTES}
                vars(self).clear()
                vars(self).update(before | kept)
            raise
