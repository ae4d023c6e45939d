"""Pickles and copies: equal predictions, no excess size, and training that continues."""

import copy
import os
import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from reference import assert_same_weights
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_multilabel_classification, make_regression

from sknn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

PATIENT = {"tol": 0, "n_iter_no_change": np.inf}


def _named_classes():
    X, codes = make_blobs(100, n_features=5, random_state=0)
    return X, np.array(["apple", "pear", "quince"], dtype=object)[codes]


def _two_outputs():
    X, Y = make_regression(100, 5, n_targets=2, random_state=0)
    return X, Y / 100


CASES = {
    "classes": (MLPClassifier, *_named_classes()),
    "labels": (MLPClassifier, *make_multilabel_classification(100, 5, random_state=0)),
    "outputs": (MLPRegressor, *_two_outputs()),
}


def fitted(case, **settings):
    kind, X, y = CASES[case]
    return (
        kind(**{"hidden_layer_sizes": (8, 4), "max_iter": 4, "random_state": 0, **settings}).fit(
            X, y
        ),
        X,
        y,
    )


def by_pickle(protocol):
    return lambda network, folder: pickle.loads(pickle.dumps(network, protocol=protocol))


def by_joblib(*, compress=0, mmap_mode=None):
    def store_and_load(network, folder):
        path = (
            folder / f"{len(list(folder.iterdir()))}.joblib"
        )  # a file of its own: what is memory-mapped must not be overwritten
        joblib.dump(network, path, compress=compress)
        return joblib.load(path, mmap_mode=mmap_mode)

    return store_and_load


COPIES = {
    **{
        f"pickle, protocol {protocol}": by_pickle(protocol)
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
    "joblib": by_joblib(),
    "joblib, compressed": by_joblib(compress=3),
    "joblib, memory-mapped": by_joblib(mmap_mode="r"),
    "joblib, memory-mapped copy on write": by_joblib(mmap_mode="c"),
    "deep copy": lambda network, folder: copy.deepcopy(network),
    "shallow copy": lambda network, folder: copy.copy(network),
    "twice": lambda network, folder: pickle.loads(
        pickle.dumps(pickle.loads(pickle.dumps(network)))
    ),
}
every_copy = pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)


