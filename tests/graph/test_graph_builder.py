import pickle
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from gnnfuse.edges import Aligned, Complete, EdgeRule, Grid, Nearest, Window
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder, SampleGraph, sample_edges
from gnnfuse.nodes import Features, Hub, ImagePatches, NodeSet, NodeType, TextTokens
from gnnfuse.ops import edges_from_index
from gnnfuse.sample import Rows, Sample, SignalError
from tests.graph.graphs import (
    EDGE_RULES,
    NODE_TYPES,
    expected_edges,
    found_edges,
    node_places,
    random_sample,
    random_samples,
)


def builder() -> GraphBuilder:
    return GraphBuilder(NODE_TYPES, EDGE_RULES)


@pytest.mark.parametrize("block", range(10))
def test_nodes_and_edges_of_a_batch_are_those_of_its_samples(block: int) -> None:
    kept = builder()
    for seed in range(30 * block, 30 * block + 30):
        samples = random_samples(seed)
        batch = kept(samples, empty=True)
        places = node_places(kept, samples)
        assert batch.num_graphs == len(batch) == len(samples)
        assert batch.num_nodes == len(places)
        assert batch.graph_id.tolist() == [graph for _, graph, _, _ in places]
        for name, part in batch.slices.items():
            mine = [(graph, index, value) for found, graph, index, value in places if found == name]
            assert part.stop - part.start == len(mine)
            layout = batch.layout[name]
            assert layout.graph_id.tolist() == [graph for graph, _, _ in mine]
            assert layout.index.tolist() == [index for _, index, _ in mine]
            counts = [sum(graph == place for graph, _, _ in mine) for place in range(len(samples))]
            assert layout.offsets.tolist() == [sum(counts[:place]) for place in range(len(samples) + 1)]
            assert all(torch.equal(a, b) for a, (_, _, b) in zip(batch.values[name], mine, strict=True))
        assert found_edges(batch, places) == expected_edges(kept, samples)
        present = [[name in sample.signals for name in batch.modalities] for sample in samples]
        assert batch.present.tolist() == present
        assert batch.ids == tuple(str(sample.id) for sample in samples)


def test_a_batch_holds_each_samples_shape_position_time_and_losses() -> None:
    types = [
        ImagePatches(patch=2, max_nodes=4, overflow="truncate"),
        Features(signal="events", width=1, timed=True, coordinates=2),
    ]
    events = Rows(torch.ones(2, 1), time=torch.tensor([0.0, 1.0]), position=torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    samples = [
        Sample({"image": torch.rand(3, 6, 4)}),
        Sample({"events": events}),
        Sample({"image": torch.rand(3, 2, 2)}),
    ]
    with pytest.warns(UserWarning, match=r"node type 'image': .*max_nodes"):
        batch = GraphBuilder(types)(samples)
    image, found = batch.layout["image"], batch.layout["events"]
    assert image.shape.tolist() == [[2, 2], [0, 0], [1, 1]]
    assert image.dropped.tolist() == [2, 0, 0]
    assert found.shape.tolist() == [[0], [2], [0]]
    assert found.time is not None
    assert found.position is not None
    assert found.time.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert found.position.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert image.time is None


@pytest.mark.parametrize("seed", range(20))
def test_edges_are_sorted_and_their_transpose_is_theirs(seed: int) -> None:
    batch = builder()(random_samples(seed), empty=True)
    edges = batch.edges
    num_nodes, dst = batch.num_nodes, edges.dst()
    order = list(zip(dst.tolist(), edges.relation.tolist(), edges.src.tolist(), strict=True))
    assert order == sorted(order)
    shuffled = torch.randperm(edges.num_edges, generator=torch.Generator().manual_seed(seed))
    again = edges_from_index(edges.src[shuffled], dst[shuffled], edges.relation[shuffled], num_nodes=num_nodes)
    for found, expected in zip((*edges[:3], *edges.transpose), (*again[:3], *again.transpose), strict=True):
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_node_types_rules_and_signals_does_not_matter(seed: int) -> None:
    samples = random_samples(seed)
    expected = builder()(samples, empty=True)
    turned = [
        replace(sample, signals={name: sample.signals[name] for name in sorted(sample.signals, reverse=True)})
        for sample in samples
    ]
    generator = torch.Generator().manual_seed(seed)
    types = [NODE_TYPES[i] for i in torch.randperm(len(NODE_TYPES), generator=generator).tolist()]
    rules = [EDGE_RULES[i] for i in torch.randperm(len(EDGE_RULES), generator=generator).tolist()]
    assert GraphBuilder(types, rules)(turned, empty=True) == expected


@pytest.mark.parametrize("seed", range(10))
def test_turning_the_samples_turns_the_batch(seed: int) -> None:
    samples = random_samples(seed, count=5)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed)).tolist()
    kept = builder()
    batch, turned = (kept(each, empty=True) for each in (samples, [samples[i] for i in order]))
    places, turned_places = node_places(kept, samples), node_places(kept, [samples[i] for i in order])
    there = {(order[graph], relation, src, dst) for graph, relation, src, dst in found_edges(turned, turned_places)}
    assert there == found_edges(batch, places)
    assert torch.equal(turned.present, batch.present[order])
    assert turned.ids == tuple(batch.ids[i] for i in order)


