import multiprocessing
import pickle
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data._utils.pin_memory import pin_memory

from gnnfuse.edges import Window
from gnnfuse.graph import GraphBatch, GraphBuilder, SampleGraph, sample_edges
from gnnfuse.nodes import Features, TextTokens
from gnnfuse.ops import merge_edges
from gnnfuse.sample import Sample
from tests.graph.graphs import EDGE_RULES, NODE_TYPES, random_samples


def builder() -> GraphBuilder:
    return GraphBuilder(NODE_TYPES, EDGE_RULES)


def texts(*lengths: int) -> list[Sample]:
    return [Sample({"text": "abcdefghij"[:length]}) for length in lengths]


def test_every_implementation_gives_the_same_batch() -> None:
    kept = builder()
    for seed in range(60):
        graphs = [kept.graph(sample) for sample in random_samples(seed)]
        assert kept.collate(graphs, impl="numba") == kept.collate(graphs, impl="reference") == kept.collate(graphs)


def test_the_implementation_that_is_asked_for_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def merge(edges: Sequence[object], *, impl: str) -> object:
        asked.append(impl)
        return merge_edges(edges, impl=impl)  # type: ignore[arg-type]

    monkeypatch.setattr(sample_edges, "merge_edges", merge)
    kept = GraphBuilder([TextTokens()], [Window()])
    for lengths in ((3, 3), (3, 4)):  # of one shape, and of several
        graphs = [kept.graph(sample) for sample in texts(*lengths)]
        kept.collate(graphs, impl="reference")
        kept.collate(graphs, impl="numba")
    assert asked == ["reference", "numba"] * 2


def test_batches_of_one_shape_share_their_edges_and_no_others() -> None:
    kept = GraphBuilder([TextTokens()], [Window()])
    first, again = kept(texts(5, 5)), kept(texts(5, 5))
    assert again.edges is first.edges
    for lengths in ((5, 5, 5), (4, 4), (5, 4), (4, 5), (5, 4, 5), (5,)):
        found = kept(texts(*lengths))
        assert found.edges is not first.edges
        assert found == GraphBuilder([TextTokens()], [Window()])(texts(*lengths))
    assert kept(texts(5, 5)) == GraphBuilder([TextTokens()], [Window()])(texts(5, 5))


def test_kept_merged_edges_are_few_and_stay_with_their_builder() -> None:
    kept = GraphBuilder([TextTokens()], [Window()])
    for count in range(1, 10):
        kept(texts(*[5] * count))
        assert len(kept._edges._merged) == min(count, sample_edges.KEPT_BATCHES)
    assert not pickle.loads(pickle.dumps(kept))._edges._merged


def test_graphs_of_a_builder_with_more_types_serve_one_with_fewer() -> None:
    samples = [Sample({"text": "ab", "events": [[1.0]]}), Sample({"events": [[2.0], [3.0]]}), Sample({"text": "c"})]
    text, events = TextTokens(), Features(signal="events", width=1)
    graphs = [GraphBuilder([text, events], [Window()]).graph(sample) for sample in samples]
    for types in ([text], [events], [text, events]):
        fewer = GraphBuilder(types, extra="ignore")
        assert fewer.collate(graphs) == fewer(samples, empty=True)


@pytest.mark.parametrize("workers_begin_by", ["fork", "spawn"])
def test_loader_workers_make_the_batches_of_the_main_process(workers_begin_by: str) -> None:
    if workers_begin_by not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform cannot {workers_begin_by}")
    kept = builder()
    samples = random_samples(0, count=6) + texts(5, 5, 5, 5, 5, 5)  # the last batches share their edges
    expected = [kept(samples[place : place + 3]) for place in range(0, 12, 3)]
    load: Any = partial(DataLoader, batch_size=3, num_workers=2, multiprocessing_context=workers_begin_by, timeout=120)
    assert list(load(samples, collate_fn=kept)) == expected
    graphs = [kept.graph(sample.named(place % 3)) for place, sample in enumerate(samples)]
    assert list(load(graphs, collate_fn=kept.collate)) == expected


def test_gradients_reach_the_samples_values() -> None:
    kept = GraphBuilder([Features(signal="events", width=2)])
    graph = kept.graph(Sample({"events": [[1.0, 2.0]]}))
    nodes = graph.nodes["events"]
    assert nodes is not None
    nodes.values.requires_grad_()
    kept.collate([graph, graph]).values["events"].sum().backward()  # type: ignore[no-untyped-call]
    assert nodes.values.grad is not None
    assert nodes.values.grad.tolist() == [[2.0, 2.0]]


def test_a_pickled_batch_carries_every_number_once() -> None:
    batch = GraphBuilder([TextTokens()], [Window()])(texts(*[9] * 400))
    tensors: list[Tensor] = []
    batch._map(lambda tensor: tensors.append(tensor) or tensor)  # type: ignore[func-returns-value]
    numbers = sum(tensor.nbytes for tensor in tensors)
    assert numbers < len(pickle.dumps(batch)) < 1.2 * numbers


def test_a_loader_pins_a_batch_by_the_batchs_own_method(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = builder()(random_samples(2))
    monkeypatch.setattr(Tensor, "pin_memory", Tensor.clone)  # pinning needs a device
    pinned = pin_memory(batch)  # type: ignore[no-untyped-call]
    assert isinstance(pinned, GraphBatch)
    assert pinned == batch
    assert pinned.edges.src.data_ptr() != batch.edges.src.data_ptr() or not batch.edges.num_edges


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_with_pinned_memory(workers: int) -> None:
    kept = builder()
    graphs: list[SampleGraph] = [kept.graph(sample.named(0)) for sample in random_samples(1, count=8)]
    load: Any = partial(DataLoader, batch_size=4, collate_fn=kept.collate)
    for found, expected in zip(load(graphs, pin_memory=True, num_workers=workers), load(graphs), strict=True):
        assert found == expected
        assert found.graph_id.is_pinned()
        assert all(part.is_pinned() for part in (*found.edges[:3], *found.edges.transpose) if part.numel())
        assert found.to("cuda", non_blocking=True).to("cpu") == expected