def assert_same_predictions(one, other, X):
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    if isinstance(one, MLPClassifier):
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def assert_same_training(one, other):
    assert_same_weights(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_scores_ == other.validation_scores_


# ---- predictions -------------------------------------------------------------------------------


@every_copy
@pytest.mark.parametrize(
    "settings", [{}, {"dtype": "float32"}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str
)
@pytest.mark.parametrize("case", CASES)
def test_copies_predict_the_same_bits(case, settings, duplicate, tmp_path):
    network, X, y = fitted(case, **settings)
    twin = duplicate(network, tmp_path)
    assert_same_predictions(twin, network, X)
    assert twin.score(X, y) == network.score(X, y)
    assert twin.get_params() == network.get_params()
    assert_same_training(twin, network)
    public = {name for name in vars(network) if not name.startswith("_")}
    assert {name for name in vars(twin) if not name.startswith("_")} == public


@every_copy
def test_copies_can_be_trained_further_and_anew(duplicate, tmp_path):
    network, X, y = fitted("classes")
    twin = duplicate(network, tmp_path)
    before = twin.predict_proba(X)
    twin.partial_fit(X, y)
    assert not np.array_equal(twin.predict_proba(X), before)
    assert len(twin.loss_curve_) == 5
    twin.set_params(warm_start=True).fit(X, y)
    assert len(twin.loss_curve_) == 9
    assert_same_training(twin.set_params(warm_start=False).fit(X, y), clone(network).fit(X, y))


@pytest.mark.parametrize("name", sorted(set(COPIES) - {"shallow copy"}))
def test_copies_are_independent(name, tmp_path):
    network, X, y = fitted("classes")
    twin = COPIES[name](network, tmp_path)
    before = network.predict_proba(X)
    if twin.coefs_[0].flags.writeable:
        twin.coefs_[0][...] = 1
    else:  # mapped from a file that others may read
        twin.coefs_[0] = np.ones_like(twin.coefs_[0])
    assert twin.predict_proba(X)[0, 0] != before[0, 0]
    twin.partial_fit(X, y)
    np.testing.assert_array_equal(network.predict_proba(X), before)


def test_a_copy_carries_assigned_weights():
    network, X, _ = fitted("outputs")
    network.coefs_[0] = np.ones((5, 8))
    network.intercepts_ = [intercept + 1 for intercept in network.intercepts_]
    for duplicate in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert_same_predictions(duplicate, network, X)


@pytest.mark.parametrize("settings", [{}, {"dtype": "float32", "batch_norm": True}], ids=str)
def test_weights_stay_in_the_file_that_they_are_mapped_from(settings, tmp_path):
    network, X, y = fitted("classes", warm_start=True, **settings)
    path = tmp_path / "network.joblib"
    joblib.dump(network, path)
    before = path.read_bytes()
    mapped = joblib.load(path, mmap_mode="r")
    assert_same_predictions(mapped, network, X)
    assert all(isinstance(part, np.memmap) for part in mapped.coefs_ + mapped.intercepts_)
    with pytest.raises(ValueError, match="read-only"):
        mapped.coefs_[0][...] = 1
    trained = [copy.copy(mapped).partial_fit(X, y), copy.copy(mapped).fit(X, y)]
    assert_same_training(trained[0], copy.copy(network).partial_fit(X, y))
    assert_same_training(trained[1], copy.copy(network).fit(X, y))
    assert path.read_bytes() == before
    # Without a copy of the weights, predictions follow the file.
    writable = joblib.load(path, mmap_mode="r+")
    writable.coefs_[0][...] = writable.intercepts_[0][...] = 0
    writable.coefs_[0].base.flush()
    assert_same_predictions(mapped, writable, X)
    assert not np.array_equal(mapped.predict_proba(X), network.predict_proba(X))


def test_pickles_of_mapped_networks_and_of_assigned_weights_hold_all_weights(tmp_path):
    network, X, _ = fitted("outputs")
    mapped = COPIES["joblib, memory-mapped"](network, tmp_path)
    assert_same_predictions(by_joblib()(mapped, tmp_path), network, X)
    assert_same_predictions(copy.deepcopy(mapped), network, X)
    mapped.coefs_[0] = np.ones((5, 8))
    assert_same_predictions(COPIES["joblib, memory-mapped"](mapped, tmp_path), mapped, X)


PICKLED = """
    import pickle, sys, warnings
    from sklearn.datasets import load_iris
    from sknn import MLPClassifier

    warnings.simplefilter("ignore")
    X, y = load_iris(return_X_y=True)
    for settings in ({}, {"early_stopping": True, "warm_start": True, "batch_norm": True}):
        network = MLPClassifier((8, 4), max_iter=4, random_state=0, **settings)
        network.fit(X, y).predict(X)
        network.history_["seconds"] = []
        sys.stdout.buffer.write(pickle.dumps(network))
"""


def test_the_same_fit_gives_the_same_pickle_in_any_process():
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        environment |= {"PYTHONHASHSEED": seed, "SKNN_NUM_THREADS": seed}
        command = [sys.executable, "-c", textwrap.dedent(PICKLED)]
        found.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(found) == 1


def test_another_process_predicts_the_same_bits(tmp_path):
    network, X, _ = fitted("classes")
    joblib.dump((network, X), tmp_path / "network.joblib")
    program = """
        import sys, joblib, numpy
        network, X = joblib.load(sys.argv[1] + "/network.joblib")
        numpy.save(sys.argv[1] + "/probabilities.npy", network.predict_proba(X))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "probabilities.npy"), network.predict_proba(X))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_unfitted_estimators_can_be_copied(kind):
    network = kind(alpha=0.5, hidden_layer_sizes=(3, 2))
    for twin in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network), copy.copy(network)):
        assert vars(twin) == vars(network)


# ---- size --------------------------------------------------------------------------------------

WIDE = {"hidden_layer_sizes": (500, 300), "max_iter": 2}


def weight_bytes(network):
    return sum(part.nbytes for part in network.coefs_ + network.intercepts_)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "sgd"},
        {"solver": "lbfgs"},
        {"early_stopping": True},
        {"dtype": "float32", "early_stopping": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("case", CASES)
def test_a_pickle_is_hardly_larger_than_the_weights(case, settings):
    network, _, _ = fitted(case, **WIDE, **settings)
    assert network.n_parameters_ > 100_000
    assert len(pickle.dumps(network)) <= 1.1 * weight_bytes(network)
    assert len(pickle.dumps(pickle.loads(pickle.dumps(network)))) <= 1.1 * weight_bytes(network)


def test_a_network_that_goes_on_training_takes_its_optimizer_along():
    continued, X, y = fitted("classes", **WIDE, warm_start=True)
    incremental, _, _ = fitted("classes", **WIDE)
    incremental.partial_fit(X, y)
    for network in (continued, incremental):  # weights and two moments
        assert (
            2.9 * weight_bytes(network) < len(pickle.dumps(network)) < 4.1 * weight_bytes(network)
        )
    finished = incremental.fit(X, y)
    assert len(pickle.dumps(finished)) <= 1.1 * weight_bytes(finished)


# ---- resuming ----------------------------------------------------------------------------------

RESUMED = [
    {},
    {"solver": "sgd", "learning_rate": "invscaling"},
    {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.1,
        "tol": 0.05,
        "n_iter_no_change": 1,
    },
    {"dtype": "float32", "batch_size": 7},
    {"shuffle": False},
]


@pytest.mark.parametrize("name", ["pickle, protocol 2", "joblib, memory-mapped", "deep copy"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("settings", RESUMED, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_warm_start_resumes_bit_for_bit(case, settings, early_stopping, name, tmp_path):
    settings = {**PATIENT, **settings, "early_stopping": early_stopping}
    whole, X, y = fitted(case, max_iter=20, **settings)
    half, _, _ = fitted(case, max_iter=10, warm_start=True, **settings)
    resumed = COPIES[name](half, tmp_path)
    assert_same_training(resumed.fit(X, y), whole)
    assert_same_training(half.fit(X, y), whole)  # and the original was not disturbed


@pytest.mark.parametrize("name", ["pickle, protocol 2", "joblib, memory-mapped", "deep copy"])
@pytest.mark.parametrize("settings", RESUMED, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_partial_fit_resumes_bit_for_bit(case, settings, name, tmp_path):
    kind, X, y = CASES[case]
    whole, _, _ = fitted(case, max_iter=9, **{**PATIENT, **settings})
    network = kind(hidden_layer_sizes=(8, 4), random_state=0, **{**PATIENT, **settings})
    classes = (
        {"classes": np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])}
        if kind is MLPClassifier
        else {}
    )
    for call in range(9):
        network.partial_fit(X, y, **(classes if call == 0 else {}))
        if call % 3 == 2:
            network = COPIES[name](network, tmp_path)
    assert_same_training(network, whole)
    assert network.n_iter_ == 9


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("settings", RESUMED, ids=str)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_finished_fit_goes_on_like_the_original(duplicate, settings, early_stopping):
    settings = {**PATIENT, **settings, "early_stopping": early_stopping, "dropout": 0.2}
    original, X, y = fitted("classes", **settings)
    twin = duplicate(original).set_params(warm_start=True).fit(X, y)
    assert_same_training(twin, original.set_params(warm_start=True).fit(X, y))
    if not early_stopping:
        assert_same_training(duplicate(original).partial_fit(X, y), original.partial_fit(X, y))
