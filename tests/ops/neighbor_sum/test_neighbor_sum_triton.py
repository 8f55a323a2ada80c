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
FLAGS = ("HAS_OTHER", "HAS_SOURCE", "HAS_NUMBER", "HAS_WEIGHT", "HAS_CHOSEN")


def test_by_the_interpreter() -> None:
    run_interpreted(str(FILE))


# what is read, its accumulator's name aside: dtype, columns, kind, flags that are set
FORMS = [
    ("fp32", 256, 0, ("HAS_SOURCE", "HAS_WEIGHT")),
    ("bf16", 256, 0, ("HAS_SOURCE", "HAS_NUMBER", "HAS_WEIGHT", "HAS_CHOSEN")),
    ("bf16", 7, 1, ("HAS_SOURCE",)),
    ("fp32", 8, 2, ()),
]


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(("dtype", "dim", "kind", "flags"), FORMS)
def test_compiled_ahead_of_time(
    dtype: str, dim: int, kind: int, flags: tuple[str, ...], capability: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    from gnnfuse.ops import triton_reduce_kernels as kernels
    from gnnfuse.ops.triton_reduce import tile_options

    options = tile_options(dim, torch.float32)
    warps = options.pop("num_warps")
    second = "*i32" if kind == 1 else "*fp32"
    types = dict.fromkeys(("value", "other"), f"*{dtype}") | dict.fromkeys(("weight", "part"), "*fp32")
    types |= {"offsets": "*i64", "source": "*i32", "number": "*i32", "chosen": "*i32", "out": f"*{dtype}"}
    types |= {"second_out": second, "second_part": second}
    types |= dict.fromkeys(("rows", "edges", "dim", "piece"), "i32")
    constants = options | {"KIND": kind, "SIGN": 1, "MEAN": False} | {flag: flag in flags for flag in FLAGS}
    for kernel in (kernels.reduce_rows_kernel, kernels.reduce_pieces_kernel, kernels.reduce_join_kernel):
        names = set(kernel.arg_names)
        code = compile_ahead(
            kernel,
            {name: word for name, word in types.items() if name in names},
            {name: value for name, value in constants.items() if name in names},
            capability,
            num_warps=warps,
        )
        found = resources(code, tmp_path)
        assert found.registers <= 128, (kernel.__name__, found)  # of 65,536: 16 warps or more at once
        assert found.stack == 0, (kernel.__name__, found)  # nothing is spilled


@pytest.mark.parametrize("capability", [80, 90])
def test_gradient_of_the_weight_compiled_ahead_of_time(
    capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    from gnnfuse.ops.neighbor_sum.triton_kernels import neighbor_sum_backward_weight_kernel
    from gnnfuse.ops.triton_reduce import tile_options

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
