"""A short way around PyTorch's operators for plain tensors.

An operator of `torch.library` is what a compiler, a transform of functions or a counting mode must see. In an eager
call its machinery takes longer than many a kernel: 0.3 ms forward and 0.4 ms backward for one with fourteen tensors.
Where nobody looks, an autograd function around the same two functions does the same in a tenth of that.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._library.custom_ops import CustomOpDef

Keep = Callable[[Any, tuple[Any, ...], Any], None]
"""What `register_autograd` takes as setup_context: context, inputs, output."""

Differentiate = Callable[..., tuple[Any, ...]]
"""The gradients of the inputs, from context, the backward function to run, and the gradients of the outputs."""


class Kept:
    """What the forward pass leaves for the backward pass: an autograd context by another name.

    Attributes:
        saved_tensors: what was saved; there in the backward pass only.
        needs_input_grad: per input whether its gradient is wanted, a tuple for a list of tensors; likewise.
    """

    saved_tensors: tuple[Tensor | None, ...]
    needs_input_grad: tuple[Any, ...]

    def __init__(self) -> None:
        self.saved: tuple[Tensor | None, ...] = ()
        self.fixed: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors."""
        self.saved = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Outputs that have no gradient."""
        self.fixed = tensors


def register(
    forward: CustomOpDef, backward: CustomOpDef, keep: Keep, differentiate: Differentiate, refusal: str
) -> Callable[..., Any]:
    """Register the derivative of an operator, and give what calls it the shorter way where it can.

    Args:
        forward: the operator.
        backward: the operator that its derivative calls.
        keep: keeps what the derivative needs.
        differentiate: the derivative; calls what it is given in place of `backward`.
        refusal: what a second derivative raises.
    """
    forward.register_autograd(lambda ctx, *grads: differentiate(ctx, backward, *grads), setup_context=keep)

    def refuse(ctx: Any, *grads: Any) -> None:
        raise RuntimeError(refusal)

    backward.register_autograd(refuse)
    compute, compute_backward = forward._init_fn, backward._init_fn
    gives_list = returns_list(forward)

    class ShortWay(torch.autograd.Function):
        """The operator for plain tensors, whose lists of tensors come flat."""

        @staticmethod
        def forward(ctx: Any, lengths: tuple[int, ...], *flat: Any) -> Any:
            """Call and keep."""
            inputs, kept = nested(lengths, flat), Kept()
            outputs = compute(*inputs)
            keep(kept, inputs, outputs)
            ctx.save_for_backward(*kept.saved)
            ctx.mark_non_differentiable(*kept.fixed)
            ctx.set_materialize_grads(gives_list)  # no zeros in place of gradients that nobody looks at
            kept.saved = kept.fixed = ()
            ctx.lengths, ctx.kept = lengths, kept
            return tuple(outputs) if gives_list else outputs

        @staticmethod
        def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
            """The operator's derivative, through the operator where a second one is asked for: it refuses."""
            if all(grad is None for grad in grads):
                return None, *[None for length in ctx.lengths for _ in range(abs(length))]
            seen = Kept()
            seen.__dict__ |= ctx.kept.__dict__
            seen.saved_tensors = ctx.saved_tensors
            seen.needs_input_grad = nested(ctx.lengths, ctx.needs_input_grad[1:])
            run = backward if torch.is_grad_enabled() else compute_backward
            given = (list(grads),) if gives_list else grads
            return None, *flat_of(differentiate(seen, run, *given), ctx.lengths)

    def call(*inputs: Any) -> Any:
        lengths = tuple(len(one) if is_list(one) else -1 for one in inputs)
        flat = flat_of(inputs, lengths)
        tensors = [one for one in flat if isinstance(one, Tensor)]
        if needs_operator(tensors):
            return forward(*inputs)
        if not needs_derivative(tensors):
            return compute(*inputs)
        return apply(ShortWay, lengths, *flat)

    return call


def returns_list(operator: CustomOpDef) -> bool:
    """Whether its result is one list of tensors, whose gradients come as one list too."""
    returned = operator._opoverload._schema.returns
    return len(returned) == 1 and str(returned[0].type) == "List[Tensor]"


def is_list(value: Any) -> bool:
    """Whether an operator sees a list of tensors."""
    return isinstance(value, list) and any(isinstance(one, Tensor) for one in value)


def flat_of(inputs: Sequence[Any], lengths: Sequence[int]) -> list[Any]:
    """The entries of lists among the others; None for each where a list is absent."""
    flat: list[Any] = []
    for value, length in zip(inputs, lengths, strict=True):
        flat += [value] if length < 0 else [None] * length if value is None else list(value)
    return flat


def nested(lengths: Sequence[int], flat: Sequence[Any]) -> tuple[Any, ...]:
    """What `flat_of` took apart."""
    found, place = [], 0
    for length in lengths:
        found.append(flat[place] if length < 0 else list(flat[place : place + length]))
        place += abs(length)
    return tuple(found)


def apply(function: type[torch.autograd.Function], *inputs: object) -> Any:
    """As `function.apply`, without its look at transforms of functions, which `needs_operator` has taken."""
    return super(torch.autograd.Function, function).apply(*inputs)  # type: ignore[misc]


def needs_operator(tensors: Sequence[Tensor]) -> bool:
    """Whether more than plain tensors pass here: a compiler, a tracer, a transform, a mode that watches."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0:
        return True
    if torch._C._are_functorch_transforms_active() or torch._C._get_tracing_state() is not None:
        return True
    return any(type(tensor) not in (Tensor, torch.nn.Parameter) for tensor in tensors)


def needs_derivative(tensors: Sequence[Tensor]) -> bool:
    """Whether autograd wants to know; an autograd function refuses the forward mode, which an operator overlooks."""
    follows = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return follows or torch.autograd.forward_ad._current_level >= 0
