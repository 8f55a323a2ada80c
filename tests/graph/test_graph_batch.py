import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from gnnfuse.edges import Window
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder
from gnnfuse.nodes import Hub, Layout, TextTokens
from gnnfuse.ops import Edges, Transpose, neighbor_sum, relation_rows
from gnnfuse.sample import Sample
from tests.graph.graphs import EDGE_RULES, NODE_TYPES, random_samples


def batch_of(seed: int = 0, *, target: bool = True) -> GraphBatch:
    encoding = ClassTarget(("x", "y")) if target else None
    samples = [replace(sample, target="xy"[i % 2]) for i, sample in enumerate(random_samples(seed, count=4))]
    return GraphBuilder(NODE_TYPES, EDGE_RULES, target=encoding)(samples, empty=True)


def tensors(batch: GraphBatch) -> list[Tensor]:
    layouts = [getattr(layout, name) for layout in batch.layout.values() for name in layout.__dataclass_fields__]
    every = [*batch.values.values(), *layouts, *batch.edges[:3], *batch.edges.transpose, batch.graph_id, batch.target]
    return [found for found in [*every, batch.present] if found is not None]


def test_batches_are_equal_bit_for_bit_and_have_no_hash() -> None:
    assert batch_of() == batch_of()
    assert batch_of(0) != batch_of(1)
    assert batch_of() != batch_of(target=False)
    assert batch_of(target=False) != batch_of()
    assert batch_of() != "a batch"
    with pytest.raises(TypeError):
        hash(batch_of())


def test_a_single_changed_tensor_makes_a_difference() -> None:
    one, changes = batch_of(), 0
    for place in range(len(tensors(one))):
        other = batch_of()
        changed = tensors(other)[place]
        if changed.numel():
            flat = changed.view(-1)
            flat[0] = ~flat[0] if changed.dtype == torch.bool else flat[0] + 1
            assert one != other, place
            changes += 1
    assert changes > 10


def test_other_dtypes_and_names_make_a_difference() -> None:
    batch = batch_of()
    assert batch != replace(batch, graph_id=batch.graph_id.int())
    assert batch != replace(batch, ids=("a", *batch.ids[1:]))
    assert batch != replace(batch, relations=batch.relations[::-1])
    assert batch != replace(batch, values={name: batch.values[name] for name in reversed(batch.node_types)})


def test_moving_moves_every_tensor_and_comes_back_equal() -> None:
    batch = batch_of()
    meta = batch.to("meta")
    assert {found.device.type for found in tensors(meta)} == {"meta"}
    assert meta.device.type == "meta"
    assert [found.shape for found in tensors(meta)] == [found.shape for found in tensors(batch)]
    assert batch.to("cpu") == batch
    assert batch.to("cpu", non_blocking=True) == batch


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_batch_goes_to_a_device_and_back() -> None:
    batch = batch_of()
    there = batch.pin_memory().to("cuda", non_blocking=True)
    assert {found.device.type for found in tensors(there)} == {"cuda"}
    assert there.to("cpu") == batch


def test_without_edges_only_the_edges_go() -> None:
    batch = batch_of()
    bare = batch.without_edges()
    assert bare.edges.num_edges == 0
    assert bare.edges.num_nodes == batch.num_nodes
    assert not bare.edges.transpose.offsets.any()
    assert bare.edges.transpose.offsets.shape == batch.edges.transpose.offsets.shape
    weight, features = batch.edge_weight, batch.edge_features
    assert replace(bare, edges=batch.edges, edge_weight=weight, edge_features=features) == batch
    assert batch.edges.num_edges > 0


def test_each_type_is_one_slice_of_the_numbering() -> None:
    batch = batch_of()
    parts = list(batch.slices.values())
    assert list(batch.slices) == list(batch.node_types) == sorted(batch.node_types)
    assert parts[0].start == 0
    assert parts[-1].stop == batch.num_nodes
    assert all(before.stop == after.start for before, after in pairwise(parts))
    for name, part in batch.slices.items():
        assert torch.equal(batch.graph_id[part], batch.layout[name].graph_id)


def test_fields_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        batch_of().num_graphs = 3  # type: ignore[misc]


