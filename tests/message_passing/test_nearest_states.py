"""Edges to the nearest states: the search against sorting by hand, and what the layer makes of them."""

from functools import partial
from itertools import accumulate

import pytest
import torch
from torch import Tensor

from gnnfuse.graph import Relation
from gnnfuse.message_passing import HGT, SAGE, NearestStates
from gnnfuse.message_passing.nearest_search import nearest
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import make_seeded

COUNTS = [([3, 0, 7, 1, 12], [4, 2, 0, 1, 9]), ([0, 0], [3, 0]), ([5], [30]), ([2] * 40, [3] * 40)]
WINDOW = Relation("text", "window", "text")


def offsets(counts: list[int]) -> Tensor:
    return torch.tensor([0, *accumulate(counts)])


def points(count: int, seed: int) -> Tensor:
    """On a small grid: many distances are equal."""
    return torch.randint(0, 3, (count, 2), generator=torch.Generator().manual_seed(seed)).double()


def by_hand(src: Tensor, dst: Tensor, src_at: Tensor, dst_at: Tensor, k: int, without_self: bool) -> list[list[int]]:
    pairs = []
    for graph in range(len(dst_at) - 1):
        for i in range(int(dst_at[graph]), int(dst_at[graph + 1])):
            near = [
                (float((src[j] - dst[i]).square().sum()), j)
                for j in range(int(src_at[graph]), int(src_at[graph + 1]))
                if not (without_self and i == j)
            ]
            pairs += [[i, j] for _, j in sorted(near)[:k]]
    return sorted(pairs)


@pytest.mark.parametrize("small_blocks", [False, True])
@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("counts", COUNTS)
def test_the_search_by_sorting(
    counts: tuple[list[int], list[int]], k: int, small_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small_blocks:
        monkeypatch.setattr("gnnfuse.message_passing.nearest_search.GATHERED", 20)
        monkeypatch.setattr("gnnfuse.message_passing.nearest_search.PAIRS_AT_ONCE", 25)
    for same in (False, True):
        src_at, dst_at = offsets(counts[0]), offsets(counts[0] if same else counts[1])
        src = points(int(src_at[-1]), 0)
        dst = src if same else points(int(dst_at[-1]), 1)
        found = nearest(src, dst, src_at, dst_at, k=k, without_self=same)
        assert sorted(found.flip(0).T.tolist()) == by_hand(src, dst, src_at, dst_at, k, same)


@pytest.mark.parametrize(("nodes", "samples"), [(3000, 1), (30, 100)])
def test_no_block_holds_all_pairs(nodes: int, samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnnfuse.message_passing.nearest_search.GATHERED", 1 << 14)
    monkeypatch.setattr("gnnfuse.message_passing.nearest_search.PAIRS_AT_ONCE", 1 << 16)
    sizes, cdist = [], torch.cdist

    def counted(one: Tensor, other: Tensor, *, compute_mode: str) -> Tensor:
        sizes.append(len(one) * len(other))
        return cdist(one, other, compute_mode=compute_mode)

    monkeypatch.setattr(torch, "cdist", counted)
    at = offsets([nodes] * samples)
    states = points(nodes * samples, 0)
    assert nearest(states, states, at, at, k=2, without_self=True).shape == (2, 2 * nodes * samples)
    assert max(sizes) <= 1 << 16
    assert len(sizes) < nodes * samples // 20  # and not one block per node, or per sample


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_states_of_every_dtype_and_what_is_not_a_number(dtype: torch.dtype) -> None:
    states, at = torch.tensor([[0.0], [1.0], [torch.nan]], dtype=dtype), torch.tensor([0, 3])
    assert nearest(states, states, at, at, k=2, without_self=True).tolist() == [[1, 0], [0, 1]]


def test_the_batch_gets_edges_of_its_own_samples_in_new_relations() -> None:
    builder = example_builder()
    batch = builder(random_samples(torch.Generator().manual_seed(0)), empty=True)
    layer = make_seeded(lambda: NearestStates(4, batch.node_types, builder.relations, k=2))
    assert isinstance(layer, NearestStates)
    states = torch.randn(batch.num_nodes, 4, generator=torch.Generator().manual_seed(0))
    extended = layer.extended(states, batch)
    old = extended.edges.relation < len(batch.relations)
    for name in ("src", "relation"):
        assert torch.equal(getattr(extended.edges, name)[old], getattr(batch.edges, name))
    assert torch.equal(extended.edges.dst()[old], batch.edges.dst())
    src, dst = extended.edges.src[~old].long(), extended.edges.dst()[~old]
    assert torch.equal(batch.graph_id[src], batch.graph_id[dst])
    assert not (src == dst).any()
    number = extended.edges.relation[~old].tolist()
    for i, j, relation in zip(src.tolist(), dst.tolist(), number, strict=True):
        place = extended.relations[relation]
        assert place.rule == "nearest_states"
        assert batch.slices[place.src].start <= i < batch.slices[place.src].stop
        assert batch.slices[place.dst].start <= j < batch.slices[place.dst].stop


def test_the_layer_is_the_wrapped_one_on_the_extended_batch() -> None:
    builder = example_builder()
    batch = builder(random_samples(torch.Generator().manual_seed(0)), empty=True)
    factory = partial(NearestStates, k=2, layer=partial(HGT, heads=2), within=False)
    layer = make_seeded(lambda: factory(4, batch.node_types, builder.relations))
    assert isinstance(layer, NearestStates)
    states = torch.randn(batch.num_nodes, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(states, batch), layer.wrapped(states, layer.extended(states, batch)))
    assert all(relation.src != relation.dst for relation in layer.found)
    assert not torch.equal(layer(states, batch), layer(-states.square(), batch))


@pytest.mark.parametrize(
    ("options", "relations", "message"),
    [
        ({"k": 0}, [WINDOW], "found k=0, within=True, across=True"),
        ({"within": False, "across": False}, [WINDOW], "found k=4, within=False, across=False"),
        ({}, [Relation("text", "nearest_states", "text")], "found text-nearest_states-text"),
    ],
)
def test_bad_options(options: dict[str, int], relations: list[Relation], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NearestStates(4, ["text"], relations, layer=SAGE, **options)  # type: ignore[arg-type]


def test_a_batch_of_other_types_is_refused() -> None:
    batch = example_builder()(random_samples(torch.Generator().manual_seed(0)), empty=True)
    layer = NearestStates(4, ["text"], batch.relations)
    with pytest.raises(ValueError, match="expected node types text, the batch has audio, hub, image, text"):
        layer(torch.zeros(batch.num_nodes, 4), batch)
