"""How products are cut into blocks, and layers whose weights outweigh the batch."""

import numpy as np
import pytest
from scipy import sparse

from sknn import MLPClassifier
from sknn._compiled.jit import jit
from sknn._engine import dense

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

WIDTHS = (1, 7, 16, 64, 96, 100, 128, 200, 256, 300, 500, 512, 784, 1000, 1024, 2048)
rng = np.random.default_rng(0)
X = rng.normal(size=(90, 100))
CLASSES = rng.integers(0, 3, len(X))
HALVES = {
    "two layers": {},
    "odd widths": {"hidden_layer_sizes": (131, 97)},
    "maxout": {"activation": "maxout", "maxout_pieces": 3},
    "dropout": {"dropout": [0.3, 0.1], "input_dropout": 0.2},
    "batch norm": {"batch_norm": "before"},
    "batch norm after": {"batch_norm": "after"},
    "clipped": {"max_grad_norm": 0.05},
}


@jit
def cut_into(width, size, bounds):
    """Write where blocks begin and end, in the order in which they are claimed; return their number
    and the first half's size."""
    n_blocks = dense.n_blocks_of(width, size)
    for number in range(n_blocks):
        bounds[number, 0], bounds[number, 1] = dense.bounds_of(number, width, size)
    return n_blocks, dense.half_of(width, size)


@jit
def cut(n_operations, width, largest, bounds):
    """Do the same with blocks as products have them; return their number, their size and the first
    half's."""
    size = dense.block_size(n_operations, width, largest)
    n_blocks, half = cut_into(width, size, bounds)
    return n_blocks, size, half


@jit
def adds_halves(n_rows, fan_in, fan_out):
    return dense.adds_halves(n_rows, fan_in, fan_out)


def assert_covered_once(bounds, n_blocks, width, middle):
    bounds = bounds[:n_blocks]
    assert n_blocks <= dense.most_blocks(width)
    assert all(bounds[:, 0] < bounds[:, 1])
    np.testing.assert_array_equal(
        np.concatenate([np.arange(*block) for block in sorted(bounds.tolist())]), np.arange(width)
    )
    n_last = (bounds[:, 0] >= middle).sum()
    assert all(
        bounds[1 : 2 * n_last : 2, 0] >= middle
    )  # every second block, as long as there are some


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("largest", [dense.COLUMNS, dense.ROWS])
@pytest.mark.parametrize("n_operations", [1000, 10_000_000])
def test_blocks_cover_the_whole_once(width, largest, n_operations):
    bounds = np.zeros((width, 2), np.int64)
    n_blocks, size, middle = cut(n_operations, width, largest, bounds)
    assert size == width if n_operations == 1000 else size <= largest
    assert_covered_once(bounds, n_blocks, width, middle)


@pytest.mark.parametrize("width", [*WIDTHS, 97, 20_001])
@pytest.mark.parametrize("share", [dense.SPARSE_BLOCKS, 4, 3, 1])
def test_blocks_of_any_size_cover_the_whole_once(width, share):
    bounds = np.zeros((width, 2), np.int64)
    n_blocks, middle = cut_into(width, -(-width // share), bounds)
    assert_covered_once(bounds, n_blocks, width, middle)


@pytest.mark.parametrize(
    ("width", "size", "half"),
    [
        (64, 32, 32),
        (100, 64, 64),
        (200, 64, 112),
        (256, 64, 128),
        (400, 80, 208),
        (512, 96, 256),
        (784, 80, 400),
        (1024, 96, 512),
    ],
)
def test_two_threads_have_nearly_the_same_to_do(width, size, half):
    assert cut(10_000_000, width, dense.COLUMNS, np.zeros((width, 2), np.int64))[1:] == (size, half)


@pytest.mark.parametrize("settings", HALVES.values(), ids=HALVES)
def test_layers_whose_weights_outweigh_a_batch_learn_the_same_in_halves(settings):
    settings = {
        "hidden_layer_sizes": (128, 100),
        "max_iter": 2,
        "shuffle": False,
        "random_state": 0,
    } | settings
    in_halves = MLPClassifier(batch_size=30, **settings).fit(X, CLASSES)
    # With rows that weigh nothing at its end, a batch is the same to the loss, but too large for
    # halves.
    n_more = 50
    more = [
        np.concatenate([rows, np.ones_like(rows[:1]).repeat(n_more, axis=0)])
        for rows in np.split(X, 3)
    ]
    y = np.concatenate([[*classes, *[0] * n_more] for classes in np.split(CLASSES, 3)])
    weight = np.tile([1.0] * 30 + [0.0] * n_more, 3)
    as_whole = MLPClassifier(batch_size=30 + n_more, **settings).fit(
        np.concatenate(more), y, sample_weight=weight
    )
    for mine, theirs in zip(
        (*in_halves.coefs_, *in_halves.intercepts_),
        (*as_whole.coefs_, *as_whole.intercepts_),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)


def test_sparse_rows_are_taken_in_halves_too():
    rows = np.where(np.abs(X) > 1, X, 0)
    settings = {"hidden_layer_sizes": (128,), "batch_size": 30, "max_iter": 2, "random_state": 0}
    model = MLPClassifier(**settings).fit(sparse.csr_array(rows), CLASSES)
    expected = MLPClassifier(**settings).fit(rows, CLASSES)
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("n_rows", "fan_in", "fan_out", "expected"),
    [
        (30, 100, 128, True),
        (30, 128, 100, True),
        (80, 100, 128, False),
        (80, 128, 100, False),
        (32, 784, 512, True),
        (32, 784, 64, False),
        (10, 100, 100, False),
    ],
)
def test_which_layers_are_taken_in_halves_depends_on_shapes(n_rows, fan_in, fan_out, expected):
    assert adds_halves(n_rows, fan_in, fan_out) == expected