def test_a_batch_is_its_samples_one_by_one() -> None:
    samples = random_samples(3, count=6)
    kept = builder()
    batch = kept(samples, empty=True)
    for graph, sample in enumerate(samples):
        alone = kept([sample], empty=True)
        assert alone.num_nodes == int((batch.graph_id == graph).sum())
        for name in batch.node_types:
            assert torch.equal(alone.values[name], batch.values[name][batch.layout[name].graph_id == graph])
        mine = {edge[1:] for edge in found_edges(batch, node_places(kept, samples)) if edge[0] == graph}
        assert mine == {edge[1:] for edge in found_edges(alone, node_places(kept, [sample]))}


def test_a_sample_with_no_nodes_at_all_keeps_its_place() -> None:
    samples = [Sample({}), Sample({"text": "ab"}), Sample({"text": ""})]
    batch = GraphBuilder([TextTokens()], [Window()])(samples, empty=True)
    assert (batch.num_graphs, batch.graph_id.tolist()) == (3, [1, 1])
    assert batch.present.tolist() == [[False], [True], [True]]
    nobody = GraphBuilder([TextTokens()], [Window()])([Sample({}), Sample({})], empty=True)
    assert (nobody.num_graphs, nobody.num_nodes, nobody.edges.num_edges) == (2, 0, 0)


def test_kept_edges_equal_fresh_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = builder()
    for seed in (0, 1, 2, 3, 0, 1, 2, 3):
        samples = random_samples(seed)
        assert kept(samples, empty=True) == builder()(samples, empty=True)
    monkeypatch.setattr(sample_edges, "KEPT_SHAPES", 3)  # so that most are given up and made again
    forgetful = builder()
    for seed in range(4):
        samples = random_samples(seed)
        assert forgetful(samples, empty=True) == kept(samples, empty=True)


def test_edges_of_one_shape_are_made_once() -> None:
    @dataclass(frozen=True)
    class Counted(EdgeRule):
        name: str = "counted"

        def applies(self, src: NodeType, dst: NodeType) -> bool:
            return src.name == dst.name

        def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
            calls.append(src.num_nodes)
            return torch.zeros(2, 0, dtype=torch.int64)

        def key(self, src: NodeSet, dst: NodeSet) -> int:
            return src.num_nodes

    calls: list[int] = []
    GraphBuilder([TextTokens()], [Counted()])([Sample({"text": text}) for text in ("ab", "cd", "abc", "ef")])
    assert calls == [2, 3]


def test_an_edge_that_a_rule_gives_twice_stays_twice() -> None:
    @dataclass(frozen=True)
    class Twice(EdgeRule):
        name: str = "twice"

        def applies(self, src: NodeType, dst: NodeType) -> bool:
            return True

        def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
            return torch.tensor([[0, 1, 0, 0], [1, 0, 1, 0]])

    edges = GraphBuilder([TextTokens()], [Twice()])([Sample({"text": "ab"})]).edges
    again = edges_from_index(torch.tensor([0, 1, 0, 0]), torch.tensor([1, 0, 1, 0]), num_nodes=2)
    for found, expected in zip((*edges[:3], *edges.transpose), (*again[:3], *again.transpose), strict=True):
        assert torch.equal(found, expected)


