"""Data sets of PyTorch Geometric as samples."""

from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData

from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder, NodeTarget, NumberTarget
from gnnfuse.graph.pyg import samples_of, to_pyg
from gnnfuse.tasks import Classification, NodeClassification
from gnnfuse.train import FitConfig, fit_task


def ring(size: int, *, near: bool = True) -> Data:
    """A ring with two red nodes, next to each other or not: only the edges tell."""
    places = torch.arange(size)
    pairs = torch.stack([places, (places + 1) % size])
    red = torch.zeros(size, 1)
    red[[0, 1 if near else 2]] = 1.0
    return Data(x=red, edge_index=torch.cat([pairs, pairs.flip(0)], dim=1), y=torch.tensor([int(near)]))


def films(users: int, seen: list[tuple[int, int]]) -> HeteroData:
    data = HeteroData()
    data["user"].x = torch.arange(float(users))[:, None]
    data["film"].x, data["film"].pos = torch.eye(3), torch.rand(3, 2)
    index = torch.tensor(seen, dtype=torch.int64).reshape(-1, 2).T
    data["user", "sees", "film"].edge_index = index
    data["film", "sees", "user"].edge_index = index.flip(0)
    data["user", "likes", "film"].edge_index = index[:, :1]
    data.y = torch.tensor([float(users)])
    return data


def test_the_same_nodes_and_edges_are_made_of_them() -> None:
    dataset = [films(2, [(0, 2), (1, 0)]), films(4, []), films(0, [])]
    samples, node_types, rules = samples_of(dataset)
    assert [sorted(sample.signals) for sample in samples] == [["film", "user"], ["film", "user"], ["film"]]
    assert [sample.target for sample in samples] == [2.0, 4.0, 0.0]
    builder = GraphBuilder(node_types, rules, target=NumberTarget())
    for sample, data in zip(samples, dataset, strict=True):
        found = to_pyg(builder([sample], empty=True))
        assert torch.equal(found["film"].x, data["film"].x)
        assert torch.equal(found["film"].pos, data["film"].pos)
        assert torch.equal(found["user"].x, data["user"].x)
        for src, name, dst, rule in (
            ("user", "sees", "film", "user_sees_film"),
            ("film", "sees", "user", "film_sees_user"),
            ("user", "likes", "film", "likes"),
        ):
            expected = sorted(data[src, name, dst].edge_index.T.tolist())
            assert sorted(found[src, rule, dst].edge_index.T.tolist()) == expected


def test_a_data_set_of_graphs_is_learned() -> None:
    """By what is joined to what: the nodes alone are the same in both classes."""
    samples, node_types, rules = samples_of([ring(5 + n % 5, near=n % 2 == 0) for n in range(60)])
    builder = GraphBuilder(node_types, rules, target=ClassTarget.fit(samples)).fit(samples)
    torch.manual_seed(0)
    task = Classification(GraphFusion.of(builder, dim=16, depth=3), builder)
    config = FitConfig(epochs=25, batch_size=20, learning_rate=1e-2, patience=None, progress=False, device="cpu")
    report = fit_task(task, samples[:40], samples[40:], config)
    assert report.best["valid_accuracy"] == 1.0


def test_labels_of_nodes_are_targets_of_nodes() -> None:
    data = ring(4)
    data.y = torch.tensor([0, 1, 1, 0])
    samples, node_types, rules = samples_of([data])
    builder = GraphBuilder(node_types, rules, target=NodeTarget("node", ("0", "1")))
    step = NodeClassification(GraphFusion.of(builder, dim=8, depth=1), builder).step(builder(samples))
    assert step.outputs.shape == (4, 2)
    assert step.target.values.tolist() == [0, 1, 1, 0]  # type: ignore[union-attr]


