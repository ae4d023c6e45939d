"""Full-batch training by SciPy's L-BFGS-B over the compiled loss and gradient."""

import time

import numpy as np
import scipy.optimize

from .._runtime.thread_limits import single_blas_thread
from .._warnings import NonFinitePredictionError, clause
from ..parts.regularizers import penalty_strengths
from .trainer import Training


class LBFGSTraining(Training):
    """Training by L-BFGS-B; one of its iterations counts as an epoch.

    An L1 penalty has no gradient at 0. With one, each weight is split into a positive and a
    negative part, both bounded below by 0.
    """

    def _train(self, n_epochs, callbacks, warn):
        self._callbacks = callbacks
        self._rows = np.arange(self.n_rows) if self.train_rows is None else self.train_rows
        self._l1 = self._l1_strengths()
        self._started = time.perf_counter()
        self._is_stopped = False
        result = self._minimize(n_epochs)
        self.record.loss_ = self._reported_loss(result.x)
        if not (np.isfinite(self.record.loss_) and np.isfinite(self.network.flat).all()):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed: scale X (and y, in regression), for instance "
                "with StandardScaler."
            )
        self.network.set_running_statistics(self.table, self._rows)
        if warn and not result.success and not self._is_stopped:
            self.warnings.append(
                f"lbfgs failed to converge after {result.nit} iteration(s) (max_iter={n_epochs}, "
                f"max_fun={self.estimator.max_fun}): {result.message}. Increase max_iter or "
                "max_fun, or scale X."
            )

    def _minimize(self, n_iterations):
        """Return SciPy's result, whose ``x`` is in float64."""
        start = self.network.flat.astype(np.float64)
        bounds = None
        if self._l1 is not None:
            start = np.concatenate([np.maximum(start, 0), np.maximum(-start, 0)])
            bounds = [(0, None)] * len(start)
        settings = self.network.settings
        options = {"maxfun": settings.max_fun, "maxiter": n_iterations, "gtol": settings.tol}
        with single_blas_thread:
            return scipy.optimize.minimize(
                self._objective,
                start,
                method="L-BFGS-B",
                jac=True,
                bounds=bounds,
                callback=self._end_iteration,
                options=options,
            )

    def _l1_strengths(self):
        """Return the strength of the L1 penalty for each element of the flat vector, or None
        without one.
        """
        layout = self.network.layout
        of_layers = penalty_strengths(
            self.network.settings, layout.n_layers, self.table.mean_weight
        )[:, 0]
        if not of_layers.any():
            return None
        strengths = np.zeros(self.network.flat.size)
        for value, offset in zip(layout.learned, layout.offsets, strict=True):
            if value.is_penalized:
                strengths[offset : offset + value.size] = of_layers[value.layer] / self.n_rows
        return strengths

    def _weights(self, x):
        return x if self._l1 is None else x[: len(x) // 2] - x[len(x) // 2 :]

    def _objective(self, x):
        """Set the weights to ``x``; return the objective and its gradient."""
        with np.errstate(over="ignore"):
            np.copyto(self.network.flat, self._weights(x), casting="same_kind")
        objective, self._reported, gradient = self.network.loss_and_gradient(self.table, self._rows)
        self._evaluated = x.copy()
        gradient = gradient.astype(np.float64)
        if self._l1 is None:
            return objective, gradient
        # The penalty counts both parts, though at the minimum one of them is 0.
        excess = self._l1 @ (x[: len(x) // 2] + x[len(x) // 2 :] - np.abs(self._weights(x)))
        return objective + excess, np.concatenate([self._l1 + gradient, self._l1 - gradient])

    def _reported_loss(self, x):
        """Return the loss as scikit-learn reports it, with the weights set to ``x``."""
        if not np.array_equal(x, self._evaluated):
            self._objective(x)
        return float(self._reported)

    def _evaluate(self):
        """Return loss and score of the validation rows; NaN if there are none, or if predictions
        are not finite: a later iteration may come back from there.
        """
        try:
            return super()._evaluate()
        except NonFinitePredictionError as error:
            if self.record.n_epochs == self._first_epoch:
                raise  # no epoch before shows that the weights are the cause
            self.validation_set.count_undefined(clause(error))
            return np.nan, np.nan

    def _end_iteration(self, intermediate_result):
        """Record an iteration as an epoch; raise StopIteration to stop."""
        self._callbacks.begin_epoch()
        loss = self._reported_loss(intermediate_result.x)
        self.network.set_running_statistics(self.table, self._rows)
        seconds = time.perf_counter() - self._started
        self._record_epoch(loss, *self._evaluate(), np.nan, seconds)
        self.record.publish(self.estimator)
        reason = self._reason_to_stop() if self.stops_early else None
        if reason and self.estimator.verbose:
            print(reason, "Stopping.")
        is_stopped = self._callbacks.end_epoch(is_stopped=reason is not None)
        self._checkpoint()  # with what callbacks have changed
        self._started = time.perf_counter()
        if is_stopped:
            self._is_stopped = True
            raise StopIteration
