"""Broken node types and edge rules are caught."""

from collections.abc import Hashable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from gnnfuse.edges import EdgeRule
from gnnfuse.nodes import Features, Layout, MeanSummary, NodeEncoder, NodeSet, NodeSummary, NodeType, TextTokens
from gnnfuse.sample import Sample, read_rows
from gnnfuse.testing import check_edge_rule, check_node_type

SAMPLES = [
    Sample({"rows": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "other": 1}, id="two"),
    Sample({"rows": torch.tensor([[5.0, 1.0], [0.0, 2.0], [1.0, 1.0]])}, id="three"),
    Sample({"other": 2}, id="none"),
]


class Encoder(NodeEncoder):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2, dim)

    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        states: Tensor = self.linear(values)
        return states


class EncoderThatCentres(Encoder):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        return super().forward(values - values.mean(dim=0), layout) if len(values) else super().forward(values, layout)


class EncoderThatStopsEarly(Encoder):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        if len(values) == 0:
            return values.new_zeros(0, self.linear.out_features)
        return super().forward(values, layout)


class EncoderThatAddsUp(Encoder):
    """Each state is the sum of those before it in its sample."""

    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        states = super().forward(values, layout)
        return torch.cat([part.cumsum(dim=0) for part in torch.split(states, layout.offsets.diff().tolist())])


class EncoderThatRefusesParts(EncoderThatAddsUp):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        if layout.place is not None:
            raise ValueError("found signals without some of their nodes, expected whole ones")
        return super().forward(values, layout)


class EncoderOfAnotherLength(Encoder):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        return super().forward(values, layout)[:-1]


class SummaryThatCentres(MeanSummary):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        return super().forward(values - values.mean(dim=0) if len(values) else values, layout)


class SummaryThatLearns(MeanSummary):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.factor = nn.Parameter(torch.ones(width))


class SummaryOfTheAbsent(MeanSummary):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        return super().forward(values, layout) + 1


class SummaryOfAnotherWidth(MeanSummary):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        return super().forward(values, layout)[:, :1]


class SummaryOfNothing(MeanSummary):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        return super().forward(values * 0, layout)


@dataclass(frozen=True, kw_only=True)
class Rows(NodeType):
    """A correct node type, which the others break in one place."""

    name: str = "rows"
    signal: str = "rows"
    provides: frozenset[str] = field(default=frozenset({"order"}), init=False)
    encoder_class: type[NodeEncoder] = Encoder
    summary_class: type[NodeSummary] = MeanSummary

    def empty(self) -> NodeSet:
        return NodeSet(torch.zeros(0, 2), (0,))

    def nodes(self, sample: Sample) -> NodeSet | None:
        rows = read_rows(sample, self.signal)
        return None if rows is None else self.change(NodeSet(rows.values, (len(rows.values),)), sample)

    def encoder(self, dim: int) -> NodeEncoder:
        return self.encoder_class(dim)

    def summary(self) -> NodeSummary:
        return self.summary_class(2)

    def change(self, nodes: NodeSet, sample: Sample) -> NodeSet:
        return nodes


class PromisesTimes(Rows):
    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "provides", frozenset({"time"}))

    def empty(self) -> NodeSet:
        return NodeSet(torch.zeros(0, 2), (0,), time=torch.zeros(0, 2))


class ReadsAnotherSignal(Rows):
    def change(self, nodes: NodeSet, sample: Sample) -> NodeSet:
        return NodeSet(nodes.values + ("other" in sample.signals), nodes.shape)


class ReadsAtRandom(Rows):
    def change(self, nodes: NodeSet, sample: Sample) -> NodeSet:
        return NodeSet(nodes.values + torch.rand(1), nodes.shape)


class ZerosForTheAbsent(Rows):
    def nodes(self, sample: Sample) -> NodeSet | None:
        return super().nodes(sample) or NodeSet(torch.zeros(1, 2), (1,))


class AugmentsByTheGlobalSeed(Rows):
    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        return Sample({"rows": torch.rand(2, 2)})


class AugmentsInPlace(Rows):
    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        rows = sample.signals["rows"]
        assert isinstance(rows, Tensor)
        rows += 1.0
        return sample


class HoldsALambda(Rows):
    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "scale", lambda values: values)


class GivesAList(Rows):
    def change(self, nodes: NodeSet, sample: Sample) -> NodeSet:
        return NodeSet(nodes.values.tolist(), nodes.shape)  # type: ignore[arg-type]


class EncoderInFloat32(Encoder):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        return super().forward(values.float() / 255, layout)


