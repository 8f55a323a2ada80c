"""The conformance of readouts."""

from collections.abc import Sequence

import torch

from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.readout import Readout
from gnnfuse.sample import Sample
from gnnfuse.saveable import checked_classes
from gnnfuse.saving.build import build
from gnnfuse.saving.describe import describe
from gnnfuse.testing.check_fused import Promise, check_rows
from gnnfuse.testing.properties import (
    Probe,
    check_batches,
    check_defined,
    check_parameters,
    make_seeded,
    probe,
    widened,
)


def check_readout(
    readout: Readout, builder: GraphBuilder, samples: Sequence[Sample], *, dim: int = 16, classes: Sequence[type] = ()
) -> None:
    """Check a readout.

    It gives one vector per graph, and besides it what `gives` names, in the shapes of `Fused`; a batch gives each
    sample what it gets alone; order does not matter; a graph without nodes gets a defined, finite vector; every
    parameter is registered and gets a gradient; it can be described and built again; global state stays as it is.

    Args:
        readout: for states of size `dim`.
        builder: makes the batches.
        samples: some complete, some not; see `random_samples`.
        dim: size of the states.
        classes: classes of your own, beside the readout's, that loading must be allowed to build.

    Raises:
        AssertionError: names what is violated.

    Example:
        >>> from gnnfuse.readout import MeanReadout
        >>> from gnnfuse.testing import example_builder, random_samples
        >>> check_readout(MeanReadout(), example_builder(), random_samples(torch.Generator().manual_seed(0)))
    """
    name = type(readout).__name__
    try:
        again = _again(readout, classes)
    except ValueError as error:
        raise AssertionError(f"{name}: cannot be saved: {error}") from error
    assert again.state_dict().keys() == readout.state_dict().keys(), f"{name}: built again it has other parameters"
    model = make_seeded(lambda: GraphFusion(builder.node_types, builder.relations, dim=dim, depth=1, readout=readout))
    subject = probe(name, model, builder, tested="readout")
    _check_outputs(name, subject, builder, samples)
    batch = widened(builder(samples, empty=True))
    with torch.no_grad():
        fused = subject(batch)
        assert not torch.equal(fused[0], fused[1]), f"{name}: two different samples get the same vector"
    check_defined(subject, samples)
    check_batches(subject, samples)
    check_parameters(subject, samples)


def _check_outputs(name: str, subject: Probe, builder: GraphBuilder, samples: Sequence[Sample]) -> None:
    model, readout = subject.module, subject.tested
    assert isinstance(model, GraphFusion), "the model that was probed"
    assert isinstance(readout, Readout), "its readout"

    def read(batch: GraphBatch) -> object:
        states = torch.cat(list(model.encoders(batch).values()))
        try:
            return readout.read(states, batch)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error

    check_rows(Promise(name, readout.gives, builder.modalities, model.dim), read, builder, samples)


def _again(readout: Readout, classes: Sequence[type]) -> Readout:
    with torch.random.fork_rng(devices=[]):
        built = build(describe(readout), classes=[type(readout), *checked_classes(classes)])
    assert isinstance(built, Readout), "a description names the object's own class"
    return built
