import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData

from gnnfuse.edges import Aligned, Complete, Grid, Nearest, Window
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder
from gnnfuse.graph.pyg import from_pyg, to_pyg
from gnnfuse.nodes import AudioFrames, Features, Hub, ImagePatches, TextTokens
from gnnfuse.sample import Audio, Rows, Sample


def random_batch(seed: int, *, drop: float, target: bool = False) -> GraphBatch:
    generator = torch.Generator().manual_seed(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    samples = []
    for place in range(number(1, 6)):
        rows = number(0, 4)
        signals: dict[str, object] = {
            "image": torch.rand(3, number(4, 20), number(4, 20), generator=generator),
            "audio": Audio(torch.rand(number(100, 3000), generator=generator), 8000),
            "text": "abc def"[: number(0, 8)],
            "pose": Rows(torch.rand(rows, 3, generator=generator), position=torch.rand(rows, 2, generator=generator)),
        }
        kept = {name: signal for name, signal in signals.items() if torch.rand((), generator=generator) >= drop}
        samples.append(Sample(kept, target="ab"[place % 2] if target else None, id=f"row {place}" if place else None))
    node_types = [
        ImagePatches(patch=8),
        AudioFrames(sample_rate=8000, hop=0.05),
        TextTokens(),
        Features(signal="pose", width=3, coordinates=2),
        Hub(),
        Hub(name="image_hub", of="image"),
    ]
    rules = [
        Grid(),
        Window(size=1),
        Nearest(k=2),
        Complete(dst="hub"),
        Complete(src="hub", name="from_hub"),
        Aligned(by="order"),
    ]
    return GraphBuilder(node_types, rules, target=ClassTarget(("a", "b")) if target else None)(samples, empty=True)


def shuffled(data: HeteroData, seed: int) -> HeteroData:
    generator = torch.Generator().manual_seed(seed)
    copy = data.clone()
    for key in copy.edge_types:
        pairs = copy[key].edge_index
        copy[key].edge_index = pairs[:, torch.randperm(pairs.shape[1], generator=generator)]
    return copy


def assert_restored(found: HeteroData, data: HeteroData) -> None:
    assert found.node_types == data.node_types
    assert found.edge_types == data.edge_types
    for key in [*data.node_types, *data.edge_types]:
        for name, value in data[key].items():
            assert torch.equal(torch.as_tensor(found[key][name]), torch.as_tensor(value)), (key, name)


def film_graph(users: int, films: int) -> HeteroData:
    data = HeteroData()
    data["user"].x, data["film"].x = torch.rand(users, 4), torch.rand(films, 2, 5)
    data["film"].pos = torch.rand(films, 3)
    pairs = torch.cartesian_prod(torch.arange(users), torch.arange(films)).T
    data["user", "likes", "film"].edge_index = pairs[:, torch.randperm(pairs.shape[1])]
    data["film", "liked_by", "user"].edge_index = pairs.flip(0)
    data["user", "knows", "user"].edge_index = torch.zeros(2, 0, dtype=torch.int64)
    data.y = torch.rand(1, 2)
    return data


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("drop", [0.0, 0.4, 1.0])
def test_a_batch_comes_back_bit_for_bit(seed: int, drop: float) -> None:
    batch = random_batch(seed, drop=drop, target=seed % 2 == 0)
    assert from_pyg(to_pyg(batch)) == batch


def test_a_batch_without_edges_or_relations_comes_back() -> None:
    builder = GraphBuilder([TextTokens(), Hub()])
    for batch in (builder([Sample({"text": "ab"}), Sample({})], empty=True), random_batch(3, drop=0.2).without_edges()):
        assert from_pyg(to_pyg(batch)) == batch


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_edges_is_kept(seed: int) -> None:
    batch = random_batch(seed, drop=0.2)
    data = shuffled(to_pyg(batch), seed)
    found = from_pyg(data)
    assert_restored(to_pyg(found), data)
    assert from_pyg(to_pyg(found)) == found
    assert replace(found, edge_order=None) == batch
    assert from_pyg(to_pyg(found.without_edges())) == found.without_edges()


def test_one_graph_of_somebody_else() -> None:
    data = film_graph(3, 2)
    batch = from_pyg(data)
    assert (batch.num_graphs, batch.node_types, batch.ids) == (1, ("user", "film"), ("0",))
    assert batch.target is data.y
    assert batch.layout["film"].position is data["film"].pos
    assert batch.edges.num_edges == 12
    assert_restored(to_pyg(batch), data)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64, torch.bool], ids=str)
