from typing import Any

import pytest
import torch

from gnnfuse.ops import Edges, checked_indices, edges_from_index, neighbor_sum


def test_edges_are_sorted_by_destination_relation_and_source() -> None:
    src = torch.tensor([2, 0, 1, 0])
    dst = torch.tensor([0, 2, 0, 0])
    relation = torch.tensor([0, 0, 1, 1])
    edges = edges_from_index(src, dst, relation, num_nodes=4, num_rows=3)
    assert edges.offsets.tolist() == [0, 3, 3, 4, 4]
    assert edges.src.tolist() == [2, 0, 1, 0]
    assert edges.relation.tolist() == [0, 1, 1, 0]
    assert edges.dst().tolist() == [0, 0, 0, 2]
    assert edges.transpose.offsets.tolist() == [0, 2, 3, 4]
    assert edges.transpose.edge.tolist() == [3, 1, 2, 0]
    assert edges.transpose.dst.tolist() == [2, 0, 0, 0]
    assert (edges.num_nodes, edges.num_edges) == (4, 4)


def test_order_of_the_list_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    # Few rows, so that some edges occur twice.
    src, dst, relation = (torch.randint(0, size, (400,), generator=generator) for size in (9, 11, 3))
    edges = edges_from_index(src, dst, relation, num_nodes=11, num_rows=9)
    order = torch.randperm(400, generator=generator)
    permuted = edges_from_index(src[order], dst[order], relation[order], num_nodes=11, num_rows=9)
    assert all(torch.equal(one, other) for one, other in zip(flat(edges), flat(permuted), strict=True))


def test_transpose_names_the_same_edges() -> None:
    generator = torch.Generator().manual_seed(1)
    src, dst, relation = (torch.randint(0, size, (300,), generator=generator) for size in (20, 30, 4))
    edges = edges_from_index(src, dst, relation, num_nodes=30, num_rows=20)
    by_source = torch.repeat_interleave(torch.arange(20), edges.transpose.offsets.diff())
    assert torch.equal(edges.src[edges.transpose.edge], by_source)
    assert torch.equal(edges.dst()[edges.transpose.edge], edges.transpose.dst)


@pytest.mark.parametrize("nodes", [0, 3])
def test_no_edges(nodes: int) -> None:
    none = torch.empty(0, dtype=torch.int64)
    edges = edges_from_index(none, none, num_nodes=nodes)
    assert edges.offsets.tolist() == [0] * (nodes + 1)
    assert edges.dst().shape == (0,)
    assert {tensor.dtype for tensor in (edges.offsets, edges.transpose.offsets)} == {torch.int64}
    lists = (edges.src, edges.relation, edges.transpose.edge, edges.transpose.dst)
    assert {tensor.dtype for tensor in lists} == {torch.int32}


def test_to_moves_every_list() -> None:
    index = torch.tensor([0, 1])
    edges = edges_from_index(index, index, num_nodes=2).to("meta")
    assert all(tensor.device.type == "meta" for tensor in flat(edges))


@pytest.mark.parametrize(
    ("src", "dst", "message"),
    [
        ([0, 1], [0], "src, dst and relation need one length, found 2, 1, 2"),
        ([0, 5], [0, 1], r"src must lie in 0\.\.1, found 0\.\.5"),
        ([0, 1], [-1, 1], r"dst must lie in 0\.\.1, found -1\.\.1"),
    ],
)
def test_bad_lists(src: list[int], dst: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        edges_from_index(torch.tensor(src), torch.tensor(dst), num_nodes=2)


def flat(edges: Edges) -> list[torch.Tensor]:
    return [edges.offsets, edges.src, edges.relation, *edges.transpose]


def test_relations_are_checked_too() -> None:
    index = torch.zeros(2, dtype=torch.int64)
    for relation, found in (([0, -1], "-1..0"), ([2**40, 0], "0..1099511627776")):
        with pytest.raises(ValueError, match=rf"relation must lie in 0..2147483646, found {found}"):
            edges_from_index(index, index, torch.tensor(relation), num_nodes=1)


def test_more_than_63_bits_sort_is_refused() -> None:
    index, relation = torch.tensor([2**30 - 1]), torch.tensor([2**20])
    with pytest.raises(ValueError, match="too many to be sorted by 63 bits"):
        edges_from_index(index, index, relation, num_nodes=2**30)


@pytest.mark.parametrize("seed", range(20))
def test_sorted_as_python_sorts(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    nodes, relations = (1 + int(torch.randint(0, size, (), generator=generator)) for size in (70, 9))
    sizes = (nodes, nodes, relations)
    src, dst, relation = (torch.randint(0, size, (5 * nodes,), generator=generator) for size in sizes)
    edges = edges_from_index(src, dst, relation, num_nodes=nodes)
    rows = sorted(zip(dst.tolist(), relation.tolist(), src.tolist(), strict=True))
    assert list(zip(edges.dst().tolist(), edges.relation.tolist(), edges.src.tolist(), strict=True)) == rows
    back = sorted(range(len(rows)), key=lambda place: (rows[place][2], rows[place][1], place))
    assert edges.transpose.edge.tolist() == back


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"src": torch.tensor([0.5, 1.0])}, r"src must be int32 or int64 \[edges\], found torch.float32 \(2,\)"),
        ({"dst": torch.tensor([[0, 1]])}, r"dst must be int32 or int64 \[edges\], found torch.int64 \(1, 2\)"),
        ({"relation": torch.tensor([0.0, 1.0])}, "relation must be int32 or int64"),
        ({"num_nodes": -1}, "num_nodes and num_rows must be 0 or more, found -1 and -1"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_no_other_lists_than_of_whole_numbers(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"src": torch.tensor([0, 1]), "dst": torch.tensor([0, 1]), "num_nodes": 2}
    with pytest.raises(ValueError, match=message):
        edges_from_index(**(good | change))


def test_checked_indices_looks_at_the_transpose_too() -> None:
    edges = edges_from_index(torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1]), num_nodes=2)
    value = torch.ones(2, 3)
    with checked_indices():
        neighbor_sum(value, edges)
        for wrong in (
            edges._replace(src=edges.src.roll(1)),
            edges._replace(transpose=edges.transpose._replace(edge=torch.zeros(3, dtype=torch.int32))),
            edges._replace(transpose=edges.transpose._replace(dst=edges.transpose.dst.roll(1))),
        ):
            with pytest.raises(ValueError, match=r"edges.transpose must list the edges of edges.src"):
                neighbor_sum(value, wrong)
