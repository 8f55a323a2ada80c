"""Mean and hub readouts against values computed on paper."""

import pytest
import torch

from gnnfuse.edges import Complete
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import Hub, TextTokens
from gnnfuse.readout import HubReadout, MeanReadout
from gnnfuse.sample import Sample


def batch() -> GraphBatch:
    """Nodes in order: two hubs of sample 0, two of sample 1, of text: a, b (sample 0), then nothing of sample 1."""
    hubs = [Hub(count=1), Hub(name="text_hub", of="text")]
    builder = GraphBuilder([TextTokens(), *hubs], [Complete(dst=("hub", "text_hub"))])
    return builder([Sample({"text": "ab"}), Sample({})], empty=True)


STATES = torch.tensor([[1.0], [2.0], [4.0], [8.0], [6.0]])  # hub, hub, text, text, text_hub


def test_the_mean_of_all_nodes() -> None:
    assert batch().node_types == ("hub", "text", "text_hub")
    assert MeanReadout()(STATES, batch()).tolist() == [[(1 + 4 + 8 + 6) / 4], [2.0]]


def test_the_hub() -> None:
    assert HubReadout()(STATES, batch()).tolist() == [[1.0], [2.0]]


def test_one_hub_per_modality_is_zero_where_it_is_absent() -> None:
    assert HubReadout("text_hub")(STATES, batch()).tolist() == [[6.0], [0.0]]


@pytest.mark.parametrize("hubs", [("hub", "text_hub"), ("text_hub", "hub")])
def test_the_mean_of_several_hubs_in_any_order(hubs: tuple[str, ...]) -> None:
    assert HubReadout(hubs)(STATES, batch()).tolist() == [[3.5], [2.0]]


def test_a_hub_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="HubReadout reads node type 'centre', found only hub, text, text_hub"):
        HubReadout("centre")(STATES, batch())