class _Samples(torch.utils.data.Dataset[Sample]):
    def __init__(self, samples: list[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, place: int) -> Sample:
        return self.samples[place]


def test_loader_workers_make_the_same_batches() -> None:
    samples = random_samples(0, count=12)
    kept = builder()
    loader = DataLoader(_Samples(samples), batch_size=4, num_workers=2, collate_fn=kept)
    expected = [kept(samples[place : place + 4]) for place in (0, 4, 8)]
    assert list(loader) == expected


def test_builders_graphs_and_batches_survive_pickling() -> None:
    samples = random_samples(1, count=4)
    kept = builder()
    batch = kept(samples)
    assert pickle.loads(pickle.dumps(kept))(samples) == batch
    assert pickle.loads(pickle.dumps(batch)) == batch
    graphs: list[SampleGraph] = pickle.loads(pickle.dumps([kept.graph(sample) for sample in samples]))
    assert kept.collate(graphs) == batch


def test_graphs_are_those_of_each_sample_read_type_by_type() -> None:
    samples = random_samples(3, count=6)
    kept = builder()
    assert kept.collate(kept.graphs(samples)) == kept.collate([kept.graph(sample) for sample in samples])
    assert kept.graphs([]) == []

    asked: list[tuple[str, str | None]] = []

    class Noted(TextTokens):
        def nodes(self, sample: Sample) -> NodeSet | None:
            asked.append((self.name, sample.id))
            return super().nodes(sample)

    two = GraphBuilder([Noted(), Noted(name="again")], target=ClassTarget(("a", "b")))
    made = two.graphs([Sample({"text": "x"}, target="b", id="1"), Sample({"text": "xyz"}, target="a", id="2")])
    assert asked == [("again", "1"), ("again", "2"), ("text", "1"), ("text", "2")]
    assert [(graph.id, None if graph.target is None else int(graph.target)) for graph in made] == [("1", 1), ("2", 0)]
    assert [None if found is None else found.num_nodes for found in made[1].nodes.values()] == [3, 3]


def test_without_edges_neither_edges_nor_hubs_are_made() -> None:
    samples = random_samples(2, count=4)
    batch, bare = builder()(samples), builder().without_edges()(samples)
    assert bare.relations == ()
    assert bare.edges.num_edges == 0
    assert set(batch.node_types) - set(bare.node_types) == {"hub", "image_hub"}
    for name in bare.node_types:
        assert torch.equal(bare.values[name], batch.values[name])
    assert torch.equal(bare.present, batch.present)


def test_fitting_fits_every_node_type_on_these_samples_and_keeps_the_rest() -> None:
    samples = [Sample({"events": [[float(i)]], "text": "a"}, target="x") for i in range(4)]
    plain = GraphBuilder([Features(signal="events", width=1), TextTokens()], [Window()], target=ClassTarget(("x",)))
    fitted = plain.fit(iter(samples))
    assert fitted.relations == plain.relations
    assert fitted.target == plain.target
    values = fitted(samples).values["events"]
    torch.testing.assert_close(values.std(correction=0), torch.tensor(1.0))
    assert not torch.equal(plain(samples).values["events"], values)


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one node type, found none"):
        GraphBuilder([])
    with pytest.raises(ValueError, match="at least one sample, found none"):
        GraphBuilder([TextTokens()])([])


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two of one name: node type 'text'"):
        GraphBuilder([TextTokens(), Hub(name="text")])
    with pytest.raises(ValueError, match=r"two of one name: edge rule 'window'"):
        GraphBuilder([TextTokens()], [Window(size=1), Window(size=2)])


@pytest.mark.parametrize("rule", [Grid(), Nearest(), Complete(), Aligned(by="order")], ids=str)
def test_a_rule_that_joins_nothing_is_refused_with_what_the_types_provide(rule: EdgeRule) -> None:
    message = f"edge rule {rule.name!r} joins none of the node types, which provide {{'text': ['order']}}; it joins "
    with pytest.raises(ValueError, match=re.escape(message + rule.joins)):
        GraphBuilder([TextTokens()], [rule])


@pytest.mark.parametrize(
    "rule",
    [
        Window(types="txet"),
        Window(types=("text", "txet")),
        Complete(src=("text", "txet"), dst="hub"),
        Aligned(by="order", dst=("title", "txet")),
    ],
    ids=str,
)
def test_a_rule_that_names_an_unknown_type_is_refused_with_the_near_one(rule: EdgeRule) -> None:
    message = f"edge rule '{rule.name}': unknown node type 'txet', did you mean 'text'[?] Known: hub, text, title"
    with pytest.raises(ValueError, match=message):
        GraphBuilder([TextTokens(), TextTokens(name="title", signal="title"), Hub()], [rule])


def test_a_hub_of_an_unknown_signal_is_refused_with_the_near_one() -> None:
    with pytest.raises(ValueError, match="node type 'of_text': unknown signal 'txet', did you mean 'text'"):
        GraphBuilder([TextTokens(), Hub(name="of_text", of="txet")])


@pytest.mark.parametrize("signals", [{"txet": "ab"}, {"text": "ab", "txet": "cd"}], ids=str)
def test_a_signal_that_no_node_type_reads_is_refused_with_the_near_one(signals: dict[str, object]) -> None:
    made = GraphBuilder([TextTokens(), Features(signal="row", width=1), Hub(name="of_row", of="row")])
    sample = Sample(signals, id="seven")
    message = "sample 'seven': unknown signal 'txet', did you mean 'text'[?] Known: row, text"
    for call in (
        made,
        made.graph,
        lambda each: made.graphs([each]),
        made.without_edges(),
        made.fit([Sample({"row": [[1.0]]})]),
    ):
        with pytest.raises(ValueError, match=message):
            call(sample)


@pytest.mark.usefixtures("unchecked")
def test_further_signals_are_left_aside_on_request() -> None:
    samples = [Sample({"text": "ab", "title": "c"}), Sample({"title": "d"})]
    made = GraphBuilder([TextTokens()], [Window()], extra="ignore")
    assert made(samples, empty=True) == made([Sample({"text": "ab"}), Sample({})], empty=True)
    for again in (made.fit(samples), made.without_edges(), pickle.loads(pickle.dumps(made))):
        assert again(samples[0]).num_nodes == 2
    with pytest.raises(ValueError, match=r"sample '1': unknown signal 'title'\. Known: text$"):
        made(samples)
    with pytest.raises(ValueError, match=r"extra must be one of \('refuse', 'ignore'\), found 'drop'"):
        GraphBuilder([TextTokens()], extra="drop")  # type: ignore[arg-type]


def test_a_sample_without_a_signal_is_refused_unless_it_may_be_empty() -> None:
    made = GraphBuilder([TextTokens(), Hub()])
    with pytest.raises(
        ValueError, match="sample '1': found no signal, expected at least one of text; empty=True allow"
    ):
        made([Sample({"text": ""}), Sample({"text": None})])
    assert made([Sample({"text": ""}), Sample({"text": None})], empty=True).present.tolist() == [[True], [False]]
    assert GraphBuilder([Hub()])(Sample({})).num_nodes == 1  # a builder that reads nothing misses nothing


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_sample_is_refused() -> None:
    made = GraphBuilder([TextTokens()])
    batch = made(Sample({"text": "a"}))
    for found, message in (
        (
            batch,
            "found a GraphBatch among the samples, expected Sample objects; a batch is what a model or a task takes",
        ),
        ([batch], "found a GraphBatch among the samples, expected Sample objects"),
        ({"text": "a"}, "found a dict among the samples"),
        (7, "found a int among the samples"),
    ):
        with pytest.raises(ValueError, match=message):
            made(found)  # type: ignore[arg-type]
    assert made(Sample({"text": text}) for text in "ab").num_graphs == 2


def test_a_signal_that_cannot_be_read_names_its_sample() -> None:
    samples = [Sample({"text": "a"}, id="six"), Sample({"text": 7}, id="seven")]
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'text': found a int, expected a string"):
        GraphBuilder([TextTokens()])(samples)


@dataclass(frozen=True, kw_only=True)
class Contrary(NodeType):
    """A node type whose nodes are what the test says, and whose promise is a position."""

    found: NodeSet
    name: str = "contrary"
    signal: str | None = "x"
    provides: frozenset[str] = frozenset({"position"})

    def empty(self) -> NodeSet:
        return NodeSet(torch.zeros(0, 2), (0,), position=torch.zeros(0, 3))

    def nodes(self, sample: Sample) -> NodeSet | None:
        return self.found

    def encoder(self, dim: int) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (NodeSet(torch.zeros(1, 3), (1,), position=torch.zeros(1, 3)), r"found values \[1, 3\]"),
        (NodeSet(torch.zeros(1, 2).double(), (1,), position=torch.zeros(1, 3)), r"torch.float64"),
        (NodeSet(torch.zeros(1, 2), (1, 1), position=torch.zeros(1, 3)), r"found a shape of 2 axes"),
        (NodeSet(torch.zeros(1, 2), (1,)), r"found no position"),
        (NodeSet(torch.zeros(1, 2), (1,), position=torch.zeros(1, 2)), r"positions of 2 coordinates"),
    ],
)
def test_nodes_that_contradict_their_type_name_the_sample(nodes: NodeSet, message: str) -> None:
    with pytest.raises(ValueError, match=rf"sample 'seven', node type 'contrary': .*{message}"):
        GraphBuilder([Contrary(found=nodes)])([Sample({"x": 1}, id="seven")])