def test_a_sample_without_an_id_is_named_by_its_place() -> None:
    batch = GraphBuilder(NODE_TYPES)([Sample({}), Sample({}, id="b"), Sample({})], empty=True)
    assert batch.ids == ("0", "b", "2")


def test_layouts_and_edges_have_their_documented_types() -> None:
    batch = batch_of()
    assert all(isinstance(layout, Layout) for layout in batch.layout.values())
    assert isinstance(batch.edges, Edges)
    assert isinstance(batch.edges.transpose, Transpose)
    assert batch.present.dtype == torch.bool
    no_signals = GraphBuilder([node_type for node_type in NODE_TYPES if node_type.signal is None])([Sample({})])
    assert no_signals.present.shape == (1, 0)
    assert no_signals.present.dtype == torch.bool


def test_rows_per_relation_and_source_are_made_once() -> None:
    batch = batch_of()
    rows = batch.relation_edges
    assert batch.relation_edges is rows
    assert batch.relation_degree is batch.relation_degree
    expected = relation_rows(batch.edges, batch.relation_spans)
    assert all(torch.equal(one, other) for one, other in zip(rows[:3], expected[:3], strict=True))
    # Row by row: the span of the edge's relation, and the node's place in it.
    begin, first = 0, []
    for start, stop in batch.relation_spans:
        first.append(begin - start)
        begin += stop - start
    for edge, row in enumerate(rows.src.tolist()):
        assert row == first[int(batch.edges.relation[edge])] + int(batch.edges.src[edge])
    assert rows.transpose.offsets.numel() == begin + 1


def test_a_relation_into_a_type_without_nodes_has_no_rows() -> None:
    batch = GraphBuilder(NODE_TYPES, EDGE_RULES)([Sample({"text": "ab"})])
    spans = dict(zip(batch.relations, batch.relation_spans, strict=True))
    into_audio = [stop - start for relation, (start, stop) in spans.items() if relation.dst == "audio"]
    assert into_audio
    assert not any(into_audio)
    assert any(stop > start for relation, (start, stop) in spans.items() if relation.dst == "text")


def test_the_degree_counts_edges_of_one_relation_into_one_node() -> None:
    batch = batch_of()
    ends = list(zip(batch.edges.dst().tolist(), batch.edges.relation.tolist(), strict=True))
    assert batch.relation_degree.tolist() == [ends.count(end) for end in ends]


def test_what_was_made_of_a_batch_is_no_part_of_it() -> None:
    one, other = batch_of(), batch_of()
    size = len(pickle.dumps(one))
    assert one.relation_edges.num_edges == one.relation_degree.numel() > 0
    assert one == other
    assert len(pickle.dumps(one)) == size
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), copy.copy(one), one.to("cpu")):
        assert again == one
        assert again.relation_edges is not one.relation_edges
    assert one.without_edges().relation_edges.num_edges == 0
    assert one.to("meta").relation_spans == one.relation_spans


def test_what_is_made_in_inference_serves_training() -> None:
    batch = batch_of()
    with torch.inference_mode():
        rows = batch.relation_edges
        share = batch.relation_degree
    states = torch.ones(rows.transpose.offsets.numel() - 1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(neighbor_sum(states, rows, weight=share.float()).sum(), states)
    assert gradient.any()


def test_batches_and_builders_show_sizes_and_no_tensors() -> None:
    builder = GraphBuilder([TextTokens(), Hub()], [Window(size=1)], target=ClassTarget(("x", "y")))
    batch = builder([Sample({"text": "ab"}), Sample({"text": "abc"})])
    assert repr(batch) == "GraphBatch(2 graphs; nodes: hub 2, text 5; edges: text-window-text 6; cpu)"
    assert repr(batch.to("meta")) == "GraphBatch(2 graphs; nodes: hub 2, text 5; edges: 6; meta)"
    bare = GraphBuilder([TextTokens()])
    assert repr(bare([Sample({"text": "ab"})])) == "GraphBatch(1 graphs; nodes: text 2; edges: none; cpu)"
    assert repr(builder) == (
        "GraphBuilder(node types: hub, text; edge rules: window; relations: 1; target: ClassTarget)"
    )
    assert repr(bare) == "GraphBuilder(node types: text; edge rules: none; relations: 0; target: none)"