def test_edge_attributes_are_features_and_weights_of_edges() -> None:
    first, second = ring(3), ring(4)
    first.edge_attr, first.edge_weight = torch.rand(first.num_edges, 2), torch.rand(first.num_edges, 1)
    second.edge_attr, second.edge_weight = torch.rand(second.num_edges, 2).tolist(), torch.rand(second.num_edges)
    bare = Data(x=torch.ones(2, 1), edge_index=torch.zeros(2, 0, dtype=torch.int64), y=torch.tensor([0]))
    samples, node_types, rules = samples_of([first, second, bare])
    batch = GraphBuilder(node_types, rules)(samples)
    assert [(r.weighted, r.features) for r in rules] == [(True, 2)]
    start = 0
    for data in (first, second):
        expected = {
            (int(s) + start, int(d) + start): (float(weight), row)
            for (s, d), weight, row in zip(
                data.edge_index.T, data.edge_weight.flatten(), torch.as_tensor(data.edge_attr).tolist(), strict=True
            )
        }
        ends = list(zip(batch.edges.src.tolist(), batch.edges.dst().tolist(), strict=True))
        rows = batch.edge_features[batch.relations[0]].tolist()
        assert batch.edge_weight is not None
        found = dict(zip(ends, zip(batch.edge_weight.tolist(), rows, strict=True), strict=True))
        assert {end: found[end] for end in expected} == expected
        start += data.num_nodes
    second.edge_attr = torch.rand(second.num_edges, 3)
    with pytest.raises(ValueError, match="graph 1: found 3 columns of edge_attr of type 'node edge node'"):
        samples_of([first, second])
    second.edge_weight = torch.rand(2)
    with pytest.raises(
        ValueError, match=r"graph 1: found edge_weight of shape \[2\] of type 'node edge node', expected"
    ):
        samples_of([first, second])
    del second.edge_attr, second.edge_weight
    with pytest.warns(UserWarning, match="edge_attr of 'node edge node', which not all graphs have, edge_weight of"):
        _, _, rules = samples_of([first, second])
    assert [(r.weighted, r.features) for r in rules] == [(False, 0)]


def test_what_is_not_read_is_said_and_what_cannot_be_is_refused() -> None:
    data = ring(3)
    data.edge_color = torch.ones(6, 1)
    with pytest.warns(UserWarning, match="attributes that are not read: edge_color"):
        samples_of([data])
    bare = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2)
    with pytest.raises(ValueError, match="graph 1: nodes of type 'node' have no x"):
        samples_of([ring(3), bare])
    with pytest.raises(ValueError, match="graph 1: found 3 features of type 'node', expected 1 as in graph 0"):
        samples_of([ring(3), Data(x=torch.ones(1, 3))])
    with pytest.raises(ValueError, match="graph 0: found a list, expected torch_geometric's Data or HeteroData"):
        samples_of([[ring(3)]])
    with pytest.raises(ValueError, match="found no graphs"):
        samples_of([])


def test_edges_beside_the_nodes_name_the_sample() -> None:
    samples, node_types, rules = samples_of([films(2, [(5, 0)])])
    with pytest.raises(ValueError, match="sample '0', signal 'user': found edges 'film film_sees_user'"):
        GraphBuilder(node_types, rules)(samples)
    data = films(2, [])
    data["user", "likes", "film"].edge_index = torch.tensor([[5], [0]])
    samples, node_types, rules = samples_of([data])
    with pytest.raises(ValueError, match=r"edges user likes film: found source 5, expected 0\.\.1"):
        GraphBuilder(node_types, rules)(samples)


def labelled(*sizes: int, y: Any) -> list[Data]:
    """Graphs without edges, of these sizes, with `y(size)`."""
    return [Data(x=torch.ones(size, 2), y=y(size)) for size in sizes]


