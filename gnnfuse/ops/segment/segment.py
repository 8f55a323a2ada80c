"""Reductions and softmax over segments: the items that bear one number in an unsorted index."""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnnfuse.ops.choose import check_runs
from gnnfuse.ops.segment.reference import segment_reduce_reference, segment_softmax_reference
from gnnfuse.ops.segment.torch_scatter import segment_reduce_torch_scatter, segment_softmax_torch_scatter

Impl = Literal["auto", "reference", "torch_scatter"]
Reduce = Literal["sum", "mean", "min", "max"]

SIXTEEN_BIT = (torch.float16, torch.bfloat16)


def segment_reduce(
    values: Float[Tensor, "items ..."],
    index: Int[Tensor, "items"],
    num_segments: int,
    *,
    reduce: Reduce = "sum",
    impl: Impl = "auto",
) -> Float[Tensor, "num_segments ..."]:
    """Reduce the items of every segment to one, out[s] = reduce of values[i] over all i with index[i] = s.

    A segment without items gives 0, whatever the reduction. float16 and bfloat16 are computed in float32 and
    given back in their own dtype. Equal extremes share the gradient of "min" and "max" in the reference;
    torch_scatter gives it to one of them.

    Args:
        values: `[items, ...]`, floating.
        index: `[items]`, int64, the segment of each item, in any order.
        num_segments: number of segments; every index is below it.
        reduce: "sum", "mean", "min" or "max".
        impl: "reference" is plain PyTorch. "torch_scatter" is the package of that name
            (https://github.com/rusty1s/pytorch_scatter). "auto" takes the reference.

    Raises:
        ValueError: shapes, dtypes or devices do not go together, or `reduce` or `impl` is unknown.
        IndexError, RuntimeError or ValueError: an index is out of range; which, is up to the implementation.
        RuntimeError: `impl="torch_scatter"` without the package installed.

    Example:
        >>> values, index = torch.tensor([1.0, 5.0, 3.0]), torch.tensor([2, 0, 2])
        >>> segment_reduce(values, index, 3, reduce="mean").tolist()
        [5.0, 0.0, 2.0]
    """
    check(values, "values", index, num_segments)
    if reduce not in get_args(Reduce):
        raise ValueError(f"reduce must be 'sum', 'mean', 'min' or 'max', found {reduce!r}")
    run = segment_reduce_torch_scatter if choose(impl, index.device) == "torch_scatter" else segment_reduce_reference
    return run(widen(values), index, num_segments, reduce).to(values.dtype)


def segment_softmax(
    scores: Float[Tensor, "items ..."],
    index: Int[Tensor, "items"],
    num_segments: int,
    *,
    impl: Impl = "auto",
) -> Float[Tensor, "items ..."]:
    """Turn the scores of every segment into weights that sum to 1, w_i = exp s_i / (sum of exp s_j).

    Args:
        scores: `[items, ...]`, floating; each of the trailing places has a softmax of its own.
        index: `[items]`, int64, the segment of each item, in any order.
        num_segments: number of segments; every index is below it.
        impl: as in `segment_reduce`.

    Raises:
        ValueError: shapes, dtypes or devices do not go together, or `impl` is unknown.
        IndexError, RuntimeError or ValueError: an index is out of range; which, is up to the implementation.
        RuntimeError: `impl="torch_scatter"` without the package installed.

    Example:
        >>> segment_softmax(torch.tensor([7.0, 1.0, 7.0]), torch.tensor([1, 0, 1]), 2).tolist()
        [0.5, 1.0, 0.5]
    """
    check(scores, "scores", index, num_segments)
    run = segment_softmax_torch_scatter if choose(impl, index.device) == "torch_scatter" else segment_softmax_reference
    return run(widen(scores), index, num_segments).to(scores.dtype)


def choose(impl: Impl, device: torch.device) -> str:
    """The implementation to run.

    Raises:
        ValueError: unknown.
        RuntimeError: not installed.
    """
    if impl == "auto":
        return "reference"
    check_runs(impl, ("reference", "torch_scatter"), device)
    return impl


def check(values: Tensor, name: str, index: Tensor, num_segments: int) -> None:
    """Raise ValueError unless there is one index of a segment for each of the values."""
    if values.dim() == 0 or not values.is_floating_point():
        raise ValueError(f"{name} must be floating [items, ...], found {values.dtype} {tuple(values.shape)}")
    if index.dtype != torch.int64 or index.shape != values.shape[:1]:
        found = f"{index.dtype} {tuple(index.shape)}"
        raise ValueError(f"index must be int64 [{values.shape[0]}], one per item of {name}; found {found}")
    if index.device != values.device:
        raise ValueError(f"index must be on {values.device} as {name}, found {index.device}")
    if num_segments < 0:
        raise ValueError(f"num_segments must be 0 or more, found {num_segments}")


def widen(values: Tensor) -> Tensor:
    """16-bit values in float32, in which they are added up."""
    return values.float() if values.dtype in SIXTEEN_BIT else values
