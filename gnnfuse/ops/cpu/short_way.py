"""A fast path around PyTorch's operators for plain tensors.

Compilers, function transforms and dispatch modes must see an operator of `torch.library`. In an eager call its overhead
exceeds the time of many kernels: 0.3 ms forward and 0.4 ms backward for an operator with fourteen tensors. When none of
them is active, an autograd function around the same two functions does the same in a tenth of that.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._library.custom_ops import CustomOpDef

Keep = Callable[[Any, tuple[Any, ...], Any], None]
"""The setup_context of `register_autograd`, from context, inputs and output."""

Differentiate = Callable[..., tuple[Any, ...]]
"""The gradients of the inputs, from context, the backward function to run, and the gradients of the outputs."""


class Kept:
    """The values that the forward pass keeps for the backward pass, in place of an autograd context.

    Attributes:
        saved_tensors: the saved tensors; set in the backward pass only.
        needs_input_grad: per input, whether its gradient is needed, a tuple for a list of tensors; likewise.
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
        """Mark outputs that have no gradient."""
        self.fixed = tensors


def register(
    forward: CustomOpDef, backward: CustomOpDef, keep: Keep, differentiate: Differentiate, refusal: str
) -> Callable[..., Any]:
    """Register the derivative of an operator, and return a function that calls it by the fast path if possible.

    Args:
        forward: the operator.
        backward: the operator that its derivative calls.
        keep: saves the derivative's inputs.
        differentiate: the derivative; calls the function that it receives in place of `backward`.
        refusal: the message of the RuntimeError for a second derivative.
    """
    forward.register_autograd(lambda ctx, *grads: differentiate(ctx, backward, *grads), setup_context=keep)

    def refuse(ctx: Any, *grads: Any) -> None:
        raise RuntimeError(refusal)

    backward.register_autograd(refuse)
    compute, compute_backward = forward._init_fn, backward._init_fn
    gives_list = returns_list(forward)

    class ShortWay(torch.autograd.Function):
        """The operator for plain tensors, with lists of tensors passed flat."""

        @staticmethod
        def forward(ctx: Any, lengths: tuple[int, ...], *flat: Any) -> Any:
            """Compute the outputs, and save the derivative's inputs."""
            inputs, kept = nested(lengths, flat), Kept()
            outputs = compute(*inputs)
            keep(kept, inputs, outputs)
            ctx.save_for_backward(*kept.saved)
            ctx.mark_non_differentiable(*kept.fixed)
            ctx.set_materialize_grads(gives_list)  # no zeros in place of unused gradients
            kept.saved = kept.fixed = ()
            ctx.lengths, ctx.kept = lengths, kept
            return tuple(outputs) if gives_list else outputs

        @staticmethod
        def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
            """The operator's derivative; through the operator, which refuses, if a second one is requested."""
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
    """Whether the operator's result is one list of tensors, whose gradients are one list too."""
    returned = operator._opoverload._schema.returns
    return len(returned) == 1 and str(returned[0].type) == "List[Tensor]"


def is_list(value: Any) -> bool:
    """Whether the value is a list of tensors to an operator."""
    return isinstance(value, list) and any(isinstance(one, Tensor) for one in value)


def flat_of(inputs: Sequence[Any], lengths: Sequence[int]) -> list[Any]:
    """The inputs with lists expanded; an absent list is as many None as it has entries."""
    flat: list[Any] = []
    for value, length in zip(inputs, lengths, strict=True):
        flat += [value] if length < 0 else [None] * length if value is None else list(value)
    return flat


def nested(lengths: Sequence[int], flat: Sequence[Any]) -> tuple[Any, ...]:
    """The inverse of `flat_of`."""
    found, place = [], 0
    for length in lengths:
        found.append(flat[place] if length < 0 else list(flat[place : place + length]))
        place += abs(length)
    return tuple(found)


def apply(function: type[torch.autograd.Function], *inputs: object) -> Any:
    """As `function.apply`, without its check for function transforms, which `needs_operator` has made."""
    return super(torch.autograd.Function, function).apply(*inputs)  # type: ignore[misc]


def needs_operator(tensors: Sequence[Tensor]) -> bool:
    """Whether something must see the operator: a compiler, tracer, transform, dispatch mode or tensor subclass."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0:
        return True
    if torch._C._are_functorch_transforms_active() or torch._C._get_tracing_state() is not None:
        return True
    return any(type(tensor) not in (Tensor, torch.nn.Parameter) for tensor in tensors)


def needs_derivative(tensors: Sequence[Tensor]) -> bool:
    """Whether autograd follows; in forward mode too, which an autograd function refuses and an operator ignores."""
    follows = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return follows or torch.autograd.forward_ad._current_level >= 0
