"""The random words of dropout.py, inside a kernel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import inlined

ROUND_A, ROUND_B = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_A, KEY_B = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
WORD, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@inlined
def kept_words(seed: np.uint64, edge: np.uint64, group: np.uint64, words: NDArray[Any]) -> None:
    """Four words of Philox4x32-10 for the edge and a group of four heads, 64 bits wide each."""
    c0, c1, c2, c3 = edge & WORD, group & WORD, np.uint64(0), np.uint64(0)
    k0, k1 = seed & WORD, seed >> HALF
    for _ in range(10):
        product_a, product_b = c0 * ROUND_A, c2 * ROUND_B
        c0, c1, c2, c3 = (
            (product_b >> HALF) ^ c1 ^ k0,
            product_b & WORD,
            (product_a >> HALF) ^ c3 ^ k1,
            product_a & WORD,
        )
        k0, k1 = (k0 + KEY_A) & WORD, (k1 + KEY_B) & WORD
    words[0], words[1], words[2], words[3] = c0, c1, c2, c3
