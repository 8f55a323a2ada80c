"""The conformance of node types and their encoders."""

import copy
import math
import pickle
from collections.abc import Sequence
from dataclasses import fields

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion import NodeEncoders
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import NodeEncoder, NodeSet, NodeSummary, NodeType, check_nodes, check_promises
from gnnfuse.sample import Sample
from gnnfuse.saving.describe import describe
from gnnfuse.testing.global_state import unchanged_globals
from gnnfuse.testing.properties import (
    Probe,
    assert_close,
    check_batches,
    check_defined,
    check_parameters,
    check_seed,
    make_seeded,
    one_per_node,
    probe,
    widened,
    without_signals,
)


class OfOneType(nn.Module):
    """What a module gives for the nodes of one type: its states, or its summaries."""

    def __init__(self, node_type: NodeType, dim: int, encoder: nn.Module) -> None:
        super().__init__()
        self.node_type = node_type
        self.encoders = NodeEncoders([node_type], dim, modules={node_type.name: encoder})

    def forward(self, batch: GraphBatch) -> Float[Tensor, "_ dim"]:
        """States of all nodes of the type, or a summary of each graph."""
        states: Tensor = self.encoders(batch)[self.node_type.name]
        return states


def check_node_type(node_type: NodeType, samples: Sequence[Sample], *, dim: int = 16) -> None:
    """Check a node type and its encoder.

    Its nodes fit its promises (`provides`, `empty`), are the same in every call, and depend on its own signal only; an
    absent signal gives None. The type can be pickled (loader workers) and described (saving). The generator alone
    decides how a sample is augmented. Its encoder gives `[nodes, dim]`. The states of a sample do not depend on other
    samples of the batch, and those of a node do not depend on which other nodes are left out (an encoder may refuse
    incomplete signals). Without nodes it gives `[0, dim]`, which depends on every parameter. Every parameter is
    registered and gets a gradient. Its summary, if it has one, gives each sample `width` finite numbers, zeros without
    nodes, the same in a batch as alone, and has no parameters.

    Args:
        node_type: the node type to check.
        samples: samples, at least one of which has its signal.
        dim: size of the states.

    Raises:
        AssertionError: names what is violated.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> check_node_type(TextTokens(), [Sample({"text": "a cat"}), Sample({"text": "two dogs"}), Sample({})])
    """
    try:
        check_promises(node_type)
    except ValueError as error:
        raise AssertionError(str(error)) from error
    name = f"node type {node_type.name!r}"
    for sample in samples:
        _check_nodes(name, node_type, sample)
    held = [sample for sample in samples if node_type.nodes(sample) is not None]
    assert held, f"{name}: found no nodes in any sample, expected some"
    _check_copies(name, node_type, held)
    _check_augmentation(name, node_type, held)
    _check_encoder(name, node_type, samples, held, dim)
    _check_summary(name, node_type, samples)


def assert_same(found: NodeSet | None, expected: NodeSet | None, message: str) -> None:
    """Refuse two node sets that differ in any bit."""
    assert (found is None) == (expected is None), message
    if found is None or expected is None:
        return
    for field in fields(NodeSet):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        same = torch.equal(one, other) if isinstance(one, Tensor) and isinstance(other, Tensor) else one is other
        assert same or (not isinstance(one, Tensor) and one == other), f"{message} ({field.name})"


def _check_nodes(name: str, node_type: NodeType, sample: Sample) -> None:
    where = f"{name}, {sample.id!r}"
    with unchanged_globals(where):
        try:
            nodes = node_type.nodes(sample)
        except ValueError as error:
            raise AssertionError(f"{where}: {error}") from error
    assert_same(node_type.nodes(sample), nodes, f"{where}: reading it twice gives different node sets")
    if node_type.signal is not None:
        lacking = node_type.nodes(without_signals(sample, [node_type.signal]))
        assert lacking is None, f"{where}: found nodes without the signal {node_type.signal!r}, expected None"
        others = [signal for signal in sample.signals if signal != node_type.signal]
        alone = node_type.nodes(without_signals(sample, others))
        assert_same(alone, nodes, f"{where}: its nodes depend on other signals")
    if nodes is None:
        return
    try:
        check_nodes(node_type, nodes, node_type.empty(), where)
    except ValueError as error:
        raise AssertionError(str(error)) from error
    if "grid" in node_type.provides:
        assert math.prod(nodes.shape) == nodes.num_nodes, f"{where}: provides a grid, but {nodes.shape} is not one"
    if "features" in node_type.provides:
        rows = nodes.values.ndim == 2 and nodes.values.is_floating_point()
        assert rows, f"{where}: provides features, but its values are {list(nodes.values.shape)} {nodes.values.dtype}"
    for field in ("values", "position", "time"):
        tensor = getattr(nodes, field)
        finite = tensor is None or not tensor.is_floating_point() or bool(tensor.isfinite().all())
        assert finite, f"{where}: found NaN or infinity in its {field}"


