"""One row per (relation, node) pair: what each edge reads, and what is refused."""

import pytest
import torch

from gnnfuse.ops import edges_from_index, relation_rows

SPANS = [(0, 4), (2, 6), (3, 3), (0, 6)]


def random_edges(seed: int) -> tuple[list[tuple[int, int, int]], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    relation = torch.tensor([0, 1, 3])[torch.randint(0, 3, (40,), generator=generator)]
    start, stop = torch.tensor(SPANS)[relation].unbind(1)
    src = start + torch.randint(0, 1000, (40,), generator=generator) % (stop - start)
    dst = torch.randint(0, 6, (40,), generator=generator)
    return list(zip(src.tolist(), dst.tolist(), relation.tolist(), strict=True)), torch.stack([src, dst, relation])


@pytest.mark.parametrize("seed", range(20))
def test_every_edge_reads_its_own_row_and_the_transpose_is_sorted(seed: int) -> None:
    listed, (src, dst, relation) = random_edges(seed)
    first = [0, 4, 8, 8]
    rows = torch.tensor([first[r] + s - SPANS[r][0] for s, _, r in listed])
    found = relation_rows(edges_from_index(src, dst, relation, num_nodes=6), SPANS)
    expected = edges_from_index(rows, dst, relation, num_nodes=6, num_rows=14)
    for one, other in zip((*found[:3], *found.transpose), (*expected[:3], *expected.transpose), strict=True):
        assert torch.equal(one, other)


def test_a_source_outside_its_relations_span_is_refused() -> None:
    edges = edges_from_index(torch.tensor([0, 5]), torch.tensor([1, 1]), num_nodes=6)
    with pytest.raises(ValueError, match=r"edges.src\[1\] must lie in 0..1, the span of relation 0; found 5"):
        relation_rows(edges, [(0, 2)])


def test_a_relation_without_a_span_is_refused() -> None:
    edges = edges_from_index(torch.tensor([0]), torch.tensor([1]), torch.tensor([1]), num_nodes=6)
    with pytest.raises(ValueError, match=r"edges.relation must lie in 0..0, found 1..1"):
        relation_rows(edges, [(0, 2)])


@pytest.mark.parametrize("span", [(-1, 2), (3, 2), (0, 7)])
def test_a_span_outside_the_nodes_is_refused(span: tuple[int, int]) -> None:
    edges = edges_from_index(torch.tensor([0]), torch.tensor([1]), num_nodes=6)
    with pytest.raises(ValueError, match=r"spans must be \(start, stop\) within 0..6"):
        relation_rows(edges, [span])
