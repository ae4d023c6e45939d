"""Schedules, dropout, batch norm, clipping and early stopping: what they do to training."""

import pickle
import re

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import ShuffleSplit

from sknn import HiddenFeatures, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X = X[:300] / 16
y = y[:300]


def curve(**parameters):
    return (
        MLPClassifier((10,), max_iter=6, random_state=0, batch_size=50, **parameters)
        .fit(X, y)
        .loss_curve_
    )


def test_history_has_the_rate_of_every_epoch():
    clf = MLPClassifier(
        (5,), max_iter=5, learning_rate="exponential", decay_rate=0.5, learning_rate_init=0.1
    ).fit(X, y)
    np.testing.assert_allclose(clf.history_["learning_rate"], 0.1 * np.exp(-0.5 * np.arange(5)))
    assert {len(column) for column in clf.history_.values()} == {5}


def test_warmup_rises_step_by_step():
    clf = MLPClassifier(
        (5,), max_iter=4, warmup_epochs=2, batch_size=100, learning_rate_init=0.1, random_state=0
    ).fit(X, y)
    np.testing.assert_allclose(clf.history_["learning_rate"], [0.1 / 6, 0.1 * 4 / 6, 0.1, 0.1])


def test_plateau_lowers_the_rate_of_any_solver():
    clf = MLPClassifier(
        (5,), max_iter=40, learning_rate="plateau", tol=10.0, n_iter_no_change=2, random_state=0
    ).fit(X, y)
    rates = np.array(clf.history_["learning_rate"])
    assert rates[0] == 1e-3
    assert set(np.round(np.log10(rates), 9)) >= {-3.0, -4.0, -5.0}
    assert clf.n_iter_ < 40


@pytest.mark.parametrize(
    "parameters",
    [{"dropout": 0.4}, {"input_dropout": 0.4}, {"batch_norm": True}, {"learning_rate": "cosine"}],
    ids=str,
)
def test_warm_start_and_pickles_continue_all_of_it(parameters):
    settings = {"random_state": 0, "batch_size": 50, "n_iter_no_change": 100, **parameters}
    whole = MLPClassifier((10,), max_iter=6, **settings).fit(X, y)
    if "learning_rate" not in parameters:  # whose horizon is max_iter
        half = MLPClassifier((10,), max_iter=3, warm_start=True, **settings).fit(X, y)
        half = pickle.loads(pickle.dumps(half)).fit(X, y)
        assert half.loss_curve_ == whole.loss_curve_
        np.testing.assert_array_equal(half.predict_proba(X), whole.predict_proba(X))
    parts = MLPClassifier((10,), max_iter=6, **settings)
    for _ in range(6):
        parts.partial_fit(X, y, classes=np.unique(y))
    assert parts.loss_curve_ == whole.loss_curve_


def test_dropout_of_sparse_inputs_is_that_of_dense_ones():
    settings = {"max_iter": 4, "random_state": 0, "input_dropout": 0.3, "dropout": 0.2}
    dense = MLPClassifier((10,), **settings).fit(X, y)
    csr = MLPClassifier((10,), **settings).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(csr.loss_curve_, dense.loss_curve_, rtol=1e-10)


def test_predictions_have_no_dropout():
    clf = MLPClassifier((10,), max_iter=3, dropout=0.5, random_state=0).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), clf.predict_proba(X))
    hidden = np.maximum(X @ clf.coefs_[0] + clf.intercepts_[0], 0)
    np.testing.assert_allclose(clf.hidden_features(X), hidden, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "parameters",
    [{"batch_norm": "before"}, {"batch_norm": "after"}, {"dropout": 0.3, "max_grad_norm": 0.1}],
    ids=str,
)
def test_weight_zero_is_a_row_absent(parameters):
    n = 100
    weight = np.r_[np.ones(n), np.zeros(50)]
    settings = {
        "solver": "sgd",
        "batch_size": 1000,
        "shuffle": False,
        "max_iter": 3,
        "random_state": 0,
    } | parameters
    with pytest.warns(UserWarning, match="batch_size"):
        weighted = MLPClassifier((10,), **settings).fit(X[:150], y[:150], sample_weight=weight)
    with pytest.warns(UserWarning, match="batch_size"):
        absent = MLPClassifier((10,), **settings).fit(X[:n], y[:n])
    np.testing.assert_allclose(weighted.coefs_[0], absent.coefs_[0], rtol=1e-7, atol=1e-10)


