import math

import networkx
import numpy as np
import pytest
import torch

from gnnfuse.edges import Aligned, Complete, EdgeRule, Grid, Window
from gnnfuse.graph import GraphBatch, GraphBuilder, NumberTarget
from gnnfuse.graph.networkx import from_networkx, to_networkx
from gnnfuse.nodes import AudioFrames, Hub, ImagePatches, NodeSet, NodeType, TextTokens
from gnnfuse.sample import Audio, Sample


class Twice(EdgeRule):
    name = "twice"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return src.name == dst.name == "text"

    def edges(self, src: NodeSet, dst: NodeSet) -> torch.Tensor:
        one = torch.arange(src.num_nodes).repeat(2)
        return torch.stack([one, one])


def random_batch(seed: int, *, drop: float, target: bool = False) -> GraphBatch:
    generator = torch.Generator().manual_seed(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    samples = []
    for place in range(number(1, 5)):
        signals: dict[str, object] = {
            "image": torch.rand(3, number(4, 20), number(4, 20), generator=generator),
            "audio": Audio(torch.rand(number(100, 3000), generator=generator), 8000),
            "text": "abc def"[: number(0, 8)],
        }
        kept = {name: signal for name, signal in signals.items() if torch.rand((), generator=generator) >= drop}
        samples.append(Sample(kept, target=place if target else None, id=f"row {place}"))
    node_types = [ImagePatches(patch=8), AudioFrames(sample_rate=8000, hop=0.05), TextTokens(), Hub(count=2)]
    rules = [Grid(), Window(size=1), Complete(dst="hub"), Aligned(by="order"), Twice()]
    return GraphBuilder(node_types, rules, target=NumberTarget() if target else None)(samples, empty=True)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("drop", [0.0, 0.4, 1.0])
def test_a_batch_comes_back_bit_for_bit(seed: int, drop: float) -> None:
    batch = random_batch(seed, drop=drop, target=seed % 2 == 0)
    graph = to_networkx(batch)
    assert graph.number_of_nodes() == batch.num_nodes
    assert graph.number_of_edges() == batch.edges.num_edges
    assert from_networkx(graph) == batch


def test_nodes_and_edges_say_what_they_are() -> None:
    builder = GraphBuilder([AudioFrames(sample_rate=1000, hop=0.1), TextTokens()], [Aligned(by="order")])
    graph = to_networkx(builder([Sample({"audio": Audio(torch.rand(200), 1000), "text": "a"})]))
    node = graph.nodes["audio", 0, 1]
    assert (node["type"], node["graph"], node["index"]) == ("audio", 0, 1)
    assert node["time"] == pytest.approx((0.1, 0.2))
    assert graph.edges[("audio", 0, 1), ("text", 0, 0), "aligned"]["relation"] == "aligned"


def test_without_values_there_is_no_way_back() -> None:
    graph = to_networkx(random_batch(0, drop=0.0), values=False)
    with pytest.raises(ValueError, match="found no attribute 'value'"):
        from_networkx(graph)


def knowledge() -> networkx.MultiDiGraph:
    graph = networkx.MultiDiGraph()
    graph.add_node("Ada", kind="person", vector=[1.0, 2.0], label="Ada Lovelace")
    graph.add_node("Rome", kind="city", vector=[3.0])
    graph.add_node("Bob", kind="person", vector=[4.0, 5.0])
    graph.add_edge("Bob", "Rome", key="lives_in")
    graph.add_edge("Bob", "Rome", key="born_in")
    graph.add_edge("Ada", "Bob", relation="knows")
    return graph


def test_a_knowledge_graph() -> None:
    batch = from_networkx(knowledge(), type_attribute="kind", value_attribute="vector")
    assert batch.node_types == ("city", "person")
    assert batch.values["person"].tolist() == [[1.0, 2.0], [4.0, 5.0]]
    assert [str(relation) for relation in batch.relations] == [
        "person-born_in-city",
        "person-knows-person",
        "person-lives_in-city",
    ]
    assert batch.edges.num_edges == 3
    assert batch.present.tolist() == [[True, True]]
    assert from_networkx(to_networkx(batch)) == batch


def test_an_undirected_graph_with_samples_and_positions() -> None:
    graph = networkx.Graph()
    for index in range(4):
        graph.add_node(index, type="atom", value=torch.tensor([index]), graph=index // 2, position=(0.0, float(index)))
    graph.add_edge(0, 1, relation="bond")
    graph.add_edge(3, 2, relation="bond")
    batch = from_networkx(graph, node_types=["ion", "atom"])
    assert batch.node_types == ("ion", "atom")
    assert batch.num_graphs == 2
    assert batch.edges.src.tolist() == [1, 0, 3, 2]
    position = batch.layout["atom"].position
    assert position is not None
    assert position[:, 1].tolist() == [0.0, 1.0, 2.0, 3.0]


def nx_position(graph: networkx.Graph, odd: str, position: object) -> None:
    for node in graph:
        graph.nodes[node]["position"] = position if node == odd else (0.0, 1.0)


def test_numbers_of_numpy_and_of_any_width_are_read_as_float32() -> None:
    graph = networkx.DiGraph()
    graph.add_node("a", type=0, value=np.array([1.5]), graph=np.int64(0), time=np.array([0, 1]))
    graph.add_node("b", type=0, value=[1], graph=1.0, time=(1, 2.5))
    graph.add_node("c", type="id", value=np.int16(7), graph=0)
    graph.add_node("d", type="wide", value=torch.ones(2, dtype=torch.float64), graph=np.uint8(1))
    networkx.set_node_attributes(graph, networkx.spring_layout(graph, seed=0), "position")
    batch = from_networkx(graph)
    assert {name: (rows.tolist(), rows.dtype) for name, rows in batch.values.items()} == {
        "0": ([[1.5], [1.0]], torch.float32),
        "id": ([7], torch.int64),
        "wide": ([[1.0, 1.0]], torch.float32),
    }
    assert batch.num_graphs == 2
    position, time = batch.layout["0"].position, batch.layout["0"].time
    assert position is not None
    assert time is not None
    assert (position.shape, position.dtype) == ((2, 2), torch.float32)
    assert (time.tolist(), time.dtype) == ([[0.0, 1.0], [1.0, 2.5]], torch.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda graph: graph.add_node("Eve", vector=[1.0, 2.0]), "node 'Eve': found no attribute 'kind'"),
        (lambda graph: graph.add_node("Eve", kind="person"), "node 'Eve': found no attribute 'vector'"),
        (
            lambda graph: graph.add_node("Eve", kind="person", vector=[1.0]),
            r"node 'Eve': found vector of shape \[1\], expected \[2\], as other nodes of type 'person' have",
        ),
        (lambda graph: graph.add_edge("Ada", "Rome"), "edge 'Ada' to 'Rome': found no attribute 'relation'"),
        (lambda graph: graph.nodes["Ada"].update(graph=1), "edges between samples"),
        (lambda graph: graph.nodes["Ada"].update(graph="x"), "node 'Ada': found graph 'x'"),
        (lambda graph: graph.nodes["Ada"].update(graph=0.5), "node 'Ada': found graph 0.5, expected the number of its"),
        (lambda graph: graph.nodes["Ada"].update(position=[1.0]), "node 'Bob': found no position"),
        (
            lambda graph: graph.nodes["Rome"].update(position=1.5),
            "node 'Rome': found position 1.5, expected coordinates",
        ),
        (lambda graph: graph.nodes["Rome"].update(time=1.5), "node 'Rome': found time 1.5, expected start and end in"),
        (lambda graph: graph.nodes["Rome"].update(vector="cat"), "node 'Rome': found vector 'cat', expected numbers"),
        (lambda graph: graph.nodes["Rome"].update(vector=[None]), r"node 'Rome': found vector \[None\], expected num"),
        (lambda graph: graph.nodes["Rome"].update({"vector": [[1], [1, 2]]}), "node 'Rome': found vector .*numbers"),
        (
            lambda graph: graph.nodes["Rome"].update({"kind": math.nan, 7: 8}),
            "'Rome': found attribute 'kind' without a value",
        ),
        (lambda graph: graph.nodes["Rome"].update(vector=None), r"found attribute 'vector' without a value \(None\)"),
        (lambda graph: graph.nodes["Rome"].update(kind=np.float32("nan")), r"attribute 'kind' without a value \(nan\)"),
        (lambda graph: graph.nodes["Rome"].update(vector=[2**63]), r"node 'Rome': found vector \[9\d+\], expected num"),
        (lambda graph: nx_position(graph, "Bob", [1.0]), r"node 'Bob': found position \[1.0\], expected 2 numbers in"),
        (lambda graph: graph.clear(), "found no nodes"),
    ],
)
def test_what_is_missing_is_named(change: object, message: str) -> None:
    graph = knowledge()
    assert callable(change)
    change(graph)
    with pytest.raises(ValueError, match=message):
        from_networkx(graph, type_attribute="kind", value_attribute="vector")


def test_what_is_no_graph_is_named() -> None:
    with pytest.raises(ValueError, match=r"^found a list, expected one networkx graph$"):
        from_networkx([1])


def test_a_type_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ValueError, match="node 'Rome': found type 'city'"):
        from_networkx(knowledge(), type_attribute="kind", value_attribute="vector", node_types=["person"])


def test_an_order_of_edges_from_elsewhere_is_kept() -> None:
    from gnnfuse.graph.pyg import from_pyg, to_pyg

    data = to_pyg(random_batch(1, drop=0.0))
    for key in data.edge_types:
        data[key].edge_index = data[key].edge_index.flip(1)
    batch = from_pyg(data)
    assert batch.edge_order is not None
    assert from_networkx(to_networkx(batch)) == batch


def test_time_stamps_keep_their_digits() -> None:
    graph = networkx.DiGraph()
    for number, start in enumerate((1.7e9, 1.7e9 + 0.5)):
        graph.add_node(number, type="sensor", value=[1.0], time=(start, start + 0.25))
    time = from_networkx(graph).layout["sensor"].time
    assert time is not None
    assert time.tolist() == [[0.0, 0.25], [0.5, 0.75]]
