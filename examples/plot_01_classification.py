"""
Search the settings of a digit classifier
=========================================

Scale, search, judge: a scaler and a network in a ``Pipeline``, ``GridSearchCV`` around both, and
the winner tested on rows that the search never saw. Then the same search with scikit-learn's own
network, to compare accuracy and time.
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
# 1797 images of 8 x 8 pixels in ten classes. A quarter of them is put aside until the end.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# What is searched
# ----------------
# The scaler is part of the pipeline, so that each fold is scaled by its own training rows.
# ``mlp__alpha`` means: parameter ``alpha`` of the step called ``mlp``. Thirty epochs suffice to
# tell good settings from bad ones; that training has not converged by then is intended, so the
# warning that says so is switched off.

GRID = {"mlp__hidden_layer_sizes": [(32,), (64,), (64, 32)], "mlp__alpha": [0.01, 1.0]}
SETTINGS = {"batch_size": 32, "max_iter": 30, "random_state": 0}

warnings.filterwarnings("ignore", category=ConvergenceWarning)


def search(network):
    """Fit the search; return it with the seconds that it took."""
    pipeline = Pipeline([("scale", StandardScaler()), ("mlp", network)])
    started = time.perf_counter()
    fitted = GridSearchCV(pipeline, GRID, cv=3).fit(X_train, y_train)
    return fitted, time.perf_counter() - started


# %%
# The first fit
# -------------
# It compiles what the network needs, and so does the first prediction. That takes some seconds once
# on a machine and is then kept on disk; here it is done before anything is timed.

started = time.perf_counter()
sknn.MLPClassifier(**SETTINGS).fit(X_train, y_train).predict(X_train)
print(
    f"First fit and prediction: {time.perf_counter() - started:.1f} s (several when it has to compile)\n"
)

# %%
# The search, best settings first
# -------------------------------
# ``cv_results_`` holds one row a candidate: mean and standard deviation of the accuracy over the
# folds, and seconds a fit.

ours, our_seconds = search(sknn.MLPClassifier(**SETTINGS))

results = ours.cv_results_
print("mean_test_score  std_test_score  mean_fit_time  params")
for i in results["rank_test_score"].argsort(kind="stable"):
    settings = ", ".join(
        f"{name.removeprefix('mlp__')}={value}" for name, value in results["params"][i].items()
    )
    print(
        f"{results['mean_test_score'][i]:15.4f}  {results['std_test_score'][i]:14.4f}  {results['mean_fit_time'][i]:13.3f}  {settings}"
    )

# %%
# The same with scikit-learn's network
# ------------------------------------
# One import differs. Starting weights and batches are the same for the same ``random_state``, so
# the results agree too.

theirs, their_seconds = search(sklearn.neural_network.MLPClassifier(**SETTINGS))

print("\nnetwork       test accuracy  seconds of the search")
for name, fitted, seconds in [("sknn", ours, our_seconds), ("scikit-learn", theirs, their_seconds)]:
    print(f"{name:12}  {fitted.score(X_test, y_test):13.4f}  {seconds:21.2f}")

# %%
# Loss curves of the two winners
# ------------------------------
# They lie on top of each other.

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