def test_numbers_of_any_width_become_float32(dtype: torch.dtype) -> None:
    data = film_graph(2, 2)
    data["user"].x = torch.ones(2, 4).to(dtype)
    data["user"].pos, data["user"].time = torch.ones(2, 3).double(), torch.ones(2, 2).double()
    data["user"].batch = data["film"].batch = torch.zeros(2, dtype=torch.int32)
    data["film"].x, data.y = torch.tensor([5, 6], dtype=torch.int32), torch.ones(1).double()
    data["user", "likes", "film"].edge_index = data["user", "likes", "film"].edge_index.int()
    batch = from_pyg(data)
    user = batch.layout["user"]
    assert torch.equal(batch.values["user"], torch.ones(2, 4))
    assert isinstance(batch.target, torch.Tensor)
    assert [each is not None and each.dtype for each in (user.position, user.time, batch.target)] == [torch.float32] * 3
    assert (batch.values["film"].tolist(), batch.values["film"].dtype) == ([5, 6], torch.int64)  # ids
    assert batch.graph_id.dtype == torch.int64
    assert batch.edges.num_edges == 8


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Data(x=torch.ones(2, 2)), r"found a Data, expected one HeteroData: data.to_heterogeneous\(\) makes one"),
        ([film_graph(1, 1)], "found a list, expected one HeteroData: torch_geometric.data.Batch.from_data_list puts"),
        (torch.ones(2), "found a Tensor, expected one HeteroData$"),
    ],
)
def test_what_is_no_heterogeneous_graph_is_refused(found: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_pyg(found)


def test_graphs_batched_by_pyg() -> None:
    torch.manual_seed(0)
    data = Batch.from_data_list([film_graph(3, 2), film_graph(1, 4), film_graph(2, 1)])
    batch = from_pyg(data)
    assert batch.num_graphs == 3
    assert batch.layout["user"].offsets.tolist() == [0, 3, 4, 6]
    assert isinstance(batch.target, torch.Tensor)
    assert batch.target.shape == (3, 2)
    assert_restored(to_pyg(batch), data)
    assert torch.equal(to_pyg(batch).y, data.y)


def test_pygs_misnumbered_batch_is_refused() -> None:
    without = film_graph(2, 2)
    del without["film"], without["user", "likes", "film"], without["film", "liked_by", "user"]
    data = Batch.from_data_list([film_graph(2, 2), without, film_graph(2, 2)])
    with pytest.raises(ValueError, match=r"data\['film'\]: found ptr .* PyG's Batch numbers nodes wrongly"):
        from_pyg(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["user"].pop("x"), r"data\['user'\]: found no tensor x"),
        (lambda data: data["user"].update({"train_mask": torch.ones(3)}), r"data\['user'\]: found train_mask"),
        (
            lambda data: data["user"].update({"y": torch.ones(3)}),
            r"data\['user'\].y: found y of the graph too, expected one",
        ),
        (
            lambda data: data["user", "likes", "film"].update({"since": torch.ones(6, 1)}),
            r"data\[\('user', 'likes', 'film'\)\]: found since",
        ),
        (lambda data: data["user"].update({"pos": [[1.0]] * 3}), r"pos: found a list, expected a tensor \[nodes, coo"),
        (lambda data: data["user"].update({"batch": torch.zeros(3)}), "of torch.float32, expected .* whole numbers"),
        (
            lambda data: data["user"].update({"x": torch.tensor(1.0)}),
            r"x: found tensor\(1.\), expected a tensor of one",
        ),
        (lambda data: data["user"].update({"batch": [0, 0, 0]}), r"batch: found \[0, 0, 0\], expected a tensor"),
        (lambda data: data["user"].update({"x": torch.ones(3, 1) * 1j}), "x: found torch.complex64, expected real"),
        (lambda data: setattr(data, "y", [1.0]), r"data.y: found a list, expected a tensor \[1, ...\]"),
        (lambda data: setattr(data, "name", "films"), "data: found name"),
        (lambda data: setattr(data, "y", torch.ones(3)), r"data.y: found shape \[3\], expected \[1, ...\]"),
        (
            lambda data: data["user", "likes", "film"].update({"edge_index": torch.tensor([[3], [0]])}),
            "relation user-likes-film: found sources in 3..3, expected 0..2",
        ),
        (lambda data: data["user"].update({"time": torch.ones(3)}), r"time: found shape \[3\], expected \[nodes, 2\]"),
        (lambda data: data["user"].update({"num_nodes": 9}), "found num_nodes=9, expected 3"),
        (lambda data: data["user"].update({"batch": torch.tensor([1, 0, 0])}), "ascending"),
        (lambda data: data["user"].update({"batch": torch.tensor([0, 0, 1])}), r"data\['film'\]: found no batch"),
        (
            lambda data: data["user", "sees", "sky"].update({"edge_index": torch.tensor([[0], [0]])}),
            "found no nodes of type 'sky'",
        ),
    ],
)
def test_what_a_batch_cannot_hold_is_named(change: object, message: str) -> None:
    data = film_graph(3, 2)
    assert callable(change)
    change(data)
    with pytest.raises(ValueError, match=message):
        from_pyg(data)


