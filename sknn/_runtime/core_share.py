"""Whether threads get the cores that they want, or share them with others.

The threads of other libraries may go on for a while after their work, waiting for more in a loop.
A thread beside them gets only part of its core's time, and all others wait for it.
"""

import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_WHOLE = 0.75  # of a core's time, at least, is as good as all of it
_LEAST_SECONDS = 0.005  # below, the time until helpers have started counts too much
_LOOK_SECONDS = 0.01  # several turns of the system, which gives the first one to a new thread
_TRIES = 5
_OF_A_THREAD = 6  # Linux: the processor time of one thread, in the lowest bits of a clock's number


def thread_seconds(thread):
    """Return the processor time that a thread has used, or NaN where that is unknown.

    Parameters
    ----------
    thread : int
        The system's number of the thread.
    """
    try:
        return time.clock_gettime(~thread << 3 | _OF_A_THREAD)
    except (AttributeError, OSError):  # another system, or the thread has ended
        return math.nan


def got_their_cores(n_threads, used, seconds):
    """Return whether ``n_threads`` that were busy for so many seconds had a core each.

    ``used`` is the processor time of all of them. Where it says nothing, they are thought to.
    """
    return not (seconds >= _LEAST_SECONDS and used < _WHOLE * n_threads * seconds)


def is_core_free():
    """Work for some milliseconds, and return whether that got all of a core's time."""
    values = np.arange(20_000)[::-1]
    started = time.perf_counter()
    used = time.thread_time()
    seconds = 0.0
    while seconds < _LOOK_SECONDS:
        np.sort(values)  # other threads of Python may run meanwhile
        seconds = time.perf_counter() - started
    return time.thread_time() - used >= _WHOLE * seconds


def is_second_core_free():
    """Work with two threads for some milliseconds, and return whether each got a core's time.

    Whatever else the system does may take one of the cores at any moment, so there are some tries.
    """
    try:
        with ThreadPoolExecutor(1) as helper:
            for _ in range(_TRIES):
                other = helper.submit(is_core_free)
                if is_core_free() & other.result():
                    return True
    except RuntimeError:  # there can be no more threads
        return False
    return False
