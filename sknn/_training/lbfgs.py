"""Full-batch training by SciPy's L-BFGS-B over the compiled loss and gradient."""

import time
import warnings

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning

from .._runtime.layout import COEFS, views
from .blas import single_blas_thread
from .trainer import Training


class LBFGSTraining(Training):
    """Training by L-BFGS-B; one iteration of it counts as an epoch.

    An L1 penalty has no gradient at 0, so each weight is then split into a positive and a negative
    part, both bounded below by 0.
    """

    def _train(self, n_epochs, tasks, warn):
        estimator = self.estimator
        self._tasks = tasks
        self._started = time.perf_counter()
        self._rows = np.arange(self.n_rows) if self.train_rows is None else self.train_rows
        self._l1 = self._l1_strengths()
        start = self.session.flat.astype(np.float64)
        options = {"maxfun": estimator.max_fun, "maxiter": n_epochs, "gtol": estimator.tol}
        bounds = None
        if self._l1 is not None:
            start = np.concatenate([np.maximum(start, 0), np.maximum(-start, 0)])
            bounds = [(0, None)] * len(start)
        with single_blas_thread:
            result = scipy.optimize.minimize(
                self._objective,
                start,
                method="L-BFGS-B",
                jac=True,
                bounds=bounds,
                callback=self._after_iteration,
                options=options,
            )
        estimator.loss_ = self._reported_loss(result.x)
        if not (np.isfinite(estimator.loss_) and np.isfinite(self.session.flat).all()):
            self._return_to_last_epoch()
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed: scale "
                "X (and y, in regression), for instance with StandardScaler."
            )
        self.session.settle_statistics(self.table, self._rows)
        if warn and result.status == 1:
            warnings.warn(
                f"lbfgs failed to converge after {result.nit} iteration(s) (max_iter={n_epochs}, max_fun={estimator.max_fun}): "
                f"{result.message}. Increase max_iter or max_fun, or scale X.",
                ConvergenceWarning,
                stacklevel=7,
            )

    def _l1_strengths(self):
        """Return the L1 penalty's strength for every element of the flat vector, or None without
        one.
        """
        strength = (
            self.estimator.alpha * self.estimator.l1_ratio / self.table.mean_weight / self.n_rows
        )
        if strength == 0:
            return None
        strengths = np.zeros(self.session.flat.size)
        for coef in views(strengths, self.session.layout)[COEFS]:
            coef[...] = strength
        return strengths

    def _weights(self, x):
        return x if self._l1 is None else x[: len(x) // 2] - x[len(x) // 2 :]

    def _objective(self, x):
        with np.errstate(over="ignore"):
            np.copyto(self.session.flat, self._weights(x), casting="same_kind")
        objective, self._reported, gradient = self.session.loss_and_gradient(self.table, self._rows)
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

    def _after_iteration(self, intermediate_result):
        self._tasks.begin()
        loss = self._reported_loss(intermediate_result.x)
        self.session.settle_statistics(self.table, self._rows)
        self._record(loss, *self._validate(), np.nan, time.perf_counter() - self._started)
        self._remember()
        self._started = time.perf_counter()
        reason = self._stall_message() if self.estimator.early_stopping else None
        if reason and self.estimator.verbose:
            print(reason, "Stopping.")
        if self._tasks.end() or reason:
            raise StopIteration
