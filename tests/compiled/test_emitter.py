import warnings

import pytest

from sknn._compiled import emitter


@pytest.mark.parametrize(
    ("features", "unit"),
    [
        ({"sse2": True, "avx2": True, "avx512f": True}, (64, 8)),
        ({"sse2": True, "avx2": True, "avx512f": False}, (32, 4)),
        ({"sse2": True, "avx2": False}, (16, 4)),
        ({"neon": True}, (16, 8)),
    ],
)
def test_registers_of_processors(features, unit):
    assert emitter._vector_unit(features) == unit


@pytest.fixture
def next_process():
    """What happens once a process may happen again, before and after a test."""
    emitter.warn_without_fma.cache_clear()
    yield
    emitter.warn_without_fma.cache_clear()


@pytest.mark.usefixtures("next_process")
def test_a_processor_without_fma_is_warned_of_once(monkeypatch):
    monkeypatch.setattr(emitter, "_FEATURES", {"sse2": True, "fma": False})
    with pytest.warns(RuntimeWarning, match=r"no fused multiply-add \(FMA\)"):
        emitter.warn_without_fma()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        emitter.warn_without_fma()


@pytest.mark.usefixtures("next_process")
@pytest.mark.parametrize("features", [{"sse2": True, "fma": True}, {"neon": True}], ids=str)
def test_other_processors_are_not_warned_of(monkeypatch, features):
    monkeypatch.setattr(emitter, "_FEATURES", features)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        emitter.warn_without_fma()
