"""Fitted networks in other formats: ONNX, files without pickle, scikit-learn's own classes."""

import importlib.util

from ._export.models import build_model


def to_onnx(estimator, *, name="X", dtype=None, opset=18):
    """Convert a fitted network to an ONNX model.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted estimator.
    name : str, default='X'
        Name of the model's input, of shape (n_samples, n_features).
    dtype : {'float32', 'float64'} or None, default=None
        Type of the model's input, its arithmetic and its real outputs. None is that of the weights.
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
        If onnx is not installed.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not an estimator of this package.
    ValueError
        If an argument is invalid, or if the network has an :class:`Activation` of your own, or
        class labels that are neither whole numbers nor strings.

    See Also
    --------
    save : The whole estimator in a file.

    Notes
    -----
    Importing ``sknn.export`` registers converters with skl2onnx if that is installed, so that
    ``skl2onnx.to_onnx`` takes pipelines that end in a network. Its option ``zipmap=False`` gives
    probabilities as one array.

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
    return build_model(estimator, name, dtype, opset)


if importlib.util.find_spec("skl2onnx") is not None:
    from ._export.converters import register

    register()
