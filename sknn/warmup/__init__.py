"""Compilation ahead of the first fit, for container images, worker processes and forks."""

import functools
import itertools
import time
import warnings
from collections.abc import Iterable

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._compiled import kinds
from .._compiled.ahead import compile_task
from .._compiled.matmul import product
from .._compiled.progress import compilation_report
from .._compiled.second_process import SecondProcess, can_have_second_process
from .._engine import batch_norm, dropout, entry_points, sparse
from .._engine.structs import Run, make_empty
from .._hyperparameters.training import SOLVERS
from .._runtime.ahead import may_use_two_cores
from .._runtime.core_share import is_second_core_free
from .._runtime.passes import ALL_PASSES
from ..mlp import MLPClassifier, MLPRegressor
from ..parts.activations import ACTIVATIONS
from ..parts.losses import LOSSES, REGRESSION_LOSSES, identity_link
from ..parts.optimizers import OPTIMIZERS
from ..parts.regularizers import REGULARIZERS

CHOICES = {
    "dtypes": ("float32", "float64"),
    "activations": tuple(ACTIVATIONS),
    "losses": tuple(LOSSES),
    "solvers": SOLVERS,
}


def warmup(
    dtypes: str | Iterable[str] = CHOICES["dtypes"],
    *,
    activations: str | Iterable[str] | None = None,
    losses: str | Iterable[str] | None = None,
    solvers: str | Iterable[str] | None = None,
    verbose: bool = False,
) -> None:
    """Compile the kernels that a fit or a prediction may need, and keep them in the compile cache.

    Without it, a fit compiles the kernels that it is the first to use on this machine, which takes
    some seconds the first time. Call it, or run ``python -m sknn.warmup``, when a
    container image is built, before many processes start at once, or before a fork.

    Where a second core is free, a second process compiles half of the kernels, and needs as much
    memory as this one, some 500 MB. With ``SKNN_NUM_THREADS=1`` there is no second process.

    Parameters
    ----------
    dtypes : {'float32', 'float64'} or several of them, default=('float32', 'float64')
        Types of numbers to compile for; see the parameter ``dtype`` of :class:`MLPClassifier`.
    activations : str or list of str, default=None
        Activations of hidden layers to compile. None is all; see the parameter ``activation``.
    losses : str or list of str, default=None
        Losses to compile: 'log_loss' and 'binary_log_loss' of classifiers, for several classes,
        and for two classes or labels, and those of the parameter ``loss`` of
        :class:`MLPRegressor`. None is all.
    solvers : str or list of str, default=None
        Solvers to compile. None is all; see the parameter ``solver``.
    verbose : bool, default=False
        Whether to print each step with the seconds that it takes.

    Raises
    ------
    ValueError
        If a name is not one of these.

    See Also
    --------
    show_versions : Prints the folder of the compile cache.

    Examples
    --------
    >>> import sknn
    >>> sknn.warmup("float64", activations="relu", losses="log_loss", solvers=["adam", "lbfgs"])
    """
    chosen = (
        _checked_names("dtypes", dtypes),
        _checked_names("activations", activations),
        _checked_names("losses", losses),
        _checked_names("solvers", solvers),
    )
    kernels, fits = _steps(*chosen)
    labels = [label for label, _ in (*kernels, *fits)]
    n_done = itertools.count(1)

    def report(number, seconds):
        if verbose:
            progress = f"{next(n_done):3d}/{len(labels)}"
            print(f"{progress}  {labels[number]} ... {seconds:.1f} s", flush=True)

    with compilation_report.during(verbose=False):  # what the steps print is a report of its own
        _compile_kernels([(chosen, number) for number in range(len(kernels))], report)
        for number, (_, fit) in enumerate(fits, len(kernels)):
            report(number, _seconds_of(fit))


def _compile_kernels(steps, report):
    """Compile kernels, half of them by a second process where a core is free for it.

    ``report(number, seconds)`` is called when a step is done.
    """
    left = set(range(len(steps)))

    def mark_done(number, seconds):
        left.remove(number)
        report(number, seconds)

    if may_use_two_cores() and can_have_second_process() and is_second_core_free():
        with SecondProcess(_compile_kernel, steps, is_light=False) as second:
            for number in second.numbers():
                mark_done(number, _compile_kernel(steps[number]))
                for done in second.finished():
                    mark_done(*done)
            for done in second.finished(wait=True):
                mark_done(*done)
    for number in sorted(left):
        mark_done(number, _compile_kernel(steps[number]))


def _compile_kernel(step):
    """Do a step, given as the names that are chosen and its number; return the seconds it took."""
    chosen, number = step
    kernels, _ = _steps(*chosen)
    return _seconds_of(kernels[number][1])


def _seconds_of(function):
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _checked_names(parameter, names):
    """Return the names as a list; all, if they are None."""
    choices = CHOICES[parameter]
    options = ", ".join(map(repr, choices))
    if names is None:
        return list(choices)
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise ValueError(f"{parameter} must name at least one of {options}, or be left out.")
    for name in names:
        if name not in choices:
            raise ValueError(f"{parameter} must be of {options}, got {name!r}.")
    return names