@dataclass(frozen=True)
class Wild(EdgeRule):
    """A rule that gives what the test says."""

    found: Tensor
    name: str = "wild"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return True

    def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
        return self.found


@pytest.mark.parametrize(
    "found",
    [
        torch.tensor([[0], [2]]),
        torch.tensor([[2], [0]]),
        torch.tensor([[-1], [0]]),
        torch.zeros(3, 1, dtype=torch.int64),
        torch.zeros(2, dtype=torch.int64),
        torch.zeros(2, 1),
        torch.zeros(2, 1, dtype=torch.bool),
    ],
    ids=lambda found: f"{found.dtype}{list(found.shape)}",
)
def test_edges_out_of_range_are_refused(found: Tensor) -> None:
    with pytest.raises(ValueError, match=r"edge rule 'wild' on text-wild-text: found edges of shape"):
        GraphBuilder([TextTokens()], [Wild(found)])([Sample({"text": "ab"})])


def test_two_rules_of_the_users_own_need_not_be_comparable() -> None:
    rules = [Wild(torch.tensor([[0, 1], [1, 0]]), name="one"), Wild(torch.tensor([[0, 0], [0, 1]]), name="two")]
    batch: GraphBatch = GraphBuilder([TextTokens()], rules)([Sample({"text": "ab"})])
    assert batch.edges.num_edges == 4


