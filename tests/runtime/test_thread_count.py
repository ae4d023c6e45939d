"""The number of threads follows what chunks have taken."""

import pytest

from sknn._runtime.thread_count import ThreadCountTuner


def sizes_chosen(tuner, n_chunks, seconds):
    """Return the numbers of threads for ``n_chunks`` chunks; chunk ``i`` takes ``seconds(n_threads,
    i)``."""
    sizes = []
    for chunk in range(n_chunks):
        sizes.append(tuner.n_threads)
        tuner.add_chunk(tuner.n_threads, 100 * seconds(tuner.n_threads, chunk), 100)
    return sizes


def test_tuner_goes_to_the_faster_size_and_looks_again():
    def seconds(size, chunk):
        disturbed = 20 <= chunk < 80
        return {1: 3.0 if disturbed else 2.0, 2: 9.0 if disturbed else 1.0}[size]

    sizes = sizes_chosen(ThreadCountTuner(2), 120, seconds)
    assert set(sizes[:20]) == {2}
    assert sizes[20:80].count(2) <= 8
    assert sizes[100:].count(1) <= 2


def test_tuner_takes_no_notice_of_short_chunks_and_single_delays():
    tuner = ThreadCountTuner(2)
    for chunk in range(60):
        seconds, n_rows = (
            (9.0, 100) if chunk % 7 == 3 else (30.0, 20) if chunk % 5 == 4 else (1.0, 100)
        )
        tuner.add_chunk(tuner.n_threads, seconds, n_rows)
        assert tuner.n_threads == 2


@pytest.mark.parametrize("faster", [1, 2])
def test_tuner_looks_now_and_again_where_it_is_doubtful_what_is_faster(faster):
    sizes = sizes_chosen(
        ThreadCountTuner(2, is_doubtful=True),
        200,
        lambda size, chunk: 1.0 if size == faster else 1.3,
    )
    slower = [chunk for chunk, size in enumerate(sizes) if size != faster]
    assert slower[:3] == ([2, 67, 132] if faster == 2 else [0, 1, 19])


@pytest.mark.parametrize("faster", [1, 2])
def test_tuner_is_kept_from_fit_to_fit(faster):
    tuner = ThreadCountTuner(2, is_doubtful=True)
    sizes_chosen(tuner, 4, lambda size, chunk: 1.0 if size == faster else 1.3)
    for slowness in (3, 1, 5):
        tuner.begin_fit()
        assert set(
            sizes_chosen(
                tuner, 4, lambda size, chunk, unit=slowness: unit if size == faster else 1.3 * unit
            )
        ) == {faster}


def test_tuner_forgets_a_trial_that_did_not_take_place():
    tuner = ThreadCountTuner(2, is_doubtful=True)
    sizes_chosen(tuner, 2, lambda size, chunk: 1.0)
    assert tuner.n_threads == 1
    tuner.begin_fit()
    assert sizes_chosen(tuner, 20, lambda size, chunk: 3.0 - size).count(1) == 1


def test_tuner_is_not_tied_to_one_thread_by_fits_of_one_chunk():
    tuner = ThreadCountTuner(2, is_doubtful=True)
    sizes_chosen(tuner, 4, lambda size, chunk: float(size))
    assert tuner.n_threads == 1
    sizes = []
    for _ in range(60):
        tuner.begin_fit()
        sizes += sizes_chosen(tuner, 1, lambda size, chunk: 3.0 - size)
    assert set(sizes[40:]) == {2}


def test_tuner_takes_no_notice_of_sizes_that_it_did_not_choose():
    tuner = ThreadCountTuner(4)
    for _ in range(9):
        tuner.add_chunk(2, 1.0, 100)
    assert tuner.n_threads == 4


def test_tuner_of_one_thread_has_no_choice():
    assert set(sizes_chosen(ThreadCountTuner(1), 3, lambda size, chunk: 1.0 + 4 * chunk)) == {1}


class Disturbance:
    """A machine on which others want the cores from ``begin`` to ``end``, with a clock of its own.

    A chunk takes 20 ms with two threads, 40 ms with one, and 70 ms with two that share a core.
    """

    def __init__(self, begin, end):
        self.begin = begin
        self.end = end
        self.now = 0.0

    def run_chunk(self, tuner):
        """Run a chunk as a runner does; return the number of threads."""
        n_threads = tuner.n_threads
        is_disturbed = self.begin <= self.now < self.end
        if tuner.is_yielding and not is_disturbed:
            tuner.take_cores()
        seconds = 0.04 if n_threads == 1 else 0.07 if is_disturbed else 0.02
        self.now += seconds
        if n_threads > 1 and is_disturbed:
            tuner.yield_cores()
        else:
            tuner.add_chunk(n_threads, seconds, 100)
        return n_threads


@pytest.mark.parametrize("is_doubtful", [False, True])
@pytest.mark.parametrize(("begin", "end"), [(0.0, 0.01), (0.0, 0.5), (0.11, 0.3), (0.3, 5.0)])
def test_tuner_goes_on_within_a_tenth_of_a_second_after_a_disturbance(begin, end, is_doubtful):
    tuner = ThreadCountTuner(2, is_doubtful=is_doubtful)
    machine = Disturbance(begin, end)
    n_disturbed = 0
    while machine.now < end:
        n_disturbed += machine.run_chunk(tuner) == 2 and begin <= machine.now - 0.07 < end
    assert n_disturbed <= 1
    while machine.now < end + 0.1:
        machine.run_chunk(tuner)
    assert tuner.n_threads == 2
    assert not tuner.is_yielding


def test_tuner_does_not_keep_what_it_did_in_a_disturbance():
    tuner = ThreadCountTuner(2)
    tuner.yield_cores()
    assert tuner.n_threads == 1
    tuner.add_chunk(1, 1.0, 100)
    tuner.begin_fit()
    assert tuner.n_threads == 2
