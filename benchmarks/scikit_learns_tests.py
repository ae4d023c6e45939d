"""Do scikit-learn's own tests of what surrounds an estimator pass with the networks in it?

In the tests of calibration, one-versus-rest and its like, scorers and inspection, ``MLPClassifier``
takes the place of every classifier and ``MLPRegressor`` that of every regressor: scikit-learn's
in one run and this package's in another. Many tests do not apply to a network, such as those that
ask for ``coef_`` of a linear model. So what counts is which tests pass with scikit-learn's and fail
with these.

The file is a plugin of pytest too, which replaces the estimators before a test is imported.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from inspect import signature
from pathlib import Path

import sklearn
from sklearn.utils import all_estimators

MODULES = (
    "sklearn.tests.test_calibration",
    "sklearn.tests.test_multiclass",
    "sklearn.tests.test_multioutput",
    "sklearn.metrics.tests.test_score_objects",
    "sklearn.inspection.tests.test_partial_dependence",
    "sklearn.inspection.tests.test_pd_utils",
    "sklearn.inspection.tests.test_permutation_importance",
    "sklearn.inspection._plot.tests.test_boundary_decision_display",
    "sklearn.inspection._plot.tests.test_plot_partial_dependence",
    "sklearn.metrics._plot.tests.test_common_curve_display",
    "sklearn.metrics._plot.tests.test_det_curve_display",
    "sklearn.metrics._plot.tests.test_precision_recall_display",
    "sklearn.metrics._plot.tests.test_roc_curve_display",
    "sklearn.metrics._plot.tests.test_predict_error_display",
    "sklearn.metrics._plot.tests.test_confusion_matrix_display",
    "sklearn.model_selection.tests.test_classification_threshold",
)
PACKAGES = ("sklearn.neural_network", "sknn")
PACKAGE = "NETWORKS_OF"  # environment variables of the plugin
RESULTS = "RESULTS_OF_TESTS"
# Networks that train for less than a second and yet learn something.
QUICK = {"hidden_layer_sizes": (10,), "learning_rate_init": 0.01, "max_iter": 100}


# ---- the plugin --------------------------------------------------------------------------------


def stand_in(network):
    """Return a function that is called like another estimator's class and makes a network."""

    def make(*args, random_state=0, **others):
        return network(**QUICK, random_state=random_state)

    return make


def replace_estimators(package):
    """Replace all classifiers and regressors in the public modules of scikit-learn, except those
    that wrap others.
    """
    networks = importlib.import_module(package)
    for kind, network in (
        ("classifier", networks.MLPClassifier),
        ("regressor", networks.MLPRegressor),
    ):
        make = stand_in(network)
        for name, estimator in all_estimators(type_filter=kind):
            wraps = {"estimator", "estimators", "kernel"} & set(signature(estimator).parameters)
            module = importlib.import_module(".".join(estimator.__module__.split(".")[:2]))
            if not wraps and "Dummy" not in name and "Isotonic" not in name:
                setattr(module, name, make)


def pytest_configure():
    """Called by pytest before it imports tests."""
    replace_estimators(os.environ[PACKAGE])


def pytest_runtest_logreport(report):
    """Called by pytest after each phase of a test."""
    passed = report.passed or (report.skipped and not hasattr(report, "wasxfail"))
    _OUTCOMES[report.nodeid] = passed and _OUTCOMES.get(report.nodeid, True)
    if report.failed:
        _REASONS[report.nodeid] = report.longreprtext[-1500:]


def pytest_sessionfinish():
    """Called by pytest at the end."""
    Path(os.environ[RESULTS]).write_text(json.dumps([_OUTCOMES, _REASONS]), encoding="utf-8")


_OUTCOMES = {}
_REASONS = {}


# ---- the program -------------------------------------------------------------------------------


def outcomes(package, modules):
    """Return which tests pass with the networks of ``package``, and the errors of others."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        environment = {
            **os.environ,
            PACKAGE: package,
            RESULTS: str(results),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", Path(__file__).stem]
        command += ["-p", "no:cacheprovider", "-W", "ignore", "--pyargs", *modules]
        # in another folder, so that this package's settings of pytest do not act
        finished = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        if not results.exists():
            raise RuntimeError(finished.stdout[-2000:] + finished.stderr[-2000:])
        return json.loads(results.read_text(encoding="utf-8"))


def main():
    """Print the tests that pass with scikit-learn's networks only; fail if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=MODULES, help="test modules to run")
    parser.add_argument("--reasons", action="store_true", help="print the errors")
    options = parser.parse_args()
    lost = []
    print(f"scikit-learn {sklearn.__version__}")
    for module in options.modules:
        theirs, _ = outcomes(PACKAGES[0], [module])
        ours, reasons = outcomes(PACKAGES[1], [module])
        worse = [name for name, passed in theirs.items() if passed and not ours.get(name, False)]
        n_better = sum(passed and not theirs.get(name, False) for name, passed in ours.items())
        print(
            f"{module}: of {len(theirs)} tests {sum(theirs.values())} pass with scikit-learn's "
            f"networks; of these, {len(worse)} fail here; {n_better} others pass",
            flush=True,
        )
        for name in worse:
            print("   ", name)
            if options.reasons:
                print(reasons.get(name, "not collected"))
        lost += worse
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
