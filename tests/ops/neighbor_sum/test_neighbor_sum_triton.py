"""The CUDA kernels of `neighbor_sum`: interpreted, compiled ahead of time, and run where there is a device."""

from pathlib import Path
from typing import Any

import pytest
import torch

from gnnfuse.ops.choose import INSTALLED
from tests.ops.neighbor_sum.cases import CASES, Case
from tests.ops.tolerance import assert_as_close
from tests.ops.triton_checks import compile_ahead, resources, run_interpreted

pytestmark = pytest.mark.skipif(not INSTALLED["triton"], reason="triton is not installed")
FILE = Path(__file__).with_name("interpreted_neighbor_sum.py")
OPTIONAL = ("other_ptr", "source_ptr", "number_ptr", "weight_ptr", "chosen_ptr", "second_ptr", "second_part_ptr")


def test_by_the_interpreter() -> None:
    run_interpreted(str(FILE))


# what is read: dtype, columns, kind, and which of the optional tensors there are
FORMS = [
    ("bf16", 256, 0, ("source_ptr", "weight_ptr")),
    ("bf16", 256, 0, ("source_ptr", "number_ptr", "weight_ptr", "chosen_ptr")),
    ("fp32", 256, 0, ("source_ptr", "weight_ptr")),
    ("bf16", 7, 1, ("source_ptr", "second_ptr", "second_part_ptr")),
    ("fp32", 8, 2, ("second_ptr", "second_part_ptr")),
]


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(("dtype", "dim", "kind", "given"), FORMS)
def test_compiled_ahead_of_time(
    dtype: str, dim: int, kind: int, given: tuple[str, ...], capability: int, tmp_path: Path
) -> None:
    from gnnfuse.ops.cuda import triton_reduce_kernels as kernels
    from gnnfuse.ops.cuda.triton_reduce import row_tiles

    options = row_tiles(dim, torch.float32 if dtype == "fp32" else torch.bfloat16)
    warps = options.pop("num_warps")
    types = dict.fromkeys(("value_ptr", "other_ptr", "out_ptr"), f"*{dtype}")
    types |= dict.fromkeys(("weight_ptr", "part_ptr"), "*fp32") | {"offsets_ptr": "*i64"}
    types |= dict.fromkeys(("source_ptr", "number_ptr", "chosen_ptr", "pieces_ptr"), "*i32")
    types |= dict.fromkeys(("second_ptr", "second_part_ptr"), "*i32" if kind == 1 else "*fp32")
    types |= dict.fromkeys(("rows", "halvings", "num_edges", "slots"), "i32")
    absent = [name for name in OPTIONAL if name not in given]
    constants = options | {"KIND": kind, "SIGN": 1, "MEAN": False, "PIECE": 512} | dict.fromkeys(absent)
    forms = [(kernels.reduce_rows_kernel, {"IN_PIECES": in_pieces}) for in_pieces in (False, True)]
    for kernel, form in (*forms, (kernels.reduce_merge_kernel, {})):
        names = set(kernel.arg_names)
        code = compile_ahead(
            kernel,
            {name: word for name, word in types.items() if name in names and name not in absent},
            {name: value for name, value in (constants | form).items() if name in names},
            capability,
            num_warps=warps,
        )
        found = resources(code, tmp_path)
        assert found.registers <= 128, (kernel.__name__, found)  # of 65,536: 16 warps or more at once
        assert found.stack <= 16, (kernel.__name__, found)  # a few numbers put away outside of the loops


@pytest.mark.parametrize("capability", [80, 90])
def test_gradient_of_the_weight_compiled_ahead_of_time(capability: int, tmp_path: Path) -> None:
    from gnnfuse.ops.cuda.triton_reduce import tile_options
    from gnnfuse.ops.neighbor_sum.triton_kernels import neighbor_sum_backward_weight_kernel

    options = tile_options(256, torch.float32)
    warps = options.pop("num_warps")
    types = dict.fromkeys(("value", "grad_out"), "*bf16") | {"offsets": "*i64", "src": "*i32", "dst": "*i64"}
    types |= {"highest": "*i32", "grad_weight": "*fp32", "edges": "i32", "dim": "i32"}
    constants = options | {"MEAN": True, "HAS_HIGHEST": True}
    code = compile_ahead(neighbor_sum_backward_weight_kernel, types, constants, capability, num_warps=warps)
    found = resources(code, tmp_path)
    assert found.registers <= 128, found
    assert found.stack == 0, found


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
@pytest.mark.parametrize("name", CASES)
def test_on_the_device(name: str, reduce: str, dtype: torch.dtype) -> None:
    case = CASES[name]
    weight = None if case.weight is None else case.weight.cuda()
    on_device = Case(case.value.cuda(), case.edges.to("cuda"), weight, case.grad_out.cuda())
    found: Any = on_device.results("triton", reduce, dtype)
    again = on_device.results("triton", reduce, dtype)
    assert all(torch.equal(found[key], again[key]) for key in found)
    exact = case.rounded(dtype).results("reference", reduce)
    is_exact = dtype == torch.float64
    reference = case.backwards(reduce) if is_exact else case.results("reference", reduce, dtype)
    assert_as_close({key: tensor.cpu() for key, tensor in found.items()}, reference, exact, dtype)
