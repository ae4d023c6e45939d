"""Elementary functions that LLVM vectorizes inside kernels.

``math.exp`` would be one library call per number there.

``exp`` reduces its argument by multiples of log(2) and evaluates a polynomial; ``logistic``,
``tanh`` and ``softplus`` are built on it, the last two with polynomials of their own. The relative
error is a few units in the last place, NaN gives NaN, overflow gives inf, and results below the
smallest normal number become about that number. ``log`` is for positive normal numbers only.
``cosine`` counts its argument in periods, which it takes away without an error; of infinity it is
NaN.
"""

import math

import numpy as np

from .jit import by_precision

_LOG2E = math.log2(math.e)


def _exp_single(x):
    bounded = min(max(x, np.float32(-87.3)), np.float32(89.0))
    n = np.floor(bounded * np.float32(_LOG2E) + np.float32(0.5))
    r = bounded - n * np.float32(0.693359375)
    r = r - n * np.float32(-2.12194440e-4)
    p = np.float32(1 / 5040)
    p = p * r + np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(0.5)
    p = p * r + np.float32(1)
    p = p * r + np.float32(1)
    # 2**n as a product of two powers, since 2**128 itself is not a float32.
    half = np.int32(n) >> np.int32(1)
    rest = np.int32(n) - half
    low = np.int32((half + np.int32(127)) << np.int32(23)).view(np.float32)
    high = np.int32((rest + np.int32(127)) << np.int32(23)).view(np.float32)
    return x if x != x else p * low * high


def _exp_double(x):
    bounded = min(max(x, -708.3), 710.0)
    n = np.floor(bounded * _LOG2E + 0.5)
    r = bounded - n * 0.693145751953125
    r = r - n * 1.42860682030941723212e-6
    p = 1 / 6227020800
    p = p * r + 1 / 479001600
    p = p * r + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    half = np.int64(n) >> np.int64(1)
    rest = np.int64(n) - half
    low = np.int64((half + np.int64(1023)) << np.int64(52)).view(np.float64)
    high = np.int64((rest + np.int64(1023)) << np.int64(52)).view(np.float64)
    return x if x != x else p * low * high


exp = by_precision(_exp_single, _exp_double, np.exp)


def _logistic_single(x):
    return np.float32(1) / (np.float32(1) + exp(-x))


def _logistic_double(x):
    return 1.0 / (1.0 + exp(-x))


logistic = by_precision(_logistic_single, _logistic_double, lambda x: 1 / (1 + np.exp(-x)))


# For abs(x) < 0.625, tanh x = x + x^3 Q(x^2), with Q interpolated at Chebyshev nodes of x^2; for
# larger x, tanh x = 1 - 2 / (exp(2x) + 1), which would lose digits near zero.


def _tanh_single(x):
    size = abs(x)
    far = np.float32(1) - np.float32(2) / (
        exp(np.float32(2) * min(size, np.float32(10))) + np.float32(1)
    )
    s = x * x
    q = np.float32(-0.0060967142)
    q = q * s + np.float32(0.020997179)
    q = q * s + np.float32(-0.053850910)
    q = q * s + np.float32(0.13332770)
    q = q * s + np.float32(-0.33333329)
    near = x + x * s * q
    return x if x != x else (near if size < np.float32(0.625) else math.copysign(far, x))


def _tanh_double(x):
    size = abs(x)
    far = 1.0 - 2.0 / (exp(2.0 * min(size, 20.0)) + 1.0)
    s = x * x
    q = -0.000017244874494844330172
    q = q * s + 0.000079599557352648080002
    q = q * s - 0.000230776162695198579
    q = q * s + 0.00058743728600943818973
    q = q * s - 0.001455309297534642025
    q = q * s + 0.0035920589774734553151
    q = q * s - 0.0088632298309257087457
    q = q * s + 0.021869488260559114645
    q = q * s - 0.053968253961395570821
    q = q * s + 0.13333333333326657736
    q = q * s - 0.33333333333333322565
    near = x + x * s * q
    return x if x != x else (near if size < 0.625 else math.copysign(far, x))


tanh = by_precision(_tanh_single, _tanh_double, np.tanh)


# softplus x = max(x, 0) + log(1 + u) with u = exp(-|x|), and log(1 + u) = 2 atanh(s) with s = u /
# (2 + u) in [0, 1/3]; atanh s = s + s^3 Q(s^2), with Q interpolated at Chebyshev nodes.


