"""A pool of memory blocks, which are reused for later tensors of the same size."""

import os
import weakref
from collections import deque
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.uint8]

ALIGNMENT = 64
STEPS = 8  # a block is larger than requested by at most an eighth of its size
MOST_BYTES = 512 * 2**20


class KeptMemory:
    """Unused blocks of memory; a new one is allocated only if none of the right size is left.

    The C library returns the memory that a training step frees to the system, which has to clear and map it again, page
    by page, for the next step. That took as long as all kernels of an attention block together.

    A block comes back when the last tensor or array on it is deleted, so two live ones never share a block. Blocks of
    the least recently requested sizes are freed if more than `most_bytes` are kept.

    Args:
        most_bytes: how much unused memory is kept; memory in use does not count.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.forget()

    def forget(self) -> None:
        """Drop all blocks; also called in a forked child, where the thread that held the lock is gone."""
        self.lock = Lock()
        self.returned: deque[Block] = deque()
        self.free: dict[int, list[Block]] = {}  # by size, the most recently requested last
        self.bytes = 0

    def take(self, length: int) -> Block:
        """An uninitialised array of this many bytes."""
        size = block_size(length)
        block = None
        if self.lock.acquire(blocking=False):  # this thread may hold it: a signal or the collector interrupted it
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
        """Take a block back; never waits, as Python's garbage collector may call it at any point."""
        self.returned.append(block)
        if self.lock.acquire(blocking=False):
            try:
                self.sort_in()
            finally:
                self.lock.release()

    def sort_in(self) -> None:
        """Sort returned blocks by size, and free those beyond the limit; the caller holds the lock."""
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
    """New memory that begins at a cache line: a vector across two lines takes twice as long."""
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
    """Return to the system the memory that CPU kernels keep for their next results, at most 512 MiB.

    Example:
        >>> release_memory()
    """
    with KEPT.lock:
        KEPT.sort_in()
        KEPT.free.clear()
        KEPT.bytes = 0
