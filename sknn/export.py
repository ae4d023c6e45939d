"""Fitted networks in other formats: ONNX, files without pickle, scikit-learn's own classes."""

import importlib.util
import os
from typing import Any

from ._export.files import load_estimator, save_estimator
from ._export.pipelines import build_any_model
from ._export.stock import build_stock_network
from .ensemble import EnsembleClassifier, EnsembleRegressor
from .features import HiddenFeatures
from .mlp import MLPClassifier, MLPRegressor
from .periodic import PeriodicEncoder
from .piecewise_linear import PiecewiseLinearEncoder
from .tabular import TabularPreprocessor

_Network = MLPClassifier | MLPRegressor


def to_onnx(estimator: Any, *, name: str = "X", dtype: str | None = None, opset: int = 18) -> Any:
    """Convert a fitted network, ensemble, pipeline or search to an ONNX model.

    Parameters
    ----------
    estimator : estimator
        Fitted MLPClassifier or MLPRegressor. Or, with skl2onnx, an ensemble, or a pipeline or
        search of estimators that skl2onnx has converters for, such as ``tabular_pipeline``.
    name : str, default='X'
        Name of the model's input, of shape (n_samples, n_features).
    dtype : {'float32', 'float64'} or None, default=None
        Type of numbers among the inputs, and of a network's arithmetic and its real outputs. None
        is that of the weights. Where a :class:`TabularPreprocessor` comes first, this is the type
        of its inputs only, and None is 'float64', in which it computes.
    opset : int, default=18
        Version of ONNX's operators, 13 or later. Older runtimes know older versions only.

    Returns
    -------
    model : onnx.ModelProto
        Model with the outputs 'label', of shape (n_samples,) or (n_samples, n_labels), and
        'probabilities', of shape (n_samples, n_classes), of a classifier, or 'variable', of shape
        (n_samples, n_outputs), of a regressor. Labels are int64 or strings. Booleans become 0 and
        1.

    Raises
    ------
    ImportError
        If onnx is not installed, or if skl2onnx is needed and not installed.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is no estimator.
    ValueError
        If an argument is invalid, or if the network has an :class:`Activation` of your own,
        weights that are not finite, or class labels that are neither whole numbers nor strings.
        Also if a table has columns of times, which ONNX does not have, or if a ColumnTransformer
        chooses its columns by names; the message tells how to convert it.

    See Also
    --------
    save : The whole estimator in a file.

    Notes
    -----
    For a :class:`TabularPreprocessor` that was fitted to a DataFrame, or to a column of text, the
    model has one input a column, of shape (n_samples, 1), in their order and with their names, in
    which characters other than letters and digits become '_'. Categories are strings, and those
    that are no levels, such as '', are missing. Numbers and booleans (0 and 1) have the type
    ``dtype``, and NaN is missing. Durations and times of day are numbers of seconds.

    Importing ``sknn.export`` registers converters with skl2onnx if that is installed, so that
    ``skl2onnx.to_onnx`` takes pipelines with the estimators of this package, and inputs of other
    types. Its option ``zipmap=False`` gives probabilities as one array.

    A model raises no errors about values, as ``predict`` does. For a row with NaN, probabilities
    and targets of a network are NaN, and the label is the first class. For a row with an infinite
    value they are NaN, or what the activation makes of it: check the rows before.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import MLPClassifier
    >>> from sknn.export import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier(random_state=0, max_iter=1000).fit(X, y)
    >>> model = to_onnx(clf, dtype="float32")
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']

    With ``onnxruntime.InferenceSession(model.SerializeToString())``, ``session.run(None, {"X":
    X.astype("float32")})`` gives labels and probabilities.
    """
    return build_any_model(estimator, name, dtype, opset)


def to_sklearn(estimator: _Network) -> Any:
    """Convert a fitted network to scikit-learn's own class, for tools that know only that.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted estimator whose hidden layers all have the same one of scikit-learn's activations,
        'identity', 'logistic', 'tanh' or 'relu'.

    Returns
    -------
    network : sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
        Fitted network with copies of the weights and the same predictions, up to rounding.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not an estimator of this package.
    ValueError
        If scikit-learn's class cannot have such a network: if it has batch normalization, another
        activation or different ones, different values of ``alpha``, one class only, several
        quantiles, ``clip_output``, or a loss with a link that scikit-learn does not have. The
        message names all reasons. Also if weights are not finite.

    Notes
    -----
    Standardized targets (``normalize_y``) and what ``calibrate`` has found become part of the last
    layer. Training options that scikit-learn does not have, such as solver='nadam' or loss='huber',
    become its defaults, and the optimizer's state is left out: ``partial_fit`` of the result begins
    with a new one.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import MLPClassifier
    >>> from sknn.export import to_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier(random_state=0, max_iter=1000).fit(X, y)
    >>> to_sklearn(clf).score(X, y) == clf.score(X, y)
    True
    """
    return build_stock_network(estimator)


def save(estimator: _Network, path: str | os.PathLike[str]) -> None:
    """Save a fitted estimator to a file of arrays and JSON, without pickle.

    The file is an npz archive, which NumPy can read too. It appears under its name only when it is
    complete.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted estimator.
    path : str or path-like
        File to write, usually with the suffix ``.npz``.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not an estimator of this package, or of a subclass.
    ValueError
        If it has a part or parameter that is no number, string or collection of these, such as an
        :class:`Activation` or RandomState; if class labels are neither numbers nor strings; or if
        an attribute that was assigned is not usable.

    See Also
    --------
    load : Load the estimator again.

    Notes
    -----
    The file holds the constructor's parameters, the learned arrays and all public fitted
    attributes. It does not hold the state of the optimizer, so ``partial_fit`` and ``warm_start``
    continue from the weights with a new one (a pickle holds it), nor callbacks and metadata
    requests. Predictions are those of the saved estimator, bit for bit.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sknn import MLPClassifier
    >>> from sknn.export import load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier(random_state=0, max_iter=1000).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(clf, os.path.join(folder, "iris.npz"))
    ...     twin = load(os.path.join(folder, "iris.npz"))
    >>> (twin.predict_proba(X) == clf.predict_proba(X)).all()
    np.True_
    """
    save_estimator(estimator, path)


def load(path: str | os.PathLike[str]) -> _Network:
    """Load an estimator that :func:`save` has written.

    Nothing in the file is executed. A checksum shows changes, and all that the file says is checked
    before the estimator is made.

    Parameters
    ----------
    path : str or path-like
        File to read.

    Returns
    -------
    estimator : MLPClassifier or MLPRegressor
        Fitted estimator.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not a file of :func:`save`, was changed, or has a format that only later versions
        of this package know.
    """
    return load_estimator(path)


if importlib.util.find_spec("skl2onnx") is not None:
    from ._export.converters import register_networks
    from ._export.ensembles import register_ensembles
    from ._export.transformers import register_transformers

    register_networks()
    register_transformers(
        TabularPreprocessor, PiecewiseLinearEncoder, PeriodicEncoder, HiddenFeatures
    )
    register_ensembles(EnsembleClassifier, EnsembleRegressor)
