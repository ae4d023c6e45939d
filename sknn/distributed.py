"""Data-parallel training on a Dask cluster.

Every worker trains a copy of the network on the rows that it keeps, for some epochs. Then what is
learned is averaged (local SGD). Workers send and receive networks, never rows.
"""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from ._training import partitions as on_workers
from ._training.averaging import AveragedNetworks, merge_new_networks
from ._validation.parameters import calibrates, check_parameters, stops_early, warn_of_no_effect
from ._warnings import clause, warn_user
from .mlp import MLPClassifier, MLPRegressor


class ClusterLostError(RuntimeError):
    """Training has lost Dask's scheduler, or all rows to train on.

    Attributes
    ----------
    estimator : MLPClassifier, MLPRegressor or None
        The network after the last complete round, fitted. None if there was none.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_digits
    >>> from sknn import MLPClassifier
    >>> from sknn.distributed import ClusterLostError, fit_dask
    >>> X, y = (da.from_array(array, chunks=600) for array in load_digits(return_X_y=True))
    >>> with Client(processes=False, n_workers=2, dashboard_address=":0") as client:
    ...     try:
    ...         clf = fit_dask(MLPClassifier(random_state=0, tol=0.01), X / 16, y)
    ...     except ClusterLostError as error:
    ...         clf = error.estimator  # what was learned before
    >>> clf.classes_.size
    10
    """

    def __init__(self, message, estimator):
        super().__init__(message)
        self.estimator = estimator


def fit_dask(estimator, X, y, *, client=None, sample_weight=None, rounds=None, local_epochs=1):
    """Train a network on the workers of a Dask cluster, each on its own part of the rows.

    The partitions are dealt out to the workers in order; the same ``random_state`` and number of
    workers give the same result. One worker with one partition gives that of ``fit``, bit for bit
    (with ``batch_norm``, if ``batch_size`` is at least 32). If a worker is lost, another one
    computes its partitions again; if none can, training warns and goes on without them. With
    ``numeric_embedding``, the first worker's rows decide the embedded columns and edges of bins.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Network to train. It stays as it is. ``early_stopping``, ``solver='lbfgs'`` and callbacks
        are not available.
    X : dask Array or DataFrame of shape (n_samples, n_features)
        Training samples.
    y : dask Array, Series or DataFrame of shape (n_samples,) or (n_samples, n_outputs)
        Targets, in as many partitions as ``X``.
    client : distributed.Client, default=None
        Connection to the cluster. None is the most recent one.
    sample_weight : dask Array or Series of shape (n_samples,), default=None
        Sample weights, in as many partitions as ``X``. Multiplied by ``class_weight``, they also
        weigh the workers' networks when these are averaged.
    rounds : int, default=None
        Maximum number of rounds. None is ``max_iter`` epochs. Training stops earlier if the loss
        does not improve by ``tol`` for ``n_iter_no_change`` rounds.
    local_epochs : int, default=1
        Epochs that every worker trains between two averages.

    Returns
    -------
    fitted : MLPClassifier or MLPRegressor
        A fitted clone of ``estimator``.

    Raises
    ------
    ValueError
        If a parameter is invalid, the partitions do not match, or all weights are 0.
    TypeError
        If ``estimator`` is not a network, or X or y is not a Dask collection.
    ClusterLostError
        If the scheduler or all rows are lost. The error has the network of the last round.

    References
    ----------
    Stich, "Local SGD converges fast and communicates little", 2018, arXiv:1805.09767.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_digits
    >>> from sknn import MLPClassifier
    >>> from sknn.distributed import fit_dask
    >>> X, y = (da.from_array(array, chunks=600) for array in load_digits(return_X_y=True))
    >>> with Client(processes=False, n_workers=2, dashboard_address=":0") as client:
    ...     clf = fit_dask(MLPClassifier(random_state=0, tol=0.01), X / 16, y)
    >>> round(clf.score(X / 16, y), 1)
    1.0
    """
    rounds = _check_rounds(estimator, rounds, local_epochs)
    client = _connected(client)
    partitions = _partitions(X, y, sample_weight)
    network = clone(estimator)
    if network.random_state is None:
        network.random_state = check_random_state(None).randint(np.iinfo(np.int32).max)
    groups = _Groups(client, partitions)
    averaged = AveragedNetworks(*_make_network(network, groups))
    for _ in range(rounds):
        try:
            averaged.average(groups.run(on_workers.train, averaged.networks, local_epochs))
        except groups.lost_errors as error:
            last = averaged.networks[0]
            raise ClusterLostError(
                f"lost the cluster in training: {clause(error)}. This error's attribute "
                "`estimator` is the network after the last complete round.",
                last if last.n_iter_ > 0 else None,
            ) from error
        if averaged.has_converged:
            break
    else:
        warn_user(
            f"Stochastic Optimizer: Maximum rounds ({rounds}) reached and the optimization hasn't "
            "converged yet.",
            ConvergenceWarning,
        )
    return averaged.networks[0]