def _check_copies(name: str, node_type: NodeType, held: Sequence[Sample]) -> None:
    try:
        copied = pickle.loads(pickle.dumps(node_type))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AssertionError(f"{name}: cannot be pickled, which loader workers need: {error}") from error
    try:
        describe(node_type)
    except ValueError as error:
        raise AssertionError(f"{name}: cannot be saved: {error}") from error
    fitted = node_type.fit(held)
    promised = (node_type.name, node_type.signal, node_type.provides)
    assert (fitted.name, fitted.signal, fitted.provides) == promised, f"{name}: fitting changes its name or promises"
    for sample in held:
        assert_same(copied.nodes(sample), node_type.nodes(sample), f"{name}: gives other nodes after pickling")
        assert fitted.nodes(sample) is not None, f"{name}: gives no nodes after fitting"


def _check_augmentation(name: str, node_type: NodeType, held: Sequence[Sample]) -> None:
    for sample in held:
        before = copy.deepcopy(node_type.nodes(sample))  # nodes may share memory with the signal
        with unchanged_globals(f"{name}, augmenting"):
            once, again = (
                node_type.nodes(node_type.augment(sample, torch.Generator().manual_seed(7))) for _ in range(2)
            )
        assert once is not None, f"{name}: augmenting removes all nodes of {sample.id!r}"
        assert_same(node_type.nodes(sample), before, f"{name}: augmenting changes the sample {sample.id!r} itself")
        if not node_type.augments:
            assert_same(once, before, f"{name}: augmenting changes {sample.id!r}, although `augments` is False")
        assert_same(again, once, f"{name}: generators of the same state augment {sample.id!r} differently")


def _check_encoder(name: str, node_type: NodeType, samples: Sequence[Sample], held: Sequence[Sample], dim: int) -> None:
    encoder = make_seeded(lambda: node_type.encoder(dim))
    assert isinstance(encoder, NodeEncoder), f"{name}: its encoder is a {type(encoder).__name__}, not a NodeEncoder"
    check_seed(name, lambda: node_type.encoder(dim))
    builder = GraphBuilder([node_type], extra="ignore")
    subject = probe(
        name, make_seeded(lambda: OfOneType(node_type, dim, node_type.encoder(dim))), builder, graph_id=one_per_node
    )
    states = subject(widened(builder(samples, empty=True)))
    assert states.shape[1:] == (dim,), f"{name}: found states of shape {list(states.shape)}, expected [nodes, {dim}]"
    check_defined(subject, samples)
    check_batches(subject, samples)
    _check_parts(subject, held)
    check_parameters(subject, held)


def _check_summary(name: str, node_type: NodeType, samples: Sequence[Sample]) -> None:
    summary = node_type.summary()
    if summary is None:
        return
    where = f"{name}, its summary"
    assert isinstance(summary, NodeSummary), f"{name}: its summary is a {type(summary).__name__}, not a NodeSummary"
    learned = [parameter for parameter, _ in summary.named_parameters()]
    assert not learned, f"{where}: found parameter {learned[0]!r}, expected none: nothing in it is learned"
    check_seed(where, node_type.summary)  # type: ignore[arg-type]
    module = OfOneType(node_type, summary.width, summary)
    subject = probe(where, module, GraphBuilder([node_type], extra="ignore"))
    check_defined(subject, samples)
    check_batches(subject, samples)
    batch = widened(subject.builder(samples, empty=True))
    found, absent = subject(batch), batch.layout[node_type.name].offsets.diff() == 0
    width = list(found.shape[1:])
    assert width == [summary.width], f"{where}: found numbers of shape {width}, expected [{summary.width}], its width"
    assert not found[absent].any(), f"{where}: found numbers for a sample without nodes, expected zeros"
    assert found[~absent].any(), f"{where}: found zeros for all samples with nodes"


def _check_parts(subject: Probe, held: Sequence[Sample]) -> None:
    """Without the first node of every sample, the encoder gives the others the same states, or raises ValueError."""
    batch = widened(subject.builder(held, empty=True))
    (layout,) = batch.layout.values()
    others = layout.index > 0
    part = batch.keep(nodes=others)
    if next(iter(part.layout.values())).place is None:
        return
    try:
        found = subject(part).detach()
    except ValueError:
        return
    message = "gives other states to a node if others are left out; it should raise ValueError if layout.place is"
    assert_close(found, subject(batch).detach()[others], f"{subject.name}: its encoder {message} given")
