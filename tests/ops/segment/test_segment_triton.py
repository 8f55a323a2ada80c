"""The CUDA kernels of the segment operators: interpreted, compiled ahead of time, and run where there is a device.

Those that reduce are compiled in tests/ops/neighbor_sum/test_neighbor_sum_triton.py.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gnnfuse.ops.choose import INSTALLED
from tests.ops.segment.cases import CASES, OPERATORS, assert_as_good_as_reference
from tests.ops.triton_checks import compile_ahead, resources, run_interpreted

pytestmark = pytest.mark.skipif(not INSTALLED["triton"], reason="triton is not installed")


def test_by_the_interpreter() -> None:
    run_interpreted(str(Path(__file__).with_name("interpreted_segment.py")))


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("step", range(5))
def test_compiled_ahead_of_time(step: int, capability: int, tmp_path: Path) -> None:
    from gnnfuse.ops.cuda.triton_reduce import tile_options
    from gnnfuse.ops.segment.triton_kernels import segment_items_kernel

    options = tile_options(7, torch.float32)
    warps = options.pop("num_warps")
    types = dict.fromkeys(("value", "grad", "out"), "*bf16") | {"index": "*i64", "first": "*fp32"}
    types |= {"second": "*i32" if step == 1 else "*fp32", "items": "i32", "dim": "i32"}
    code = compile_ahead(segment_items_kernel, types, options | {"STEP": step}, capability, num_warps=warps)
    found = resources(code, tmp_path)
    assert found.registers <= 255, found
    assert found.stack == 0, found  # nothing is spilled


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", CASES)
def test_on_the_device(name: str, operator: str, dtype: torch.dtype) -> None:
    case = CASES[name]
    assert_as_good_as_reference(
        replace(case, values=case.values.cuda(), index=case.index.cuda()), operator, "triton", dtype
    )
