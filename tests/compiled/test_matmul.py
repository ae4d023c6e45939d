import itertools

import numpy as np
import pytest
from reference import DTYPES, bits, compiled_only

from sknn._compiled.emitter import REGISTER_BYTES
from sknn._compiled.intrinsics import at
from sknn._compiled.jit import jit
from sknn._compiled.kinds import PRODUCT, call_product
from sknn._compiled.matmul import product
from sknn._compiled.transpose import transpose

SIDES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 33, 48, 49, 50, 100)
CANARY = 77


def _numbers(shape, dtype, *, whole):
    rng = np.random.default_rng(0)
    return (rng.integers(-4, 5, shape) if whole else rng.standard_normal(shape)).astype(dtype)


@jit
def _product_of_vectors(product, m, n, k, a, a_row, a_step, b, b_step, start, start_row, c, c_row):
    call_product(
        product,
        m,
        n,
        k,
        at(a, 0),
        a_row,
        a_step,
        at(b, 0),
        b_step,
        at(start, 0),
        start_row,
        at(c, 0),
        c_row,
    )


def _block_product(A, B, start, C, rows=slice(None), columns=slice(None)):
    """Compute a block of ``C = start + A B`` for windows of C-contiguous matrices.

    A may be transposed.
    """
    block = C[rows, columns]
    A = A[rows]
    B = B[:, columns]
    if start.size > 0:
        start = start[rows, columns] if start.ndim == 2 else start[columns]
    (m, n) = block.shape
    k = A.shape[1]
    steps = [[step // array.itemsize for step in array.strides] for array in (A, B, start, block)]
    start_row = -1 if start.size == 0 else steps[2][0] if start.ndim == 2 else 0
    runs = [_from_first_element(array) for array in (A, B, start, block)]
    where = PRODUCT.address(product, C.dtype)
    _product_of_vectors(
        where,
        m,
        n,
        k,
        runs[0],
        *steps[0],
        runs[1],
        steps[1][0],
        runs[2],
        start_row,
        runs[3],
        steps[3][0],
    )


def _from_first_element(window):
    """Return the vector from the window's first element to the end of its memory."""
    whole = window if window.base is None else window.base
    first = (
        window.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    ) // whole.itemsize
    return whole.reshape(-1)[first:] if window.size > 0 else np.empty(0, window.dtype)


def _start(kind, m, n, dtype):
    """Return nothing, a row to be repeated, or a window of a larger matrix."""
    if kind == "matrix":
        return _numbers((m, n + 3), dtype, whole=True)[:, :n]
    return _numbers(n if kind == "row" else 0, dtype, whole=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kind", ["nothing", "row", "matrix"])
def test_product_of_whole_numbers_is_exact_and_stays_in_its_block(kind, transposed, dtype):
    A_memory = _numbers((103, 103), dtype, whole=True)
    B_memory = _numbers((100, 105), dtype, whole=True)
    for m, n, k in itertools.product(SIDES, SIDES, SIDES):
        A = A_memory[:k, 1 : m + 1].T if transposed else A_memory[1 : m + 1, :k]
        B = B_memory[:k, 2 : n + 2]
        start = _start(kind, m, n, dtype)
        memory = np.full((m + 2, n + 5), CANARY, dtype)
        expected = memory.copy()
        expected[1 : m + 1, 2 : n + 2] = (A @ B + start) if start.size > 0 else A @ B
        _block_product(A, B, start, memory[1 : m + 1, 2 : n + 2])
        np.testing.assert_array_equal(memory, expected, err_msg=f"m={m}, n={n}, k={k}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("k", [1023, 1024, 1025, 2500])
def test_long_product(k, transposed, dtype):
    A = _numbers((k, 21) if transposed else (21, k), dtype, whole=True)
    B = _numbers((k, 50), dtype, whole=True)
    A = A.T if transposed else A
    b = _numbers(50, dtype, whole=True)
    C = np.empty((21, 50), dtype)
    _block_product(A, B, b, C)
    np.testing.assert_array_equal(C, A @ B + b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_start_may_be_the_result_itself(dtype):
    A, B, C = (_numbers(shape, dtype, whole=True) for shape in ((13, 9), (9, 37), (13, 37)))
    expected = C + A @ B
    _block_product(A, B, C, C)
    np.testing.assert_array_equal(C, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_product_of_fractions(dtype):
    A, B, b = (_numbers(shape, dtype, whole=False) for shape in ((33, 100), (100, 49), 49))
    C = np.empty((33, 49), dtype)
    _block_product(A, B, b, C)
    exact = A.astype(np.longdouble) @ B.astype(np.longdouble) + b
    bound = np.abs(A).astype(float) @ np.abs(B) + np.abs(b)
    assert (np.abs(C - exact) <= 100 * np.finfo(dtype).eps * bound).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_elements_reach_their_row_only(value, dtype):
    A = _numbers((9, 17), dtype, whole=False)
    B = _numbers((17, 33), dtype, whole=False)
    A[3, 16] = value
    C = np.empty((9, 33), dtype)
    _block_product(A, B, B[:0, 0], C)
    np.testing.assert_array_equal(np.isfinite(C), np.repeat(np.arange(9) != 3, 33).reshape(9, 33))


@compiled_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("k", [100, 1100])
@pytest.mark.parametrize("kind", ["nothing", "row", "matrix"])
def test_bits_do_not_depend_on_blocks(kind, k, transposed, dtype):
    A = _numbers((k, 33) if transposed else (33, k), dtype, whole=False)
    B = _numbers((k, 100), dtype, whole=False)
    A = A.T if transposed else A
    start = _start(kind, 33, 100, dtype) / 3
    whole = np.empty((33, 100), dtype)
    _block_product(A, B, start, whole)
    for height, width in itertools.product((1, 2, 3, 5, 12, 33), (1, 5, 16, 23, 48, 96, 100)):
        pieces = np.full((33, 100), CANARY, dtype)
        for i, j in itertools.product(range(0, 33, height), range(0, 100, width)):
            _block_product(A, B, start, pieces, slice(i, i + height), slice(j, j + width))
        np.testing.assert_array_equal(
            bits(pieces), bits(whole), err_msg=f"blocks of {height} x {width}"
        )


@compiled_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("k", [1, 2, 99, 1101])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9])
def test_bits_of_narrow_products_do_not_depend_on_the_rows_with_them(n, k, transposed, dtype):
    A = _numbers((k, 41) if transposed else (41, k), dtype, whole=False)
    B = _numbers((k, n), dtype, whole=False)
    A = A.T if transposed else A
    start = _numbers(n, dtype, whole=False)
    whole = np.empty((41, n), dtype)
    _block_product(A, B, start, whole)
    np.testing.assert_allclose(
        whole, A.astype(np.float64) @ B + start, rtol=0, atol=10 * (k + 1) * np.finfo(dtype).eps
    )
    for height in (1, 2, 5, 8, 17, 40):
        pieces = np.full((41, n), CANARY, dtype)
        for i in range(0, 41, height):
            _block_product(A, B, start, pieces, slice(i, i + height))
        np.testing.assert_array_equal(bits(pieces), bits(whole), err_msg=f"blocks of {height} rows")


def _chain(A, B, start):
    """Return ``start + A B``, summed in order, each product added with one rounding.

    Float64 holds products of float32 exactly.
    """
    total = np.broadcast_to(start, (len(A), B.shape[1]))
    for p in range(len(B)):
        exact = A[:, p : p + 1].astype(np.float64) * B[p] + total
        total = exact.astype(start.dtype)
    return total


@compiled_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("is_part", [False, True])
@pytest.mark.parametrize("kind", ["nothing", "row", "matrix"])
def test_few_columns_are_summed_in_order(kind, is_part, transposed, dtype):
    shapes = itertools.product((1, 16, 37, 51), range(1, 18), (1, 7, 8, 16, 23, 101))
    for m, n, k in shapes:
        A = _numbers((k, m) if transposed else (m, k), np.float32, whole=False).astype(dtype)
        B = _numbers((k, n + 3 * is_part), np.float32, whole=False).astype(dtype)[:, :n]
        A = A.T if transposed else A
        start = (_start(kind, m, n, dtype) / 3).astype(np.float32).astype(dtype)
        C = np.empty((m, n), dtype)
        _block_product(A, B, start, C)
        begin = start if start.size > 0 else np.zeros(n, dtype)
        if transposed or is_part or 2 * n * C.itemsize > REGISTER_BYTES:
            expected = _chain(A, B, begin)
        else:
            odd = _chain(A[:, 1::2], B[1::2], np.zeros(n, dtype))
            expected = _chain(A[:, ::2], B[::2], begin) + odd
        np.testing.assert_array_equal(bits(C), bits(expected), err_msg=f"m={m}, n={n}, k={k}")


@jit
def _transpose(matrix, n_rows, n_columns, row, transposed, transposed_row):
    transpose(matrix, n_rows, n_columns, row, transposed, transposed_row)


@pytest.mark.parametrize("dtype", DTYPES)
def test_transpose_of_blocks(dtype):
    source = _numbers((102, 107), dtype, whole=False)
    for n_rows, n_columns in itertools.product(SIDES, SIDES):
        block = source[1 : n_rows + 1, 2 : n_columns + 2]
        memory = np.full((n_columns + 2, n_rows + 5), CANARY, dtype)
        target = memory[1 : n_columns + 1, 3 : n_rows + 3]
        expected = memory.copy()
        expected[1 : n_columns + 1, 3 : n_rows + 3] = block.T
        _transpose(
            _from_first_element(block),
            n_rows,
            n_columns,
            source.shape[1],
            _from_first_element(target),
            memory.shape[1],
        )
        np.testing.assert_array_equal(memory, expected, err_msg=f"{n_rows} x {n_columns}")
