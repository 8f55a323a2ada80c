"""Checks for everything that takes batches: layers, readouts, models and tasks."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, GraphBuilder, Ragged
from gnnfuse.nodes import NodeEncoder, NodeSet, NodeType
from gnnfuse.sample import Sample
from gnnfuse.testing.global_state import poisoned_memory, unchanged_globals
from gnnfuse.testing.parameters import check_gradients, check_registered

ROUNDINGS = 4096  # roundings of float64 by which two computations of one number may differ


def one_per_graph(batch: GraphBatch) -> Tensor:
    """The graph of each row, for outputs with one row per graph."""
    return torch.arange(batch.num_graphs)


def one_per_node(batch: GraphBatch) -> Tensor:
    """The graph of each row, for outputs with one row per node."""
    return batch.graph_id


@dataclass(frozen=True)
class Probe:
    """A module that takes batches, and the graph of each row of its output.

    Args:
        name: for messages.
        module: called with a batch.
        tested: the submodule whose parameters are checked.
        builder: makes the batches.
        graph_id: the graph of each row of the output; a row per graph by default.
    """

    name: str
    module: nn.Module
    tested: nn.Module
    builder: GraphBuilder
    graph_id: Callable[[GraphBatch], Tensor] = one_per_graph

    def __call__(self, batch: GraphBatch) -> Tensor:
        """The output, checked for its number of rows and for finite numbers.

        Raises:
            AssertionError: a check or the module fails.
        """
        try:
            output: Tensor = self.module(batch)
        except (RuntimeError, TypeError, AttributeError) as error:
            wide = "dtype" in str(error) or "Double" in str(error)
            hint = " (checks run in float64: convert to a parameter's dtype, not to float32)" if wide else ""
            raise AssertionError(f"{self.name}: {type(error).__name__}: {error}{hint}") from error
        rows = len(self.graph_id(batch))
        assert output.shape[:1] == (rows,), f"{self.name}: found shape {list(output.shape)}, expected {rows} rows"
        assert bool(output.isfinite().all()), f"{self.name}: found NaN or infinity in the output"
        return output

    def rows(self, samples: Sequence[Sample]) -> list[Tensor]:
        """The output for each sample of a batch."""
        batch = widened(self.builder(samples, empty=True))
        output, graph_id = self(batch).detach(), self.graph_id(batch)
        return [output[graph_id == graph] for graph in range(len(batch))]


def probe(
    name: str,
    module: nn.Module,
    builder: GraphBuilder,
    *,
    tested: str = "",
    graph_id: Callable[[GraphBatch], Tensor] = one_per_graph,
) -> Probe:
    """A copy in float64 and evaluation mode, with random noise on every parameter, all of which must be registered.

    The noise moves parameters off special values (gates of 0, biases of 0) at which a mistake would not show.

    Raises:
        AssertionError: a parameter is not registered.
    """
    check_registered(name, module.get_submodule(tested))
    module = copy.deepcopy(module).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return Probe(name, module, module.get_submodule(tested), builder, graph_id)


def widened(batch: GraphBatch) -> GraphBatch:
    """The same batch with values, positions and times in float64."""

    def wide(tensor: Tensor | None) -> Tensor | None:
        return tensor.double() if tensor is not None and tensor.is_floating_point() else tensor

    values = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in batch.values.items()}
    layout = {
        name: replace(found, position=wide(found.position), time=wide(found.time))
        for name, found in batch.layout.items()
    }
    target = batch.target if isinstance(batch.target, Ragged) else wide(batch.target)
    return replace(batch, values=values, layout=layout, target=target)


def assert_close(found: Tensor, expected: Tensor, message: str) -> None:
    """Refuse tensors that differ by more than rounding in float64."""
    assert found.shape == expected.shape, f"{message}: found shape {list(found.shape)}, not {list(expected.shape)}"
    if found.numel() == 0:
        return
    bound = ROUNDINGS * torch.finfo(torch.float64).eps * max(1.0, float(expected.abs().max()))
    difference = float((found - expected).abs().max())
    assert difference <= bound, f"{message}: off by {difference:.2g}, more than rounding ({bound:.2g})"


def check_batches(subject: Probe, samples: Sequence[Sample]) -> None:
    """A sample gets the same output in a batch as alone, and the order of samples does not matter."""
    together = subject.rows(samples)
    for sample, row in zip(samples, together, strict=True):
        alone = subject.rows([sample])[0]
        assert_close(
            row, alone, f"{subject.name}: the output of {sample.id!r} differs between a batch and the sample alone"
        )
    backwards = subject.rows(list(reversed(samples)))
    for sample, row, other in zip(samples, together, reversed(backwards), strict=True):
        assert_close(other, row, f"{subject.name}: the output of {sample.id!r} depends on the order of samples")
    for sample, row in zip(samples, together, strict=True):
        renamed = Sample(dict(reversed(list(sample.signals.items()))), sample.target, sample.id)
        message = f"{subject.name}: the output of {sample.id!r} depends on the order of its signals"
        assert_close(subject.rows([renamed])[0], row, message)


def check_parameters(subject: Probe, samples: Sequence[Sample]) -> None:
    """Every parameter gets a gradient, even if a modality is absent from the whole batch."""
    batch = widened(subject.builder(samples, empty=True))
    check_gradients(subject.name, subject.tested, lambda: subject(batch))
    signals = sorted({t.signal for t in subject.builder.node_types if t.signal is not None})
    for absent in [*([signal] for signal in signals), signals]:
        lacking = widened(subject.builder([without_signals(sample, absent) for sample in samples[:2]], empty=True))
        name = f"{subject.name}, in a batch without {' and '.join(absent)}"
        check_gradients(name, subject.tested, lambda batch=lacking: subject(batch), nonzero=False)  # type: ignore[misc]


def check_defined(subject: Probe, samples: Sequence[Sample]) -> None:
    """Two calls give the same bits, also in poisoned memory: with edges, without, and for samples without nodes."""
    batch, nothing = (widened(subject.builder(some, empty=True)) for some in (samples, [Sample({}), Sample({})]))
    cases = {
        "": batch,
        ", without edges": batch.without_edges(),
        ", without signals": nothing,
        ", one graph without nodes": widened(_where_read(subject.builder)([samples[0], Sample({})], empty=True)),
    }
    for what, case in cases.items():
        with torch.no_grad(), unchanged_globals(f"{subject.name}{what}"):
            first, second = subject(case), subject(case)
        with torch.no_grad(), poisoned_memory():
            poisoned = replace(subject, name=f"{subject.name}{what}, memory poisoned with NaN")(case)
        assert torch.equal(first, second), f"{subject.name}{what}: the same batch gives different outputs"
        assert torch.equal(first, poisoned), f"{subject.name}{what}: the output depends on unwritten memory"


class StandIn(NodeType):
    """A node type of another class with the same promises, which rules must treat alike.

    Args:
        of: the type that it stands for.
        where_read: leave its nodes (hubs) out of samples without signals.
    """

    def __init__(self, of: NodeType, *, where_read: bool = False) -> None:
        self.of, self.where_read = of, where_read
        self.name, self.signal, self.provides = of.name, of.signal, of.provides

    def empty(self) -> NodeSet:
        """As the other's."""
        return self.of.empty()

    def nodes(self, sample: Sample) -> NodeSet | None:
        """As the other's."""
        return None if self.where_read and not sample.signals else self.of.nodes(sample)

    def encoder(self, dim: int) -> NodeEncoder:
        """As the other's."""
        return self.of.encoder(dim)


def _where_read(builder: GraphBuilder) -> GraphBuilder:
    """The same builder, except that a sample without signals has no nodes."""
    node_types = [each if each.signal is not None else StandIn(each, where_read=True) for each in builder.node_types]
    return GraphBuilder(node_types, builder.edge_rules, extra=builder.extra)


def check_seed(name: str, make: Callable[[], nn.Module]) -> None:
    """The same seed makes the same parameters."""
    states = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            states.append(make().state_dict())
    first, second = states
    assert first.keys() == second.keys(), f"{name}: a second instance has parameters of other names"
    for key, tensor in first.items():
        assert torch.equal(tensor, second[key]), f"{name}: the same seed gives other values of {key}"


def without_signals(sample: Sample, absent: Sequence[str]) -> Sample:
    """The sample without some of its signals."""
    signals = {name: signal for name, signal in sample.signals.items() if name not in absent}
    return Sample(signals, sample.target, sample.id)


def make_seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """The result of `make` with seed 0; the caller's random state is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()
