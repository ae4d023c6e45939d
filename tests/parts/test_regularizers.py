import numpy as np
import pytest
from reference import DTYPES, EXTREMES, FINITE, SIZES, compiled, run, slope

from sknn._compiled.kinds import PENALTY, PROXIMAL_STEP
from sknn.parts.regularizers import REGULARIZERS

# The smooth and the other part of P(w), to be summed over all weights; the first also for complex
# w.
REFERENCE = {
    "l2": lambda w, l1, l2: (l2 * w**2 / 2, 0 * w.real),
    "elastic_net": lambda w, l1, l2: (l2 * w**2 / 2, l1 * np.abs(w)),
}
L1 = 0.2

rows_and_dtypes = pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name in REGULARIZERS for dtype in DTYPES]
)


def _penalize(name, w, strength, g, totals):
    compiled(REGULARIZERS[name].penalize, PENALTY, w.dtype)(
        w, w.dtype.type(L1), w.dtype.type(strength), g, totals
    )


def test_every_row_has_a_reference():
    assert REFERENCE.keys() == REGULARIZERS.keys()


@rows_and_dtypes
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_penalty_and_gradient_are_added(name, dtype, size, strength):
    w = run([*FINITE, 1e4, -1e4], size, dtype)
    g = run([1.0, -2.0, 0.5], size, dtype)
    exact = w.astype(np.float64)
    strength = float(np.dtype(dtype).type(strength))
    l1 = float(np.dtype(dtype).type(L1))
    expected = g + slope(lambda v: REFERENCE[name](v, l1, strength)[0], exact)
    totals = np.array([5.0, 7.0])
    _penalize(name, w, strength, g, totals)
    rtol = 40 * np.finfo(dtype).eps
    np.testing.assert_allclose(g, expected, rtol=rtol)
    np.testing.assert_allclose(
        totals, [5, 7 + np.sum(REFERENCE[name](exact, l1, strength))], rtol=rtol
    )


@rows_and_dtypes
@pytest.mark.parametrize("value", [value for value in EXTREMES if not np.isfinite(value)])
def test_non_finite_weights_show_in_the_penalty(name, dtype, value):
    w = np.array([0.5, value, 1], dtype)
    totals = np.zeros(2)
    g = np.zeros_like(w)
    _penalize(name, w, 1, g, totals)
    assert not np.isfinite(totals[1])
    np.testing.assert_array_equal(np.isfinite(g), [True, False, True])


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name, row in REGULARIZERS.items() if row.shrink for dtype in DTYPES],
)
def test_shrinking_is_the_proximal_step(name, dtype):
    rng = np.random.default_rng(0)
    w = rng.normal(0, 1, 33).astype(dtype)
    sizes = rng.uniform(0, 8, 33).astype(dtype)
    before = w.astype(np.float64)
    compiled(REGULARIZERS[name].shrink, PROXIMAL_STEP, w.dtype)(w, sizes, w.dtype.type(L1))
    candidates = np.linspace(-3, 3, 60_001)
    for start, size, found in zip(before, sizes, w, strict=True):
        objective = (candidates - start) ** 2 / (2 * size) + REFERENCE[name](candidates, L1, 0.0)[1]
        assert abs(candidates[objective.argmin()] - found) < 2e-4
    assert (w == 0).any()
    assert (w != 0).any()
