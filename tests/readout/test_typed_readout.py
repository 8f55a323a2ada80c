import pytest
import torch

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import Features, TextTokens
from gnnfuse.readout import TypedReadout
from gnnfuse.sample import Sample

BUILDER = GraphBuilder([TextTokens(), Features(signal="row", width=2)])
BATCH = BUILDER([Sample({"text": "abc", "row": torch.ones(2, 2)}), Sample({"text": "d"}), Sample({})], empty=True)


def test_each_type_is_pooled_by_itself_then_joined() -> None:
    """Every line of the formula, worked out per graph and type."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(BATCH.num_nodes, 4, generator=generator)
    readout = TypedReadout(4, ["text", "row"], expansion=2)
    found = readout(states, BATCH)
    for graph in range(3):
        pooled = []
        for name in ("row", "text"):
            mine = states[BATCH.slices[name]][BATCH.layout[name].graph_id == graph]
            weights = readout.score(mine)[:, 0].softmax(dim=0)
            pooled.append(sum((w * x for w, x in zip(weights, mine, strict=True)), torch.zeros(4)))
        torch.testing.assert_close(found[graph], readout.network(torch.cat(pooled)))


def test_the_order_of_type_names_does_not_matter() -> None:
    assert TypedReadout(4, ["b", "a"]).node_types == TypedReadout(4, ["a", "b"]).node_types


def test_missing_types_are_told() -> None:
    with pytest.raises(ValueError, match="reads node type 'image', found only row, text"):
        TypedReadout(4, ["image"])(torch.zeros(BATCH.num_nodes, 4), BATCH)
    with pytest.raises(ValueError, match="at least one node type"):
        TypedReadout(4, [])
