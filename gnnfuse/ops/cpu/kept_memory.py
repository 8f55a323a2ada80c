"""Memory that outlives the tensors it was given to, for the next ones of their size."""

import os
import weakref
from collections import deque
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.uint8]

ALIGNMENT = 64
STEPS = 8  # a block is at most this part of its size larger than what is asked for
MOST_BYTES = 512 * 2**20


class KeptMemory:
    """Blocks of memory that nobody holds any more; a new one is made only where none of the right size is left.

    The C library gives memory that a training step frees back to the system, which has to clear and map it anew, page
    by page, for the next step. That took as long as all kernels of an attention block together.

    A block comes back when the last tensor or array over it is gone, so two that live at the same time never share
    one. Those of the sizes that were asked for least recently are given up where more is kept than `most_bytes`.

    Args:
        most_bytes: how much is kept for later; what is in use does not count.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.forget()

    def forget(self) -> None:
        """Keep nothing; also what a forked child does, in which no thread is left to open the lock."""
        self.lock = Lock()
        self.returned: deque[Block] = deque()
        self.free: dict[int, list[Block]] = {}  # by size, those asked for most recently at the end
        self.bytes = 0

    def take(self, length: int) -> Block:
        """An array of so many bytes, whatever stands in them."""
        size = block_size(length)
        block = None
        if self.lock.acquire(blocking=False):  # held by this very thread where a signal or the collector came between
            try:
                self.sort_in()
                blocks = self.free.pop(size, [])
                block = blocks.pop() if blocks else None
                self.bytes -= 0 if block is None else size
                self.free[size] = blocks
            finally:
                self.lock.release()
        if block is None:
            block = aligned(size)
        given: Block = block[:length]
        weakref.finalize(given, self.give_back, block).atexit = False
        return given

    def give_back(self, block: Block) -> None:
        """Take a block back; never waits, as Python's collector may call it in the middle of anything."""
        self.returned.append(block)
        if self.lock.acquire(blocking=False):
            try:
                self.sort_in()
            finally:
                self.lock.release()

    def sort_in(self) -> None:
        """Put what came back with its like, and give up what is too much; by the holder of the lock."""
        while self.returned:
            block = self.returned.popleft()
            self.free.setdefault(len(block), []).append(block)
            self.bytes += len(block)
        while self.bytes > self.most_bytes:
            size = next(iter(self.free))
            blocks = self.free[size]
            if blocks:
                del blocks[0]
                self.bytes -= size
            else:
                del self.free[size]


def aligned(size: int) -> Block:
    """New memory from the start of a cache line on: a vector across two lines takes twice as long."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def block_size(length: int) -> int:
    """The length, or a little more, so that lengths that differ a little share blocks."""
    step = max(1, (1 << length.bit_length() >> 1) // STEPS)
    return -(-length // step) * step


KEPT = KeptMemory()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=KEPT.forget)


def release_memory() -> None:
    """Return memory kept from results of CPU kernels to the system; at most 512 MiB is kept for the next ones.

    Example:
        >>> release_memory()
    """
    with KEPT.lock:
        KEPT.sort_in()
        KEPT.free.clear()
        KEPT.bytes = 0