def test_edges_between_samples_are_refused() -> None:
    data = to_pyg(GraphBuilder([TextTokens()], [Window(size=1)])([Sample({"text": "ab"}), Sample({"text": "c"})]))
    data["text", "window", "text"].edge_index = torch.tensor([[0], [2]])
    with pytest.raises(ValueError, match="edges between samples"):
        from_pyg(data)


def test_notes_that_no_longer_fit_are_refused() -> None:
    batch = random_batch(1, drop=0.0)
    data = Batch.from_data_list([to_pyg(batch), to_pyg(batch)])
    with pytest.raises(ValueError, match="gnnfuse"):
        from_pyg(data)


def test_edge_order_moves_along() -> None:
    batch = from_pyg(film_graph(3, 2))
    assert batch.edge_order is not None
    assert batch.to("cpu") == batch
    assert batch.to("meta").edge_order.device.type == "meta"  # type: ignore[union-attr]


def test_importing_loads_neither_library() -> None:
    code = (
        "import sys, gnnfuse.graph.pyg, gnnfuse.graph.networkx as n\n"
        "assert 'torch_geometric' not in sys.modules\n"
        "assert n.__name__ == 'gnnfuse.graph.networkx'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_time_stamps_and_far_positions_keep_their_digits() -> None:
    """As a builder counts them: from the first of each sample, over all its types."""
    first, second = (HeteroData() for _ in range(2))
    for data, start in ((first, 1.7e9), (second, 3.0)):
        data["user"].x, data["user"].pos = torch.zeros(2, 1), torch.tensor([[1e6, 0.5], [1e6 + 0.25, 2.0]]).double()
        data["user"].time = torch.tensor([[0.5, 0.75], [1.0, 1.5]], dtype=torch.float64) + start
        data["film"].x, data["film"].time = torch.zeros(1, 1), torch.tensor([[0.0, 0.25]], dtype=torch.float64) + start
    batch = from_pyg(Batch.from_data_list([first, second]))
    user, film = batch.layout["user"], batch.layout["film"]
    assert user.time is not None
    assert film.time is not None
    assert user.position is not None
    assert user.time.tolist() == [[0.5, 0.75], [1.0, 1.5], [3.5, 3.75], [4.0, 4.5]]
    assert film.time.tolist() == [[0.0, 0.25], [3.0, 3.25]]
    assert user.position.tolist() == [[0.0, 0.5], [0.25, 2.0]] * 2
    assert user.time.dtype == user.position.dtype == torch.float32
