import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from reference import DTYPES, coefs_and_intercepts, plain_layout

from sknn._runtime import layout as layout_module
from sknn._runtime.architecture import LEARNED
from sknn._runtime.layout import (
    ALIGNMENT,
    aligned_copy,
    aligned_zeros,
    as_kernels_take_it,
    views,
)


def flat_vector(coefs, intercepts, layout, dtype):
    return layout_module.flat_vector(
        SimpleNamespace(coefs_=coefs, intercepts_=intercepts), layout, dtype
    )


UNITS = (5, 3, 17, 16, 2)


def _filled(dtype="float64", units=UNITS):
    """Return a layout and a flat vector with numbers in every weight, zero in the padding."""
    layout = plain_layout(units)
    flat = np.zeros(layout.size, dtype)
    for i, part in enumerate(
        part for parts in coefs_and_intercepts(flat, layout) for part in parts
    ):
        part[...] = i + np.arange(1, part.size + 1).reshape(part.shape) / 1024
    return layout, flat


@pytest.mark.parametrize("units", [(1, 1), (3, 1, 2), UNITS, (16, 16, 16)])
def test_blocks_are_aligned_and_apart(units):
    layout = plain_layout(units)
    assert list(layout.fan_ins) == list(units[:-1])
    assert list(layout.fan_outs) == list(units[1:])
    users = np.zeros(layout.size, int)
    for weight, bias, fan_in, fan_out in zip(
        layout.weight_offsets, layout.bias_offsets, layout.fan_ins, layout.fan_outs, strict=True
    ):
        assert weight % ALIGNMENT == bias % ALIGNMENT == 0
        users[weight : weight + fan_in * fan_out] += 1
        users[bias : bias + fan_out] += 1
    assert users.max() == 1
    assert users.sum() == sum((a + 1) * b for a, b in itertools.pairwise(units))
    assert layout.size % ALIGNMENT == 0
    assert layout.size - users.sum() < 2 * ALIGNMENT * (len(units) - 1)


def test_offsets_are_int64():
    assert {plain_layout(UNITS).offsets_of(name).dtype for name in LEARNED} == {np.dtype(np.int64)}


@pytest.mark.parametrize("dtype", DTYPES)
def test_views_have_the_users_shapes_and_share_the_memory(dtype):
    layout, flat = _filled(dtype)
    coefs, intercepts = coefs_and_intercepts(flat, layout)
    assert [coef.shape for coef in coefs] == [(5, 3), (3, 17), (17, 16), (16, 2)]
    assert [intercept.shape for intercept in intercepts] == [(3,), (17,), (16,), (2,)]
    coefs[1][2, 5] = -1
    intercepts[3][1] = -2
    assert flat[layout.weight_offsets[1] + 2 * 17 + 5] == -1
    assert flat[layout.bias_offsets[3] + 1] == -2


@pytest.mark.parametrize("dtype", DTYPES)
def test_flat_vector_of_views_is_the_vector_itself(dtype):
    layout, flat = _filled(dtype)
    assert flat_vector(*coefs_and_intercepts(flat, layout), layout, np.dtype(dtype)) is flat


@pytest.mark.parametrize("kind", ["coefs_", "intercepts_"])
@pytest.mark.parametrize(
    "convert",
    [np.copy, np.asfortranarray, np.float32, lambda array: np.repeat(array, 2, axis=-1)[..., ::2]],
)
@pytest.mark.parametrize("layer", [0, 2])
def test_assigned_arrays_are_read(kind, convert, layer):
    layout, flat = _filled()
    coefs, intercepts = coefs_and_intercepts(flat, layout)
    parts = coefs if kind == "coefs_" else intercepts
    parts[layer] = convert(2 * parts[layer])
    again = flat_vector(coefs, intercepts, layout, np.dtype(np.float64))
    assert again is not flat
    expected, expected_flat = _filled()
    expected_parts = coefs_and_intercepts(expected_flat, expected)[kind == "intercepts_"]
    expected_parts[layer] *= 2
    np.testing.assert_array_equal(again, expected_flat)


@pytest.mark.parametrize(
    "rearranged",
    [
        lambda a, b, c: [b, a, c],
        lambda a, b, c: [a, b, c.T],
        lambda a, b, c: [a, b[::-1], c],
        lambda a, b, c: [a, a, c],
    ],
)
def test_views_of_the_right_shape_but_of_other_places_are_read(rearranged):
    layout, flat = _filled(units=(4, 4, 4, 4))
    coefs, intercepts = coefs_and_intercepts(flat, layout)
    coefs = rearranged(*coefs)
    again, _ = coefs_and_intercepts(
        flat_vector(coefs, intercepts, layout, np.dtype(np.float64)), layout
    )
    for array, coef in zip(again, coefs, strict=True):
        np.testing.assert_array_equal(array, coef)


