"""Data sets of PyTorch Geometric as samples."""

import pytest
import torch
from torch_geometric.data import Data, HeteroData

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


def test_what_is_not_read_is_said_and_what_cannot_be_is_refused() -> None:
    data = ring(3)
    data.edge_attr = torch.ones(6, 1)
    with pytest.warns(UserWarning, match="attributes that are not read: edge_attr"):
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
