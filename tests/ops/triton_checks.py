"""What tests of Triton kernels share: they run in a child process by the interpreter, and compile without a device."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

INTERPRETED = {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}


def run_interpreted(file: str, *options: str) -> None:
    """Run a test file in a process in which Triton's interpreter stands for the compiler, set before it is imported."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file, *options]
    found = subprocess.run(command, env=os.environ | INTERPRETED, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]


def let_the_interpreter_count() -> None:
    """Teach Triton 3.6's interpreter to loop up to a loaded number: numpy 2.4 makes no int of an array of one."""
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def patch_lang_tensor(tensor: Any, scope: Any) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = patch_lang_tensor


class Resources(NamedTuple):
    """What a compiled kernel takes of a multiprocessor, per thread: registers, and bytes of memory in their stead."""

    registers: int
    stack: int


def compile_ahead(
    kernel: Any, types: dict[str, str], constants: dict[str, Any], capability: int, **options: int
) -> bytes:
    """The machine code of a kernel for a compute capability, 80 or 90, which needs no device.

    Args:
        kernel: decorated by `triton.jit`, not interpreted.
        types: its tensors and numbers in Triton's words, "*fp32" or "i64", by name.
        constants: what is known when it is compiled.
        capability: ten times the compute capability.
        options: of the compiler, as num_warps.
    """
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    signature = {name: types.get(name, "constexpr") for name in kernel.arg_names}
    source = ASTSource(
        fn=kernel, signature=signature, constexprs={(kernel.arg_names.index(n),): c for n, c in constants.items()}
    )
    code: bytes = compile(source, target=GPUTarget("cuda", capability, 32), options=options).asm["cubin"]
    return code


def resources(code: bytes, folder: Path) -> Resources:
    """Read from machine code by the `cuobjdump` that Triton carries."""
    import triton

    file = folder / "kernel.cubin"
    file.write_bytes(code)
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    found = subprocess.run([tool, "--dump-resource-usage", file], capture_output=True, text=True, check=True).stdout
    numbers = {name: int(number) for name, number in re.findall(r"(REG|STACK|LOCAL):(\d+)", found)}
    return Resources(numbers["REG"], numbers["STACK"] + numbers["LOCAL"])
