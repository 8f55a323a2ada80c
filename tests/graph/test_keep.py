"""Batches without some nodes and edges, against double loops and against batches built anew."""

import copy
import pickle
import random
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.edges import Window
from gnnfuse.fusion import NodeEncoders
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder, NodeTarget, Ragged
from gnnfuse.graph.networkx import from_networkx, to_networkx
from gnnfuse.graph.pyg import from_pyg, to_pyg
from gnnfuse.nodes import Features, Hub, TextTokens
from gnnfuse.ops import edges_from_index
from gnnfuse.sample import Rows, Sample
from gnnfuse.saving import batch_tensors
from tests.graph.graphs import EDGE_RULES, NODE_TYPES, random_samples


def made(seed: int, *, count: int | None = None) -> GraphBatch:
    """A batch with a class for each image node."""
    builder = GraphBuilder(NODE_TYPES, EDGE_RULES, target=NodeTarget("image", ("x", "y", "z")))
    samples = random_samples(seed, count=count)
    image = next(node_type for node_type in NODE_TYPES if node_type.name == "image")
    found = [image.nodes(sample) for sample in samples]
    targets = [["xyz"[number % 3] for number in range(0 if nodes is None else nodes.num_nodes)] for nodes in found]
    return builder([replace(s, target=t) for s, t in zip(samples, targets, strict=True)], empty=True)


def random_masks(seed: int, batch: GraphBatch) -> tuple[Tensor, Tensor]:
    """Each type of each sample loses none, some or all of its nodes; some edges go."""
    draw = random.Random(seed)
    share = {(name, g): draw.choice([0.0, 0.5, 1.0, 1.0]) for name in batch.node_types for g in range(len(batch))}
    owner = [name for name, values in batch.values.items() for _ in range(len(values))]
    nodes = [draw.random() < share[key] for key in zip(owner, batch.graph_id.tolist(), strict=True)]
    edges = [draw.random() < 0.8 for _ in range(batch.edges.num_edges)]
    return torch.tensor(nodes, dtype=torch.bool), torch.tensor(edges, dtype=torch.bool)


def expected(batch: GraphBatch, nodes: Tensor, edges: Tensor) -> GraphBatch:
    """The batch put together again node by node and edge by edge."""
    number: dict[int, int] = {}
    rest = []
    for node in range(batch.num_nodes):
        if nodes[node]:
            number[node] = len(number)
    for edge, (src, dst) in enumerate(zip(batch.edges.src.tolist(), batch.edges.dst().tolist(), strict=True)):
        if edges[edge] and src in number and dst in number:
            rest.append([number[src], number[dst], int(batch.edges.relation[edge]), edge])
    pairs = torch.tensor(rest, dtype=torch.int64).reshape(-1, 4).T
    values, layouts, present = {}, {}, batch.present.clone()
    target = batch.target
    for name, place in batch.slices.items():
        layout, stays = batch.layout[name], nodes[place]
        counts = [0] * len(batch)
        shape, dropped, places, partial = layout.shape.clone(), layout.dropped.clone(), [], False
        for graph in range(len(batch)):
            own = range(int(layout.offsets[graph]), int(layout.offsets[graph + 1]))
            left = [row - own.start for row in own if stays[row]]
            counts[graph] = len(left)
            places += left
            partial |= 0 < len(left) < len(own)
            if own and not left:
                shape[graph], dropped[graph] = 0, 0
                if name in batch.modalities:
                    present[graph, batch.modalities.index(name)] = False
        values[name] = batch.values[name][stays]
        layouts[name] = replace(
            layout,
            graph_id=layout.graph_id[stays],
            offsets=torch.tensor([0, *counts]).cumsum(0),
            shape=shape,
            position=None if layout.position is None else layout.position[stays],
            time=None if layout.time is None else layout.time[stays],
            dropped=dropped,
            place=torch.tensor(places, dtype=torch.int64) if partial else None,
        )
        if isinstance(target, Ragged) and target.of == name:
            target = Ragged(target.values[stays], torch.tensor([0, *counts]).cumsum(0), name)
    weight, features = batch.edge_weight, {}
    for which, relation in enumerate(batch.relations):
        if relation.features:
            mine = [edge for edge, of in enumerate(batch.edges.relation.tolist()) if of == which]
            rows = [place for place, edge in enumerate(mine) if edge in pairs[3].tolist()]
            features[relation] = batch.edge_features[relation][rows]
    return replace(
        batch,
        values=values,
        layout=layouts,
        edges=edges_from_index(pairs[0], pairs[1], pairs[2], num_nodes=len(number)),
        graph_id=batch.graph_id[nodes],
        target=target,
        present=present,
        edge_weight=None if weight is None else weight[pairs[3]],
        edge_features=features,
    )


