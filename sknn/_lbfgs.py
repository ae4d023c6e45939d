"""Full-batch training by SciPy's L-BFGS-B over the compiled loss and gradient."""

import time
import warnings

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning

from ._training import Training


class LBFGSTraining(Training):
    """Training by L-BFGS-B; one iteration of it counts as an epoch."""

    def _train(self, n_epochs, tasks, warn):
        estimator = self.estimator
        self._tasks, self._started = tasks, time.perf_counter()
        result = scipy.optimize.minimize(
            self._objective,
            self.session.flat.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=self._after_iteration,
            options={"maxfun": estimator.max_fun, "maxiter": n_epochs, "gtol": estimator.tol},
        )
        estimator.loss_ = self._reported_loss(result.x, result.fun)
        if not (np.isfinite(estimator.loss_) and np.isfinite(self.session.flat).all()):
            self._return_to_last_epoch()
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed: scale "
                "X (and y, in regression), for instance with StandardScaler."
            )
        if warn and result.status == 1:
            warnings.warn(
                f"lbfgs failed to converge after {result.nit} iteration(s) (max_iter={n_epochs}, max_fun={estimator.max_fun}): "
                f"{result.message}. Increase max_iter or max_fun, or scale X.",
                ConvergenceWarning,
                stacklevel=7,
            )

    def _objective(self, x):
        np.copyto(self.session.flat, x, casting="same_kind")
        objective, self._reported, gradient = self.session.loss_and_gradient(self.table, self.train_rows)
        self._evaluated = x.copy()
        return objective, gradient.astype(np.float64)

    def _reported_loss(self, x, objective):
        """Return the loss as scikit-learn reports it, with the weights set to ``x``."""
        if not np.array_equal(x, self._evaluated):
            self._objective(x)
        return float(self._reported)

    def _after_iteration(self, intermediate_result):
        self._tasks.begin()
        loss = self._reported_loss(intermediate_result.x, intermediate_result.fun)
        self._record(loss, *self._validate(), np.nan, self._started)
        self._remember()
        self._started = time.perf_counter()
        reason = self._stall_message() if self.validation_rows is not None else None
        if reason and self.estimator.verbose:
            print(reason, "Stopping.")
        if self._tasks.end() or reason:
            raise StopIteration
