"""Reductions and softmax over segments: items with the same number in an index, or between two offsets."""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnnfuse.ops.check_edges import check_tensor
from gnnfuse.ops.choose import INSTALLED, check_runs
from gnnfuse.ops.edges import MAX_COUNT
from gnnfuse.ops.segment.reference import segment_reduce_reference, segment_softmax_reference
from gnnfuse.ops.segment.torch_scatter import segment_reduce_torch_scatter, segment_softmax_torch_scatter
from gnnfuse.ops.segment.triton import check_place, segment_reduce_triton, segment_softmax_triton

Impl = Literal["auto", "reference", "torch_scatter", "triton"]
Reduce = Literal["sum", "mean", "min", "max", "logsumexp"]

IMPLS, REDUCES = get_args(Impl), get_args(Reduce)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SIXTEEN_BIT = (torch.float16, torch.bfloat16)


def segment_reduce(
    values: Float[Tensor, "items ..."],
    index: Int[Tensor, "items"] | None = None,
    num_segments: int | None = None,
    *,
    offsets: Int[Tensor, "segments_plus_one"] | None = None,
    reduce: Reduce = "sum",
    impl: Impl = "auto",
) -> Float[Tensor, "num_segments ..."]:
    """Reduce the items of every segment to one, out[s] = reduce of values[i] over all i with index[i] = s.

    A segment without items gives 0, or -inf for "logsumexp", the logarithm of the sum of exponentials. float16 and
    bfloat16 are computed in float32 and returned in their own dtype. Among equal extremes, the first item gets the
    gradient of "min" and "max"; torch_scatter gives it to any one of them.

    Args:
        values: `[items, ...]`, floating.
        index: `[items]`, int64 or int32, the segment of each item, in any order.
        num_segments: number of segments; every index is below it.
        offsets: `[segments + 1]`, int64, in place of index and num_segments if items are sorted: the items of
            segment s are `offsets[s]:offsets[s + 1]`.
        reduce: "sum", "mean", "min", "max" or "logsumexp".
        impl: "reference" is plain PyTorch. "torch_scatter" is the package of that name
            (https://github.com/rusty1s/pytorch_scatter). "triton" is a kernel for CUDA with the same bits in every
            run and first derivatives only. "auto" chooses triton on CUDA if it is installed, else the reference.

    Raises:
        ValueError: shapes, dtypes or devices do not match, values are expanded, an index is out of range or
            offsets do not ascend (on accelerators: within `checked_indices()`), not exactly one of index and offsets
            is given, or `reduce` or `impl` is unknown or for another device.
        RuntimeError: `impl` needs a package that is not installed.

    Example:
        >>> values, index = torch.tensor([1.0, 5.0, 3.0]), torch.tensor([2, 0, 2])
        >>> segment_reduce(values, index, 3, reduce="mean").tolist()
        [5.0, 0.0, 2.0]
        >>> segment_reduce(values, offsets=torch.tensor([0, 1, 3])).tolist()
        [1.0, 8.0]
    """
    place, segments = check(values, "values", index, num_segments, offsets)
    if reduce not in REDUCES:
        raise ValueError(f"reduce must be 'sum', 'mean', 'min', 'max' or 'logsumexp', found {reduce!r}")
    is_sorted = offsets is not None
    chosen = choose(impl, values)
    out: Tensor
    if chosen == "triton":
        out = segment_reduce_triton(columns(values), place, is_sorted, segments, reduce)[0]
        return restored(out, values, segments)
    if not torch.compiler.is_compiling():
        check_place(place, is_sorted, segments, len(values))
    if chosen == "torch_scatter":
        out = segment_reduce_torch_scatter(widen(values), place, segments, reduce, is_sorted)
    else:
        out = segment_reduce_reference(widen(values), index_of(place, is_sorted, values), segments, reduce)
    return out.to(values.dtype)


