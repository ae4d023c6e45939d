"""
How large a network, how strong a penalty?
==========================================

Capacity and regularization work against each other, so they are chosen together. ``GridSearchCV``
cross-validates all pairs, and a map of the scores shows where networks are too small, where the
penalty is too strong, and that a wide region between is equally good. The test set is used once, at
the very end.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sknn import MLPClassifier

# every candidate trains for the same 40 epochs
warnings.filterwarnings("ignore", category=ConvergenceWarning)

# %%
# Data
# ----
# 600 images of digits for selection and training, 1197 for testing.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=600, stratify=y, random_state=0
)

# %%
# The search
# ----------
# The scaler is in the pipeline, so that no fold uses means and deviations of its test samples. Six
# networks, six penalties and five folds make 180 fits, and one more of the best candidate on the
# whole training set.

SIZES = [(), (4,), (16,), (64,), (256,), (64, 64)]
ALPHAS = [0.001, 0.01, 0.1, 1.0, 3.0, 10.0]

pipeline = Pipeline(
    [
        ("scale", StandardScaler()),
        (
            "mlp",
            MLPClassifier(batch_size=32, learning_rate_init=0.003, max_iter=40, random_state=0),
        ),
    ]
)
grid = {"mlp__hidden_layer_sizes": SIZES, "mlp__alpha": ALPHAS}
search = GridSearchCV(pipeline, grid, cv=StratifiedKFold(5, shuffle=True, random_state=0)).fit(
    X_train, y_train
)

# %%
# The best candidate
# ------------------
# Its cross-validated score is the best of thirty-six and therefore slightly optimistic. The test
# set gives an unbiased score. As far as five folds can tell, candidates within one standard
# deviation are equally good.

results = search.cv_results_
deviation = results["std_test_score"][search.best_index_]
close = results["mean_test_score"] > search.best_score_ - deviation

print(
    f"best parameters: hidden_layer_sizes={search.best_params_['mlp__hidden_layer_sizes']}, "
    f"alpha={search.best_params_['mlp__alpha']}"
)
print(f"accuracy in cross-validation: {search.best_score_:.3f} +- {deviation:.3f}")
print(f"candidates within one standard deviation of that: {close.sum()} of {close.size}")
print(f"test accuracy: {search.score(X_test, y_test):.3f}\n")

# %%
# Its layers.

print(search.best_estimator_["mlp"].summary())

# %%
# The map
# -------
# Four hidden units are worse than none: ten classes do not fit through such a narrow layer. More
# units do no harm as long as the penalty is moderate. The strongest penalty shrinks the weights so
# much that two hidden layers end up guessing. The best ``alpha`` is not at an end of its range. If
# it were, smaller or larger values should be tried too.

scores = np.empty((len(SIZES), len(ALPHAS)))
for candidate, score in zip(results["params"], results["mean_test_score"], strict=True):
    scores[
        SIZES.index(candidate["mlp__hidden_layer_sizes"]), ALPHAS.index(candidate["mlp__alpha"])
    ] = score

figure, axis = plt.subplots(figsize=(8, 6), layout="constrained")
image = axis.imshow(scores, cmap="viridis", vmin=0.8, aspect="auto")
for (i, j), score in np.ndenumerate(scores):
    winner = (
        SIZES[i] == search.best_params_["mlp__hidden_layer_sizes"]
        and ALPHAS[j] == search.best_params_["mlp__alpha"]
    )
    axis.text(
        j,
        i,
        f"{score:.3f}",
        ha="center",
        va="center",
        color="black" if score > 0.9 else "white",
        fontweight="bold" if winner else None,
    )
    if winner:
        axis.add_patch(
            plt.Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="tab:red", linewidth=3)
        )
axis.set_xticks(range(len(ALPHAS)), ALPHAS)
axis.set_yticks(range(len(SIZES)), [" + ".join(map(str, sizes)) or "none" for sizes in SIZES])
axis.set(xlabel="alpha (L2 penalty)", ylabel="hidden units", title="Mean accuracy over five folds")
figure.colorbar(image, extend="min", label="accuracy")
plt.show()