@pytest.mark.parametrize("seed", range(30))
def test_what_stays_is_what_double_loops_find(seed: int) -> None:
    batch = made(seed)
    nodes, edges = random_masks(seed, batch)
    every = torch.ones_like(edges)
    assert batch.keep(nodes=nodes, edges=edges) == expected(batch, nodes, edges)
    assert batch.keep(nodes=nodes) == expected(batch, nodes, every)
    assert batch.keep(edges=edges) == expected(batch, torch.ones_like(nodes), edges)
    assert batch.keep(nodes={name: nodes[place] for name, place in batch.slices.items()}) == batch.keep(nodes=nodes)
    assert batch.keep(nodes={}) == batch.keep(nodes=torch.ones_like(nodes), edges=every) == batch.keep() == batch


def test_random_batches_lose_all_there_is_to_lose() -> None:
    found = [made(seed).keep(nodes=random_masks(seed, made(seed))[0]) for seed in range(30)]
    layouts = [layout for batch in found for layout in batch.layout.values()]
    assert any(layout.place is not None for layout in layouts)
    assert any(bool((layout.offsets.diff() == 0).any()) and layout.place is not None for layout in layouts)
    assert any(batch.edges.num_edges for batch in found)
    assert any(isinstance(batch.target, Ragged) and len(batch.target.values) for batch in found)


def test_a_mapping_leaves_other_types_whole() -> None:
    batch = made(4, count=6)
    kept = batch.keep(nodes={"image": torch.zeros(len(batch.values["image"]), dtype=torch.bool)})
    assert not len(kept.values["image"])
    assert not kept.present[:, batch.modalities.index("image")].any()
    for name in set(batch.node_types) - {"image"}:
        assert torch.equal(kept.values[name], batch.values[name])
        assert torch.equal(kept.layout[name].shape, batch.layout[name].shape)


@pytest.mark.parametrize("seed", range(10))
def test_keeping_twice_is_keeping_both(seed: int) -> None:
    batch = made(seed)
    (one, edges), (other, _) = random_masks(seed, batch), random_masks(seed + 100, batch)
    twice, once = batch.keep(nodes=one, edges=edges).keep(nodes=other[one]), batch.keep(nodes=one & other, edges=edges)
    for name, layout in twice.layout.items():
        assert torch.equal(layout.index, once.layout[name].index)
    assert _without_places(twice) == _without_places(once)


def _without_places(batch: GraphBatch) -> GraphBatch:
    return replace(batch, layout={name: replace(layout, place=None) for name, layout in batch.layout.items()})


def test_nothing_that_was_derived_is_carried_over() -> None:
    batch = made(1, count=5)
    assert batch.relation_edges.num_edges == batch.relation_degree.numel() > 0
    nodes, edges = random_masks(1, batch)
    for kept in (batch.keep(nodes=nodes), batch.keep(edges=edges)):
        fresh = copy.copy(kept)
        assert kept.relation_edges.num_edges == kept.edges.num_edges < batch.edges.num_edges
        assert torch.equal(kept.relation_degree, fresh.relation_degree)


