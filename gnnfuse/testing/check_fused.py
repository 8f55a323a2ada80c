"""The conformance of the results that readouts and fusion models give for a batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.readout import Fused
from gnnfuse.sample import Sample
from gnnfuse.testing.properties import assert_close, widened

GIVES = frozenset({"parts", "nodes"})


@dataclass(frozen=True)
class Promise:
    """The outputs that a readout or a fusion model promises.

    Args:
        name: for messages.
        gives: the outputs besides the vectors.
        modalities: names of the modalities that the parts stand for, in order.
        dim: size of all vectors.
    """

    name: str
    gives: frozenset[str]
    modalities: Sequence[str]
    dim: int


@torch.no_grad()
def check_rows(
    promise: Promise, embed: Callable[[GraphBatch], object], builder: GraphBuilder, samples: Sequence[Sample]
) -> Fused:
    """Check the result for a batch, and that its parts and nodes equal those of each sample alone.

    Args:
        promise: the expected outputs.
        embed: gives the result for a batch; in float64.
        builder: makes the batches.
        samples: the samples of the batch.

    Raises:
        AssertionError: names what is violated.
    """
    batch = widened(builder(samples, empty=True))
    fused = check_fused(promise, embed(batch), batch)
    for place, sample in enumerate(samples):
        one = widened(builder([sample], empty=True))
        alone = check_fused(promise, embed(one), one)
        where = f"of {sample.id!r} differ between a batch and the sample alone"
        if fused.parts is not None and fused.present is not None and alone.parts is not None:
            here = fused.present[place]
            assert_close(fused.parts[place][here], alone.parts[0][here], f"{promise.name}: the parts {where}")
        if fused.nodes is not None and alone.nodes is not None:
            assert_close(fused.nodes[batch.graph_id == place], alone.nodes, f"{promise.name}: the nodes {where}")
    return fused


def check_fused(promise: Promise, found: object, batch: GraphBatch) -> Fused:
    """Check that a result has exactly the promised outputs, in the shapes and dtypes of `Fused`.

    Raises:
        AssertionError: names what is violated.
    """
    name, gives, modalities, dim = promise.name, promise.gives, promise.modalities, promise.dim
    assert isinstance(found, Fused), f"{name}: found a {type(found).__name__}, expected a Fused"
    unknown = sorted(set(gives) - GIVES)
    assert not unknown, f"{name}: gives {unknown[0]!r}, which is unknown; known are {', '.join(sorted(GIVES))}"
    graphs = len(batch)
    _check_tensor(name, "vector", found.vector, (graphs, dim), torch.float64)
    expected = {
        "parts": (found.parts, (graphs, len(modalities), dim), torch.float64, "parts"),
        "present": (found.present, (graphs, len(modalities)), torch.bool, "parts"),
        "nodes": (found.nodes, (batch.num_nodes, dim), torch.float64, "nodes"),
    }
    for what, (output, shape, kind, named) in expected.items():
        promised = named in gives
        assert (output is not None) == promised, (
            f"{name}: gives {sorted(gives)}, but {what} {'is None' if promised else 'is not None'}"
        )
        if output is not None:
            _check_tensor(name, what, output, shape, kind)
    if found.present is not None:
        has_nodes = torch.stack([batch.layout[each].offsets.diff() > 0 for each in modalities], dim=1)
        assert torch.equal(found.present, has_nodes), (
            f"{name}: present does not mark the graphs that have nodes of the modality"
        )
    _check_losses(name, found.losses)
    return found


def _check_tensor(name: str, what: str, found: object, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    assert isinstance(found, Tensor), f"{name}: {what} is a {type(found).__name__}, expected a tensor"
    assert found.shape == shape, f"{name}: {what} has shape {list(found.shape)}, expected {list(shape)}"
    assert found.dtype == dtype, f"{name}: {what} is {found.dtype}, expected {dtype}"
    assert bool(found.isfinite().all()), f"{name}: found NaN or infinity in {what}"


def _check_losses(name: str, losses: object) -> None:
    assert isinstance(losses, Mapping), f"{name}: losses is a {type(losses).__name__}, expected a mapping"
    for key, loss in losses.items():
        assert isinstance(key, str), f"{name}: found a loss named {key!r}, expected a string"
        check_scalar(f"{name}: loss {key}", loss)


def check_scalar(name: str, loss: object) -> None:
    """Refuse a loss that is not a finite scalar.

    Raises:
        AssertionError: names the loss and what was found.
    """
    assert isinstance(loss, Tensor), f"{name} is a {type(loss).__name__}, expected a tensor"
    assert loss.ndim == 0, f"{name} has shape {list(loss.shape)}, expected a scalar"
    assert bool(loss.isfinite()), f"{name} is {float(loss)}"