def _steps(dtypes, *names):
    """Return ``(label, function to call)`` for each kernel that is compiled by itself, and the same
    for fits, which compile what little is left then.

    Two processes begin at both ends, and so with different dtypes, which share few functions.
    """
    first, *others = [_steps_of_kernels(np.dtype(dtype), *names) for dtype in dtypes]
    kernels = [*first, *(step for steps in others for step in reversed(steps))]
    fits = [step for dtype in dtypes for step in _steps_of_fits(np.dtype(dtype), *names)]
    return kernels, fits


def _steps_of_kernels(dtype, activations, losses, solvers):
    run = make_empty(Run, dtype)
    entries = [entry_points.evaluate]
    if "lbfgs" in solvers:
        entries.append(entry_points.accumulate)
    if any(solver in OPTIMIZERS for solver in solvers):
        entries.append(entry_points.train)
    tasks = [each.task(run) for each in ALL_PASSES]
    tasks += [task for entry in entries for task in entry_points.tasks_of(entry, run)]
    passes = {
        f"pass {task.name.strip('_')}": functools.partial(compile_task, task) for task in tasks
    }
    parts = {
        f"{kind.name} {name}".rstrip(): functools.partial(kind.address, kernel, dtype)
        for kind, kernels in _kernels(activations, losses, solvers).items()
        for name, kernel in kernels.items()
    }
    return [
        (f"{dtype}  {label}", compile_kernel) for label, compile_kernel in (passes | parts).items()
    ]


def _steps_of_fits(dtype, activations, losses, solvers):
    settings = {"activation": activations[0], "dtype": dtype.name, "random_state": 0}
    fit = functools.partial(_fit, losses[0], **settings)
    steps = []
    stochastic = [solver for solver in solvers if solver in OPTIMIZERS]
    if stochastic:
        whatever = {"batch_norm": True, "dropout": 0.1, "input_dropout": 0.1, "max_grad_norm": 1.0}
        whatever["skip"] = True
        in_minibatches = functools.partial(fit, n_copies=4, solver=stochastic[0], **whatever)
        steps += [
            (f"{dtype}  training in minibatches", in_minibatches),
            # Large layers are computed in halves.
            (
                f"{dtype}  training of large layers",
                functools.partial(fit, 96, n_features=96, solver=stochastic[0]),
            ),
            # A minibatch that is large compared to the network is trained on in shards.
            (
                f"{dtype}  training in shards",
                functools.partial(fit, 600, 50, solver=stochastic[0]),
            ),
        ]
    if "lbfgs" in solvers:
        with_lbfgs = functools.partial(fit, n_copies=4, solver="lbfgs", batch_norm=True)
        steps.append((f"{dtype}  training with lbfgs", with_lbfgs))
    return steps


def _kernels(activations, losses, solvers):
    """Return the kernels that only some fits use, by kind and name."""
    activation_parts = {name: ACTIVATIONS[name] for name in activations}
    loss_parts = {name: LOSSES[name] for name in losses}
    optimizers = {name: OPTIMIZERS[name] for name in solvers if name in OPTIMIZERS}
    links = {f"of {name}": part.link for name, part in loss_parts.items()}
    shrinking = {name: part for name, part in REGULARIZERS.items() if part.shrink is not None}
    return {
        kinds.PRODUCT: {"": product},
        kinds.ACTIVATION: {name: part.forward for name, part in activation_parts.items()},
        kinds.ACTIVATION_BACKWARD: {name: part.backward for name, part in activation_parts.items()},
        kinds.LOSS: {name: part.loss for name, part in loss_parts.items()},
        kinds.LINK: {"to logits": identity_link, **links},
        kinds.OPTIMIZER_STEP: {name: part.step for name, part in optimizers.items()},
        kinds.STEP_SIZES: {name: part.step_sizes for name, part in optimizers.items()},
        kinds.PENALTY: {name: part.penalize for name, part in REGULARIZERS.items()},
        kinds.PROXIMAL_STEP: {name: part.shrink for name, part in shrinking.items()},
        kinds.NORMALIZE: {"": batch_norm.normalize},
        kinds.NORMALIZE_BACKWARD: {"": batch_norm.normalize_backward},
        kinds.DROPOUT: {"": dropout.drop},
        kinds.DROPOUT_IN_PLACE: {"": dropout.drop_in_place},
        kinds.SPARSE_AFFINE: {"": sparse.affine},
        kinds.SPARSE_WEIGHT_GRADIENT: {"": sparse.weight_gradient},
    }


def _fit(loss, n_units=2, n_copies=1, n_features=6, **settings):
    """Fit and predict, which compiles the passes of the engine.

    Parameters
    ----------
    loss : str
        Key of ``LOSSES``. Classifiers have the one that fits the number of classes.
    n_units : int, default=2
        Units of the hidden layer.
    n_copies : int, default=1
        How often each of six rows occurs.
    n_features : int, default=6
    **settings : hyperparameters
    """
    n_classes = 2 if loss == "binary_log_loss" else 3
    y = 1 + np.arange(6) % n_classes
    if loss in REGRESSION_LOSSES:
        network = MLPRegressor(loss, (n_units,), max_iter=1, **settings)
    else:
        network = MLPClassifier((n_units,), max_iter=1, **settings)
    X = np.tile(np.eye(6, n_features), (n_copies, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(X, np.tile(y, n_copies)).predict(X)