@pytest.mark.parametrize(
    ("dataset", "targets"),
    [
        (labelled(3, 1, 2, y=torch.arange), [[0, 1, 2], [0], [0, 1]]),  # one per node, also where there is one node
        (labelled(3, 1, y=lambda size: torch.zeros(size, 1)), [[0.0, 0.0, 0.0], [0.0]]),
        (labelled(2, 1, y=lambda size: torch.eye(2)[:size]), [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0]]]),
        (labelled(2, 1, y=lambda size: ["a", "b"][:size]), [["a", "b"], ["a"]]),
        (labelled(1, 1, y=lambda _: torch.tensor([4])), [4, 4]),  # of the graph, as no graph has two nodes
        (labelled(3, 1, y=lambda _: torch.tensor([4])), [4, 4]),
        (labelled(3, 1, y=lambda _: torch.ones(1, 3)), [[1.0] * 3] * 2),
        (labelled(3, 2, y=lambda _: torch.ones(3)), [[1.0] * 3] * 2),
        (labelled(3, 2, y=lambda _: np.array([0.5, 2.0])), [[0.5, 2.0]] * 2),
        (labelled(3, 2, y=lambda _: "cat"), ["cat", "cat"]),
        (labelled(3, 2, y=lambda _: 7), [7, 7]),
        ([*labelled(3, y=torch.arange), *labelled(2, y=lambda _: None)], [[0, 1, 2], None]),
    ],
)
def test_what_y_belongs_to_is_decided_for_the_data_set(dataset: list[Data], targets: list[object]) -> None:
    found = [sample.target for sample in samples_of(dataset)[0]]
    assert found == targets
    assert [type(target) for target in found] == [type(target) for target in targets]


def test_y_of_a_node_type_is_one_label_per_node_even_if_there_is_one() -> None:
    def one(users: int, y: object) -> HeteroData:
        data = HeteroData()
        data["user"].x, data["user"].y, data["film"].x = torch.ones(users, 1), y, torch.ones(2, 1)
        return data

    dataset = [one(1, torch.tensor([5])), one(0, torch.zeros(0)), one(2, [1, 0])]
    assert [sample.target for sample in samples_of(dataset)[0]] == [[5], [], [1, 0]]
    with pytest.raises(ValueError, match=r"^graph 1: found y of 3 labels for 2 nodes of type 'user', expected one per"):
        samples_of([one(1, [5]), one(2, [1, 0, 1])])
    data, other = one(2, [1, 0]), one(2, [1, 0])
    data["film"].y = torch.zeros(2)
    with pytest.raises(ValueError, match=r"^graph 0: found y of node type 'film', and of node type 'user' in graph 0"):
        samples_of([data])
    other.y = torch.ones(1)
    with pytest.raises(ValueError, match=r"graph 1: found y of the graph, and of node type 'user' in graph 0"):
        samples_of([one(1, [5]), other])


def test_a_y_of_changing_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^graph 1: found y of 4 numbers for 2 nodes, expected 3 as in graph 0, or"):
        samples_of([*labelled(3, y=torch.arange), *labelled(2, y=lambda _: torch.ones(4))])


