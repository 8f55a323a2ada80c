import gc
import multiprocessing
import os
import threading
import time
import weakref
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import gnnfuse.ops.cpu.work
from gnnfuse.ops.cpu.openmp import openmp_team
from gnnfuse.ops.cpu.work import EDGES_PER_PIECE, MAX_CHUNKS, Work, cut, spread, thread_pool, together


@pytest.mark.parametrize(
    "degrees",
    [[], [0], [0, 0, 0], [5], [1, 0, 2], [4096, 4097], [100_000], [0, 9000, 0, 1, 20_000, 0], [30] * 4000],
)
def test_every_edge_and_every_row_is_in_one_piece(degrees: list[int]) -> None:
    work = cut(offsets_of(degrees))
    bounds, row = work.bounds.astype(int), work.row.astype(int)
    lengths = np.diff(bounds)
    assert lengths.max(initial=0) <= EDGES_PER_PIECE
    assert np.bincount(row, weights=lengths, minlength=len(degrees)).tolist() == degrees
    assert sorted(set(row.tolist())) == list(range(len(degrees)))
    assert (work.chunks[0], work.chunks[-1]) == (0, len(row))
    assert (np.diff(work.chunks.astype(int)) >= 0).all()


@pytest.mark.parametrize("degrees", [[1_000_000], [8] * 100_000, [100_000, *[5] * 100_000]])
def test_chunks_are_of_about_equal_cost(degrees: list[int]) -> None:
    work = cut(offsets_of(degrees))
    edges = np.diff(work.bounds[work.chunks].astype(int))
    assert 16 < work.num_chunks <= MAX_CHUNKS
    assert edges.max() <= 2 * EDGES_PER_PIECE + sum(degrees) / work.num_chunks


@pytest.mark.parametrize("degrees", [[], [3, 0, 1, 4], [0, 9000, 0, 1, 20_000, 0], [30] * 4000])
def test_groups_come_one_after_the_other(degrees: list[int]) -> None:
    group = np.arange(len(degrees)) * 7 % 3
    work = cut(offsets_of(degrees), group=group)
    assert work.order is not None
    order = work.order.astype(int)
    assert sorted(order.tolist()) == list(range(len(work.row)))
    in_turn = list(zip(group[work.row.astype(int)][order].tolist(), order.tolist(), strict=True))
    assert in_turn == sorted(in_turn)
    lengths = np.diff(work.bounds.astype(int))[order]
    parts = np.split(lengths, work.chunks.astype(int)[1:-1])
    assert max((part.sum() for part in parts), default=0) <= 2 * EDGES_PER_PIECE + sum(degrees) / work.num_chunks


def test_sum_rows_adds_the_pieces_of_a_row() -> None:
    work = cut(offsets_of([0, 9000, 2]))
    assert work.row.tolist() == [0, 1, 1, 1, 2]
    pieces = torch.tensor([[0.0], [1.0], [2.0], [4.0], [8.0]])
    assert work.sum_rows(pieces).tolist() == [[0.0], [7.0], [8.0]]


@pytest.fixture(params=["team", "pool"])
def either_kind_of_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "team" and openmp_team() is None:
        pytest.skip("this PyTorch does not come with GNU's OpenMP library")
    monkeypatch.setattr("gnnfuse.ops.cpu.work.FORKED", request.param == "pool")


@pytest.mark.usefixtures("either_kind_of_threads")
@pytest.mark.parametrize("threads", [1, 2, 3, 50])
def test_spread_calls_every_chunk_once(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    work = cut(offsets_of([100_000]))
    calls = np.zeros(work.num_chunks, dtype=int)
    spread(count, work, calls)
    assert calls.tolist() == [1] * work.num_chunks


@pytest.mark.usefixtures("either_kind_of_threads")
@pytest.mark.parametrize("threads", [1, 2, 3, 50])
def test_spread_calls_a_compiled_kernel_for_every_chunk_once(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    work = cut(offsets_of([100_000]))
    for dtype in (np.int64, np.float32):  # machine code is kept per kind of arguments
        calls = np.zeros((work.num_chunks, 1), dtype)
        spread(compiled_count(), work, dtype(2), calls)
        assert calls.tolist() == [[2]] * work.num_chunks


@pytest.mark.usefixtures("either_kind_of_threads")
def test_memory_that_runs_out_in_a_compiled_kernel_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(MemoryError):
        spread(compiled_failure(), cut(offsets_of([100_000])), 2**55)


@pytest.mark.usefixtures("either_kind_of_threads")
def test_several_threads_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other: one alone would wait until the barrier breaks."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    both = threading.Barrier(2, timeout=60)

    def wait() -> None:
        both.wait()

    together(wait, 2)
    assert not both.broken


@pytest.mark.usefixtures("either_kind_of_threads")
def test_an_error_in_another_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def fail(first: int, *_: object) -> None:
        if first > 0:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spread(fail, cut(offsets_of([100_000])))


@pytest.mark.usefixtures("either_kind_of_threads")
def test_arguments_are_let_go_without_pythons_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel's arguments are the largest arrays there are."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    work = cut(offsets_of([100_000]))
    calls = np.zeros(work.num_chunks, dtype=int)
    held = weakref.ref(calls)
    gc.disable()
    try:
        spread(count, work, calls)
        del calls
        for _ in range(1000):  # a thread of the pool lets go a moment after it has answered
            if held() is None:
                break
            time.sleep(0.01)
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_threads_work_in_a_forked_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    work = cut(offsets_of([100_000]))
    calls = np.zeros(work.num_chunks, dtype=int)
    spread(count, work, calls)  # the parent's threads are at work before the fork
    assert calls.tolist() == [1] * work.num_chunks
    process = multiprocessing.get_context("fork").Process(target=spread_in_child, args=(work,))
    process.start()
    process.join(timeout=60)
    assert process.exitcode == 0


def spread_in_child(work: Work) -> None:
    calls = np.zeros(work.num_chunks, dtype=int)
    spread(count, work, calls)
    assert calls.tolist() == [1] * work.num_chunks
    assert gnnfuse.ops.cpu.work.FORKED
    # The parent's threads do not exist here: a pool that answers is the child's own.
    assert thread_pool(os.getpid(), 2).submit(os.getpid).result(timeout=30) == os.getpid()


@cache
def compiled_count() -> Any:
    numba_compile = pytest.importorskip("gnnfuse.ops.cpu.numba_compile")

    def add(first: int, last: int, chunks: object, bounds: object, more: float, calls: NDArray[Any]) -> None:
        for chunk in range(first, last):
            calls[chunk, 0] += more

    return numba_compile.compiled(add)


@cache
def compiled_failure() -> Any:
    numba_compile = pytest.importorskip("gnnfuse.ops.cpu.numba_compile")

    def allocate(first: int, last: int, chunks: object, bounds: object, size: int) -> None:
        np.empty(size)[0] = first

    return numba_compile.compiled(allocate)


def count(first: int, last: int, chunks: object, bounds: object, calls: NDArray[np.int_]) -> None:
    calls[first:last] += 1


def offsets_of(degrees: list[int]) -> torch.Tensor:
    return torch.tensor([0, *np.cumsum(degrees, dtype=int).tolist()])