def test_gradients_reach_the_rows_that_stay() -> None:
    batch = made(2, count=4)
    values = {name: rows.clone().requires_grad_(rows.is_floating_point()) for name, rows in batch.values.items()}
    nodes, _ = random_masks(2, batch)
    kept = replace(batch, values=values).keep(nodes=nodes)
    (gradient,) = torch.autograd.grad(kept.values["image"].sum(), values["image"])
    assert torch.equal(gradient.flatten(1).any(1), nodes[batch.slices["image"]])


def test_states_of_nodes_that_stay_are_those_in_the_whole_batch() -> None:
    types = [*NODE_TYPES, Features(signal="rows", width=1, ordered=True)]
    samples = [replace(s, signals={**s.signals, "rows": Rows(torch.rand(5, 1))}) for s in random_samples(3, count=6)]
    batch = GraphBuilder(types)(samples)
    nodes, _ = random_masks(3, batch)
    encoders = NodeEncoders(types, 8).double()
    whole, kept = (encoders(_double(found)) for found in (batch, batch.keep(nodes=nodes)))
    for name, place in batch.slices.items():
        assert bool(nodes[place].any())
        torch.testing.assert_close(kept[name], whole[name][nodes[place]], rtol=1e-12, atol=1e-12)


def _double(batch: GraphBatch) -> GraphBatch:
    return replace(batch, values={n: v.double() if v.is_floating_point() else v for n, v in batch.values.items()})


@pytest.mark.parametrize("seed", range(5))
def test_places_go_along_wherever_a_batch_goes(seed: int) -> None:
    batch = made(seed, count=5)
    kept = batch.keep(nodes=random_masks(seed, batch)[0])
    assert any(layout.place is not None for layout in kept.layout.values())
    for again in (
        pickle.loads(pickle.dumps(kept)),
        copy.deepcopy(kept),
        kept.to("cpu"),
        from_networkx(to_networkx(kept)),
    ):
        assert again == kept
    assert from_pyg(to_pyg(kept)) == kept
    moved = kept.to("meta").layout.values()
    assert all(layout.place is None or layout.place.device.type == "meta" for layout in moved)
    assert kept != _without_places(kept)


def test_a_batch_of_another_librarys_order_keeps_that_order() -> None:
    batch = made(6, count=4)
    data = to_pyg(batch)
    generator = torch.Generator().manual_seed(0)
    for key in data.edge_types:
        order = torch.randperm(data[key].num_edges, generator=generator)
        for name, found in list(data[key].items()):
            data[key][name] = found[:, order] if name == "edge_index" else found[order]
    foreign = from_pyg(data)
    assert foreign.edge_order is not None
    nodes, edges = random_masks(6, batch)
    kept = foreign.keep(nodes=nodes, edges=edges)
    assert replace(kept, edge_order=None) == batch.keep(nodes=nodes, edges=edges)
    assert from_pyg(to_pyg(kept)) == kept
    # Those lists with what goes crossed out.
    stays = {name: nodes[place].tolist() for name, place in batch.slices.items()}
    number = {name: torch.tensor(mask, dtype=torch.int64).cumsum(0).sub(1).tolist() for name, mask in stays.items()}
    after = to_pyg(foreign.keep(nodes=nodes))
    for key in data.edge_types:
        src, _, dst = key
        left = [(s, d) for s, d in data[key].edge_index.T.tolist() if stays[src][s] and stays[dst][d]]
        assert after[key].edge_index.T.tolist() == [[number[src][s], number[dst][d]] for s, d in left]
    none = foreign.keep(edges=torch.zeros_like(edges))
    assert none.edge_order is None


