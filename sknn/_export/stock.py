"""scikit-learn's own networks with the weights of this package's."""

from numbers import Real

import numpy as np
from scipy import sparse
from sklearn import neural_network
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import validate_parameter_constraints

from .._runtime.architecture import COEFS, INTERCEPTS
from .._validation.calibrated import checked_shifts, divide_by_temperature
from .network import fitted_network

_ACTIVATIONS = {
    "identity": "identity",
    "logistic": "logistic",
    "sigmoid": "logistic",
    "tanh": "tanh",
    "relu": "relu",
}
# Fitted attributes that both packages have.
_RECORD = (
    "loss_",
    "loss_curve_",
    "n_iter_",
    "t_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "n_features_in_",
)


def build_stock_network(estimator):
    """Return a network of scikit-learn's that predicts the same; see ``to_sklearn``."""
    architecture, arrays = fitted_network(estimator, "to_sklearn")
    kind = neural_network.MLPClassifier if is_classifier(estimator) else neural_network.MLPRegressor
    parameters = _shared_parameters(estimator, kind)
    _check_representable(estimator, architecture, parameters.get("loss", "squared_error"))
    if not isinstance(estimator.alpha, Real):
        parameters["alpha"] = estimator.alpha[0]  # one value for all layers
    parameters["hidden_layer_sizes"] = tuple(layer.units for layer in architecture.hidden)
    if architecture.hidden:
        parameters["activation"] = _ACTIVATIONS[architecture.hidden[0].activation]
    network = kind(**parameters)
    for name in _RECORD:
        value = getattr(estimator, name)
        setattr(network, name, list(value) if isinstance(value, list) else value)
    network.coefs_ = [array.copy() for array in arrays[COEFS]]
    network.intercepts_ = [array.copy() for array in arrays[INTERCEPTS]]
    if hasattr(estimator, "feature_names_in_"):
        network.feature_names_in_ = estimator.feature_names_in_
    if architecture.scales_targets:
        network.coefs_[-1] *= estimator.y_scale_
        network.intercepts_[-1] = network.intercepts_[-1] * estimator.y_scale_ + estimator.y_mean_
    if "quantile_shifts_" in vars(estimator):
        network.intercepts_[-1] = network.intercepts_[-1] + checked_shifts(estimator)
    if "temperature_" in vars(estimator):
        network.coefs_[-1] = divide_by_temperature(estimator, network.coefs_[-1])
        network.intercepts_[-1] = divide_by_temperature(estimator, network.intercepts_[-1])
    if is_classifier(estimator):
        network.classes_ = np.array(estimator.classes_)
        network._label_binarizer = LabelBinarizer().fit(_labels(estimator))
    _prepare_training(network, estimator)
    return network


def _labels(estimator):
    """Return targets with all classes, of the kind that the network was fitted on and predicts."""
    if not estimator._multilabel:
        return np.array(estimator.classes_)
    labels = np.identity(len(estimator.classes_), int)
    are_sparse = getattr(estimator, "_targets_are_sparse", False)
    return sparse.csr_matrix(labels) if are_sparse else labels


def _prepare_training(network, estimator):
    """Set what training goes on with, by whether scikit-learn's network will stop early.

    It may not, although this package's has, since it has no ``early_stopping='auto'``.
    """
    scores = estimator.validation_scores_
    if network.early_stopping:
        network.best_loss_ = None
        network.validation_scores_ = [] if scores is None else list(scores)
        best = estimator.best_validation_score_
        network.best_validation_score_ = -np.inf if best is None else best
    else:
        best = estimator.best_loss_
        network.best_loss_ = np.inf if best is None else best
        network.validation_scores_ = None
        network.best_validation_score_ = None
    network._best_coefs = [array.copy() for array in network.coefs_]
    network._best_intercepts = [array.copy() for array in network.intercepts_]
    network._no_improvement_count = 0  # which partial_fit counts on


def _shared_parameters(estimator, kind):
    """Return the parameters that scikit-learn's class has, as far as it accepts the values."""
    parameters = {}
    for name in kind().get_params():
        value = getattr(estimator, name)
        try:
            validate_parameter_constraints(kind._parameter_constraints, {name: value}, name)
        except ValueError:
            continue  # such as solver='nadam', which matters for training only
        parameters[name] = value
    return parameters


def _check_representable(estimator, architecture, loss):
    """Raise ValueError if scikit-learn's class cannot have this network.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    architecture : Architecture
    loss : str
        Loss that scikit-learn's class would get.
    """
    activations = {layer.activation for layer in architecture.hidden}
    part = architecture.loss_part
    several_levels = len(architecture.loss_parameters) > 1
    reasons = [
        f"activation={activation!r}"
        for activation in sorted(activations, key=str)
        if activation not in _ACTIVATIONS
    ]
    if len({_ACTIVATIONS.get(activation) for activation in activations}) > 1:
        reasons.append("different activations in different layers")
    if len(np.unique(estimator.alpha)) > 1:
        reasons.append(f"different values of alpha={estimator.alpha!r}")
    if is_classifier(estimator) and len(estimator.classes_) == 1:
        reasons.append(f"probabilities for one class, classes_={estimator.classes_!r}")
    if architecture.batch_norm is not None:
        reasons.append(f"batch_norm={architecture.batch_norm!r}")
    if "y_min_" in vars(estimator):
        reasons.append("clip_output=True")
    if architecture.n_inputs > architecture.n_features:
        reasons.append(f"numeric_embedding={architecture.numeric_embedding!r}")
    if architecture.skip:
        reasons.append("skip=True")
    is_own = part.task == "classification" or loss == architecture.loss
    if several_levels or not (is_own or part.out_activation == "identity"):
        reasons.append(f"loss={architecture.loss!r}")
    if reasons:
        raise ValueError(
            f"scikit-learn's network has no {', no '.join(reasons)}; use to_onnx, or fit without."
        )
