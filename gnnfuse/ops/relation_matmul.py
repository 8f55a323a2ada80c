"""Multiplies states by one matrix per relation and head; the rows are laid out as by `relation_rows`."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.ops.check_edges import check_tensor
from gnnfuse.ops.cpu.short_way import register

WIDEST = 1024  # heads times dim up to which all pairs of heads are multiplied


def relation_matmul(
    states: Float[Tensor, "nodes heads in_dim"],
    weight: Float[Tensor, "relations heads in_dim out_dim"],
    spans: Sequence[tuple[int, int]],
) -> Float[Tensor, "rows heads out_dim"]:
    r"""One row per (relation, source node): the node's state times the relation's matrix, head by head.

    $$ o_{(r, j), h} = x_{j, h} W_{r, h} \quad \text{for every } j \in \text{start}_r : \text{stop}_r $$

    Each product is written directly to its rows: nothing is gathered, concatenated or copied. Under autocast it
    computes in autocast's dtype, as `torch.matmul` does. It has first derivatives only.

    Args:
        states: `[nodes, heads, in_dim]`.
        weight: `[relations, heads, in_dim, out_dim]`.
        spans: per relation (start, stop), as for `relation_rows`; empty for a relation that needs no row.

    Raises:
        ValueError: shapes, dtypes or devices do not match, or a span is not inside the nodes.

    Example:
        >>> states, weight = torch.ones(3, 1, 2), torch.ones(2, 1, 2, 4)
        >>> relation_matmul(states, weight, [(0, 3), (1, 2)]).shape
        torch.Size([4, 1, 4])
    """
    kind = states.device.type
    autocast = kind != "meta" and torch.is_autocast_enabled(kind)
    if autocast and torch.float64 not in (states.dtype, weight.dtype):
        dtype = torch.get_autocast_dtype(kind)
        states, weight = states.to(dtype), weight.to(dtype)
    check_operands(states, weight)
    if len(spans) != len(weight):
        raise ValueError(f"spans must have one entry per relation, {len(weight)}; found {len(spans)}")
    wrong = [span for span in spans if not 0 <= span[0] <= span[1] <= len(states)]
    if wrong:
        raise ValueError(f"spans must be (start, stop) within 0..{len(states)}, found {wrong[0]}")
    out: Tensor = call(states, weight, [end for span in spans for end in span])
    return out


def check_operands(states: Tensor, weight: Tensor) -> None:
    """Raise ValueError unless the matrices fit the states."""
    if states.dim() != 3 or not states.is_floating_point():
        raise ValueError(f"states must be floating [nodes, heads, dim], found {states.dtype} {tuple(states.shape)}")
    if weight.dim() != 4 or weight.shape[1:3] != states.shape[1:] or weight.dtype != states.dtype:
        expected = f"{states.dtype} [relations, {states.shape[1]}, {states.shape[2]}, out_dim]"
        raise ValueError(f"weight must be {expected} to fit states, found {weight.dtype} {tuple(weight.shape)}")
    for name, tensor in (("states", states), ("weight", weight)):
        check_tensor(name, tensor, states.device)


@torch.library.custom_op("gnnfuse::relation_matmul", mutates_args=())
def forward(states: Tensor, weight: Tensor, spans: Sequence[int]) -> Tensor:
    """The rows; `spans` are the pairs end to end."""
    rows = states.new_empty(count_rows(spans), weight.shape[1], weight.shape[3])
    begin = 0
    for relation, (start, stop) in enumerate(pairs(spans)):
        end = begin + stop - start
        torch.bmm(states[start:stop].transpose(0, 1), weight[relation], out=rows[begin:end].transpose(0, 1))
        begin = end
    return rows


@forward.register_fake
def forward_fake(states: Tensor, weight: Tensor, spans: Sequence[int]) -> Tensor:
    """Shape and dtype of `forward`'s result."""
    return states.new_empty(count_rows(spans), weight.shape[1], weight.shape[3])


@torch.library.custom_op("gnnfuse::relation_matmul_backward", mutates_args=())
def backward(grad: Tensor, states: Tensor, weight: Tensor, spans: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Gradients of the states, summed over relations, and of the matrices."""
    grad_states = torch.zeros(states.shape, dtype=states.dtype, device=states.device)
    grad_weight = torch.empty(weight.shape, dtype=weight.dtype, device=weight.device)
    begin = 0
    for relation, (start, stop) in enumerate(pairs(spans)):
        end = begin + stop - start
        of_rows = grad[begin:end].transpose(0, 1)
        grad_states[start:stop].transpose(0, 1).baddbmm_(of_rows, weight[relation].transpose(1, 2))
        products_of_heads(states[start:stop], grad[begin:end], grad_weight[relation])
        begin = end
    return grad_states, grad_weight


def products_of_heads(states: Tensor, grad: Tensor, out: Tensor) -> None:
    """Write, head by head, the transposed states times the gradient into `out` `[heads, in_dim, out_dim]`.

    In 16 bits on CUDA, all pairs of heads are multiplied and the products of equal heads kept: one product of
    `[heads * in_dim, heads * out_dim]` is several times as fast as `heads` small ones over that many rows.
    """
    rows, heads, in_dim = states.shape
    width = max(heads * in_dim, heads * grad.shape[2])
    if states.device.type == "cuda" and states.itemsize == 2 and width <= WIDEST:
        pairs = torch.mm(states.reshape(rows, -1).T, grad.reshape(rows, -1))
        blocks = pairs.view(heads, in_dim, heads, -1).diagonal(dim1=0, dim2=2)
        out.copy_(blocks.permute(2, 0, 1))
    else:
        torch.bmm(states.permute(1, 2, 0), grad.transpose(0, 1), out=out)


@backward.register_fake
def backward_fake(grad: Tensor, states: Tensor, weight: Tensor, spans: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of `backward`'s results."""
    return states.new_empty(states.shape), weight.new_empty(weight.shape)


def count_rows(spans: Sequence[int]) -> int:
    """How many rows the spans have together."""
    return sum(stop - start for start, stop in pairs(spans))


def pairs(spans: Sequence[int]) -> list[tuple[int, int]]:
    """(start, stop) of every relation, from the numbers end to end."""
    return list(zip(spans[::2], spans[1::2], strict=True))


def keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Save the inputs, which are all that backward needs."""
    states, weight, ctx.spans = inputs
    ctx.save_for_backward(states, weight)


def call_backward(ctx: Any, run: Callable[..., tuple[Tensor, Tensor]], grad: Tensor) -> tuple[Tensor, Tensor, None]:
    """Both gradients."""
    grad_states, grad_weight = run(grad, *ctx.saved_tensors, ctx.spans)
    return grad_states, grad_weight, None


call = register(forward, backward, keep_for_backward, call_backward, "relation_matmul has no second derivative")