def test_what_cannot_take_signals_in_part_refuses_them() -> None:
    batch = GraphBuilder([TextTokens()])([Sample({"text": "abc"})])
    part = batch.keep(nodes=torch.tensor([True, False, True]))
    with pytest.raises(ValueError, match=r"node type 'text': found samples without some of its nodes, expected whole"):
        batch_tensors(part)
    assert "layout.text.graph_id" in batch_tensors(batch.keep(nodes=torch.zeros(3, dtype=torch.bool)))
    data = to_pyg(part)
    data["text"].x, data["text"].batch = data["text"].x[:1], data["text"].batch[:1]
    data["text"].ptr = torch.tensor([0, 1])
    with pytest.raises(
        ValueError, match=r"found the places of 2 nodes of type 'text', expected 1; delete data.gnnfuse"
    ):
        from_pyg(data)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"nodes": torch.ones(4).bool()}, r"nodes: found torch.bool \[4\] on cpu, expected torch.bool \[3\] on cpu"),
        ({"nodes": torch.ones(3)}, r"nodes: found torch.float32 \[3\] on cpu, expected torch.bool \[3\] on cpu"),
        ({"nodes": torch.ones(3, device="meta").bool()}, r"nodes: found torch.bool \[3\] on meta, expected .* on cpu"),
        ({"nodes": {"text": torch.ones(1).bool()}}, r"nodes\['text'\]: found torch.bool \[1\] .* torch.bool \[2\]"),
        ({"nodes": {"txt": torch.ones(2).bool()}}, r"nodes: unknown node type 'txt', did you mean 'text'\?"),
        ({"edges": torch.ones(3).bool()}, r"edges: found torch.bool \[3\] on cpu, expected torch.bool \[2\] on cpu"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_masks_that_do_not_fit_are_refused(masks: dict[str, Any], message: str) -> None:
    batch = GraphBuilder([TextTokens(), Hub()], [Window(size=1)])([Sample({"text": "ab"})])
    with pytest.raises(ValueError, match=message):
        batch.keep(**masks)


def test_a_target_for_other_nodes_is_refused() -> None:
    builder = GraphBuilder([TextTokens()], target=NodeTarget("text", ("x",)))
    batch = builder([Sample({"text": "ab"}, target=["x"])])
    with pytest.raises(ValueError, match=r"target: found 1 rows for the nodes of type 'text', expected 2"):
        batch.keep(nodes=torch.tensor([True, False]))


def test_other_targets_stay() -> None:
    builder = GraphBuilder([TextTokens()], target=ClassTarget(("x", "y")))
    batch = builder([Sample({"text": "ab"}, target="x"), Sample({"text": "c"}, target="y")])
    assert batch.keep(nodes=torch.tensor([True, False, False])).target is batch.target
    ragged = replace(batch, target=Ragged(torch.zeros(5), torch.tensor([0, 2, 5])))
    assert ragged.keep(nodes=torch.tensor([True, False, False])).target is ragged.target


def test_every_field_of_a_batch_is_looked_after() -> None:
    """Whoever adds a field decides what becomes of it in `keep`, and in the oracle here."""
    assert [of.name for of in fields(GraphBatch)] == [
        "values", "layout", "edges", "relations", "graph_id", "num_graphs", "target", "ids", "modalities", "present",
        "edge_weight", "edge_features", "edge_order", "_kept",
    ]  # fmt: skip


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("seed", range(5))
def test_on_a_device_the_same_bits_and_it_is_waited_for_twice(seed: int) -> None:
    batch = made(seed, count=5)
    nodes, edges = random_masks(seed, batch)
    there = batch.to("cuda")
    on_device = nodes.cuda(), edges.cuda()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with pytest.warns(UserWarning, match="synchroniz") as waits:
            kept = there.keep(nodes=on_device[0], edges=on_device[1])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(waits) == 2
    assert kept.to("cpu") == batch.keep(nodes=nodes, edges=edges)


@pytest.mark.usefixtures("unchecked")
def test_masks_that_are_no_tensors_are_refused() -> None:
    batch = GraphBuilder([TextTokens()])([Sample({"text": "abc"})])
    with pytest.raises(ValueError, match=r"nodes: found a list, expected a tensor torch.bool \[3\] or masks"):
        batch.keep(nodes=[True] * 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"nodes\['text'\]: found a list, expected a tensor torch.bool \[3\]"):
        batch.keep(nodes={"text": [True] * 3})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match=r"edges: found a list, expected a tensor torch.bool \[0\]"):
        batch.keep(edges=[])  # type: ignore[arg-type]
