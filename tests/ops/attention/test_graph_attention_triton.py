import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from gnnfuse.ops import edges_from_index, graph_attention
from gnnfuse.ops.attention.inputs import AttentionInputs

pytest.importorskip("triton", reason="Triton is made for Linux only")

CHECKS = Path(__file__).with_name("triton_checks.py")


def run_checks(chosen: str = "", **environment: str) -> None:
    command = [sys.executable, "-m", "pytest", str(CHECKS), "-q", "-p", "no:cacheprovider", "-k", chosen]
    found = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-10_000:] + found.stderr[-2_000:]
    assert " passed" in found.stdout


PARTS = ("against_reference", "same_bits or opcheck")  # all at once would take more than a test may


@pytest.mark.parametrize("chosen", [*PARTS, f"not ({' or '.join(PARTS)})"])
def test_by_the_interpreter(chosen: str) -> None:
    run_checks(chosen, TRITON_INTERPRET="1", OMP_NUM_THREADS="1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_device() -> None:
    run_checks(TRITON_INTERPRET="0")


def test_cpu_tensors_are_refused_without_the_interpreter() -> None:
    states = torch.ones(2, 1, 3)
    ends = torch.tensor([0, 1])
    with pytest.raises(ValueError, match="impl='triton' needs tensors on a CUDA device, found device cpu"):
        graph_attention(states, states, states, edges_from_index(ends, ends, num_nodes=2), impl="triton")


class Target:
    """What Triton asks a driver for before it compiles; no device behind it."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return self.capability  # the compiled kernels are kept by device

    def get_current_stream(self, device: int) -> int:
        return 0


@pytest.fixture
def compile_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """Compile what would be launched, and do not launch it: the machine code of every kernel."""
    from triton import knobs, runtime

    if knobs.runtime.interpret:
        pytest.skip("TRITON_INTERPRET=1 leaves nothing to compile")
    compiled: dict[str, bytes] = {}

    def compile_kernel(kernel: Any, grid: tuple[int, int], warps: int, arguments: dict[str, Any]) -> None:
        named = {name: arguments[name] for name in kernel.arg_names if name in arguments}
        result = kernel.warmup(**named, num_warps=warps, grid=grid)
        compiled[f"{kernel.__name__} {named.get('IN_PIECES', '')}"] = result.asm["cubin"]

    monkeypatch.setattr("gnnfuse.ops.attention.triton_launch.call", compile_kernel)
    monkeypatch.setattr(runtime.driver, "_active", None)
    return compiled


def resources(cubin: bytes, folder: Path) -> dict[str, int]:
    """Registers per thread and bytes of stack, as the assembler gave them out; spilled registers lie on the stack."""
    from triton import knobs

    file = folder / "kernel.cubin"
    file.write_bytes(cubin)
    command = [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"(REG|STACK|LOCAL):(\d+)", found)}


# Of the 65,536 registers of a multiprocessor, 128 per thread leave room for 16 warps at a time; 168 for 12, 224 for 9.
COMBINATIONS: list[tuple[int, torch.dtype, tuple[int, int, int], dict[str, Any], int]] = [
    (80, torch.bfloat16, (8, 32, 32), {}, 168),
    (90, torch.bfloat16, (8, 32, 32), {}, 168),
    (90, torch.float32, (8, 32, 32), {"additive": True, "dropout": 0.1}, 224),
    (80, torch.float16, (2, 256, 256), {}, 168),
    (90, torch.bfloat16, (3, 7, 5), {"dropout": 0.1}, 168),
]


MOST_SPILLED = 16  # bytes per thread: a few numbers put away outside of the loops


@pytest.mark.parametrize(("capability", "dtype", "sizes", "options", "registers"), COMBINATIONS, ids=str)
def test_compiled_ahead_of_time_next_to_nothing_is_spilled(
    compile_only: dict[str, bytes],
    tmp_path: Path,
    capability: int,
    dtype: torch.dtype,
    sizes: tuple[int, int, int],
    options: dict[str, Any],
    registers: int,
) -> None:
    from triton import runtime

    from gnnfuse.ops.attention.triton_backward import differentiate
    from gnnfuse.ops.attention.triton_forward import attend

    runtime.driver.set_active(Target(capability))
    inputs = inputs_of(dtype, *sizes, **options)
    additive = inputs.score_weight is not None
    out, _, highest, total = attend(inputs, return_weights=True)
    differentiate(out, inputs, highest, total, [True, True, True, additive, True, True, True, True])
    assert len(compile_only) == 12 + additive
    for name, cubin in compile_only.items():
        used = resources(cubin, tmp_path)
        assert used["STACK"] + used["LOCAL"] <= MOST_SPILLED, (name, used)
        assert used["REG"] <= registers, (name, used)


def inputs_of(
    dtype: torch.dtype, heads: int, head_dim: int, value_dim: int, *, additive: bool = False, dropout: float = 0.0
) -> AttentionInputs:
    """Enough edges for hubs; the numbers are read by nobody."""
    ends = torch.zeros(1100, dtype=torch.int64)

    def empty(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=dtype)

    return AttentionInputs(
        empty(16, heads, head_dim),
        empty(16, heads, head_dim),
        empty(16, heads, value_dim),
        edges_from_index(ends, ends, num_nodes=16),
        empty(16, heads, head_dim) if additive else None,
        empty(1100, heads),
        empty(16, heads),
        empty(16, heads),
        empty(1100, heads),
        torch.ones(1, dtype=torch.int64) if dropout else None,
        0.5,
        0.2,
        dropout,
    )
