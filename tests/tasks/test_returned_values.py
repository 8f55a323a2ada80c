"""What models and objectives of one's own return wrongly is named, with its owner, when it is returned."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import Concat, FusionModel
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder
from gnnfuse.nodes import NodeType, TextTokens
from gnnfuse.readout import Fused
from gnnfuse.sample import Sample
from gnnfuse.tasks import BatchObjective, Classification, CrossEntropy, EachModality, Objective, Step

pytestmark = pytest.mark.usefixtures("unchecked")


def builder() -> GraphBuilder:
    return GraphBuilder([TextTokens()], target=ClassTarget(("no", "yes")))


def batch() -> GraphBatch:
    return builder()([Sample({"text": "a"}, target="no"), Sample({"text": "bc"}, target="yes")])


class Given(FusionModel):
    """Returns what it was given."""

    gives = frozenset({"parts"})

    def __init__(self, node_types: Sequence[NodeType], dim: int = 4, returned: Any = None) -> None:
        super().__init__(node_types, dim)
        self.returned = returned

    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        found: Fused = self.returned
        return found


class Returning(Objective):
    """Its value is what it was given."""

    name = "own"

    def __init__(self, value: Any, viewed: Any = None) -> None:
        super().__init__()
        self.value, self.viewed = value, viewed

    def view(self, batch: GraphBatch, builder: GraphBuilder, generators: Sequence[torch.Generator]) -> Any:
        return self.viewed

    def forward(self, step: Step) -> Tensor:
        found: Tensor = self.value
        return found


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (torch.zeros(2, 4), "Given.fuse: found a Tensor, expected Fused"),
        (Fused(torch.zeros(2, 3)), r"Given.fuse: found vectors \[2, 3\], expected \[2, 4\]"),
        (Fused(torch.zeros(2, 4)), "Given.fuse: found no parts, expected some, as Given.gives names them"),
    ],
)
def test_models(returned: object, message: str) -> None:
    model = Given(builder().node_types, returned=returned)
    with pytest.raises(ValueError, match=message):
        model(batch())
    task = Classification(model, builder(), objectives=[CrossEntropy(), EachModality(CrossEntropy())])
    with pytest.raises(ValueError, match=message):
        task.step(batch())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(2), r"objective 'own': found a tensor \[2\], expected a tensor of one number"),
        (None, "objective 'own': found a NoneType, expected a tensor of one number"),
        (0.5, "objective 'own': found a float, expected a tensor of one number"),
    ],
)
def test_values_of_objectives_and_losses_of_models(value: Any, message: str) -> None:
    task = Classification(Concat.of(builder(), dim=4, depth=1), builder(), objectives=[Returning(value)])
    step = task.step(batch())
    with pytest.raises(ValueError, match=message):
        task.losses(step)
    task = Classification(Concat.of(builder(), dim=4, depth=1), builder())
    step = step._replace(fused=step.fused._replace(losses={"mine": value}))
    with pytest.raises(ValueError, match=message.replace("objective 'own'", "loss 'mine' of the model")):
        task.losses(step)


def test_views() -> None:
    task = Classification(Concat.of(builder(), dim=4, depth=1), builder(), objectives=[Returning(torch.zeros(()), {})])
    with pytest.raises(ValueError, match="objective 'own': found a view of type dict, expected a GraphBatch"):
        task.step(batch())


class OfTheBatch(BatchObjective):
    name = "whole"

    def loss(self, fused: Fused, target: Tensor) -> Tensor:
        return fused.vector.mean()


class Viewing(OfTheBatch):
    def view(self, batch: GraphBatch, builder: GraphBuilder, generators: Sequence[torch.Generator]) -> GraphBatch:
        return batch


class Forward(OfTheBatch):
    def forward(self, step: Step) -> Tensor:
        return step.fused.vector.mean()


class OfNodes(OfTheBatch):
    needs = frozenset({"nodes"})


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Viewing, "objective 'whole' over the whole batch has a view of its own, expected only a loss"),
        (Forward, "objective 'whole' over the whole batch has a forward of its own, expected only a loss"),
        (OfNodes, "objective 'whole' over the whole batch needs nodes, expected at most parts"),
    ],
)
def test_objectives_over_the_batch_that_cannot_be_gathered(objective: type[OfTheBatch], message: str) -> None:
    model = Concat.of(builder(), dim=4, depth=1)
    Classification(model, builder(), objectives=[OfTheBatch()])
    with pytest.raises(ValueError, match=message):
        Classification(model, builder(), objectives=[objective()])


def test_what_every_step_has_may_be_needed() -> None:
    class Asking(OfTheBatch):
        needs = frozenset({"target", "views"})

    Classification(Concat.of(builder(), dim=4, depth=1), builder(), objectives=[Asking()])


def test_one_class_is_no_choice() -> None:
    one = GraphBuilder([TextTokens()], target=ClassTarget(("no",)))
    with pytest.raises(ValueError, match="Classification: found one class, 'no', expected at least two"):
        Classification(Concat.of(one, dim=4, depth=1), one)
