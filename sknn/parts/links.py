"""Links: what turns a network's outputs into predictions.

    link(z, n_outputs, parameters, prediction)

The arguments are those of losses, see the top of losses.py. Probabilities are never 0, so that
their logarithms are finite.
"""

from .._compiled.elementary import epsilon, exp, logistic, smallest, softplus
from .._compiled.intrinsics import at, segment
from .._compiled.jit import jit


@jit
def identity_link(z, n_outputs, parameters, prediction):
    """Predict the outputs as they are."""
    for i in range(z.size):
        prediction[i] = z[i]


@jit
def exp_link(z, n_outputs, parameters, prediction):
    """Predict exp(z), which is positive."""
    for i in range(z.size):
        prediction[i] = exp(z[i])


@jit(inline=True)
def bounded(p, low, high):
    """Return p, but within limits. NaN goes through."""
    if p < low:
        return low
    if p > high:
        return high
    return p


@jit
def logistic_link(z, n_outputs, parameters, prediction):
    """Predict 1 / (1 + exp(-z)), a probability for each output."""
    for i in range(z.size):
        p = logistic(z[i])
        T = type(p)
        prediction[i] = bounded(p, smallest(p), T(1) - epsilon(p) / T(2))


@jit(inline=True)
def exp_of_differences(z, n_outputs, powers):
    """Write exp(z - max z) for each sample."""
    # The exponentials of all samples are one loop, which LLVM vectorizes, since samples often have
    # few outputs.
    for start in range(0, z.size, n_outputs):
        row = at(z, start)
        top = row[0]
        for j in range(1, n_outputs):
            top = max(top, row[j])
        out = segment(powers, start, n_outputs)
        for j in range(n_outputs):
            out[j] = row[j] - top
    for i in range(z.size):
        powers[i] = exp(powers[i])


@jit
def softmax_link(z, n_outputs, parameters, prediction):
    """Predict exp(z) over its sum, probabilities that sum to 1 for each sample."""
    exp_of_differences(z, n_outputs, prediction)
    for start in range(0, z.size, n_outputs):
        row = segment(prediction, start, n_outputs)
        total = row[0]
        for j in range(1, n_outputs):
            total += row[j]
        for j in range(n_outputs):
            p = row[j] / total
            row[j] = smallest(p) if p < smallest(p) else p


@jit
def quantile_link(z, n_outputs, levels, prediction):
    """Predict quantiles that do not cross."""
    # Levels are in rising order; each quantile of a target but the first lies log(1 + exp(z)) above
    # the one before it.
    for start in range(0, z.size, levels.size):
        prediction[start] = z[start]
        for j in range(start + 1, start + levels.size):
            prediction[j] = prediction[j - 1] + softplus(z[j])
