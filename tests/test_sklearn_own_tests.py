"""scikit-learn's own tests of its MLP, run on ours."""

import sklearn.neural_network.tests.test_mlp as original

import sknn

_PRIVATE = {"test_fit", "test_gradient"}  # they set or call private members of scikit-learn's classes

original.MLPClassifier, original.MLPRegressor = sknn.MLPClassifier, sknn.MLPRegressor
globals().update({name: value for name, value in vars(original).items() if name.startswith("test_") and name not in _PRIVATE})