def test_batch_norm_running_averages_end_at_the_data_s():
    clf = MLPClassifier((6,), max_iter=30, batch_norm=True, solver="lbfgs", random_state=0).fit(
        X, y
    )
    z = X @ clf.coefs_[0] + clf.intercepts_[0]
    np.testing.assert_allclose(clf.batch_norm_mean_[0], z.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(clf.batch_norm_var_[0], z.var(axis=0), rtol=1e-9, atol=1e-12)


def test_clipping_bounds_the_step():
    before = MLPClassifier(
        (10,),
        max_iter=1,
        solver="sgd",
        momentum=0.0,
        learning_rate_init=1e-30,
        random_state=0,
        batch_size=300,
    ).fit(X, y)
    after = clone(before).set_params(learning_rate_init=1.0, max_grad_norm=0.01).fit(X, y)
    moved = np.sqrt(
        sum(
            np.sum((a - b) ** 2)
            for a, b in zip(
                after.coefs_ + after.intercepts_, before.coefs_ + before.intercepts_, strict=True
            )
        )
    )
    assert moved == pytest.approx(0.01, rel=1e-6)
    assert curve(max_grad_norm=1e9) == pytest.approx(curve(), rel=1e-12)


def test_clipping_leaves_lbfgs_alone():
    plain = MLPClassifier((5,), solver="lbfgs", max_iter=10, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="max_grad_norm"):
        clipped = MLPClassifier(
            (5,), solver="lbfgs", max_iter=10, random_state=0, max_grad_norm=0.01
        ).fit(X, y)
    assert clipped.loss_curve_ == plain.loss_curve_


def test_deep_unscaled_network_stays_finite_when_clipped():
    clf = MLPClassifier(
        (20,) * 50, max_iter=5, max_grad_norm=1.0, random_state=0, initializer="he_normal"
    ).fit(1000 * X, y)
    assert np.isfinite(clf.loss_curve_).all()


def test_weight_decay_does_not_depend_on_the_batch():
    still = {
        "solver": "sgd",
        "momentum": 0.0,
        "alpha": 0.0,
        "learning_rate_init": 1e-3,
        "max_iter": 1,
        "random_state": 0,
        "batch_size": 300,
    }
    plain = MLPClassifier((4,), **still).fit(X, y)
    decayed = MLPClassifier((4,), weight_decay=10.0, **still).fit(X, y)
    start = MLPClassifier((4,), **(still | {"learning_rate_init": 1e-30})).fit(X, y)
    np.testing.assert_allclose(
        plain.coefs_[0] - decayed.coefs_[0], 0.01 * start.coefs_[0], rtol=1e-6
    )
    np.testing.assert_array_equal(plain.intercepts_[0], decayed.intercepts_[0])


# ---- early stopping ----------------------------------------------------------------------------


def test_given_validation_rows_are_watched():
    clf = MLPClassifier((10,), max_iter=30, early_stopping=True, n_iter_no_change=3, random_state=0)
    clf.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert clf.best_validation_score_ == max(clf.validation_scores_) == clf.score(X[200:], y[200:])
    assert clf.best_iter_ == np.argmax(clf.validation_scores_) + 1


def test_given_validation_rows_are_recorded_without_stopping():
    clf = MLPClassifier((10,), max_iter=5, random_state=0).fit(
        X[:200], y[:200], X_val=X[200:], y_val=y[200:]
    )
    plain = MLPClassifier((10,), max_iter=5, random_state=0).fit(X[:200], y[:200])
    assert clf.loss_curve_ == plain.loss_curve_
    assert clf.history_["val_score"][-1] == clf.score(X[200:], y[200:])
    assert clf.validation_scores_ is None


@pytest.mark.parametrize(
    ("scoring", "expected"),
    [("loss", None), ("f1_macro", None), (lambda est, X, y: float(est.n_features_in_), 64.0)],
)
def test_scoring_says_what_is_watched(scoring, expected):
    clf = MLPClassifier(
        (10,),
        max_iter=20,
        early_stopping=True,
        scoring=scoring,
        random_state=0,
        n_iter_no_change=30,
    ).fit(X, y)
    if scoring == "loss":
        np.testing.assert_allclose(clf.validation_scores_, -np.array(clf.history_["val_loss"]))
    if expected is not None:
        assert set(clf.validation_scores_) == {expected}
    assert clf.best_validation_score_ == max(clf.validation_scores_)


def test_window_averages_scores():
    clf = MLPClassifier(
        (10,),
        max_iter=15,
        early_stopping=True,
        early_stopping_window=3,
        random_state=0,
        n_iter_no_change=30,
    ).fit(X, y)
    scores = clf.validation_scores_
    averages = [np.mean(scores[max(0, i - 2) : i + 1]) for i in range(len(scores))]
    assert clf.best_validation_score_ == max(averages)


def test_restore_best_is_optional():
    settings = {
        "max_iter": 40,
        "early_stopping": True,
        "random_state": 1,
        "n_iter_no_change": 60,
        "learning_rate_init": 0.05,
    }
    last = MLPClassifier((10,), restore_best=False, **settings).fit(X, y)
    best = MLPClassifier((10,), **settings).fit(X, y)
    assert best.validation_scores_ == last.validation_scores_
    assert best.best_iter_ < 40
    assert not np.array_equal(best.coefs_[0], last.coefs_[0])


@pytest.mark.parametrize("window", [1, 3])
def test_restore_best_latest_takes_the_last_of_equally_good_epochs(window):
    settings = {
        "hidden_layer_sizes": (10,),
        "max_iter": 24,
        "n_iter_no_change": np.inf,
        "early_stopping": True,
        "early_stopping_window": window,
        "learning_rate_init": 0.03,
        "random_state": 2,
    }
    first = MLPClassifier(**settings).fit(X, y)
    latest = MLPClassifier(restore_best="latest", **settings).fit(X, y)
    scores = [np.mean(latest.validation_scores_[max(0, i + 1 - window) : i + 1]) for i in range(24)]
    best = np.flatnonzero(np.array(scores) == max(scores)) + 1
    assert (first.best_iter_, latest.best_iter_) == (best[0], best[-1])
    assert best[0] < best[-1] < 24
    assert latest.best_validation_score_ == first.best_validation_score_
    # its weights are those of that epoch
    shorter = MLPClassifier(**settings | {"max_iter": int(best[-1])}, restore_best=False)
    np.testing.assert_array_equal(latest.coefs_[0], shorter.fit(X, y).coefs_[0])


def test_restore_best_latest_goes_on_bit_for_bit():
    settings = {"early_stopping": True, "n_iter_no_change": np.inf, "random_state": 1}
    settings |= {"hidden_layer_sizes": (10,), "restore_best": "latest", "warm_start": True}
    halves = MLPClassifier(**settings, max_iter=8).fit(X, y)
    halves = pickle.loads(pickle.dumps(halves)).fit(X, y)
    whole = MLPClassifier(**settings, max_iter=16).fit(X, y)
    assert halves.best_iter_ == whole.best_iter_
    np.testing.assert_array_equal(halves.coefs_[0], whole.coefs_[0])


def test_a_splitter_makes_the_validation_rows():
    splitter = ShuffleSplit(1, test_size=77, random_state=3)
    clf = MLPClassifier(
        (10,), max_iter=3, early_stopping=True, validation_fraction=splitter, random_state=0
    ).fit(X, y)
    train, validation = next(splitter.split(X))
    given = MLPClassifier((10,), max_iter=3, early_stopping=True, random_state=0)
    given.fit(X[train], y[train], X_val=X[validation], y_val=y[validation])
    assert clf.loss_curve_ == given.loss_curve_
    assert clf.validation_scores_ == given.validation_scores_


class _Indices:
    """A splitter with one split."""

    def __init__(self, train, validation):
        self._split = train, validation

    def get_n_splits(self):
        return 1

    def split(self, X, y):
        yield self._split


def test_a_splitter_may_count_from_the_end():
    settings = {"max_iter": 3, "early_stopping": True, "random_state": 0}
    rows = np.arange(len(y))
    split = (rows[50:], rows[:50])
    from_the_end = (rows[50:] - len(y), rows[:50] - len(y))
    one, other = (
        MLPClassifier((10,), validation_fraction=_Indices(*which), **settings).fit(X, y)
        for which in (split, from_the_end)
    )
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_scores_ == other.validation_scores_


def test_a_splitter_has_to_split_these_rows():
    splitter = _Indices(np.arange(10**6), np.arange(50))
    with pytest.raises(ValueError, match=r"validation_fraction=.* out of bounds"):
        MLPClassifier((10,), max_iter=3, early_stopping=True, validation_fraction=splitter).fit(
            X, y
        )


def test_class_weight_multiplies_sample_weight():
    weighted = MLPClassifier((5,), max_iter=3, random_state=0).fit(
        X, y, sample_weight=np.where(y == 3, 5.0, 1.0)
    )
    by_class = MLPClassifier((5,), max_iter=3, random_state=0, class_weight={3: 5.0}).fit(X, y)
    np.testing.assert_allclose(by_class.loss_curve_, weighted.loss_curve_, rtol=1e-12)


def test_normalize_y_predicts_in_original_units():
    target = 1e6 + 1e4 * X[:, 20]
    regressor = MLPRegressor(
        "squared_error", (10,), normalize_y=True, learning_rate_init=0.01, random_state=0
    ).fit(X, target)
    assert regressor.score(X, target) > 0.9


# ---- seeing it ---------------------------------------------------------------------------------


def test_summary_counts_parameters():
    pixels = np.random.default_rng(0).random((20, 784))
    network = MLPClassifier((512, 512), max_iter=1)
    fitted = clone(network).fit(pixels, np.arange(20) % 10).summary()
    for summary in (network.summary(784, 10), fitted):
        counts = [layer.n_parameters for layer in summary.layers if layer.n_parameters]
        assert counts == [401_920, 262_656, 5_130]
        assert summary.n_parameters == summary.n_trainable == 669_706
        for text in (str(summary), summary._repr_html_()):
            assert all(count in text for count in ("401,920", "262,656", "5,130", "669,706"))


def test_summary_before_fit_shows_what_is_known():
    summary = MLPClassifier((20, 10), batch_norm=True).summary()
    counts = {layer.name: layer.n_parameters for layer in summary.layers}
    assert counts["dense 1"] is None
    assert counts["dense 2"] == 21 * 10
    assert counts["batch norm 2"] == 4 * 10
    assert summary.n_parameters is None
    assert "?" in str(summary)


def test_summary_shows_memory_as_keras_does():
    text = str(MLPClassifier((512, 512), dtype="float32").summary(784, 10))
    assert [" ".join(line.split()) for line in text.splitlines()[-3:]] == [
        "Total 2.55 MB 669,706",
        "Trainable 2.55 MB 669,706",
        "Non-trainable 0 B 0",
    ]
    assert "5.11 MB" in str(MLPClassifier((512, 512)).summary(784, 10))
    fitted = MLPClassifier((5,), max_iter=2).fit(X.astype(np.float32), y).summary()
    assert f"{4 * fitted.n_parameters / 1024:.2f} KB" in str(fitted)


def test_summary_as_html():
    summary = MLPClassifier((20,), batch_norm=True, dropout=0.5).summary(4, 3)
    page = summary._repr_html_()
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", page)
    assert cells[:3] == ["Layer", "Output shape", "Parameters"]
    assert cells[3::3] == [
        *("dense 1", "batch norm 1", "relu 1", "dropout 1 (0.5)", "dense 2"),
        *("Total", "Trainable", "Non-trainable"),
    ]
    assert not re.search(r"#[0-9a-fA-F]{3}|white|black", page)  # colors of the page around it


def test_summary_is_of_the_fitted_network():
    network = MLPClassifier((5,), activation="tanh", max_iter=2).fit(X, y)
    before = str(network.summary())
    network.set_params(activation="relu", hidden_layer_sizes=(9, 9), batch_norm=True)
    assert str(network.summary()) == before


def test_hidden_features_transform():
    transformer = HiddenFeatures(
        MLPClassifier((8, 3), max_iter=3, random_state=0), layer=0
    ).set_output(transform="pandas")
    frame = transformer.fit(X, y).transform(X)
    assert list(frame.columns) == list(transformer.get_feature_names_out())
    np.testing.assert_array_equal(frame, transformer.estimator_.hidden_features(X, 0))
    with pytest.raises(ValueError, match="layer=5"):
        transformer.estimator_.hidden_features(X, 5)
