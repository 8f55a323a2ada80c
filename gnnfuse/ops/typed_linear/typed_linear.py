"""Linear maps of rows ordered by type, with one map per type."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.ops.check_edges import check_tensor
from gnnfuse.ops.choose import check_runs
from gnnfuse.ops.typed_linear.in_place import typed_linear_in_place
from gnnfuse.ops.typed_linear.reference import typed_linear_reference

Impl = Literal["auto", "reference", "in_place"]


def typed_linear(
    values: Float[Tensor, "rows in_dim"],
    weights: Sequence[Float[Tensor, "out_dim in_dim"]],
    biases: Sequence[Float[Tensor, "out_dim"]],
    counts: Sequence[int],
    *,
    parts: int = 1,
    impl: Impl = "auto",
) -> tuple[Tensor, ...]:
    r"""Map every row by its type's weight and bias, $y_i = W_{t(i)} x_i + b_{t(i)}$, and cut the result into parts.

    An attention's query, key and value are the three parts of one map; each is a separate tensor, which an operator
    that gathers rows reads faster than a third of a wider one. Under `torch.autocast`, it computes in that dtype.

    Args:
        values: `[rows, in_dim]`: the first type's rows, then the second's, and so on.
        weights: per type `[out_dim, in_dim]`.
        biases: per type `[out_dim]`.
        counts: per type, its number of rows.
        parts: number of tensors of equal width into which the result is cut.
        impl: "reference" is plain PyTorch. "in_place" writes every matrix product directly to its result, forward and
            backward, so that nothing is concatenated; it has first derivatives only. "auto" chooses "in_place".

    Returns:
        `parts` tensors `[rows, out_dim / parts]`.

    Raises:
        ValueError: shapes, dtypes, devices or counts do not match, or `impl` is unknown.

    Example:
        >>> weights, biases = [torch.eye(2), -torch.eye(2)], [torch.zeros(2), torch.ones(2)]
        >>> (mapped,) = typed_linear(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), weights, biases, [1, 1])
        >>> mapped.tolist()
        [[1.0, 2.0], [-2.0, -3.0]]
    """
    check(values, weights, biases, counts, parts)
    kind, given = values.device.type, dict.fromkeys(tensor.dtype for tensor in (values, *weights, *biases))
    if kind != "meta" and torch.is_autocast_enabled(kind) and torch.float64 not in given:
        dtype = torch.get_autocast_dtype(values.device.type)
        values, weights, biases = values.to(dtype), [w.to(dtype) for w in weights], [b.to(dtype) for b in biases]
    elif len(given) > 1:
        raise ValueError(f"values, weights and biases must have one dtype, found {', '.join(map(str, given))}")
    if impl != "auto":
        check_runs(impl, ("reference", "in_place"), values.device)
    run = typed_linear_reference if impl == "reference" else typed_linear_in_place
    return tuple(run(values, list(weights), list(biases), list(counts), parts))


def check(
    values: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], counts: Sequence[int], parts: int
) -> None:
    """Raise ValueError unless there is one fitting map for each type and one type for each row."""
    if values.dim() != 2 or not values.is_floating_point():
        raise ValueError(f"values must be floating [rows, in_dim], found {values.dtype} {tuple(values.shape)}")
    if not 0 < len(weights) == len(biases) == len(counts):
        found = f"{len(weights)} weights, {len(biases)} biases, {len(counts)} counts"
        raise ValueError(f"weights, biases and counts must be one per type, found {found}")
    if min(counts) < 0 or sum(counts) != len(values):
        raise ValueError(f"counts must add up to the {len(values)} rows of values, found {list(counts)}")
    out_dim = weights[0].shape[0] if weights[0].dim() else 0
    if parts < 1 or out_dim % parts:
        raise ValueError(f"parts must divide out_dim {out_dim}, found {parts}")
    for name, tensors, shape in (("weights", weights, (out_dim, values.shape[1])), ("biases", biases, (out_dim,))):
        for kind, tensor in enumerate(tensors):
            if tensor.shape != shape or not tensor.is_floating_point():
                found = f"{tensor.dtype} {tuple(tensor.shape)}"
                raise ValueError(f"{name}[{kind}] must be floating {list(shape)}, found {found}")
            check_tensor(f"{name}[{kind}]", tensor, values.device)
