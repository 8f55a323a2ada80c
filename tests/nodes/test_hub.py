import pytest

from gnnfuse.nodes import Hub
from gnnfuse.sample import Sample


def test_every_sample_has_the_same_hub_nodes() -> None:
    for sample in (Sample({}), Sample({"text": "a"})):
        nodes = Hub(count=3).nodes(sample)
        assert nodes is not None
        assert nodes.values.tolist() == [0, 1, 2]


def test_the_hub_of_a_signal_is_there_where_the_signal_is() -> None:
    hub = Hub(name="text_hub", of="text")
    assert hub.nodes(Sample({"text": ""})) is not None
    assert hub.nodes(Sample({"text": None, "image": "a.png"})) is None


def test_it_reads_no_signal_and_provides_nothing() -> None:
    assert Hub(of="text").signal is None
    assert Hub().provides == frozenset()


def test_a_hub_without_nodes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"node type 'hub': count must be at least 1, found 0"):
        Hub(count=0)