def segment_softmax(
    scores: Float[Tensor, "items ..."],
    index: Int[Tensor, "items"] | None = None,
    num_segments: int | None = None,
    *,
    offsets: Int[Tensor, "segments_plus_one"] | None = None,
    impl: Impl = "auto",
) -> Float[Tensor, "items ..."]:
    """Turn the scores of every segment into weights that sum to 1, w_i = exp s_i / (sum of exp s_j).

    If all scores of a segment are -inf, its weights are 0; torch_scatter gives NaN there.

    Args:
        scores: `[items, ...]`, floating; each trailing position has its own softmax.
        index: `[items]`, int64 or int32, the segment of each item, in any order.
        num_segments: number of segments; every index is below it.
        offsets: `[segments + 1]`, in place of index and num_segments if items are sorted.
        impl: as in `segment_reduce`.

    Raises:
        ValueError: as in `segment_reduce`.
        RuntimeError: `impl` needs a package that is not installed.

    Example:
        >>> segment_softmax(torch.tensor([7.0, 1.0, 7.0]), torch.tensor([1, 0, 1]), 2).tolist()
        [0.5, 1.0, 0.5]
    """
    place, segments = check(scores, "scores", index, num_segments, offsets)
    is_sorted = offsets is not None
    chosen = choose(impl, scores)
    out: Tensor
    if chosen == "triton":
        out = segment_softmax_triton(columns(scores), place, is_sorted, segments)
        return restored(out, scores, len(scores))
    if not torch.compiler.is_compiling():
        check_place(place, is_sorted, segments, len(scores))
    if chosen == "torch_scatter":
        out = segment_softmax_torch_scatter(widen(scores), place, segments, is_sorted)
    else:
        out = segment_softmax_reference(widen(scores), index_of(place, is_sorted, scores), segments)
    return out.to(scores.dtype)


def choose(impl: Impl, values: Tensor) -> str:
    """The implementation to run; that of "auto" depends on the device.

    Raises:
        ValueError: unknown, or for another device.
        RuntimeError: not installed.
    """
    if impl == "auto":
        exporting = torch.compiler.is_exporting()  # a program runs on any device
        return "triton" if values.device.type == "cuda" and INSTALLED["triton"] and not exporting else "reference"
    check_runs(impl, IMPLS[1:], values.device)
    return impl


def check(
    values: Tensor, name: str, index: Tensor | None, num_segments: int | None, offsets: Tensor | None
) -> tuple[Tensor, int]:
    """The index or the offsets, and the number of segments.

    Raises:
        ValueError: not exactly one of index and offsets is given, or it does not fit the values.
    """
    if values.dim() == 0 or values.dtype not in DTYPES:
        raise ValueError(f"{name} must be floating [items, ...], found {values.dtype} {tuple(values.shape)}")
    if values.shape[0] > MAX_COUNT:
        raise ValueError(f"{name} are numbered in int32, up to {MAX_COUNT}; found {values.shape[0]}")
    check_tensor(name, values, values.device)
    if (index is None) == (offsets is None):
        found = "neither" if index is None else "both"
        raise ValueError(f"exactly one of index and offsets must be given, found {found}")
    if offsets is not None:
        return offsets, check_offsets_form(offsets, values, name, num_segments)
    assert index is not None
    if index.dtype not in (torch.int64, torch.int32) or index.shape != values.shape[:1]:
        found = f"{index.dtype} {tuple(index.shape)}"
        raise ValueError(f"index must be int64 or int32 [{values.shape[0]}], one per item of {name}; found {found}")
    check_device("index", index, values, name)
    if num_segments is None or num_segments < 0:
        raise ValueError(f"num_segments must be 0 or more, and goes with index; found {num_segments}")
    return index, num_segments


def check_offsets_form(offsets: Tensor, values: Tensor, name: str, num_segments: int | None) -> int:
    """The number of segments that the offsets divide the items into; ValueError if they are not offsets."""
    if offsets.dtype != torch.int64 or offsets.dim() != 1 or offsets.shape[0] == 0:
        raise ValueError(f"offsets must be int64 [segments + 1], found {offsets.dtype} {tuple(offsets.shape)}")
    check_device("offsets", offsets, values, name)
    if num_segments not in (None, offsets.shape[0] - 1):
        raise ValueError(f"num_segments must be {offsets.shape[0] - 1} as in offsets, or None; found {num_segments}")
    return offsets.shape[0] - 1


def check_device(name: str, tensor: Tensor, values: Tensor, values_name: str) -> None:
    """Raise ValueError unless the tensor is on the values' device."""
    if tensor.device != values.device:
        raise ValueError(f"{name} must be on {values.device} as {values_name}, found {tensor.device}")
    check_tensor(name, tensor, values.device)


def index_of(place: Tensor, is_sorted: bool, values: Tensor) -> Tensor:
    """The segment of each item, int64."""
    return torch.repeat_interleave(place.diff(), output_size=len(values)) if is_sorted else place.long()


def columns(values: Tensor) -> Tensor:
    """The trailing places of each item as columns, `[items, columns]`."""
    if values.dim() == 2:
        return values
    return values[:, None] if values.dim() == 1 else values.flatten(1)


def restored(out: Tensor, values: Tensor, rows: int) -> Tensor:
    """`[rows, columns]` in the dtype and with the trailing places of the values."""
    out = out if out.dtype == values.dtype else out.to(values.dtype)
    return out if values.dim() == 2 else out.reshape(rows, *values.shape[1:])


def widen(values: Tensor) -> Tensor:
    """16-bit values in float32, in which they are summed."""
    return values.float() if values.dtype in SIXTEEN_BIT else values