def _softplus_single(x):
    u = exp(-abs(x))
    s = u / (np.float32(2) + u)
    square = s * s
    q = np.float32(0.11612165)
    q = q * square + np.float32(0.10853288)
    q = q * square + np.float32(0.14296179)
    q = q * square + np.float32(0.19999853)
    q = q * square + np.float32(0.33333334)
    return x if x != x else max(x, np.float32(0)) + np.float32(2) * (s + s * square * q)


def _softplus_double(x):
    u = exp(-abs(x))
    s = u / (2.0 + u)
    square = s * s
    q = 0.0781528890046142522
    q = q * square + 0.0374607189777538365
    q = q * square + 0.0542258919744000741
    q = q * square + 0.0586713953065159873
    q = q * square + 0.0666758931572462792
    q = q * square + 0.0769227198243027464
    q = q * square + 0.0909090994898135719
    q = q * square + 0.111111110991183853
    q = q * square + 0.142857142858000496
    q = q * square + 0.199999999999997613
    q = q * square + 0.333333333333333334
    return x if x != x else max(x, 0.0) + 2.0 * (s + s * square * q)


softplus = by_precision(_softplus_single, _softplus_double, lambda x: np.logaddexp(0, x))


# log x = n log(2) + log(m) with m in [sqrt(1/2), sqrt(2)), and log(m) = 2 atanh(s) = 2 s + s^3
# Q(s^2) with s = (m - 1) / (m + 1) and Q interpolated at Chebyshev nodes. x - x is NaN if x is.


def _log_single(x):
    bits = np.float32(x).view(np.int32)
    n = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
    m = np.int32(bits - np.int32(n << np.int32(23))).view(np.float32)
    s = (m - np.float32(1)) / (m + np.float32(1))
    square = s * s
    whole = np.float32(n)
    q = np.float32(0.28550821)
    q = q * square + np.float32(0.40000122)
    q = q * square + np.float32(0.66666667)
    return (
        whole * np.float32(0.693145752)
        + (s + s + (s * square * q + whole * np.float32(1.42860677e-6)))
        + (x - x)
    )


def _log_double(x):
    bits = np.float64(x).view(np.int64)
    n = np.int64(np.int64(bits - np.int64(0x3FE6A09E667F3BCD)) >> np.int64(52))
    m = np.int64(bits - np.int64(n << np.int64(52))).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    whole = np.float64(n)
    q = 0.1461644968504340586
    q = q * square + 0.15331721600556041269
    q = q * square + 0.1818288912526172208
    q = q * square + 0.22222211134795079855
    q = q * square + 0.28571428625975484921
    q = q * square + 0.3999999999989950449
    q = q * square + 0.66666666666666696862
    return (
        whole * 0.693145751953125
        + (s + s + (s * square * q + whole * 1.42860682030941723212e-6))
        + (x - x)
    )


log = by_precision(_log_single, _log_double, np.log)


# cos(2 pi x) = sin(2 pi u) with u = 1/4 - |x - n| in [-1/4, 1/4] for the nearest integer n; sin by
# its Taylor series, of which the first term left out is less than the rounding.


def _cosine_single(x):
    u = np.float32(0.25) - abs(x - np.floor(x + np.float32(0.5)))
    s = u * u
    p = np.float32(3.8199525848482822)
    p = p * s + np.float32(-15.094642576822984)
    p = p * s + np.float32(42.058693944897655)
    p = p * s + np.float32(-76.70585975306136)
    p = p * s + np.float32(81.60524927607504)
    p = p * s + np.float32(-41.341702240399755)
    p = p * s + np.float32(6.283185307179586)
    return u * p


def _cosine_double(x):
    u = 0.25 - abs(x - np.floor(x + 0.5))
    s = u * u
    p = 0.0011309237482517954
    p = p * s - 0.012031585942120619
    p = p * s + 0.10422916220813978
    p = p * s - 0.7181223017785001
    p = p * s + 3.8199525848482803
    p = p * s - 15.094642576822984
    p = p * s + 42.058693944897634
    p = p * s - 76.70585975306136
    p = p * s + 81.60524927607504
    p = p * s - 41.341702240399755
    p = p * s + 6.283185307179586
    return u * p


cosine = by_precision(
    _cosine_single,
    _cosine_double,
    lambda x: np.sin(2 * np.pi * (0.25 - abs(x - np.floor(x + 0.5)))),
)


def _limit(name):
    """Return a function that gives a limit of its argument's type, named as in ``np.finfo``."""
    single, double = (float(getattr(np.finfo(dtype), name)) for dtype in (np.float32, np.float64))
    single = np.float32(single)
    return by_precision(
        lambda x: single, lambda x: double, lambda x: getattr(np.finfo(np.asarray(x).dtype), name)
    )


epsilon = _limit("eps")
smallest = _limit("tiny")  # normal number
