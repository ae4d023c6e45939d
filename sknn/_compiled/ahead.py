"""Compilation of several kernels at once, before the first of them is needed.

A second process helps with it, see :mod:`second_process`. That pays for a fit that is the first one
for a dtype, which needs a dozen kernels. Later ones lack one or two, and would have compiled them
before another process has started.
"""

from importlib import import_module
from typing import NamedTuple

import numba

from .cache import python_function
from .jit import compile_kernel, keep_on_disk, root
from .progress import compilation_report
from .second_process import SecondProcess, can_have_second_process

_LEAST_KERNELS = 4  # that are worth a process


class Task(NamedTuple):
    """A kernel to compile, by the name that it has in every process."""

    module: str
    name: str
    is_root: bool  # whether it is called by address
    types: tuple  # of its arguments


def task_by_address(kind, kernel, *arguments):
    """Return the task for a kernel that takes NamedTuples and is called by address."""
    return _make_task(kernel, True, kind.types_of(*arguments))


def task_of_part(kind, kernel, dtype):
    """Return the task for a kernel that takes vectors and numbers and is called by address."""
    return _make_task(kernel, True, kind.numba_types(dtype))


def task_from_python(kernel, *arguments):
    """Return the task for a kernel that is called from Python."""
    return _make_task(kernel, False, tuple(map(numba.typeof, arguments)))


def _make_task(kernel, is_root, types):
    """Return the task, or None for a kernel that other processes would not find, as a closure."""
    function = python_function(kernel)
    task = Task(function.__module__, function.__name__, is_root, types)
    return task if _find(task) is kernel else None


def _find(task):
    return getattr(import_module(task.module), task.name, None)


def compile_together(tasks, is_core_free):
    """Compile what is missing in the cache, with the help of a second process.

    Nothing is done if few kernels are missing, if there can be no second process, or no core is
    free for it.

    Parameters
    ----------
    tasks : list of Task or None
        Those that take the longest first and last. None is left out.
    is_core_free : function
        Tells whether one is, which takes some milliseconds; called if there is enough to do.
    """
    missing = [task for task in tasks if task is not None and is_missing(task)]
    if len(missing) < _LEAST_KERNELS or not can_have_second_process() or not is_core_free():
        return
    with compilation_report.compiling(), SecondProcess(compile_task, missing) as second:
        for number in second.numbers():
            compile_task(missing[number])
        for _ in second.finished(wait=True):
            compilation_report.add_kernel()


def compile_task(task):
    """Compile a kernel, or load it."""
    compile_kernel(_dispatcher(task), task.types)


def _dispatcher(task):
    return root(_find(task)) if task.is_root else _find(task)


def is_missing(task):
    """Return whether a kernel is neither compiled nor in the cache."""
    dispatcher = _dispatcher(task)
    if task.types in dispatcher.overloads:
        return False
    keep_on_disk(dispatcher)
    return not dispatcher._cache.holds(task.types, dispatcher.targetctx)
