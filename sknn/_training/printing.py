"""What ``verbose`` prints: a table that grows by a line an epoch, or scikit-learn's own words."""

import numpy as np

from .validation_set import score_name

_LEAST_WIDTH = 10


def print_epoch(training, *, with_heading):
    """Print the last epoch as ``verbose`` asks: True prints a line of a table, and a number prints
    what scikit-learn prints.

    Parameters
    ----------
    training : Training
    with_heading : bool
        Whether the table begins with this epoch.
    """
    history = training.record.history_
    if isinstance(training.estimator.verbose, (bool, np.bool_)):
        headings = _headings(training)
        if with_heading:
            print(*(f"{heading:>{_width(heading)}}" for heading in headings.values()))
        print(*(_cell(history[name][-1], heading) for name, heading in headings.items()))
        return
    print(f"Iteration {training.record.n_iter_}, loss = {history['loss'][-1]:.8f}")
    if training.validation_set is not None:
        print(f"Validation score: {history['val_score'][-1]:f}")


def _headings(training):
    """Return the headings of the table, by the columns of ``history_`` that it shows."""
    settings = training.estimator
    headings = {"epoch": "epoch", "loss": "loss"}
    if training.validation_set is not None:
        headings["val_loss"] = "val_loss"
        name = score_name(settings, settings.scoring)
        if name != "loss":  # it would be the same, with the other sign
            headings["val_score"] = f"val_{name}"
    if settings.solver != "lbfgs":
        headings["learning_rate"] = "rate"
    return headings | {"seconds": "seconds"}


def _width(heading):
    return len(heading) if heading == "epoch" else max(_LEAST_WIDTH, len(heading))


def _cell(value, heading):
    formats = {"epoch": "d", "seconds": ".3f"}
    text = format(value, formats.get(heading, "#.5g"))
    return f"{text:>{_width(heading)}}"
