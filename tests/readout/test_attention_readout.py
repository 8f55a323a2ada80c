"""AttentionReadout against its formula in numpy."""

import numpy as np
import pytest
import torch

from gnnfuse.readout import AttentionReadout
from gnnfuse.testing import example_builder, random_samples

DIM, HEADS = 6, 3


def test_the_formula() -> None:
    builder = example_builder().without_edges()  # no hub: the last sample has no nodes
    batch = builder(random_samples(torch.Generator().manual_seed(0)), empty=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        readout = AttentionReadout(DIM, heads=HEADS).double()
        states = torch.randn(batch.num_nodes, DIM, dtype=torch.float64)
    with torch.no_grad():
        found = readout(states, batch).numpy()
    score, value, output = (
        p.detach().numpy() for p in (readout.score.weight, readout.value.weight, readout.output.weight)
    )
    value_bias, output_bias = readout.value.bias.detach().numpy(), readout.output.bias.detach().numpy()
    graph_id, size = batch.graph_id.numpy(), DIM // HEADS
    for graph in range(len(batch)):
        own = states.numpy()[graph_id == graph]
        pooled = np.zeros(DIM)
        for head in range(HEADS):
            place = slice(head * size, (head + 1) * size)
            weights = np.exp(own @ score[head])
            for state, weight in zip(own, weights, strict=True):
                pooled[place] += weight / weights.sum() * (value @ state + value_bias)[place]
        assert np.allclose(found[graph], output @ pooled + output_bias, rtol=1e-10, atol=1e-10)


def test_a_graph_without_nodes_gives_the_bias() -> None:
    readout = AttentionReadout(DIM, heads=HEADS)
    batch = example_builder().without_edges()(random_samples(torch.Generator().manual_seed(0))[-1:], empty=True)
    assert torch.equal(readout(torch.zeros(0, DIM), batch)[0], readout.output.bias)


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ValueError, match="heads must divide dim, found heads=4 and dim=6"):
        AttentionReadout(6)
