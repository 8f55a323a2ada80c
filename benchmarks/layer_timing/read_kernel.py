"""A kernel that does nothing but read: what a GPU's L2 gives."""

import triton
import triton.language as tl

BLOCK = 2048
STRIDE = tl.constexpr(37)  # no power of two, so that every program comes to every chunk


@triton.jit
def read_again_kernel(source: tl.tensor, sums: tl.tensor, chunks: tl.tensor, times: tl.tensor) -> None:
    """Program p reads the chunks p, p + 37, p + 74 and so on, and writes their sum."""
    program = tl.program_id(0)
    lane = tl.arange(0, 2048)
    total = tl.zeros([2048], tl.float32)
    for number in range(times):
        chunk = (program + number * STRIDE) % chunks
        total += tl.load(source + chunk * 2048 + lane)
    tl.store(sums + program, tl.sum(total, 0))
