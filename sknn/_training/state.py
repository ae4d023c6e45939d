"""The state of training: what further training needs besides the weights and the record.

A fit works on a copy and hands it over to the estimator when it ends. So a fit that fails leaves
the old state as it was, and shallow copies of an estimator never share a state that is written to.
"""

import copy
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from .._runtime.layout import aligned_copy, make_layout
from .._runtime.reparametrizations import count_values, match_weights
from .optimizer_state import OptimizerState


class TrainingState:
    """What further training needs besides weights and record.

    Parameters
    ----------
    random_state : int, RandomState or None
        The estimator's parameter.

    Attributes
    ----------
    random_state : RandomState
        Generator of starting weights, validation split and shuffling.
    optimizer : OptimizerState or None
        None for 'lbfgs'.
    order : ndarray of int or None
        The last epoch's order of the training rows. The next epoch shuffles it.
    orders_ahead : list of ndarray
        Orders that were drawn for epochs that were then not finished; the next epochs use them.
    split : (ndarray of int, ndarray of int) or None
        Rows to train on and rows to validate on, as ``early_stopping`` has drawn them.
    n_rows_split : int
        Number of rows that they were drawn from.
    split_by : tuple or None
        Descriptions of the ``validation_fraction`` and of the groups by which they were drawn.
    best_weights : ndarray or None
        Flat weights of the epoch with the best validation score. Replaced, never written to.
    last_weights : ndarray or None
        Flat weights of the last epoch, where the estimator has the best ones.
    returned_weights : ndarray or None
        Flat weights that the estimator has instead.
    chosen : (int, ndarray) or None
        Epoch and flat weights that a callback has chosen to end with.
    n_stalled : int
        Epochs in a row without an improvement by ``tol``.
    yardsticks : dict
        What the best score (key True) or the best loss (key False) was measured by. Replaced, never
        written to.
    n_other_scores : int
        Number of first validation scores that were measured by something else.
    counts_on : bool
        Whether the last call went on with the one before, as ``partial_fit`` and fits from
        checkpoints do, so that the schedule went on too.
    weighed : (float, int)
        Mean weight and number of the rows trained on, over the last fit and ``partial_fit`` since.
    is_incremental : bool
        Whether ``partial_fit`` trained last, so that pickles keep this state.
    """

    def __init__(self, random_state):
        self.random_state = check_random_state(random_state)
        # A generator that others draw from is neither copied nor restored.
        self._owns_random_state = isinstance(random_state, Integral)
        self.optimizer = None
        self.order = None
        self.orders_ahead = []
        self.split = None
        self.n_rows_split = 0
        self.split_by = None
        self.best_weights = None
        self.last_weights = None
        self.returned_weights = None
        self.chosen = None
        self.n_stalled = 0
        self.yardsticks = {}
        self.n_other_scores = 0
        self.counts_on = False
        self.weighed = 0.0, 0
        self.is_incremental = False

    @property
    def shares_random_state(self):
        """Whether others draw from the generator too, as it is the user's or NumPy's own."""
        return not self._owns_random_state

    def copy(self):
        """Return a copy that can be trained on while this one stays as it is."""
        twin = copy.copy(self)
        if self._owns_random_state:
            twin.random_state = copy.deepcopy(self.random_state)
        if self.optimizer is not None:
            twin.optimizer = self.optimizer.copy()
        twin.orders_ahead = list(self.orders_ahead)
        return twin

    def to_dict(self):
        """Return the state as plain types, for pickles."""
        optimizer = self.optimizer and dict(vars(self.optimizer))
        return vars(self) | {"optimizer": optimizer}

    @classmethod
    def from_dict(cls, values):
        """Return the state that :meth:`to_dict` has described."""
        state = cls(None)
        vars(state).update(values)
        orders = [state.order] if state.order is not None else []
        for order in (*orders, *state.orders_ahead):
            _check_rows(order, len(order))
        for rows in state.split or ():
            _check_rows(rows, state.n_rows_split)
        if state.optimizer is not None:
            state.optimizer = OptimizerState.from_dict(state.optimizer)
        return state

    # ---- an epoch that may not be finished ------------------------------------------------------

    def checkpoint(self):
        """Return what :meth:`restore` needs to come back to this epoch."""
        optimizer = None if self.optimizer is None else self.optimizer.copy()
        return vars(self) | {"optimizer": optimizer, "drawn": []}

    def restore(self, checkpoint):
        """Take back all changes since the checkpoint; orders drawn since are used again."""
        values = dict(checkpoint)
        drawn = values.pop("drawn")
        optimizer = values.pop("optimizer")
        if optimizer is not None:
            self.optimizer.assign(optimizer)
        vars(self).update(values)
        self.orders_ahead[:0] = drawn
        drawn.clear()

    def next_orders(self, n_epochs, n_rows, shuffler, checkpoint):
        """Return the next epochs' orders of ``n_rows`` training rows, of shape (n_epochs, n_rows).

        Each epoch shuffles the order of the one before, as in scikit-learn.

        Parameters
        ----------
        n_epochs, n_rows : int
        shuffler : Shuffler or None
            Shuffles orders with numbers from ``random_state``.
        checkpoint : dict
            The last checkpoint, which notes the orders in case the epochs are not finished.
        """
        if self.order is None or len(self.order) != n_rows:
            self.order = np.arange(n_rows, dtype=np.int64)
        if shuffler is None:
            return np.broadcast_to(self.order, (n_epochs, n_rows))
        if self.orders_ahead and len(self.orders_ahead[0]) != n_rows:
            self.orders_ahead.clear()
        known = self.orders_ahead[:n_epochs]
        del self.orders_ahead[:n_epochs]
        last = known[-1] if known else self.order
        drawn = shuffler.shuffle_repeatedly(last, n_epochs - len(known))
        orders = np.concatenate([known, drawn]) if known else drawn
        checkpoint["drawn"].extend(orders)
        self.order = orders[-1].copy()  # without the memory of the others
        return orders

    # ---- the beginning of a fit -----------------------------------------------------------------

    def prepare_optimizer(self, settings, flat, architecture):
        """Keep the optimizer if it can go on with these weights, else make a new one.

        Parameters
        ----------
        settings : namespace of constructor parameters
        flat : ndarray
            Flat weights to train.
        architecture : Architecture
        """
        solver = settings.solver
        if solver == "lbfgs":
            self.optimizer = None
            return
        layout = make_layout(architecture)
        n_others = count_values(settings, layout)
        if self.optimizer is None or not self.optimizer.fits(solver, flat, n_others):
            drops = architecture.has_dropout
            seed = int(self.random_state.randint(np.iinfo(np.int32).max)) if drops else 0
            rate = settings.learning_rate_init
            self.optimizer = OptimizerState(solver, flat.size, flat.dtype, rate, seed, n_others)
        match_weights(settings, self.optimizer.states[-1], flat, layout)

    def resumed_weights(self, flat):
        """Return a copy of the flat weights with which training goes on.

        They are the last epoch's if the estimator still has the best ones, ``flat``.
        """
        last = self.last_weights
        returned = self.returned_weights
        self.last_weights = self.returned_weights = self.chosen = None
        if np.shape(last) == flat.shape and np.array_equal(flat, returned):
            return aligned_copy(last.astype(flat.dtype, copy=False))
        return aligned_copy(flat)


def _check_rows(rows, n_rows):
    """Raise if rows are no indices of a table: kernels read whatever they point to."""
    if (
        not isinstance(rows, np.ndarray)
        or rows.dtype.kind not in "iu"
        or rows.ndim != 1
        or (rows.size > 0 and not 0 <= rows.min() <= rows.max() < n_rows)
    ):
        raise ValueError(
            f"_training_state holds {rows!r}, which are no rows of a table of {n_rows}; "
            "remove _training_state to begin training anew, or load an unchanged file."
        )
