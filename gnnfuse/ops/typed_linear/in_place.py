"""`typed_linear` as a PyTorch operator whose matrix products write directly to their results."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.cpu.new_memory import new_memory
from gnnfuse.ops.cpu.short_way import register


def typed_linear_in_place(
    values: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], counts: Sequence[int], parts: int
) -> list[Tensor]:
    """As the reference."""
    outs: Sequence[Tensor] = call(values, weights, biases, counts, parts)
    return list(outs)


@torch.library.custom_op("gnnfuse::typed_linear", mutates_args=())
def forward(
    values: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], counts: Sequence[int], parts: int
) -> list[Tensor]:
    """`parts` tensors `[rows, out_dim / parts]`."""
    outs = [new_memory(values, values.shape[0], weights[0].shape[0] // parts) for _ in range(parts)]
    for place, weight, bias in zip(places(counts), weights, biases, strict=True):
        for out, part_weight, part_bias in zip(outs, weight.chunk(parts), bias.chunk(parts), strict=True):
            torch.addmm(part_bias, values[place], part_weight.T, out=out[place])
    return outs


@forward.register_fake
def forward_fake(
    values: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], counts: Sequence[int], parts: int
) -> list[Tensor]:
    """Shapes and dtypes of `forward`'s results."""
    return [values.new_empty(values.shape[0], weights[0].shape[0] // parts) for _ in range(parts)]


@torch.library.custom_op("gnnfuse::typed_linear_backward", mutates_args=())
def backward(
    grads: Sequence[Tensor], values: Tensor, weights: Sequence[Tensor], counts: Sequence[int], needs: Sequence[bool]
) -> list[Tensor]:
    """Gradients of the values, then of every weight, then of every bias; empty where `needs` is False.

    `needs`: values, weights, biases.
    """
    needs_values, needs_weights, needs_biases = needs
    grad_values = new_memory(values, *values.shape) if needs_values else values.new_empty(0)
    grad_weights = [new_memory(weight, *weight.shape) if needs_weights else weight.new_empty(0) for weight in weights]
    grad_biases = [weight.new_empty(weight.shape[0] if needs_biases else 0) for weight in weights]
    for kind, (place, weight) in enumerate(zip(places(counts), weights, strict=True)):
        for part, grad in enumerate(grads):
            rows = slice(part * grad.shape[1], (part + 1) * grad.shape[1])
            if needs_values:
                beta = 1 if part else 0  # the first product overwrites what the memory held, NaN included
                torch.addmm(grad_values[place], grad[place], weight[rows], beta=beta, out=grad_values[place])
            if needs_weights:
                torch.mm(grad[place].T, values[place], out=grad_weights[kind][rows])
            if needs_biases:
                add_up(grad[place], grad_biases[kind][rows])
    return [grad_values, *grad_weights, *grad_biases]


def add_up(rows: Tensor, out: Tensor) -> None:
    """Write the sum of the rows into `out`; in 16 bits on CUDA as a matrix product, a seventh of the time of a sum."""
    if rows.device.type == "cuda" and rows.itemsize == 2:
        torch.mm(rows.new_ones(1, rows.shape[0]), rows, out=out[None])
    else:
        torch.sum(rows, 0, out=out)


@backward.register_fake
def backward_fake(
    grads: Sequence[Tensor], values: Tensor, weights: Sequence[Tensor], counts: Sequence[int], needs: Sequence[bool]
) -> list[Tensor]:
    """Shapes and dtypes of `backward`'s results."""
    needs_values, needs_weights, needs_biases = needs
    return [
        torch.empty_like(values) if needs_values else values.new_empty(0),
        *(torch.empty_like(weight) if needs_weights else weight.new_empty(0) for weight in weights),
        *(weight.new_empty(weight.shape[0] if needs_biases else 0) for weight in weights),
    ]


def places(counts: Sequence[int]) -> list[slice]:
    """Each type's slice of the rows."""
    found, start = [], 0
    for count in counts:
        found.append(slice(start, start + count))
        start += count
    return found


def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    """Save the values and the weights."""
    values, weights, _, ctx.counts, _ = inputs
    ctx.save_for_backward(values, *weights)


def call_backward(ctx: Any, run: Callable[..., list[Tensor]], grads: list[Tensor]) -> tuple[Any, ...]:
    """The gradients that are needed, None for the others."""
    values, *weights = ctx.saved_tensors
    needs_values, needs_weights, needs_biases = ctx.needs_input_grad[:3]
    needs = [needs_values, any(needs_weights), any(needs_biases)]
    grads = [grad.contiguous() for grad in grads]
    grad_values, *others = run(grads, values, weights, ctx.counts, needs)
    kinds = len(weights)
    return (
        grad_values if needs[0] else None,
        [grad if need else None for grad, need in zip(others[:kinds], needs_weights, strict=True)],
        [grad if need else None for grad, need in zip(others[kinds:], needs_biases, strict=True)],
        None,
        None,
    )


call = register(
    forward,
    backward,
    keep_for_backward,
    call_backward,
    "typed_linear(impl='in_place') has no second derivative; use impl='reference' for it",
)
