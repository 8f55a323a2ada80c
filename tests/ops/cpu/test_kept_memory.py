import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator

import pytest
import torch

from gnnfuse.ops import release_memory
from gnnfuse.ops.cpu.kept_memory import KEPT, STEPS, KeptMemory, block_size
from gnnfuse.ops.cpu.new_memory import KEPT_FROM, new_memory

MEGABYTE = 2**20
LIKE = torch.empty(0)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    release_memory()
    yield
    release_memory()


def test_memory_is_taken_over_once_nobody_holds_it() -> None:
    first = new_memory(LIKE, MEGABYTE)
    place = first.data_ptr()
    assert new_memory(LIKE, MEGABYTE).data_ptr() != place
    part = first[5:]
    del first
    assert new_memory(LIKE, MEGABYTE).data_ptr() != place
    del part
    assert new_memory(LIKE, MEGABYTE).data_ptr() == place


def test_an_array_over_a_tensor_holds_its_memory() -> None:
    array = new_memory(LIKE, MEGABYTE).numpy()
    array[:] = 1
    new_memory(LIKE, MEGABYTE).fill_(2)
    assert (array == 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
def test_tensors_that_live_together_share_nothing(dtype: torch.dtype) -> None:
    like = torch.empty(0, dtype=dtype)
    for _ in range(2):
        found = [new_memory(like, KEPT_FROM // 2 + number, 2).fill_(number) for number in range(8)]
        for number, tensor in enumerate(found):
            assert tensor.dtype == dtype
            assert tensor.is_contiguous()
            assert tensor.data_ptr() % 64 == 0
            assert (tensor == number).all()
        del found, tensor


def test_what_is_kept_is_bounded_and_the_latest_stays() -> None:
    kept = KeptMemory(most_bytes=4 * MEGABYTE)
    blocks = [kept.take(size * MEGABYTE) for size in (1, 2, 3)]
    del blocks
    assert kept.bytes <= 4 * MEGABYTE
    assert kept.free[3 * MEGABYTE]
    del kept.free[3 * MEGABYTE][:]
    huge = kept.take(8 * MEGABYTE)
    del huge
    assert not kept.free.get(8 * MEGABYTE)


@pytest.mark.parametrize("length", [1, 7, 8, 1000, KEPT_FROM, 6_356_992, 2**30 + 1])
def test_a_block_is_little_larger_than_asked_for(length: int) -> None:
    assert length <= block_size(length) <= length * (1 + 1 / STEPS)
    assert block_size(block_size(length)) == block_size(length)


def test_threads_share_no_block() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(200):
            tensor = new_memory(LIKE, KEPT_FROM).fill_(number)
            if not (tensor == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_block_may_come_back_while_the_lock_is_held() -> None:
    """As when Python's collector frees a tensor in the middle of `take`."""
    block = KEPT.take(MEGABYTE)
    with KEPT.lock:
        del block
        gc.collect()
    assert KEPT.take(MEGABYTE).nbytes == MEGABYTE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_a_forked_child_takes_memory_though_the_lock_was_held() -> None:
    with KEPT.lock:
        process = multiprocessing.get_context("fork").Process(target=new_memory, args=(LIKE, MEGABYTE))
        process.start()
    process.join(timeout=60)
    assert process.exitcode == 0