def test_assignment_leaves_the_old_vector_alone():
    layout, flat = _filled()
    before = flat.copy()
    coefs, intercepts = coefs_and_intercepts(flat, layout)
    coefs[0] = np.zeros_like(coefs[0])
    flat_vector(coefs, intercepts, layout, np.dtype(np.float64))
    np.testing.assert_array_equal(flat, before)


def test_read_only_views_are_used_and_cannot_be_written_to():
    layout, flat = _filled()
    flat.flags.writeable = False
    coefs, intercepts = coefs_and_intercepts(flat, layout)
    again = flat_vector(coefs, intercepts, layout, np.dtype(np.float64))
    assert again is flat
    assert not again.flags.writeable


def _unaligned(flat):
    memory = np.empty(flat.nbytes + 1, np.uint8)
    unaligned = memory[1:].view(flat.dtype)
    unaligned[:] = flat
    return unaligned


@pytest.mark.parametrize("change", [np.float32, _unaligned])
def test_views_that_kernels_cannot_read_are_copied(change):
    layout, flat = _filled()
    flat = change(flat)
    again = flat_vector(*coefs_and_intercepts(flat, layout), layout, np.dtype(np.float64))
    assert again is not flat
    assert again.flags.aligned
    assert again.dtype == np.float64
    np.testing.assert_array_equal(again, flat)


@pytest.mark.parametrize(
    ("kind", "i", "shape"),
    [
        ("coefs_", 0, (3, 5)),
        ("coefs_", 3, (16,)),
        ("intercepts_", 1, (16,)),
        ("intercepts_", 0, ()),
    ],
)
def test_wrong_shapes_are_named(kind, i, shape):
    layout, flat = _filled()
    coefs, intercepts = coefs_and_intercepts(flat, layout)
    (coefs if kind == "coefs_" else intercepts)[i] = np.zeros(shape)
    with pytest.raises(ValueError, match=rf"{kind}\[{i}\]"):
        flat_vector(coefs, intercepts, layout, np.dtype(np.float64))


def test_numbers_that_float32_does_not_have_are_refused():
    layout, flat = _filled("float32")
    coefs, intercepts = coefs_and_intercepts(flat, layout)
    intercepts[1] = np.full(17, 1e39)
    with pytest.raises(ValueError, match=r"intercepts_\[1\] has values beyond float32"):
        flat_vector(coefs, intercepts, layout, np.dtype(np.float32))


@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_take_read_only_and_mapped_vectors_without_a_copy(dtype, tmp_path):
    _, flat = _filled(dtype)
    assert as_kernels_take_it(flat) is flat
    np.save(tmp_path / "flat.npy", flat)
    for mode in ("r", "c"):
        mapped = np.load(tmp_path / "flat.npy", mmap_mode=mode)
        taken = as_kernels_take_it(mapped)
        assert type(taken) is np.ndarray
        assert taken.flags.writeable
        assert np.shares_memory(taken, mapped)
        np.testing.assert_array_equal(taken, flat)


@pytest.mark.parametrize(("norm", "widths"), [("before", (6, 14)), ("after", (3, 7))])
def test_batch_norm_and_pieces_have_places_of_their_own(norm, widths):
    layout = plain_layout((5, 3, 7, 2), pieces=2, batch_norm=norm)
    flat = np.zeros(layout.size)
    parts = views(flat, layout)
    assert [coef.shape for coef in parts["coefs_"]] == [(5, 6), (3, 14), (7, 2)]
    for name in LEARNED:
        if name.startswith("batch_norm"):
            assert tuple(part.size for part in parts[name]) == widths
    for arrays in parts.values():
        for array in arrays:
            np.add(array, 1, out=array)
    assert flat.max() == 1
    assert flat.sum() == sum(array.size for arrays in parts.values() for array in arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0, 1, 17, 1000, 1_000_000])
def test_aligned_vectors_begin_with_a_cache_line_and_are_the_base_of_their_views(size, dtype):
    vector = aligned_zeros(size, dtype)
    assert vector.shape == (size,)
    assert vector.dtype == dtype
    assert vector.flags.c_contiguous
    assert vector.flags.writeable
    assert vector.ctypes.data % 64 == 0
    assert not vector.any()
    assert vector[:1].reshape(1, -1).base is vector


@pytest.mark.parametrize("size", [100, 2**20])
def test_vectors_that_a_loop_reads_together_begin_apart_in_a_page(size):
    vectors = [aligned_zeros(size, np.float32) for _ in range(5)]
    vectors += [aligned_copy(np.ones(size, np.float64)) for _ in range(5)]
    starts = [vector.ctypes.data for vector in vectors]
    for i, start in enumerate(starts):
        for other in starts[:i]:
            apart = (start - other) % 4096
            assert 3 * 64 <= apart <= 4096 - 3 * 64
    assert all(start % 64 == 0 for start in starts)
    assert all(vector.all() for vector in vectors[5:])