# ---- arguments ---------------------------------------------------------------------------------


def _connected(client):
    """Return the client that was given, or the one that was made last."""
    try:
        from distributed import get_client  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            'fit_dask requires dask; install it with `pip install "dask[complete]"`.'
        ) from error
    return get_client() if client is None else client


def _check_rounds(estimator, rounds, local_epochs):
    """Return the number of rounds, after checking it and the estimator with its parameters."""
    if not isinstance(estimator, (MLPClassifier, MLPRegressor)):
        raise TypeError(
            f"estimator must be an MLPClassifier or MLPRegressor of sknn, got {estimator!r}; "
            "transform X with dask first, and give the last step of a Pipeline."
        )
    estimator._validate_params()
    check_parameters(estimator)
    warn_of_no_effect(estimator, has_X_val=False)
    callbacks = [type(callback).__name__ for callback in vars(estimator).get("_skl_callbacks", ())]
    if callbacks:
        raise ValueError(
            f"fit_dask does not support callbacks, got {callbacks}; remove them with "
            "estimator.set_callbacks()."
        )
    for name, value in {"rounds": rounds, "local_epochs": local_epochs}.items():
        is_count = isinstance(value, Integral) and not isinstance(value, bool) and value > 0
        if not is_count and (name, value) != ("rounds", None):
            raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    if stops_early(estimator, None):
        raise ValueError("fit_dask does not support early_stopping=True; set rounds instead.")
    if calibrates(estimator):
        raise ValueError(
            "fit_dask does not support calibrate=True; set calibrate=False. CalibratedClassifierCV("
            "FrozenEstimator(...), method='temperature') calibrates a classifier afterwards."
        )
    if estimator.solver == "lbfgs":
        raise ValueError("fit_dask does not support solver='lbfgs'; choose another solver.")
    return -(-estimator.max_iter // local_epochs) if rounds is None else rounds


def _partitions(X, y, sample_weight):
    """Return a list of ``(X, y, sample_weight)``, delayed, for each partition."""
    from dask import delayed  # noqa: PLC0415

    X_blocks = _blocks("X", X)
    y_blocks = _blocks("y", y)
    weights = [delayed(None)] * len(X_blocks)
    if sample_weight is not None:
        weights = _blocks("sample_weight", sample_weight)
    if not len(X_blocks) == len(y_blocks) == len(weights):
        raise ValueError(
            f"X, y and sample_weight must have the same partitions, got {len(X_blocks)}, "
            f"{len(y_blocks)} and {len(weights)}; rechunk or repartition them."
        )
    return list(zip(X_blocks, y_blocks, weights, strict=True))


def _blocks(name, collection):
    """Return the partitions of a collection, by rows, as a list of delayed objects."""
    if not hasattr(collection, "to_delayed"):
        raise TypeError(
            f"{name} must be a dask Array or DataFrame, got {type(collection).__name__}; "
            "make one with dask.array.from_array, or call fit."
        )
    if getattr(collection, "ndim", 1) == 2 and hasattr(collection, "rechunk"):
        collection = collection.rechunk({1: -1})
    return list(np.ravel(collection.to_delayed()))


# ---- on the client -----------------------------------------------------------------------------


class _Groups:
    """Groups of partitions, one for each worker, whose rows stay there.

    Parameters
    ----------
    client : distributed.Client
    partitions : list of (X, y, sample_weight)
        They are dealt out in order, so that results do not depend on where they were before.
    """

    def __init__(self, client, partitions):
        from distributed import CancelledError, KilledWorker  # noqa: PLC0415
        from distributed.comm import CommClosedError  # noqa: PLC0415

        self._client = client
        self._errors_of_rows = CancelledError, KilledWorker
        self.lost_errors = CancelledError, CommClosedError, OSError, TimeoutError, _RowsLostError
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise ValueError("the client's cluster has no workers; start some with cluster.scale.")
        bounds = np.linspace(0, len(partitions), min(len(workers), len(partitions)) + 1)
        self._rows = [
            self._join(partitions[int(start) : int(stop)], worker)
            for start, stop, worker in zip(bounds[:-1], bounds[1:], workers, strict=False)
        ]

    @property
    def size(self):
        """Number of groups."""
        return len(self._rows)

    def _join(self, partitions, worker):
        """Return the future rows of a group. They may move if their worker is lost."""
        from dask import delayed  # noqa: PLC0415

        rows = delayed(on_workers.join)(*(list(blocks) for blocks in zip(*partitions, strict=True)))
        return self._client.compute(rows, workers=[worker], allow_other_workers=True)

    def keep(self, is_kept):
        """Leave groups out that have nothing to train on: no rows, or only rows of weight 0.

        Parameters
        ----------
        is_kept : list of bool
        """
        if not any(is_kept):
            raise ValueError(
                "X, y, sample_weight and class_weight must leave at least one row with a positive "
                "weight, got none."
            )
        self._rows = [rows for rows, kept in zip(self._rows, is_kept, strict=True) if kept]

    def run(self, function, networks=None, *arguments):
        """Return the results of ``function(rows, network, *arguments)``, one for each group.

        They are None for groups that are lost, which are left out from now on.
        """
        networks = [None] * len(self._rows) if networks is None else networks
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")  # a network at a time
            futures = [
                self._client.submit(function, rows, network, *arguments, pure=False)
                for rows, network in zip(self._rows, networks, strict=True)
            ]
        results = [self._result(future) for future in futures]
        kept = [
            rows for rows, result in zip(self._rows, results, strict=True) if result is not None
        ]
        if len(kept) < len(results):
            self._report_lost(len(results) - len(kept), len(results))
        self._rows = kept
        return results

    def _result(self, future):
        try:
            return future.result()
        except self._errors_of_rows:
            if self._client.status != "running":
                raise
            return None

    def _report_lost(self, n_lost, n_groups):
        if n_lost == n_groups:
            raise _RowsLostError("the rows of all workers are lost and cannot be computed again")
        warn_user(
            f"The rows of {n_lost} of {n_groups} workers are lost and cannot be computed again; "
            "training goes on without them.",
            RuntimeWarning,
        )


class _RowsLostError(RuntimeError):
    pass


def _make_network(network, groups):
    """Return the network to start with, trained for no epoch, and the groups' total weights."""
    if is_classifier(network):
        found = groups.run(on_workers.find_classes)
        present = [classes for classes in found if classes is not None and len(classes) > 0]
        network.classes_ = np.unique(np.concatenate(present or [[]]))
    moments = _surviving(groups.run(on_workers.compute_moments, [network] * groups.size))
    groups.keep([weight > 0 for weight, *_ in moments])
    moments = [of_group for of_group in moments if of_group[0] > 0]
    made = groups.run(on_workers.initialize, [network] * groups.size)
    moments = [moments[i] for i, result in enumerate(made) if result is not None]
    return merge_new_networks(_surviving(made), moments), [weight for weight, *_ in moments]


def _surviving(results):
    """Return the results of the groups that are not lost."""
    return [result for result in results if result is not None]
