"""Each modality speaks for itself: by loops over samples and modalities."""

import pytest
import torch
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.readout import AdditiveReadout
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import assert_close

DIM, MODALITIES = 4, ("audio", "image", "text")


@pytest.fixture
def batch() -> GraphBatch:
    return example_builder()(random_samples(torch.Generator().manual_seed(0)), empty=True)


@pytest.fixture
def states(batch: GraphBatch) -> Tensor:
    return torch.randn(batch.num_nodes, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def readout() -> AdditiveReadout:
    torch.manual_seed(2)
    return AdditiveReadout(DIM, MODALITIES).double()


def said_by_each(readout: AdditiveReadout, states: Tensor, batch: GraphBatch, graph: int) -> list[Tensor]:
    """What each modality that the sample has says alone; the hub says nothing."""
    said = []
    for name in MODALITIES:
        place = batch.slices[name]
        nodes = [i for i in range(place.start, place.stop) if batch.graph_id[i] == graph]
        if nodes:
            said.append(readout.maps[name](torch.stack([states[i] for i in nodes]).mean(0)))
    return said


def test_the_modalities_of_a_sample_count_alike(batch: GraphBatch, states: Tensor) -> None:
    subject = readout()
    counts = set()
    for graph, row in enumerate(subject(states, batch)):
        said = said_by_each(subject, states, batch, graph)
        expected = torch.stack(said).mean(0) if said else torch.zeros(DIM, dtype=torch.float64)
        assert_close(row, expected, f"sample {graph}")
        counts.add(len(said))
    assert counts == {0, 1, 2, 3}


def test_a_linear_head_gives_the_geometric_mean_of_what_each_modality_predicts(
    batch: GraphBatch, states: Tensor
) -> None:
    subject, head = readout(), nn.Linear(DIM, 3).double()
    for graph, row in enumerate(subject(states, batch)):
        said = said_by_each(subject, states, batch, graph)
        if said:
            product = torch.stack([head(one).softmax(0) for one in said]).log().mean(0).exp()
            assert_close(head(row).softmax(0), product / product.sum(), f"sample {graph}")


def test_each_modality_alone_is_what_the_readout_gives_without_the_others(batch: GraphBatch, states: Tensor) -> None:
    subject = readout()
    fused, parts, present, *_ = subject.read(states, batch)
    assert parts is not None
    assert present is not None
    assert torch.equal(fused, subject(states, batch))
    for graph in range(batch.num_graphs):
        said = said_by_each(subject, states, batch, graph)
        assert int(present[graph].sum()) == len(said)
        for one, expected in zip(parts[graph][present[graph]], said, strict=True):
            assert_close(one, expected, f"sample {graph}")


def test_other_modalities_are_refused(batch: GraphBatch, states: Tensor) -> None:
    with pytest.raises(ValueError, match="reads modalities image, text, found audio, image, text"):
        AdditiveReadout(DIM, ["text", "image"])(states, batch)
    with pytest.raises(ValueError, match="at least one modality"):
        AdditiveReadout(DIM, [])
