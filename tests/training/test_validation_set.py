"""Validation rows: how they are drawn, what is accepted as ``X_val`` and ``y_val``, and what is
recorded of them."""

import warnings

import numpy as np
import pandas as pd
import processes
import pytest
import sklearn.neural_network
from problems import classification, regression
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    PredefinedSplit,
    ShuffleSplit,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier, MLPRegressor
from sknn._training.validation_set import split_rows

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
X_VAL = rng.normal(size=(30, 5))
NUMBERS = rng.normal(size=(60, 3))
NUMBERS_VAL = rng.normal(size=(30, 3))
CODES = np.arange(60) % 3
CODES_VAL = np.arange(30) % 3
LABELS = (NUMBERS > 0).astype(int)
LABELS_VAL = (NUMBERS_VAL > 0).astype(int)
SETTINGS = {"hidden_layer_sizes": 6, "max_iter": 3, "random_state": 0}


# ---- drawn rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(50, 50, 50), (100, 30, 20), (40, 40, 40, 40, 40)])
def test_each_class_has_the_same_fraction_of_validation_rows(counts):
    labels = np.repeat([f"class {i}" for i in range(len(counts))], counts)
    for seed in range(5):
        train, validation = split_rows(None, labels, 0.1, np.random.RandomState(seed), labels)
        assert sorted([*train, *validation]) == list(range(len(labels)))
        n_drawn = np.unique(labels[validation], return_counts=True)[1]
        assert np.array_equal(n_drawn, np.array(counts) // 10)


@pytest.mark.parametrize("seed", range(8))
def test_the_only_row_of_a_class_is_a_training_row(seed):
    table, y = classification()
    y[0] = 7
    # so that this row alone, if trained on, decides where weights go
    weight = np.where(y == 7, 1.0, 1e-12)
    settings = {
        "early_stopping": True,
        "validation_fraction": 0.5,
        "batch_size": 60,
        "solver": "sgd",
        "max_iter": 1,
        "random_state": seed,
    }
    start, network = (
        MLPClassifier(learning_rate_init=rate, **settings).fit(table, y, sample_weight=weight)
        for rate in (1e-12, 0.1)
    )
    assert network.intercepts_[-1][3] > start.intercepts_[-1][3] + 1e-3
    train, validation = split_rows(None, y, 0.5, np.random.RandomState(seed), y)
    assert 0 in train
    assert sorted([*train, *validation]) == list(range(len(y)))


def test_more_classes_than_validation_rows():
    table = rng.normal(size=(100, 5))
    network = MLPClassifier(
        early_stopping=True, validation_fraction=0.1, max_iter=3, random_state=0
    ).fit(table, np.arange(100) // 2)
    assert len(network.validation_scores_) == 3
    assert len(network.classes_) == 50


def _drawn_by_fit(network, n_rows):
    """Draw what ``fit`` draws before training: starting weights, then the split."""
    generator = np.random.RandomState(network.random_state)
    for coef, intercept in zip(network.coefs_, network.intercepts_, strict=True):
        generator.uniform(size=coef.shape)
        generator.uniform(size=intercept.shape)
    return train_test_split(
        np.arange(n_rows), test_size=network.validation_fraction, random_state=generator
    )[1]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_early_stopping_keeps_the_best_weights(solver):
    table, y = regression(60)
    # so noisy that the network soon fits the noise
    y = y + np.random.default_rng(0).normal(size=60)
    settings = {
        "solver": solver,
        "hidden_layer_sizes": (60, 60),
        "learning_rate_init": 0.01,
        "alpha": 0,
        "random_state": 0,
    }
    network = MLPRegressor(
        early_stopping=True, validation_fraction=0.4, max_iter=300, **settings
    ).fit(table, y)
    scores = network.validation_scores_
    assert network.n_iter_ < 300
    assert len(scores) == len(network.loss_curve_) == network.n_iter_
    assert network.best_validation_score_ == max(scores) > scores[-1]
    assert network.best_iter_ == 1 + np.argmax(scores)
    assert network.best_loss_ is None
    patient = clone(network).set_params(n_iter_no_change=np.inf).fit(table, y)
    assert patient.n_iter_ > network.n_iter_ > network.best_iter_ + 10
    assert patient.validation_scores_[: network.n_iter_] == scores
    rows = _drawn_by_fit(network, 60)
    predictions = network.predict(table[rows])
    assert r2_score(y[rows], predictions) == pytest.approx(max(scores), rel=1e-12)
    # Loss and score of an epoch are of the same weights, and of validation rows only.
    assert network.history_["val_loss"][network.best_iter_ - 1] == pytest.approx(
        np.mean((y[rows] - predictions) ** 2) / 2, rel=1e-10
    )


@pytest.mark.parametrize(("kind", "y"), [(MLPClassifier, CODES), (MLPRegressor, NUMBERS[:, 0])])
def test_rows_are_drawn_as_if_rows_of_weight_zero_were_absent(kind, y):
    weight = rng.integers(0, 2, 60) * rng.uniform(1, 2, 60)
    is_present = weight > 0
    settings = {"early_stopping": True, "shuffle": False, "validation_fraction": 0.3, **SETTINGS}
    network = kind(**settings).fit(X, y, sample_weight=weight)
    without = kind(**settings).fit(X[is_present], y[is_present], sample_weight=weight[is_present])
    rows = np.flatnonzero(is_present)
    assert network._split_kept[1].tolist() == rows[without._split_kept[1]].tolist()
    train_rows = rows[without._split_kept[0]].tolist() + np.flatnonzero(~is_present).tolist()
    assert network._split_kept[0].tolist() == train_rows
    np.testing.assert_allclose(
        network.validation_scores_, without.validation_scores_, rtol=1e-9, atol=1e-12
    )


def test_positive_weights_leave_the_split_as_it_is():
    network = MLPRegressor(early_stopping=True, **SETTINGS).fit(X, NUMBERS)
    split = network._split_kept
    weighted = clone(network).fit(X, NUMBERS, sample_weight=rng.uniform(1e-9, 1, 60))
    assert all(map(np.array_equal, split, weighted._split_kept))
    assert network._split_kept is network._training_state.split


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("n_positive", [1, 8])
def test_too_few_rows_of_positive_weight_are_named(kind, n_positive):
    y = CODES % 2
    network = kind(early_stopping=True, **SETTINGS)
    message = f"only {n_positive} rows have a positive weight|rows of weight 0 do not count"
    with pytest.raises(ValueError, match=message):
        network.fit(X, y, sample_weight=np.arange(60) < n_positive)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_weights_of_the_rows_of_a_splitter(kind):
    is_held_back = np.arange(60) < 10
    splitter = Splitter(np.flatnonzero(~is_held_back), np.flatnonzero(is_held_back))
    network = kind(early_stopping=True, validation_fraction=splitter, **SETTINGS)
    with pytest.raises(ValueError, match="among the rows that early_stopping leaves for training"):
        network.fit(X, CODES, sample_weight=is_held_back)
    with pytest.raises(ValueError, match="All rows that early_stopping holds back have a weight"):
        network.fit(X, CODES, sample_weight=~is_held_back)
    tiny = np.where(is_held_back, 1e-60, 1.0)
    with pytest.raises(ValueError, match="that is 0 in float32 beside the mean weight"):
        clone(network).set_params(dtype="float32").fit(X, CODES, sample_weight=tiny)
    clone(network).fit(X, CODES, sample_weight=tiny)
    weight = np.where(np.arange(60) < 5, 0.0, 1.0)
    some = clone(network).fit(X, CODES, sample_weight=weight)
    fewer = Splitter(splitter.rows[0], np.arange(5, 10))
    others = clone(network).set_params(validation_fraction=fewer)
    assert some.validation_scores_ == others.fit(X, CODES, weight).validation_scores_


def test_further_training_keeps_the_rows_of_a_splitter_that_leaves_rows_out():
    splitter = ShuffleSplit(1, train_size=0.25, test_size=0.25)
    network = MLPRegressor(
        early_stopping=True, validation_fraction=splitter, warm_start=True, **SETTINGS
    ).fit(X, NUMBERS)
    split = network._training_state.split
    assert network.fit(X, NUMBERS)._training_state.split is split
    network.fit(X[:30], NUMBERS[:30])  # as many rows as were drawn before, of the larger table
    assert max(map(np.max, network._training_state.split)) < 30


class Splitter:
    def __init__(self, *rows):
        self.rows = rows

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1

    def split(self, X, y=None, groups=None):
        yield self.rows


@pytest.mark.parametrize(
    "rows",
    [([], [0, 1]), ([0, 99], [1, 2]), ([0.5], [1, 2]), ([[0, 3]], [1, 2]), (None, None), ([0, 1],)],
    ids=str,
)
def test_a_splitter_of_unusable_rows_is_named(rows):
    network = MLPRegressor(early_stopping=True, validation_fraction=Splitter(*rows), **SETTINGS)
    with pytest.raises(ValueError, match="validation_fraction=<"):
        network.fit(X, NUMBERS)


class NoSplits(Splitter):
    def split(self, X, y=None, groups=None):
        return iter(())


def test_a_splitter_without_splits_is_named():
    network = MLPRegressor(early_stopping=True, validation_fraction=NoSplits(), **SETTINGS)
    with pytest.raises(ValueError, match=r"validation_fraction=<.*it gives no split"):
        network.fit(X, NUMBERS)


# ---- groups ------------------------------------------------------------------------------------

GROUPS = np.arange(60) // 4
BY_GROUP = GroupShuffleSplit(1, test_size=0.2, random_state=0)


def by_group(**settings):
    choices = {"early_stopping": True, "validation_fraction": BY_GROUP}
    return MLPClassifier(**choices | SETTINGS | settings)


def splits_groups(network, n_rows=60):
    train_rows, held_back = network._split_kept
    assert len(train_rows) + len(held_back) == n_rows
    return not set(GROUPS[train_rows]) & set(GROUPS[held_back])


@pytest.mark.parametrize("wrap", [np.asarray, list, pd.Series, lambda groups: groups.astype(str)])
def test_groups_are_for_the_splitter(wrap):
    network = by_group().fit(X, CODES, groups=wrap(GROUPS))
    expected = next(BY_GROUP.split(X, CODES, wrap(GROUPS)))
    assert all(map(np.array_equal, network._split_kept, expected))
    assert splits_groups(network)


@pytest.mark.parametrize("groups", [None, GROUPS[:-1], np.where(GROUPS > 3, np.nan, 1.0)])
def test_groups_that_a_splitter_cannot_use(groups):
    with pytest.raises(ValueError, match=r"validation_fraction=Group.*fit\(X, y, groups=\.\.\.\)"):
        by_group().fit(X, CODES, groups=groups)


@pytest.mark.parametrize(
    ("settings", "validation"),
    [
        ({"early_stopping": False, "validation_fraction": 0.2}, {}),
        ({"validation_fraction": 0.1}, {}),
        ({}, {"X_val": X_VAL, "y_val": CODES_VAL}),
    ],
    ids=str,
)
def test_groups_without_effect_are_reported(settings, validation):
    network = by_group().set_params(**settings)
    with pytest.warns(UserWarning, match="groups have no effect"):
        network.fit(X, CODES, groups=GROUPS, **validation)


def test_groups_without_metadata_routing():
    pipeline = make_pipeline(StandardScaler(), by_group())
    assert splits_groups(pipeline.fit(X, CODES, mlpclassifier__groups=GROUPS)[-1])
    scores = cross_validate(by_group(), X, CODES, params={"groups": GROUPS}, cv=3)
    assert np.isfinite(scores["test_score"]).all()


def test_a_search_that_keeps_the_groups_is_named():
    search = GridSearchCV(by_group(), {"alpha": [0.1, 1]}, cv=GroupKFold(3), error_score="raise")
    hint = r"GridSearchCV keeps its groups for cv, .*set_config\(enable_metadata_routing=True\)"
    with pytest.raises(ValueError, match=hint):
        search.fit(X, CODES, groups=GROUPS)


@pytest.fixture
def metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("metadata_routing")
def test_groups_through_metadata_routing():
    """Splitters for groups request them, so the network does too."""
    assert splits_groups(by_group().fit(X, CODES, groups=GROUPS))
    pipeline = make_pipeline(StandardScaler(), by_group())
    assert splits_groups(pipeline.fit(X, CODES, groups=GROUPS)[-1])
    for model in (by_group(), pipeline):
        scores = cross_validate(
            model, X, CODES, params={"groups": GROUPS}, cv=GroupKFold(3), error_score="raise"
        )
        assert np.isfinite(scores["test_score"]).all()
    grid = {"mlpclassifier__alpha": [0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=GroupKFold(3), error_score="raise")
    assert splits_groups(search.fit(X, CODES, groups=GROUPS).best_estimator_[-1])


@pytest.mark.usefixtures("metadata_routing")
def test_requests_for_groups_are_the_splitters():
    renamed = GroupShuffleSplit(1, test_size=0.2).set_split_request(groups="patients")
    pipeline = make_pipeline(StandardScaler(), by_group(validation_fraction=renamed))
    assert splits_groups(pipeline.fit(X, CODES, patients=GROUPS)[-1])
    requested = by_group(validation_fraction=ShuffleSplit(1)).set_fit_request(groups=True)
    with pytest.warns(UserWarning, match="The groups parameter is ignored by ShuffleSplit"):
        make_pipeline(requested).fit(X, CODES, groups=GROUPS)
    refused = GroupShuffleSplit(1, test_size=0.2).set_split_request(groups=False)
    with pytest.raises(TypeError, match="groups"):
        make_pipeline(by_group(validation_fraction=refused)).fit(X, CODES, groups=GROUPS)


@pytest.mark.usefixtures("metadata_routing")
@pytest.mark.parametrize("kind", [MLPClassifier, sklearn.neural_network.MLPClassifier])
def test_groups_for_others_pass_by_a_network_without_splitter(kind):
    network = kind(5, max_iter=3, early_stopping=True)
    search = GridSearchCV(network, {"alpha": [0.1, 1.0]}, cv=GroupKFold(3), error_score="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, CODES, groups=GROUPS)


# ---- given rows that fit -----------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_loss_and_score_of_given_rows(solver, early_stopping):
    weight = rng.uniform(1, 2, 30)
    settings = {"early_stopping": True, "restore_best": False} if early_stopping else {}
    network = MLPClassifier(solver=solver, **settings, **SETTINGS).fit(
        X, CODES, X_val=X_VAL, y_val=CODES_VAL, sample_weight_val=weight
    )
    probabilities = network.predict_proba(X_VAL)
    expected = log_loss(CODES_VAL, probabilities, sample_weight=weight)
    assert network.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-10)
    score = network.score(X_VAL, CODES_VAL, sample_weight=weight)
    assert network.history_["val_score"][-1] == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_validation_rows_of_any_kind_are_the_same_rows(early_stopping):
    kinds = [
        (X, X_VAL, CODES_VAL),
        (X, sparse.csr_array(X_VAL), CODES_VAL),
        (X, sparse.csc_matrix(X_VAL), CODES_VAL),
        (sparse.csr_array(X), X_VAL, CODES_VAL),
        (X, np.asfortranarray(X_VAL), list(CODES_VAL)),
        (X, pd.DataFrame(X_VAL).to_numpy(), CODES_VAL.astype(np.int8)),
    ]
    histories = []
    for table, X_val, y_val in kinds:
        network = MLPClassifier(early_stopping=early_stopping, **SETTINGS)
        network.fit(table, CODES, X_val=X_val, y_val=y_val)
        histories.append([network.history_[name] for name in ("val_loss", "val_score")])
    for history in histories[1:]:
        np.testing.assert_allclose(history, histories[0], rtol=1e-9)


def test_some_classes_may_be_missing_among_the_validation_rows():
    network = MLPClassifier(**SETTINGS).fit(X, CODES, X_val=X_VAL[:4], y_val=[0, 0, 2, 0])
    assert np.isfinite(network.history_["val_loss"]).all()


@pytest.mark.parametrize(
    ("kind", "y", "y_val"),
    [
        (MLPClassifier, CODES, CODES_VAL),
        (MLPClassifier, LABELS, LABELS_VAL),
        (MLPRegressor, NUMBERS, NUMBERS_VAL),
        (MLPRegressor, NUMBERS[:, 0], NUMBERS_VAL[:, 0]),
    ],
)
@pytest.mark.parametrize("scoring", [None, "loss", "score"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_records_are_plain_numbers(kind, y, y_val, scoring, solver, dtype):
    scorer = (lambda network, table, targets: network.score(table, targets)) if scoring else None
    network = kind(
        solver=solver,
        dtype=dtype,
        early_stopping=True,
        scoring=scorer if scoring == "score" else scoring,
        **SETTINGS,
    ).fit(X, y, X_val=X_VAL, y_val=y_val)
    assert {type(value) for value in network.history_.pop("epoch")} == {int}
    columns = [*network.history_.values(), network.loss_curve_, network.validation_scores_]
    columns.append([network.loss_, network.best_validation_score_])
    assert {type(value) for column in columns for value in column} == {float}


# ---- given rows that do not fit ----------------------------------------------------------------

BOTH = "X_val and y_val must be like X and y"
WEIGHT = "sample_weight_val must be weights of the rows of X_val"
R_DATA = (X, NUMBERS)
C_DATA = (X, CODES)
UNFIT = {
    "one column for three": (MLPRegressor, R_DATA, (X_VAL, NUMBERS_VAL[:, 0]), "y_val of shape"),
    "two columns for three": (MLPRegressor, R_DATA, (X_VAL, NUMBERS_VAL[:, :2]), "y_val of shape"),
    "three columns for one": (MLPRegressor, (X, CODES), (X_VAL, NUMBERS_VAL), "y_val of shape"),
    "two labels for three": (
        MLPClassifier,
        (X, LABELS),
        (X_VAL, LABELS_VAL[:, :2]),
        "y_val of shape (30, 2) must have as many columns as y of shape (60, 3)",
    ),
    "four labels for three": (
        MLPClassifier,
        (X, LABELS),
        (X_VAL, np.column_stack([LABELS_VAL, LABELS_VAL[:, 0]])),
        BOTH,
    ),
    "classes for labels": (MLPClassifier, (X, LABELS), (X_VAL, CODES_VAL), BOTH),
    "labels for classes": (MLPClassifier, C_DATA, (X_VAL, LABELS_VAL), BOTH),
    "unknown class": (MLPClassifier, C_DATA, (X_VAL, CODES_VAL + 1), BOTH),
    "words for numbers": (MLPClassifier, C_DATA, (X_VAL, np.array(["a", "b", "c"] * 10)), BOTH),
    "NaN in y_val": (MLPRegressor, R_DATA, (X_VAL, np.where(NUMBERS_VAL > 2, np.nan, 1.0)), BOTH),
    "fewer features": (MLPRegressor, R_DATA, (X_VAL[:, :4], NUMBERS_VAL), BOTH),
    "more features, sparse": (
        MLPRegressor,
        R_DATA,
        (sparse.csr_array(np.ones((30, 9))), NUMBERS_VAL),
        BOTH,
    ),
    "NaN in X_val": (MLPRegressor, R_DATA, (np.where(X_VAL > 1, np.nan, X_VAL), NUMBERS_VAL), BOTH),
    "lengths": (MLPRegressor, R_DATA, (X_VAL, NUMBERS_VAL[:-1]), BOTH),
    "no rows": (MLPRegressor, R_DATA, (X_VAL[:0], NUMBERS_VAL[:0]), BOTH),
    "complex": (MLPRegressor, R_DATA, (X_VAL + 1j, NUMBERS_VAL), BOTH),
    "weights, length": (MLPRegressor, R_DATA, (X_VAL, NUMBERS_VAL, np.ones(29)), WEIGHT),
    "weights, negative": (MLPRegressor, R_DATA, (X_VAL, NUMBERS_VAL, -np.ones(30)), WEIGHT),
    "weights, zero": (MLPRegressor, R_DATA, (X_VAL, NUMBERS_VAL, np.zeros(30)), WEIGHT),
    "weights, NaN": (MLPRegressor, R_DATA, (X_VAL, NUMBERS_VAL, np.full(30, np.nan)), WEIGHT),
    "X_val alone": (MLPRegressor, R_DATA, (X_VAL, None), "must be given together"),
    "y_val alone": (MLPRegressor, R_DATA, (None, NUMBERS_VAL), "must be given together"),
    "weights alone": (
        MLPRegressor,
        R_DATA,
        (None, None, np.ones(30)),
        "sample_weight_val was given without X_val and y_val",
    ),
}


def errors_of_unfit_rows(early_stopping):
    """Return what each case raises, or None."""
    raised = {}
    for name, (kind, data, validation, _) in UNFIT.items():
        network = kind(early_stopping=early_stopping == "True", **SETTINGS)
        try:
            network.fit(*data, None, *validation)
            raised[name] = None
        except (ValueError, TypeError) as error:
            raised[name] = str(error)
        if vars(network) != network.get_params():
            raised[name] = f"changed the estimator: {raised[name]}"
    return raised


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_that_do_not_fit_are_refused(early_stopping):
    """In a process of its own: a kernel that reads past the end of ``y_val`` may end it."""
    raised = processes.run(errors_of_unfit_rows, str(early_stopping)).value
    for name, (*_, expected) in UNFIT.items():
        assert (raised[name] or "").startswith(expected) or expected in (raised[name] or ""), name


@pytest.mark.parametrize("warm_start", [False, True])
def test_rows_that_do_not_fit_leave_a_fitted_estimator_as_it_was(warm_start):
    network = MLPRegressor(warm_start=warm_start, **SETTINGS).fit(X, NUMBERS)
    before = dict(vars(network))
    with pytest.raises(ValueError, match="y_val of shape"):
        network.fit(X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL[:, 0])
    assert vars(network).keys() == before.keys()
    assert all(vars(network)[name] is value for name, value in before.items())


@pytest.mark.parametrize("n_features", [2, 9])
def test_other_features_are_refused_without_n_features_in(n_features):
    network = MLPRegressor(warm_start=True, **SETTINGS).fit(X, NUMBERS)
    del network.n_features_in_
    with pytest.raises(ValueError, match=f"X_val has {n_features} features, but X has 5"):
        network.fit(X, NUMBERS, X_val=np.ones((30, n_features)), y_val=NUMBERS_VAL)


# ---- another score in further training ---------------------------------------------------------

SUCCESSORS = {
    "scoring": ({"scoring": "neg_mean_absolute_error"}, (X_VAL, NUMBERS_VAL[:, 0])),
    "function": ({"scoring": lambda estimator, X, y: -1000.0 - estimator.t_}, None),
    "loss": ({"scoring": "loss", "loss": "absolute_error"}, None),
    "y_val": ({}, (X_VAL, -50 * NUMBERS_VAL[:, 0])),
    "X_val": ({}, (50 * X_VAL, NUMBERS_VAL[:, 0])),
    "sparse X_val": ({}, (sparse.csr_matrix(50 * X_VAL), NUMBERS_VAL[:, 0])),
}


@pytest.mark.filterwarnings("ignore:X_val lies far outside")
@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("change", SUCCESSORS)
def test_scores_of_another_kind_are_not_compared(change, window):
    settings, rows = SUCCESSORS[change]
    first = X_VAL, NUMBERS_VAL[:, 0]
    network = MLPRegressor(
        **SETTINGS, early_stopping=True, warm_start=True, early_stopping_window=window
    )
    network.fit(X, NUMBERS[:, 0], X_val=first[0], y_val=first[1])
    # a score that no other reaches
    network.best_validation_score_ = 1e6
    n_before = len(network.validation_scores_)
    X_val, y_val = rows or first
    network.set_params(**settings).fit(X, NUMBERS[:, 0], X_val=X_val, y_val=y_val)
    scores = network.validation_scores_[n_before:]
    means = [np.mean(scores[max(0, i - window) : i]) for i in range(1, len(scores) + 1)]
    assert network.best_validation_score_ == max(means)
    assert network.best_iter_ == n_before + 1 + np.argmax(means)


def test_scores_of_one_kind_are_compared():
    network = MLPRegressor(**SETTINGS, early_stopping=True, warm_start=True)
    for rows in (X_VAL, X_VAL.copy()):
        network.fit(X, NUMBERS, X_val=rows, y_val=NUMBERS_VAL)
        network.best_validation_score_ = 1e6
    assert network.fit(X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL).best_validation_score_ == 1e6
    assert network.best_iter_ <= 3


def test_another_loss_is_not_compared():
    y = np.abs(NUMBERS[:, 0]) + 1
    network = MLPRegressor(**SETTINGS, warm_start=True).fit(X, y)
    network.best_loss_ = -1e6
    assert network.fit(X, y).best_loss_ == -1e6
    network.set_params(loss="absolute_error").fit(X, y)
    assert network.best_loss_ == min(network.loss_curve_[-3:])


# ---- another split in further training ---------------------------------------------------------


def test_rows_are_drawn_anew_if_the_split_has_changed():
    network = MLPRegressor(**SETTINGS, early_stopping=True, warm_start=True)
    groups = np.arange(60) % 3
    first = GroupShuffleSplit(1, test_size=0.3, random_state=0)
    steps = [
        (0.1, None, True),
        (np.float64(0.1), None, False),
        (0.4, None, True),
        (first, groups, True),
        (first, list(groups), False),
        (first, None, False),
        (first, groups.astype(str), True),
        (first, np.arange(60) % 4, True),
        (GroupShuffleSplit(1, test_size=0.5, random_state=0), np.arange(60) % 4, True),
        (PredefinedSplit(np.repeat([-1, 0], [40, 20])), None, True),
        (PredefinedSplit(np.repeat([-1, 0], [40, 20])), None, False),
        (PredefinedSplit(np.repeat([-1, 0], [30, 30])), None, True),
    ]
    split = None
    for fraction, given, is_drawn in steps:
        further = {} if given is None else {"groups": given}
        network.set_params(validation_fraction=fraction).fit(X, NUMBERS, **further)
        assert (network._training_state.split is not split) == is_drawn
        split = network._training_state.split
