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

    The readout gives one vector per graph and the outputs that `gives` names, in the shapes of `Fused`. A sample gets
    the same result in a batch as alone, and a finite vector if it has no nodes; order does not matter. Every parameter
    is registered and gets a gradient. The readout can be described and built again. Global state is unchanged.

    Args:
        readout: the readout to check, for states of size `dim`.
        builder: makes the batches.
        samples: some complete, some not; see `random_samples`.
        dim: size of the states.
        classes: your own classes, besides that of the readout, that loading may build.

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
    assert again.state_dict().keys() == readout.state_dict().keys(), (
        f"{name}: has other parameters after it is built again"
    )
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
