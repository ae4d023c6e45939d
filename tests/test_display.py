"""The plot of a training history: what is drawn, of whom, and that nothing hides anything."""

import sys

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import (
    EnsembleClassifier,
    HiddenFeatures,
    MLPClassifier,
    MLPRegressor,
    TrainingHistoryDisplay,
)

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)
X, y = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def no_windows():
    pyplot.switch_backend("Agg")
    yield
    pyplot.close("all")


def network(**settings):
    return MLPClassifier(
        **{"hidden_layer_sizes": (5,), "max_iter": 6, "random_state": 0} | settings
    )


def labels(display):
    axes = display.score_ax_ or display.ax_
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_without_validation_samples():
    fitted = network().fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(fitted)
    assert labels(display) == ["training loss", "best epoch: 6, the last"]
    assert display.score_ax_ is None
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_title() == "MLPClassifier"
    np.testing.assert_array_equal(display.line_.get_ydata(), fitted.loss_curve_)
    assert display.line_.get_markevery() == [5]


def test_a_single_epoch_with_a_large_loss():
    history = MLPRegressor(hidden_layer_sizes=(5,), max_iter=1).fit(X, 1000.0 * y).history_
    display = TrainingHistoryDisplay.from_history(history)
    low, high = display.ax_.get_ylim()
    assert low < history["loss"][0] < high


def test_an_ensemble_is_told_that_its_networks_have_histories():
    ensemble = make_pipeline(StandardScaler(), EnsembleClassifier(network(), n_estimators=2))
    ensemble.fit(X, y)
    with pytest.raises(NotFittedError, match="give one of the ensemble's estimators_"):
        TrainingHistoryDisplay.from_estimator(ensemble)
    TrainingHistoryDisplay.from_estimator(ensemble[-1].estimators_[0])


def test_with_validation_samples():
    fitted = network(early_stopping=True, max_iter=40, n_iter_no_change=3).fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(fitted, name="iris")
    best = f"best epoch: {fitted.best_iter_} of {fitted.n_iter_}"
    assert labels(display) == ["training loss", "validation loss", "validation accuracy", best]
    assert fitted.best_iter_ < fitted.n_iter_
    assert set(display.best_line_.get_xdata()) == {fitted.best_iter_}
    assert display.score_ax_.get_ylabel() == "accuracy"
    assert display.ax_.get_title() == "iris"
    np.testing.assert_array_equal(
        display.lines_["val_score"].get_ydata(), fitted.validation_scores_
    )


def test_without_early_stopping_the_lowest_validation_loss_is_the_best():
    fitted = network(max_iter=300, learning_rate_init=0.1, n_iter_no_change=300)
    fitted.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    display = TrainingHistoryDisplay.from_estimator(fitted)
    best = 1 + int(np.argmin(fitted.history_["val_loss"]))
    assert best != fitted.best_iter_
    assert labels(display)[-1] == f"best epoch: {best} of 300"


def test_scores_are_named():
    for scoring, name in [("neg_log_loss", "neg_log_loss"), (lambda e, X, y: 0.5, "<lambda>")]:
        fitted = network(early_stopping=True, scoring=scoring).fit(X, y)
        display = TrainingHistoryDisplay.from_estimator(fitted)
        assert display.score_ax_.get_ylabel() == name
    fitted = network(early_stopping=True, scoring="loss").fit(X, y)
    assert TrainingHistoryDisplay.from_estimator(fitted).score_ax_ is None


def test_recorded_training_scores_are_drawn():
    fitted = network().fit(X, y, X_val=X, y_val=y)
    history = fitted.history_ | {"accuracy": fitted.history_["val_score"]}
    display = TrainingHistoryDisplay.from_history(history, score_name="accuracy", best_epoch=2)
    assert labels(display)[2:4] == ["training accuracy", "validation accuracy"]
    assert labels(display)[-1] == "best epoch: 2 of 6"


def meta_estimators():
    target = {"regressor": MLPRegressor(hidden_layer_sizes=(5,), max_iter=3)}
    pipeline = make_pipeline(StandardScaler(), network())
    return {
        "pipeline": pipeline,
        "search": GridSearchCV(network(), {"alpha": [1.0]}, cv=2),
        "search over pipelines": GridSearchCV(pipeline, {}, cv=2),
        "transformed target": TransformedTargetRegressor(**target),
        "hidden features": HiddenFeatures(network()),
    }


@pytest.mark.parametrize("name", meta_estimators())
def test_networks_inside_other_estimators(name):
    estimator = meta_estimators()[name]
    with pytest.raises(NotFittedError, match="must contain a fitted MLPClassifier"):
        TrainingHistoryDisplay.from_estimator(estimator)
    display = TrainingHistoryDisplay.from_estimator(estimator.fit(X, y))
    assert len(display.line_.get_ydata()) in (3, 6)


def test_estimators_without_a_network():
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(StandardScaler().fit(X))
    with pytest.raises(ValueError, match="at least one epoch"):
        TrainingHistoryDisplay.from_history({"epoch": []})


CASES = {
    "plain": {},
    "validated": {"early_stopping": True},
    "lbfgs": {"solver": "lbfgs", "early_stopping": True},
    "one epoch": {"max_iter": 1, "early_stopping": True},
}


@pytest.mark.parametrize("width", [4, 6.4, 12])
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_covered_or_cut_off(name, width):
    """The legend, drawn, is inside the axes and above all that is drawn; labels are inside the
    figure.
    """
    layout = "constrained" if width < 6 else None
    figure, ax = pyplot.subplots(figsize=(width, 0.75 * width), layout=layout)
    fitted = network(**CASES[name]).fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(fitted, ax=ax)
    assert display.ax_ is ax
    figure.canvas.draw()
    axes = list(filter(None, (display.ax_, display.score_ax_)))
    legend = axes[-1].get_legend().get_window_extent()
    inside = ax.get_window_extent()
    assert inside.x0 <= legend.x0
    assert legend.x1 <= inside.x1
    assert legend.y1 <= inside.y1
    for line in [*display.lines_.values(), display.best_line_]:
        points = line.get_transform().transform(line.get_xydata())
        assert points[:, 1].max() <= legend.y0
    for axis in axes:
        box = axis.get_tightbbox()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_epochs_that_diverged_are_left_out():
    history = network(max_iter=3).fit(X, y).history_
    history["loss"][-1] = np.nan
    display = TrainingHistoryDisplay.from_history(history)
    assert labels(display) == ["training loss", "best epoch: 2 of 3"]
    assert np.isfinite(display.ax_.get_ylim()).all()


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    fitted = network(max_iter=1).fit(X, y)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        TrainingHistoryDisplay.from_estimator(fitted)
