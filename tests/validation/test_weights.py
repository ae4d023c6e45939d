"""Weights of classes: the labels that they belong to, and the rows that they reach."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
)

from sknn import MLPClassifier
from sknn._validation.weights import check_sample_weight, find_class_weights, weigh_classes

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
CODES = np.arange(60) % 3
LABELS = (rng.normal(size=(60, 2)) > 0).astype(int)
SETTINGS = {"hidden_layer_sizes": 5, "max_iter": 3, "random_state": 0}
quiet = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


def class_weights_of(choice, y, weight=None, classes=None):
    classes = np.unique(y) if classes is None else classes
    weight = np.ones(len(y)) if weight is None else weight
    return find_class_weights(choice, classes, y, weight, incremental=False)


# ---- labels ------------------------------------------------------------------------------------

KINDS = {
    "integers": [3, 5, 8],
    "negative": [-4, -1, 2],
    "floats": [0.0, 1.0, 2.0],
    "booleans": [False, True],
    "words": ["ham", "spam", "toast"],
    "strings of digits": ["0", "1", "2"],
    "objects": np.array(["ham", "spam", "toast"], dtype=object),
    "small integers": np.array([3, 5, 8], dtype=np.int8),
}


@pytest.mark.parametrize("labels", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("from_numpy", [False, True])
def test_labels_of_any_type_are_keys(labels, from_numpy):
    classes = np.unique(np.asarray(labels))
    keys = list(classes) if from_numpy else classes.tolist()
    [weights] = class_weights_of({key: 2.0 + i for i, key in enumerate(keys)}, classes)
    assert weights.tolist() == [2.0 + i for i in range(len(keys))]
    [weights] = class_weights_of({keys[1]: 7}, classes)
    assert weights.tolist() == [1.0, 7.0, 1.0][: len(keys)]


@pytest.mark.parametrize("labels", [["0", "1", "2"], ["-3", "10", "7"]])
def test_a_string_of_digits_may_be_named_by_its_number_as_in_scikit_learn(labels):
    classes = np.unique(labels)
    by_number = {int(label): 1.5 + i for i, label in enumerate(classes)}
    [weights] = class_weights_of(by_number, classes)
    expected = compute_class_weight(by_number, classes=classes, y=classes)
    assert weights.tolist() == expected.tolist() == [1.5, 2.5, 3.5]


@pytest.mark.parametrize("weight", [2, 2.0, True, np.float32(2), np.int8(2), np.True_])
def test_weights_may_be_numbers_of_any_type(weight):
    [weights] = class_weights_of({1: weight}, CODES)
    assert weights.tolist() == [1.0, float(weight), 1.0]


def test_other_keys_are_allowed_where_all_classes_are_named():
    """So that a part of the classes, in one fold or one of several binary problems, works."""
    choice = {0: 1.0, 1: 2.0, 2: 3.0, 9: 4.0}
    assert class_weights_of(choice, CODES)[0].tolist() == [1.0, 2.0, 3.0]
    assert compute_class_weight(choice, classes=np.arange(3), y=CODES).tolist() == [1, 2, 3]
    assert class_weights_of({}, CODES)[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("choice", "y", "message"),
    [
        ({7: 2.0}, CODES, r"classes, \[0, 1, 2\], are not in class_weight"),
        ({1: 2.0, 7: 2.0}, CODES, r"keys \[7\]"),
        ({"1": 2.0}, CODES, r"keys \['1'\]"),
        ({1: -1.0}, CODES, "class_weight must have finite weights that are not negative"),
        ({1: np.nan}, CODES, "got nan for 1"),
        ({1: np.inf}, CODES, "got inf for 1"),
        ({1: "heavy"}, CODES, "got 'heavy' for 1"),
        ({1: None}, CODES, "got None for 1"),
        ({0: 0, 1: 0, 2: 0}, CODES, "class_weight and sample_weight must leave at least one row"),
        ([{1: 2.0}], CODES, "a list of dicts is for multilabel targets"),
        ({1: 2.0}, LABELS, "class_weight should be a list of dicts"),
        ([{1: 2.0}], LABELS, "number of elements in class_weight should match"),
        ([{1: 2.0}, {2: 3.0}], LABELS, r"keys \[2\]"),
        ([{1: 2.0}, 3.0], LABELS, "class_weight must consist of dicts, got 3.0"),
    ],
    ids=str,
)
def test_unusable_class_weights_are_named(choice, y, message):
    network = MLPClassifier(class_weight=choice, **SETTINGS)
    with pytest.raises(ValueError, match=message):
        network.fit(X, y)
    assert vars(network) == network.get_params()


# ---- what rows weigh ---------------------------------------------------------------------------


def weights_of_rows(choice, y, sample_weight=None):
    weight = check_sample_weight(sample_weight, y)
    class_weights = find_class_weights(choice, np.unique(y), y, weight[0], incremental=False)
    relative, largest = weigh_classes(class_weights, np.unique(y), *weight, y)
    assert relative.max() == 1
    return relative * largest


@pytest.mark.parametrize(
    ("choice", "y"),
    [
        ({0: 2.0, 1: 5.0, 2: 0.5}, CODES),
        ("balanced", CODES[:50]),
        ("balanced", np.array(["a", "b", "b", "c", "b"])),
        ([{0: 1, 1: 5}, {0: 3, 1: 0.5}], LABELS),
        ([{1: 5}, {}], LABELS),
        ("balanced", LABELS),
        ("balanced", LABELS * [1, 0]),
    ],
    ids=str,
)
def test_rows_weigh_what_scikit_learn_says(choice, y):
    np.testing.assert_allclose(
        weights_of_rows(choice, y), compute_sample_weight(choice, y), rtol=1e-15
    )


def test_balanced_counts_sample_weights():
    weight = rng.integers(0, 4, 60)
    repeated = np.repeat(CODES, weight)
    [by_weight] = class_weights_of("balanced", CODES, weight.astype(float))
    [by_rows] = class_weights_of("balanced", repeated)
    np.testing.assert_allclose(by_weight, by_rows, rtol=1e-15)
    of_labels = class_weights_of("balanced", LABELS, weight.astype(float))
    of_rows = class_weights_of("balanced", np.repeat(LABELS, weight, axis=0))
    np.testing.assert_allclose(of_labels, of_rows, rtol=1e-15)


def test_balanced_ignores_a_class_of_weight_zero():
    weight = np.where(CODES == 1, 0.0, 1.0)
    [weights] = class_weights_of("balanced", CODES, weight)
    assert weights.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("class_weight", ["balanced", {1: 3.0}], ids=str)
@pytest.mark.parametrize(
    "check",
    [check_sample_weight_equivalence_on_dense_data, check_sample_weight_equivalence_on_sparse_data],
)
def test_weights_are_repetitions(class_weight, check):
    check("MLPClassifier", MLPClassifier(class_weight=class_weight, max_iter=20))


@quiet
@pytest.mark.parametrize(
    ("choice", "y"), [({2: 5.0}, CODES), ([{1: 5.0}, {0: 0.5, 1: 2.0}], LABELS)], ids=str
)
def test_class_weight_is_as_good_as_sample_weight(choice, y):
    weight = rng.uniform(1, 2, 60)
    choices = [choice] if y.ndim == 1 else choice
    columns = y.reshape(60, -1).T
    of_columns = [
        [weight_of.get(label, 1.0) for label in column]
        for weight_of, column in zip(choices, columns, strict=True)
    ]
    product = np.prod(of_columns, axis=0)
    by_class = MLPClassifier(class_weight=choice, **SETTINGS).fit(X, y, weight)
    by_row = MLPClassifier(**SETTINGS).fit(X, y, weight * product)
    np.testing.assert_allclose(by_class.loss_curve_, by_row.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("weights", [{1: 5.0}, {0: 2.0, 1: 5.0}, {"2": 2.0, "1": 5.0}], ids=str)
@pytest.mark.parametrize("seen", [[0, 1, 2], [0, 2], [2], [1]], ids=str)
def test_partial_fit_weighs_the_classes_that_a_batch_has(weights, seen):
    as_strings = "1" in weights
    rows = np.isin(CODES, seen)
    y = CODES.astype(str) if as_strings else CODES
    classes = np.unique(y)
    by_class = MLPClassifier((5,), class_weight=weights, random_state=0)
    by_class.partial_fit(X[rows], y[rows], classes=classes)
    weight = [weights.get(label, 1.0) for label in y[rows].tolist()]
    by_row = MLPClassifier((5,), random_state=0)
    by_row.partial_fit(X[rows], y[rows], weight, classes=classes)
    np.testing.assert_allclose(by_class.coefs_[0], by_row.coefs_[0], rtol=1e-12)


def test_class_weights_count_where_calls_have_one_class_each():
    """They would cancel if each call were relative to its own mean weight."""
    y = np.repeat([0, 1], 30)
    settings = {"hidden_layer_sizes": 5, "random_state": 0, "learning_rate_init": 0.01}
    means = []
    for class_weight in (None, {1: 20.0}):
        network = MLPClassifier(**settings, class_weight=class_weight)
        for _ in range(20):
            for rows in (slice(0, 30), slice(30, 60)):
                network.partial_fit(X[rows], y[rows], classes=[0, 1])
        means.append(network.predict_proba(X)[:, 1].mean())
    assert means[0] < 0.6
    assert means[1] > means[0] + 0.2


def test_partial_fit_cannot_balance():
    for choice, y in (("balanced", CODES), ([{1: 2.0}, "balanced"], LABELS)):
        classes = np.unique(y) if y.ndim == 1 else [0, 1]
        with pytest.raises(ValueError, match="class_weight='balanced' cannot be used"):
            MLPClassifier(class_weight=choice).partial_fit(X, y, classes=classes)


@quiet
def test_class_weights_of_the_training_set_weigh_the_validation_set():
    """'balanced' balances the classes of y; y_val has others in other numbers."""
    y = np.repeat([0, 1], [45, 15])
    X_val = rng.normal(size=(20, 4))
    y_val = np.repeat([0, 1], [5, 15])
    weight_val = rng.uniform(1, 2, 20)
    network = MLPClassifier(class_weight="balanced", **SETTINGS)
    network.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight_val)
    by_hand = MLPClassifier(**SETTINGS).fit(
        X,
        y,
        np.where(y == 0, 60 / 90, 60 / 30),
        X_val=X_val,
        y_val=y_val,
        sample_weight_val=weight_val * np.where(y_val == 0, 60 / 90, 60 / 30),
    )
    for column in ("val_loss", "val_score"):
        np.testing.assert_allclose(network.history_[column], by_hand.history_[column], rtol=1e-10)


def test_validation_rows_of_classes_that_weigh_nothing_are_refused():
    network = MLPClassifier(class_weight={2: 0}, **SETTINGS)
    with pytest.raises(ValueError, match=r"sample_weight_val must be weights .*: class_weight and"):
        network.fit(X, CODES, X_val=X[:3], y_val=[2, 2, 2])
