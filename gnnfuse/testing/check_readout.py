"""The conformance of readouts."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion import NodeEncoders
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.readout import Readout
from gnnfuse.sample import Sample
from gnnfuse.saving import build, describe
from gnnfuse.testing.properties import check_batches, check_defined, check_parameters, make_seeded, probe, widened


class EncodedReadout(nn.Module):
    """A readout of the states that the node types' own encoders give."""

    def __init__(self, readout: Readout, builder: GraphBuilder, dim: int) -> None:
        super().__init__()
        self.encoders = NodeEncoders(builder.node_types, dim)
        self.readout = readout

    def forward(self, batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """One vector per graph."""
        fused: Tensor = self.readout(self.encoders.stacked(batch), batch)
        return fused


def check_readout(readout: Readout, builder: GraphBuilder, samples: Sequence[Sample], *, dim: int = 16) -> None:
    """Check a readout.

    It gives one vector per graph; a batch gives each sample what it gets alone; order does not matter; a graph without
    nodes gets a defined, finite vector; every parameter is registered and gets a gradient; it can be described and
    built again; global state stays as it is.

    Args:
        readout: for states of size `dim`.
        builder: makes the batches.
        samples: some complete, some not; see `random_samples`.
        dim: size of the states.

    Raises:
        AssertionError: says what is violated.

    Example:
        >>> from gnnfuse.readout import MeanReadout
        >>> from gnnfuse.testing import example_builder, random_samples
        >>> check_readout(MeanReadout(), example_builder(), random_samples(torch.Generator().manual_seed(0)))
    """
    name = type(readout).__name__
    try:
        again = make_seeded(lambda: build(describe(readout), classes=[type(readout)]))  # type: ignore[arg-type, return-value]
    except ValueError as error:
        raise AssertionError(f"{name}: cannot be saved: {error}") from error
    assert isinstance(again, Readout)
    assert again.state_dict().keys() == readout.state_dict().keys(), f"{name}: built again it has other parameters"
    subject = probe(name, make_seeded(lambda: EncodedReadout(readout, builder, dim)), builder, tested="readout")
    batch = widened(builder(samples))
    with torch.no_grad():
        fused = subject(batch)
        assert fused.shape == (len(batch), dim), f"{name}: found vectors of shape {list(fused.shape)}, not {dim} wide"
        assert not torch.equal(fused[0], fused[1]), f"{name}: two different samples get the same vector"
    check_batches(subject, samples)
    check_defined(subject, samples)
    check_parameters(subject, samples)
