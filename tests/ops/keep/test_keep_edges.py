import pickle
import random
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import Edges, Transpose, edges_between, edges_from_index, keep_edges
from gnnfuse.ops.choose import INSTALLED

Impl = Literal["reference", "numba"]
IMPLS: list[Impl] = ["reference", "numba"]


def random_edges(draw: random.Random, most: int) -> Edges:
    """Often none, sometimes one edge several times, sometimes all into one node."""
    nodes = draw.choice([0, 1, draw.randint(1, most)])
    count = draw.choice([0, 1, draw.randint(0, 4 * most)]) if nodes else 0
    into = draw.choice([1, nodes])
    ends = [[draw.randrange(nodes), draw.randrange(into), draw.randrange(3)] for _ in range(count)]
    src, dst, relation = torch.tensor(ends, dtype=torch.int64).reshape(-1, 3).T
    return edges_from_index(src, dst, relation, num_nodes=nodes)


def random_mask(draw: random.Random, length: int) -> Tensor:
    share = draw.choice([0.0, 0.5, 0.9, 1.0])
    return torch.tensor([draw.random() < share for _ in range(length)], dtype=torch.bool)


def expected(edges: Edges, nodes: Tensor, kept: Tensor | None) -> Edges:
    """The edges listed one by one, and sorted from nothing."""
    number: dict[int, int] = {}
    rest = []
    for node, stays in enumerate(nodes.tolist()):
        if stays:
            number[node] = len(number)
    for edge, (src, dst, relation) in enumerate(
        zip(edges.src.tolist(), edges.dst().tolist(), edges.relation.tolist(), strict=True)
    ):
        if src in number and dst in number and (kept is None or kept[edge]):
            rest.append([number[src], number[dst], relation])
    src, dst, relation = torch.tensor(rest, dtype=torch.int64).reshape(-1, 3).T
    return edges_from_index(src, dst, relation, num_nodes=len(number))


def lists(edges: Edges) -> list[Tensor]:
    return [*edges[:3], *edges.transpose]


def assert_same(found: Edges, wanted: Edges) -> None:
    for one, other in zip(lists(found), lists(wanted), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("seed", range(4))
def test_what_stays_is_what_sorting_the_remaining_edges_gives(seed: int, impl: Impl) -> None:
    draw = random.Random(seed)
    for _ in range(60):
        edges = random_edges(draw, draw.choice([2, 8, 40]))
        nodes = random_mask(draw, edges.num_nodes)
        kept = draw.choice([None, random_mask(draw, edges.num_edges)])
        assert_same(keep_edges(edges, nodes, kept, impl=impl), expected(edges, nodes, kept))


@pytest.mark.parametrize("impl", IMPLS)
def test_keeping_twice_is_keeping_both_and_keeping_all_changes_nothing(impl: Impl) -> None:
    draw = random.Random(9)
    edges = random_edges(draw, 200)
    one, other = random_mask(draw, edges.num_nodes), random_mask(draw, edges.num_nodes)
    assert_same(keep_edges(edges, torch.ones_like(one), impl=impl), edges)
    assert_same(
        keep_edges(keep_edges(edges, one, impl=impl), other[one], impl=impl), keep_edges(edges, one & other, impl=impl)
    )


def test_lists_have_memory_of_their_own_and_strided_masks_are_read_right() -> None:
    draw = random.Random(3)
    edges = edges_from_index(torch.arange(99), torch.arange(1, 100), num_nodes=100)
    nodes = torch.tensor([[draw.random() < 0.7, False] for _ in range(100)])[:, 0]
    found = keep_edges(edges, nodes, impl="numba")
    assert_same(found, expected(edges, nodes, None))
    for part in lists(found):
        assert part.untyped_storage().nbytes() == part.nbytes  # or pickling one would carry all the others
    assert_same(pickle.loads(pickle.dumps(found)), found)


def test_edges_between_nodes_that_stay() -> None:
    edges = edges_from_index(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]), num_nodes=3)  # sorted: 2->0, 0->1, 1->2
    nodes = torch.tensor([True, True, False])
    assert edges_between(edges, nodes).tolist() == [False, True, False]
    assert edges_between(edges, nodes, torch.tensor([True, False, True])).tolist() == [False, False, False]


GOOD = edges_from_index(torch.tensor([0, 1]), torch.tensor([1, 0]), num_nodes=2)


@pytest.mark.parametrize(
    ("nodes", "kept", "message"),
    [
        (
            torch.ones(3, dtype=torch.bool),
            None,
            r"nodes must be torch.bool \[2\] on cpu, found torch.bool \[3\] on cpu",
        ),
        (torch.ones(2, 1, dtype=torch.bool)[:0], None, r"found torch.bool \[0, 1\] on cpu"),
        (torch.ones(2, dtype=torch.bool, device="meta"), None, r"nodes must be .* found torch.bool \[2\] on meta"),
        (torch.ones(2, dtype=torch.bool), torch.ones(1, dtype=torch.bool), r"kept must be torch.bool \[2\] .* \[1\]"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_masks_that_do_not_fit(nodes: Any, kept: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        keep_edges(GOOD, nodes, kept)


def test_what_cannot_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = torch.ones(2, dtype=torch.bool)
    with pytest.raises(ValueError, match="impl must be one of 'auto', 'reference', 'numba'; found 'triton'"):
        keep_edges(GOOD, nodes, impl="triton")  # type: ignore[arg-type]
    wild = GOOD._replace(src=GOOD.src + 2)
    with pytest.raises(ValueError, match=r"edges.src must lie in 0..1, found 2..3"):
        keep_edges(wild, nodes)
    wild = GOOD._replace(transpose=Transpose(GOOD.transpose.offsets, GOOD.transpose.edge + 1, GOOD.transpose.dst))
    with pytest.raises(ValueError, match=r"edges.transpose.edge must lie in 0..1, found 1..2"):
        keep_edges(wild, nodes)
    monkeypatch.setitem(INSTALLED, "numba", False)
    assert_same(keep_edges(GOOD, nodes), GOOD)
    with pytest.raises(RuntimeError, match="numba, which is not installed: pip install numba"):
        keep_edges(GOOD, nodes, impl="numba")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device_the_same_bits() -> None:
    draw = random.Random(5)
    for _ in range(20):
        edges = random_edges(draw, 100)
        nodes, kept = random_mask(draw, edges.num_nodes), random_mask(draw, edges.num_edges)
        found = keep_edges(edges.to("cuda"), nodes.cuda(), kept.cuda())
        assert_same(found.to("cpu"), keep_edges(edges, nodes, kept))
