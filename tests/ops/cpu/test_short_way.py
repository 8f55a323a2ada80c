"""The short way gives what the operator gives, and is left where somebody must see the operator."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gnnfuse.ops.cpu.short_way import register


@torch.library.custom_op("gnnfuse_test::scaled", mutates_args=())
def scaled(value: Tensor, weights: Sequence[Tensor], absent: Tensor | None, factor: float) -> list[Tensor]:
    return [factor * value * weight for weight in weights]


@torch.library.custom_op("gnnfuse_test::scaled_backward", mutates_args=())
def scaled_backward(
    grads: Sequence[Tensor], value: Tensor, weights: Sequence[Tensor], factor: float
) -> list[Tensor]:  # fmt: skip
    of_value = sum((factor * grad * weight for grad, weight in zip(grads, weights, strict=True)), torch.zeros(3))
    return [of_value, *(factor * grad * value for grad in grads)]


def keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    value, weights, _, ctx.factor = inputs
    ctx.save_for_backward(value, *weights)


def differentiate(ctx: Any, run: Any, grads: list[Tensor]) -> tuple[Any, ...]:
    value, *weights = ctx.saved_tensors
    of_value, *of_weights = run(grads, value, weights, ctx.factor)
    wanted = [grad if need else None for grad, need in zip(of_weights, ctx.needs_input_grad[1], strict=True)]
    return of_value if ctx.needs_input_grad[0] else None, wanted, None, None


call = register(scaled, scaled_backward, keep, differentiate, "no second derivative of scaled")


def inputs() -> tuple[Tensor, list[Tensor]]:
    value = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    return value, [torch.full((3,), 2.0), torch.full((3,), 5.0, requires_grad=True)]


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_values_and_gradients_on_paper_and_as_the_operator() -> None:
    value, weights = inputs()
    outs = call(value, weights, None, 10.0)
    assert [out.tolist() for out in outs] == [[20.0, 40.0, 60.0], [50.0, 100.0, 150.0]]
    grads = torch.autograd.grad(outs[0].sum() + 2 * outs[1].sum(), [value, weights[1]])
    assert [grad.tolist() for grad in grads] == [[120.0] * 3, [20.0, 40.0, 60.0]]
    expected = scaled(value, weights, None, 10.0)
    again = torch.autograd.grad(expected[0].sum() + 2 * expected[1].sum(), [value, weights[1]])
    assert all(torch.equal(one, other) for one, other in zip(grads, again, strict=True))


def test_one_output_alone_is_differentiated() -> None:
    value, weights = inputs()
    (grad,) = torch.autograd.grad(call(value, weights, None, 1.0)[0].sum(), value)
    assert grad.tolist() == [2.0] * 3


def test_without_gradients_nothing_is_kept() -> None:
    value, weights = inputs()
    with torch.no_grad():
        assert all(out.grad_fn is None for out in call(value, weights, None, 1.0))
    assert all(out.grad_fn is None for out in call(value.detach(), weights[:1], None, 1.0))


def test_backward_twice_through_one_graph() -> None:
    value, weights = inputs()
    out = call(value, weights, None, 1.0)[1].sum()
    first, second = (torch.autograd.grad(out, value, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_a_second_derivative_is_refused() -> None:
    value, weights = inputs()
    (grad,) = torch.autograd.grad(call(value, weights, None, 1.0)[1].square().sum(), value, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative of scaled"):
        grad.sum().backward()  # type: ignore[no-untyped-call]


def test_forward_mode_is_refused_and_not_dropped() -> None:
    value, weights = inputs()
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(value.detach(), torch.ones(3))  # type: ignore[no-untyped-call]
        with pytest.raises(NotImplementedError, match="jvp"):
            call(dual, weights[:1], None, 1.0)


def test_a_mode_that_watches_sees_the_operator() -> None:
    value, weights = inputs()
    with Seen() as seen:
        call(value, weights, None, 1.0)
    assert seen.names == ["gnnfuse_test.scaled.default"]


def test_transforms_of_functions_see_the_operator() -> None:
    value, weights = inputs()
    with pytest.raises(RuntimeError):  # an operator without a rule says so; an autograd function would, too, but later
        torch.func.vmap(lambda one: call(one, weights, None, 1.0))(value[None])


def test_a_tracer_sees_the_operator() -> None:
    value, weights = inputs()
    traced = torch.jit.trace(lambda one: call(one, [weights[0]], None, 1.0)[0], (value.detach(),))  # type: ignore[no-untyped-call]
    assert "gnnfuse_test::scaled" in str(traced.graph)
