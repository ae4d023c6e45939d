"""An estimator's attributes as a whole: copied, pickled, and restored when a fit fails."""

import contextlib
import copy

from .._runtime.architecture import Architecture
from .._runtime.layout import flat_vector, has_shapes_of, make_layout, views, weights_dtype
from .callbacks import FIT_ATTRIBUTES
from .state import TrainingState


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
        return attributes

    def __setstate__(self, attributes):
        super().__setstate__(attributes)
        if "_training_state" in attributes:
            self._training_state = TrainingState.from_dict(attributes["_training_state"])
        if "_architecture" in attributes:
            self._architecture = Architecture.from_dict(attributes["_architecture"])
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
        """Raise the error about an attribute that there is not; before ``fit``, say so."""
        if name.endswith("_") and not name.startswith("_") and "coefs_" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}. This "
                f"{type(self).__name__} is not fitted yet, and fit sets attributes that end with "
                "'_'."
            )
        return object.__getattribute__(self, name)

    # Names that scikit-learn's networks have for these, and that its tests look at.

    @property
    def _optimizer(self):
        return self._training_state.optimizer

    @property
    def _no_improvement_count(self):
        return self._training_state.n_stalled

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
