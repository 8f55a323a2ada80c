import random
from typing import Literal

import pytest
import torch

from gnnfuse.ops import KeptRows, keep_rows

Impl = Literal["reference", "numba"]
IMPLS: list[Impl] = ["reference", "numba"]


def random_groups(draw: random.Random) -> list[list[bool]]:
    """Groups of rows, some without any, some that lose none or all."""
    shares = [draw.choice([0.0, 0.5, 1.0]) for _ in range(draw.randint(0, 5))]
    return [[draw.random() < share for _ in range(draw.randint(0, 4))] for share in shares]


def expected(groups: list[list[bool]]) -> tuple[list[int], list[int], bool, list[bool]]:
    flat = [stays for group in groups for stays in group]
    rows = [row for row, stays in enumerate(flat) if stays]
    ends = [sum(map(sum, groups[:count])) for count in range(len(groups) + 1)]
    partial = any(any(group) and not all(group) for group in groups)
    return rows, ends, partial, [bool(group) and not any(group) for group in groups]


def as_lists(found: KeptRows, groups: int) -> tuple[list[int], list[int], bool, list[bool]]:
    assert found.rows.dtype == found.offsets.dtype == torch.int64
    assert found.emptied is None or found.emptied.any()
    emptied = [False] * groups if found.emptied is None else found.emptied.tolist()
    return found.rows.tolist(), found.offsets.tolist(), found.partial, emptied


@pytest.mark.parametrize("impl", IMPLS)
def test_rows_that_stay_group_by_group(impl: Impl) -> None:
    draw = random.Random(0)
    for _ in range(60):
        several = [random_groups(draw) for _ in range(draw.randint(1, 3))]
        masks = [torch.tensor([stays for group in groups for stays in group], dtype=torch.bool) for groups in several]
        offsets = [torch.tensor([0, *map(len, groups)]).cumsum(0) for groups in several]
        for found, groups in zip(keep_rows(masks, offsets, impl=impl), several, strict=True):
            assert as_lists(found, len(groups)) == expected(groups)


def test_what_does_not_fit_is_refused() -> None:
    mask, offsets = torch.ones(3, dtype=torch.bool), torch.tensor([0, 3])
    assert keep_rows([], []) == []
    for masks, ends, message in (
        ([mask], [], "masks and offsets must be equally many, found 1 and 0"),
        ([mask], [torch.tensor([0, 2])], "offsets must rise from 0 to 3"),
        (
            [mask],
            [offsets.int()],
            r"offsets must be torch.int64 \[groups \+ 1\] on cpu, found torch.int32 \[2\] on cpu",
        ),
        ([mask, mask.to("meta")], [offsets, offsets], r"masks must be torch.bool \[3\] on cpu, found .* on meta"),
    ):
        with pytest.raises(ValueError, match=message):
            keep_rows(masks, ends)
    with pytest.raises(ValueError, match="impl must be one of 'auto', 'reference', 'numba'; found 'triton'"):
        keep_rows([mask], [offsets], impl="triton")  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device_the_same_and_it_is_waited_for_once() -> None:
    masks = [torch.rand(50) < 0.5, torch.rand(9) < 0.5]
    offsets = [torch.tensor([0, 20, 20, 50]), torch.tensor([0, 9, 9, 9])]
    there = [[part.cuda() for part in parts] for parts in (masks, offsets)]
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with pytest.warns(UserWarning, match="synchroniz") as waits:
            found = keep_rows(*there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(waits) == 1
    for one, other in zip(found, keep_rows(masks, offsets), strict=True):
        assert as_lists(one, 3) == as_lists(other, 3)
