"""Files of this release and of earlier ones load, and predict what they did when written."""

import importlib.util
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning

import sknn
from sknn.export import load

FIXTURES = Path(__file__).resolve().parent / "fixtures"
specification = importlib.util.spec_from_file_location("write_fixtures", FIXTURES / "write.py")
write = importlib.util.module_from_spec(specification)
specification.loader.exec_module(write)

EXPECTED = sorted(FIXTURES.glob("*/*.expected.npz"))
every_file = pytest.mark.parametrize(
    "path", EXPECTED, ids=lambda path: f"{path.parent.name} {path.name.partition('.')[0]}"
)


def check(estimator, path):
    """Compare predictions with those in a file; another processor may round differently."""
    single = estimator.coefs_[0].dtype == np.float32
    with np.load(path) as expected:
        for name, found in write.predictions(estimator).items():
            if found.dtype.kind == "U":
                np.testing.assert_array_equal(found, expected[name])
            else:
                np.testing.assert_allclose(found, expected[name], rtol=1e-5 if single else 1e-11)


def test_this_version_has_all_its_files():
    """If this fails after a change of the version, run tests/fixtures/write.py."""
    names = {path.name for path in (FIXTURES / sknn.__version__).iterdir()}
    suffixes = ("npz", "pickle", "expected.npz")
    assert names == {f"{name}.{suffix}" for name in write.ESTIMATORS for suffix in suffixes}


@every_file
def test_model_files_load(path):
    check(load(path.with_name(path.name.replace(".expected", ""))), path)


@every_file
def test_pickles_load(path):
    content = path.with_name(path.name.replace(".expected.npz", ".pickle")).read_bytes()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = pickle.loads(content)
    assert set(estimator.get_params()) == set(clone(estimator).get_params())
    is_old = path.parent.name != sknn.__version__
    assert [warning.category for warning in caught] == [InconsistentVersionWarning] * is_old
    check(estimator, path)
