"""What tests of Triton kernels share: they run in a child process by the interpreter, and compile without a device."""

import os
import subprocess
import sys
from typing import Any

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
