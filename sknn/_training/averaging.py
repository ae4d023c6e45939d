"""Networks that are trained side by side on different rows, and averaged after every round."""

import copy

import numpy as np

from .._runtime.layout import flat_vector, make_layout, views
from .._runtime.reparametrizations import set_weights
from .optimizer_state import schedule_of


class AveragedNetworks:
    """Copies of one network, each with rows and random numbers of its own.

    After a round they have the same weights, scales of inputs, running statistics and moments of
    the optimizer: the averages, weighted by the sample weights that each has trained on. Losses are
    averaged like them, and decide whether training has converged. A single network is left as it
    is, so its training is ``partial_fit``, bit for bit.

    Parameters
    ----------
    network : BaseMLP
        Fitted incrementally, for no epoch yet.
    weights : list of float
        Total sample weight of each copy's rows.
    """

    def __init__(self, network, weights):
        self.networks = [copy.deepcopy(network) for _ in weights]
        self._weights = np.array(weights, dtype=np.float64)
        self._n_stalled = 0
        for copied in self.networks:
            copied._training_state.weighed = 0.0, 0  # by rows of its own
        seeds = copy.deepcopy(network._training_state.random_state)
        for number, copied in enumerate(self.networks[1:], start=1):
            state = copied._training_state
            state.random_state = np.random.RandomState(seeds.randint(np.iinfo(np.int32).max))
            state.optimizer.seed += number

    def average(self, trained):
        """Average the networks after a round.

        Parameters
        ----------
        trained : list of BaseMLP or None
            The networks after the round, in order; None for those that are lost, which are left out
            from now on. They are written to.
        """
        survivors = [i for i, network in enumerate(trained) if network is not None]
        last = self.networks[survivors[0]]
        self._weights = self._weights[survivors]
        self.networks = [trained[i] for i in survivors]
        if len(trained) == 1:
            return
        self._average_records(last)
        self._average_values()

    @property
    def has_converged(self):
        """Whether the loss has not improved for more than ``n_iter_no_change`` epochs."""
        network = self.networks[0]
        n_stalled = max(self._n_stalled, network._training_state.n_stalled)
        return n_stalled > network.n_iter_no_change

    def _mean(self, arrays):
        return np.average(np.array(arrays, np.float64), axis=0, weights=self._weights)

    def _average_values(self):
        """Average weights, running statistics, moments and learning rates."""
        layout = make_layout(self.networks[0]._architecture)
        dtype = self.networks[0].coefs_[0].dtype
        optimizers = [network._training_state.optimizer for network in self.networks]
        vectors = [flat_vector(network, layout, dtype) for network in self.networks]
        flat = self._mean(vectors).astype(dtype)
        moments = [
            self._mean(states).astype(dtype)
            for states in zip(*(optimizer.states for optimizer in optimizers), strict=True)
        ]
        # The product of averages is not the average of products, which training would begin with.
        set_weights(self.networks[0], moments[-1], flat, layout)
        rate = float(self._mean([optimizer.learning_rate for optimizer in optimizers]))
        rate = self._lowered_on_plateau(rate)
        for network, optimizer in zip(self.networks, optimizers, strict=True):
            vars(network).update(views(flat.copy(), layout))
            for state, moment in zip(optimizer.states, moments, strict=True):
                np.copyto(state, moment)
            optimizer.learning_rate = rate
            network._training_state.n_stalled = 0  # the averaged losses are counted here instead

    def _lowered_on_plateau(self, rate):
        """Return the learning rate, lowered if the loss has stalled and the schedule does so."""
        network = self.networks[0]
        if self._n_stalled > network.n_iter_no_change:
            lowered = schedule_of(network).on_plateau(network, rate)
            if lowered is not None:
                self._n_stalled = 0
                return lowered
        return rate

    def _average_records(self, last):
        """Average the losses of the round's epochs, and count all rows.

        Parameters
        ----------
        last : BaseMLP
            A network before the round.
        """
        first = self.networks[0]
        n_before = len(last.loss_curve_)
        losses = self._mean([network.loss_curve_[n_before:] for network in self.networks])
        seconds = np.max([n.history_["seconds"][n_before:] for n in self.networks], axis=0)
        record = {"best_loss_": last.best_loss_, "best_iter_": last.best_iter_}
        for epoch, loss in enumerate(losses, start=n_before + 1):
            is_stalled = loss > record["best_loss_"] - first.tol
            self._n_stalled = self._n_stalled + 1 if is_stalled else 0
            if loss < record["best_loss_"]:
                record = {"best_loss_": float(loss), "best_iter_": epoch}
        curve = last.loss_curve_ + losses.tolist()
        n_rows = sum(network.t_ - last.t_ for network in self.networks)
        record |= {"loss_": curve[-1], "t_": last.t_ + n_rows}
        for network in self.networks:
            history = network.history_
            history |= {
                "loss": list(curve),
                "seconds": last.history_["seconds"] + seconds.tolist(),
            }
            vars(network).update(record | {"loss_curve_": list(curve), "history_": history})


def merge_new_networks(networks, moments):
    """Return the first network, with what it predicts by from all rows.

    Parameters
    ----------
    networks : list of BaseMLP
        One for each part of the rows, trained for no epoch.
    moments : list of (float, ndarray, ndarray)
        Total weight, and mean and variance of the targets, of each part.
    """
    first = networks[0]
    if len(networks) > 1 and getattr(first, "normalize_y", False):
        first.y_mean_, variance = _merge_moments(moments)
        first.y_scale_ = np.where(variance > 0, np.sqrt(variance), 1.0)
    if getattr(first, "clip_output", False):
        first.y_min_ = np.min([network.y_min_ for network in networks], axis=0)
        first.y_max_ = np.max([network.y_max_ for network in networks], axis=0)
    return first


def _merge_moments(moments):
    """Return mean and variance of all rows, from those of parts of them."""
    weights, means, variances = (np.array(values) for values in zip(*moments, strict=True))
    mean = np.average(means, axis=0, weights=weights)
    return mean, np.average(variances + (means - mean) ** 2, axis=0, weights=weights)
