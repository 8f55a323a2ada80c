"""The exponential inside numba kernels: numba calls the C library for each number, this computes eight at a time.

x = k ln 2 + r with k whole and |r| <= ln 2 / 2, so exp x = 2^k exp r. exp r is 1 + r + r^2 p(r); p was fitted to
(exp r - 1 - r) / r^2 at 400 Chebyshev nodes, which leaves a relative error of 1e-8. ln 2 is subtracted in two parts,
the first with so few bits that k times it is exact (W. Cody, W. Waite: Software Manual for the Elementary Functions,
1980).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

LOG2_E = np.float32(1 / math.log(2))
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(math.log(2) - 0.693359375)
P0, P1, P2, P3, P4 = (
    np.float32(coefficient) for coefficient in (0.5, 0.16666576, 0.041666467, 0.0083631817, 0.0013933652)
)
HALF, ONE = np.float32(0.5), np.float32(1)
LOWEST, HIGHEST = np.float32(-87.33654), np.float32(88.72)
BIAS, MANTISSA_BITS = np.int32(127), np.int32(23)
ZERO, INFINITY = np.float32(0), np.float32(np.inf)


def exponential(x: Any) -> Any:
    """The exponential of a number in a kernel: float32 to two steps, 0 below the smallest normal; float64 exactly."""
    raise NotImplementedError


@overload(exponential, jit_options={"fastmath": {"contract"}, "error_model": "numpy"})
def exponential_in_kernels(x: Any) -> Callable[[Any], Any]:
    """The function that numba compiles for `exponential`, by the type of its argument."""
    if x == types.float32:
        return exponential_of_float32
    return exponential_of_float64


def exponential_of_float64(x: Any) -> Any:
    """The C library's exponential."""
    return math.exp(x)


def exponential_of_float32(x: Any) -> Any:
    """Without a branch or a call, so that loops over it are vectorised; NaN stays NaN."""
    inside = min(max(x, LOWEST), HIGHEST)
    k = np.floor(inside * LOG2_E + HALF)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = (((P4 * r + P3) * r + P2) * r + P1) * r + P0
    # 2^k in two factors: k may be 128, one more than an exponent holds.
    half = np.int32(k) >> np.int32(1)
    rest = np.int32(k) - half
    low = np.int32((half + BIAS) << MANTISSA_BITS).view(np.float32)
    high = np.int32((rest + BIAS) << MANTISSA_BITS).view(np.float32)
    result = (p * r * r + r + ONE) * low * high
    result = ZERO if x < LOWEST else result
    return INFINITY if x > HIGHEST else result
