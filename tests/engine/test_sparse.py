"""The sparse first layer's kernels against dense products."""

import numpy as np
import pytest
from reference import DTYPES, compiled
from scipy import sparse as scipy_sparse

from sknn._compiled.kinds import SPARSE_AFFINE, SPARSE_WEIGHT_GRADIENT
from sknn._engine import sparse

FIRST, N_ROWS, FAN_IN, FAN_OUT = 3, 7, 40, 11
rng = np.random.default_rng(0)
X = scipy_sparse.random(20, FAN_IN, 0.2, "csr", random_state=0)
DENSE = X.toarray()[FIRST : FIRST + N_ROWS]
W = rng.normal(size=(FAN_IN, FAN_OUT))
B = rng.normal(size=FAN_OUT)
DZ = rng.normal(size=(N_ROWS, FAN_OUT))


def csr(dtype):
    return X.data.astype(dtype), X.indices.astype(np.int64), X.indptr.astype(np.int64)


def tolerance(dtype):
    return {"rtol": 1e-5 if dtype == "float32" else 1e-12, "atol": 1e-6}


@pytest.mark.parametrize("dtype", DTYPES)
def test_halves_of_the_inputs_add_up_to_the_product(dtype):
    kernel = compiled(sparse.affine, SPARSE_AFFINE, dtype)
    w = W.astype(dtype).ravel()
    b = B.astype(dtype)
    halves = np.full((2, N_ROWS * FAN_OUT), np.nan, dtype)
    for (low, high), z in zip(((0, 16), (16, FAN_IN)), halves, strict=True):
        for start, stop in ((0, 5), (5, FAN_OUT)):
            kernel(*csr(dtype), FIRST, N_ROWS, low, high, w, b, FAN_OUT, start, stop, z)
    expected = DENSE @ W + B
    np.testing.assert_allclose(
        halves.sum(axis=0).reshape(expected.shape), expected, **tolerance(dtype)
    )
    second = DENSE[:, 16:] @ W[16:]  # has no intercepts
    np.testing.assert_allclose(halves[1].reshape(expected.shape), second, **tolerance(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("accumulate", [0, 1])
def test_gradient_of_rows_of_the_weights(dtype, accumulate):
    kernel = compiled(sparse.weight_gradient, SPARSE_WEIGHT_GRADIENT, dtype)
    g = np.full((FAN_IN, FAN_OUT), 2.0, dtype)
    dz = DZ.astype(dtype).ravel()
    for start, stop in ((0, 7), (7, 30), (30, FAN_IN)):
        block = g[start:].reshape(-1)
        kernel(*csr(dtype), FIRST, N_ROWS, dz, FAN_OUT, start, stop, accumulate, block)
    np.testing.assert_allclose(g, DENSE.T @ DZ + 2.0 * accumulate, **tolerance(dtype))
