"""Draws the dropped attention weights from seed, edge and head alone, so that backward can draw them again.

Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (2011),
https://doi.org/10.1145/2063384.2063405. Counter (edge, head // 4, 0, 0), key (low, high word of the seed); the weight
of head h is kept if output word h % 4, divided by 2^32, is at least the dropout probability. Every implementation
draws the same bits.
"""

import torch
from torch import Tensor

ROUND_A, ROUND_B = 0xD2511F53, 0xCD9E8D57
KEY_A, KEY_B = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORD = 0xFFFFFFFF


def kept(seed: Tensor, num_edges: int, heads: int, dropout: float) -> Tensor:
    """Booleans `[edges, heads]`, true where the weight stays."""
    device = seed.device
    edge = torch.arange(num_edges, device=device)[:, None]
    group = torch.arange(-(-heads // 4), device=device)[None, :]
    words = philox(seed, edge, group)  # [edges, groups, 4]
    return words.flatten(1)[:, :heads] >= threshold(dropout)


def threshold(dropout: float) -> int:
    """The smallest word whose weight is kept."""
    return min(round(dropout * 2**32), WORD)


def philox(seed: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Four random words `[..., 4]`, as int64 in 0..2^32-1, for every pair of counters."""
    second = second + torch.zeros_like(first)
    first = first + torch.zeros_like(second)
    c0, c1, c2, c3 = first & WORD, second & WORD, torch.zeros_like(first), torch.zeros_like(first)
    k0, k1 = seed & WORD, (seed >> 32) & WORD
    for _ in range(ROUNDS):
        high_a, low_a = product(c0, ROUND_A)
        high_b, low_b = product(c2, ROUND_B)
        c0, c1, c2, c3 = high_b ^ c1 ^ k0, low_b, high_a ^ c3 ^ k1, low_a
        k0, k1 = (k0 + KEY_A) & WORD, (k1 + KEY_B) & WORD
    return torch.stack([c0, c1, c2, c3], dim=-1)


def product(word: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """High and low word of a product of two words; int64 wraps around, its bits are the same."""
    whole = word * factor
    return (whole >> 32) & WORD, whole & WORD
