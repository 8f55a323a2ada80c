"""Blend: several fitted tasks as one model, whose answer is the weighted mean of theirs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import Family, FusionModel, NodeEncoders
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import Backbone, EncodedNodes, Layout, NodeType, PretrainedNodes
from gnnfuse.readout.fused import Fused
from gnnfuse.tasks.check_number import check_number
from gnnfuse.tasks.task import Task

LEAST = 1e-4  # smaller probabilities count as this in a mean of logarithms: no member is that certain


class Blend(FusionModel):
    """The weighted mean of the answers of several fitted tasks, its members.

    For classes and labels the mean is over probabilities, or over their logarithms (`logarithmic`); the logarithms of
    the result (for labels: logits) are then divided by a temperature. For numbers the mean is over the scaled outputs.
    The vector of a graph holds these outputs, so a task over a blend needs no other head than `VectorHead`. The blend
    runs each frozen encoder once per batch; members read its features (`EncodedNodes`). Source: Caruana,
    Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models" (2004).

    Args:
        node_types: what the blend reads; a member may read some of them.
        members: the tasks by name, of one kind and one target encoding.
        weights: the share of each member, scaled so that they sum to 1; a member of weight 0 only gives vectors.
        logarithmic: take the mean over log-probabilities (labels: logits), a product of experts (Hinton, "Training
            products of experts by minimizing contrastive divergence", 2002): evidence of different signals adds up.
        temperature: divides log-probabilities; above 1 makes answers less sure (Guo et al., "On calibration of modern
            neural networks", 2017). Numbers have none.

    Raises:
        ValueError: no members, members of different kinds or targets, a negative weight, weights of 0 only or for
            other members, a temperature that is not above 0, or logarithms of numbers.

    Example:
        >>> from gnnfuse.fusion import Unimodal
        >>> from gnnfuse.graph import ClassTarget
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.sample import Sample
        >>> from gnnfuse.tasks import Classification, VectorHead
        >>> builder = GraphBuilder([TextTokens()], target=ClassTarget(("no", "yes")))
        >>> tasks = {str(dim): Classification(Unimodal.of(builder, dim=dim, depth=1), builder) for dim in (8, 16)}
        >>> blend = Blend(builder.node_types, tasks, weights={"8": 1, "16": 3})
        >>> task = Classification(blend, builder, head=VectorHead())
        >>> sum(task.predict(Sample({"text": "a"}))[0].scores.values()).__round__(4)
        1.0
    """

    family: ClassVar[Family] = "blend"
    sees_edges: ClassVar[bool] = True

    def __init__(
        self,
        node_types: Sequence[NodeType],
        members: Mapping[str, Task],
        *,
        weights: Mapping[str, float],
        logarithmic: bool = False,
        temperature: float = 1.0,
    ) -> None:
        size = _checked(members, weights)
        if logarithmic and not next(iter(members.values())).gives_probabilities:
            raise ValueError("Blend: found logarithmic for members without probabilities, expected classes or labels")
        check_number("Blend", "temperature", temperature, "above 0", above=0)
        super().__init__(node_types, size, encoders=_backbones(node_types, members.values()))
        self.members = nn.ModuleDict(members)
        self.weights = dict(weights)
        self.logarithmic = logarithmic
        self.temperature = temperature

    def fuse(self, states: Mapping[str, Float[Tensor, "_ width"]], batch: GraphBatch) -> Fused:
        """The features of frozen encoders in; the blended outputs out."""
        return Fused(self.outputs(self.answers(states, batch)))

    def outputs(self, answers: Mapping[str, Float[Tensor, "graphs outputs"]]) -> Float[Tensor, "graphs outputs"]:
        """The blended outputs for answers of the members that have a weight."""
        first = self.member(next(iter(self.members)))
        given = {name: answers[name] for name, weight in self.weights.items() if weight}
        found = blended(first, given, self.weights, logarithmic=self.logarithmic)
        return found if self.temperature == 1 else found / self.temperature

    def answers(self, states: Mapping[str, Tensor], batch: GraphBatch) -> dict[str, Float[Tensor, "graphs outputs"]]:
        """The answer of each member with a weight, as `Task.blendable` gives it."""
        found = {}
        for name in self.members:
            member = self.member(name)
            if self.weights[name]:
                found[name] = member.blendable(member(_encoded(batch, states, member)).float())
        return found

    def member(self, name: str) -> Task:
        """The member of this name."""
        found = self.members[name]
        assert isinstance(found, Task)
        return found

    def vectors(self, batch: GraphBatch) -> Float[Tensor, "graphs size"]:
        """The fused vectors of the first member."""
        member = self.member(next(iter(self.members)))
        return member.model.vectors(_encoded(batch, self.encoders(batch), member))

    @property
    def vector_size(self) -> int:
        """The size of the first member's vectors."""
        return self.member(next(iter(self.members))).model.vector_size

    @classmethod
    def made_from(cls, builder: GraphBuilder) -> Mapping[str, Any]:
        """The builder's node types."""
        return {"node_types": builder.node_types}

    def check_fits(self, builder: GraphBuilder) -> None:
        """Refuse a builder whose batches a member cannot read.

        Raises:
            ValueError: a member reads a node type that the builder lacks.
        """
        read = {t.name for name in self.members for t in self.member(name).model.node_types}
        if lacking := sorted(read - {t.name for t in builder.node_types}):
            raise ValueError(f"Blend: found no node type {lacking[0]!r} in the builder, which a member reads")


def blended(
    task: Task, answers: Mapping[str, Tensor], weights: Mapping[str, float], *, logarithmic: bool
) -> Float[Tensor, "graphs outputs"]:
    """The outputs that stand for a weighted mean of answers.

    Args:
        task: one of the members.
        answers: `[graphs, outputs]` by member, as `Task.blendable` gives them.
        weights: by member; those of members without an answer do not count.
        logarithmic: as in `Blend`.
    """
    total = sum(weights[name] for name in answers)
    given = logarithms(task, answers) if logarithmic else answers
    mean = torch.stack([each * (weights[name] / total) for name, each in given.items()]).sum(0)
    return mean if logarithmic else task.unblended(mean)


def logarithms(task: Task, answers: Mapping[str, Tensor]) -> dict[str, Float[Tensor, "graphs outputs"]]:
    """The log-probabilities (labels: logits) by member; a probability counts as at least 1e-4.

    Args:
        task: one of the members.
        answers: `[graphs, outputs]` by member, as `Task.blendable` gives them.
    """
    return {name: task.unblended(each.clamp(LEAST, 1 - LEAST)) for name, each in answers.items()}


def _backbones(node_types: Sequence[NodeType], members: Iterable[Task]) -> NodeEncoders:
    """The backbones of the node types whose features a member reads, each run once per batch."""
    read = {t.name for member in members for t in member.model.node_types if isinstance(t, EncodedNodes)}
    frozen = [t for t in node_types if isinstance(t, PretrainedNodes) and t.name in read]
    return NodeEncoders(frozen, 1, modules={t.name: _Frozen(t.backbone()) for t in frozen})


class _Frozen(nn.Module):
    """A backbone, always in evaluation mode and without gradients, under the name that it has in an encoder."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()

    def forward(self, values: Tensor, layout: Layout) -> Float[Tensor, "nodes width"]:
        """Slices in, features out."""
        with torch.no_grad():
            features: Tensor = self.backbone(values, layout)
        return features

    def train(self, mode: bool = True) -> "_Frozen":
        """Stay in evaluation mode."""
        return super().train(False)


def _encoded(batch: GraphBatch, features: Mapping[str, Tensor], member: Task) -> GraphBatch:
    """The batch as a member reads it: with features for the node types whose encoder it does not run."""
    own = {t.name: features[t.name] for t in member.model.node_types if isinstance(t, EncodedNodes)}
    return replace(batch, values={**batch.values, **own})


def _checked(members: Mapping[str, Task], weights: Mapping[str, float]) -> int:
    """Refuse members or weights that cannot be blended; returns the number of outputs per member."""
    if not members or members.keys() != weights.keys():
        raise ValueError(
            f"Blend: found weights for {', '.join(weights) or 'none'}, expected one per member ({', '.join(members)})"
        )
    for name, weight in weights.items():
        check_number("Blend", f"weights[{name!r}]", weight, "0 or more", least=0)
    if not sum(weights.values()) > 0:
        raise ValueError("Blend: found weights of 0 only, expected one above 0")
    name, first = next(iter(members.items()))
    for other, task in members.items():
        if type(task) is not type(first) or task.builder.target != first.builder.target or first.num_outputs is None:
            raise ValueError(
                f"Blend: found member {other!r}, a {type(task).__name__} for {task.builder.target}, expected the kind "
                f"and target of {name!r}, a {type(first).__name__} for {first.builder.target}"
            )
    assert first.num_outputs is not None
    return first.num_outputs