BROKEN: list[tuple[NodeType, str]] = [
    (PromisesTimes(), "found no time, expected one"),
    (ReadsAnotherSignal(), "depend on other signals"),
    (ReadsAtRandom(), "changed torch's random state"),
    (ZerosForTheAbsent(), "found nodes without the signal 'rows'"),
    (AugmentsByTheGlobalSeed(), "changed torch's random state"),
    (AugmentsInPlace(), "changes the sample 'two' itself"),
    (HoldsALambda(), "cannot be pickled"),
    (Rows(encoder_class=EncoderInFloat32), "node type 'rows': RuntimeError.*checks run in float64: convert to a param"),
    (Rows(encoder_class=EncoderThatCentres), "between a batch and the sample alone"),
    (Rows(encoder_class=EncoderThatStopsEarly), "depends on no parameter|gets no gradient"),
    (Rows(encoder_class=EncoderOfAnotherLength), "expected 5 rows"),
    (Rows(summary_class=SummaryThatCentres), "summary: the output of 'two' differs between a batch"),
    (Rows(summary_class=SummaryThatLearns), "summary: found parameter 'factor', expected none"),
    (Rows(summary_class=SummaryOfTheAbsent), "summary: found numbers for a sample without nodes"),
    (Rows(summary_class=SummaryOfAnotherWidth), r"summary: found numbers of shape \[1\], expected \[2\]"),
    (Rows(summary_class=SummaryOfNothing), "summary: found zeros for all samples"),
    (Rows(encoder_class=EncoderThatAddsUp), "if others are left out; it should raise ValueError if layout.place"),
]


@pytest.mark.parametrize(("node_type", "message"), BROKEN, ids=lambda value: type(value).__name__)
def test_a_broken_node_type_is_caught(node_type: NodeType, message: str) -> None:
    copies = [
        Sample({n: s.clone() if isinstance(s, Tensor) else s for n, s in x.signals.items()}, id=x.id) for x in SAMPLES
    ]
    with pytest.raises(AssertionError, match=message):
        check_node_type(node_type, copies)


@pytest.mark.usefixtures("unchecked")
def test_values_that_are_no_tensor_are_caught() -> None:
    with pytest.raises(AssertionError, match=r"node type 'rows', 'two': values must be a torch.Tensor .*found a list"):
        check_node_type(GivesAList(), SAMPLES)


@pytest.mark.parametrize("encoder_class", [Encoder, EncoderThatRefusesParts])
def test_the_correct_node_type_passes(encoder_class: type[NodeEncoder]) -> None:
    check_node_type(Rows(encoder_class=encoder_class), SAMPLES)


@dataclass(frozen=True, kw_only=True)
class Chain(EdgeRule):
    """A correct rule, which the others break in one place."""

    name: str = "chain"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return src.name == dst.name and "order" in src.provides

    def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
        number = torch.arange(src.num_nodes)
        return torch.stack([number[:-1], number[1:]])


class AsksForTheClass(Chain):
    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return isinstance(src, TextTokens) and src.name == dst.name


class ComparesTheTypes(Chain):
    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return src is dst and "order" in src.provides


class RunsOver(Chain):
    def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
        number = torch.arange(src.num_nodes)
        return torch.stack([number, number + 1])


class JoinsAtRandom(Chain):
    def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
        return super().edges(src, dst)[:, : int(torch.randint(2, ()))]


class JoinsTwice(Chain):
    def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
        return super().edges(src, dst).repeat(1, 2)


class KeyThatSaysTooLittle(Chain):
    def key(self, src: NodeSet, dst: NodeSet) -> Hashable:
        return "always the same"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (AsksForTheClass(), "depends on the class"),
        (RunsOver(), "found a destination outside"),
        (JoinsAtRandom(), "changed torch's random state"),
        (JoinsTwice(), "joins two nodes twice"),
        (KeyThatSaysTooLittle(), "with the same key 'always the same' get different edges"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_broken_rule_is_caught(rule: EdgeRule, message: str) -> None:
    samples = [Sample({"text": "ab"}), Sample({"text": "abcd"})]
    with pytest.raises(AssertionError, match=message), torch.random.fork_rng(devices=[]):
        check_edge_rule(rule, [TextTokens(), Features(signal="rows", width=2)], samples)


def test_the_correct_rule_passes() -> None:
    for rule in (Chain(), ComparesTheTypes()):
        check_edge_rule(rule, [TextTokens()], [Sample({"text": "ab"}), Sample({})])
