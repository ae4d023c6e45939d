"""
Grid search over a digit classifier
===================================

Scale, search, evaluate: a scaler and a network in a ``Pipeline``, ``GridSearchCV`` around both, and
a test of the best candidate on samples that the search never saw. Then the same search with
scikit-learn's own network, to compare accuracy and time.
"""

import importlib.util
import time
import warnings

import sklearn.neural_network
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import sknn

# %%
# Data
# ----
# 1797 images of 8 x 8 pixels in ten classes. A quarter of them is held out as the test set.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The grid
# --------
# The scaler is part of the pipeline, so that each fold is scaled by its own training samples.
# ``mlp__alpha`` is the parameter ``alpha`` of the step called ``mlp``. Thirty epochs suffice to
# tell good settings from bad ones. Training has not converged by then, which is intended, so the
# warning about it is ignored.

GRID = {"mlp__hidden_layer_sizes": [(32,), (64,), (64, 32)], "mlp__alpha": [0.01, 1.0]}
SETTINGS = {"batch_size": 32, "max_iter": 30, "random_state": 0}

warnings.filterwarnings("ignore", category=ConvergenceWarning)


def search(network):
    """Run the search. Return it with the seconds that it took."""
    pipeline = Pipeline([("scale", StandardScaler()), ("mlp", network)])
    started = time.perf_counter()
    fitted = GridSearchCV(pipeline, GRID, cv=3).fit(X_train, y_train)
    return fitted, time.perf_counter() - started


# %%
# The first fit
# -------------
# The first fit and the first prediction on a machine compile their kernels, which takes some
# seconds and is then cached on disk. Here this happens before anything is timed.

started = time.perf_counter()
sknn.MLPClassifier(**SETTINGS).fit(X_train, y_train).predict(X_train)
seconds = time.perf_counter() - started
print(f"First fit and prediction: {seconds:.1f} s (several if it has to compile)\n")

# %%
# The search, best candidates first
# ---------------------------------
# ``cv_results_`` has one entry per candidate: mean and standard deviation of the accuracy over the
# folds, and the seconds per fit.

ours, our_seconds = search(sknn.MLPClassifier(**SETTINGS))

results = ours.cv_results_
print("mean_test_score  std_test_score  mean_fit_time  params")
for i in results["rank_test_score"].argsort(kind="stable"):
    settings = ", ".join(
        f"{name.removeprefix('mlp__')}={value}" for name, value in results["params"][i].items()
    )
    print(
        f"{results['mean_test_score'][i]:15.4f}  {results['std_test_score'][i]:14.4f}  "
        f"{results['mean_fit_time'][i]:13.3f}  {settings}"
    )

# %%
# The same with scikit-learn's network
# ------------------------------------
# Only the import differs. With the same ``random_state``, starting weights and minibatches are the
# same, so the results agree.

theirs, their_seconds = search(sklearn.neural_network.MLPClassifier(**SETTINGS))

print("\nnetwork       test accuracy  seconds of the search")
for name, fitted, seconds in [("sknn", ours, our_seconds), ("scikit-learn", theirs, their_seconds)]:
    print(f"{name:12}  {fitted.score(X_test, y_test):13.4f}  {seconds:21.2f}")

# %%
# Loss curves of the two best candidates
# --------------------------------------
# The curves coincide.

if importlib.util.find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    for name, fitted, style in [("scikit-learn", theirs, "-"), ("sknn", ours, "--")]:
        losses = fitted.best_estimator_["mlp"].loss_curve_
        plt.plot(range(1, len(losses) + 1), losses, style, label=name)
    plt.xlabel("epoch")
    plt.ylabel("training loss")
    plt.yscale("log")
    plt.legend()
    plt.show()
