"""How many threads to use for a chunk, found out by measuring how long chunks take."""

import numpy as np

_SLOW = 1.4  # times the shortest time of a chunk so far: others want the cores
_TRIAL_INTERVAL = 16  # chunks at least between two trials
_CHECK_INTERVAL = 64  # chunks between two trials where nothing has become slower


class _ChunkTimes:
    """Seconds per row of the chunks of one fit, by the number of threads.

    Parameters
    ----------
    most : int
        The largest number of threads.
    """

    def __init__(self, most):
        self._most = most
        self._latest = {1: np.inf, most: np.inf}
        self._shortest = np.inf  # with all threads
        self._n_slow = 0  # chunks in a row, with all threads
        self._most_rows = 0

    def add(self, n_threads, seconds, n_rows):
        """Take a chunk into account; return whether it was long enough to tell anything."""
        if 2 * n_rows < self._most_rows:
            return False
        self._most_rows = max(n_rows, self._most_rows)
        self._latest[n_threads] = seconds / n_rows
        if n_threads == self._most:
            self._shortest = min(self._shortest, self._latest[n_threads])
            is_slow = self._latest[n_threads] > _SLOW * self._shortest
            self._n_slow = self._n_slow + 1 if is_slow else 0
        return True

    @property
    def are_slow(self):
        """Whether chunks keep taking much longer than the fastest one did."""
        return self._n_slow >= 2

    @property
    def faster(self):
        """The number of threads with which the latest chunk took less time."""
        return min(self._latest, key=self._latest.get)


class ThreadCountTuner:
    """Choose the number of threads chunk by chunk: all, unless one thread is measured to be faster.

    Chunks whose helpers did not get their cores, because others wanted them, tell nothing about
    times: one thread works on until a core is found to be free again.

    The other choice is tried for one chunk in these cases, and the faster one is kept:

    - one thread is in use, and more may have become faster again;
    - chunks keep taking much longer than the fastest one did, as they do when others want the
      cores;
    - it is doubtful whether steps are large enough to share, because cores may be far from each
      other: soon after the first fit begins, then now and again.

    Parameters
    ----------
    most : int
        The largest number of threads.
    is_doubtful : bool, default=False
        Whether one thread may be faster though nothing else wants the cores.

    Attributes
    ----------
    n_threads : int
        For the next chunk.
    is_yielding : bool
        Whether one thread works alone because others want the cores.
    """

    def __init__(self, most, *, is_doubtful=False):
        self.most = most
        self._is_doubtful = is_doubtful
        self._preferred = most
        self._n_until_trial = 2  # chunks
        self._n_until_check = 2
        self.begin_fit()

    def begin_fit(self):
        """Forget times, since the rows of another fit may take another time."""
        # Fits may be too short for a trial: they must not be kept on one thread for ever.
        if self._n_until_trial < -_TRIAL_INTERVAL:
            self._preferred = self.most
            self._n_until_trial = _TRIAL_INTERVAL
        self.n_threads = self._preferred
        self.is_yielding = False
        self._is_trial = False
        self._times = _ChunkTimes(self.most)

    def add_chunk(self, n_threads, seconds, n_rows):
        """Take the time of a chunk into account, and choose the number of threads for the next one.

        Short chunks, and numbers of threads that were not chosen here, are ignored.
        """
        if self.is_yielding or n_threads != self.n_threads:
            return
        if not self._times.add(n_threads, seconds, n_rows):
            return
        self._n_until_trial -= 1
        self._n_until_check -= 1
        if self._is_trial:
            self._end_trial()
        elif self._n_until_trial <= 0 and self._wants_trial():
            self._is_trial = True
            self.n_threads = self.most if n_threads == 1 else 1

    def yield_cores(self):
        """Leave the cores to others from the next chunk on."""
        self.is_yielding = True
        self._is_trial = False
        self.n_threads = 1

    def take_cores(self):
        """Go on as before others wanted the cores, from the next chunk on."""
        self.is_yielding = False
        self.n_threads = self._preferred

    def _wants_trial(self):
        is_due = self._is_doubtful and self._n_until_check <= 0
        return self.n_threads == 1 or self._times.are_slow or is_due

    def _end_trial(self):
        self._is_trial = False
        self._preferred = self.n_threads = self._times.faster
        self._n_until_trial = _TRIAL_INTERVAL
        self._n_until_check = _CHECK_INTERVAL