def test_random_samples_do_miss_modalities() -> None:
    generator = torch.Generator().manual_seed(0)
    found = [len(random_sample(generator).signals) for _ in range(100)]
    assert min(found) == 0
    assert max(found) == 4


@pytest.mark.parametrize("offset", [0.0, 1.7e9, -1.7e12])
def test_times_and_positions_with_an_offset_give_the_batch_without_it(offset: float) -> None:
    names = {"sensor": 0.0, "events": 2.5}
    types = [Features(signal=name, width=1, timed=True, coordinates=2) for name in names]
    builder = GraphBuilder(types, [Aligned(margin=0.5), Nearest(k=2, across=True)])

    def sample(offset: float) -> Sample:
        """Of the third type's signal there is nothing; times of both types are on one clock."""
        times = {name: start + np.arange(5.0) for name, start in names.items()}
        places = np.stack([np.arange(5.0) % 3, np.arange(5.0) % 2], axis=1)
        return Sample({n: Rows(np.ones((5, 1)), time=t + offset, position=places + offset) for n, t in times.items()})

    batch, expected = builder([sample(offset)]), builder([sample(0.0)])
    assert batch == expected
    assert batch.layout["events"].time is not None
    assert batch.layout["events"].time.dtype == torch.float32
    assert batch.layout["events"].time[:, 0].tolist() == [2.5, 3.5, 4.5, 5.5, 6.5]


def test_times_and_positions_that_float32_holds_stay_as_they_are() -> None:
    place = Features(signal="sensor", width=1, timed=True, coordinates=1)
    rows = Rows(np.ones((2, 1)), time=np.array([3.0, 16000.0]), position=np.array([[-7.0], [20000.0]]))
    layout = GraphBuilder([place])([Sample({"sensor": rows})]).layout["sensor"]
    assert layout.time is not None
    assert layout.position is not None
    assert (layout.time[:, 0].tolist(), layout.position.flatten().tolist()) == ([3.0, 16000.0], [-7.0, 20000.0])
