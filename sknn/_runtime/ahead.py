"""Compilation ahead of a process' first fit in a dtype, by two processes at once."""

from .._compiled.ahead import compile_together, is_missing, task_of_part
from .._compiled.kinds import LOSS, OPTIMIZER_STEP, PENALTY, PRODUCT
from .._compiled.matmul import product
from .._engine import entry_points
from .._engine.structs import Run, make_empty
from ..parts.optimizers import OPTIMIZERS
from ..parts.regularizers import regularizer_part
from .core_share import is_second_core_free
from .passes import Uses, passes_of
from .reparametrizations import find_reparametrization
from .thread_limits import library_limit
from .threads import thread_pool, usable_cores

_dtypes = set()  # in which a fit has begun


def compile_ahead(architecture, layout, settings, dtype):
    """Compile most of what a fit needs, if it is the first one in a dtype and another core is free.

    Whatever is left out here is compiled when it is needed.

    Parameters
    ----------
    architecture : Architecture
    layout : Layout
    settings : namespace of constructor parameters
    dtype : numpy.dtype
    """
    if dtype in _dtypes:
        return
    _dtypes.add(dtype)
    # All fits need the matrix product: if it is in the cache, so is most of the rest.
    if may_use_two_cores() and is_missing(task_of_part(PRODUCT, product, dtype)):
        compile_together(_tasks(architecture, layout, settings, dtype), is_second_core_free)


def may_use_two_cores():
    """Return whether another process is within the limits on threads."""
    return min(usable_cores(), library_limit()) // (thread_pool.n_fits + 1) >= 2


def _tasks(architecture, layout, settings, dtype):
    """Return the kernels to compile, those that take the longest first and last.

    This process begins with the first, another one with the last. Later fits of this one, with
    other solvers, need the functions that the update of weights consists of.
    """
    run = make_empty(Run, dtype)
    uses_lbfgs = settings.solver == "lbfgs"
    clips = uses_lbfgs or settings.max_grad_norm is not None
    uses = Uses(True, not uses_lbfgs, clips, False, find_reparametrization(settings))
    passes = passes_of(architecture, layout, uses)
    entry, *jobs = entry_points.tasks_of(
        entry_points.accumulate if uses_lbfgs else entry_points.train, run
    )
    forward = passes.pop("forward")
    tasks = [
        *[each.task(run) for each in passes.values()],
        task_of_part(PRODUCT, product, dtype),
        task_of_part(LOSS, architecture.loss_part.loss, dtype),
        *jobs,
        task_of_part(PENALTY, regularizer_part(settings).penalize, dtype),
    ]
    if not uses_lbfgs:
        tasks.append(task_of_part(OPTIMIZER_STEP, OPTIMIZERS[settings.solver].step, dtype))
    return [*tasks, entry, forward.task(run)]
