"""How far a kernel may be from the reference: as far as the reference is from itself in float64."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


def cpu_forms(names: Iterable[str], narrow: Iterable[str]) -> list[tuple[str, torch.dtype]]:
    """Cases with the dtypes to run them in: all in float64 and float32, and `narrow` ones in 16 bits, which CPU kernels
    convert to float32 and back."""
    wide = [(name, dtype) for name in names for dtype in (torch.float64, torch.float32)]
    return wide + [(name, dtype) for name in narrow for dtype in (torch.bfloat16, torch.float16)]


def assert_as_close(
    found: Mapping[str, Tensor], reference: Mapping[str, Tensor], exact: Mapping[str, Tensor], dtype: torch.dtype
) -> None:
    """The kernel errs at most four times what the reference errs in the same dtype, plus one step at the largest value.

    Args:
        found: the kernel's results by name.
        reference: the reference's, computed in the same dtype, or in float64 in another order.
        exact: the reference's, computed in float64 from the same inputs.
        dtype: of the results.
    """
    for name, truth in exact.items():
        assert found[name].dtype == dtype, name
        assert found[name].shape == truth.shape, name
        if truth.numel() == 0:
            continue
        finite = truth.isfinite()
        assert torch.equal(found[name].double()[~finite], truth[~finite]), name
        truth = truth.where(finite, 0)
        allowed = 4 * (reference[name].double().where(finite, 0) - truth).abs().max()
        allowed += torch.finfo(dtype).eps * truth.abs().max()
        assert (found[name].double().where(finite, 0) - truth).abs().max() <= allowed, name
