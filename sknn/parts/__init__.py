"""Parts: what users can swap, one file for each kind.

A part is a row in the registry of its file: the functions that do the work, the formula for the
documentation, and the constructor arguments that it reads. Validation, docstrings, warmup and tests
follow the registries; the engine calls a part's kernels by address. No other file names a part.

To add one, edit one file, and add its formula to ``REFERENCE`` in the file's tests:

- an activation: two scalar functions in ``activations.py``, f(z) and dz from da = dL/da;
- a loss: one scalar function in ``losses.py``, value and slope at an output z with target y, or a
  kernel if the loss reads several outputs at once;
- an optimizer: two kernels in ``optimizers.py``, the step and its step sizes, and a plain function
  for the hyperparameters of each step;
- a regularizer: a kernel in ``regularizers.py`` for penalty and gradient, and a proximal step if
  the penalty is not smooth;
- an initializer or a learning-rate schedule: plain functions in ``initializers.py`` or
  ``schedules.py``.

The top of each file has the arguments. A new constructor argument also needs its place in the
constructors in ``mlp.py`` and a row in ``_hyperparameters``.

``links.py`` and ``operators.py`` hold what rows refer to: links from outputs to predictions, and
activations and links in ONNX.

``custom.py`` makes parts of users' own functions, by the same way as the built-in ones.
"""
