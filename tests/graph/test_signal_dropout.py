"""Signals left out at random in training."""

import pytest

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import Features, TextTokens
from gnnfuse.sample import Sample

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
