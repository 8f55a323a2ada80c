"""Selects rows by a mask, group by group."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gnnfuse.ops.check_edges import check_offsets
from gnnfuse.ops.choose import auto_on_cpu, check_runs
from gnnfuse.ops.keep.numba import keep_rows_numba
from gnnfuse.ops.keep.reference import keep_rows_reference

Impl = Literal["auto", "reference", "numba"]


class KeptRows(NamedTuple):
    """The remaining rows of some groups.

    Args:
        rows: `[kept]`, int64; their old numbers, ascending.
        offsets: `[groups + 1]`, int64; the remaining rows of group g are `rows[offsets[g]:offsets[g + 1]]`.
        partial: whether some group lost some but not all of its rows.
        emptied: `[groups]`, whether each group had rows and lost all; None if none did.
    """

    rows: Int[Tensor, "kept"]
    offsets: Int[Tensor, "groups_plus_one"]
    partial: bool
    emptied: Bool[Tensor, "groups"] | None


def keep_rows(
    masks: Sequence[Bool[Tensor, "_"]], offsets: Sequence[Int[Tensor, "_"]], *, impl: Impl = "auto"
) -> list[KeptRows]:
    """The rows that stay, for several masks at once, as each call synchronises with an accelerator once.

    Args:
        masks: whether each row stays.
        offsets: for each mask `[groups + 1]`, int64, where its groups begin; the last entry is its length.
        impl: as for `keep_edges`.

    Raises:
        ValueError: a mask that is not bool or not on the device of its offsets, different numbers of masks and offsets,
            or `impl` is unknown or for another device.
        RuntimeError: `impl` needs a package that is not installed.

    Example:
        >>> (found,) = keep_rows([torch.tensor([True, False, True, False])], [torch.tensor([0, 3, 4])])
        >>> found.rows.tolist(), found.offsets.tolist(), found.partial, found.emptied
        ([0, 2], [0, 2, 2], True, tensor([False,  True]))
    """
    if len(masks) != len(offsets):
        raise ValueError(f"masks and offsets must be equally many, found {len(masks)} and {len(offsets)}")
    if not masks:
        return []
    device = masks[0].device
    for mask, groups in zip(masks, offsets, strict=True):
        check_mask("masks", mask, len(mask), device)
        if groups.device != device or groups.dtype != torch.int64 or groups.dim() != 1 or not len(groups):
            found = f"{groups.dtype} {list(groups.shape)} on {groups.device}"
            raise ValueError(f"offsets must be torch.int64 [groups + 1] on {device}, found {found}")
        if device.type == "cpu":
            check_offsets("offsets", groups, len(mask))
    if impl == "auto":
        impl = auto_on_cpu() if device.type == "cpu" else "reference"
    check_runs(impl, ("reference", "numba"), device)
    kept = {"reference": keep_rows_reference, "numba": keep_rows_numba}[impl](masks, offsets)
    return [KeptRows(*found) for found in kept]


def check_mask(name: str, mask: Tensor, length: int, device: torch.device) -> None:
    """Raise ValueError unless the mask is `[length]` bools on the device."""
    if mask.dtype != torch.bool or mask.shape != (length,) or mask.device != device:
        found = f"{mask.dtype} {list(mask.shape)} on {mask.device}"
        raise ValueError(f"{name} must be torch.bool [{length}] on {device}, found {found}")
