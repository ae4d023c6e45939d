"""A small table with a target for each kind of estimator, for tests of callbacks."""

import numpy as np
from sklearn.datasets import make_blobs, make_regression

from sknn import MLPClassifier, MLPRegressor

X, CODES = make_blobs(90, n_features=4, cluster_std=3, random_state=0)
NAMES = np.array(["apple", "pear", "quince"])[CODES]
NUMBERS = make_regression(90, 4, random_state=0)[1] / 100
TARGETS = {MLPClassifier: NAMES, MLPRegressor: NUMBERS}
