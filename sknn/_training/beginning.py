"""From checked samples to a training that is ready to run."""

from .._runtime.compiled_network import CompiledNetwork
from .._validation.parameters import stops_early
from .lbfgs import LBFGSTraining
from .stochastic import StochasticTraining


class BeginningMixin:
    """Mixin for estimators that have a ``_start`` and make tables."""

    def _make_training(
        self,
        architecture,
        settings,
        samples,
        validation=None,
        groups=None,
        *,
        dtype,
        fresh,
        counts_on=False,
        incremental=False,
    ):
        """Return the :class:`Training` of these samples, ready to run.

        Parameters
        ----------
        architecture : Architecture
        settings : SimpleNamespace
            Constructor parameters.
        samples : Samples
        validation : Samples or None, default=None
        groups : array-like or None, default=None
            As given by the user.
        dtype : numpy.dtype
            Of the weights.
        fresh, counts_on : bool
            As for :meth:`_start`.
        incremental : bool, default=False
            As for :meth:`_fit`.
        """
        watches_score = stops_early(self, validation)
        flat, record, state = self._start(architecture, dtype, fresh, counts_on, watches_score)
        state.is_incremental = incremental
        state.prepare_optimizer(settings, flat, architecture)
        tables = self._make_tables(samples, validation, groups, state, dtype, fresh)
        network = CompiledNetwork(flat, architecture, settings)
        kind = LBFGSTraining if self.solver == "lbfgs" else StochasticTraining
        return kind(self, network, record, state, *tables)
