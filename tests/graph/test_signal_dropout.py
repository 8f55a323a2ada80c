"""Signals left out at random in training."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from gnnfuse.edges import Complete, Window
from gnnfuse.graph import ClassTarget, GraphBuilder, NodeTarget, Ragged
from gnnfuse.nodes import Features, Hub, NodeType, TextTokens
from gnnfuse.sample import Sample
from tests.graph.graphs import EDGE_RULES, NODE_TYPES, random_samples

SAMPLE = Sample({"a": "one", "b": "two", "c": [[1.0]]}, id="x")


def builder(probability: float) -> GraphBuilder:
    nodes = [TextTokens(signal="a"), TextTokens(signal="b"), Features(signal="c", width=1)]
    return GraphBuilder(nodes, signal_dropout=probability)


def present(made: GraphBuilder, sample: Sample, index: int) -> tuple[str, ...]:
    graph = made.graph(sample, augment=(0, 0, index))
    return tuple(name for name, nodes in graph.nodes.items() if nodes is not None)


def test_each_signal_goes_as_often_as_asked_and_one_always_stays() -> None:
    made, draws = builder(0.3), 3000
    found = [present(made, SAMPLE, index) for index in range(draws)]
    assert all(found)
    for name in "abc":
        gone = sum(name not in names for names in found) / draws
        expected = 0.3 * 2 / 3  # one of three is chosen to stay
        assert abs(gone - expected) < 4 * (expected * (1 - expected) / draws) ** 0.5


def test_the_same_numbers_leave_out_the_same() -> None:
    made = builder(0.5)
    assert [present(made, SAMPLE, index) for index in range(20)] == [present(made, SAMPLE, i) for i in range(20)]
    assert len({present(made, SAMPLE, index) for index in range(20)}) > 1


def test_nothing_goes_without_augmentation_or_where_only_one_is_there() -> None:
    made = builder(0.9)
    assert all(nodes is not None for nodes in made.graph(SAMPLE).nodes.values())
    single = Sample({"a": "one"}, id="x")
    assert {present(made, single, index) for index in range(50)} == {("a",)}


def test_it_is_kept_by_fitting_and_without_edges_and_must_be_a_probability() -> None:
    made = builder(0.25)
    assert made.without_edges().signal_dropout == made.fit([SAMPLE]).signal_dropout == 0.25
    with pytest.raises(ValueError, match=r"signal_dropout must be at least 0 and below 1, found 1\.0"):
        builder(1.0)


def lacking(sample: Sample, names: set[str]) -> Sample:
    return replace(sample, signals={name: signal for name, signal in sample.signals.items() if name not in names})


def draws(made: GraphBuilder, samples: list[Sample], seed: int) -> tuple[torch.Tensor, list[set[str]]]:
    """What to leave out of each sample, as a mask and in words."""
    draw = random.Random(seed)
    signals = [str(node_type.signal) for node_type in made.node_types if node_type.signal is not None]
    rows = [[draw.random() < 0.5 for _ in signals] for _ in samples]
    return torch.tensor(rows), [{signal for signal, gone in zip(signals, row, strict=True) if gone} for row in rows]


@pytest.mark.parametrize("seed", range(25))
def test_a_batch_without_signals_is_the_batch_of_samples_without_them(seed: int) -> None:
    made = GraphBuilder(NODE_TYPES, EDGE_RULES, target=ClassTarget(("x", "y")))
    samples = [replace(sample, target="xy"[place % 2]) for place, sample in enumerate(random_samples(seed))]
    gone, names = draws(made, samples, seed)
    found = made.without(made(samples, empty=True), gone)
    assert found == made([lacking(sample, some) for sample, some in zip(samples, names, strict=True)], empty=True)


@pytest.mark.parametrize("seed", range(10))
def test_classes_of_nodes_go_with_their_signal(seed: int) -> None:
    made = GraphBuilder(NODE_TYPES, EDGE_RULES, target=NodeTarget("events", ("x", "y")))
    events = next(node_type for node_type in NODE_TYPES if node_type.name == "events")
    samples = random_samples(seed)
    gone, names = draws(made, samples, seed)

    def named(sample: Sample) -> Sample:
        nodes = events.nodes(sample)
        return replace(sample, target=["xy"[place % 2] for place in range(0 if nodes is None else nodes.num_nodes)])

    found = made.without(made([named(sample) for sample in samples], empty=True), gone)
    built = [named(lacking(sample, some)) for sample, some in zip(samples, names, strict=True)]
    assert found == made(built, empty=True)


def test_an_empty_signal_is_left_out_too() -> None:
    made = GraphBuilder([TextTokens(), Hub(of="text")])
    batch = made([Sample({"text": ""})])
    assert batch.present.tolist() == [[True]]
    assert made.without(batch, torch.tensor([[True]])) == made([Sample({})], empty=True)


def test_a_signal_that_two_types_read_goes_from_both() -> None:
    types: list[NodeType] = [TextTokens(name="one"), TextTokens(name="two"), TextTokens(signal="other")]
    made = GraphBuilder(types, [Window()])
    samples = [Sample({"text": "ab", "other": "cd"}), Sample({"text": "e", "other": "fg"})]
    column = made.modalities.index("two")
    gone = torch.arange(3).eq(column).expand(2, 3).clone()
    gone[1] = False
    assert made.without(made(samples), gone) == made([lacking(samples[0], {"text"}), samples[1]])


@pytest.mark.parametrize("seed", range(10))
def test_a_batch_loses_the_signals_that_its_samples_would_have_lost(seed: int) -> None:
    made = GraphBuilder(NODE_TYPES, EDGE_RULES, signal_dropout=0.5)
    samples = random_samples(seed, count=8)
    augment = [(3, seed, 10 * place) for place in range(8)]
    graphs = [made.graph(sample, augment=numbers) for sample, numbers in zip(samples, augment, strict=True)]
    assert made.drop_signals(made(samples, empty=True), augment) == made.collate(graphs)


@pytest.mark.parametrize("seed", range(10))
def test_classes_of_nodes_go_with_signals_that_are_left_out_while_reading(seed: int) -> None:
    """Of a type that is read, and of one that follows a signal that another reads."""
    types = [*NODE_TYPES, Hub(name="above", of="events")]
    events = next(node_type for node_type in NODE_TYPES if node_type.name == "events")
    for of in (events, types[-1]):
        made = GraphBuilder(types, EDGE_RULES, target=NodeTarget(of.name, ("x", "y")), signal_dropout=0.7)
        samples = []
        for sample in random_samples(seed, count=8):
            nodes = of.nodes(sample)
            names = ["xy"[place % 2] for place in range(0 if nodes is None else nodes.num_nodes)]
            samples.append(replace(sample, target=names))
        augment = [(3, seed, place) for place in range(8)]
        found = made.collate([made.graph(one, augment=how) for one, how in zip(samples, augment, strict=True)])
        assert found == made.drop_signals(made(samples, empty=True), augment)
        assert isinstance(found.target, Ragged)
        assert torch.equal(found.target.offsets, found.layout[of.name].offsets)


@pytest.mark.usefixtures("unchecked")  # which would refuse a list first
def test_what_does_not_fit_a_batch_is_refused() -> None:
    made = builder(0.5)
    batch = made([SAMPLE, SAMPLE])
    message = r"signals: found torch.bool \[2, 2\] on cpu, expected torch.bool \[2, 3\] on cpu as the batch has"
    with pytest.raises(ValueError, match=message):
        made.without(batch, torch.zeros(2, 2, dtype=torch.bool))
    nested = [[True, False, False]] * 2
    for wrong, kind in ((nested, "list"), (np.array(nested), "ndarray"), (None, "NoneType")):
        message = rf"^signals: found a {kind}, expected a tensor torch.bool \[2, 3\] on cpu$"
        with pytest.raises(ValueError, match=message):
            made.without(batch, wrong)  # type: ignore[arg-type]
    other = GraphBuilder([TextTokens(signal="a"), Hub()], [Complete(src="a", dst="hub")])
    with pytest.raises(ValueError, match=r"found a batch of node types \['a', 'b', 'c'\], expected \['a', 'hub'\]"):
        other.without(batch, torch.zeros(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"augment: found 1 samples, expected 2 as the batch has"):
        made.drop_signals(batch, [(0, 0, 0)])
    assert len(made.drop_signals(made.no_samples(), [])) == 0