def test_arrays_and_lists_count_as_the_tensors_that_they_hold() -> None:
    tensors = Data(
        x=torch.tensor([[1.0], [2.0]]), pos=torch.tensor([[0.0], [3.0]]), edge_index=torch.tensor([[0], [1]]), y=4
    )
    arrays = Data(
        x=np.array([[1.0], [2.0]], dtype=np.float32), pos=np.array([0.0, 3.0]), edge_index=np.array([[0], [1]]),
        y=np.array([4]),
    )  # fmt: skip
    lists = Data(x=[[1.0], [2.0]], pos=[0.0, 3.0], edge_index=[[0], [1]], y=[4])
    samples, node_types, rules = samples_of([tensors, arrays, lists])
    assert [sample.target for sample in samples] == [4, 4, 4]
    builder = GraphBuilder(node_types, rules, target=NumberTarget())
    first, *others = [to_pyg(builder([sample])) for sample in samples]
    assert first["node"].pos.tolist() == [[0.0], [3.0]]
    for other in others:
        assert torch.equal(other["node"].x, first["node"].x)
        assert torch.equal(other["node"].pos, first["node"].pos)
        assert torch.equal(other["node", "edge", "node"].edge_index, torch.tensor([[0], [1]]))
    assert samples_of([Data(x=[1.0, 2.0], edge_index=[[], []])])[0][0].signals["node"].edges[  # type: ignore[attr-defined]
        "node", "edge"
    ].index.tolist() == [[], []]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            Data(x=[["red"]]),
            r"sample '1', signal 'node': found x as list \(<U3 is not a type of numbers\), expected an",
        ),
        (Data(x=[[1.0], [1.0, 2.0]]), "sample '1', signal 'node': found x as list"),
        (Data(x=[1.0, 2.0], pos=["a", "b"]), "sample '1', signal 'node': found pos as list"),
        (Data(x=torch.tensor(1.0)), r"graph 1: found x of shape \[\] of type 'node', expected \[nodes, ...\]"),
        (
            Data(x=[1.0, 2.0], edge_index=[[0, 1], [1, 0], [0, 0]]),
            r"graph 1: found edge_index of shape \[3, 2\] of type",
        ),
        (Data(x=[1.0], edge_index=[["a"], ["b"]]), "sample '1', signal 'node edge node': found edge_index as list"),
        (Data(edge_index=[[0], [1]]), "graph 1: found 1 edges 'node edge node', expected none: there are no nodes of"),
        (Data(num_nodes=2), r"graph 1: nodes of type 'node' have no x, .* such as Constant\(\) or OneHotDegree\(\)"),
    ],
)
def test_a_graph_that_cannot_be_read_is_named(data: Data, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as raised:
        samples_of([ring(3), data])
    assert "\n" not in str(raised.value)


def test_positions_of_other_dimensions_are_refused_and_those_of_some_graphs_are_left_out() -> None:
    flat, deep, bare = (
        Data(x=torch.ones(2, 1), **pos) for pos in ({"pos": torch.ones(2, 2)}, {"pos": torch.ones(2, 3)}, {})
    )
    with pytest.raises(ValueError, match="graph 1: found 3 coordinates pos of type 'node', expected 2 as in graph 0"):
        samples_of([flat, deep])
    with pytest.warns(UserWarning, match="not read: pos of 'node', which not all graphs have"):
        _, (node_type,), _ = samples_of([flat, bare])
    assert "position" not in node_type.provides


def test_graphs_may_have_different_types_of_nodes_and_edges() -> None:
    users, pages = HeteroData(), HeteroData()
    users["user"].x, users["user", "knows", "user"].edge_index = torch.ones(2, 1), torch.tensor([[0], [1]])
    pages["page"].x, pages["page", "links", "page"].edge_index = torch.ones(3, 4), torch.tensor([[2], [0]])
    pages["page", "by", "ghost"].edge_index = torch.zeros(2, 0, dtype=torch.int64)
    samples, node_types, rules = samples_of([users, pages])
    assert [sorted(sample.signals) for sample in samples] == [["user"], ["page"]]
    batch = GraphBuilder(node_types, rules)(samples)
    assert batch.num_nodes == 5
    assert [str(relation) for relation in batch.relations] == ["page-links-page", "user-knows-user"]
    pages["page", "by", "ghost"].edge_index = torch.tensor([[0], [0]])
    with pytest.raises(ValueError, match=r"graph 1: found 1 edges 'page by ghost', expected none: .* 'ghost'"):
        samples_of([users, pages])


def test_a_graph_and_batches_count_as_their_graphs() -> None:
    rings = [ring(size, near=size % 2 == 0) for size in (3, 4, 5)]
    expected = [(sample.id, sample.target) for sample in samples_of(rings)[0]]
    for dataset in (Batch.from_data_list(rings), [Batch.from_data_list(rings[:2]), rings[2]], (one for one in rings)):
        assert [(sample.id, sample.target) for sample in samples_of(dataset)[0]] == expected
    assert [sample.target for sample in samples_of(rings[1])[0]] == [1]
    wrong: Any = None
    with pytest.raises(ValueError, match="found a NoneType, expected graphs: torch_geometric's Data or HeteroData"):
        samples_of(wrong)
