"""Huber's loss, by hand."""

import pytest
import torch

from gnnfuse.fusion import Unimodal
from gnnfuse.graph import GraphBuilder, NumberTarget
from gnnfuse.nodes import TextTokens
from gnnfuse.tasks import Huber, Regression, SquaredError


@pytest.mark.parametrize(("error", "expected"), [(0.0, 0.0), (-1.0, 0.5), (2.0, 2.0), (-5.0, 2.0 * (5.0 - 1.0))])
def test_squared_up_to_delta_and_straight_beyond(error: float, expected: float) -> None:
    found = Huber(delta=2.0).loss(torch.zeros(1, 1), torch.full((1, 1), error))
    assert float(found) == pytest.approx(expected)


def test_an_extreme_target_pulls_no_harder_than_one_off_by_delta() -> None:
    outputs = torch.zeros(2, 1, requires_grad=True)
    torch.autograd.backward(Huber(delta=0.5).loss(outputs, torch.tensor([[0.5], [1e6]])))
    assert outputs.grad is not None
    assert outputs.grad.flatten().tolist() == [-0.25, -0.25]


def test_epochs_are_judged_by_it_where_it_is_trained_on() -> None:
    builder = GraphBuilder([TextTokens()], target=NumberTarget())
    model = Unimodal(builder.node_types, dim=8, depth=1)
    assert isinstance(Regression(model, builder).judge, SquaredError)
    judge = Regression(model, builder, objectives=[Huber(0.3, weight=2.0)]).judge
    assert isinstance(judge, Huber)
    assert judge.delta == 0.3
